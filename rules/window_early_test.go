package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

func eager(r *Rule) { r.Eager = true }

// toldEarly is the documents in the notation of the published cases; u@ is an update.
func (s *story) toldEarly() string {
	var words []string
	for _, a := range s.alerts {
		word := "@" + seconds(a.Time)
		if a.Status == event.Updated {
			word = "u" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// TestEagerCases: what fires on arrival, without waiting, and what order has to say at the end.
func TestEagerCases(t *testing.T) {
	plain := func(r *Rule) {
		failThenPass(r)
		r.Steps = []SequenceStep{{Name: "failed", AtLeast: 3}, {Name: "passed", AtLeast: 1}}
	}
	tests := []struct {
		name, words string
		now, end    string // documents before and after the watermark has come
		rule        func(*Rule)
	}{
		{name: "on arrival", words: "0 1 2 3 4", now: "@4", end: "@4"},
		{name: "nothing before enough are there", words: "0 1 2 3", now: "", end: ""},
		{name: "an event exactly w old is out", words: "0 15 30 45 60", now: "", end: ""},
		{name: "the event that makes it full need not be the last", words: "0 1 3 4 2", now: "@4", end: "@4"},
		{name: "order finds another event", words: "0 1 2 4 5 3", now: "@5", end: "@5 u@4"},
		{name: "order finds more events", words: "10 11 13 14 15 12", now: "@15", end: "@15 u@14"},
		{name: "an event far ahead hides no burst", words: "4 0 1 2 3", now: "@4", end: "@4"},
		{name: "suppressed like others", words: "0..9", now: "@4", end: "@4"},
		{name: "again when the period is over", words: "0..149", now: "@4 @64 @124", end: "@4 @64 @124"},
		{name: "late events are not counted", words: "10 11 12 100 13 14", now: "", end: ""},
		{name: "duplicates count once", words: "0#a 1#b 1#b 2#c 2#c 3#d", now: "", end: ""},
		{name: "a burst spans a restart", words: "0 1 2 restart 3 4", now: "@4", end: "@4"},
		{name: "a restart between arrival and order", words: "0 1 2 3 4 restart 5 6", now: "@4", end: "@4"},
		{name: "a restart before order finds another event", words: "0 1 2 4 5 restart 3", now: "@5", end: "@5 u@4"},
		{name: "killed after the alert, before the snapshot", words: "snap 0#a 1#b 2#c 3#d 4#e crash 0#a 1#b 2#c 3#d 4#e", now: "@4", end: "@4"},
		{name: "delivered again after the alert", words: "0#a 1#b 2#c 3#d 4#e 2#c 3#d 4#e", now: "@4", end: "@4"},
		{name: "keys do not shadow each other", words: "0/10.0.0.1 0/10.0.0.2 1/10.0.0.1 1/10.0.0.2 2/10.0.0.1 2/10.0.0.2 3/10.0.0.1 3/10.0.0.2 4/10.0.0.1 4/10.0.0.2", now: "@4 @4", end: "@4 @4"},
		{name: "what waits at a reload fires with the next event", words: "0 1 2 reload=three rebuild 3", now: "@2", end: "@2"},
		{name: "what is past at a reload counts", words: "0 1 idle=20 reload=three rebuild 23", now: "@23", end: "@23"},

		{name: "distinct", words: "0=a 1=b 2=b 3=c 4=d", now: "@4", end: "@4", rule: distinctUsers},
		{name: "distinct, out of order", words: "0=a 1=b 4=d 2=b 3=c", now: "@4", end: "@4", rule: distinctUsers},
		{name: "distinct, a value expires", words: "0=a 10=b 20=c 61=d", now: "", end: "", rule: distinctUsers},

		{name: "sequence", words: "f0 f1 f2 ok3", now: "@3", end: "@3", rule: plain},
		{name: "sequence that arrives backwards", words: "ok13 f10 f11 f12", now: "@13", end: "@13", rule: plain},
		{name: "sequence whose order is wrong", words: "ok0 f1 f2 f3", now: "", end: "", rule: plain},
		{name: "sequence over a restart", words: "f0 f1 restart f2 ok3", now: "@3", end: "@3", rule: plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mod := tt.rule
			if mod == nil {
				mod = func(*Rule) {}
			}
			s := newStory(t, WindowConfig{}, burst(mod, eager))
			s.reload = func(string) []*Rule { return []*Rule{burst(eager, func(r *Rule) { r.Count = 3 })} }
			s.runSteps(tt.words)
			if got := s.toldEarly(); got != tt.now {
				t.Errorf("on arrival: %q, want %q", got, tt.now)
			}
			s.take(s.w.End())
			if got := s.toldEarly(); got != tt.end {
				t.Errorf("in the end: %q, want %q", got, tt.end)
			}
		})
	}
}

// TestEagerUpdateSaysWhatOrderFound: the update is a document of its own that tells the true count.
func TestEagerUpdateSaysWhatOrderFound(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(eager))
	s.run("0 1 2 4 5 3 idle=20")
	if len(s.alerts) != 2 {
		t.Fatalf("documents %s", s.toldEarly())
	}
	first, update := s.alerts[0], s.alerts[1]
	if first.ID == update.ID || first.Count != 5 || update.Count != 5 || update.Last != at(4) {
		t.Errorf("alert %+v\nupdate %+v", first, update)
	}
	if want := "in the order of events: 5 matching events of client.ip=203.0.113.7 within 1m, the 5th at 00:00:04.000Z (UTC)"; update.Explain != want {
		t.Errorf("update explains %q, want %q", update.Explain, want)
	}
	if st := s.w.Stats().Rules[0]; st.Fired != 1 || st.Suppressed != 0 {
		t.Errorf("fired %d, suppressed %d; want 1 and 0: the event at 5 has had its alert", st.Fired, st.Suppressed)
	}
}

// TestEagerFeedsChainsInOrder: rules on alerts see an alert that did not wait at its place in the order.
func TestEagerFeedsChainsInOrder(t *testing.T) {
	early := risky("lw.test.a", 60)
	early.Kind, early.Count, early.Window, early.Suppress.For, early.Eager = Threshold, 2, time.Minute, time.Minute, true
	early.State = event.HashStrings("state", "early")
	chain := chained(func(r *Rule) { r.Chain = ChainSpec{As: ChainRisk, AtLeast: 50} })
	s := newStream(t, WindowConfig{}, early, chain)
	s.send(early, 1, "u1", 0)
	s.send(early, 2, "u1", 0)
	if got := fmt.Sprint(ids(s.alerts)); got != "[lw.test.a@2]" {
		t.Fatalf("on arrival %s", got)
	}
	s.take(s.w.End())
	if got := fmt.Sprint(ids(s.alerts)); got != "[lw.test.a@2 "+chain.ID+"@2]" {
		t.Errorf("in the end %s", got)
	}
	if last := s.alerts[len(s.alerts)-1]; len(last.Evidence) != 1 || last.Evidence[0] != s.alerts[0].ID {
		t.Errorf("the chain's evidence is %v, want the alert %v", last.Evidence, s.alerts[0].ID)
	}
}

// drawEager draws a rule that may fire early.
func drawEager(t *rapid.T) *Rule {
	rule := drawRule(t)
	if rule.Kind == Each {
		rule.Kind, rule.Once = Threshold, nil
	}
	rule.Suppress.For = max(rule.Suppress.For, time.Second)
	rule.Suppress.EscalateAt = 0
	return rule
}

// firing is a document by time and key.
type toldKey struct {
	Time int64
	Key  string
}

func keysOf(alerts []*event.Alert) (out []toldKey) {
	for _, a := range alerts {
		if a.Status == event.Firing {
			out = append(out, toldKey{a.Time, a.Key[0].Str})
		}
	}
	return out
}

// TestEagerAgreesWithOrder: what fires early fires in order as well; whatever fires in order is told of,
// by an alert before it or by one a little after it that came first; where events come in order the
// alerts are the same; and no cut changes anything.
func TestEagerAgreesWithOrder(t *testing.T) {
	fired := 0
	rapid.Check(t, func(t *rapid.T) {
		rule := drawEager(t)
		ordered, early := *rule, *rule
		early.Eager = true
		loud := *rule
		loud.Suppress.For = 0
		cfg := WindowConfig{Hold: time.Hour}
		lines := drawLines(t, 2)
		arrived := shuffle(t, lines)

		got := play(t, &early, cfg, 2, arrived, false)
		told := keysOf(got)
		fired += len(told)
		all := keysOf(play(t, &loud, cfg, 2, arrived, false))
		for _, a := range told {
			if !slices.Contains(all, a) {
				t.Fatalf("%s fires early at %s and never in order", a.Key, seconds(a.Time))
			}
		}
		for _, f := range all {
			covered := slices.ContainsFunc(told, func(a toldKey) bool {
				return a.Key == f.Key && f.Time < a.Time+int64(rule.Suppress.For) && a.Time-f.Time <= int64(5*time.Second)
			})
			if !covered {
				t.Fatalf("%s fires in order at %s, and no alert tells of it: %v", f.Key, seconds(f.Time), told)
			}
		}
		bytesOf := func(alerts []*event.Alert) (out []string) {
			for _, a := range alerts {
				c := *a
				c.Suppressed = 0 // as far as order has come, which is a matter of batches
				out = append(out, string(c.AppendJSON(nil)))
			}
			slices.Sort(out)
			return out
		}
		if diff := gocmp.Diff(bytesOf(got), bytesOf(play(t, &early, cfg, 2, arrived, true))); diff != "" {
			t.Fatalf("restarts and batches change the documents of %+v (-before +after):\n%s", rule, diff)
		}
		inOrder := slices.Clone(lines)
		for i := range inOrder {
			inOrder[i].path = "/1"
		}
		if diff := gocmp.Diff(keysOf(play(t, &ordered, cfg, 1, inOrder, false)), keysOf(play(t, &early, cfg, 1, inOrder, false))); diff != "" {
			t.Fatalf("in order, early alerts of %+v differ (-ordered +early):\n%s", rule, diff)
		}
	})
	if fired == 0 {
		t.Error("no rule has fired")
	}
}

// TestEagerFloodIsBounded: a key with too much waiting is decided in order, and still fires.
func TestEagerFloodIsBounded(t *testing.T) {
	rule := burst(distinctUsers, eager)
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
	g := newGateway(5*time.Second, rule)
	var alerts []*event.Alert
	for i := range 2 * maxEarly {
		// One value over and over, each event before the one that came before it.
		l := line{t: at(4) - int64(i)*1e6, key: "k", of: []string{"a"}}
		if i >= 2*maxEarly-3 {
			l.of = []string{fmt.Sprint("b", i)}
		}
		for _, f := range w.Apply(g.step(l)) {
			alerts = append(alerts, f.Alert)
		}
	}
	if len(alerts) != 0 {
		t.Errorf("%d alerts before order, though more than %d events wait", len(alerts), maxEarly)
	}
	for _, f := range w.End() {
		alerts = append(alerts, f.Alert)
	}
	if len(alerts) != 1 {
		t.Errorf("%d alerts, want 1", len(alerts))
	}
}

// TestEagerFloodIsNotKept: of a key with too much waiting the number alone is kept, over restarts as well,
// and once all of it was counted the key is told of early again.
func TestEagerFloodIsNotKept(t *testing.T) {
	rule := burst(distinctUsers, eager)
	flood := func(restarts bool) (alerts []string) {
		w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
		g := newGateway(5*time.Second, rule)
		put := func(l line) {
			for _, f := range w.Apply(g.step(l)) {
				alerts = append(alerts, string(f.Alert.AppendJSON(nil)))
			}
			for _, k := range w.sorted[0].early.waiting {
				if len(k.waiting) > maxEarly {
					t.Fatalf("%d events of a key are kept", len(k.waiting))
				}
			}
		}
		for i := range 3 * maxEarly { // one source's events are all before the other's
			l := line{t: at(4) + int64(i)*1e5, key: "k", of: []string{"a"}}
			if i >= maxEarly {
				l.t -= 1e9
			}
			put(l)
			if restarts && i%500 == 499 {
				snapshot := w.AppendSnapshot(nil)
				w = NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
				if err := w.Restore(snapshot); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := w.sorted[0].early.waiting; len(n) != 1 {
			t.Fatalf("%d keys wait, want 1", len(n))
		}
		put(line{t: at(60), key: "other", of: []string{"a"}})
		if _, ok := w.sorted[0].early.waiting[w.buffer.all()[0].p.key]; !ok || len(w.sorted[0].early.waiting) != 1 {
			t.Errorf("%d keys wait, want the other one", len(w.sorted[0].early.waiting))
		}
		before := len(alerts)
		for i := range 12 {
			put(line{t: at(61) + int64(i)*1e6, key: "k", of: []string{fmt.Sprint("b", i)}})
		}
		if len(alerts) == before {
			t.Error("nothing is told early of a key that has been quiet since")
		}
		return alerts
	}
	if diff := gocmp.Diff(flood(false), flood(true)); diff != "" {
		t.Errorf("without (-) and with (+) restarts:\n%s", diff)
	}
}
