package rules

import (
	"bytes"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// early is what a rule with emit: eager knows beyond the order of events: its windows as they would be,
// were everything that waits for the watermark counted now. The rule fires when they do.
//
// That is sound only where one more event can never take a firing back: the rule is monotone, and what
// comes later can but show that it should have fired before. Order still has the last word. When it
// comes to the firing, and finds it at another event, it says so in one update.
type early struct {
	tally   earlyTally
	limits  *keyLimit
	waiting map[event.Hash]*earlyKey
	told    windowTable[earlyAlerts]
	scratch firing
}

// earlyTally is a tally of which a key can be taken over by another of its kind.
type earlyTally interface {
	tally
	// copyKey makes the key's state that of another tally over the same show values.
	copyKey(key event.Hash, from tally)
}

// earlyKey is what waits of a key, in the order of events.
type earlyKey struct {
	waiting []*pending
	stale   bool // the key's windows do not hold all of it
	many    int  // where more than maxEarly wait or did: how many do, and waiting is empty
}

// earlyAlerts are the alerts of a key that order has not come to, oldest first.
type earlyAlerts struct{ list []earlyAlert }

// earlyAlert stands for the first firing among those from its period's beginning up to its own event.
type earlyAlert struct {
	id           event.Hash
	event        event.Hash // that fired
	from, at     int64
	count, first int64
	confirmed    bool // order has come to the period's first firing
}

// maxEarly bounds what waits of a key that is looked at again when an event comes out of order. A key
// with more waits for the watermark, like those of other rules, until all of it was counted: of it only
// the number is kept, so that who sends more makes nothing slower.
const maxEarly = 1024

// earlyCost is what an alert that did not wait costs beside its suppression.
const earlyCost = keyCost + 80

// newEarly makes the early windows of a rule; nil where it has none.
func newEarly(r *Rule, maxKeys int, shows *showTable) *early {
	if !r.Eager {
		return nil
	}
	limits := &keyLimit{max: maxKeys}
	t, ok := newTally(r, limits, shows).(earlyTally)
	if !ok {
		return nil
	}
	return &early{tally: t, limits: limits, waiting: map[event.Hash]*earlyKey{}}
}

// arrive takes in a signal that now waits, and fires where the rule does. What a reload brings back
// from the past is silent: order decides on it.
func (w *Windows) arrive(rs *ruleState, p *pending, silent bool) {
	e := rs.early
	k := e.waiting[p.key]
	if k == nil {
		k = new(earlyKey)
		e.waiting[p.key] = k
	}
	if k.many > 0 {
		k.many++
		return
	}
	i := len(k.waiting)
	for i > 0 && k.waiting[i-1].compare(p) > 0 {
		i--
	}
	k.stale = k.stale || silent || i < len(k.waiting)
	k.waiting = slices.Insert(k.waiting, i, p)
	if len(k.waiting) > maxEarly {
		k.many, k.waiting, k.stale = len(k.waiting), nil, true
		return
	}
	newest := k.waiting[len(k.waiting)-1].time
	if silent || rs.held.holds(&rs.rule.Suppress, p.key, newest) {
		k.stale = true
		return
	}
	if !k.stale {
		w.tellEarly(rs, p)
		return
	}
	e.tally.copyKey(p.key, rs.tally)
	for _, q := range k.waiting {
		w.tellEarly(rs, q)
	}
	k.stale = false
}

// tellEarly counts a signal before its time, and raises the alert where the rule fires.
func (w *Windows) tellEarly(rs *ruleState, p *pending) {
	e := rs.early
	f, ok := e.tally.count(p)
	if !ok || p.silent {
		return
	}
	e.scratch = f // the caller's copy would be an allocation
	from, held, raised := rs.held.begin(&rs.rule.Suppress, p.key, p.time, &e.scratch)
	if !raised {
		return
	}
	rs.stats.Fired++
	a := w.raise(rs, e.tally, p, &e.scratch, held)
	told, _ := e.told.touch(p.key)
	if len(told.list) == maxEarly {
		told.list = slices.Delete(told.list, 0, 1)
	}
	told.list = append(told.list, earlyAlert{
		id: a.ID, event: p.event, from: from, at: p.time, count: e.scratch.count, first: e.scratch.first,
	})
}

// leave takes a signal out of what waits. Where order did not count it, the key is taken over anew.
func (e *early) leave(p *pending, ordered tally, counted bool) {
	k := e.waiting[p.key]
	if k == nil {
		return
	}
	k.stale = k.stale || !counted
	if k.many > 0 {
		k.many--
	} else if i := slices.Index(k.waiting, p); i >= 0 {
		k.waiting = slices.Delete(k.waiting, i, i+1)
	}
	if len(k.waiting)+k.many > 0 {
		return
	}
	if k.stale {
		e.tally.copyKey(p.key, ordered)
	}
	delete(e.waiting, p.key)
}

// settle decides on a firing in order of which the rule may have told before. It is false where the
// firing is one like any other.
func (w *Windows) settle(rs *ruleState, p *pending, f *firing) bool {
	k := rs.early.told.get(p.key)
	if k == nil {
		return false
	}
	for len(k.list) > 0 && k.list[0].at < p.time {
		k.list = slices.Delete(k.list, 0, 1)
	}
	if len(k.list) == 0 {
		rs.early.told.remove(p.key)
		return false
	}
	if p.time < k.list[0].from { // of the period before
		rs.held.hold(p.key)
		rs.stats.Suppressed++
		return true
	}
	told := k.list[0]
	k.list[0].confirmed = true
	passed := p.event == told.event
	if passed {
		k.list = slices.Delete(k.list, 0, 1)
	}
	if !told.confirmed {
		w.confirm(rs, p, f, &told, passed && f.count == told.count && f.first == told.first)
	}
	return true
}

// confirm says what order has found of an alert that did not wait: an update, unless it is the same.
func (w *Windows) confirm(rs *ruleState, p *pending, f *firing, told *earlyAlert, same bool) {
	if !same {
		f.report = reportUpdated
	}
	a := rs.alert(rs.tally, p, f, 0)
	a.Rule.Ruleset = w.ruleset
	if !same {
		a.ID = event.HashStrings("update", told.id.String())
		a.Explain = "in the order of events: " + a.Explain
		w.fire(p, a)
	}
	// For rules on alerts it is the alert that was told of, at its place in the order.
	known := *a
	known.ID, known.Status = told.id, event.Firing
	w.chain(&known)
}

// adopt takes over what waits, after a restart.
func (e *early) adopt(rs *ruleState, waiting []waitingSignal) {
	for _, s := range waiting {
		if s.p.state != rs || s.p.late {
			continue
		}
		k := e.waiting[s.p.key]
		if k == nil {
			k = new(earlyKey)
			e.waiting[s.p.key] = k
		}
		if k.many > 0 {
			k.many++
			continue
		}
		k.waiting = append(k.waiting, s.p)
	}
	for key, k := range e.waiting {
		k.many = max(k.many-1, 0) // readFrom has counted one to begin with
		if len(k.waiting)+k.many == 0 {
			delete(e.waiting, key) // no snapshot of ours
		}
		slices.SortFunc(k.waiting, (*pending).compare)
	}
}

func (e *early) appendTo(w *snapshotWriter) {
	e.tally.appendTo(w)
	var stale []event.Hash
	for key, k := range e.waiting {
		if k.stale {
			stale = append(stale, key)
		}
	}
	slices.SortFunc(stale, func(a, b event.Hash) int { return bytes.Compare(a[:], b[:]) })
	w.count(len(stale))
	for _, key := range stale {
		w.hash(key)
		w.bool(e.waiting[key].many > 0)
	}
	w.count(e.told.len())
	e.told.all(func(key event.Hash, k *earlyAlerts) {
		w.hash(key)
		w.count(len(k.list))
		for i := range k.list {
			t := &k.list[i]
			w.hash(t.id)
			w.hash(t.event)
			for _, v := range []int64{t.from, t.at, t.count, t.first} {
				w.int(v)
			}
			w.bool(t.confirmed)
		}
	})
}

func (e *early) readFrom(r *snapshotReader) {
	e.tally.readFrom(r)
	for range r.count(17) {
		k := &earlyKey{stale: true}
		e.waiting[r.hash()] = k
		if r.bool() {
			k.many = 1
		}
	}
	for range r.count(17) {
		k, added := e.told.touch(r.hash())
		n := r.count(37)
		if !added || n > maxEarly {
			r.fail()
		}
		for range n {
			k.list = append(k.list, earlyAlert{
				id: r.hash(), event: r.hash(), from: r.int(), at: r.int(), count: r.int(), first: r.int(), confirmed: r.bool(),
			})
		}
		if r.err != nil {
			return
		}
	}
}

// size estimates the memory beside that of the rule's windows in order.
func (e *early) size() int64 {
	return e.tally.size() + int64(e.told.len())*earlyCost
}

// evict forgets the key that was touched longest ago: it is decided in order from then on.
func (e *early) evict() bool {
	if e.tally.evict() {
		return true
	}
	if e.told.len() == 0 {
		return false
	}
	e.limits.evicted++
	e.told.dropFirst()
	return true
}

// expire forgets what order is beyond.
func (e *early) expire(now int64) {
	e.tally.expire(now)
	for k := e.told.first(); k != nil && (len(k.list) == 0 || k.list[len(k.list)-1].at < now); k = e.told.first() {
		e.told.dropFirst()
	}
}
