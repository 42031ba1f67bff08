package file

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
)

// locate finds the file that holds what was read of a generation among candidates, the newest first.
// It returns the open file and its index; -1 when there is none. A copy that ends before the reading
// offset holds nothing new, but shows which files are newer: it is returned without a source.
func (c *Collector) locate(ctx context.Context, m mark, list []candidate, taken []bool) (int, source) {
	short := -1
	for i := len(list) - 1; i >= 0 && ctx.Err() == nil; i-- {
		if taken != nil && taken[i] {
			continue
		}
		src, err := list[i].open(c.keepBytes())
		if err != nil {
			continue
		}
		ok, less := m.holds(src)
		if ok {
			return i, src
		}
		_ = src.Close()
		if less && short < 0 {
			short = i
		}
	}
	return short, nil
}

// newerThan are the candidates after index i; neither their place nor their time may say otherwise. The
// time of an archive says little: it may be that of its making.
func newerThan(list []candidate, i int) []candidate {
	return slices.DeleteFunc(slices.Clone(list[i+1:]), func(x candidate) bool { return !list[i].gz && x.st.mtime < list[i].st.mtime })
}

// writtenSince are the candidates written to at a time, in nanoseconds, or later.
func writtenSince(list []candidate, since int64) []candidate {
	return slices.DeleteFunc(slices.Clone(list), func(x candidate) bool { return x.st.mtime < since })
}

// keepBytes is how much of an archive's unfinished line is kept between reads.
func (c *Collector) keepBytes() int { return c.cfg.MaxLine + longLine + probeBytes }

// rotate takes up the file that stands at the path now, and those that stood there since the last
// look and were rotated away already.
func (c *Collector) rotate(t *tail) {
	f, st, err := openRegular(t.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.complain(t, err)
		}
		return
	}
	src := newPlain(f)
	old := t.last()
	if old == nil {
		c.takeUp(t, c.newLive(t, src, st.id))
		return
	}
	if old.id == st.id && !old.closed() {
		_ = f.Close() // moved back meanwhile
		return
	}
	if m := old.mark(); old.read > 0 {
		if ok, _ := m.holds(src); ok { // the log was replaced by a copy of itself, or moved back
			old.close()
			c.revive(old)
			old.src, old.id = src, st.id
			old.observe(st)
			return
		}
	}
	if old.src != nil {
		c.restat(old)
		c.peek(old)
	}
	c.stats.Add(func(s *Stats) { s.Rotations++ })
	old.live = false
	old.quiet, old.blocking = 0, 0
	live := c.newLive(t, src, st.id)
	list := c.siblings(t, st.id)
	defer release(list)
	newer := c.unknown(t, live, c.between(old, list))
	if old.src == nil && !old.finished {
		c.abandon(old, "a file was rotated while it was closed, and was not found again")
	}
	c.takeBetween(t, newer)
	c.takeUp(t, live)
	c.log.Debug("rotated", "path", t.path, "ordinal", old.ordinal, "offset", old.read, "between", len(newer), "next", t.next-1)
}

// between finds the generations after old that do not stand at the path any more.
func (c *Collector) between(old *generation, list []candidate) []candidate {
	if i := c.found(old, list); i >= 0 {
		return newerThan(list, i)
	}
	return writtenSince(list, old.mtime)
}

// found returns the index of a generation among candidates, or -1. One that is closed and was not read to its
// end for good is opened there.
func (c *Collector) found(g *generation, list []candidate) int {
	wanted := g.src == nil && !g.finished
	i := slices.IndexFunc(list, func(x candidate) bool { return x.st.id == g.id })
	if i >= 0 && (!wanted || c.reopenFrom(g, list[i])) {
		return i
	}
	if g.fingerprint.IsZero() {
		return -1
	}
	// It may have been compressed; then its time of writing is kept, mostly.
	m := g.mark()
	for i = len(list) - 1; i >= 0; i-- {
		src, err := list[i].open(c.keepBytes())
		if err != nil {
			continue
		}
		ok, short := m.holds(src)
		fp, _ := headFingerprint(src)
		same := fp == g.fingerprint && (list[i].st.mtime == g.mtime || g.read > 0 && (ok || short))
		if same && wanted && (ok || g.read == 0) {
			c.take(g, list[i], src)
			return i
		}
		_ = src.Close()
		if same {
			return i
		}
	}
	return -1
}

// unknown are the candidates that are, and were, none of the path's generations, nor a copy of what
// stands at the path now.
func (c *Collector) unknown(t *tail, live *generation, list []candidate) []candidate {
	return slices.DeleteFunc(slices.Clone(list), func(x candidate) bool {
		return c.known(t, x) || (live != nil && c.copyOf(live, x))
	})
}

