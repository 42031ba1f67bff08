package pipeline_test

import (
	"testing"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// Evidence is found again, however many messages stand between its events and the one at which its alert fired.
func TestOriginsOfSmallMessages(t *testing.T) {
	b := newBench(t, ruleset(t, three()...))
	b.open("gw")
	l := traffic(1, "/gw", 200, 0, 100)
	r := b.reader("gw", l)
	r.limit = 1 // a line a message
	r.all()
	b.finish(r)
	r.close()
	var ids []event.Hash
	for text := range b.documents() {
		id, err := event.ParseHash(text)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	_, last, err := b.j.Bounds(t.Context(), journal.Events)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 200 || last < 200 {
		t.Fatalf("%d documents in %d messages", len(ids), last)
	}
	o, err := pipeline.NewOrigins(b.j, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	o.Learn([]*event.Alert{{Evidence: ids}}, last)
	docs := o.Samples(t.Context(), ids)
	if len(docs) != len(ids) {
		t.Fatalf("%d of %d events were found", len(docs), len(ids))
	}
	for i, d := range docs {
		if d.ID != ids[i] {
			t.Fatalf("event %d is %s, want %s", i, d.ID, ids[i])
		}
	}
	if got := o.Samples(t.Context(), []event.Hash{event.HashStrings("unknown")}); got != nil {
		t.Errorf("what no alert named was found: %v", got)
	}
}
