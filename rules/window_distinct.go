package rules

import (
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// distinctTally counts different values of a key in (t−window, t]. It keeps the most recently seen
// values of each key, each with the last event that had it: as many as the rule asks for decide
// exactly whether there are enough. A threshold with once is the same over the values of once.
type distinctTally struct {
	need    int
	limit   int // values kept of one key
	window  time.Duration
	limits  *keyLimit
	table   windowTable[seenValues]
	shows   *showTable
	values  int64 // kept of all keys
	scratch []hit
}

// seenValues are the values of one key, the one not seen for longest first.
type seenValues struct{ list []seenValue }

type seenValue struct {
	value event.Hash
	hit
}

const (
	// minKeptValues is the least number of values that are kept of a key that has so many. An event
	// looks through them all, so that it is smaller than minKept.
	minKeptValues = 128
	valueCost     = 48
)

func newDistinctTally(r *Rule, keys *keyLimit, shows *showTable) *distinctTally {
	need := needOf(r)
	limit := max(2*need, minKeptValues, int(min(r.Suppress.EscalateAt, 1<<20)))
	return &distinctTally{need: need, limit: limit, window: r.Window, limits: keys, shows: shows}
}

func (t *distinctTally) count(p *pending) (firing, bool) {
	k, added := t.table.touch(p.key)
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
	edge := timeSub(p.time, t.window)
	old := 0
	for old < len(k.list) && k.list[old].time <= edge {
		old++
	}
	t.drop(k, 0, old)
	show := t.shows.intern(p.data[p.keyLen:]) // first: mostly it is that of the value's event before
	if i := k.find(p.value); i >= 0 {
		t.drop(k, i, i+1)
	} else if len(k.list) == t.limit {
		t.drop(k, 0, 1)
	}
	k.list = append(k.list, seenValue{p.value, hit{
		time: p.time, event: p.event, show: show, drill: p.drill,
	}})
	t.values++
	if len(k.list) < t.need {
		return firing{}, false
	}
	return firing{count: int64(len(k.list)), first: k.list[0].time, different: true, atLeast: len(k.list) == t.limit}, true
}

func (t *distinctTally) hits(p *pending) []hit {
	t.scratch = t.scratch[:0]
	for _, v := range t.table.get(p.key).list {
		t.scratch = append(t.scratch, v.hit)
	}
	return t.scratch
}

// find looks for a value, the newest first; -1 where it is not there.
func (k *seenValues) find(value event.Hash) int {
	for i, v := range slices.Backward(k.list) {
		if v.value == value {
			return i
		}
	}
	return -1
}

// drop forgets the values [from, to).
func (t *distinctTally) drop(k *seenValues, from, to int) {
	if from == to {
		return
	}
	for i := from; i < to; i++ {
		t.shows.release(k.list[i].show)
	}
	t.values -= int64(to - from)
	k.list = append(k.list[:from], k.list[to:]...)
	if len(k.list) == 0 && cap(k.list) > 64 {
		k.list = nil
	}
}

func (t *distinctTally) expire(now int64) {
	edge := timeSub(now, t.window)
	for {
		k := t.table.first()
		if k == nil || len(k.list) > 0 && k.list[len(k.list)-1].time > edge {
			return
		}
		t.dropFirst(k)
	}
}

func (t *distinctTally) evict() bool {
	k := t.table.first()
	if k == nil {
		return false
	}
	t.limits.evicted++
	t.dropFirst(k)
	return true
}

func (t *distinctTally) copyKey(key event.Hash, from tally) {
	source := from.(*distinctTally).table.get(key)
	if k := t.table.get(key); k != nil {
		t.drop(k, 0, len(k.list))
	}
	if source == nil {
		t.table.remove(key)
		return
	}
	k, added := t.table.touch(key)
	k.list = append(k.list, source.list...)
	t.values += int64(len(source.list))
	for i := range source.list {
		t.shows.use(source.list[i].show)
	}
	if added && t.table.len() > t.limits.max {
		t.evict()
	}
}

// dropFirst forgets the first key, whose state is given.
func (t *distinctTally) dropFirst(k *seenValues) {
	t.drop(k, 0, len(k.list))
	t.table.dropFirst()
}

func (t *distinctTally) keys() int { return t.table.len() }

func (t *distinctTally) size() int64 { return int64(t.table.len())*keyCost + t.values*valueCost }

func (t *distinctTally) appendTo(w *snapshotWriter) {
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *seenValues) {
		w.hash(key)
		w.count(len(k.list))
		for i := range k.list {
			w.hash(k.list[i].value)
			w.hit(&k.list[i].hit)
		}
	})
}

func (t *distinctTally) readFrom(r *snapshotReader) {
	for range r.count(16) {
		k, added := t.table.touch(r.hash())
		last := int64(noTime)
		n := r.count(32)
		if !added || n > t.limit {
			r.fail()
		}
		for range n {
			v := seenValue{value: r.hash(), hit: r.hit(t.shows)}
			if v.time < last || k.find(v.value) >= 0 {
				r.fail()
			}
			if r.err != nil {
				return
			}
			last = v.time
			k.list = append(k.list, v)
			t.values++
		}
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}
