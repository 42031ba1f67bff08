package file

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/liveward/liveward/internal/event"
)

// tail is one tailed path with its generations, the oldest first. Those before current are finished,
// and are kept as long as stray lines may come or the journal needs their position; those after it
// wait for their turn.
type tail struct {
	path    string
	target  string // what the path led to when it was opened last, symbolic links followed
	gens    []*generation
	next    uint64 // ordinal of the next generation
	ready   bool   // there is something to read
	trouble string // the problem that was logged last

	idleNow, idleKnown bool // idle, as found for the batch that is being built
}

// generation is one file that stands or stood at a path.
type generation struct {
	tail    *tail
	ordinal uint64
	name    string // where the file was found
	id      ident
	src     source // nil while closed
	live    bool   // it stands at the path
	final   bool   // nobody writes to it any more: it is compressed, a copy, or followed by two others
	resting bool   // its last line, without a line feed, is to be handed over
	stalled bool   // reading failed; not tried again before the next poll

	fingerprint event.Hash
	probe       probe
	end         int64 // acknowledged
	read        int64 // in the batch under construction or acknowledged
	scanned     int64 // from read to here there is no end of a line
	longEnd     int64 // end of a line that is too long, once found; else 0
	size        int64 // when looked at last; -1 where it cannot be known
	peeked      int64 // size at which the first line was looked for
	mtime       int64
	links       uint64
	since       int64 // mtime when its content was last seen to be its own
	empty       bool  // it was empty when it was found, and so far
	atEnd       bool  // the last read met the end of the file, or failed for good

	finished   bool // read to its end after it was rotated away
	registered bool // the journal knows of it
	named      bool // … with its fingerprint
	done       bool // … as finished
	quiet      int  // polls without growth
	blocking   int  // polls during which the next generation has waited
	failures   int  // reads that failed since the last one that did not
	index      int  // in the batch, or -1
}

func (t *tail) add(g *generation) *generation {
	g.tail, g.index = t, -1
	if g.ordinal == 0 {
		g.ordinal = t.next
	}
	t.next = max(t.next, g.ordinal+1)
	t.gens = append(t.gens, g)
	return g
}

// current is the generation whose turn it is; nil when all are finished.
func (t *tail) current() *generation {
	for _, g := range t.gens {
		if !g.finished {
			return g
		}
	}
	return nil
}

// begun are the generations whose turn has come.
func (t *tail) begun() []*generation {
	for i, g := range t.gens {
		if !g.finished {
			return t.gens[:i+1]
		}
	}
	return t.gens
}

func (t *tail) last() *generation {
	if len(t.gens) == 0 {
		return nil
	}
	return t.gens[len(t.gens)-1]
}

func (t *tail) live() *generation {
	if g := t.last(); g != nil && g.live {
		return g
	}
	return nil
}

// closed tells that nothing more will be read of it.
func (g *generation) closed() bool { return g.finished && g.src == nil }

// unread tells whether there are bytes that were not looked at.
func (g *generation) unread() bool {
	switch {
	case g.closed():
		return false
	case g.size < 0:
		return !g.atEnd
	}
	return g.size > max(g.read, g.scanned)
}

func (g *generation) close() {
	if g.src != nil {
		_ = g.src.Close() // nothing was written
		g.src = nil
	}
}

func (g *generation) observe(st status) {
	g.size, g.mtime, g.links = st.size, st.mtime, st.links
}

func (g *generation) position(name string) event.Position {
	p := event.Position{
		Source: name, Path: g.tail.path, Ordinal: g.ordinal, Fingerprint: g.fingerprint,
		Start: g.end, End: g.read, Done: g.finished,
	}
	m := g.mark()
	p.Check, p.CheckAt = m.check, m.checkAt
	return p
}

func (g *generation) mark() mark {
	m := mark{fingerprint: g.fingerprint, end: g.read, checkAt: g.read}
	switch {
	case g.read == 0:
		m.check = emptyCheck(g.id)
	case g.probe.n > 0:
		m.check = checkOf(g.probe.bytes())
	}
	return m
}

