package rules

import (
	"sync/atomic"

	"github.com/liveward/liveward/internal/event"
)

// tally is the state of one rule's windows: what its kind remembers of the events of each key. It is
// given events in the order of their times, knows no clock and no rule but its own, and keeps only
// what it needs to decide exactly.
type tally interface {
	// count takes one event in and tells whether the rule fires on it. Events that are late come to
	// kind each alone, in any order.
	count(p *pending) (firing, bool)
	// hits returns the events of the window in which the rule has just fired, oldest first; the last
	// one fired. They are valid until the next call.
	hits(p *pending) []hit
	// expire forgets the keys on which no event from now on, in event time, can look back.
	expire(now int64)
	// evict forgets the key that was touched longest ago, for want of room, and counts it; false
	// where there is none.
	evict() bool
	// keys is the number of keys remembered, size an estimate of their bytes. Both are functions of
	// the events alone: evictions depend on them.
	keys() int
	size() int64
	// appendTo and readFrom are the state's part of a snapshot.
	appendTo(w *snapshotWriter)
	readFrom(r *snapshotReader)
	// freeze gives the state as it is now, for appendTo alone, with the show values given.
	freeze(done *atomic.Bool, shows *showTable) tally
}

// timed is a tally that fires without an event: when event time reaches a deadline. Deadlines come
// before the events of their time.
type timed interface {
	tally
	// due is the earliest deadline; false where there is none.
	due() (int64, bool)
	// strike takes the earliest deadline away and tells whether the rule fires at it. It fills in p as
	// if an event had come then: time, key, data, and the event that stands for the firing in its id. It
	// is called only where due is true.
	strike(p *pending) (firing, bool)
	// mute keeps deadlines up to now silent: they lie before the rule came.
	mute(now int64)
}

// historian is a tally whose memory outlives the journal, from which it cannot be rebuilt: it has its
// own section in snapshots, which stays readable when the form of the rest changes.
type historian interface {
	// historyVersion is the form that appendHistory writes.
	historyVersion() uint64
	appendHistory(w *snapshotWriter)
	// readHistory reads a history of this form into an empty tally.
	readHistory(r *snapshotReader)
}

// describer is a tally that can say more of its latest firing than a count. It is asked after hits.
type describer interface {
	// placeholder is the value of a title's placeholder; false where it is not the kind's.
	placeholder(name string) (string, bool)
	// explain says in one sentence why the rule fired.
	explain(r *Rule, a *event.Alert) string
}

// keyLimit bounds the keys of a rule and counts those that it cost.
type keyLimit struct {
	max     int
	evicted int64
}

// newTally makes the state of a rule's kind. A kind that windows do not know never fires.
func newTally(r *Rule, keys *keyLimit, shows *showTable) tally {
	switch {
	case r.Kind == Distinct, r.Kind == Threshold && len(r.Once) > 0:
		return newDistinctTally(r, keys, shows)
	case r.Kind == Threshold:
		return newThresholdTally(r, keys, shows)
	case r.Kind == Sequence:
		return newSequenceTally(r, keys, shows)
	case r.Kind == FirstSeen:
		return newFirstSeenTally(r, keys, shows)
	case r.Kind == Spike:
		return newSpikeTally(r, keys, shows)
	case r.Kind == Absence:
		return newAbsenceTally(r, keys, shows)
	case r.Kind == Chain:
		return newChainTally(r, keys)
	case r.Kind == Each:
		return newEachTally(r, keys, shows)
	}
	return silentTally{}
}

// firing is what suppression needs to know of the window in which a rule fired. In a flood nearly
// all firings are held back, so that it is small.
type firing struct {
	count     int64 // events, or different values
	first     int64 // time of the first event counted
	different bool  // count is of different values
	atLeast   bool  // count is what was kept; there may have been more
	report    report
}

// hit is one event in a window.
type hit struct {
	time  int64
	event event.Hash
	show  uint32 // reference into the rule's showTable
	drill bool
}

// Estimates of memory, for the budget.
const (
	keyCost = 160 // a key without its events: map entry, node, slice
	hitCost = 32
)

// hitRing is a queue of hits.
type hitRing = queue[hit]

// queue is kept in a ring that grows with its use.
type queue[T any] struct {
	buf  []T
	head int32
	n    int32
}

func (r *queue[T]) at(i int) *T {
	i += int(r.head)
	if i >= len(r.buf) {
		i -= len(r.buf)
	}
	return &r.buf[i]
}

// push adds an element at the end.
func (r *queue[T]) push(h T) {
	if int(r.n) == len(r.buf) {
		grown := make([]T, max(1, 2*len(r.buf)))
		for i := range int(r.n) {
			grown[i] = *r.at(i)
		}
		r.buf, r.head = grown, 0
	}
	r.n++
	*r.at(int(r.n) - 1) = h
}

// shift removes the first element. An emptied ring gives a large buffer back.
func (r *queue[T]) shift() T {
	h := r.buf[r.head]
	r.head++
	if int(r.head) == len(r.buf) {
		r.head = 0
	}
	r.n--
	if r.n == 0 {
		r.head = 0
		if len(r.buf) > 64 {
			r.buf = nil
		}
	}
	return h
}

// silentTally is the state of kinds without one.
type silentTally struct{}

func (silentTally) count(*pending) (firing, bool) { return firing{}, false }
func (silentTally) hits(*pending) []hit           { return nil }
func (silentTally) expire(int64)                  {}
func (silentTally) evict() bool                   { return false }
func (silentTally) keys() int                     { return 0 }
func (silentTally) size() int64                   { return 0 }
func (silentTally) appendTo(*snapshotWriter)      {}
func (silentTally) readFrom(*snapshotReader)      {}
