package pipeline

import (
	"context"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// maxDelivered bounds the deliveries that are found again; those are left out that came first.
const maxDelivered = 1 << 16

// Delivered finds in the journal what a collector has made durable whose senders send again: a sender
// does not know that the agent was restarted. Its zero value has read nothing.
type Delivered struct {
	seq  uint64 // up to which the journal was read
	done []event.Position
}

// Since returns the deliveries of a subject that were journaled since a time, the oldest first. A second
// call reads on from where the first one ended.
func (d *Delivered) Since(ctx context.Context, j *journal.Journal, subject string, since time.Time) ([]event.Position, error) {
	if d.seq == 0 {
		var err error
		if d.seq, err = j.SeqAt(ctx, journal.Events, since); err != nil {
			return nil, err
		}
	}
	_, last, err := j.Bounds(ctx, journal.Events)
	if err != nil {
		return nil, err
	}
	err = j.ReadRange(ctx, journal.Events, d.seq, last, subject, func(e *journal.Entry) error {
		head, err := journal.DecodeHead(e.Body)
		if err != nil {
			return err
		}
		d.seq = e.Seq
		if head.Tick || e.Time.Before(since) {
			return nil
		}
		for _, p := range head.Positions {
			if p.Done {
				d.done = append(d.done, event.Position{Source: p.Source, Path: p.Path, Ordinal: p.Ordinal, Fingerprint: p.Fingerprint, Done: true})
			}
		}
		d.done = d.done[max(0, len(d.done)-maxDelivered):]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.done, nil
}
