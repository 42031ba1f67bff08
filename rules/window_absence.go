package rules

import (
	"bytes"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// absenceTally fires where a key has no event in (last, last+for]: once, at last+for, when the
// watermark has passed it. The key's next event reports that it has recovered.
//
// A key is expected from its first event on, or, where the roster names it, from the time on at which
// the rule began. Time in which no agent was heard, and the key's maintenance, do not count.
type absenceTally struct {
	rule   *Rule
	spec   AbsenceSpec
	limits *keyLimit
	shows  *showTable
	down   *downtime

	waiting windowTable[absentKey]
	gone    windowTable[absentKey] // had its firing; not in the roster
	missing windowTable[absentKey] // had its firing; in the roster
	queue   deadlines
	roster  map[event.Hash]bool
	began   int64 // when time began for the roster; noTime before
	muted   int64 // deadlines up to then are silent

	fired   absentKey // what the latest firing or report is about
	about   report
	scratch [1]hit
	spans   []span
	keyHash []byte
}

// absentKey is what is known of a key.
type absentKey struct {
	data    []byte // key values
	last    hit    // the last event; only its time, where none was seen
	seen    bool   // the key had an event
	fired   int64  // when it fired
	raised  bool   // that was an alert
	updated bool   // late data was reported
	queued  int64  // the deadline with which it stands in the queue
}

// absenceMemory is how long a key that is gone is remembered, so that its return can be reported.
const absenceMemory = 30 * 24 * time.Hour

// absentKeyCost is what a key costs beside what every key does.
const absentKeyCost = keyCost + 128

func newAbsenceTally(r *Rule, keys *keyLimit, shows *showTable) *absenceTally {
	return &absenceTally{rule: r, spec: r.Absence, limits: keys, shows: shows, down: new(downtime), began: noTime, muted: noTime}
}

// start tells when time began: from then on the roster's keys are expected.
func (t *absenceTally) start(at int64) {
	if t.began == noTime {
		t.began = at
	}
	t.expect(at)
}

// adopt takes the roster and maintenance of the rule's present form. What is new in the roster is
// expected from now on.
func (t *absenceTally) adopt(r *Rule, m *watermark) {
	t.rule, t.spec, t.down = r, r.Absence, m.down
	t.roster = make(map[event.Hash]bool, len(t.spec.Expect))
	for _, values := range t.spec.Expect {
		t.roster[t.hash(values)] = true
	}
	// Who is no longer expected and was never seen is nobody.
	var strangers []event.Hash
	t.waiting.all(func(key event.Hash, k *absentKey) {
		if !k.seen && !t.roster[key] {
			strangers = append(strangers, key)
		}
	})
	for _, key := range strangers {
		t.waiting.remove(key)
	}
	strangers = strangers[:0]
	t.missing.all(func(key event.Hash, _ *absentKey) {
		if !t.roster[key] {
			strangers = append(strangers, key)
		}
	})
	for _, key := range strangers {
		was := *t.missing.get(key)
		t.missing.remove(key)
		if was.seen {
			to, _ := t.gone.touch(key)
			*to = was
		}
	}
	if t.began == noTime && m.begun {
		t.began = m.now
	}
	if t.began != noTime {
		t.expect(max(m.now, t.began))
	}
	t.trim()
}

func (t *absenceTally) hash(values []event.Value) (h event.Hash) {
	h, t.keyHash = valuesHash(t.keyHash, t.rule.State, values)
	return h
}

// expect waits from a time on for the roster's keys that are not known yet.
func (t *absenceTally) expect(from int64) {
	for _, values := range t.spec.Expect {
		key := t.hash(values)
		if t.missing.get(key) != nil || t.waiting.get(key) != nil {
			continue
		}
		if k := t.gone.get(key); k != nil {
			was := *k
			t.gone.remove(key)
			to, _ := t.missing.touch(key)
			*to = was
			continue
		}
		k, _ := t.waiting.touch(key)
		for _, v := range values {
			v.Str = clipKey(v.Str)
			k.data = appendValue(k.data, v)
		}
		k.last.time = from
		t.enqueue(key, k)
	}
}

func (t *absenceTally) enqueue(key event.Hash, k *absentKey) {
	k.queued = t.deadline(k)
	heap.Push(&t.queue, deadline{k.queued, key})
	if len(t.queue) > 2*t.waiting.len()+1000 {
		t.requeue()
	}
}

// requeue makes the queue anew, without those who are no longer waited for.
func (t *absenceTally) requeue() {
	t.queue = t.queue[:0]
	t.waiting.all(func(key event.Hash, k *absentKey) {
		// The deadline itself is worked out when this one has come.
		k.queued = timeAdd(k.last.time, t.spec.For)
		t.queue = append(t.queue, deadline{k.queued, key})
	})
	heap.Init(&t.queue)
}

// deadline is when a key fires if no event comes.
func (t *absenceTally) deadline(k *absentKey) int64 {
	t.spans = append(t.spans[:0], t.down.spans...)
	if len(t.spec.Unless) > 0 {
		key := decodeValues(k.data)
		for _, m := range t.spec.Unless {
			if m.Key == nil || sameValues(m.Key, key) {
				t.spans = append(t.spans, span{m.From, m.Until})
			}
		}
		slices.SortFunc(t.spans, func(a, b span) int { return compareTimes(a.from, b.from) })
	}
	return standstill(k.last.time, t.spec.For, t.spans)
}

// sameValues tells whether a key is meant by values. Values that windows clipped are not told apart
// beyond what they keep.
func sameValues(values, key []event.Value) bool {
	return slices.EqualFunc(values, key, func(v, k event.Value) bool {
		v.Str = clipKey(v.Str)
		return v == k
	})
}

func compareTimes(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (t *absenceTally) count(p *pending) (firing, bool) {
	if p.late {
		return t.late(p)
	}
	for _, table := range []*windowTable[absentKey]{&t.missing, &t.gone} {
		k := table.get(p.key)
		if k == nil {
			continue
		}
		t.fired = *k
		table.remove(p.key)
		t.shows.release(t.fired.last.show)
		t.about = reportRecovered
		t.wait(p)
		return firing{count: 1, first: t.fired.last.time, report: reportRecovered}, t.fired.raised
	}
	t.wait(p)
	return firing{}, false
}

// wait waits for the event after this one.
func (t *absenceTally) wait(p *pending) {
	k, added := t.waiting.touch(p.key)
	if added {
		k.data = append(k.data, p.data[:p.keyLen]...)
	} else {
		t.shows.release(k.last.show)
	}
	k.last, k.seen = newHit(p, t.shows), true
	if added {
		t.enqueue(p.key, k) // else it stands in the queue, and is put back when its time has come
		t.trim()
	}
}

// late tells whether a late event belongs into the time for which its key was reported absent. The
// alert stays; that it rested on missing data is reported once.
func (t *absenceTally) late(p *pending) (firing, bool) {
	k := t.missing.get(p.key)
	if k == nil {
		k = t.gone.get(p.key)
	}
	if k == nil || !k.raised || k.updated || p.time <= k.last.time || p.time > k.fired {
		return firing{}, false
	}
	k.updated = true
	t.fired, t.about = *k, reportUpdated
	return firing{count: 1, first: k.last.time, report: reportUpdated}, true
}

func (t *absenceTally) due() (int64, bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	// An event at the deadline still meets it.
	return timeAdd(t.queue[0].at, 1), true
}

func (t *absenceTally) strike(p *pending) (firing, bool) {
	d := heap.Pop(&t.queue).(deadline)
	k := t.waiting.get(d.key)
	if k == nil || k.queued != d.at {
		return firing{}, false // forgotten, or queued again
	}
	if at := t.deadline(k); at > d.at {
		k.queued = at
		heap.Push(&t.queue, deadline{at, d.key})
		return firing{}, false
	}
	k.fired = d.at
	t.fired, t.about = *k, reportFiring
	t.waiting.remove(d.key)
	if d.at <= t.muted {
		t.shows.release(t.fired.last.show)
		return firing{}, false
	}
	into := &t.gone
	if t.roster[d.key] {
		into = &t.missing
	}
	to, _ := into.touch(d.key)
	*to = t.fired
	p.time, p.key, p.event, p.drill = d.at, d.key, instantEvent(d.at), false
	p.data, p.keyLen = append(p.data[:0], t.fired.data...), len(t.fired.data)
	p.data = append(p.data, t.shows.get(t.fired.last.show)...)
	return firing{first: t.fired.last.time}, true
}

// outcome tells whether the key that fired last had an alert; only then is its return reported.
func (t *absenceTally) outcome(key event.Hash, raised bool) {
	for _, table := range []*windowTable[absentKey]{&t.missing, &t.gone} {
		if k := table.get(key); k != nil {
			k.raised = raised
		}
	}
}

// mute keeps deadlines up to now silent.
func (t *absenceTally) mute(now int64) { t.muted = max(t.muted, now) }

func (t *absenceTally) hits(p *pending) []hit {
	switch {
	case t.about != reportFiring:
		// A document about an event: only its id and time are of use.
		t.scratch[0] = hit{time: p.time, event: p.event, drill: p.drill}
	case t.fired.seen:
		t.scratch[0] = t.fired.last
	default:
		return nil
	}
	return t.scratch[:]
}

func (t *absenceTally) dress(a *event.Alert, f *firing) {
	a.Status = f.report.status()
	a.Threshold, a.Window = 0, t.spec.For
	a.Lasting = f.report == reportFiring
	if f.report == reportFiring && !t.fired.seen {
		a.Drill, a.Last = false, t.fired.last.time
	}
}

func (t *absenceTally) placeholder(string) (string, bool) { return "", false }

func (t *absenceTally) explain(_ *Rule, a *event.Alert) string {
	of := ""
	if key := a.KeyText(); key != "" {
		of = " of " + key
	}
	last := "since " + clock(t.fired.last.time)
	if !t.fired.seen {
		last = "since it is expected, " + clock(t.fired.last.time)
	}
	switch a.Status {
	case event.Recovered:
		return fmt.Sprintf("an event%s at %s (UTC), after the alert of %s: none had come %s", of, clock(a.Time), clock(t.fired.fired), last)
	case event.Updated:
		return fmt.Sprintf("late data: an event%s of %s (UTC) came after the alert of %s that had none", of, clock(a.Time), clock(t.fired.fired))
	case event.Firing:
	}
	for_ := event.FormatDuration(t.spec.For)
	if t.fired.fired-t.fired.last.time > int64(t.spec.For) {
		for_ += ", downtime and maintenance not counted"
	}
	return fmt.Sprintf("no event%s for %s, %s (UTC)", of, for_, last)
}

func (t *absenceTally) expire(now int64) {
	edge := timeSub(now, absenceMemory)
	for k := t.gone.first(); k != nil && k.fired < edge; k = t.gone.first() {
		t.shows.release(k.last.show)
		t.gone.dropFirst()
	}
}

// trim forgets keys beyond the limit.
func (t *absenceTally) trim() {
	for t.keys() > t.limits.max {
		if !t.evict() {
			return
		}
	}
}

// evict forgets a key that is gone before one that is waited for, and none of the roster: who floods a
// rule with keys shall not make it forget whom it was told to expect.
func (t *absenceTally) evict() bool {
	if k := t.gone.first(); k != nil {
		t.shows.release(k.last.show)
		t.gone.dropFirst()
		t.limits.evicted++
		return true
	}
	var key event.Hash
	var found *absentKey
	t.waiting.forwards(func(h event.Hash, k *absentKey) bool {
		if !t.roster[h] {
			key, found = h, k
		}
		return found == nil
	})
	if found == nil {
		return false
	}
	t.shows.release(found.last.show)
	t.waiting.remove(key)
	t.limits.evicted++
	return true
}

func (t *absenceTally) keys() int { return t.waiting.len() + t.gone.len() + t.missing.len() }

func (t *absenceTally) size() int64 { return int64(t.keys()) * absentKeyCost }

// deadline is when a key is looked at. Each key that is waited for has one with its queued time;
// others are of keys that went.
type deadline struct {
	at  int64
	key event.Hash
}

// deadlines is a heap, the earliest first.
type deadlines []deadline

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	if d[i].at != d[j].at {
		return d[i].at < d[j].at
	}
	return bytes.Compare(d[i].key[:], d[j].key[:]) < 0
}
func (d deadlines) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)   { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
