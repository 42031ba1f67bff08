package file

import (
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

// newerThan are the candidates after index i; neither their place nor their time may say otherwise.
func newerThan(list []candidate, i int) []candidate {
	return slices.DeleteFunc(slices.Clone(list[i+1:]), func(x candidate) bool { return x.st.mtime < list[i].st.mtime })
}

// writtenAfter are the candidates written to after a time, in nanoseconds.
func writtenAfter(list []candidate, after int64) []candidate {
	return slices.DeleteFunc(slices.Clone(list), func(x candidate) bool { return x.st.mtime <= after })
}

// keepBytes is how much of an archive's unfinished line is kept between reads.
func (c *Collector) keepBytes() int { return c.cfg.MaxLine + longLine + probeBytes }

// rotate takes up the file that stands at the path now, and those that stood there since the last
// look and were rotated away already.
func (c *Collector) rotate(ctx context.Context, t *tail) {
	f, st, err := openRegular(t.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.complain(t, err)
		}
		return
	}
	src := plain{f}
	old := t.last()
	if old == nil {
		c.takeUp(t, src, st)
		return
	}
	if old.id == st.id && !old.closed() {
		_ = f.Close() // moved back meanwhile
		return
	}
	if m := old.mark(); old.read > 0 {
		if ok, _ := m.holds(src); ok { // the log was replaced by a copy of itself, or moved back
			old.close()
			old.src, old.id, old.live = src, st.id, true
			old.observe(st)
			return
		}
	}
	if old.src != nil {
		c.restat(old)
	}
	c.stats.add(func(s *Stats) { s.Rotations++ })
	old.live = false
	old.quiet, old.blocking = 0, 0
	newer := c.between(ctx, t, old, st.id)
	if old.src == nil && !old.finished {
		c.abandon(old, "a file was rotated while it was closed, and was not found again")
	}
	c.takeBetween(t, newer)
	c.takeUp(t, src, st)
	c.log.Debug("rotated", "path", t.path, "ordinal", t.next-1, "between", len(newer))
}

// between finds the generations after old that do not stand at the path any more.
func (c *Collector) between(ctx context.Context, t *tail, old *generation, live ident) []candidate {
	list := c.siblings(t, live)
	i := slices.IndexFunc(list, func(x candidate) bool { return x.st.id == old.id })
	if i < 0 && !old.fingerprint.IsZero() {
		// It may have been compressed; then its time of writing is kept, mostly.
		for k := len(list) - 1; k >= 0 && i < 0; k-- {
			src, err := list[k].open(c.keepBytes())
			if err != nil {
				continue
			}
			if fp, _ := headFingerprint(src); fp == old.fingerprint {
				m := old.mark()
				if list[k].st.mtime == old.mtime {
					i = k
				} else if ok, short := m.holds(src); old.read > 0 && (ok || short) {
					i = k
				}
				if i == k && old.src == nil && !old.finished {
					old.src, src = src, nil
					old.final = list[k].gz
				}
			}
			if src != nil {
				_ = src.Close()
			}
		}
	} else if i >= 0 && old.src == nil && !old.finished {
		c.reopenFrom(old, list[i])
	}
	var newer []candidate
	if i >= 0 {
		newer = newerThan(list, i)
	} else {
		newer = writtenAfter(list, old.mtime)
	}
	return slices.DeleteFunc(newer, func(x candidate) bool { return c.known(t, x) })
}

// known tells whether a file is, or was, one of the path's generations.
func (c *Collector) known(t *tail, x candidate) bool {
	if g, ok := c.gone[x.st.id]; ok && g.tail == t && c.stillHolds(g, x) {
		return true
	}
	return slices.ContainsFunc(t.gens, func(g *generation) bool { return g.id == x.st.id && !g.closed() })
}

