package slack

import (
	"context"
	"sync"
	"time"
)

// limiter spaces messages out: Slack takes about one a second for each channel, answers 429 above
// that, and hides what it took too many of.
type limiter struct {
	every time.Duration
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu   sync.Mutex
	next time.Time
}

// wait blocks until the next message may be sent.
func (l *limiter) wait(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Before(l.next) {
		if err := l.sleep(ctx, l.next.Sub(now)); err != nil {
			return err
		}
		now = l.now()
	}
	if now.After(l.next) {
		l.next = now
	}
	l.next = l.next.Add(l.every)
	return nil
}

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
