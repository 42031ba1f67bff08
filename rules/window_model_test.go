package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// modelAlert is what the model says of an alert.
type modelAlert struct {
	Time, Count, First, Suppressed int64
	Key                            string
	Evidence                       []event.Hash
}

// model is the published semantics written down as directly as possible: every event looks at all
// events before it.
func model(r *Rule, lines []line) []modelAlert {
	type period struct{ last, first, running, held, escalated int64 }
	periods := map[string]*period{}
	var alerts []modelAlert
	for i, l := range lines {
		var in []line // the window's events, each value once, the last event of it
		repeated := false
		for j := i; j >= 0; j-- {
			e := lines[j]
			if e.key != l.key || e.t <= l.t-int64(r.Window) {
				continue
			}
			value := fmt.Sprint(e.of)
			switch {
			case r.Kind == Distinct:
				value = e.of[0]
			case len(r.Once) == 0:
				value = e.id
			}
			same := func(o line) bool {
				switch {
				case r.Kind == Distinct:
					return o.of[0] == value
				case len(r.Once) == 0:
					return o.id == value
				}
				return fmt.Sprint(o.of) == value
			}
			repeated = repeated || j < i && same(l)
			if !slices.ContainsFunc(in, same) {
				in = append(in, e)
			}
		}
		slices.Reverse(in)
		if r.Kind == Each {
			if len(r.Once) > 0 && repeated {
				continue
			}
			in = []line{l}
		} else if int64(len(in)) < r.Count {
			continue
		}
		a := modelAlert{Time: l.t, Count: int64(len(in)), First: in[0].t, Key: l.key}
		p := periods[l.key]
		switch {
		case p == nil:
			p = &period{}
			periods[l.key] = p
			fallthrough
		case r.Suppress.For == 0 || l.t >= p.last+int64(r.Suppress.For):
			a.Suppressed = p.held
			*p = period{last: l.t, first: a.First, running: a.Count}
			if r.Suppress.EscalateAt > 0 && a.Count >= r.Suppress.EscalateAt {
				p.escalated = 1
			}
		default:
			if r.Kind == Distinct || len(r.Once) > 0 && r.Kind == Threshold {
				p.running = max(p.running, a.Count)
			} else {
				p.running++
			}
			if r.Suppress.EscalateAt == 0 || p.escalated == 1 || p.running < r.Suppress.EscalateAt {
				p.held++
				continue
			}
			p.escalated = 1
			a.Suppressed, p.held = p.held, 0
			if r.Kind != Distinct && (len(r.Once) == 0 || r.Kind == Each) {
				a.Count, a.First = p.running, p.first
			}
		}
		for _, e := range in[max(0, len(in)-event.MaxEvidence):] {
			a.Evidence = append(a.Evidence, event.HashStrings("event", e.id))
		}
		alerts = append(alerts, a)
	}
	return alerts
}

// modelOf is what the model would say of an alert of the windows.
func modelOf(a *event.Alert) modelAlert {
	key := ""
	for _, v := range a.Key {
		key = v.Str
	}
	return modelAlert{a.Time, a.Count, a.First, a.Suppressed, key, a.Evidence}
}

// drawRule draws a rule of any kind that is counted.
func drawRule(t *rapid.T) *Rule {
	second := func(lo, hi int) time.Duration {
		return time.Duration(rapid.IntRange(lo, hi).Draw(t, "seconds")) * time.Second
	}
	return burst(func(r *Rule) {
		r.Kind = rapid.SampledFrom([]Kind{Threshold, Distinct, Each}).Draw(t, "kind")
		r.Window = second(1, 12)
		r.Count = int64(rapid.IntRange(1, 6).Draw(t, "count"))
		if r.Kind == Distinct {
			r.Of = []event.ID{event.UserID}
		} else if rapid.Bool().Draw(t, "once") {
			r.Once = []event.ID{event.LivenessSessionID}
		}
		r.Suppress.For = second(0, 20)
		if rapid.Bool().Draw(t, "escalate") {
			r.Suppress.EscalateAt = int64(rapid.IntRange(2, 12).Draw(t, "at"))
		}
	})
}

// arrival is a line with the time of its arrival.
type arrival struct {
	line
	arrives int64
}

// drawLines draws a log in the order of events: ties, few keys, few values.
func drawLines(t *rapid.T, paths int) []line {
	n := rapid.IntRange(0, 60).Draw(t, "lines")
	lines := make([]line, n)
	now := int64(0)
	for i := range lines {
		now += rapid.SampledFrom([]int64{0, 0, 1, 250, 1000, 1000, 2500, 9000}).Draw(t, "gap") * 1e6
		lines[i] = line{
			t:    base + now,
			id:   fmt.Sprint("id", i),
			key:  rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}).Draw(t, "key"),
			of:   []string{rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "value")},
			path: fmt.Sprint("/", rapid.IntRange(1, paths).Draw(t, "path")),
		}
	}
	return lines
}

// shuffle draws an order of arrival in which no line is later than the default lateness. Lines of one time and
// path keep their order: their place in the file is their order.
func shuffle(t *rapid.T, lines []line) []line {
	const lateness = 5 * time.Second
	var as []arrival
	delays := map[string]int64{}
	for _, l := range lines {
		tie := fmt.Sprint(l.path, l.t)
		if _, ok := delays[tie]; !ok {
			delays[tie] = rapid.Int64Range(0, int64(lateness)/1e6).Draw(t, "delay") * 1e6
		}
		as = append(as, arrival{l, l.t + delays[tie]})
	}
	slices.SortStableFunc(as, func(a, b arrival) int { return cmp.Compare(a.arrives, b.arrives) })
	out := make([]line, len(as))
	for i, a := range as {
		out[i] = a.line
	}
	return out
}

