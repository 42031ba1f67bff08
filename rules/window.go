package rules

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// WindowConfig bounds the windows. The zero value has good defaults.
//
// All of it has a part in what fires when a bound is reached, so that windows which are to give the
// same alerts need the same configuration.
type WindowConfig struct {
	// Lateness is how far behind the newest event of its source an event may come and still take its
	// place in the order; 5 s by default, negative for none. Every alert waits for so long.
	Lateness time.Duration
	// LatenessOf gives the lateness of each source by its configured name; nil means Lateness for all.
	LatenessOf func(source string) time.Duration
	// Hold is how long a source keeps the watermark back after the last step that named it; 10 min by
	// default. It is measured in ingest time while agents are heard.
	Hold time.Duration
	// Horizon is how far the watermark may be beyond an event that is sent again and is still known as
	// a duplicate; 1 min by default.
	Horizon time.Duration
	// MaxKeys bounds the keys of one rule, 100,000 by default. The key not touched for longest goes.
	MaxKeys int
	// MaxBytes bounds the estimated memory of the keys of all rules, 128 MiB by default. The rule that
	// has most gives up keys.
	MaxBytes int64
	// MaxPending bounds the signals that wait for the watermark, 131,072 by default, and their memory
	// to 512 bytes each on average. Beyond it the oldest is counted before its time, and the watermark
	// moves up to it.
	MaxPending int
	// MaxSeen bounds the event ids that are remembered to know duplicates, 262,144 by default.
	MaxSeen int
	// Clock only goes forward, and measures what rules cost; nil measures nothing. It decides nothing.
	Clock func() time.Duration
}

func (c WindowConfig) withDefaults() WindowConfig {
	if c.Lateness == 0 {
		c.Lateness = 5 * time.Second
	}
	c.Lateness = max(c.Lateness, 0)
	if c.Hold <= 0 {
		c.Hold = 10 * time.Minute
	}
	if c.Horizon <= 0 {
		c.Horizon = time.Minute
	}
	if c.MaxKeys <= 0 {
		c.MaxKeys = 100_000
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 128 << 20
	}
	if c.MaxPending <= 0 {
		c.MaxPending = 1 << 17
	}
	if c.MaxSeen <= 0 {
		c.MaxSeen = 1 << 18
	}
	return c
}

// Windows counts signals in event time and says which rules fire. It is a function of the steps it
// is given, and of nothing else: the same steps give the same alerts, however they are cut by
// snapshots. It is not safe for concurrent use.
//
// The life of a signal: Apply copies it into the reorder buffer; when the watermark has passed its
// time, it is counted in the windows of its rule, in the order of events; if the rule fires, the
// suppressor decides whether that is an alert.
type Windows struct {
	cfg     WindowConfig
	ruleset event.Hash
	mark    watermark
	buffer  reorder
	seen    seenSet
	past    seenSet // ids of a rebuild; of no use after it
	states  map[event.Hash]*ruleState
	lookup  stateLookup  // of states
	sorted  []*ruleState // by rule id
	timers  []*ruleState // those that fire at deadlines
	due     int64        // no deadline of any rule is earlier
	fired   []Fired
	stats   WindowStats
	missed  missed
	tails   []*tail // of the step's positions
	scratch []byte
	hashes  hashMemo
	values  []event.Value // of a signal, under a former key
}

// ruleState is a rule with its windows.
type ruleState struct {
	rule   *Rule
	rank   int // of the rule's id among those of the set
	tally  tally
	timed  timed                 // the tally, where it fires at deadlines; else nil
	shown  [event.NumFields]bool // fields whose values are kept for titles and alerts
	shows  *showTable
	held   suppressor
	early  *early // of rules that do not wait; else nil
	limits *keyLimit
	last   int64  // time of the last event counted
	warm   int64  // watermark from which on the windows are full
	fresh  bool   // came with the last Swap; Rebuild may fill it
	firing firing // the latest; here so that it costs no allocation
	turn   uint8  // of the signals between two looks at the clock
	stats  RuleStats
}

// NewWindows makes empty windows for rules. No two of them may have the same state key.
func NewWindows(rules []*Rule, ruleset event.Hash, cfg WindowConfig) *Windows {
	cfg = cfg.withDefaults()
	w := &Windows{cfg: cfg, mark: newWatermark(cfg), missed: missed{events: map[string]*int64{}}}
	w.seen = newSeenSet(cfg.Horizon, cfg.MaxSeen)
	w.Swap(rules, ruleset)
	for _, rs := range w.sorted {
		rs.fresh = false
	}
	return w
}