// look brings what is known of the path and its files up to date and detects rotation and
// truncation. poll is set on the regular look, by which quiet files are timed.
func (c *Collector) look(ctx context.Context, t *tail, poll bool) {
	for _, g := range t.gens {
		if g.src != nil && !g.live {
			c.restat(g)
		}
		g.stalled = g.stalled && !poll
	}
	fi, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if l := t.live(); l != nil {
			l.live = false
			c.follow(t, l)
		}
	case err != nil:
		c.complain(t, err)
	case !fi.Mode().IsRegular():
		c.complain(t, &fs.PathError{Op: "tail", Path: t.path, Err: errNotRegular})
	default:
		if st, ok := statusOf(fi); ok {
			c.lookLive(ctx, t, st)
		}
	}
	for _, g := range t.gens {
		c.peek(g)
		if !poll || g.closed() {
			continue
		}
		if g.unread() {
			g.quiet = 0
			continue
		}
		if g.quiet++; g.quiet == c.keep && !g.live {
			c.follow(t, g) // before it is given up
		}
	}
	if poll {
		if cur := t.current(); cur != nil && !cur.live && t.awaited(cur) {
			cur.blocking++
		}
	}
	c.advance(t)
}

// follow opens a file that was closed to save descriptors, and rotated since: what was written to it between
// the two would be missed, for nobody would look at it again.
func (c *Collector) follow(t *tail, g *generation) {
	if g.src != nil || g.finished {
		return
	}
	list := c.siblings(t)
	defer release(list)
	c.found(g, list)
}

// revive makes g the file that stands at the path again. It may have been given up meanwhile.
func (c *Collector) revive(g *generation) {
	g.live, g.finished, g.name = true, false, g.tail.path
	g.quiet, g.blocking = 0, 0
	delete(c.gone, g.id)
}

func (c *Collector) lookLive(ctx context.Context, t *tail, st status) {
	if l := t.last(); l != nil && !l.live && l.id == st.id && !l.closed() {
		c.revive(l) // it was moved away and back
	}
	l := t.live()
	if l == nil || l.id != st.id {
		c.rotate(t)
		return
	}
	before := *l
	l.observe(st)
	if st.size == 0 && l.read == 0 && l.probe.n == 0 && !l.empty {
		l.empty, l.since = true, st.mtime
	}
	switch {
	case st.size < max(l.read, l.probe.off+int64(l.probe.n)):
		c.truncate(ctx, l, &before)
	case l.empty && st.size > 0:
		c.lookFilled(ctx, l, &before)
	case l.src == nil && (l.unread() || st.mtime != before.mtime): // it may have grown, or been filled anew
		c.reopen(ctx, l)
	case st.mtime != before.mtime && !l.unread() && !c.intact(l):
		c.truncate(ctx, l, &before)
	case st.size < l.scanned:
		l.scanned, l.longEnd = l.read, 0 // the half line at the end was taken back
	}
}

// intact tells whether what was read of an open file still stands there.
func (c *Collector) intact(g *generation) bool {
	if g.src == nil || g.probe.n == 0 {
		return true
	}
	var have [probeBytes]byte
	n, _ := g.src.ReadAt(have[:g.probe.n], g.probe.off)
	return string(have[:n]) == string(g.probe.bytes())
}

// restat looks at an open file that does not stand at the path any more.
func (c *Collector) restat(g *generation) {
	st, err := g.src.status()
	if err != nil {
		c.complain(g.tail, err)
		return
	}
	g.observe(st)
}

// peek learns the first bytes of a file and, as soon as its first line is complete, its fingerprint,
// so that the file can be told apart before anything of it is read.
func (c *Collector) peek(g *generation) {
	if g.src == nil || g.read > 0 || g.finished || !g.fingerprint.IsZero() || g.size == g.peeked {
		return
	}
	fp, head := headFingerprint(g.src)
	head = head[:min(len(head), probeBytes)]
	if n := min(len(head), g.probe.n); !bytes.Equal(head[:n], g.probe.data[:n]) {
		return // it is not what it was: reading will tell
	}
	g.peeked = g.size
	g.fingerprint = fp
	g.probe.set(head, int64(len(head)))
}

