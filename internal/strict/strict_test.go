package strict_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/strict"
)

type config struct {
	Name  string            `yaml:"name"`
	Count int               `yaml:"count"`
	Ratio float64           `yaml:"ratio"`
	On    bool              `yaml:"on"`
	Wait  strict.Duration   `yaml:"wait"`
	Max   strict.Size       `yaml:"max"`
	List  []item            `yaml:"list"`
	Map   map[string]string `yaml:"map"`
	Sub   *item             `yaml:"sub"`
}

type item struct {
	Path string   `yaml:"path"`
	Tags []string `yaml:"tags"`
}

func TestDecode(t *testing.T) {
	got := config{Name: "default", Count: 7}
	f := strict.Decode("c.yaml", []byte(`# comment
count: 3
ratio: 2
on: true
wait: 1h30m
max: 64MiB
list:
  - path: "a b"
    tags: [x, '1', 2]
  - path: |
      block
map: {k: v, n: 1}
sub:
  path: p
`), &got)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	want := config{
		Name: "default", Count: 3, Ratio: 2, On: true, Wait: strict.Duration(90 * time.Minute), Max: 64 << 20,
		List: []item{{Path: "a b", Tags: []string{"x", "1", "2"}}, {Path: "block\n"}},
		Map:  map[string]string{"k": "v", "n": "1"}, Sub: &item{Path: "p"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A plain scalar may hold a colon wherever it stands.
func TestColons(t *testing.T) {
	for src, want := range map[string]string{
		"list: [{tags: [https://a.b:9200]}]":          "https://a.b:9200",
		"list: [{tags: [https://a.b:9200], path: x}]": "https://a.b:9200",
		"list:\n  - tags: [https://a.b:9200]":         "https://a.b:9200",
		"list: [{tags: ['https://a.b:9200']}]":        "https://a.b:9200",
	} {
		var c config
		if err := strict.Decode("c.yaml", []byte(src), &c).Err(); err != nil {
			t.Errorf("%s: %v", src, err)
		} else if c.List[0].Tags[0] != want {
			t.Errorf("%s: got %q", src, c.List[0].Tags[0])
		}
	}
	var c config
	if err := strict.Decode("c.yaml", []byte("list: [{tags: [a: 9200]}]"), &c).Err(); err == nil {
		t.Error("a mapping passed for a string")
	}
}

func TestEverythingWrongAtOnce(t *testing.T) {
	var c config
	f := strict.Decode("c.yaml", []byte(`nmae: x
count: many
ratio: .nan
on: "yes"
wait: 5
max: 3MB
list:
  - path: a
    tag: [x]
  - 7
map: [a]
sub: {path: {x: 1}}
count: 4
`), &c)
	f.Problem("list[0].path", "no such file", "make it")
	f.Problem("list[0].missing.deep", "must be set", "")
	err := f.Err()
	if err == nil {
		t.Fatal("no problems")
	}
	want := `c.yaml:1:1: unknown key "nmae"; did you mean "name"?
c.yaml:2:8: count must be a whole number, not text
c.yaml:3:8: ratio must be a number, not text
c.yaml:4:5: on must be true or false, not text
c.yaml:5:7: wait: duration "5": want a form like 30s, 5m, 1h30m or 30d
c.yaml:6:6: max: size "3MB": want a form like 512KiB, 64MiB or 8GiB
c.yaml:8:5: list[0] must be set
c.yaml:8:11: no such file; make it
c.yaml:9:5: unknown key "tag"; did you mean "tags"?
c.yaml:10:5: list[1] must be a mapping, not a number
c.yaml:11:6: map must be a mapping, not a list
c.yaml:12:13: sub.path must be a string, not a mapping
c.yaml:13:1: key "count" stands here twice; remove one`
	want = strings.ReplaceAll(want, "list[0] must be set", "must be set")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestNotYAML(t *testing.T) {
	for _, src := range []string{"a: [", "a: b: c", "\t- x", "&a x: *a", "a: !!binary x", "---\na: 1\n---\nb: 1"} {
		var c config
		if err := strict.Decode("c.yaml", []byte(src), &c).Err(); err == nil {
			t.Errorf("%q: no problem", src)
		} else if !strings.HasPrefix(err.Error(), "c.yaml:") {
			t.Errorf("%q: %v", src, err)
		}
	}
	var c config
	if err := strict.Decode("c.yaml", []byte("# nothing\n"), &c).Err(); err != nil {
		t.Error(err)
	}
}

// Where a mapping or a list is wanted, the file itself can be wrong.
func TestWholeFile(t *testing.T) {
	var c config
	if err := strict.Decode("c.yaml", []byte("- a\n"), &c).Err(); err == nil || err.Error() != "c.yaml:1:1: the file must be a mapping, not a list" {
		t.Error(err)
	}
}

// What is refused is said once, with its place and what to do.
func TestRefused(t *testing.T) {
	for src, want := range map[string]string{
		"name: &a x":             "c.yaml:1:7: anchors and aliases are not supported; write the value out",
		"name: *a":               "c.yaml:1:7: anchors and aliases are not supported; write the value out",
		"name: !!str x":          "c.yaml:1:7: tags are not supported; write the plain value",
		"<<: {name: x}":          "c.yaml:1:1: merge keys are not supported; write the keys out",
		"name: x\n? [a]\n: b":    "c.yaml:3:1: not YAML: found an invalid key for this map",
		"name: x\r\nname: y\r\n": `c.yaml:2:1: key "name" stands here twice; remove one`,
		"name: x\n---\nname: y":  "c.yaml:3:5: more than one YAML document; a file holds one",
		"name: \xff":             "c.yaml:1:1: not UTF-8; save the file in this encoding",
		"on: true\nname: x\ry":   "c.yaml:2:8: a carriage return without a line feed; end lines with a line feed",
		"name: [x\n":             "c.yaml:1:7: not YAML: sequence end token ']' not found",
	} {
		var c config
		if err := strict.Decode("c.yaml", []byte(src), &c).Err(); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", src, err, want)
		}
	}
}

// A file that would keep the library busy for minutes, or go deeper than its stack, is refused first.
func TestBounds(t *testing.T) {
	const many = 200_000
	for name, src := range map[string]string{
		"brackets": strings.Repeat("[", many),
		"braces":   strings.Repeat("{a: ", many),
		"dashes":   strings.Repeat("- ", many),
		"keys":     strings.Repeat("? ", many),
		"one map":  strings.Repeat("a:\n", many),
		"blank":    strings.Repeat("a:\n\n", many),
		"returns":  strings.Repeat("a: b\r", many),
		"indented": "x:\n" + strings.Repeat("  - a:\n", many) + strings.Repeat("  k:\n", many),
		"stairs": func() string {
			var b strings.Builder
			for i := range 1000 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}(),
		"bytes": strings.Repeat("# comment\n", 2<<20),
	} {
		f := strict.Read("c.yaml", []byte(src))
		if f.Parsed() || f.Err() == nil || strings.Contains(f.Err().Error(), "not YAML") {
			t.Errorf("%s: %v", name, f.Err())
		}
	}
	// A long list of small mappings is a roster, and fine.
	f := strict.Read("c.yaml", []byte("keys:\n"+strings.Repeat("  - id: a\n    owner: b\n", 5000)))
	if err := f.Err(); err != nil {
		t.Error(err)
	}
	if n := len(f.Root().Entries()[0].Value.Items()); n != 5000 {
		t.Errorf("%d items", n)
	}
}

// Walking reports what is not as wanted, where it stands; what is not there says nothing.
func TestNodes(t *testing.T) {
	f := strict.Read("c.yaml", []byte("a: [x, 2, true]\nb: {c: .5}\nd:\ne: https://x:1\nf: &y z\ng: ' '\n"))
	var keys []string
	at := map[string]strict.Node{}
	for _, e := range f.Root().Entries("a", "b", "d", "e", "f", "g") {
		keys = append(keys, e.Key)
		at[e.Key] = e.Value
	}
	if diff := cmp.Diff([]string{"a", "b", "d", "e", "f", "g"}, keys); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x", "2", "true"}, at["a"].Texts()); diff != "" {
		t.Error(diff)
	}
	if c := at["b"].Entries()[0]; c.Value.Number() != 0.5 || !at["a"].Items()[2].Bool() || !at["a"].IsList() || !at["b"].IsMapping() {
		t.Error("values")
	}
	if at["a"].Items()[1].Int(1, 2) != 2 || !at["g"].IsBlank() || at["a"].IsBlank() {
		t.Error("whole number or blank")
	}
	_, _, _, _ = at["a"].Items()[1].Int(3, 9), at["d"].Int(0, 1), at["d"].Text(), at["e"].Int(0, 1)
	if !at["d"].IsNull() || at["d"].Entries() != nil || at["e"].Text() != "https://x:1" || at["d"].Line() != 3 {
		t.Error("null or text")
	}
	_, _, _ = at["f"].Text(), at["f"].Entries(), at["f"].Number()
	_, _, _, _ = at["a"].Text(), at["a"].Number(), at["a"].Bool(), at["a"].Entries()
	at["b"].Bad("do so", "is %s", "odd")
	p := at["b"].Problem("", "not added")
	var none strict.Node
	none.Bad("", "nothing")
	if none.Text() != "" || none.Number() != 0 || none.Bool() || none.Items() != nil || none.Entries() != nil || none.Line() != 1 {
		t.Error("a value that is not there")
	}
	want := `c.yaml:1:4: a: want a text, not a list
c.yaml:1:4: a: want a number, not a list
c.yaml:1:4: a: want true or false, not a list
c.yaml:1:4: a: want a mapping, not a list; write key: value
c.yaml:1:8: a: want a whole number from 3 to 9
c.yaml:2:4: is odd; do so
c.yaml:3:1: d: want a whole number from 0 to 1, not nothing
c.yaml:3:1: d: want a text, not nothing
c.yaml:4:4: e: want a whole number from 0 to 1, not text
c.yaml:5:4: anchors and aliases are not supported; write the value out`
	if diff := cmp.Diff(want, f.Err().Error()); diff != "" {
		t.Error(diff)
	}
	var one strict.Problem
	if !errors.As(f.Err(), &one) || p.Error() != "c.yaml:2:4: not added" {
		t.Error(p)
	}
}

func TestSuggest(t *testing.T) {
	for _, tc := range []struct {
		word  string
		known []string
		want  string
	}{
		{"nmae", []string{"name", "size"}, `did you mean "name"?`},
		{"NAME", []string{"name", "size"}, `did you mean "name"?`},
		{"status_code", []string{"source.ip", "http.response.status_code"}, `did you mean "http.response.status_code"?`},
		{"zzz", []string{"name", "size"}, "want one of name, size"},
		{"zzz", strings.Split(strings.Repeat("known ", 60), " "), ""},
		{"zzz", nil, ""},
	} {
		if got := strict.Suggest(tc.word, tc.known); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.word, got, tc.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: x\nlist: [{path: a}]")
	f.Add("a: &b c\nd: *b\n<<: {}")
	f.Add("? x\n: y\n- z")
	f.Add("a: |\n  b\r\n  c\n'd': !e f\n")
	f.Fuzz(func(t *testing.T, src string) {
		var c config
		file := strict.Decode("c.yaml", []byte(src), &c)
		walk(file.Root())
		walk(strict.ReadShared("c.yaml", []byte(src)).Root())
		file.Problem("list[0].path", "x", "")
		lines := 2 + strings.Count(src, "\n")
		var problems strict.Problems
		if !errors.As(file.Err(), &problems) {
			t.Fatal("no problems")
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 {
				t.Fatalf("%v points nowhere", p)
			}
		}
	})
}

// walk calls every accessor of every value.
func walk(n strict.Node) {
	_, _, _ = n.Text(), n.Number(), n.Bool()
	for _, e := range n.Entries() {
		walk(e.Value)
	}
	if n.IsList() {
		for _, item := range n.Items() {
			walk(item)
		}
	}
}

// Where there is no file, as for what stands on a command line, a problem names no place in one.
func TestProblemWithoutFile(t *testing.T) {
	var cfg struct {
		Dir string `yaml:"dir"`
	}
	for _, tc := range []struct {
		src  []byte
		want string
	}{
		{nil, "command line: x is not a directory"},
		{[]byte{}, "command line:1:1: x is not a directory"},
		{[]byte("dir: x"), "command line:1:6: x is not a directory"},
	} {
		f := strict.Decode("command line", tc.src, &cfg)
		f.Problem("dir", "x is not a directory", "")
		if got := f.Err().Error(); got != tc.want {
			t.Errorf("of %q: %s, not %s", tc.src, got, tc.want)
		}
	}
}
