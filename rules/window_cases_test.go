package rules

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// TestWindowCases is the table of published cases, as far as it concerns windows over thresholds and
// different values: N=5, w=60 s, suppressed for 60 s, lateness 5 s, one key, numbers in seconds and
// in order of arrival.
func TestWindowCases(t *testing.T) {
	suppressed := func(s WindowStats) int64 { return s.Rules[0].Suppressed }
	noKey := func(s WindowStats) int64 { return s.Rules[0].NoKey }
	late := func(s WindowStats) int64 { return s.Late }
	skewed := func(s WindowStats) int64 { return s.Skewed }
	duplicates := func(s WindowStats) int64 { return s.Duplicates }

	user := func(r *Rule) { r.By = []event.ID{event.UserID} }
	severe := func(r *Rule) { r.Severity = event.Critical }
	three := func(r *Rule) { r.Count = 3 }

	tests := []struct {
		name     string
		words    string
		want     string
		rule     func(*Rule)
		lateness time.Duration
		stat     func(WindowStats) int64
		statWant int64
	}{
		{name: "1 an event exactly w old is out", words: "0 15 30 45 60", want: ""},
		{name: "2 one a millisecond younger is in", words: "0 15 30 45 59.999", want: "@59.999"},
		{name: "3 ties count one by one", words: "7 7 7 7 7", want: "@7"},
		{name: "4 no buckets", words: "55 57 59 61 63", want: "@63"},
		{name: "5 suppressed firings are counted", words: "0..9", want: "@4", stat: suppressed, statWant: 5},
		{name: "6 suppression is fixed, not extended", words: "0..149", want: "@4 @64 suppressed=59 @124 suppressed=59"},
		{name: "7 suppression ends inclusively", words: "0..4 60..64", want: "@4 @64 suppressed=4"},
		{name: "8 reordered within lateness", words: "10 12 11 9 13", want: "@13"},
		{name: "9 late events are counted, not used", words: "10 11 12 100 13 14", want: "", stat: late, statWant: 2},
		{name: "10 a newer event hides no burst", words: "90 20 30 40 50 60", want: "@60", lateness: 75 * time.Second},
		{name: "11 an event of the future counts when it was read", words: "500~9 10 11 12 13 14", want: "@13", stat: skewed, statWant: 1},
		{name: "12 duplicates count once", words: "0#a 1#b 1#b 2#c 2#c 3#d", want: "", stat: duplicates, statWant: 2},
		{name: "13 crash before commit", words: "0#a snap 1#b 2#c crash 1#b 2#c 3#d 4#e", want: "@4"},
		{name: "13 delivered again without a crash", words: "0#a 1#b 2#c 1#b 2#c 3#d 4#e", want: "@4"},
		{name: "14 a burst spans a restart", words: "0 1 2 restart 3 4", want: "@4"},
		{name: "15 killed between alert and commit", words: "snap 0#a 1#b 2#c 3#d 4#e idle=20 crash 0#a 1#b 2#c 3#d 4#e idle=20", want: "@4"},
		{name: "17 suppression survives a restart", words: "0..4 restart 10..14", want: "@4"},
		{name: "18 keys do not shadow each other", words: "0/10.0.0.1 0/10.0.0.2 1/10.0.0.1 1/10.0.0.2 2/10.0.0.1 2/10.0.0.2 3/10.0.0.1 3/10.0.0.2 4/10.0.0.1 4/10.0.0.2", want: "@4 @4"},
		{name: "19 no key is no key", words: "0/- 1/- 2/- 3/- 4/-", want: "", stat: noKey, statWant: 5},
		{name: "20 one address has one form", words: "0/1.2.3.4 1/1.2.3.4 2/1.2.3.4 3/::ffff:1.2.3.4 4/::ffff:1.2.3.4", want: "@4"},
		{name: "21 case matters", words: "0/Bob 1/Bob 2/Bob 3/bob 4/bob", want: "", rule: user},
		{name: "22 a value expires", words: "0=a 10=b 20=c 61=d", want: "", rule: distinctUsers},
		{name: "23 a value seen again stays", words: "0=a 10=b 20=c 50=a 61=d", want: "@61", rule: distinctUsers},
		{name: "24 no value is no value", words: "0=a 1=b 2=c 3", want: "", rule: distinctUsers, stat: noKey, statWant: 1},
		{name: "45 a change of severity keeps windows", words: "0 1 2 reload=severe 3 4", want: "@4"},
		{name: "46 a change of logic fires on the next event", words: "0 1 2 idle=20 reload=three rebuild 23", want: "@23"},
		{name: "46 what waits is not lost at a change of logic", words: "0 1 2 reload=three rebuild 3", want: "@2"},
		{name: "46 without what was before, the rule is warming", words: "0 1 2 idle=20 reload=three 23 24", want: ""},
		{name: "46 then it counts like any other", words: "0 1 2 idle=20 reload=three 23 24 25", want: "@25"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mod := tt.rule
			if mod == nil {
				mod = func(*Rule) {}
			}
			s := newStory(t, WindowConfig{Lateness: tt.lateness}, burst(mod))
			s.reload = func(name string) []*Rule {
				return []*Rule{burst(map[string]func(*Rule){"severe": severe, "three": three}[name])}
			}
			s.run(tt.words)
			s.take(s.w.End())
			if got := s.told(); got != tt.want {
				t.Errorf("alerts of %s: %q, want %q", tt.words, got, tt.want)
			}
			if tt.stat != nil {
				if got := tt.stat(s.w.Stats()); got != tt.statWant {
					t.Errorf("counter is %d, want %d", got, tt.statWant)
				}
			}
		})
	}
}

