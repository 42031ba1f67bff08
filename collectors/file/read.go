package file

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// outcome tells why reading stopped.
type outcome int

const (
	some outcome = iota // the share is read, or there is no more
	full                // the batch must be handed over first
)

// read lets a path read its share: stray lines of finished generations, then the current one.
func (c *Collector) read(ctx context.Context, t *tail, quota int) outcome {
	for i := 0; i < len(t.gens); i++ {
		g := t.gens[i]
		if g.resting && c.rest(g) == full {
			return full
		}
		if g.unread() && !g.stalled && c.fill(ctx, g, quota) == full {
			return full
		}
		if !g.finished {
			break
		}
	}
	c.advance(t)
	return some
}

// fill reads one block behind the reading offset and takes its lines. The block begins with bytes
// that were read before: where they differ, the file is not the one that was read.
func (c *Collector) fill(ctx context.Context, g *generation, quota int) outcome {
	if g.src == nil && !c.reopen(ctx, g) {
		return some
	}
	b := &c.batch
	if b.isFull() {
		return full
	}
	if g.scanned-g.read > int64(c.cfg.MaxLine)+1 {
		return c.fillLong(ctx, g, quota)
	}
	want := min(quota, b.room())
	if g.scanned-g.read >= int64(want) { // the line is longer than the share: make room for the longest
		want = c.cfg.MaxLine + 2
	}
	buf, eof, o := c.block(ctx, g, want)
	if buf == nil {
		return o
	}
	skip := int(g.read - g.probe.off)
	data := buf[skip:]
	index := g.index
	if index < 0 {
		index = len(b.gens)
	}
	lines, done := split.Lines(b.Lines, data, index, g.read, c.limits)
	b.Lines = lines
	half := int64(0)
	if len(lines) < maxLines {
		half = int64(len(data) - done)
	}
	if done > 0 {
		c.advanceTo(g, g.read+int64(done), buf[:skip+done])
		b.used += skip + done
	}
	g.scanned = g.read + half
	if eof {
		c.metEnd(g, g.scanned)
	}
	return some
}

// block reads want bytes behind the reading offset, with those before it, into the arena, and
// compares the latter. It returns nil when there is nothing to use.
func (c *Collector) block(ctx context.Context, g *generation, want int) (buf []byte, eof bool, o outcome) {
	b := &c.batch
	want = max(want+int(g.read-g.probe.off), g.probe.n)
	if b.used+want > len(b.arena) {
		return nil, false, full
	}
	buf = b.arena[b.used : b.used+want]
	n, err := g.src.ReadAt(buf, g.probe.off)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed(g, err)
		return nil, false, some
	}
	if n < g.probe.n || !bytes.Equal(buf[:g.probe.n], g.probe.bytes()) {
		c.changed(ctx, g)
		return nil, false, some
	}
	if g.failures > 0 {
		g.failures = 0
		c.complain(g.tail, nil)
	}
	g.since = max(g.since, g.mtime)
	return buf[:n], n < want, some
}

// advanceTo moves the reading offset; window ends there.
func (c *Collector) advanceTo(g *generation, read int64, window []byte) {
	c.batch.add(g)
	if g.finished {
		c.stats.Add(func(s *Stats) { s.Strays += read - g.read })
	}
	if g.fingerprint.IsZero() {
		g.fingerprint, _ = headFingerprint(g.src)
	}
	g.read, g.scanned, g.longEnd = read, read, 0
	g.probe.set(window, read)
	g.quiet = 0
	if g.size >= 0 {
		g.size = max(g.size, read)
	}
}

// metEnd notes that a read ended at offset end, where the file ends for now.
func (c *Collector) metEnd(g *generation, end int64) {
	g.atEnd = true
	if g.size >= 0 {
		g.size = end
	}
}

// fillLong goes on in a line that is too long to be kept: it looks for its end, and then hands over
// its beginning.
func (c *Collector) fillLong(ctx context.Context, g *generation, quota int) outcome {
	b := &c.batch
	if zeros, o := c.skipZeros(ctx, g); zeros || o == full {
		return o
	}
	for g.longEnd == 0 {
		if quota <= 0 {
			return some
		}
		scratch := b.arena[b.used : b.used+longLine]
		n, err := g.src.ReadAt(scratch, g.scanned)
		if err != nil && !errors.Is(err, io.EOF) {
			c.failed(g, err)
			return some
		}
		quota -= n
		if i := bytes.IndexByte(scratch[:n], '\n'); i >= 0 {
			g.longEnd = g.scanned + int64(i) + 1
			break
		}
		g.scanned += int64(n)
		if n < len(scratch) {
			c.metEnd(g, g.scanned)
			return some
		}
	}
	return c.takeLong(ctx, g, g.longEnd)
}

