package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
)

// subscribe takes the messages of a core subject until ctx is done or something fails.
func (c *Collector) subscribe(ctx context.Context, nc *nats.Conn, sink collectors.Sink) error {
	sub, err := nc.QueueSubscribeSync(c.cfg.Subjects[0], c.cfg.Queue)
	if err != nil {
		return fmt.Errorf("nats: subscribe: %w", err)
	}
	// What comes beyond while the journal pushes back is dropped here, where it is counted.
	if err := sub.SetPendingLimits(-1, c.cfg.Buffer); err != nil {
		return fmt.Errorf("nats: subscribe: %w", err)
	}
	if err := nc.FlushTimeout(connectTime); err != nil {
		return fmt.Errorf("nats: subscribe: %w", err)
	}
	c.log.Info("subscribed", "subject", c.cfg.Subjects[0], "queue", c.cfg.Queue)
	defer c.count(sub, true)
	if err := c.journal.Tick(ctx, sink, false); err != nil { // registers the source
		return err
	}
	for next := c.now().Add(c.cfg.Tick); ; {
		first, err := c.await(ctx, sub)
		if err != nil {
			return err
		}
		if first != nil {
			if err := c.deliver(ctx, sink, sub, first); err != nil {
				return err
			}
		}
		c.count(sub, false)
		if now := c.now(); first == nil || now.After(next) {
			if err := c.journal.Tick(ctx, sink, pending(sub) == 0); err != nil {
				return err
			}
			next = now.Add(c.cfg.Tick)
		}
	}
}

// await waits for a message, for a tick at most.
func (c *Collector) await(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, c.cfg.Tick)
	defer cancel()
	m, err := sub.NextMsgWithContext(wait)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrSlowConsumer):
		return nil, nil
	}
	return nil, fmt.Errorf("nats: %w", err)
}

func pending(sub *nats.Subscription) int {
	n, _, err := sub.Pending()
	if err != nil {
		return 0
	}
	return n
}

// deliver puts a message, and those that wait behind it, into the journal, however long that takes.
func (c *Collector) deliver(ctx context.Context, sink collectors.Sink, sub *nats.Subscription, m *nats.Msg) error {
	c.journal.Begin()
	size, taken := 0, 0
	for m != nil {
		taken, size = taken+1, size+len(m.Data)
		lines := c.lines(m.Data)
		l, _ := lines.Taken()
		c.journal.Add(event.HashStrings("nats", "chance", rand.Text()), l, lines.End())
		if m = nil; size < batchBytes && taken < c.cfg.Batch && pending(sub) > 0 {
			var err error
			if m, err = sub.NextMsg(time.Millisecond); err != nil {
				m = nil
			}
		}
	}
	c.stats.Add(func(s *Stats) { s.Messages += int64(taken) })
	n, err := c.journal.Commit(ctx, sink, pending(sub) == 0, 0)
	if err != nil {
		c.stats.Add(func(s *Stats) { s.Lost += int64(taken) })
		return err
	}
	c.stats.Add(func(s *Stats) { s.Batches++; s.Lines += int64(n) })
	return nil
}

// count takes over what the subscription has dropped, and at the end what nobody asked for any more.
func (c *Collector) count(sub *nats.Subscription, end bool) {
	dropped, err := sub.Dropped()
	if err != nil {
		return
	}
	waiting := 0
	if end {
		waiting = pending(sub)
	}
	var news int64
	c.stats.Add(func(s *Stats) {
		news = int64(dropped) - s.Dropped
		s.Dropped = int64(dropped)
		s.Lost += news + int64(waiting)
	})
	if news > 0 {
		c.log.Warn("messages were lost: the journal pushes back, and a core subject does not wait", "messages", news)
	}
}
