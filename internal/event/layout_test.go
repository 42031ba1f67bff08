package event

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// Learned layouts must write what nesting names one by one writes, whatever sets of fields follow one
// another.
func TestLayouts(t *testing.T) {
	ids := Fields()
	var e Event // its layouts are shared by all draws: sets take each other's places
	rapid.Check(t, func(t *rapid.T) {
		e.Reset()
		want := map[string]any{}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, len(ids)-1), rapid.ID[int]).Draw(t, "fields") {
			id := ids[i]
			f := FieldOf(id)
			switch f.Type {
			case Bool:
				e.SetBool(id, true)
				nest(want, id, true, f.Class)
			case Long:
				e.SetInt(id, int64(i))
				nest(want, id, float64(i), f.Class)
			case Double:
				e.SetFloat(id, float64(i))
				nest(want, id, float64(i), f.Class)
			case Date:
				e.SetTime(id, 0)
				nest(want, id, "1970-01-01T00:00:00.000Z", f.Class)
			case Keywords:
				s := rapid.String().Draw(t, "value") + "x"
				e.Append(id, s)
				nest(want, id, []any{valid(s)}, f.Class)
			default:
				s := rapid.String().Draw(t, "value") + "x"
				e.SetString(id, s)
				nest(want, id, valid(s), f.Class)
			}
		}
		var got map[string]any
		doc := e.AppendJSON(nil)
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("got  %s\nwant %s", a, b)
		}
	})
}

// nest puts a value at its path, as a document has it.
func nest(doc map[string]any, id ID, v any, c Class) {
	if c == Transient {
		return
	}
	path := plans[id].path
	for _, name := range path[:len(path)-1] {
		inner, ok := doc[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			doc[name] = inner
		}
		doc = inner
	}
	doc[path[len(path)-1]] = v
}

// valid is s as encoding/json reads it back.
func valid(s string) string {
	b, _ := json.Marshal(s)
	var out string
	_ = json.Unmarshal(b, &out)
	return out
}

func TestPlainText(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a'
		}
		if !plainText(string(b)) {
			t.Errorf("%d letters are not plain", n)
		}
		for i := range b {
			for _, c := range []byte{0, 0x1f, '"', '\\', 0x7f, 0x80, 0xff} {
				b[i] = c
				if plainText(string(b)) {
					t.Errorf("%d letters with %#x at %d are plain", n, c, i)
				}
			}
			b[i] = 'a'
		}
	}
}
