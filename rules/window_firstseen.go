package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// firstSeenTally remembers which tuples of values it has seen of each key. The rule fires on an event
// at t whose tuple was not seen of its key in (t−history, t], unless the key is learning: it learns
// from its first event on, for as long as learn, and what it is seen with then is known. Every event
// refreshes its tuple. A tuple that had an alert is known like any other; where it comes again after
// it was forgotten, again may still hold it back.
//
// When the rule starts, all keys are new and learn: until learn has passed the rule is warming. A key
// outlives its tuples, so that a key that was silent for longer than history and comes back from
// somewhere else does fire. It is forgotten when it was not seen for twice the history, and then
// learns anew.
//
// All of it is the rule's history, which has its own section in snapshots. When there is no room the
// key seen longest ago goes with its tuples, and learns anew when it comes back; of a key with too
// many tuples the one seen longest ago goes.
type firstSeenTally struct {
	history time.Duration
	learn   time.Duration
	began   int64 // time of the first event
	limits  *keyLimit
	perKey  int // most tuples of one key
	total   int // most tuples of all keys
	keyed   windowTable[knownKey]
	tuples  windowTable[knownTuple]
	shows   *showTable
	scratch [1]hit
}

// knownKey is a key with the list of its tuples, the one seen longest ago first.
type knownKey struct {
	born, last     int64
	oldest, newest int32 // nodes of tuples, 0 where there is none
	n              int32
}

type knownTuple struct {
	last       int64
	owner      int32 // node of the key
	prev, next int32 // among the tuples of the key
}

const (
	// maxTuples bounds the tuples of one key where the rule has keys. One with more is no case for this
	// kind, and must not push others out.
	maxTuples = 4096
	// tuplesPerKey is how many tuples there is room for, for each key that there is room for.
	tuplesPerKey = 4
	tupleCost    = 96
	knownKeyCost = 96
)

func newFirstSeenTally(r *Rule, keys *keyLimit, shows *showTable) *firstSeenTally {
	t := &firstSeenTally{
		history: r.FirstSeen.History, learn: r.FirstSeen.Learn, began: noTime,
		limits: keys, total: tuplesPerKey * keys.max, shows: shows,
	}
	t.perKey = t.total
	if len(r.By) > 0 {
		t.perKey = min(t.total, maxTuples)
	}
	return t
}

func (t *firstSeenTally) count(p *pending) (firing, bool) {
	owner, k, added := t.keyed.touchNode(p.key)
	if added {
		k.born, k.last = p.time, p.time
		if t.keyed.len() > t.limits.max {
			t.evict()
		}
	} else if k.last <= timeSub(timeSub(p.time, t.history), t.history) {
		k.born = p.time // forgotten, though still there
	}
	if t.began == noTime {
		t.began = p.time
	}
	k.last = max(k.last, p.time)
	n, tuple, added := t.tuples.touchNode(p.value)
	known := !added && tuple.last > timeSub(p.time, t.history)
	switch {
	case added:
		tuple.last, tuple.owner = p.time, owner
		t.link(k, tuple, n)
	case k.newest == n:
		tuple.last = max(tuple.last, p.time)
	default:
		tuple.last = max(tuple.last, p.time)
		t.unlink(&t.keyed.node(tuple.owner).val, tuple)
		tuple.owner = owner
		t.link(k, tuple, n)
	}
	for t.tuples.len() > t.total && t.keyed.len() > 1 {
		t.evict()
	}
	if int(k.n) > t.perKey {
		t.limits.evicted++
		t.dropTuple(k.oldest)
	}
	if known || p.time < timeAdd(k.born, t.learn) {
		return firing{}, false
	}
	return firing{count: 1, first: p.time}, true
}

func (t *firstSeenTally) hits(p *pending) []hit {
	// Nothing is kept of the event: the alert releases its show values.
	t.scratch[0] = hit{time: p.time, event: p.event, show: t.shows.intern(p.data[p.keyLen:]), drill: p.drill}
	return t.scratch[:]
}

// link makes a tuple the newest of its key.
func (t *firstSeenTally) link(k *knownKey, tuple *knownTuple, n int32) {
	tuple.prev, tuple.next = k.newest, 0
	if k.newest != 0 {
		t.tuples.node(k.newest).val.next = n
	} else {
		k.oldest = n
	}
	k.newest = n
	k.n++
}

func (t *firstSeenTally) unlink(k *knownKey, tuple *knownTuple) {
	if tuple.prev != 0 {
		t.tuples.node(tuple.prev).val.next = tuple.next
	} else {
		k.oldest = tuple.next
	}
	if tuple.next != 0 {
		t.tuples.node(tuple.next).val.prev = tuple.prev
	} else {
		k.newest = tuple.prev
	}
	k.n--
}

