package strict_test

import (
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

func FuzzDecode(f *testing.F) {
	f.Add("name: x\nlist: [{path: a}]")
	f.Add("a: &b c\nd: *b\n<<: {}")
	f.Add("? x\n: y\n- z")
	f.Fuzz(func(_ *testing.T, src string) {
		var c config
		file := strict.Decode("c.yaml", []byte(src), &c)
		file.Problem("list[0].path", "x", "")
		_ = file.Err().Error()
	})
}