// known tells whether a file is, or was, one of the path's generations, perhaps compressed since.
func (c *Collector) known(t *tail, x candidate) bool {
	if g, ok := c.gone[x.st.id]; ok && g.tail == t && c.stillHolds(g, x) {
		return true
	}
	return t.reads(x.st.id) || slices.ContainsFunc(t.gens, func(g *generation) bool { return c.stillHolds(g, x) })
}

// copyOf tells whether a file is a copy, perhaps still being made, of a file that was not truncated
// yet: it is not a generation of its own.
func (c *Collector) copyOf(g *generation, x candidate) bool {
	if x.gz || g.src == nil || g.fingerprint.IsZero() {
		return false
	}
	src, err := x.open(c.keepBytes())
	if err != nil {
		return false
	}
	defer func() { _ = src.Close() }()
	st, err := src.status()
	if fp, _ := headFingerprint(src); err != nil || fp != g.fingerprint {
		return false
	}
	end := make([]byte, min(probeBytes, st.size))
	same := make([]byte, len(end))
	off := st.size - int64(len(end))
	n, _ := src.ReadAt(end, off)
	m, _ := g.src.ReadAt(same, off)
	if m < n && !c.intact(g) {
		return true // it was truncated since it was looked at, and this is what it held then
	}
	return n == len(end) && m == n && bytes.Equal(end, same)
}

// stillHolds tells whether a file has what was read of a generation or, if nothing was, the same
// first line and the same time of writing.
func (c *Collector) stillHolds(g *generation, x candidate) bool {
	if g.fingerprint.IsZero() || (g.read == 0 && g.mtime != x.st.mtime) {
		return false
	}
	src, err := x.open(c.keepBytes())
	if err != nil {
		return false
	}
	defer func() { _ = src.Close() }()
	m := g.mark()
	ok, _ := m.holds(src)
	return ok
}

// takeBetween queues rotated files. Only the newest may still have a writer.
func (c *Collector) takeBetween(t *tail, list []candidate) {
	for i, x := range list {
		g := t.add(&generation{name: x.name, id: x.st.id, final: x.gz || i < len(list)-1})
		g.observe(x.st)
		if x.gz {
			g.size = -1
		}
		c.reopenFrom(g, x)
		c.peek(g)
	}
}

// reopenFrom opens a candidate for a generation, if it has what was read of it.
func (c *Collector) reopenFrom(g *generation, x candidate) bool {
	src, err := x.open(c.keepBytes())
	if err != nil {
		return false
	}
	m := g.mark()
	if ok, _ := m.holds(src); g.read > 0 && !ok {
		_ = src.Close()
		return false
	}
	c.take(g, x, src)
	return true
}

// take lets a generation read from the open file of a candidate.
func (c *Collector) take(g *generation, x candidate, src source) {
	g.close()
	g.src, g.name, g.id = src, x.name, x.st.id
	g.atEnd = false
	if x.gz {
		g.size, g.final = -1, true
		return
	}
	c.restat(g)
}

// newLive makes the generation of what an open file at the path holds now. It is looked at before the
// rotated files are: whatever happens to it after that will be noticed as a change of this content,
// and is not among the rotated files that are found now.
func (c *Collector) newLive(t *tail, src source, id ident) *generation {
	g := &generation{tail: t, name: t.path, id: id, src: src, live: true, index: -1}
	c.restat(g)
	g.since, g.empty = g.mtime, g.size == 0
	c.peek(g)
	return g
}

// takeUp adds the live file.
func (c *Collector) takeUp(t *tail, g *generation) {
	t.add(g)
	t.target = resolved(t.path)
	c.batch.news = true
	c.complain(t, nil)
}