// Swap takes another rule set. The state of rules whose logic is unchanged is kept, that of others is
// dropped, with their waiting signals. Nothing fires: until an event comes, no alert does. New rules
// are warming until their window has passed, or until Rebuild has filled it.
func (w *Windows) Swap(rules []*Rule, ruleset event.Hash) {
	old := w.states
	w.ruleset = ruleset
	w.states = make(map[event.Hash]*ruleState, len(rules))
	w.sorted = w.sorted[:0]
	for _, r := range rules {
		if w.states[r.State] != nil {
			continue
		}
		rs := old[r.State]
		if rs != nil && sameLogic(rs.rule, r) {
			rs.rule, rs.fresh = r, false
			rs.adopt(&w.mark)
		} else {
			rs = w.newState(r)
		}
		w.states[r.State] = rs
		w.sorted = append(w.sorted, rs)
	}
	slices.SortFunc(w.sorted, func(a, b *ruleState) int { return strings.Compare(a.rule.ID, b.rule.ID) })
	w.timers = w.timers[:0]
	for i, rs := range w.sorted {
		rs.rank = i
		rs.prepare()
		if rs.timed != nil {
			w.timers = append(w.timers, rs)
		}
	}
	w.lookup = newStateLookup(w.sorted)
	w.due = noTime
	w.buffer.keep(func(p *pending) bool { return w.states[p.state.rule.State] == p.state })
}

func (w *Windows) newState(r *Rule) *ruleState {
	rs := &ruleState{rule: r, shows: new(showTable), limits: &keyLimit{max: w.cfg.MaxKeys}, last: noTime, warm: noTime, fresh: true}
	rs.tally = newTally(r, rs.limits, rs.shows)
	rs.held.limits = rs.limits
	rs.early = newEarly(r, w.cfg.MaxKeys, rs.shows)
	if w.mark.now != noTime {
		rs.warm = timeAdd(w.mark.now, r.Span())
	}
	rs.adopt(&w.mark)
	return rs
}

// sameLogic guards the state against a state key that stands for something else.
func sameLogic(a, b *Rule) bool {
	return a.Kind == b.Kind && a.Eager == b.Eager && a.GroupMissing == b.GroupMissing && a.Window == b.Window && a.Count == b.Count &&
		slices.Equal(a.By, b.By) && slices.Equal(a.Of, b.Of) && slices.Equal(a.Once, b.Once) &&
		a.Spike.same(&b.Spike) && a.Chain == b.Chain &&
		slices.EqualFunc(a.Steps, b.Steps, sameStep) &&
		a.FirstSeen.History == b.FirstSeen.History && a.FirstSeen.Learn == b.FirstSeen.Learn
}

// sameStep tells whether steps differ in their names at most.
func sameStep(a, b SequenceStep) bool {
	a.Name = b.Name
	return a == b
}

// Apply takes one step of the journal and returns what fired, in the order of firing. The result is
// valid until the next call; the alerts in it are the caller's.
//
// An event fires when the watermark is beyond its time: one that is as old as the watermark exactly
// may still be followed by others of its time.
func (w *Windows) Apply(step Step) []Fired {
	w.fired = w.fired[:0]
	w.settled()
	w.take(&step, false)
	for i := range step.Positions {
		w.mark.observe(w.tails[i], &step.Positions[i])
	}
	passed := w.mark.now
	w.mark.advance()
	if step.Derive != nil {
		w.derive(step.Derive(w.mark.now), passed)
	}
	w.release(w.mark.now)
	if w.mark.now != noTime && w.buffer.len() == 0 {
		w.begin(w.mark.now)
	}
	w.sweep()
	return w.fired
}

// End tells that every source has come to its end, as in a replay: all that waits is released, and
// time moves on to the largest event time. Deadlines beyond it do not fire: the end of a file is no
// silence.
func (w *Windows) End() []Fired {
	w.fired = w.fired[:0]
	for w.buffer.len() > 0 {
		w.force()
	}
	end := w.mark.now
	for _, t := range w.mark.tails {
		end = max(end, t.max)
	}
	w.wake(end)
	w.sweep()
	return w.fired
}

// release counts the signals that the watermark has passed.
func (w *Windows) release(now int64) {
	for w.buffer.len() > 0 && w.buffer.next() < now {
		w.count(w.buffer.pop())
	}
	w.wake(now)
}

