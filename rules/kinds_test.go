package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// compileText compiles one rule of id t.a from its body, whether windows know its kind or not.
func compileText(tb testing.TB, body string) *Rule {
	tb.Helper()
	text := string(ruleFiles(map[string]string{"t.a": body})["t.a.yaml"].Data)
	s := newSource("t.a.yaml", []byte(text))
	sp := parseSpec(s, newForms())
	if sp == nil {
		tb.Fatal(s.problems)
	}
	r := compileRule(sp, s, newCompiler(testLists()))
	if s.failed() || r == nil {
		tb.Fatal(s.problems)
	}
	return r
}

// signalsOf matches events, given as settings "field=value field=value", and prints the signals of
// each: step and values of key and of.
func signalsOf(tb testing.TB, r *Rule, events ...string) []string {
	tb.Helper()
	m := NewSet(r).NewMatcher()
	var out []string
	for _, text := range events {
		var ev event.Event
		for _, word := range strings.Fields(text) {
			name, value, _ := strings.Cut(word, "=")
			s, err := cellSetting(name, tableCell{text: value}, 1)
			if err != nil {
				tb.Fatal(err)
			}
			s.apply(&ev)
		}
		var buf event.SignalBuffer
		m.Match(&ev, Origin{}, &buf)
		var got []string
		for _, sig := range buf.Signals {
			got = append(got, fmt.Sprintf("%d%s%s", sig.Step, joinValues(sig.Key), joinValues(sig.Of)))
		}
		out = append(out, strings.Join(got, " "))
	}
	return out
}

func joinValues(vs []event.Value) string {
	var out string
	for _, v := range vs {
		out += "," + v.String()
	}
	return out
}

// Each step an event matches is a signal with its number; what resets a step has its own.
func TestSequenceSignals(t *testing.T) {
	r := compileText(t, `
by: [user.id]
window: 15m
once: [liveness.session_id]
sequence:
  - {name: spoofed, when: 'liveness.decision == "spoof"', at_least: 5, until: 'liveness.decision == "live" and liveness.score > 0.9'}
  - {name: passed, when: 'liveness.decision in ["live", "inconclusive"]'}
  - {name: closed, not: 'liveness.decision == "error"'}
`)
	got := signalsOf(t, r,
		"user.id=u liveness.decision=spoof liveness.session_id=s",
		"user.id=u liveness.decision=live liveness.score=0.5",
		"user.id=u liveness.decision=live liveness.score=0.95",
		"user.id=u liveness.decision=error",
		"user.id=u liveness.decision=not_evaluated",
		"liveness.decision=spoof",
	)
	want := []string{"1,u,s", "2,u", "129,u 2,u", "3,u", "", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	wantSteps := []SequenceStep{{"spoofed", 5, true, false}, {"passed", 1, false, false}, {"closed", 1, false, true}}
	if diff := cmp.Diff(wantSteps, r.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if x := NewSet(r).index; len(x.scan) != 0 || len(x.fields) != 1 || x.fields[0].id != event.LivenessDecision {
		t.Error("the index does not find the rule by liveness.decision")
	}
	if diff := cmp.Diff([]event.ID{event.LivenessDecision, event.UserID}, r.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

// A condition for the whole sequence stands in when; a step that demands another field leaves the
// index nothing to go by.
func TestSequenceWithWhen(t *testing.T) {
	r := compileText(t, `
when: liveness.attempt > 1
by: [user.id]
window: 15m
sequence:
  - {name: a, when: 'liveness.decision == "spoof"'}
  - {name: b, when: 'gateway.auth == "accepted"'}
except: [{when: 'client.ip == "192.0.2.1"', until: 2027-01-01, owner: soc, why: x}]
`)
	got := signalsOf(t, r,
		"user.id=u liveness.decision=spoof gateway.auth=accepted liveness.attempt=2",
		"user.id=u liveness.decision=spoof liveness.attempt=1",
		"user.id=u liveness.decision=spoof liveness.attempt=2 client.ip=192.0.2.1",
	)
	if diff := cmp.Diff([]string{"1,u 2,u", "", ""}, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	if x := NewSet(r).index; len(x.scan) != 1 {
		t.Error("the rule is in the index, which cannot find it by one field")
	}
}

func TestFirstSeenSignals(t *testing.T) {
	r := compileText(t, `
when: gateway.auth == "accepted"
by: [api_key.id]
first_seen: {of: [client.geo.country_iso_code, client.as.number], history: 20d, again: 24h}
`)
	got := signalsOf(t, r,
		"gateway.auth=accepted api_key.id=k client.geo.country_iso_code=DE client.as.number=64500",
		"gateway.auth=accepted api_key.id=k client.geo.country_iso_code=DE",
		"gateway.auth=accepted client.geo.country_iso_code=DE client.as.number=64500",
	)
	if diff := cmp.Diff([]string{"0,k,DE,64500", "", ""}, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	f := &r.FirstSeen
	if got := []string{event.FormatDuration(f.History), event.FormatDuration(f.Learn), event.FormatDuration(f.Again)}; strings.Join(got, " ") != "20d 7d 1d" {
		t.Errorf("parameters are %v", got)
	}
}

// Whatever decides what fires is in the state key, and nothing else is.
func TestStateKeyOfKinds(t *testing.T) {
	const base = `
by: [user.id]
window: 15m
sequence:
  - {name: a, when: 'liveness.decision == "spoof"', at_least: 5, until: 'liveness.decision == "error"'}
  - {name: b, when: 'liveness.decision == "live"'}
`
	key := func(from, to string) event.Hash {
		t.Helper()
		body := strings.Replace(base, from, to, 1)
		if from != "" && body == base {
			t.Fatalf("%q is not there", from)
		}
		return compileText(t, body).State
	}
	same := key("", "")
	for _, edit := range [][2]string{
		{"at_least: 5", "at_least: 4"}, {`"error"`, `"live"`}, {"15m", "16m"}, {`== "live"`, `!= "live"`}, {", until: 'liveness.decision == \"error\"'", ""},
		{"name: b, when", "name: b, not"},
	} {
		if key(edit[0], edit[1]) == same {
			t.Errorf("%q for %q leaves the state key", edit[1], edit[0])
		}
	}
	if key("window: 15m", "window: 900s\nsuppress: 1h") != same {
		t.Error("suppression changes the state key")
	}
}
