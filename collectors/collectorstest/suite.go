package collectorstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
)

// Input is one input of the collector under test.
type Input struct {
	// New makes a collector over the input. It is called again for a restart, with the positions
	// that were recorded.
	New func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector
	// Write adds lines to the input.
	Write func(t *testing.T, lines ...string)
	// End ends an input that ends; nil for one that does not.
	End func(t *testing.T)
	// Resumes tells that a new collector goes on where the positions say.
	Resumes bool
	// Reorders tells that what comes again may come in another order.
	Reorders bool
}

// Run holds a collector against the contract of package collectors. open makes a new, empty input.
func Run(t *testing.T, open func(t *testing.T) Input) {
	t.Run("delivers every line once, in order", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		r := start(t, in, sink, nil)
		want := write(t, in, 0, 500)
		sink.WaitLines(250)
		want = append(want, write(t, in, 500, 500)...)
		sink.WaitLines(1000)
		equal(t, want, sink.Texts())
		r.stop(t)
	})
	t.Run("ends with its input", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		if in.End == nil {
			t.Log("this input does not end")
			return
		}
		r := start(t, in, sink, nil)
		want := write(t, in, 0, 10)
		in.End(t)
		if err := r.wait(t); err != nil {
			t.Fatalf("Collect returned %v at the end of its input, want nil", err)
		}
		equal(t, want, sink.Texts())
		for _, p := range sink.Positions() {
			if !p.Idle || !p.Done {
				t.Errorf("the last position is %+v, want idle and done", p)
			}
		}
	})
	t.Run("stops when it is told, and says so", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		r := start(t, in, sink, nil)
		write(t, in, 0, 10)
		sink.WaitLines(10)
		r.cancel()
		if err := r.wait(t); !errors.Is(err, context.Canceled) {
			t.Fatalf("Collect returned %v, want context.Canceled", err)
		}
	})
	t.Run("stops while the journal pushes back", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		pushed := make(chan struct{})
		var once sync.Once
		sink.Before = func(int, *event.Batch) error {
			once.Do(func() { close(pushed) })
			return collectors.ErrPushback
		}
		r := start(t, in, sink, nil)
		write(t, in, 0, 10)
		<-pushed
		r.cancel()
		if err := r.wait(t); !errors.Is(err, context.Canceled) {
			t.Fatalf("Collect returned %v, want context.Canceled", err)
		}
		if n := len(sink.Lines()); n != 0 {
			t.Fatalf("%d lines were recorded though every batch was pushed back", n)
		}
	})
	t.Run("puts the same batch again after pushback", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		refusals := 0 // Put is never called twice at a time; the sink checks that
		sink.Before = func(n int, b *event.Batch) error {
			if refusals < 4 && n%3 != 0 {
				refusals++
				return fmt.Errorf("part 2 of 3: %w", collectors.ErrPushback)
			}
			return nil
		}
		r := start(t, in, sink, nil)
		want := write(t, in, 0, 300)
		sink.WaitLines(300)
		equal(t, want, sink.Texts())
		r.stop(t)
		if refusals == 0 {
			t.Error("no batch was pushed back")
		}
	})
	for _, end := range []struct {
		name string
		err  error
	}{{"fenced", collectors.ErrFenced}, {"failed", errors.New("disk full")}} {
		t.Run("returns at once when "+end.name, func(t *testing.T) {
			in, sink := open(t), NewSink(t)
			after := 0
			sink.Before = func(_ int, b *event.Batch) error {
				if len(b.Lines) > 0 {
					after++
					return fmt.Errorf("append: %w", end.err)
				}
				return nil
			}
			r := start(t, in, sink, nil)
			want := write(t, in, 0, 50)
			if err := r.wait(t); !errors.Is(err, end.err) {
				t.Fatalf("Collect returned %v, want %v", err, end.err)
			}
			if after != 1 {
				t.Fatalf("%d Puts with lines, want 1", after)
			}
			if !in.Resumes {
				return
			}
			sink.Before = nil
			sink.Restart()
			r = start(t, in, sink, sink.Positions())
			sink.WaitLines(len(want))
			in.equal(t, want, sink.Texts())
			r.stop(t)
		})
	}
	t.Run("goes on after a crash, wherever it was", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		if !in.Resumes {
			t.Log("this input has no positions to resume from")
			return
		}
		crash := errors.New("crash")
		var want []string
		for i := range 6 {
			puts := 0
			stored := func(_ int, b *event.Batch) error {
				if len(b.Lines) == 0 {
					return nil
				}
				if puts++; puts > i/2 {
					return crash
				}
				return nil
			}
			sink.Before, sink.After = nil, nil
			if i%2 == 0 {
				sink.Before = stored // nothing of the batch was stored
			} else {
				sink.After = stored // it was stored, and nobody learned of it
			}
			sink.Restart()
			r := start(t, in, sink, sink.Positions())
			for k := 0; k <= i/2; k++ {
				want = append(want, write(t, in, len(want), 40)...)
				// What the run before has left may take batches of its own: then the crash comes sooner.
				if k < i/2 && !r.reads(t, sink, len(want)) {
					break
				}
			}
			if err := r.wait(t); !errors.Is(err, crash) {
				t.Fatalf("Collect returned %v, want the crash", err)
			}
		}
		sink.Before, sink.After = nil, nil
		sink.Restart()
		r := start(t, in, sink, sink.Positions())
		sink.WaitLines(len(want))
		in.equal(t, want, sink.Texts())
		r.stop(t)
	})
	t.Run("says when it is idle, and ticks with all positions", func(t *testing.T) {
		in, sink := open(t), NewSink(t)
		r := start(t, in, sink, nil)
		write(t, in, 0, 10)
		sink.WaitLines(10)
		if in.End != nil {
			in.End(t)
			if err := r.wait(t); err != nil {
				t.Fatalf("Collect returned %v, want nil", err)
			}
			if !sink.AllIdle() {
				t.Error("not idle at the end")
			}
			return
		}
		_, before := sink.Counts()
		sink.Wait("two ticks", func() bool { _, n := sink.Counts(); return n >= before+2 })
		if !sink.AllIdle() {
			t.Error("not idle though everything is read")
		}
		r.stop(t)
	})
}

