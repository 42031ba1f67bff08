package pipeline_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

// mortal is a context that ends when it has been asked for its end so many times since it was armed:
// whoever runs under it is stopped at one moment after the other.
type mortal struct {
	context.Context

	armed atomic.Bool
	left  atomic.Int64
	die   context.CancelFunc
}

func newMortal(lives int64) *mortal {
	ctx, cancel := context.WithCancel(context.Background())
	m := &mortal{Context: ctx, die: cancel}
	m.left.Store(lives)
	return m
}

func (m *mortal) live() {
	if m.armed.Load() && m.left.Add(-1) <= 0 {
		m.die()
	}
}

func (m *mortal) Done() <-chan struct{} { m.live(); return m.Context.Done() }
func (m *mortal) Err() error            { m.live(); return m.Context.Err() }

// A detector that is told to stop while it is writing alerts must not remember the message as counted:
// its alerts would never come. It is stopped after every number of questions for its context in turn.
func TestStoppedWhileAlertsAreWritten(t *testing.T) {
	set := ruleset(t, three()...)
	b := newBench(t, set)
	b.open("one")
	b.halt() // nobody reads yet
	l := traffic(7, "/a", 200, 0, 900)
	one := b.reader("one", l)
	b.begin(one)
	one.all()
	b.clock.Add(int64(time.Hour))
	one.mustPut(one.batch(-1))
	one.close()
	_, last, err := b.j.Bounds(t.Context(), journal.Events)
	if err != nil {
		t.Fatal(err)
	}

	stops := 0
	for lives := int64(1); ; lives++ {
		ctx := newMortal(lives)
		now := func() time.Time {
			ctx.armed.Store(true) // it is first asked for the time when it is about to read
			return b.now()
		}
		det, err := pipeline.NewDetector(b.j, rules.Options{}, rules.WindowConfig{}, nil, now, nowhere)
		if err != nil {
			t.Fatal(err)
		}
		idle := make(chan struct{})
		go func() {
			defer close(idle)
			for det.Stats().Sequence < last && ctx.Context.Err() == nil {
				time.Sleep(time.Millisecond)
				b.clock.Add(int64(time.Second)) // its count of messages is shown again
			}
			ctx.die()
		}()
		if err := det.Run(ctx); err != nil {
			t.Fatalf("stopped after %d questions: %v", lives, err)
		}
		<-idle
		if det.Stats().Sequence >= last {
			break
		}
		stops++
	}
	t.Logf("stopped %d times", stops)
	if stops < 10 {
		t.Errorf("the detector was stopped %d times only: the test shows little", stops)
	}
	check(t, b, b.wanted(set, l))
}