// force counts the oldest signal whatever the watermark, and moves the watermark up to it.
func (w *Windows) force() {
	w.mark.now = max(w.mark.now, w.buffer.next())
	w.count(w.buffer.pop())
}

// count counts a signal in the windows of its rule.
func (w *Windows) count(p *pending) {
	if !p.late {
		w.begin(p.time)
	}
	w.wake(p.time)
	w.countIn(p)
	w.buffer.recycle(p)
}

func (w *Windows) countIn(p *pending) {
	rs := p.state
	if rs.rule.Kind != Each && !p.late {
		if p.time < rs.last {
			w.stats.Behind++
			rs.stats.Skipped++
			if rs.early != nil {
				rs.early.leave(p, rs.tally, false)
			}
			return
		}
		rs.last = p.time
	}
	if len(p.former) > 0 {
		rs.recognise(p)
	}
	f, ok := w.tally(rs, p)
	if rs.early != nil {
		rs.early.leave(p, rs.tally, true)
	}
	if rs.timed != nil {
		if due, some := rs.timed.due(); some {
			w.due = min(w.due, due)
		}
	}
	if !ok {
		return
	}
	if !p.silent {
		rs.firing = f
		w.judge(rs, p, &rs.firing)
	}
}

// tally counts a signal, and measures how long that takes now and then.
func (w *Windows) tally(rs *ruleState, p *pending) (firing, bool) {
	rs.turn++
	if w.cfg.Clock == nil || rs.turn%sampleEvery != 1 {
		return rs.tally.count(p)
	}
	start := w.cfg.Clock()
	f, ok := rs.tally.count(p)
	rs.stats.Nanoseconds += int64(w.cfg.Clock()-start) * sampleEvery
	return f, ok
}

// wake lets rules fire at their deadlines up to now, in the order of time and then of their ids.
func (w *Windows) wake(now int64) {
	for w.due <= now {
		rs := w.earliest()
		if rs == nil || w.due > now {
			return
		}
		p := w.buffer.blank()
		p.state = rs
		if f, ok := rs.timed.strike(p); ok {
			rs.firing = f
			w.judge(rs, p, &rs.firing)
		}
		w.buffer.recycle(p)
	}
}

// earliest finds the rule with the earliest deadline, and the deadline; nil where there is none.
func (w *Windows) earliest() *ruleState {
	var first *ruleState
	w.due = math.MaxInt64
	for _, rs := range w.timers {
		if due, some := rs.timed.due(); some && (first == nil || due < w.due) {
			first, w.due = rs, due
		}
	}
	return first
}

// suppression is what holds firings of the rule back: by key, but for first_seen by tuple.
func (r *Rule) suppression() Suppress {
	if r.Kind == FirstSeen {
		return Suppress{For: r.FirstSeen.Again}
	}
	return r.Suppress
}

// judge makes an alert of a firing, unless it is held back.
func (w *Windows) judge(rs *ruleState, p *pending, f *firing) {
	if f.report != reportFiring {
		w.raise(rs, rs.tally, p, f, 0)
		return
	}
	if rs.early != nil && w.settle(rs, p, f) {
		return
	}
	suppress, key := rs.rule.suppression(), p.key
	if rs.rule.Kind == FirstSeen {
		key = p.value
	}
	v, held, period := rs.held.judge(&suppress, key, p.time, f)
	if t, ok := rs.tally.(judged); ok {
		t.outcome(p.key, v != verdictHold)
	}
	if v == verdictHold {
		rs.stats.Suppressed++
		return
	}
	rs.stats.Fired++
	if v == verdictEscalate {
		rs.stats.Escalated++
	}
	a := w.raise(rs, rs.tally, p, f, held)
	if v == verdictEscalate && !f.different {
		a.Count, a.First = period.running, period.first
		a.Explain = explainEscalation(a, period.last)
	}
	if rs.rule.Kind != Chain {
		w.chain(a)
	}
}

// raise makes an alert of a firing of windows.
func (w *Windows) raise(rs *ruleState, t tally, p *pending, f *firing, held int64) *event.Alert {
	a := rs.alert(t, p, f, held)
	a.Rule.Ruleset = w.ruleset
	w.fire(p, a)
	return a
}

// fire gives an alert out.
func (w *Windows) fire(p *pending, a *event.Alert) {
	w.fired = append(w.fired, Fired{Partition: int(p.key[0]) % Partitions, Alert: a})
}
