package formats

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// testPaths are the paths that the scanner's tests ask for.
var testPaths = []string{
	"a", "b", "a.b", "a.c", "a.b.c", `"k.e.y"`, `"é"`, `"\ufffd"`, "list[0]", "list[1].x", "list[-1]", "list[-1].x", "list[2][-1]",
	"request.headers.host", "request.uri", "n", "t", "llllllllmlllllll", "llllllllllllllllllmlllllllllllll",
}

func testTree(t testing.TB, fold ...string) (*node, map[string]int, int) {
	t.Helper()
	tr := newTree()
	for _, f := range fold {
		steps, err := parsePath(f)
		if err != nil {
			t.Fatal(err)
		}
		tr.at(steps).fold = true
	}
	nodes := map[string]*treeNode{}
	for _, p := range testPaths {
		steps, err := parsePath(strings.ReplaceAll(p, `\ufffd`, "\ufffd"))
		if err != nil {
			t.Fatal(err)
		}
		n := tr.at(steps)
		n.wanted = true
		nodes[p] = n
	}
	root, slots := tr.compile()
	ids := map[string]int{}
	for p, n := range nodes {
		ids[p] = n.id
	}
	return root, ids, slots
}

// look finds a path in what encoding/json made of a document.
func look(v any, steps []step) (any, bool) {
	for _, s := range steps {
		if s.array {
			list, ok := v.([]any)
			i := s.index
			if i == lastItem {
				i = len(list) - 1
			}
			if !ok || i < 0 || i >= len(list) {
				return nil, false
			}
			v = list[i]
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[s.key]; !ok {
			return nil, false
		}
	}
	return v, true
}

// sourceDepth is the nesting of the text; decoding loses that of keys that stand twice.
func sourceDepth(b []byte) int {
	dec := json.NewDecoder(bytes.NewReader(b))
	d, most := 0, 0
	for {
		tok, err := dec.Token()
		if err != nil {
			return most
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			d++
			most = max(most, d)
		case json.Delim('}'), json.Delim(']'):
			d--
		}
	}
}

// compareWithStdlib holds the scanner against encoding/json on one input.
func compareWithStdlib(t *testing.T, in []byte) {
	t.Helper()
	root, ids, slots := testTree(t)
	compareScanner(t, newScanner(slots), root, ids, in)
}

// compareScanner is compareWithStdlib for a scanner that may have learned before.
func compareScanner(t *testing.T, s scanner, root *node, ids map[string]int, in []byte) {
	t.Helper()
	got := s.scan(in, root)

	dec := json.NewDecoder(bytes.NewReader(in))
	dec.UseNumber()
	var doc any
	err := dec.Decode(&doc)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errTrailing
		}
	}
	object, isObject := doc.(map[string]any)
	accept := err == nil && isObject && sourceDepth(in) <= maxDepth
	if accept != (got == nil) {
		t.Fatalf("input %q: scanner says %v, encoding/json %v (object %v)", in, got, err, isObject)
	}
	if !accept {
		return
	}
	f := mapFormat{scan: s}
	for path, id := range ids {
		steps, err := parsePath(strings.ReplaceAll(path, `\ufffd`, "\ufffd"))
		if err != nil {
			t.Fatal(err)
		}
		want, ok := look(object, steps)
		slot := s.get(id)
		if full := saysSomething(want, ok, slot, in); full != isFull(s.marks, id) {
			t.Fatalf("input %q, path %s: full is %v, want %v", in, path, !full, full)
		}
		if ok != (slot.kind != kindNone) {
			t.Fatalf("input %q, path %s: scanner has kind %d, encoding/json %v", in, path, slot.kind, want)
		}
		if !ok {
			continue
		}
		var kind kind
		text := string(in[slot.start:slot.end])
		switch v := want.(type) {
		case string:
			kind = kindString
			if got := string(unescape(nil, in[slot.start:slot.end])); got != v {
				t.Fatalf("input %q, path %s: scanner %q, encoding/json %q", in, path, got, v)
			}
			ev := newEvent()
			if got := f.value(slot, ev); got != v {
				t.Fatalf("input %q, path %s: value %q, encoding/json %q", in, path, got, v)
			}
		case json.Number:
			kind = kindNumber
			if text != v.String() {
				t.Fatalf("input %q, path %s: scanner %q, encoding/json %q", in, path, text, v)
			}
		case bool:
			kind = kindFalse
			if v {
				kind = kindTrue
			}
		case nil:
			kind = kindNull
		case map[string]any:
			kind = kindObject
		case []any:
			kind = kindArray
			f.join(nil, slot)
		}
		if slot.kind != kind {
			t.Fatalf("input %q, path %s: scanner has kind %d, want %d", in, path, slot.kind, kind)
		}
	}
}

// saysSomething tells which values are marked as full; texts are judged as they stand in the line.
func saysSomething(v any, ok bool, s slot, in []byte) bool {
	switch v.(type) {
	case nil, map[string]any:
		return false
	case string:
		return !absent(string(in[s.start:s.end]))
	}
	return ok
}