// Running is a collector at work.
type Running struct {
	cancel context.CancelFunc
	done   chan error
}

// Start runs a collector until the test ends or stops it.
func Start(t *testing.T, c collectors.Collector, sink collectors.Sink) *Running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &Running{cancel: cancel, done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- c.Collect(ctx, sink)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// Wait returns what Collect returned.
func (r *Running) Wait(t *testing.T) error {
	t.Helper()
	return r.wait(t)
}

// Stop ends the collector and waits for it.
func (r *Running) Stop(t *testing.T) {
	t.Helper()
	r.stop(t)
}

// reads waits for n lines, and tells whether they came before the collector ended.
func (r *Running) reads(t *testing.T, sink *Sink, n int) bool {
	t.Helper()
	for deadline := time.After(patience); ; {
		have, changed := sink.progress()
		if have >= n {
			return true
		}
		select {
		case <-changed:
		case err := <-r.done:
			r.done <- err
			return false
		case <-deadline:
			t.Fatalf("%d lines, want %d", have, n)
		}
	}
}

func (r *Running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		t.Fatal("Collect does not return")
		return nil
	}
}

func (r *Running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := r.wait(t); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Collect returned %v", err)
	}
}

func start(t *testing.T, in Input, sink *Sink, resume []event.Position) *Running {
	t.Helper()
	return Start(t, in.New(t, resume, Clock()), sink)
}

// Clock returns a clock that is set back now and then, as a host's may be.
func Clock() func() time.Time {
	var mu sync.Mutex
	at, n := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		n++
		at = at.Add(time.Second)
		if n%5 == 0 {
			at = at.Add(-time.Minute)
		}
		return at
	}
}

func write(t *testing.T, in Input, from, n int) []string {
	t.Helper()
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %06d of the contract", from+i)
	}
	in.Write(t, lines...)
	return lines
}

// equal compares what came after a redelivery.
func (in *Input) equal(t *testing.T, want, got []string) {
	t.Helper()
	if in.Reorders {
		want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	}
	equal(t, want, got)
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("lines differ (-want +got):\n%s", diff[:min(len(diff), 4000)])
	}
}
