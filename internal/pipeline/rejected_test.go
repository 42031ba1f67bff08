package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// store is a forwarder that refuses some documents.
type store struct {
	refuse map[event.Hash]string
	down   bool
	got    []event.Hash
}

func (s *store) Forward(_ context.Context, docs []event.Document) error {
	if s.down {
		return errors.New("the store is down")
	}
	var p forwarders.PartialError
	for i, d := range docs {
		if why := s.refuse[d.ID]; why != "" {
			p.Reject = append(p.Reject, forwarders.Rejected{Index: i, Status: 400, Reason: why})
			continue
		}
		s.got = append(s.got, d.ID)
	}
	if p.Reject != nil {
		return &p
	}
	return nil
}

// TestForwardAgain: what a store refused is sent again until it takes it, and no longer.
func TestForwardAgain(t *testing.T) {
	ctx := t.Context()
	j, err := journal.Open(ctx, journal.Config{Dir: t.TempDir(), NoSync: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	w, err := j.Writer(ctx, journal.DeadLetters, journal.DeadLetterSubject+"elasticsearch")
	if err != nil {
		t.Fatal(err)
	}
	ids := []event.Hash{event.HashStrings("a"), event.HashStrings("b"), event.HashStrings("c"), event.HashStrings("a")} // a twice
	for _, id := range ids {
		body, err := json.Marshal(pipeline.DeadLetter{Forwarder: "elasticsearch", ID: id, Dataset: "liveward.event", Status: 400, Reason: "mapping", Document: json.RawMessage(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Append(ctx, journal.Cause{}, body); err != nil {
			t.Fatal(err)
		}
	}
	s := &store{refuse: map[event.Hash]string{ids[1]: "mapping"}, down: true}
	f := func(wantSent []event.Hash, wantLeft int, want pipeline.Resent, fails bool) {
		t.Helper()
		s.got = nil
		out, err := pipeline.ForwardAgain(ctx, j, func(string) (forwarders.Forwarder, error) { return s, nil }, func(*pipeline.DeadLetter) bool { return true })
		if (err != nil) != fails {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantSent, s.got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, out["elasticsearch"]); diff != "" {
			t.Error(diff)
		}
		left := 0
		if err := pipeline.Rejected(ctx, j, func(*pipeline.DeadLetter) error { left++; return nil }); err != nil || left != wantLeft {
			t.Errorf("%d left, want %d; %v", left, wantLeft, err)
		}
	}
	f(nil, 3, pipeline.Resent{Refused: map[string]int{}}, true)
	s.down = false
	f([]event.Hash{ids[0], ids[2]}, 1, pipeline.Resent{Stored: 2, Refused: map[string]int{"mapping": 1}}, false)
	f(nil, 1, pipeline.Resent{Refused: map[string]int{"mapping": 1}}, false)
	s.refuse = nil
	f([]event.Hash{ids[1]}, 0, pipeline.Resent{Stored: 1, Refused: map[string]int{}}, false)
	f(nil, 0, pipeline.Resent{}, false)
}