// lookFilled handles a file that was empty so far and is not any more: it may have been filled,
// copied and truncated in between, without a trace but the copies.
func (c *Collector) lookFilled(ctx context.Context, g *generation, before *generation) {
	g.empty = false
	t := g.tail
	all := c.siblings(t, g.id)
	defer release(all)
	c.peek(g)
	if len(c.unknown(t, g, writtenSince(all, g.since))) > 0 {
		// What stands there now came after the copies: of this generation nothing is known.
		g.fingerprint, g.probe.n, g.peeked = event.Hash{}, 0, 0
		c.truncate(ctx, g, before)
	}
}

func (t *tail) hasUnread() bool {
	for _, g := range t.begun() {
		if (g.unread() && !g.stalled) || g.resting {
			return true
		}
	}
	return false
}

// awaited tells whether a later generation has something to read.
func (t *tail) awaited(g *generation) bool {
	after := false
	for _, next := range t.gens {
		if after && next.size != 0 {
			return true
		}
		after = after || next == g
	}
	return false
}

// advance finishes the current generation when its time has come, and the next ones after it. What
// stands behind the last line feed of a finished file is handed over first.
func (c *Collector) advance(t *tail) {
	for {
		g := t.current()
		if g == nil || !c.exhausted(t, g) {
			break
		}
		if g.half() && (g.final || g.quiet >= drainFactor*c.drain) {
			g.resting = true
			break
		}
		g.finished = true
		g.quiet = 0
		c.batch.news = true
	}
	for _, g := range t.gens {
		if !g.finished || g.src == nil || g.live || g.unread() || (!g.final && g.quiet < c.keep) {
			continue
		}
		if g.half() {
			g.resting = true
			continue
		}
		c.remember(g)
		g.close()
	}
	t.ready = t.hasUnread()
}

// half tells whether the file ends in the middle of a line.
func (g *generation) half() bool { return g.scanned > g.read }

// exhausted tells whether a generation is read to its end and its writer has left it.
func (c *Collector) exhausted(t *tail, g *generation) bool {
	overdue := g.blocking >= drainFactor*c.drain // its successor waits for too long
	switch {
	case g.live, g.src == nil && g.unread():
		return false
	case g.unread():
		return overdue && !g.final && !g.half()
	case g.final:
		return true
	case g.src == nil: // nobody knows where it is; it may come back
		return t.awaited(g) || g.quiet >= c.keep
	case t.followers(g) > 1 && !g.half():
		return true
	case t.awaited(g):
		return overdue || g.quiet >= c.drain && !g.half() || g.quiet >= drainFactor*c.drain
	}
	return g.links == 0 && g.quiet >= c.keep
}

// followers counts the generations after g.
func (t *tail) followers(g *generation) int {
	for i := range t.gens {
		if t.gens[i] == g {
			return len(t.gens) - 1 - i
		}
	}
	return 0
}

// idle tells whether the collector stands at the end of everything the path has, by a fresh look.
func (c *Collector) idle(t *tail) bool {
	if t.idleKnown {
		return t.idleNow
	}
	t.idleKnown = true
	t.idleNow = c.standsAtEnd(t)
	return t.idleNow
}

func (c *Collector) standsAtEnd(t *tail) bool {
	for _, g := range t.gens {
		if g.src != nil && !g.live {
			c.restat(g)
		}
		if g.unread() {
			t.ready = t.hasUnread()
			return false
		}
	}
	fi, err := os.Stat(t.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	st, ok := statusOf(fi)
	l := t.live()
	return ok && l != nil && l.id == st.id && st.size <= max(l.read, l.scanned) && st.size >= l.read
}

// prune forgets generations that neither stray lines nor a restart can ask for. A restart looks for
// the files newer than the last one it knows by its first line.
func (c *Collector) prune(t *tail) {
	for len(t.gens) > 1 && t.gens[0].done && t.gens[0].closed() && t.gens[1].named {
		t.gens = append(t.gens[:0], t.gens[1:]...)
	}
}
