package file

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scan finds the files that the globs match and starts to tail those that are new.
func (c *Collector) scan(ctx context.Context) {
	c.scanSoon = false
	found := c.glob()
	var fresh []string
	for _, path := range found {
		if c.byPath[path] == nil && c.wanted(path, found) {
			fresh = append(fresh, path)
		}
	}
	// The journal knows paths that are not there now: their files may stand under a rotated name.
	for path := range c.resume {
		if c.byPath[path] == nil && !slices.Contains(fresh, path) && c.matches(path) {
			fresh = append(fresh, path)
		}
	}
	slices.SortFunc(fresh, func(a, b string) int { // known ones first: of two names of one file it wins
		if x, y := len(c.resume[a]) > 0, len(c.resume[b]) > 0; x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	refused := 0
	for _, path := range fresh {
		if ctx.Err() != nil {
			return
		}
		if len(c.resume[path]) == 0 && !c.wanted(path, found) {
			continue // a second name of a file that was begun just now
		}
		if len(c.tails) >= c.cfg.MaxFiles && !c.forget() {
			refused++
			continue
		}
		c.start(ctx, path)
	}
	if (refused > 0) != c.crowded {
		c.crowded = refused > 0
		if c.crowded {
			c.log.Error("too many files match, some are not read", "max_files", c.cfg.MaxFiles, "not_read", refused)
		}
	}
	c.stats.Add(func(s *Stats) { s.Refused, s.Files = int64(refused), len(c.tails) })
	c.watch.follow(c.cfg.Paths, c.tails)
}

// glob returns the paths that match, sorted, each once.
func (c *Collector) glob() []string {
	var all []string
	for _, p := range c.cfg.Paths {
		m, err := filepath.Glob(p)
		if err != nil {
			continue // New has checked the pattern
		}
		all = append(all, m...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, c.excluded)
}

func (c *Collector) matches(path string) bool {
	return !c.excluded(path) && slices.ContainsFunc(c.cfg.Paths, func(p string) bool {
		ok, _ := filepath.Match(p, path)
		return ok
	})
}

func (c *Collector) excluded(path string) bool {
	return slices.ContainsFunc(c.cfg.Exclude, func(p string) bool {
		whole, _ := filepath.Match(p, path)
		base, _ := filepath.Match(p, filepath.Base(path))
		return whole || base
	})
}

// wanted tells whether a path that matches is a log of its own. Rotated files, archives, second
// names and what is not a regular file are not; each is logged once.
func (c *Collector) wanted(path string, found []string) bool {
	why := c.unwanted(path, found)
	if why == "" {
		delete(c.skipped, path)
		return true
	}
	if why != "again" && !c.skipped[path] && len(c.skipped) < maxGone {
		c.skipped[path] = true
		c.log.Info("a file that matches is not tailed", "path", path, "why", why)
	}
	return false
}

func (c *Collector) unwanted(path string, found []string) (why string) {
	if compressedExt(path) != "" {
		return "it is compressed"
	}
	dir, name := filepath.Split(path)
	rotatedFrom(name, func(base, _ string) bool {
		if _, ok := slices.BinarySearch(found, dir+base); ok || c.byPath[dir+base] != nil || len(c.resume[dir+base]) > 0 {
			why = "it is a rotated file of another one that is tailed"
		}
		return why == ""
	})
	if why != "" {
		return why
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSymlink != 0 {
		if target := resolved(path); target != "" && target != path {
			if _, ok := slices.BinarySearch(found, target); ok {
				return "it is a link to another one that is tailed"
			}
		}
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "again" // gone, a broken link or not permitted: try again with the next scan
	}
	if !fi.Mode().IsRegular() {
		return "it is not a regular file"
	}
	st, ok := statusOf(fi)
	if !ok {
		return "it has no identity"
	}
	for _, t := range c.tails {
		for _, g := range t.gens {
			if g.id == st.id && !g.closed() {
				return "it is a second name of a file that is tailed"
			}
		}
	}
	if g, ok := c.gone[st.id]; ok && c.stillHolds(g, candidate{name: path, st: st}) {
		return "it was read under another name"
	}
	return ""
}

// start begins to tail a path.
func (c *Collector) start(ctx context.Context, path string) {
	t := &tail{path: path, next: 1, target: resolved(path)}
	i, _ := slices.BinarySearchFunc(c.tails, path, func(t *tail, p string) int { return strings.Compare(t.path, p) })
	c.tails = slices.Insert(c.tails, i, t)
	c.byPath[path] = t
	if positions := c.resume[path]; len(positions) > 0 {
		delete(c.resume, path)
		c.goOn(ctx, t, positions)
	} else {
		c.rotate(t)
		if g := t.live(); g != nil && c.fresh && c.cfg.StartAtEnd {
			c.skipToEnd(g)
		}
	}
	c.look(ctx, t, false)
}

// skipToEnd moves to the beginning of the last line that is not complete yet.
func (c *Collector) skipToEnd(g *generation) {
	buf := c.batch.arena[:longLine]
	for off := g.size; off > 0; {
		n := min(off, int64(len(buf)))
		if m, err := g.src.ReadAt(buf[:n], off-n); int64(m) < n {
			c.complain(g.tail, err)
			return
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				c.moveTo(g, off-n+i+1)
				return
			}
		}
		off -= n
	}
}

// moveTo sets the reading offset of a file of which nothing is in the batch.
func (c *Collector) moveTo(g *generation, off int64) {
	window := make([]byte, min(probeBytes, off))
	if n, err := g.src.ReadAt(window, off-int64(len(window))); n < len(window) {
		c.complain(g.tail, err)
		return
	}
	g.end, g.read, g.scanned = off, off, off
	if off > 0 {
		g.probe.set(window, off)
	}
}

// forget drops a path that has no file any more, to make room. It reports whether there was one.
func (c *Collector) forget() bool {
	for i, t := range c.tails {
		if t.live() != nil || t.ready || slices.ContainsFunc(t.gens, func(g *generation) bool { return !g.closed() || !g.done || g.index >= 0 }) {
			continue
		}
		if len(t.gens) == 0 && t.trouble != "" {
			continue
		}
		c.tails = slices.Delete(c.tails, i, i+1)
		delete(c.byPath, t.path)
		return true
	}
	return false
}