var jsonSeeds = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":{"b":"x"},"a":{"c":2}}`, `{"a":{"b":1},"a":5}`, `{"a":5,"a":null}`, `{"\u0061":"esc"}`,
	`{"a":"\u00e9\ud83d\ude00\ud800\udc00\ud800x\udc00"}`, `{"a":"\ud83d\u0041"}`, `{"a":"\q"}`, `{"a":"\u12g4"}`, `{"a":"` + "\x01" + `"}`,
	"{\"a\":\"\xff\xfe ok\"}", "{\"\xff\":1}", "{\"\xc3\xa9\":1}", `{"list":[1,{"x":2},[3,4,{"x":5}]],"b":[]}`, `{"list":[{"x":1},{"x":2}]}`,
	`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":-0.0e+10}`, `{"a":.5}`, `{"a":+1}`, `{"a":tru}`, `{"a":nul`, `{"a"}`, `{"a":}`, `{a:1}`,
	`{"a":1,}`, `{,}`, `[1]`, `"a"`, `1`, ``, `{"a":1}}`, `{"a":1} x`, `{"a":[1,]}`, `{"a":[`, `{"k.e.y":"z","t":true,"n":null}`,
	`{"a":"plain ascii that is longer than eight bytes","b":"0123456"}`, "{\"a\":\"\x7f\u2028\"}", `{"a":"\/\b\f\n\r\t\"\\"}`,
	`{"list":[["x"],["y","z"],["p","q"]]}`, "\ufeff{}", "{\"a\":1\u00a0}",
	strings.Repeat(`{"a":`, 63) + `{}` + strings.Repeat(`}`, 63), strings.Repeat(`{"a":`, 64) + `{}` + strings.Repeat(`}`, 64),
	`{"a":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63) + `}`, `{"a":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64) + `}`,
	`{"x":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64) + `,"x":1}`,
}

func TestScannerAgainstStdlib(t *testing.T) {
	for _, in := range jsonSeeds {
		compareWithStdlib(t, []byte(in))
		for i := range len(in) { // and every way to cut it short
			compareWithStdlib(t, []byte(in[:i]))
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, in := range jsonSeeds {
		f.Add([]byte(in))
	}
	f.Fuzz(compareWithStdlib)
}

func TestHeaderNamesFold(t *testing.T) {
	root, ids, slots := testTree(t, "request.headers")
	s := newScanner(slots)
	line := []byte(`{"request":{"Headers":{"host":"no"},"headers":{"HOST":"one","Host":"two","hos":"x"}},"A":1}`)
	if err := s.scan(line, root); err != nil {
		t.Fatal(err)
	}
	v := s.get(ids["request.headers.host"])
	if got := string(line[v.start:v.end]); got != "two" {
		t.Errorf("request.headers.host = %q, want the last, two", got)
	}
	if s.get(ids["a"]).kind != kindNone {
		t.Error("A was taken for a where case counts")
	}
}

func TestFindings(t *testing.T) {
	long := strings.Repeat("QUJD", 600)
	f := func(value string, want findings) {
		t.Helper()
		root, _, slots := testTree(t)
		s := newScanner(slots)
		if err := s.scan([]byte(`{"z":`+value+`,"y":{"z":["w",`+value+`]}}`), root); err != nil {
			t.Fatal(err)
		}
		want.image, want.base64, want.template = 2*want.image, 2*want.base64, 2*want.template
		if s.found != want {
			t.Errorf("value %.40s: found %+v, want %+v", value, s.found, want)
		}
	}
	f(`"`+long+`"`, findings{base64: 1})
	f(`"/9j/4AAQSkZJRg`+long+`"`, findings{image: 1})
	f(`"\/9j\/4AAQSkZJRg`+long[:400]+`"`, findings{image: 1})
	f(`"iVBORw0KGgo`+long[:300]+`"`, findings{image: 1})
	f(`"data:image/png;base64,`+long[:300]+`"`, findings{image: 1})
	f(`"{\"frames\":[\"data:image\/jpeg;base64,`+long+`\"]}"`, findings{image: 1})
	f(`"{\"face\":\"`+long+`\"}"`, findings{base64: 1})
	f(`"/9j/ is how a JPEG begins; `+strings.Repeat("a word ", 60)+`"`, findings{})
	f(`"`+strings.Repeat("some text, in which nothing is hidden. ", 100)+`"`, findings{})
	f(`"`+long[:900]+`"`, findings{})
	f(`[`+strings.Repeat("0.125,", 127)+`-0.5]`, findings{template: 1})
	f(`[`+strings.Repeat("1,", 20)+`1]`, findings{})
}

func TestSecretsInUnmappedKeys(t *testing.T) {
	f := func(member string, want int) {
		t.Helper()
		root, _, slots := testTree(t)
		s := newScanner(slots)
		for _, line := range []string{`{"x":{` + member + `}}`, `{` + member + `}`} {
			if err := s.scan([]byte(line), root); err != nil {
				t.Fatal(err)
			}
			if s.found.secret != want {
				t.Errorf("%s: %d secrets, want %d", line, s.found.secret, want)
			}
		}
	}
	f(`"password":"hunter2"`, 1)
	f(`"Authorization":"Bearer x"`, 1)
	f(`"token":["x"]`, 1)
	f(`"secret":42`, 1)
	f(`"cookie":"a=b","api_key":"k"`, 2)
	f(`"authorization":"REDACTED"`, 0)
	f(`"token":"***"`, 0)
	f(`"token":""`, 0)
	f(`"token":null`, 0)
	f(`"tokens":"x"`, 0)
	f(`"method":"x"`, 0)
	f(`"list":[1,{"token":5,"cookie":"c"}]`, 2)
}
