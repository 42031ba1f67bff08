// Package deliver puts deliveries into the journal: what comes in requests or messages, each whole and
// from nowhere that could be gone back to.
//
// It never remembers what it was given: a delivery that comes again is the same to the journal if it
// has the same id.
//
// # Positions
//
// For the journal every delivery is a file of its own that was found at the path and read to its end:
// an ordinal of its own, offsets from zero, Done. Its fingerprint is the delivery's id, so that the
// event ids of one delivery are the same whenever it comes. One more position, of ordinal 1, belongs to
// the collector: it has no lines, its offsets count deliveries, and so a restart knows which ordinals
// were given away. Ticks hold that position alone.
package deliver

import (
	"context"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

// longWait is short: somebody waits for the answer.
const longWait = time.Second

// Committer makes deliveries durable, many in one batch. It is for one goroutine.
type Committer struct {
	// Pushback is called each time the journal pushes back. It may be nil.
	Pushback func()

	source, path string
	now          func() time.Time
	own          event.Position // the collector's own, as it was made durable
	given        int64          // deliveries that were given an ordinal, durable or not
	resume       []event.Position
	done         []event.Hash
	batch        event.Batch
	next         event.Position // own, as the batch will have it
}

// New makes a committer for the deliveries of a source. resume are the positions the journal holds.
func New(source, path string, resume []event.Position, now func() time.Time) *Committer {
	c := &Committer{source: source, path: path, now: now, own: event.Position{Source: source, Path: path, Ordinal: 1}}
	for _, p := range resume {
		if p.Source != source || p.Path != path {
			continue
		}
		if p.Ordinal == 1 {
			c.own.Start, c.own.End = p.End, p.End
			c.given = max(c.given, p.End)
			continue
		}
		c.given = max(c.given, int64(p.Ordinal)-1)
		if p.Done {
			c.done = append(c.done, p.Fingerprint)
			continue
		}
		// A crash cut the delivery between two messages: nothing more of this one will come.
		p.Start, p.Done, p.Idle = p.End, true, true
		c.resume = append(c.resume, p)
	}
	return c
}

// Durable returns the ids of the deliveries that are done in what was resumed from: those after the last
// tick of the run before, and whatever else the caller knows of.
func (c *Committer) Durable() []event.Hash { return c.done }

// Tick says that the collector is there, and whether it has handed over all it knows of. The first one
// registers the source.
func (c *Committer) Tick(ctx context.Context, sink collectors.Sink, idle bool) error {
	b := &c.batch
	b.Tick = true
	b.Ingest = max(b.Ingest, c.now().UnixNano())
	b.Lines = b.Lines[:0]
	own := c.own
	own.End, own.Idle = c.given, idle
	b.Positions = append(append(b.Positions[:0], own), c.resume...)
	if err := (handover.Manner{Longest: longWait, Pushback: c.Pushback}).Put(ctx, sink, b); err != nil {
		return err
	}
	own.Start = own.End
	c.own, c.resume, c.done = own, nil, nil
	return nil
}

// Begin begins another batch.
func (c *Committer) Begin() {
	b := &c.batch
	b.Tick = false
	b.Ingest = max(b.Ingest, c.now().UnixNano())
	c.next = c.own
	b.Positions = append(b.Positions[:0], c.next)
	b.Lines = b.Lines[:0]
}

// Add adds a delivery to the batch. Its lines belong to the committer until Commit returns; end is the
// offset behind the last one.
func (c *Committer) Add(id event.Hash, lines []event.Line, end int64) {
	b := &c.batch
	for _, l := range lines {
		l.File = len(b.Positions)
		b.Lines = append(b.Lines, l)
	}
	b.Positions = append(b.Positions, event.Position{
		Source: c.source, Path: c.path, Ordinal: uint64(c.given) + 2, Fingerprint: id, End: end, Done: true,
	})
	// Its ordinal is not used for anybody else, though the batch be given up: a part of it may be durable.
	c.given++
}

// Commit makes the batch durable and returns how many lines it has. idle tells that nothing else is
// known of. While the journal pushes back the same batch is put again; after patience it is given up,
// with ErrPushback.
func (c *Committer) Commit(ctx context.Context, sink collectors.Sink, idle bool, patience time.Duration) (lines int, err error) {
	b := &c.batch
	c.next.End, c.next.Idle = c.given, idle
	b.Positions[0] = c.next
	for i := range b.Positions {
		b.Positions[i].Idle = idle
	}
	err = handover.Manner{Longest: longWait, Patience: patience, Pushback: c.Pushback}.Put(ctx, sink, b)
	lines = len(b.Lines)
	clear(b.Lines)
	b.Lines = b.Lines[:0]
	if err != nil {
		return 0, err
	}
	c.next.Start = c.next.End
	c.own = c.next
	return lines, nil
}