// TestCase15And16SameIDAfterCrash: an alert computed again is the same alert.
func TestCase15And16SameIDAfterCrash(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.run("snap 0#a 1#b 2#c 3#d 4#e idle=20")
	if len(s.alerts) != 1 {
		t.Fatalf("%d alerts before the crash, want 1", len(s.alerts))
	}
	before := *s.alerts[0]
	s.run("crash 0#a 1#b 2#c 3#d 4#e idle=20")
	if len(s.alerts) != 1 || string(s.alerts[0].AppendJSON(nil)) != string(before.AppendJSON(nil)) {
		t.Errorf("alert differs after the crash")
	}
}

// TestCase45SeverityIsTheNewOne: the alert after a reload is the new rule's.
func TestCase45SeverityIsTheNewOne(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.reload = func(string) []*Rule {
		return []*Rule{burst(func(r *Rule) { r.Severity, r.Version = event.Critical, 2 })}
	}
	s.run("0 1 2 reload=x 3 4 idle=20")
	if len(s.alerts) != 1 || s.alerts[0].Rule.Severity != event.Critical || s.alerts[0].Rule.Version != 2 {
		t.Fatalf("alerts %v", s.told())
	}
}

// TestCase46Warming: a rule with new logic says so until its window has passed.
func TestCase46Warming(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.reload = func(string) []*Rule { return []*Rule{burst(func(r *Rule) { r.Count = 3 })} }
	warming := func() bool { return s.w.Stats().Rules[0].Warming }
	s.run("0 1 2 idle=20")
	if warming() {
		t.Error("warming at the start")
	}
	s.run("reload=three idle=30")
	if !warming() {
		t.Error("not warming after a change of logic")
	}
	s.run("restart idle=40")
	if !warming() {
		t.Error("not warming after a restart")
	}
	s.run("idle=81")
	if warming() {
		t.Error("warming when the window has passed")
	}
	s.reload = func(string) []*Rule { return []*Rule{burst(func(r *Rule) { r.Count = 4 })} }
	s.run("reload=four rebuild")
	if warming() {
		t.Error("warming though its windows were filled")
	}
}

// TestCase48ReplayTwiceIsTheSameBytes: no clock and no chance is in an alert.
func TestCase48ReplayTwiceIsTheSameBytes(t *testing.T) {
	run := func() string {
		s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Show = []event.ID{event.UserAgentClass} }))
		for i := range 300 {
			s.event(line{t: at(float64(i)), key: fmt.Sprintf("10.0.0.%d", i%7), show: map[event.ID]string{event.UserAgentClass: fmt.Sprint(i % 3)}})
		}
		s.take(s.w.End())
		var out []byte
		for _, a := range s.alerts {
			out = append(a.AppendJSON(out), '\n')
		}
		return string(out)
	}
	if a, b := run(), run(); a != b || a == "" {
		t.Errorf("two replays differ:\n%s\n%s", a, b)
	}
}

// TestCase50AttackerAmongAMillionKeys: an attacker who makes a rule forget keys does not make it
// forget the attacker.
func TestCase50AttackerAmongAMillionKeys(t *testing.T) {
	const attacker = "198.51.100.9"
	rule := burst()
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{MaxKeys: 100_000})
	var alerts []*event.Alert
	take := func(fired []Fired) {
		for _, f := range fired {
			alerts = append(alerts, f.Alert)
		}
	}
	step := Step{Agent: "a", Positions: []event.Position{{Source: "gw", Path: "/", Ordinal: 1}}}
	send := func(t int64, key string, n int) {
		sig := event.Signal{State: rule.State, Time: t, Offset: int64(n), Key: []event.Value{{Field: event.ClientIP, Str: key}}}
		binary.BigEndian.PutUint64(sig.Event[8:], uint64(n))
		step.Signals = append(step.Signals, sig)
		step.Ingest, step.Positions[0].MaxTime = t, t
		if len(step.Signals) == 4096 {
			take(w.Apply(step))
			step.Signals = step.Signals[:0]
		}
	}
	// 50,000 keys with one hit between two hits of the attacker, twenty times over.
	n := 0
	for round := range 20 {
		start := at(float64(round) * 12)
		n++
		send(start, attacker, n)
		for i := range 50_000 {
			n++
			send(start+int64(i)*200_000, fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), n)
		}
	}
	take(w.Apply(step))
	take(w.End())
	if len(alerts) == 0 || alerts[0].Time != at(48) {
		t.Fatalf("attacker not found: %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if a.KeyText() != "client.ip="+attacker {
			t.Errorf("alert of %s", a.KeyText())
		}
	}
	s := w.Stats()
	if s.Evicted == 0 || s.Rules[0].Keys > 100_000 || s.Duplicates+s.Late+s.Behind > 0 {
		t.Errorf("evicted %d, keys %d, not counted %d", s.Evicted, s.Rules[0].Keys, s.Duplicates+s.Late+s.Behind)
	}
}
