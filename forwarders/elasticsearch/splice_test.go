package elasticsearch

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders/forwarderstest"
)

const stamp = "2026-01-01T12:00:00.123Z"

func TestAppendIngested(t *testing.T) {
	const in = `"ingested":"` + stamp + `"`
	for _, c := range []struct{ doc, want string }{
		{`{"event":{"id":"x"}}`, `{"event":{` + in + `,"id":"x"}}`},
		{`{"event":{}}`, `{"event":{` + in + `}}`},
		{`{"event":{ } }`, `{"event":{` + in + ` } }`},
		{`{ "event" : {"id":1},"z":2}`, `{ "event" : {` + in + `,"id":1},"z":2}`},
		{`{"a":{"event":{"b":1}},"event":{"c":1}}`, `{"a":{"event":{"b":1}},"event":{` + in + `,"c":1}}`},
		{`{"a":[{"event":{}}],"event":{"c":1}}`, `{"a":[{"event":{}}],"event":{` + in + `,"c":1}}`},
		{`{"a":"\"event\":{","event":{"c":1}}`, `{"a":"\"event\":{","event":{` + in + `,"c":1}}`},
		{`{"a":"\\","event":{"c":1}}`, `{"a":"\\","event":{` + in + `,"c":1}}`},
		{`{"a":"event","event":{"c":1}}`, `{"a":"event","event":{` + in + `,"c":1}}`},
		{`{}`, `{"event":{` + in + `}}`},
		{`{ }`, `{"event":{` + in + `} }`},
		{`{"a":1}`, `{"event":{` + in + `},"a":1}`},
		{`{"event":1}`, ""},
		{`{"event":null}`, ""},
		{`{"event":[{}]}`, ""},
		{`{"a":"`, ""},
		{`{"a":1}{"delete":{}}`, ""},
		{"{\"a\":1,\n\"b\":2}", ""},
		{`[{}]`, ""},
		{``, ""},
		{`{`, ""},
		{`{"event":{"a":1}`, `{"event":{` + in + `,"a":1}`}, // the server will say what is wrong
	} {
		got, ok := appendIngested([]byte("before"), []byte(c.doc), stamp)
		if want := "before" + c.want; string(got) != want || ok != (c.want != "") {
			t.Errorf("%s\n got %s (%t)\nwant %s", c.doc, got, ok, want)
		}
	}
}

// FuzzAppendIngested: a valid document stays the same but for event.ingested, and whatever comes in,
// what goes out is one line, so that nothing in a document can become an action of its own.
func FuzzAppendIngested(f *testing.F) {
	for _, d := range forwarderstest.Docs(0, 9) {
		f.Add(d.JSON)
	}
	f.Add([]byte(`{"a":[{"event":{}}],"event":{}}`))
	f.Add([]byte(`{"event":1}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, ok := appendIngested(nil, doc, stamp)
		if !ok {
			if len(out) != 0 {
				t.Fatal("something of a refused document was left")
			}
			return
		}
		if bytes.IndexByte(out, '\n') >= 0 {
			t.Fatal("more than one line")
		}
		var before map[string]any
		if json.Unmarshal(doc, &before) != nil {
			return
		}
		if !unique(doc) {
			return // of two keys of one name, decoders take either
		}
		var after map[string]any
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("no longer valid: %v", err)
		}
		object, _ := after["event"].(map[string]any)
		had, _ := before["event"].(map[string]any)
		if _, there := had["ingested"]; there {
			return
		}
		if object["ingested"] != stamp {
			t.Fatalf("not stamped: %s", out)
		}
		delete(object, "ingested")
		if _, there := before["event"]; !there && len(object) == 0 {
			delete(after, "event")
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("changed:\n%s", diff)
		}
	})
}

// unique tells whether the top level has its event key once, written plainly.
func unique(doc []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil {
		return false
	}
	n := 0
	for dec.More() {
		start := dec.InputOffset()
		key, err := dec.Token()
		if err != nil {
			return false
		}
		if key == "event" {
			if n++; !bytes.Contains(doc[start:dec.InputOffset()], []byte(`"event"`)) {
				return false
			}
		}
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return false
		}
	}
	return n <= 1
}

// FuzzResponse: whatever a server answers, no document is taken for stored without a status that says
// so, and no reason holds more than words of ours.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(itemsJSON(201, 409, 400)), 3)
	f.Add([]byte(itemsJSON(201, 201)), 2)
	f.Add([]byte(`{"items":[{"create":{"status":"x"}}]}`), 1)
	f.Add([]byte(`{"errors":false,"items":[{"create":{"status":201}}`), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > 100 {
			return
		}
		seen := 0
		got, err := parseItems(b, func(i int, it *item) {
			if i != seen {
				t.Fatal("items out of order")
			}
			seen++
			v, cause := classify(it)
			if (v == stored) != (it.Status >= 200 && it.Status < 300) {
				t.Fatalf("status %d is taken as %d", it.Status, v)
			}
			if (v == retry) != (cause != nil) {
				t.Fatal("a retry without a cause")
			}
			if r := reason(it.Error); len(r) > 200 {
				t.Fatalf("long reason: %s", r)
			}
		})
		if err == nil && got != seen {
			t.Fatal("wrong count")
		}
		_ = requestError(400+n, nil, b).Error()
	})
}

func BenchmarkBulkEncode(b *testing.B) {
	docs := forwarderstest.Docs(0, 1000)
	size := 0
	for _, d := range docs {
		size += len(d.JSON)
	}
	streams := newStreams(Config{Namespace: "default"})
	for _, c := range []struct {
		name  string
		level int
	}{{"plain", NoCompression}, {"gzip1", 1}} {
		b.Run(c.name, func(b *testing.B) {
			var body bulk
			zip, err := newCompressor(c.level)
			must(b, err)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				body.reset()
				for i := range docs {
					stream, _ := streams.of(&docs[i])
					body.add(i, &docs[i], stream, stamp)
				}
				if _, err := zip.compress(body.raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(docs)), "ns/doc")
		})
	}
}

// TestEncodeDoesNotAllocate: with its buffers grown, encoding costs no allocation.
func TestEncodeDoesNotAllocate(t *testing.T) {
	docs := forwarderstest.Docs(0, 100)
	streams := newStreams(Config{Namespace: "default", NamespaceByTenant: true, MaxTenants: 9})
	var body bulk
	n := testing.AllocsPerRun(200, func() {
		body.reset()
		for i := range docs {
			docs[i].Tenant = "banka"
			stream, _ := streams.of(&docs[i])
			body.add(i, &docs[i], stream, stamp)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}