// play runs lines through windows, in steps of drawn sizes, with restarts in between.
func play(t *rapid.T, rule *Rule, cfg WindowConfig, paths int, lines []line, restarts bool) []*event.Alert {
	w := NewWindows([]*Rule{rule}, event.Hash{}, cfg)
	g := newGateway(5*time.Second, rule)
	var alerts []*event.Alert
	take := func(fired []Fired) {
		for _, f := range fired {
			alerts = append(alerts, f.Alert)
		}
	}
	first := Step{Agent: "agent-1", Ingest: base}
	for i := range paths {
		first.Positions = append(first.Positions, event.Position{Source: "gw", Path: fmt.Sprint("/", i+1), Ordinal: 1})
	}
	take(w.Apply(first))
	for len(lines) > 0 {
		n := rapid.IntRange(1, min(len(lines), 10)).Draw(t, "step")
		take(w.Apply(g.step(lines[:n]...)))
		lines = lines[n:]
		if restarts && rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			snapshot := w.AppendSnapshot(nil)
			w = NewWindows([]*Rule{rule}, event.Hash{}, cfg)
			if err := w.Restore(snapshot); err != nil {
				t.Fatalf("Restore: %v", err)
			}
		}
	}
	take(w.End())
	return alerts
}

// TestWindowsAgreeWithTheModel compares thresholds, different values, per-event rules, once,
// suppression and escalation with a quadratic model, over shuffled arrival and restarts.
func TestWindowsAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t)
		lines := drawLines(t, 2)
		arrived := shuffle(t, lines)
		ordered := slices.Clone(arrived)
		slices.SortStableFunc(ordered, func(a, b line) int {
			return cmp.Or(cmp.Compare(a.t, b.t), strings.Compare(a.path, b.path))
		})
		want := model(rule, ordered)
		var got []modelAlert
		for _, a := range play(t, rule, WindowConfig{Hold: time.Hour}, 2, arrived, true) {
			got = append(got, modelOf(a))
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("rule %+v\nwindows differ from the model (-model +windows):\n%s", rule, diff)
		}
	})
}

// told is what of an alert does not depend on names and ids.
type told struct {
	Time, Count, Suppressed int64
	Key                     string
}

func tell(alerts []*event.Alert, shift int64, rename func(string) string) []told {
	out := make([]told, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, told{a.Time - shift, a.Count, a.Suppressed, rename(a.Key[0].Str)})
	}
	// Alerts of one instant may change places where their lines came from different files.
	slices.SortFunc(out, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Key, b.Key), cmp.Compare(a.Count, b.Count), cmp.Compare(a.Suppressed, b.Suppressed))
	})
	return out
}

// TestWindowsMetamorphic: what cannot matter does not matter.
func TestWindowsMetamorphic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { metamorphic(t, drawRule(t), drawLines(t, 1)) })
}

// metamorphic holds alerts of lines of one path against those of the same lines otherwise told.
func metamorphic(t *rapid.T, rule *Rule, lines []line) {
	keep := func(s string) string { return s }
	cfg := WindowConfig{Hold: time.Hour}
	want := tell(play(t, rule, cfg, 1, lines, false), 0, keep)
	check := func(what string, alerts []*event.Alert, shift int64, rename func(string) string) {
		if diff := gocmp.Diff(want, tell(alerts, shift, rename)); diff != "" {
			t.Fatalf("%s changes the alerts of %+v (-before +after):\n%s", what, rule, diff)
		}
	}
	check("arrival within lateness", play(t, rule, cfg, 1, shuffle(t, lines), false), 0, keep)

	var doubled []line
	for _, l := range lines {
		doubled = append(doubled, l)
		for rapid.IntRange(0, 2).Draw(t, "again") == 0 {
			doubled = append(doubled, doubled[rapid.IntRange(max(0, len(doubled)-20), len(doubled)-1).Draw(t, "which")])
		}
	}
	check("sending lines again", play(t, rule, WindowConfig{Hold: time.Hour, Horizon: time.Hour}, 1, doubled, false), 0, keep)

	renamed := slices.Clone(lines)
	for i := range renamed {
		renamed[i].key = "2001:db8::" + renamed[i].key[len("10.0.0."):]
	}
	check("other names of keys", play(t, rule, cfg, 1, renamed, false), 0, func(s string) string {
		return "10.0.0." + s[len("2001:db8::"):]
	})

	shift := rapid.Int64Range(-1e18, 1e18).Draw(t, "shift")
	shifted := slices.Clone(lines)
	for i := range shifted {
		shifted[i].t += shift
	}
	check("another time", play(t, rule, WindowConfig{Hold: 1000000 * time.Hour}, 1, shifted, false), shift, keep)

	stranger := slices.Clone(lines)
	for i := range 5 {
		if len(lines) > 0 {
			l := lines[len(lines)-1]
			l.key, l.id, l.of = "192.0.2.1", fmt.Sprint("stranger", i), []string{fmt.Sprint(i)}
			stranger = append(stranger, l)
		}
	}
	var others []*event.Alert
	for _, a := range play(t, rule, cfg, 1, stranger, false) {
		if a.Key[0].Str != "192.0.2.1" {
			others = append(others, a)
		}
	}
	check("another key", others, 0, keep)
}
