package rules

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

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
		for word := range strings.FieldsSeq(text) {
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
		{"at_least: 5", "at_least: 4"},
		{`"error"`, `"live"`},
		{"15m", "16m"},
		{`== "live"`, `!= "live"`},
		{", until: 'liveness.decision == \"error\"'", ""},
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

// Every match of a spike is a signal, its step tells hits; without of each match is one.
func TestSpikeSignals(t *testing.T) {
	r := compileText(t, `
title: "{ratio} times normal for {organization.id}"
when: event.action == "liveness-check" and has(liveness.decision)
by: [organization.id]
window: 10m
spike: {of: 'liveness.decision == "spoof"', factor: 4, min_total: 20, baseline: 14d, season: 1d, tz: Europe/Berlin, warmup: 3d, drop: true}
`)
	got := signalsOf(t, r,
		"event.action=liveness-check organization.id=a liveness.decision=spoof",
		"event.action=liveness-check organization.id=a liveness.decision=live",
		"event.action=liveness-check organization.id=a",
	)
	if diff := cmp.Diff([]string{"1,a", "0,a", ""}, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	x := r.Spike
	if x.As != SpikeRatio || x.Factor != 4 || x.MinHits != 8 || x.MinTotal != 20 || x.Baseline != 14*24*time.Hour ||
		x.Season != 24*time.Hour || x.Zone.String() != "Europe/Berlin" || x.Warmup != 72*time.Hour || x.Floor != 1 || !x.Drop {
		t.Errorf("parameters are %+v", x)
	}
	r = compileText(t, "when: gateway.auth == \"refused\"\nwindow: 10m\nspike: {baseline: 1d}")
	if got := signalsOf(t, r, "gateway.auth=refused"); got[0] != "1" || r.Spike.As != SpikeCount {
		t.Errorf("signals %v of %+v", got, r.Spike)
	}
}

func TestAbsenceRosters(t *testing.T) {
	fsys := ruleFiles(map[string]string{"t.a": `
when: event.dataset == "liveward.event"
by: [liveward.source, client.as.number]
absence: {for: 10m, expect: lists.gateways, unless: lists.maintenance}
suppress: {until: recovered}
`})
	sp := parseSpec(newSource("t.a.yaml", fsys["t.a.yaml"].Data), newForms())
	lists := map[string]*compiledList{
		"gateways":    compileList("gateways", List{Type: ListKeyword, Entries: []string{"gw-1, 64500", "gw-2,64501"}}),
		"maintenance": compileList("maintenance", List{Type: ListKeyword, Entries: []string{"*  2026-02-01/2026-02-02", "gw-1,64500", "gw-2,64501 2026-03-01T00:00:00Z/2026-03-01T02:00:00Z"}}),
	}
	s := newSource("t.a.yaml", fsys["t.a.yaml"].Data)
	r := compileRule(sp, s, newCompiler(lists))
	if r == nil {
		t.Fatal(s.problems)
	}
	key := func(source string, as uint64) []event.Value {
		return []event.Value{{Field: event.LivewardSource, Str: source}, {Field: event.ClientASNumber, Num: as}}
	}
	at := func(text string) int64 {
		ns, ok := parseInstant(text)
		if !ok {
			t.Fatal(text)
		}
		return ns
	}
	want := AbsenceSpec{
		For:    10 * time.Minute,
		Expect: [][]event.Value{key("gw-1", 64500), key("gw-2", 64501)},
		Unless: []Maintenance{
			{nil, at("2026-02-01"), at("2026-02-02")},
			{key("gw-1", 64500), math.MinInt64, math.MaxInt64},
			{key("gw-2", 64501), at("2026-03-01"), at("2026-03-01T02:00:00Z")},
		},
	}
	if diff := cmp.Diff(want, r.Absence); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	// Who is expected decides nothing about what was counted.
	lists["gateways"].Entries = lists["gateways"].Entries[:1]
	if again := compileRule(sp, s, newCompiler(lists)); again.State != r.State {
		t.Error("the roster is in the state key")
	}
	for _, wrong := range []string{"gw-1", "gw-1,x", "gw-1,64500,2"} {
		lists["gateways"].Entries = []string{wrong}
		s := newSource("t.a.yaml", fsys["t.a.yaml"].Data)
		if compileRule(sp, s, newCompiler(lists)) != nil {
			t.Errorf("entry %q is taken for a key", wrong)
		}
	}
	for _, wrong := range []string{"gw-1,64500 2026-02-02/2026-02-01", "* x/y"} {
		lists["gateways"].Entries, lists["maintenance"].Entries = nil, []string{wrong}
		s := newSource("t.a.yaml", fsys["t.a.yaml"].Data)
		if compileRule(sp, s, newCompiler(lists)) != nil {
			t.Errorf("entry %q is taken for a span", wrong)
		}
	}
}

func TestChainMatchesAlerts(t *testing.T) {
	const body = `
when: >-
  event.severity >= 47 and not (rule.id in ["t.noise"]) and ("T1110" in threat.technique.id or any(threat.tactic.name, # == "initial-access"))
by: [client.ip]
window: 1d
chain: {as: distinct, of: threat.tactic.name, at_least: 2}
except: [{when: 'organization.id == "pen-test"', until: 2027-01-01, owner: soc, why: x}]
`
	r := compileText(t, body)
	alert := func(edit func(*event.Alert)) *event.Alert {
		a := &event.Alert{
			Time: testBase().UnixNano(), Mode: "live", Key: []event.Value{{Field: event.ClientIP, Str: "192.0.2.1"}},
			Rule: event.AlertRule{ID: "t.b", Severity: event.High, Attack: []string{"T1110", "T1078.004", "T9999"}},
		}
		edit(a)
		return a
	}
	f := func(r *Rule, name string, want string, edit func(*event.Alert)) {
		t.Helper()
		key, of, ok := r.MatchAlert(alert(edit))
		got := joinValues(key) + joinValues(of)
		if ok != (want != "") || got != want {
			t.Errorf("%s: %v %q, want %q", name, ok, got, want)
		}
	}
	const all = ",192.0.2.1,credential-access,initial-access"
	f(r, "all", all, func(*event.Alert) {})
	f(r, "mild", "", func(a *event.Alert) { a.Rule.Severity = event.Low })
	f(r, "noise", "", func(a *event.Alert) { a.Rule.ID = "t.noise" })
	f(r, "itself", "", func(a *event.Alert) { a.Rule.ID = "t.a" })
	f(r, "recovery", "", func(a *event.Alert) { a.Status = event.Recovered })
	f(r, "shadow", "", func(a *event.Alert) { a.Mode = "shadow" })
	f(r, "another key", "", func(a *event.Alert) { a.Key[0] = event.Value{Field: event.UserID, Str: "u"} })
	f(r, "excepted", "", func(a *event.Alert) { a.Tenant = "pen-test" })
	f(r, "related", all, func(a *event.Alert) { a.Key, a.Related = nil, a.Key })
	f(r, "other technique", "", func(a *event.Alert) { a.Rule.Attack = []string{"T1595"} })
	f(compileText(t, body+"mode: shadow\n"), "shadow of shadow", all, func(a *event.Alert) { a.Mode = "shadow" })
	asks := strings.Replace(body, "event.severity >= 47", `has(client.ip) and liveward.alert.mode in ["shadow", "live"]`, 1)
	f(compileText(t, asks), "asks for the mode", all, func(a *event.Alert) { a.Mode = "shadow" })
	if got := signalsOf(t, r, "client.ip=192.0.2.1"); got[0] != "" {
		t.Error("an event matches a chain")
	}
}
