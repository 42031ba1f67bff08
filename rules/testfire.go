package rules

import (
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// testFire plays the moves of one test on one rule, through the matching and the windows of the
// agent.
type testFire struct {
	rule    *Rule
	matcher *Matcher
	windows *Windows
	buf     event.SignalBuffer
	at      event.Position
	names   []string // counters that the test asks for
	alerts  []testAlert
}

// testAlert is an alert with the counters that a test asks for.
type testAlert struct {
	*event.Alert
	counters map[string]string
}

// testLateness is the lateness of test events.
const testLateness = 5 * 1_000_000_000

// fire plays a test's events and returns the alerts, in order of time.
func fire(r *Rule, t *testCase, number int) []testAlert {
	r, names := counting(r, t)
	set := NewSet(r)
	f := &testFire{rule: r, names: names, matcher: set.NewMatcher(), at: event.Position{Source: "test", Path: "-", Ordinal: 1}}
	// The agent of a test is never down, whatever lies between its events.
	f.windows = NewWindows(set.Rules(), event.Hash{}, WindowConfig{Lateness: testLateness, Hold: 10 * maxTestAt})
	if b := t.baseline; b != nil {
		f.windows.SetBaseline(r.State, b.total, b.hits)
	}
	// Who is expected is so from the test's beginning on.
	start := testBase().UnixNano()
	if len(t.moves) > 0 {
		start = min(start, testBase().Add(t.moves[0].at).UnixNano())
	}
	if r.Kind == Absence {
		f.flush(start+testLateness, true)
	}
	var ev event.Event
	for i := range t.moves {
		mv := &t.moves[i]
		now := testBase().Add(mv.at).UnixNano()
		if mv.clock {
			// The clock of rules is the watermark.
			f.flush(now+testLateness, true)
			continue
		}
		id := event.HashStrings("test", r.ID, strconv.Itoa(number), strconv.Itoa(i))
		if r.Kind == Chain {
			f.offer(mv.alert(now, id))
			continue
		}
		mv.event(t, &ev)
		f.matcher.Match(&ev, Origin{Offset: int64(i), Ingest: now, Event: id}, &f.buf)
		f.at.End, f.at.MaxTime = int64(i+1), max(f.at.MaxTime, now)
	}
	f.flush(f.at.MaxTime, false)
	f.take(f.windows.End())
	slices.SortStableFunc(f.alerts, func(a, b testAlert) int { return int(sign(a.Time - b.Time)) })
	return f.alerts
}

// event writes the event that a move stands for.
func (mv *testMove) event(t *testCase, ev *event.Event) {
	ev.Reset()
	ev.SetTime(event.Timestamp, testBase().Add(mv.at).UnixNano())
	ev.SetString(event.EventKind, "event")
	ev.SetString(event.EventDataset, "liveward.event")
	for i := range mv.values {
		mv.values[i].apply(ev)
	}
	for _, s := range t.vendors[ev.Str(event.LivenessVendor)] {
		if !ev.Has(s.field) {
			s.apply(ev)
		}
	}
}

func (f *testFire) take(fired []Fired) {
	for _, x := range fired {
		a := testAlert{Alert: x.Alert, counters: map[string]string{}}
		parts := strings.Split(a.Rule.Name, counterMark)
		for i, name := range f.names {
			if i+1 < len(parts) {
				a.counters[name] = parts[i+1]
			}
		}
		a.Rule.Name = parts[0]
		f.alerts = append(f.alerts, a)
	}
}

// counterMark stands between a title and the counters that a test asks for.
const counterMark = "\x1f"

// counting is the rule with a title that also tells the counters a test asks for. What windows know of
// a firing is in titles, and there alone.
func counting(r *Rule, t *testCase) (*Rule, []string) {
	var names []string
	for _, x := range t.alerts {
		for _, w := range x.want {
			if (stepCounter(w.name) >= 0 || slices.Contains(counters(), w.name)) && !slices.Contains(names, w.name) {
				names = append(names, w.name)
			}
		}
	}
	if len(names) == 0 {
		return r, nil
	}
	c := *r
	c.Title.parts = slices.Clone(r.Title.parts)
	for _, name := range names {
		c.Title.parts = append(c.Title.parts, templatePart{text: counterMark}, templatePart{name: name})
	}
	return &c, names
}

// flush gives the windows what was matched.
func (f *testFire) flush(ingest int64, idle bool) {
	f.at.Idle = idle
	f.take(f.windows.Apply(Step{Signals: f.buf.Signals, Positions: []event.Position{f.at}, Agent: "test", Ingest: ingest}))
	f.buf.Reset()
	f.at.Start = f.at.End
}

// offer gives a chain an alert of another rule.
func (f *testFire) offer(a *event.Alert) {
	f.windows.fired = f.windows.fired[:0]
	f.windows.chain(a)
	f.take(f.windows.fired)
}

// alert is the alert that a move of a chain's test stands for. What the move does not say is that of
// a live alert of medium severity.
func (mv *testMove) alert(now int64, id event.Hash) *event.Alert {
	a := &event.Alert{
		ID: id, Time: now, Mode: string(Live), Count: 1,
		Rule: event.AlertRule{ID: "test.rule", Severity: event.Medium, Risk: 50},
	}
	var ev event.Event
	for i := range mv.values {
		if s := &mv.values[i]; s.alert == "" {
			s.apply(&ev)
		} else {
			s.applyAlert(a)
		}
	}
	a.Tenant = ev.Str(event.OrganizationID)
	a.Rule.Tags = append(a.Rule.Tags, ev.List(event.Tags)...)
	ev.Present(func(id event.ID) {
		if v, ok := ev.ValueOf(id); ok {
			v.Str = strings.Clone(v.Str)
			a.Key = append(a.Key, v)
		}
	})
	return a
}

// applyAlert sets a field that alerts have beside those of events.
func (s *setting) applyAlert(a *event.Alert) {
	switch s.alert {
	case "rule.id":
		a.Rule.ID = s.text
	case "event.severity":
		for _, word := range event.Severities() {
			if int64(word.Number()) == s.num {
				a.Rule.Severity = word
			}
		}
	case "event.risk_score":
		a.Rule.Risk = s.real
	case "liveward.alert.mode":
		a.Mode = s.text
	case "liveward.alert.count":
		a.Count = s.num
	case "threat.technique.id":
		a.Rule.Attack = s.list
	}
}
