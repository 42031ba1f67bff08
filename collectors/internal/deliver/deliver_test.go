package deliver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/internal/deliver"
	"github.com/liveward/liveward/internal/event"
)

const path = "-test"

// clock goes forward by a second each time it is asked, and once back.
type clock struct{ n int64 }

func (c *clock) now() time.Time {
	if c.n++; c.n == 3 {
		return time.Unix(0, 1)
	}
	return time.Unix(c.n, 0)
}

// sink keeps copies of what it takes, and refuses what refuse has an answer for.
type sink struct {
	batches []event.Batch
	refuse  []error
	tried   int
}

func (s *sink) Put(_ context.Context, b *event.Batch) error {
	s.tried++
	if len(s.refuse) > 0 {
		err := s.refuse[0]
		s.refuse = s.refuse[1:]
		if err != nil {
			return err
		}
	}
	taken := *b
	taken.Lines = append([]event.Line(nil), b.Lines...)
	taken.Positions = append([]event.Position(nil), b.Positions...)
	s.batches = append(s.batches, taken)
	return nil
}

func (s *sink) last(t *testing.T) event.Batch {
	t.Helper()
	if len(s.batches) == 0 {
		t.Fatal("nothing was put")
	}
	return s.batches[len(s.batches)-1]
}

func id(name string) event.Hash { return event.HashStrings(name) }

func lines(texts ...string) (out []event.Line, end int64) {
	for _, s := range texts {
		out = append(out, event.Line{Offset: end, Data: []byte(s)})
		end += int64(len(s)) + 1
	}
	return out, end
}

func own(start, end int64, idle bool) event.Position {
	return event.Position{Source: "s", Path: path, Ordinal: 1, Start: start, End: end, Idle: idle}
}

func delivery(ordinal uint64, name string, end int64, idle bool) event.Position {
	return event.Position{Source: "s", Path: path, Ordinal: ordinal, Fingerprint: id(name), End: end, Done: true, Idle: idle}
}

func positions(t *testing.T, s *sink, want ...event.Position) {
	t.Helper()
	if diff := cmp.Diff(want, s.last(t).Positions); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// Every delivery is a file of its own, read to its end, and the collector's own position counts them.
func TestDeliveries(t *testing.T) {
	s, now := &sink{}, &clock{}
	c := deliver.New("s", path, nil, now.now)
	add := func(name string, texts ...string) {
		l, end := lines(texts...)
		c.Add(id(name), l, end)
	}
	if err := c.Tick(t.Context(), s, true); err != nil {
		t.Fatal(err)
	}
	if !s.last(t).Tick {
		t.Error("a tick does not say that it is one")
	}
	positions(t, s, own(0, 0, true))
	c.Begin()
	add("a", "one", "two")
	add("b", "three")
	if n, err := c.Commit(t.Context(), s, false, 0); n != 3 || err != nil {
		t.Errorf("Commit returned %d, %v", n, err)
	}
	positions(t, s, own(0, 2, false), delivery(2, "a", 8, false), delivery(3, "b", 6, false))
	var files []int
	for _, l := range s.last(t).Lines {
		files = append(files, l.File)
	}
	if diff := cmp.Diff([]int{1, 1, 2}, files); diff != "" || s.last(t).Tick {
		t.Errorf("files of lines (-want +got):\n%s", diff)
	}
	c.Begin()
	add("a", "one", "two") // what comes again is not known here
	if _, err := c.Commit(t.Context(), s, true, 0); err != nil {
		t.Fatal(err)
	}
	positions(t, s, own(2, 3, true), delivery(4, "a", 8, true))
	if err := c.Tick(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	positions(t, s, own(3, 3, false))
	for i := 1; i < len(s.batches); i++ {
		if s.batches[i].Ingest < s.batches[i-1].Ingest {
			t.Errorf("ingest time goes back from %d to %d", s.batches[i-1].Ingest, s.batches[i].Ingest)
		}
	}
}

// A restart goes on counting, ends what a crash cut in half, and knows what was durable; a tick later
// none of it is needed any more. Positions of others are not its own.
func TestResume(t *testing.T) {
	half := event.Position{Source: "s", Path: path, Ordinal: 9, Fingerprint: id("half"), Start: 0, End: 5}
	other := delivery(40, "other", 1, false)
	other.Path = "-others"
	foreign := delivery(41, "foreign", 1, false)
	foreign.Source = "t"
	s := &sink{}
	c := deliver.New("s", path, []event.Position{own(0, 6, false), delivery(8, "whole", 3, false), half, other, foreign}, (&clock{}).now)
	if diff := cmp.Diff([]event.Hash{id("whole")}, c.Durable()); diff != "" {
		t.Errorf("durable (-want +got):\n%s", diff)
	}
	if err := c.Tick(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	half.Start, half.Done, half.Idle = 5, true, true
	positions(t, s, own(6, 8, false), half)
	if len(c.Durable()) > 0 {
		t.Error("a tick has passed, and what was before it is still remembered")
	}
	c.Begin()
	l, end := lines("x")
	c.Add(id("next"), l, end)
	if _, err := c.Commit(t.Context(), s, false, 0); err != nil {
		t.Fatal(err)
	}
	positions(t, s, own(8, 9, false), delivery(10, "next", 2, false))
}

// While the journal pushes back the same batch is put again; one that is given up may be durable in part,
// so its ordinals are nobody's any more. What the sink refuses for good is returned as it is.
func TestRefusals(t *testing.T) {
	broken := errors.New("the disk is gone")
	s := &sink{refuse: []error{collectors.ErrPushback, collectors.ErrPushback, nil, collectors.ErrPushback, collectors.ErrPushback}}
	c := deliver.New("s", path, nil, (&clock{}).now)
	pushed := 0
	c.Pushback = func() { pushed++ }
	commit := func(name string, patience time.Duration) error {
		c.Begin()
		l, end := lines(name)
		c.Add(id(name), l, end)
		n, err := c.Commit(t.Context(), s, false, patience)
		if (n == 1) != (err == nil) {
			t.Errorf("%s: %d lines, %v", name, n, err)
		}
		return err
	}
	if err := commit("a", time.Hour); err != nil || pushed != 2 || s.tried != 3 {
		t.Errorf("%v after %d times, %d pushed back", err, s.tried, pushed)
	}
	positions(t, s, own(0, 1, false), delivery(2, "a", 2, false))
	if err := commit("b", time.Nanosecond); !errors.Is(err, collectors.ErrPushback) {
		t.Errorf("without patience: %v", err)
	}
	s.refuse = []error{broken}
	if err := commit("c", 0); !errors.Is(err, broken) {
		t.Errorf("refused: %v", err)
	}
	s.refuse = []error{collectors.ErrFenced}
	if err := c.Tick(t.Context(), s, false); !errors.Is(err, collectors.ErrFenced) {
		t.Errorf("fenced: %v", err)
	}
	if err := commit("d", 0); err != nil {
		t.Fatal(err)
	}
	positions(t, s, own(1, 4, false), delivery(5, "d", 2, false))
}

// The sink of the collectors' tests, which holds every batch against those before, finds nothing wrong.
func TestContract(t *testing.T) {
	s := collectorstest.NewSink(t)
	c := deliver.New("s", path, nil, time.Now)
	for round := range 3 {
		if err := c.Tick(t.Context(), s, round == 2); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c.Begin()
			l, end := lines("x", "y")
			c.Add(id("x"), l, end)
			if _, err := c.Commit(t.Context(), s, false, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(s.Texts()); got != 12 {
		t.Errorf("%d lines, want 12", got)
	}
}
