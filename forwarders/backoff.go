package forwarders

import (
	"context"
	"time"
)

// Backoff says how long to pause between attempts: Min at first, doubled each time up to Max, with
// half of it at random, so that many agents do not come back at once.
type Backoff struct{ Min, Max time.Duration }

// pause returns the pause after the n-th failed attempt in a row, n from 1; r is in [0,1).
func (b Backoff) pause(n int, r float64) time.Duration {
	d := b.Min
	for ; n > 1 && d < b.Max; n-- {
		d *= 2
	}
	d = min(d, b.Max)
	return d/2 + time.Duration(r*float64(d/2))
}

// wait is the default of Delivery.Wait.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