// takeLong hands over the beginning of the line from the reading offset to end.
func (c *Collector) takeLong(ctx context.Context, g *generation, end int64) outcome {
	b := &c.batch
	buf, _, o := c.block(ctx, g, c.cfg.MaxLine)
	if buf == nil {
		return o
	}
	window := make([]byte, min(probeBytes, end))
	if n, err := g.src.ReadAt(window, end-int64(len(window))); n != len(window) {
		c.failed(g, err)
		return some
	}
	skip := int(g.read - g.probe.off)
	if len(buf)-skip < c.cfg.MaxLine {
		c.changed(ctx, g)
		return some
	}
	b.Lines = split.Long(b.Lines, buf[skip:], b.add(g), g.read, c.limits)
	b.used += len(buf)
	c.advanceTo(g, end, window)
	return some
}

// skipZeros passes over zero bytes before a line: they do not make it too long.
func (c *Collector) skipZeros(ctx context.Context, g *generation) (bool, outcome) {
	buf, _, o := c.block(ctx, g, longLine)
	if buf == nil {
		return true, o
	}
	skip := int(g.read - g.probe.off)
	zeros := split.Zeros(buf[skip:])
	if zeros == 0 {
		return false, some
	}
	scanned := g.scanned
	c.advanceTo(g, g.read+int64(zeros), buf[:skip+zeros])
	g.scanned = max(scanned, g.read)
	return true, some
}

// rest hands over what follows the last line feed of a file that nobody writes to any more.
func (c *Collector) rest(g *generation) outcome {
	b := &c.batch
	if g.src == nil || !g.half() {
		g.resting = false
		return some
	}
	if b.isFull() {
		return full
	}
	end := g.scanned
	skip := int(g.read - g.probe.off)
	long := end-g.read > int64(c.cfg.MaxLine)
	want := int(min(end-g.read, int64(c.cfg.MaxLine)+1))
	if b.used+skip+want > len(b.arena) {
		return full
	}
	buf := b.arena[b.used : b.used+skip+want]
	n, err := g.src.ReadAt(buf, g.probe.off)
	if n < len(buf) || !bytes.Equal(buf[:g.probe.n], g.probe.bytes()) {
		g.resting = false
		if err != nil && !errors.Is(err, io.EOF) {
			c.failed(g, err)
			return some
		}
		c.abandon(g, "a rotated file has changed")
		return some
	}
	window := buf
	if long {
		window = make([]byte, min(probeBytes, end))
		if n, err := g.src.ReadAt(window, end-int64(len(window))); n != len(window) {
			c.failed(g, err)
			return some
		}
	}
	if g.fingerprint.IsZero() && g.read == 0 {
		g.fingerprint = wholeFingerprint(g.src)
	}
	b.Lines = split.Rest(b.Lines, buf[skip:], b.add(g), g.read, c.limits)
	b.used += len(buf)
	c.advanceTo(g, end, window)
	g.resting = false
	return some
}

// wholeFingerprint is the fingerprint of a file whose first line has no end.
func wholeFingerprint(src source) event.Hash {
	h, head := headFingerprint(src)
	if h.IsZero() {
		h = split.WholeFingerprint(head)
	}
	return h
}

const maxFailures = 5

// failed counts a failed read; it is tried again after the next poll. A file that cannot be written
// to any more, such as a broken archive, is given up after some attempts.
func (c *Collector) failed(g *generation, err error) {
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	g.stalled = true
	g.failures++
	c.complain(g.tail, err)
	if g.final && g.failures >= maxFailures {
		c.abandon(g, "a rotated file cannot be read")
	}
}

// changed handles an open file that does not hold what was read of it.
func (c *Collector) changed(ctx context.Context, g *generation) {
	if g.live {
		before := *g
		before.size = g.read // what is seen now is the new content
		c.truncate(ctx, g, &before)
		return
	}
	c.abandon(g, "a rotated file has changed")
}

// abandon finishes a generation that cannot be read to its end.
func (c *Collector) abandon(g *generation, why string) {
	lost := max(0, g.size-g.read)
	c.log.Error("lines may be lost", "why", why, "path", g.tail.path, "file", g.name, "ordinal", g.ordinal, "offset", g.read, "bytes", lost)
	c.stats.Add(func(s *Stats) {
		s.Missing++
		s.Lost += lost
	})
	g.close()
	g.finished, g.live, g.resting = true, false, false
	g.scanned = g.read
	c.batch.news = true
}