// dropTuple forgets the tuple of a node.
func (t *firstSeenTally) dropTuple(n int32) {
	tuple := &t.tuples.node(n).val
	t.unlink(&t.keyed.node(tuple.owner).val, tuple)
	t.tuples.drop(n)
}

// dropFirst forgets the key seen longest ago, with its tuples.
func (t *firstSeenTally) dropFirst(k *knownKey) {
	for k.n > 0 {
		t.dropTuple(k.oldest)
	}
	t.keyed.dropFirst()
}

func (t *firstSeenTally) expire(now int64) {
	edge := timeSub(now, t.history)
	for tuple := t.tuples.first(); tuple != nil && tuple.last <= edge; tuple = t.tuples.first() {
		t.dropTuple(t.tuples.oldest)
	}
	edge = timeSub(edge, t.history)
	for k := t.keyed.first(); k != nil && k.last <= edge; k = t.keyed.first() {
		t.dropFirst(k)
	}
}

func (t *firstSeenTally) evict() bool {
	k := t.keyed.first()
	if k == nil {
		return false
	}
	t.limits.evicted++
	t.dropFirst(k)
	return true
}

func (t *firstSeenTally) keys() int { return t.keyed.len() }

func (t *firstSeenTally) size() int64 {
	return int64(t.keyed.len())*knownKeyCost + int64(t.tuples.len())*tupleCost
}

func (t *firstSeenTally) warming(now int64) bool {
	return t.learn > 0 && (t.began == noTime || now < timeAdd(t.began, t.learn))
}

func (t *firstSeenTally) placeholder(string) (string, bool) { return "", false }

func (t *firstSeenTally) explain(r *Rule, a *event.Alert) string {
	var parts []string
	for _, id := range r.Of {
		if i := slices.IndexFunc(a.Top, func(top event.Top) bool { return top.Field == id }); i >= 0 {
			parts = append(parts, id.String()+"="+a.Top[i].Values[0])
		}
	}
	text := strings.Join(parts, " and ")
	if key := a.KeyText(); key != "" {
		text += " of " + key
	}
	return text + " was not seen in " + event.FormatDuration(a.Window) + " before " + clock(a.Time) + " (UTC)"
}

// The state is all history.
func (t *firstSeenTally) appendTo(*snapshotWriter) {}
func (t *firstSeenTally) readFrom(*snapshotReader) {}

// firstSeenVersion is the form of the history. Forms before it are to be read as well.
const firstSeenVersion = 1

func (t *firstSeenTally) historyVersion() uint64 { return firstSeenVersion }

func (t *firstSeenTally) appendHistory(w *snapshotWriter) {
	w.int(t.began)
	w.count(t.keyed.len())
	number := make(map[int32]int, t.keyed.len())
	for n := t.keyed.oldest; n != 0; {
		nd := t.keyed.node(n)
		number[n] = len(number)
		w.hash(nd.key)
		w.int(nd.val.born)
		w.int(nd.val.last)
		n = nd.next
	}
	w.count(t.tuples.len())
	t.tuples.all(func(key event.Hash, tuple *knownTuple) {
		w.hash(key)
		w.count(number[tuple.owner])
		w.int(tuple.last)
	})
}

func (t *firstSeenTally) readHistory(r *snapshotReader) {
	t.began = r.int()
	var nodes []int32
	for range r.count(18) {
		key := r.hash()
		k, added := t.keyed.touch(key)
		k.born, k.last = r.int(), r.int()
		if !added || k.born > k.last {
			r.fail()
		}
		if r.err != nil {
			return
		}
		nodes = append(nodes, t.keyed.slots[key])
	}
	for range r.count(18) {
		value, owner, last := r.hash(), r.uint(), r.int()
		if owner >= uint64(len(nodes)) {
			r.fail()
		}
		if r.err != nil {
			return
		}
		tuple, added := t.tuples.touch(value)
		if !added {
			r.fail()
			return
		}
		tuple.owner, tuple.last = nodes[owner], last
		k := &t.keyed.node(tuple.owner).val
		t.link(k, tuple, t.tuples.slots[value])
		if int(k.n) > t.perKey {
			t.limits.evicted++
			t.dropTuple(k.oldest)
		}
	}
	for t.keyed.len() > t.limits.max || t.tuples.len() > t.total && t.keyed.len() > 1 {
		t.evict()
	}
}
