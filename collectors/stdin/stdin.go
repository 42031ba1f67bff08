// Package stdin collects the lines of a stream that comes once and ends: standard input, a pipe.
//
// It never seeks and never goes on where another run stopped: what was read is gone from a pipe.
package stdin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of the stream in positions.
const Path = "-"

const (
	blockBytes = 1 << 20
	minRead    = 64 << 10
	lineBytes  = 1 << 20 // what is longer is cut and marked
	lineCount  = 16 << 10
	linger     = 200 * time.Millisecond // how long a partial batch waits for more lines
	tickEvery  = 5 * time.Second
)

// Collector reads one stream to its end.
type Collector struct {
	r   io.Reader
	now func() time.Time
	log *slog.Logger

	batch event.Batch
	pos   event.Position
	head  []byte // beginning of the stream until its first line is complete

	block []byte // lines of the batch, then bytes read and not split yet
	split int    // bytes of the block that are in the batch
	used  int    // bytes of the block that are read
	base  int64  // offset in the stream of the block's beginning
	over  []byte // beginning of a line that is too long, while its end is looked for
	start int64  // where that line starts
}

// New makes a collector for r. name is the configuration's name of the log.
func New(name string, r io.Reader, now func() time.Time, log *slog.Logger) *Collector {
	return &Collector{
		r: r, now: now, log: log.With("component", "collectors/stdin", "source", name),
		pos:   event.Position{Source: name, Path: Path, Ordinal: 1},
		block: make([]byte, blockBytes+lineBytes),
	}
}

var _ collectors.Collector = (*Collector)(nil)

// chunk is what one read of the stream gave.
type chunk struct {
	n   int
	err error
}

// Collect implements collectors.Collector. A read that waits for input cannot be interrupted, unless
// the reader has SetReadDeadline and supports it: it may outlast Collect, until the stream is closed.
// A read error is the end of the stream; it is returned when all before it is durable.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	want, got := make(chan []byte), make(chan chunk, 1)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		for buf := range want {
			n, err := c.r.Read(buf)
			got <- chunk{n, err}
		}
	}()
	defer func() {
		close(want)
		if d, ok := c.r.(interface{ SetReadDeadline(time.Time) error }); ok && d.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-exited
		}
	}()

	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	timer := time.NewTimer(linger)
	timer.Stop()
	if err := c.flush(ctx, sink, true); err != nil { // registers the source
		return err
	}
	ask, lingering := true, false
	var failure error
	for {
		if ask {
			if len(c.block)-c.used < minRead {
				if err := c.makeRoom(ctx, sink); err != nil {
					return err
				}
			}
			want <- c.block[c.used:]
			ask = false
		}
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			err = c.flush(ctx, sink, true)
		case <-timer.C:
			lingering = false
			err = c.flush(ctx, sink, false)
		case r := <-got:
			ask = true
			c.take(r.n)
			for c.full() && err == nil {
				err = c.flush(ctx, sink, false)
				c.take(0)
			}
			if r.err != nil && err == nil {
				if !errors.Is(r.err, io.EOF) {
					failure = fmt.Errorf("read %s: %w", c.pos.Source, r.err)
				}
				return errors.Join(c.finish(ctx, sink), failure)
			}
		}
		if err != nil {
			return err
		}
		if pending := len(c.batch.Lines) > 0; pending && !lingering {
			lingering = true
			timer.Reset(linger)
		}
	}
}

func (c *Collector) full() bool {
	return c.pos.End-c.pos.Start >= blockBytes-minRead || len(c.batch.Lines) >= lineCount
}

// take splits what was read: n more bytes.
func (c *Collector) take(n int) {
	fresh := c.block[c.used : c.used+n]
	c.used += n
	if c.pos.Fingerprint.IsZero() && n > 0 {
		c.head = append(c.head, fresh[:min(n, split.FingerprintBytes+2-len(c.head))]...)
		c.pos.Fingerprint = split.Fingerprint(c.head)
		if !c.pos.Fingerprint.IsZero() {
			c.head = nil
		}
	}
	data := c.block[c.split:c.used]
	if c.over != nil {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			c.skip(len(data))
			return
		}
		c.skip(end + 1)
		c.batch.Lines = split.Long(c.batch.Lines, c.over, 0, c.start, c.limits())
		c.over = nil
		c.pos.End = c.base + int64(c.split)
		data = c.block[c.split:c.used]
	}
	var done int
	c.batch.Lines, done = split.Lines(c.batch.Lines, data, 0, c.base+int64(c.split), c.limits())
	if done > 0 {
		c.split += done
		c.pos.End = c.base + int64(c.split)
	}
	if rest := c.block[c.split:c.used]; len(rest) > lineBytes+1 && len(c.batch.Lines) < lineCount {
		if zeros := split.Zeros(rest); zeros > 0 {
			c.split += zeros
			c.pos.End = c.base + int64(c.split)
			return
		}
		c.start = c.base + int64(c.split)
		c.over = append([]byte(nil), rest[:lineBytes]...)
		c.skip(len(rest))
	}
}

// skip passes over bytes of a line that is too long. They leave the block with the next batch; the
// position stays before the line until its end is there.
func (c *Collector) skip(n int) { c.split += n }

func (c *Collector) limits() split.Limits { return split.Limits{Line: lineBytes, Lines: lineCount} }

// makeRoom hands the batch over and moves what is not split yet to the beginning of the block.
func (c *Collector) makeRoom(ctx context.Context, sink collectors.Sink) error {
	if err := c.flush(ctx, sink, false); err != nil {
		return err
	}
	c.base += int64(c.split)
	c.used = copy(c.block, c.block[c.split:c.used])
	c.split = 0
	return nil
}

// finish hands over what is left when the stream has ended.
func (c *Collector) finish(ctx context.Context, sink collectors.Sink) error {
	for c.split < c.used && c.over == nil {
		before := c.split
		c.take(0)
		if c.split == before {
			break
		}
		if err := c.flush(ctx, sink, false); err != nil {
			return err
		}
	}
	rest := c.block[c.split:c.used]
	if c.pos.Fingerprint.IsZero() && len(c.head) > 0 {
		c.pos.Fingerprint = split.WholeFingerprint(c.head)
	}
	if c.over != nil {
		c.batch.Lines = split.Long(c.batch.Lines, c.over, 0, c.start, c.limits())
		c.over = nil
	} else {
		c.batch.Lines = split.Rest(c.batch.Lines, rest, 0, c.base+int64(c.split), c.limits())
	}
	c.split = c.used
	c.pos.End = c.base + int64(c.used)
	c.pos.Idle, c.pos.Done = true, true
	return c.flush(ctx, sink, true)
}

// flush hands the batch over, the same one again for as long as the journal pushes back.
func (c *Collector) flush(ctx context.Context, sink collectors.Sink, tick bool) error {
	b := &c.batch
	if !tick && len(b.Lines) == 0 && c.pos.Start == c.pos.End {
		return nil
	}
	b.Tick = tick
	b.Ingest = max(b.Ingest, c.now().UnixNano())
	b.Positions = append(b.Positions[:0], c.pos)
	if err := (handover.Manner{}).Put(ctx, sink, b); err != nil {
		return err
	}
	c.pos.Start = c.pos.End
	clear(b.Lines)
	b.Lines = b.Lines[:0]
	return nil
}
