package event

import (
	"testing"

	"pgregory.net/rapid"
)

// The fast reader gives what encoding/json gives, and reads by itself whatever AppendJSON writes without
// escapes and labels.
func TestDecodeFast(t *testing.T) {
	ids := Fields()
	plain := rapid.StringMatching(`[a-zA-Z0-9 ./:é-]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		var e Event
		hard := false
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, len(ids)-1), rapid.ID[int]).Draw(t, "fields") {
			id := ids[i]
			text := plain.Draw(t, "value")
			if rapid.IntRange(0, 60).Draw(t, "hard") == 0 {
				text = rapid.String().Draw(t, "any")
				hard = true
			}
			switch fields[id].Type {
			case Bool:
				e.SetBool(id, rapid.Bool().Draw(t, "bool"))
			case Long:
				e.SetInt(id, rapid.Int64().Draw(t, "int"))
			case Double:
				e.SetFloat(id, rapid.Float64().Draw(t, "float"))
			case Date:
				e.SetTime(id, rapid.Int64Range(0, 4e18).Draw(t, "time"))
			case Keywords:
				e.Append(id, text)
				e.Append(id, text+"2")
			default:
				e.SetString(id, text)
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "labelled") == 0 {
			hard = true
			e.SetLabel("a", "b")
		}
		doc := e.AppendJSON(nil)
		var fast, slow, whole Event
		r := reader{e: &fast, doc: doc}
		read := r.read()
		if !read && !hard {
			t.Fatalf("not read: %s", doc)
		}
		if err := slow.decodeAny(doc); err != nil {
			t.Fatal(err)
		}
		if err := whole.DecodeJSON(doc); err != nil {
			t.Fatal(err)
		}
		want := string(slow.AppendJSON(nil))
		if read && string(fast.AppendJSON(nil)) != want {
			t.Fatalf("fast %s\nslow %s", fast.AppendJSON(nil), want)
		}
		if got := string(whole.AppendJSON(nil)); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// Whatever stands in a document, both readers agree where the fast one takes it, and neither panics.
func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"@timestamp":"2026-03-02T02:04:42.573Z","client":{"ip":"10.0.0.1"},"event":{"category":["api","web"]},"http":{"response":{"status_code":200}},"liveness":{"score":0.5,"capture":{"rooted":true}}}`))
	f.Add([]byte(`{"client.ip":"10.0.0.1","labels":{"b":"1","a":"2"},"url":{"path":"\u0041"}}`))
	f.Add([]byte(`{"http":{"response":{"status_code":2e2}},"liveness":{"score":1e999}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var fast, slow Event
		r := reader{e: &fast, doc: doc}
		if !r.read() {
			var e Event
			_ = e.DecodeJSON(doc)
			return
		}
		if err := slow.decodeAny(doc); err != nil {
			t.Fatalf("%s: read, and yet %v", doc, err)
		}
		if got, want := string(fast.AppendJSON(nil)), string(slow.AppendJSON(nil)); got != want && !twice(doc) {
			t.Fatalf("fast %s\nslow %s", got, want)
		}
	})
}

// twice tells whether a name may stand twice in a document: then the readers may differ in which counts.
func twice(doc []byte) bool {
	seen := map[string]bool{}
	for i := 0; i < len(doc); i++ {
		if doc[i] != '"' {
			continue
		}
		j := i + 1
		for j < len(doc) && doc[j] != '"' {
			j++
		}
		if s := string(doc[i:min(j, len(doc))]); seen[s] {
			return true
		} else {
			seen[s] = true
		}
		i = j
	}
	return false
}

func BenchmarkDecodeJSON(b *testing.B) {
	var e Event
	for _, id := range Fields() {
		switch fields[id].Type {
		case Keyword, Text:
			e.SetString(id, "some-value-of-it")
		case Long:
			e.SetInt(id, 200)
		}
	}
	doc := e.AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		e.Reset()
		if err := e.DecodeJSON(doc); err != nil {
			b.Fatal(err)
		}
	}
}
