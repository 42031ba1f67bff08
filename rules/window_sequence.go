package rules

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// sequenceTally finds steps that come one after another. The rule fires on an event of the last step
// at t if there are as many events of each step as it asks for, those of a step all later than those
// of the step before, and the first of them later than t−window. One event may count for several
// steps, but not twice in one sequence: it never follows itself. Events are not used up: what
// completes a sequence once more fires once more.
//
// An event that resets a step makes what came before it useless for that step and those after it; an
// event that completes a sequence and resets it does both, in this order. Where the rule has once, an
// event of a step, or one that resets it, is passed over if one with the same values came for it in
// (t−window, t].
//
// Where the last step must not come, each time the steps before it are complete begins a wait. An
// event of the last step ends the waits of its key; a wait that reaches the time of its first event
// plus window fires then, once for an instant, whatever comes at that very time or later.
//
// Of each step the newest events are kept, each with its start: the time of the first event of the
// latest beginning sequence that it continues. Later events never have earlier starts, so that as many
// events as the step asks for decide exactly.
type sequenceTally struct {
	steps    []sequenceStep // those that must come
	negative bool           // and one that must not
	once     bool
	limit    int // values of once, and waits, kept of one key
	window   time.Duration
	limits   *keyLimit
	table    windowTable[sequenceKey]
	shows    *showTable
	alarms   []int32 // keys that wait, by the number of their node: a heap, the earliest at the root
	muted    int64   // up to then nothing fires without an event
	bytes    int64   // estimated, beside keyCost and the rings of each key

	// The latest firing.
	events []hit
	counts []int64 // events of each step
	least  []bool  // whether there may have been more
}

type sequenceStep struct {
	need  int
	limit int // events kept of one key
}

// sequenceKey is how far one key has come.
type sequenceKey struct {
	rings  []queue[sequenceHit] // of each step
	last   int64                // time of the last event
	event  event.Hash           // its id
	number uint64               // its place among the events of the key
	seen   []seenOnce           // values of once, the one not seen for longest first
	waits  []sequenceWait       // the earliest first
	data   []byte               // key values, while it waits
	alarm  int                  // place in the heap, from 1 on; 0 where there is none
}

type sequenceHit struct {
	hit
	start  int64
	number uint64
}

type seenOnce struct {
	value event.Hash // with the step
	time  int64
}

// sequenceWait is a sequence that is complete but for the event that must not come.
type sequenceWait struct{ sequenceHit }

const (
	// minKeptSteps is the least number of events that are kept of a step where there are so many: more
	// than the evidence of an alert.
	minKeptSteps = 32
	// minKeptOnce is the least number of values of once, and of waits, that are kept of a key.
	minKeptOnce = 128
	ringCost    = 40
	stepHitCost = 72
	onceCost    = 24
)

func newSequenceTally(r *Rule, keys *keyLimit, shows *showTable) tally {
	t := &sequenceTally{once: len(r.Once) > 0, window: r.Window, limits: keys, shows: shows, muted: noTime}
	sum := 0
	for i, s := range r.Steps {
		if s.Negative {
			t.negative = i == len(r.Steps)-1
			break
		}
		need := int(min(max(s.AtLeast, 1), 1<<20))
		sum += need
		t.steps = append(t.steps, sequenceStep{need: need, limit: max(2*need, minKeptSteps)})
	}
	if len(t.steps) == 0 {
		return silentTally{}
	}
	t.limit = max(2*sum, minKeptOnce)
	t.counts, t.least = make([]int64, len(t.steps)), make([]bool, len(t.steps))
	return t
}

func (t *sequenceTally) count(p *pending) (firing, bool) {
	reset := p.step > StepReset
	step := int(p.step)
	if reset {
		step -= StepReset
	}
	step--
	if step < 0 || step > len(t.steps) || step == len(t.steps) && !t.negative {
		return firing{}, false
	}
	if t.table.get(p.key) == nil && (reset || step > 0) && !t.once {
		return firing{}, false // there is nothing that it could continue or end
	}
	k, added := t.table.touch(p.key)
	if added {
		k.rings = make([]queue[sequenceHit], len(t.steps))
		if t.table.len() > t.limits.max {
			t.evict()
		}
	}
	if k.number == 0 || p.event != k.event {
		k.number++
		k.event = p.event
	}
	k.last = p.time
	edge := timeSub(p.time, t.window)
	if t.once && p.value != p.event && t.repeated(k, p, edge) {
		return firing{}, false
	}
	switch {
	case reset:
		for i := step; i < len(k.rings); i++ {
			t.clear(&k.rings[i])
		}
		t.calm(p.key, k)
	case step == len(t.steps):
		t.calm(p.key, k)
	default:
		return t.advance(k, step, p, edge)
	}
	return firing{}, false
}