// truncate handles a live file that does not hold what was read of it: it was copied away and
// truncated. The rest is read from the copy; then the file is read from its beginning.
func (c *Collector) truncate(ctx context.Context, g, before *generation) {
	t := g.tail
	c.stats.Add(func(s *Stats) { s.Truncations++ })
	src, id := g.src, g.id
	g.src, g.live, g.longEnd, g.scanned = nil, false, 0, g.read
	next := c.bear(t, src, id)
	all := c.siblings(t, id)
	defer release(all)
	list := slices.DeleteFunc(slices.Clone(all), func(x candidate) bool { return t.reads(x.st.id) })
	i, copied := c.locate(ctx, g.mark(), list, nil)
	var newer []candidate
	switch {
	case copied != nil:
		g.src, g.name, g.id, g.final, g.atEnd = copied, list[i].name, list[i].st.id, true, false
		c.restat(g)
		newer = newerThan(list, i)
	case i >= 0:
		newer = newerThan(list, i)
	default:
		newer = writtenSince(list, g.since)
	}
	if copied == nil {
		lost := max(0, before.size-g.read)
		if i >= 0 || (g.fingerprint.IsZero() && len(newer) > 0) {
			lost = 0
		}
		g.size, g.finished = g.read, true
		c.stats.Add(func(s *Stats) { s.Lost += lost })
		c.log.Warn("truncated without a copy to be found", "path", t.path, "ordinal", g.ordinal, "offset", g.read, "bytes_lost", lost)
	}
	newer = c.unknown(t, next, newer)
	c.takeBetween(t, newer)
	for _, n := range t.gens[slices.Index(t.gens, g)+1:] {
		n.final = true // copies, all of them
	}
	if next != nil {
		c.takeUp(t, next)
	}
	c.log.Debug("truncated", "path", t.path, "ordinal", g.ordinal, "offset", g.read, "copy", g.name, "between", len(newer), "next", t.next-1)
	c.advance(t)
}

// bear makes the generation of the content that a truncated file has now. It has no place among the
// others yet.
func (c *Collector) bear(t *tail, src source, id ident) *generation {
	if src == nil {
		f, st, err := openRegular(t.path)
		if err != nil || st.id != id {
			c.complain(t, err)
			if err == nil {
				_ = f.Close()
			}
			return nil // the next look finds what stands there
		}
		src = newPlain(f)
	}
	return c.newLive(t, src, id)
}

// reads tells whether an open or waiting generation is in that file.
func (t *tail) reads(id ident) bool {
	return slices.ContainsFunc(t.gens, func(g *generation) bool { return g.id == id && !g.closed() })
}

// reopen opens a generation that was closed to save descriptors.
func (c *Collector) reopen(ctx context.Context, g *generation) bool {
	t := g.tail
	m := g.mark()
	if g.live {
		f, st, err := openRegular(t.path)
		if err != nil {
			g.stalled = true
			c.complain(t, err)
			return false
		}
		src := newPlain(f)
		if ok, _ := m.holds(src); st.id == g.id && (ok || g.read == 0) {
			g.src = src
			g.observe(st)
			return true
		}
		_ = f.Close()
		before := *g
		before.size = g.read // what is seen now is the new content
		if st.id == g.id {
			c.truncate(ctx, g, &before)
		}
		g.stalled = true // a rotation is found by the next look
		return false
	}
	list := c.siblings(t)
	defer release(list)
	i, src := c.locate(ctx, m, list, nil)
	if src == nil {
		if g.read == 0 && g.fingerprint.IsZero() {
			if i = slices.IndexFunc(list, func(x candidate) bool { return x.st.id == g.id }); i >= 0 && c.reopenFrom(g, list[i]) {
				return true
			}
		}
		c.abandon(g, "a rotated file was not found again")
		return false
	}
	c.take(g, list[i], src)
	return true
}

// closeIdle closes files at their end when more are open than allowed: they are opened again when
// they have grown, and compared with what was read. Nobody looks again at one that was rotated away, so
// these come last, and only when they have been quiet for as long as a busy writer is waited for.
func (c *Collector) closeIdle() {
	open := 0
	for _, t := range c.tails {
		for _, g := range t.gens {
			if g.src != nil {
				open++
			}
		}
	}
	open = c.closeSome(open, func(g *generation) bool { return g.live })
	c.closeSome(open, func(g *generation) bool { return g.finished && !g.live && g.quiet >= drainFactor*c.drain })
}

// closeSome closes files at their end while more are open than allowed, and returns how many are left.
func (c *Collector) closeSome(open int, may func(g *generation) bool) int {
	for i := 0; open > c.cfg.MaxOpenFiles && i < len(c.tails); i++ {
		t := c.tails[(c.turn+i)%len(c.tails)]
		for _, g := range t.gens {
			if open > c.cfg.MaxOpenFiles && g.src != nil && !g.unread() && !g.half() && !g.resting && may(g) {
				c.remember(g)
				g.close()
				open--
			}
		}
	}
	return open
}

const maxGone = 4096

// remember keeps a finished file in mind as long as a glob may still find it under another name.
func (c *Collector) remember(g *generation) {
	if !g.finished {
		return
	}
	if len(c.gone) >= maxGone {
		clear(c.gone)
	}
	c.gone[g.id] = g
}
