package rules

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// thresholdTally counts events of a key in (t−window, t]. It keeps the newest events of each key:
// as many as the threshold asks for decide exactly whether it is reached, and some more make the
// count that an alert states exact for all but the fastest floods.
type thresholdTally struct {
	need    int
	limit   int // hits kept of one key
	window  time.Duration
	limits  *keyLimit
	table   windowTable[hitRing]
	shows   *showTable
	kept    int64 // hits of all keys
	scratch []hit
}

// minKept is the least number of events that are kept of a key that has so many.
const minKept = 512

func newThresholdTally(r *Rule, keys *keyLimit, shows *showTable) *thresholdTally {
	need := needOf(r)
	return &thresholdTally{need: need, limit: max(2*need, minKept), window: r.Window, limits: keys, shows: shows}
}

// needOf is the rule's count, kept in a range in which memory stays bounded.
func needOf(r *Rule) int { return int(min(max(r.Count, 1), 1<<20)) }

func (t *thresholdTally) count(p *pending) (firing, bool) {
	ring, added := t.table.touch(p.key)
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
	edge := timeSub(p.time, t.window)
	for ring.n > 0 && ring.at(0).time <= edge {
		t.drop(ring)
	}
	if int(ring.n) == t.limit {
		t.drop(ring)
	}
	ring.push(hit{time: p.time, event: p.event, show: t.shows.intern(p.data[p.keyLen:]), drill: p.drill})
	t.kept++
	if int(ring.n) < t.need {
		return firing{}, false
	}
	return firing{count: int64(ring.n), first: ring.at(0).time, atLeast: int(ring.n) == t.limit}, true
}

func (t *thresholdTally) hits(p *pending) []hit {
	ring := t.table.get(p.key)
	t.scratch = t.scratch[:0]
	for i := range int(ring.n) {
		t.scratch = append(t.scratch, *ring.at(i))
	}
	return t.scratch
}

func (t *thresholdTally) drop(ring *hitRing) {
	t.shows.release(ring.shift().show)
	t.kept--
}

func (t *thresholdTally) expire(now int64) {
	edge := timeSub(now, t.window)
	for {
		ring := t.table.first()
		if ring == nil || ring.n > 0 && ring.at(int(ring.n)-1).time > edge {
			return
		}
		t.dropFirst(ring)
	}
}

func (t *thresholdTally) evict() bool {
	ring := t.table.first()
	if ring == nil {
		return false
	}
	t.limits.evicted++
	t.dropFirst(ring)
	return true
}

func (t *thresholdTally) copyKey(key event.Hash, from tally) {
	source := from.(*thresholdTally).table.get(key)
	if ring := t.table.get(key); ring != nil {
		for ring.n > 0 {
			t.drop(ring)
		}
	}
	if source == nil {
		t.table.remove(key)
		return
	}
	ring, added := t.table.touch(key)
	for i := range int(source.n) {
		h := *source.at(i)
		t.shows.use(h.show)
		ring.push(h)
		t.kept++
	}
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
}

// dropFirst forgets the first key, whose state is given.
func (t *thresholdTally) dropFirst(ring *hitRing) {
	for ring.n > 0 {
		t.drop(ring)
	}
	t.table.dropFirst()
}

func (t *thresholdTally) keys() int { return t.table.len() }

func (t *thresholdTally) size() int64 { return int64(t.table.len())*keyCost + t.kept*hitCost }

func (t *thresholdTally) appendTo(w *snapshotWriter) {
	w.count(t.table.len())
	t.table.all(func(key event.Hash, ring *hitRing) {
		w.hash(key)
		w.count(int(ring.n))
		for i := range int(ring.n) {
			w.hit(ring.at(i))
		}
	})
}

func (t *thresholdTally) readFrom(r *snapshotReader) {
	for range r.count(16) {
		ring, added := t.table.touch(r.hash())
		last := int64(noTime)
		n := r.count(16)
		if !added || n > t.limit {
			r.fail()
		}
		for range n {
			h := r.hit(t.shows)
			if h.time < last {
				r.fail()
			}
			if r.err != nil {
				return
			}
			last = h.time
			ring.push(h)
			t.kept++
		}
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}