// advance counts an event of a step that must come.
func (t *sequenceTally) advance(k *sequenceKey, step int, p *pending, edge int64) (firing, bool) {
	for i := range k.rings[:step+1] {
		for r := &k.rings[i]; r.n > 0 && r.at(0).start <= edge; {
			t.drop(r)
		}
	}
	h := sequenceHit{start: p.time, number: k.number}
	if step > 0 {
		before := &k.rings[step-1]
		need := t.steps[step-1].need
		if int(before.n) < need {
			return firing{}, false
		}
		h.start = before.at(int(before.n) - need).start
	}
	r := &k.rings[step]
	if int(r.n) == t.steps[step].limit {
		t.drop(r)
	}
	h.hit = hit{time: p.time, event: p.event, show: t.shows.intern(p.data[p.keyLen:]), drill: p.drill}
	r.push(h)
	t.bytes += stepHitCost
	need := t.steps[step].need
	if step < len(t.steps)-1 || int(r.n) < need {
		return firing{}, false
	}
	if !t.negative {
		return t.fire(k, k.number, timeAdd(edge, 1)), true
	}
	h.start = r.at(int(r.n) - need).start
	if n := len(k.waits); n == t.limit || n > 0 && k.waits[n-1].start == h.start {
		return firing{}, false
	}
	h.show = t.shows.intern(p.data[p.keyLen:])
	k.waits = append(k.waits, sequenceWait{h})
	t.bytes += stepHitCost
	if len(k.waits) == 1 {
		k.data = append(k.data[:0], p.data[:p.keyLen]...)
		t.bytes += int64(len(k.data))
		t.setAlarm(p.key, k)
	}
	return firing{}, false
}

// fire makes the firing of the sequence that ends with an event of the last step. Its events are all
// those from start on that continue a whole set of the step before and come before the first that
// counts for the step after.
func (t *sequenceTally) fire(k *sequenceKey, last uint64, start int64) firing {
	t.events = t.events[:0]
	f := firing{}
	end := last + 1 // number of the first event that is too late for the step
	for i := len(t.steps) - 1; i >= 0; i-- {
		r := &k.rings[i]
		from := sort.Search(int(r.n), func(j int) bool { return r.at(j).start >= start })
		to := sort.Search(int(r.n), func(j int) bool { return r.at(j).number >= end })
		n := int64(max(to-from, 0))
		t.least[i] = from == 0 && int(r.n) == t.steps[i].limit // older ones were forgotten
		f.atLeast = f.atLeast || t.least[i]
		t.counts[i] = max(n, int64(t.steps[i].need))
		f.count += t.counts[i]
		if n > 0 {
			end = r.at(from).number
			f.first = r.at(from).time
		}
		for j := to - 1; j >= from; j-- {
			t.events = append(t.events, r.at(j).hit)
		}
	}
	slices.Reverse(t.events)
	return f
}

func (t *sequenceTally) hits(*pending) []hit { return t.events }

// repeated tells whether an event with the same values of once was there for the same step in
// (edge, t], and remembers this one.
func (t *sequenceTally) repeated(k *sequenceKey, p *pending, edge int64) bool {
	old := 0
	for old < len(k.seen) && k.seen[old].time <= edge {
		old++
	}
	value := p.value
	value[0] ^= p.step
	i := len(k.seen) - 1
	for i >= old && k.seen[i].value != value {
		i--
	}
	found := i >= old
	switch {
	case found:
		k.seen = slices.Delete(k.seen, i, i+1)
	case len(k.seen)-old == t.limit:
		old++
	}
	k.seen = append(slices.Delete(k.seen, 0, old), seenOnce{value, p.time})
	if !found {
		t.bytes += onceCost
	}
	t.bytes -= onceCost * int64(old)
	return found
}

// drop forgets the oldest event of a step.
func (t *sequenceTally) drop(r *queue[sequenceHit]) {
	t.shows.release(r.shift().show)
	t.bytes -= stepHitCost
}

func (t *sequenceTally) clear(r *queue[sequenceHit]) {
	for r.n > 0 {
		t.drop(r)
	}
}

