package file

import (
	"cmp"
	"context"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// goOn takes a path up where the journal says that it stopped: it finds the files of the positions,
// at the path or among the rotated ones, reads the rest of them, then the generations that came
// after them, then the live file.
func (c *Collector) goOn(ctx context.Context, t *tail, positions []event.Position) {
	positions = merge(positions)
	live, liveStatus, err := openRegular(t.path)
	var liveSource source
	if err == nil {
		liveSource = newPlain(live)
	}
	var fresh *generation // the live file, should it turn out to be a new one
	if err == nil {
		fresh = c.newLive(t, liveSource, liveStatus.id)
	}
	list := c.siblings(t, liveStatus.id)
	defer release(list)
	anchor := -1 // index of the newest file that is known, len(list) for the live one
	var missing, maxTime int64
	// The newest position chooses first: where nothing but the first line is known, the live file is
	// more likely its own.
	places := make([]place, len(positions))
	taken := make([]bool, len(list)+1)
	for i := len(positions) - 1; i >= 0; i-- {
		places[i] = c.find(ctx, &positions[i], liveSource, liveStatus, list, taken)
		if places[i].src != nil {
			taken[places[i].at] = true
		}
	}
	for i := range positions {
		p := &positions[i]
		last := i == len(positions)-1
		g := &generation{
			ordinal: p.Ordinal, fingerprint: p.Fingerprint, end: p.End, read: p.End, scanned: p.End,
			registered: true, named: !p.Fingerprint.IsZero(), done: p.Done, finished: p.Done, name: t.path,
		}
		maxTime = max(maxTime, p.MaxTime)
		at, src, st := places[i].at, places[i].src, places[i].st
		if p.Fingerprint.IsZero() && last && anchor >= 0 && src != nil {
			// Nothing of it was read. What it held may have been copied away since; then the copies
			// are among the files that are newer than the one before it.
			if at != len(list) {
				_ = src.Close()
			}
			t.next = max(t.next, p.Ordinal)
			continue
		}
		switch {
		case src != nil && at == len(list):
			liveSource = nil // it is taken
			g.live, g.finished = true, false
		case src != nil:
			g.name, g.final = list[at].name, list[at].gz || at < len(list)-1
		case at >= 0: // a copy that ends before the offset: it holds nothing new
			g.finished = true
		case p.Fingerprint.IsZero() && last:
			// Nothing of it was read, and nobody knows which file it was: it is found as one of
			// the files that are newer than the one before it, and takes its ordinal.
			t.next = max(t.next, p.Ordinal)
			continue
		case !p.Done:
			missing++
			g.finished = true
			c.log.Error("a file that was not read to its end was not found again, lines may be lost",
				"path", t.path, "ordinal", p.Ordinal, "offset", p.End)
		default:
			g.finished = true
		}
		t.add(g)
		if at >= 0 {
			anchor = max(anchor, at)
		}
		if src != nil {
			g.src, g.id = src, st.id
			g.observe(st)
			g.since, g.empty = st.mtime, st.size == 0
			c.moveTo(g, p.End)
		} else {
			c.batch.news = c.batch.news || !g.done
		}
	}
	c.stats.Add(func(s *Stats) { s.Missing += missing })
	var newer []candidate
	switch {
	case anchor == len(list):
	case anchor >= 0:
		newer = newerThan(list, anchor)
		if n := len(list) - anchor - 1 - len(newer); n > 0 {
			c.log.Warn("rotated files are not read: their names say that they are newer than the one that was read last, their times that they are older",
				"path", t.path, "files", n, "last", list[anchor].name)
		}
	case maxTime > 0:
		newer = writtenSince(list, maxTime)
	case len(list) > 0:
		c.log.Warn("rotated files are not read: none of them is the one that was read last", "path", t.path, "files", len(list))
	}
	newer = c.unknown(t, fresh, newer)
	c.takeBetween(t, newer)
	for _, g := range t.gens {
		c.log.Debug("goes on", "path", t.path, "ordinal", g.ordinal, "offset", g.read, "file", g.name, "live", g.live, "done", g.finished)
	}
	switch {
	case liveSource != nil:
		c.takeUp(t, fresh)
	case err != nil:
		c.look(ctx, t, false) // it reports what is wrong
	}
}

// merge leaves the last position of each ordinal, in order.
func merge(positions []event.Position) []event.Position {
	positions = slices.Clone(positions)
	slices.SortStableFunc(positions, func(a, b event.Position) int {
		return cmp.Or(cmp.Compare(a.Ordinal, b.Ordinal), cmp.Compare(a.End, b.End))
	})
	out := positions[:0]
	for _, p := range positions {
		if n := len(out); n > 0 && out[n-1].Ordinal == p.Ordinal {
			out[n-1] = p
		} else {
			out = append(out, p)
		}
	}
	return out
}

// place is where the file of a position stands: its index among the candidates, len(list) for the
// live one, -1 if it was not found. A file that ends before the position's offset is not opened.
type place struct {
	at  int
	src source
	st  status
}

// find looks for the file of a position among those that are not taken.
func (c *Collector) find(ctx context.Context, p *event.Position, live source, liveStatus status, list []candidate, taken []bool) place {
	m := mark{fingerprint: p.Fingerprint, check: p.Check, checkAt: p.CheckAt, end: p.End}
	fits := func(src source) bool {
		ok, _ := m.holds(src)
		return ok || p.Fingerprint.IsZero()
	}
	if taken[len(list)] {
		live = nil
	}
	if p.End == 0 && p.Done {
		return place{at: -1} // nothing was read, and nothing will be
	}
	if p.End == 0 { // nothing was read: the inode says best which file it was
		if live != nil && emptyCheck(liveStatus.id) == p.Check && fits(live) {
			return place{len(list), live, liveStatus}
		}
		for i, x := range list {
			if x.gz || taken[i] || emptyCheck(x.st.id) != p.Check {
				continue
			}
			src, err := x.open(c.keepBytes())
			if err != nil {
				continue
			}
			if fits(src) {
				return place{i, src, x.st}
			}
			_ = src.Close()
		}
	}
	if live != nil {
		if ok, _ := m.holds(live); ok {
			return place{len(list), live, liveStatus}
		}
	}
	i, src := c.locate(ctx, m, list, taken)
	if src == nil {
		return place{at: i}
	}
	st := list[i].st
	if list[i].gz {
		st.size = -1
	}
	return place{i, src, st}
}
