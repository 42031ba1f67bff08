package journal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

func sampleBatch(signals int) *journal.Batch {
	b := &journal.Batch{BatchHead: journal.BatchHead{
		Agent: "gw-1", Collector: "nginx", Ruleset: event.HashStrings("set"), Ingest: 1_700_000_000_000_000_000, Tick: true,
		Positions: []event.Position{
			{Source: "nginx", Path: "/var/log/a.log", Ordinal: 1, Fingerprint: event.HashStrings("l"), Start: 10, End: 400, MaxTime: 5},
			{Source: "nginx", Path: "/var/log/b.log", Ordinal: 2, Idle: true},
		},
		Documents: 2,
	}}
	for i := range signals {
		b.Signals = append(b.Signals, event.Signal{
			State: event.HashStrings("rule", fmt.Sprint(i%3)), Event: event.HashStrings("e", fmt.Sprint(i)),
			Time: int64(1_700_000_000_000_000_000 - i*1000), File: i % 2, Offset: int64(i) * 450, Index: int32(i % 4),
			Late: i%2 == 1, Skewed: i%3 == 1, Drill: i%5 == 1, Step: uint8(i),
			Key:  []event.Value{{Field: event.ClientIP, Str: "203.0.113.7"}, {Field: event.ClientASNumber, Num: 7713}},
			Of:   []event.Value{{Field: event.UserID, Str: fmt.Sprint("u", i)}},
			Show: []event.Value{{Field: event.GatewayConsumer, Str: "mobile"}},
		})
	}
	for i := 0; i < len(b.Signals); i += 4 {
		b.Signals[i].Former = []event.Value{{Field: event.UserID, Str: fmt.Sprint("v", i)}, {Field: event.UserID, Str: "w"}}
	}
	b.Docs = journal.AppendDoc(b.Docs, event.HashStrings("1"), "liveward.event", "bank-a", []byte(`{"a":"b c\" {"}`))
	b.Docs = journal.AppendDoc(b.Docs, event.HashStrings("2"), "liveward.event", `quo"te {`, []byte(`{}`))
	return b
}

func TestBatchRoundTrip(t *testing.T) {
	c, err := journal.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := sampleBatch(20)
	body, err := c.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var got journal.Batch
	if err := c.DecodeSignals(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Docs, err = c.DecodeDocs(body, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Error(diff)
	}
	docs, err := journal.Documents(got.Docs)
	if err != nil {
		t.Fatal(err)
	}
	wantDocs := []event.Document{
		{ID: event.HashStrings("1"), Dataset: "liveward.event", Tenant: "bank-a", JSON: []byte(`{"a":"b c\" {"}`)},
		{ID: event.HashStrings("2"), Dataset: "liveward.event", Tenant: `quo"te {`, JSON: []byte(`{}`)},
	}
	if diff := cmp.Diff(wantDocs, docs); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	c, err := journal.NewCodec()
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []int{0, 1, 7} {
		body, err := c.Append(nil, sampleBatch(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		f.Add(body[:len(body)/2])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b journal.Batch
		if err := c.DecodeSignals(body, &b); err == nil {
			for _, s := range b.Signals {
				if s.File >= len(b.Positions) {
					t.Fatalf("signal of file %d, %d positions", s.File, len(b.Positions))
				}
			}
			again, err := c.Append(nil, &journal.Batch{BatchHead: b.BatchHead, Signals: b.Signals})
			if err != nil {
				t.Fatal(err)
			}
			var b2 journal.Batch
			if err := c.DecodeSignals(again, &b2); err != nil {
				t.Fatalf("decode of our own encoding: %v", err)
			}
			if diff := cmp.Diff(b.Signals, b2.Signals); diff != "" {
				t.Fatal(diff)
			}
		}
		if docs, err := c.DecodeDocs(body, nil); err == nil {
			_, _ = journal.Documents(docs)
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add("bank", `{"a":1}`)
	f.Add(`x" {`, `{}`)
	f.Fuzz(func(t *testing.T, tenant, doc string) {
		if strings.ContainsRune(doc, '\n') || !strings.HasPrefix(doc, "{") || !bytes.Equal([]byte(tenant), bytes.ToValidUTF8([]byte(tenant), nil)) {
			return
		}
		line := journal.AppendDoc(nil, event.HashStrings("x"), "liveward.event", tenant, []byte(doc))
		docs, err := journal.Documents(line)
		if err != nil || len(docs) != 1 {
			t.Fatalf("%d documents, %v", len(docs), err)
		}
		if docs[0].Tenant != tenant || string(docs[0].JSON) != doc {
			t.Fatalf("got %q %q", docs[0].Tenant, docs[0].JSON)
		}
	})
}

func TestPositionsComeFromTickAndLaterMessages(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	c, err := journal.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	subject := journal.BatchSubject("a", "c")
	w := writer(t, j, subject)
	put := func(tick bool, positions ...event.Position) journal.Ref {
		t.Helper()
		body, err := c.Append(nil, &journal.Batch{BatchHead: journal.BatchHead{Tick: tick, Positions: positions}})
		if err != nil {
			t.Fatal(err)
		}
		return mustAppend(t, w, string(body))
	}
	pos := func(path string, ordinal uint64, end int64) event.Position {
		return event.Position{Source: "s", Path: path, Ordinal: ordinal, Start: 0, End: end}
	}
	check := func(what string, want ...event.Position) {
		t.Helper()
		got, err := j.Positions(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("never written", []event.Position{}...)
	put(false, pos("a", 1, 10))
	put(false, pos("b", 1, 5))
	check("no tick yet", pos("a", 1, 10), pos("b", 1, 5))
	tick := []event.Position{pos("a", 1, 12), pos("b", 1, 5)}
	ref := put(true, tick...)
	if err := j.SavePositions(t.Context(), subject, ref, tick); err != nil {
		t.Fatal(err)
	}
	put(false, pos("a", 2, 7))
	want := []event.Position{pos("a", 1, 12), pos("a", 2, 7), pos("b", 1, 5)}
	check("tick and a later batch", want...)
	put(true, pos("a", 2, 9))
	check("a tick that was not copied names all files", pos("a", 2, 9))
	if err := j.SavePositions(t.Context(), subject, journal.Ref{Seq: 99, Hash: ref.Hash}, []event.Position{pos("z", 1, 1)}); err != nil {
		t.Fatal(err)
	}
	check("a copy ahead of the journal is not believed", pos("a", 2, 9))
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			j := open(b, b.TempDir())
			w := writer(b, j, journal.BatchSubject("a", "c"))
			body := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Append(b.Context(), journal.Cause{}, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
