package rules

import (
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// matcher is the compiled form of a rule's when and except.
type matcher struct {
	test      condition
	hit       condition // spike.of; nil where every match is a hit
	steps     []stepTest
	except    []exception
	shadows   bool       // a chain's conditions ask for the mode of alerts
	rosters   []string   // names of the lists of absence
	rules     []ruleRef  // rules that a chain names
	conjuncts []conjunct // of when; for the index
	lists     []string   // names of the lists used, sorted
	needs     []event.ID // fields without which the rule cannot match
	reads     []event.ID // fields of all its conditions, some more than once
	spec      *spec      // what it was compiled from; tests with fixtures compile it again
	source    *source
}

// ruleRef is the id of a rule that a chain's condition names, with its place.
type ruleRef struct {
	text   string
	at     position
	source *source
}

// uses are the names of all lists that the rule uses.
func (m *matcher) uses() []string { return slices.Concat(m.lists, m.rosters) }

// stepTest is a compiled step of a sequence; until may be nil.
type stepTest struct{ when, until condition }

// exception is a compiled except entry.
type exception struct {
	test  condition
	until int64 // event time from which on it has no effect
}

// MatchStats counts what matching did with one rule.
type MatchStats struct {
	Matches  uint64 // signals given
	NoKey    uint64 // matches without a value of by or of, which are not counted
	Excepted uint64 // matches that an exception took away
	Errors   uint64 // operations without a result, such as a division by zero; no match
	Tried    uint64 // events that the index offered to the rule
	// Nanoseconds is the time spent on them, estimated from one in sampleEvery; 0 without Measure.
	Nanoseconds uint64
}

// Matcher matches events against a set. It belongs to one goroutine; a set may have many.
type Matcher struct {
	set   *Set
	scope scope
	stats []MatchStats
	clock func() time.Duration
}

// NewMatcher makes a matcher.
func (s *Set) NewMatcher() *Matcher {
	return &Matcher{set: s, stats: make([]MatchStats, len(s.rules))}
}

// Stats returns the counters, in the order of Set.Rules. The slice belongs to the matcher.
func (m *Matcher) Stats() []MatchStats { return m.stats }

// Measure makes the matcher measure what each rule costs, by a clock that only goes forward.
func (m *Matcher) Measure(clock func() time.Duration) { m.clock = clock }

// Match appends a signal to buf for each rule that the event matches. It allocates nothing once buf
// has grown. The event is not kept.
func (m *Matcher) Match(ev *event.Event, o Origin, buf *event.SignalBuffer) {
	m.scope.event = ev
	m.scope.buf = m.scope.buf[:0]
	x := m.set.index
	for i := range x.fields {
		for _, r := range x.fields[i].rules(ev) {
			m.try(int(r), &o, buf)
		}
	}
	for _, r := range x.scan {
		m.try(int(r), &o, buf)
	}
	m.scope.event = nil
}

// try matches one rule, and measures how long that takes now and then.
func (m *Matcher) try(i int, o *Origin, buf *event.SignalBuffer) {
	stats := &m.stats[i]
	stats.Tried++
	if m.clock == nil || stats.Tried%sampleEvery != 1 {
		m.match(m.set.rules[i], stats, o, buf)
		return
	}
	start := m.clock()
	m.match(m.set.rules[i], stats, o, buf)
	stats.Nanoseconds += uint64(max(m.clock()-start, 0)) * sampleEvery
}

// match matches one rule.
func (m *Matcher) match(r *Rule, stats *MatchStats, o *Origin, buf *event.SignalBuffer) {
	s := &m.scope
	s.failed = false
	matched, steps := r.matcher.test(s), uint32(0)
	if matched && r.Kind == Sequence {
		steps = r.matcher.stepsOf(s)
		matched = steps != 0
	}
	if s.failed {
		stats.Errors++
	}
	if !matched {
		return
	}
	when, skewed := windowTime(s.event, o)
	for j := range r.matcher.except {
		if x := &r.matcher.except[j]; when < x.until && x.test(s) {
			stats.Excepted++
			return
		}
	}
	ev := s.event
	if !r.GroupMissing {
		for _, id := range r.By {
			if !ev.Has(id) {
				stats.NoKey++
				return
			}
		}
	}
	if r.tuple() {
		for _, id := range r.Of {
			if !ev.Has(id) {
				stats.NoKey++
				return
			}
		}
	}
	stats.Matches++
	if r.Kind == Sequence {
		for i := range r.matcher.steps {
			if steps&(1<<i) != 0 {
				m.signal(r, o, when, skewed, uint8(i+1), buf)
			}
			if steps&(1<<(i+maxSteps)) != 0 {
				m.signal(r, o, when, skewed, uint8(StepReset+i+1), buf)
			}
		}
		return
	}
	step := uint8(0)
	if r.Kind == Spike && (r.matcher.hit == nil || r.matcher.hit(s)) {
		step = 1
	}
	m.signal(r, o, when, skewed, step, buf)
}

// stepsOf tells which steps of a sequence an event matches: bit i for step i, bit maxSteps+i for what
// resets it.
func (m *matcher) stepsOf(s *scope) uint32 {
	var steps uint32
	for i := range m.steps {
		if m.steps[i].when(s) {
			steps |= 1 << i
		}
		if until := m.steps[i].until; until != nil && until(s) {
			steps |= 1 << (i + maxSteps)
		}
	}
	return steps
}

// signal appends one signal.
func (m *Matcher) signal(r *Rule, o *Origin, when int64, skewed bool, step uint8, buf *event.SignalBuffer) {
	ev := m.scope.event
	sig := event.Signal{
		State: r.State, Event: o.Event, Time: when, File: o.File, Offset: o.Offset, Index: o.Index,
		Late: ev.Bool(event.LivewardLate), Skewed: skewed, Drill: drill(ev), Step: step,
	}
	// The values of one signal lie side by side in the buffer.
	start := buf.Mark()
	for _, id := range r.By {
		if r.GroupMissing && !ev.Has(id) {
			buf.Add(event.Value{Field: id})
			continue
		}
		add(buf, ev, id)
	}
	sig.Key = buf.Since(start)
	start = buf.Mark()
	if r.tuple() {
		for _, id := range r.Of {
			add(buf, ev, id)
		}
	} else {
		once(buf, ev, r.Once)
	}
	sig.Of = buf.Since(start)
	if len(ev.Former) > 0 {
		start = buf.Mark()
		for i := range ev.Former {
			if knownBy(&sig, ev.Former[i].Field) {
				buf.Add(ev.Former[i])
			}
		}
		sig.Former = buf.Since(start)
	}
	if r.shows(step) {
		start = buf.Mark()
		for _, id := range r.Show {
			if ev.Has(id) {
				add(buf, ev, id)
			}
		}
		sig.Show = buf.Since(start)
	}
	buf.Signals = append(buf.Signals, sig)
}

// knownBy tells whether windows know a signal by a field.
func knownBy(sig *event.Signal, id event.ID) bool {
	is := func(v event.Value) bool { return v.Field == id && v.Str != "" }
	return slices.ContainsFunc(sig.Key, is) || slices.ContainsFunc(sig.Of, is)
}

// tuple tells whether the rule is about the values of its of, without which an event does not count.
func (r *Rule) tuple() bool { return r.Kind == Distinct || r.Kind == FirstSeen }

// windowTime is the time that windows and exceptions know the event by.
func windowTime(ev *event.Event, o *Origin) (t int64, skewed bool) {
	skewed = ev.Bool(event.LivewardSkewed)
	if skewed || !ev.Has(event.Timestamp) {
		return o.Ingest, skewed
	}
	return ev.Time(event.Timestamp), false
}

// drill tells whether labels.drill marks the event.
func drill(ev *event.Event) bool {
	for i := range ev.Labels {
		if ev.Labels[i].Key == "drill" {
			return ev.Labels[i].Value == "true"
		}
	}
	return false
}

func add(buf *event.SignalBuffer, ev *event.Event, id event.ID) {
	if v, ok := ev.ValueOf(id); ok {
		buf.Add(v)
	}
}

// once adds the values that make an event count once. A part that is absent stands as an empty
// value: a vendor without attempt numbers repeats the same session. Where all are absent nothing is
// known to repeat, and the event counts by itself.
func once(buf *event.SignalBuffer, ev *event.Event, ids []event.ID) {
	any := false
	for _, id := range ids {
		any = any || ev.Has(id)
	}
	if !any {
		return
	}
	for _, id := range ids {
		if v, ok := ev.ValueOf(id); ok {
			buf.Add(v)
		} else {
			buf.Add(event.Value{Field: id})
		}
	}
}
