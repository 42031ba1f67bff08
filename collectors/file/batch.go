package file

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

// batch is the one batch under construction. Its arena is the collector's only read buffer: files
// keep no bytes of their own, so memory does not grow with their number.
type batch struct {
	event.Batch
	arena []byte
	used  int
	limit int           // Config.BatchBytes
	gens  []*generation // the files of Batch.Positions, in order
	news  bool          // a file appeared or was finished: a batch is due though it may have no lines
}

func (b *batch) init(bytes, line int) {
	b.limit = bytes
	// Whatever stands in the arena, after a flush the longest line fits with what is compared before it.
	b.arena = make([]byte, max(bytes, line+2)+probeBytes+longLine)
}

func (b *batch) room() int { return b.limit - b.used }

// isFull tells that another read would be too small to be worth it.
func (b *batch) isFull() bool { return b.used >= b.limit-b.limit/16 || len(b.Lines) >= maxLines }

// add gives a generation its place in Positions.
func (b *batch) add(g *generation) int {
	if g.index < 0 {
		g.index = len(b.gens)
		b.gens = append(b.gens, g)
	}
	return g.index
}

// due tells whether there is anything to hand over.
func (c *Collector) due() bool { return len(c.batch.gens) > 0 || c.batch.news }

// flush hands the batch over and waits until it is durable. A tick has the positions of all files.
func (c *Collector) flush(ctx context.Context, sink collectors.Sink, tick bool) error {
	if !tick && !c.due() {
		return nil
	}
	b := &c.batch
	for _, t := range c.tails {
		for _, g := range t.begun() {
			if tick || !g.registered || g.finished != g.done {
				b.add(g)
			}
		}
	}
	c.order()
	b.Positions = b.Positions[:0]
	for _, g := range b.gens {
		p := g.position(c.cfg.Name)
		p.Idle = c.idle(g.tail)
		b.Positions = append(b.Positions, p)
	}
	for _, g := range b.gens {
		g.tail.idleKnown = false
	}
	b.Tick = tick
	b.Ingest = max(b.Ingest, c.now().UnixNano())
	if err := c.put(ctx, sink); err != nil {
		return err
	}
	c.commit()
	return nil
}

// order sorts the files of the batch, so that the generations of a path stand in their order.
func (c *Collector) order() {
	b := &c.batch
	less := func(x, y *generation) int {
		return cmp.Or(strings.Compare(x.tail.path, y.tail.path), cmp.Compare(x.ordinal, y.ordinal))
	}
	if slices.IsSortedFunc(b.gens, less) {
		return
	}
	old := slices.Clone(b.gens)
	slices.SortFunc(b.gens, less)
	for i, g := range b.gens {
		g.index = i
	}
	for i := range b.Lines {
		b.Lines[i].File = old[b.Lines[i].File].index
	}
}

// put repeats the same batch for as long as the journal pushes back.
func (c *Collector) put(ctx context.Context, sink collectors.Sink) error {
	return handover.Manner{Pushback: c.pushedBack}.Put(ctx, sink, &c.batch.Batch)
}

func (c *Collector) pushedBack() { c.stats.Add(func(s *Stats) { s.Pushbacks++ }) }

// commit moves the acknowledged offsets and empties the batch.
func (c *Collector) commit() {
	b := &c.batch
	var bytes, cut int64
	for _, g := range b.gens {
		bytes += g.read - g.end
		g.end = g.read
		g.registered = true
		g.named = !g.fingerprint.IsZero()
		g.done = g.finished
		g.index = -1
	}
	for i := range b.Lines {
		if b.Lines[i].Oversize {
			cut++
		}
	}
	n := int64(len(b.Lines))
	c.stats.Add(func(s *Stats) {
		s.Batches++
		s.Bytes += bytes
		s.Lines += n
		s.Oversize += cut
	})
	clear(b.Lines)
	b.Lines, b.gens, b.used, b.news = b.Lines[:0], b.gens[:0], 0, false
	for _, t := range c.tails {
		c.prune(t)
	}
}
