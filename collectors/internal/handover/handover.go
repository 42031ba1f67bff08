// Package handover hands batches to a sink, the same one again for as long as the journal pushes back.
//
// It never changes a batch, and never puts another in its place: what was refused may be durable in part.
package handover

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
)

// Between two attempts there is a time that doubles from the first to the longest, give or take a half.
const (
	First   = 50 * time.Millisecond
	longest = 5 * time.Second
)

// Manner says how a batch is handed over. Zero is a manner: again and again, until the context ends.
type Manner struct {
	Longest  time.Duration // between two attempts; 5s if zero
	Patience time.Duration // after which Put gives up; never if zero
	Pushback func()        // is called each time the journal pushes back; may be nil
}

// Put puts a batch until the sink has it, refuses it, or the context ends. With patience it gives up
// with ErrPushback.
func (m Manner) Put(ctx context.Context, sink collectors.Sink, b *event.Batch) error {
	var giveUp <-chan time.Time
	if m.Patience > 0 {
		t := time.NewTimer(m.Patience)
		defer t.Stop()
		giveUp = t.C
	}
	if m.Longest == 0 {
		m.Longest = longest
	}
	for wait := First; ; wait = min(2*wait, m.Longest) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := sink.Put(ctx, b)
		if err == nil || !errors.Is(err, collectors.ErrPushback) {
			return err
		}
		if m.Pushback != nil {
			m.Pushback()
		}
		timer := time.NewTimer(about(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-giveUp:
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// Wait waits for about a time, or until the context ends.
func Wait(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(about(wait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// about gives or takes a half, so that what was refused together does not come again together.
func about(wait time.Duration) time.Duration {
	return wait/2 + rand.N(wait) //nolint:gosec // jitter
}
