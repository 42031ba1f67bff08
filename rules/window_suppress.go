package rules

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// suppressor holds firings of a key back after an alert of the same key, for a fixed time of the
// events: it is not extended by what it holds back, so that an attack that does not end is reported
// again and again, at a bounded rate.
type suppressor struct {
	limits *keyLimit
	table  windowTable[heldKey]
}

// heldKey is what is remembered of a key that had an alert.
type heldKey struct {
	last      int64 // time of the alert that began the period
	first     int64 // time of the first event that alert counted
	running   int64 // count of that alert and of the firings since
	held      int64 // firings held back since the last alert of any sort
	escalated bool
}

// remember is how long the number of firings held back waits for the key's next alert.
const remember = 24 * time.Hour

// verdict is what becomes of a firing.
type verdict uint8

const (
	verdictHold     verdict = iota // no alert
	verdictRaise                   // an alert, which begins a period
	verdictEscalate                // one more alert within the period: it has become that much worse
)

// judge decides on a firing at time t. held is the number of firings held back since the key's
// previous alert, period is what an escalation is about.
//
// The running count of a period is that of its alert and one for each firing since; where different
// values are counted it is the most that were in the window at once.
func (s *suppressor) judge(rule *Suppress, key event.Hash, t int64, f *firing) (v verdict, held int64, period heldKey) {
	if rule.For <= 0 {
		return verdictRaise, 0, heldKey{}
	}
	k, added := s.table.touch(key)
	if added || t >= timeAdd(k.last, rule.For) {
		held = k.held
		*k = heldKey{last: t, first: f.first, running: f.count}
		k.escalated = rule.EscalateAt > 0 && k.running >= rule.EscalateAt
		if added && s.table.len() > s.limits.max {
			s.evict()
		}
		return verdictRaise, held, *k
	}
	if f.different {
		k.running = max(k.running, f.count)
	} else {
		k.running++
	}
	if rule.EscalateAt > 0 && !k.escalated && k.running >= rule.EscalateAt {
		k.escalated = true
		held, k.held = k.held, 0
		return verdictEscalate, held, *k
	}
	k.held++
	return verdictHold, 0, *k
}

// holds tells whether a firing at t would be held back.
func (s *suppressor) holds(rule *Suppress, key event.Hash, t int64) bool {
	k := s.table.get(key)
	return k != nil && t < timeAdd(k.last, rule.For)
}

// begin begins a period at t, unless the key's is not over. from is since when it could have begun.
func (s *suppressor) begin(rule *Suppress, key event.Hash, t int64, f *firing) (from, held int64, ok bool) {
	from = noTime
	if k := s.table.get(key); k != nil {
		from = timeAdd(k.last, rule.For)
		if t < from {
			return 0, 0, false
		}
	}
	_, held, _ = s.judge(rule, key, t, f)
	return from, held, true
}

// hold counts a firing that is held back.
func (s *suppressor) hold(key event.Hash) {
	if k := s.table.get(key); k != nil {
		k.held++
	}
}

// expire forgets the keys whose period is over for all events from now on, and whose held firings
// have waited long enough for an alert to tell of them.
func (s *suppressor) expire(rule *Suppress, now int64) {
	for k := s.table.first(); k != nil; k = s.table.first() {
		end := timeAdd(k.last, rule.For)
		if k.held > 0 {
			end = max(end, timeAdd(k.last, remember))
		}
		if end > now {
			return
		}
		s.table.dropFirst()
	}
}

func (s *suppressor) evict() bool {
	if s.table.len() == 0 {
		return false
	}
	s.limits.evicted++
	s.table.dropFirst()
	return true
}

func (s *suppressor) size() int64 { return int64(s.table.len()) * keyCost }

func (s *suppressor) appendTo(w *snapshotWriter) {
	w.count(s.table.len())
	s.table.all(func(key event.Hash, k *heldKey) {
		w.hash(key)
		w.int(k.last)
		w.int(k.first)
		w.int(k.running)
		w.int(k.held)
		w.bool(k.escalated)
	})
}

func (s *suppressor) readFrom(r *snapshotReader) {
	for range r.count(20) {
		k, added := s.table.touch(r.hash())
		*k = heldKey{last: r.int(), first: r.int(), running: r.int(), held: r.int(), escalated: r.bool()}
		if !added {
			r.fail()
		}
		if r.err != nil {
			return
		}
	}
	for s.table.len() > s.limits.max {
		s.evict()
	}
}
