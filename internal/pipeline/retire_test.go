package pipeline_test

import (
	"log/slog"
	"testing"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// An input that left the configuration is told to be at its end, once; one that is kept is let be.
func TestRetire(t *testing.T) {
	ctx := t.Context()
	j, err := journal.Open(ctx, journal.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	codec, err := journal.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	for _, name := range []string{"gone", "kept"} {
		positions := []event.Position{{Source: name, Path: "a", Ordinal: 1, End: 10, MaxTime: 5}}
		body, err := codec.Append(nil, &journal.Batch{BatchHead: journal.BatchHead{Agent: "a1", Collector: name, Tick: true, Positions: positions}})
		if err != nil {
			t.Fatal(err)
		}
		subject := journal.BatchSubject("a1", name)
		w, err := j.Writer(ctx, journal.Events, subject)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := w.Append(ctx, journal.Cause{}, body)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.SavePositions(ctx, subject, ref, positions); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing to tell
		if err := pipeline.Retire(ctx, j, "a1", []string{"kept"}, 99); err != nil {
			t.Fatal(err)
		}
	}
	_, last, err := j.Bounds(ctx, journal.Events)
	if err != nil || last != 3 {
		t.Errorf("%d messages, %v; want the two and one that retires", last, err)
	}
	for name, done := range map[string]bool{"gone": true, "kept": false} {
		positions, err := j.Positions(ctx, journal.BatchSubject("a1", name))
		if err != nil || len(positions) != 1 {
			t.Fatalf("%s: %v, %v", name, positions, err)
		}
		p := positions[0]
		if p.Done != done || p.Idle != done || p.End != 10 || p.MaxTime != 5 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