// calm ends the waits of a key.
func (t *sequenceTally) calm(key event.Hash, k *sequenceKey) {
	for len(k.waits) > 0 {
		t.dropWait(k)
	}
	t.setAlarm(key, k)
}

// dropWait forgets the earliest wait. The alarm is the caller's.
func (t *sequenceTally) dropWait(k *sequenceKey) {
	t.shows.release(k.waits[0].show)
	t.bytes -= stepHitCost
	k.waits = slices.Delete(k.waits, 0, 1)
	if len(k.waits) == 0 {
		t.bytes -= int64(len(k.data))
		k.waits, k.data = nil, nil
	}
}

func (t *sequenceTally) due() (int64, bool) {
	if len(t.alarms) == 0 {
		return 0, false
	}
	return timeAdd(t.table.node(t.alarms[0]).val.waits[0].start, t.window), true
}

func (t *sequenceTally) strike(p *pending) (firing, bool) {
	n := t.table.node(t.alarms[0])
	k, wait := &n.val, n.val.waits[0]
	p.time, p.key, p.event, p.drill = timeAdd(wait.start, t.window), n.key, wait.event, wait.drill
	p.data = append(p.data[:0], k.data...)
	p.keyLen = len(p.data)
	p.data = append(p.data, t.shows.get(wait.show)...)
	f := t.fire(k, wait.number, wait.start)
	t.dropWait(k)
	t.setAlarm(n.key, k)
	return f, p.time > t.muted
}

func (t *sequenceTally) mute(now int64) { t.muted = now }

func (t *sequenceTally) expire(now int64) {
	edge := timeSub(now, t.window)
	for k := t.table.first(); k != nil && k.last <= edge; k = t.table.first() {
		t.dropFirst(k)
	}
}

func (t *sequenceTally) evict() bool {
	k := t.table.first()
	if k == nil {
		return false
	}
	t.limits.evicted++
	t.dropFirst(k)
	return true
}

// copyKey knows nothing of waits and once: a sequence with these is not monotone, and waits for order.
func (t *sequenceTally) copyKey(key event.Hash, from tally) {
	source := from.(*sequenceTally).table.get(key)
	if k := t.table.get(key); k != nil {
		for i := range k.rings {
			t.clear(&k.rings[i])
		}
		t.table.remove(key)
	}
	if source == nil {
		return
	}
	k, _ := t.table.touch(key)
	k.last, k.event, k.number = source.last, source.event, source.number
	k.rings = make([]queue[sequenceHit], len(source.rings))
	for i := range source.rings {
		for j := range int(source.rings[i].n) {
			h := *source.rings[i].at(j)
			t.shows.use(h.show)
			k.rings[i].push(h)
			t.bytes += stepHitCost
		}
	}
	if t.table.len() > t.limits.max {
		t.evict()
	}
}

// dropFirst forgets the first key, whose state is given.
func (t *sequenceTally) dropFirst(k *sequenceKey) {
	t.calm(t.table.node(t.table.oldest).key, k)
	for i := range k.rings {
		t.clear(&k.rings[i])
	}
	t.bytes -= onceCost * int64(len(k.seen))
	t.table.dropFirst()
}

func (t *sequenceTally) keys() int { return t.table.len() }

func (t *sequenceTally) size() int64 {
	return int64(t.table.len())*(keyCost+ringCost*int64(len(t.steps))) + t.bytes
}

// placeholder knows steps[0].count, the number of events of the first step, and so on.
func (t *sequenceTally) placeholder(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "steps[")
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, "].count")
	if !ok {
		return "", false
	}
	i, err := strconv.Atoi(rest)
	if err != nil || i < 0 || i >= len(t.counts) {
		return "", false
	}
	return strconv.FormatInt(t.counts[i], 10), true
}

func (t *sequenceTally) explain(r *Rule, a *event.Alert) string {
	var b strings.Builder
	for i, n := range t.counts {
		if i > 0 {
			b.WriteString(", then ")
		}
		if t.least[i] {
			b.WriteString("at least ")
		}
		fmt.Fprintf(&b, "%d × %s", n, r.Steps[i].Name)
	}
	if key := a.KeyText(); key != "" {
		b.WriteString(" of " + key)
	}
	window := event.FormatDuration(a.Window)
	if t.negative {
		fmt.Fprintf(&b, ", and no %s within %s, which ended at %s (UTC)", r.Steps[len(r.Steps)-1].Name, window, clock(a.Time))
	} else {
		fmt.Fprintf(&b, " within %s, the last at %s (UTC)", window, clock(a.Time))
	}
	return b.String()
}