func (c *Collector) stillHolds(g *generation, x candidate) bool {
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

// reopenFrom opens a candidate for a generation.
func (c *Collector) reopenFrom(g *generation, x candidate) bool {
	src, err := x.open(c.keepBytes())
	if err != nil {
		return false
	}
	g.close()
	g.src, g.name, g.id = src, x.name, x.st.id
	g.atEnd = false
	if x.gz {
		g.size, g.final = -1, true
		return true
	}
	c.restat(g)
	return true
}

// takeUp adds the live file.
func (c *Collector) takeUp(t *tail, src source, st status) *generation {
	g := t.add(&generation{name: t.path, id: st.id, src: src, live: true})
	g.observe(st)
	c.peek(g)
	t.target = resolved(t.path)
	c.batch.news = true
	c.complain(t, nil)
	return g
}

// truncate handles a live file that does not hold what was read of it: it was copied away and
// truncated. The rest is read from the copy; then the file is read from its beginning.
func (c *Collector) truncate(ctx context.Context, g, before *generation) {
	t := g.tail
	c.stats.add(func(s *Stats) { s.Truncations++ })
	src, id := g.src, g.id
	g.src, g.live, g.longEnd, g.scanned = nil, false, 0, g.read
	list := c.siblings(t, id)
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
		newer = writtenAfter(list, before.mtime)
	}
	if copied == nil {
		lost := max(0, before.size-g.read)
		if i >= 0 || (g.fingerprint.IsZero() && len(newer) > 0) {
			lost = 0
		}
		g.size, g.finished = g.read, true
		c.stats.add(func(s *Stats) { s.Lost += lost })
		c.log.Warn("truncated without a copy to be found", "path", t.path, "ordinal", g.ordinal, "offset", g.read, "bytes_lost", lost)
	}
	newer = slices.DeleteFunc(newer, func(x candidate) bool { return c.known(t, x) })
	c.takeBetween(t, newer)
	for _, n := range t.gens[slices.Index(t.gens, g)+1:] {
		n.final = true // copies, all of them
	}
	if src == nil {
		c.rotateClosed(t, id)
		return
	}
	st, err := src.status()
	if err != nil {
		st = status{id: id}
		c.complain(t, err)
	}
	st.id = id
	c.takeUp(t, src, st)
	c.advance(t)
}

// rotateClosed takes up a truncated file that was not open.
func (c *Collector) rotateClosed(t *tail, id ident) {
	f, st, err := openRegular(t.path)
	if err != nil {
		c.complain(t, err)
		return
	}
	if st.id != id {
		c.log.Debug("rotated right after a truncation", "path", t.path)
	}
	c.takeUp(t, plain{f}, st)
	c.advance(t)
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
		if ok, _ := m.holds(plain{f}); st.id == g.id && (ok || g.read == 0) {
			g.src = plain{f}
			g.observe(st)
			return true
		}
		_ = f.Close()
		before := *g
		if st.id == g.id {
			c.truncate(ctx, g, &before)
		}
		g.stalled = true // a rotation is found by the next look
		return false
	}
	list := c.siblings(t)
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
	g.src, g.name, g.id, g.atEnd = src, list[i].name, list[i].st.id, false
	g.final = g.final || list[i].gz
	if list[i].gz {
		g.size = -1
	} else {
		c.restat(g)
	}
	return true
}

// closeIdle closes files at their end when more are open than allowed: they are opened again when
// they have grown, and compared with what was read.
func (c *Collector) closeIdle() {
	open := 0
	for _, t := range c.tails {
		for _, g := range t.gens {
			if g.src != nil {
				open++
			}
		}
	}
	for i := 0; open > c.cfg.MaxOpenFiles && i < len(c.tails); i++ {
		t := c.tails[(c.turn+i)%len(c.tails)]
		for _, g := range t.gens {
			switch {
			case g.src == nil || g.unread() || g.half() || g.resting || open <= c.cfg.MaxOpenFiles:
			case g.live, g.finished:
				c.remember(g)
				g.close()
				open--
			}
		}
	}
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
