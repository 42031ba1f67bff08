package rules

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// eachTally fires on every event. Where the rule has once, it remembers when each combination of key
// and values was last seen, and fires on an event only if there was none like it in (t−window, t].
type eachTally struct {
	once    bool
	window  time.Duration
	limits  *keyLimit
	table   windowTable[int64] // time last seen
	shows   *showTable
	scratch [1]hit
}

func newEachTally(r *Rule, keys *keyLimit, shows *showTable) *eachTally {
	return &eachTally{once: len(r.Once) > 0 && r.Window > 0, window: r.Window, limits: keys, shows: shows}
}

func (t *eachTally) count(p *pending) (firing, bool) {
	if t.once && t.repeated(p) {
		return firing{}, false
	}
	return firing{count: 1, first: p.time}, true
}

func (t *eachTally) hits(p *pending) []hit {
	// Nothing is kept of the event: the alert releases its show values.
	t.scratch[0] = hit{time: p.time, event: p.event, show: t.shows.intern(p.data[p.keyLen:]), drill: p.drill}
	return t.scratch[:]
}

func (t *eachTally) repeated(p *pending) bool {
	key := both(p.key, p.value)
	last := t.table.get(key)
	if last != nil && p.time < *last {
		// A late event: it repeats what was seen after it just as well, and moves nothing.
		return p.time > timeSub(*last, t.window)
	}
	repeated := last != nil && *last > timeSub(p.time, t.window)
	last, added := t.table.touch(key)
	*last = p.time
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
	return repeated
}

func (t *eachTally) expire(now int64) {
	edge := timeSub(now, t.window)
	for last := t.table.first(); last != nil && *last <= edge; last = t.table.first() {
		t.table.dropFirst()
	}
}

func (t *eachTally) evict() bool {
	if t.table.len() == 0 {
		return false
	}
	t.limits.evicted++
	t.table.dropFirst()
	return true
}

func (t *eachTally) keys() int { return t.table.len() }

func (t *eachTally) size() int64 { return int64(t.table.len()) * keyCost }

func (t *eachTally) appendTo(w *snapshotWriter) {
	w.count(t.table.len())
	t.table.all(func(key event.Hash, last *int64) {
		w.hash(key)
		w.int(*last)
	})
}

func (t *eachTally) readFrom(r *snapshotReader) {
	for range r.count(16) {
		last, added := t.table.touch(r.hash())
		*last = r.int()
		if !added {
			r.fail()
		}
		if r.err != nil {
			return
		}
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}
