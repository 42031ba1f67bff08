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

func TestSuppressEscalatesOncePerPeriod(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Suppress.EscalateAt = 12 }))
	s.run("0..63 64")
	s.take(s.w.End())
	// @4 counts 5; @11 is the twelfth event; @64 begins the next period with 60 in the window, which
	// is more than the escalation asks for already.
	if got, want := s.told(), "@4 @11 suppressed=6 @64 suppressed=52"; got != want {
		t.Fatalf("alerts %q, want %q", got, want)
	}
	if a := s.alerts[1]; a.Count != 12 || a.First != at(0) || !strings.Contains(a.Explain, "after the alert of 00:00:04.000Z") {
		t.Errorf("escalation counts %d since %s: %s", a.Count, seconds(a.First), a.Explain)
	}
	if a := s.alerts[2]; a.Count != 60 || a.First != at(5) {
		t.Errorf("third alert counts %d since %s", a.Count, seconds(a.First))
	}
	if st := s.w.Stats().Rules[0]; st.Fired != 3 || st.Escalated != 1 || st.Suppressed != 58 {
		t.Errorf("fired %d, escalated %d, suppressed %d", st.Fired, st.Escalated, st.Suppressed)
	}
}

func TestSuppressIsPerKey(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Count = 1 }))
	s.run("0/10.0.0.1 1/10.0.0.1 2/10.0.0.2")
	s.take(s.w.End())
	if got := s.told(); got != "@0 @2" {
		t.Errorf("alerts %q", got)
	}
}

func TestSuppressRemembersWhatItHeldBack(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.run("0..9 idle=3600 7200 7201 7202 7203 7204")
	s.take(s.w.End())
	if got, want := s.told(), "@4 @7204 suppressed=5"; got != want {
		t.Errorf("alerts %q, want %q", got, want)
	}
	s = newStory(t, WindowConfig{}, burst())
	s.run("0..9 idle=100000")
	if st := s.w.Stats().Rules[0]; st.Held != 0 || st.Keys != 0 || st.Bytes != 0 {
		t.Errorf("a day later %d suppressions, %d keys, %d bytes are left", st.Held, st.Keys, st.Bytes)
	}
}

func TestThresholdWithoutKeyIsOneKey(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.By = nil }))
	s.run("0/a 1/b 2/c 3/d 4/e")
	s.take(s.w.End())
	if got := s.told(); got != "@4" {
		t.Fatalf("alerts %q", got)
	}
	if got, want := s.alerts[0].Explain, "5 matching events within 1m, the 5th at 00:00:04.000Z (UTC)"; got != want {
		t.Errorf("explain %q, want %q", got, want)
	}
}

func TestThresholdOnceCountsPollsOnce(t *testing.T) {
	once := burst(func(r *Rule) { r.Once = []event.ID{event.LivenessSessionID} })
	s := newStory(t, WindowConfig{}, once)
	s.run("0=s1 1=s1 2=s1 3=s2 4=s3 5=s4 6=s4 7=s5")
	s.take(s.w.End())
	if got := s.told(); got != "@7" {
		t.Errorf("alerts %q, want @7", got)
	}
	s = newStory(t, WindowConfig{}, once)
	s.run("0 1 2 3 4") // without a value each counts on its own
	s.take(s.w.End())
	if got := s.told(); got != "@4" {
		t.Errorf("alerts %q, want @4", got)
	}
}

func TestEachOnceFiresOncePerWindow(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) {
		r.Kind, r.Once, r.Suppress.For = Each, []event.ID{event.LivenessSessionID}, 0
	}))
	s.run("0=s1 1=s1 2=s2 60=s1 119=s1 180=s1")
	s.take(s.w.End())
	if got := s.told(); got != "@0 @2 @180" {
		t.Errorf("alerts %q, want @0 @2 @180", got)
	}
}

func TestAlertSaysWhatWhoAndWhen(t *testing.T) {
	title, err := ParseTemplate("{count} refused from {client.ip} by {user_agent.class} of {user.id}")
	if err != nil {
		t.Fatal(err)
	}
	rule := burst(func(r *Rule) {
		r.Title, r.Version, r.Description, r.Playbook, r.Reference = title, 3, "why", "auth/x", "https://playbooks.example/auth/x"
		r.Show = []event.ID{event.UserAgentClass, event.OrganizationID, event.ClientIP, event.EventDataset, event.URLPath}
		r.Risk = Risk{Score: 60, Entity: event.ClientIP}
		r.Tags = RuleTags{Attack: []string{"T1110"}, Atlas: []string{"AML.T0015"}, OWASP: []string{"API2:2023"}, Reg: []string{"DORA-10"}, Concern: "key-abuse"}
	})
	s := newStory(t, WindowConfig{}, rule)
	for i := range 5 {
		s.event(line{t: at(float64(i)), key: "203.0.113.7", drill: i < 4, show: map[event.ID]string{
			event.UserAgentClass: []string{"curl", "curl", "python", "python", "python"}[i],
			event.OrganizationID: "bank-a", event.ClientIP: "203.0.113.7", event.EventDataset: "liveward.event", event.URLPath: "/v1/check",
		}})
	}
	fired := s.w.End()
	if len(fired) != 1 {
		t.Fatalf("%d alerts", len(fired))
	}
	a := fired[0].Alert
	var evidence []event.Hash
	for i := range 5 {
		evidence = append(evidence, event.HashStrings("event", "", fmt.Sprint(i)))
	}
	want := &event.Alert{
		ID:   event.HashStrings("alert", rule.ID, "203.0.113.7", evidence[4].String()),
		Time: at(4), First: at(0), Last: at(4), Count: 5, Threshold: 5, Window: time.Minute, Mode: "live", Tenant: "bank-a",
		Key:      []event.Value{{Field: event.ClientIP, Str: "203.0.113.7"}},
		Evidence: evidence,
		Explain:  "5 matching events of client.ip=203.0.113.7 within 1m, the 5th at 00:00:04.000Z (UTC)",
		Top: []event.Top{
			{Field: event.EventDataset, Values: []string{"liveward.event"}},
			{Field: event.OrganizationID, Values: []string{"bank-a"}},
			{Field: event.URLPath, Values: []string{"/v1/check"}},
			{Field: event.UserAgentClass, Values: []string{"python", "curl"}},
		},
		Related: []event.Value{{Field: event.OrganizationID, Str: "bank-a"}, {Field: event.URLPath, Str: "/v1/check"}},
		Rule: event.AlertRule{
			ID: rule.ID, Version: 3, Name: "5 refused from 203.0.113.7 by python of unknown", Description: "why",
			Playbook: "auth/x", Reference: "https://playbooks.example/auth/x", Severity: event.High, Risk: 60,
			Attack: []string{"T1110", "AML.T0015"}, Tags: []string{"API2:2023", "DORA-10", "key-abuse"},
		},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(a.AppendJSON(nil)), `"dataset":"liveward.alert"`) {
		t.Error("the alert's document takes its dataset from the events")
	}
}

func TestAlertIsADrillsOnlyIfAllOfItIs(t *testing.T) {
	for _, genuine := range []int{-1, 0, 4} {
		s := newStory(t, WindowConfig{}, burst())
		for i := range 5 {
			s.event(line{t: at(float64(i)), key: "10.0.0.1", drill: i != genuine})
		}
		if got := s.w.End()[0].Alert.Drill; got != (genuine < 0) {
			t.Errorf("genuine event %d: drill is %v", genuine, got)
		}
	}
}

func TestAlertCountsExactlyAndThenAtLeast(t *testing.T) {
	for _, tt := range []struct {
		events int
		count  int64
		words  string
	}{{500, 500, "500 matching"}, {2000, minKept, "at least 512 matching"}} {
		s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Suppress.For = 0 }))
		for i := range tt.events {
			s.event(line{t: at(float64(i) / 100), key: "10.0.0.1"})
		}
		s.take(s.w.End())
		a := s.alerts[len(s.alerts)-1]
		if a.Count != tt.count || !strings.HasPrefix(a.Explain, tt.words) || len(a.Evidence) != event.MaxEvidence {
			t.Errorf("%d events: count %d, %d pieces of evidence: %s", tt.events, a.Count, len(a.Evidence), a.Explain)
		}
	}
}

func TestAlertOfDistinctExplains(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(distinctUsers))
	s.run("0=a 1=b 1=b 2=c 3=d")
	a := s.w.End()[0].Alert
	if got, want := a.Explain, "4 different values of user.id for client.ip=203.0.113.7 within 1m, the 4th at 00:00:03.000Z (UTC)"; got != want {
		t.Errorf("explain %q, want %q", got, want)
	}
	if a.Count != 4 || len(a.Evidence) != 4 || a.First != at(0) {
		t.Errorf("count %d, evidence %d, first %s", a.Count, len(a.Evidence), seconds(a.First))
	}
}

func TestPartitionIsOfTheKeyAlone(t *testing.T) {
	partition := func(key string, start float64) int {
		w := NewWindows([]*Rule{burst(func(r *Rule) { r.Count = 1 })}, event.Hash{}, WindowConfig{})
		w.Apply(newGateway(0, burst(func(r *Rule) { r.Count = 1 })).step(line{t: at(start), key: key}))
		return w.End()[0].Partition
	}
	seen := map[int]bool{}
	for i := range 200 {
		key := fmt.Sprintf("10.0.0.%d", i)
		p := partition(key, 0)
		if p < 0 || p >= Partitions || p != partition(key, 1000) {
			t.Fatalf("partition of %s: %d and %d", key, p, partition(key, 1000))
		}
		seen[p] = true
	}
	if len(seen) < 50 {
		t.Errorf("200 keys fall into %d partitions", len(seen))
	}
	if got := partition("10.0.0.1", 0); got != 50 {
		t.Errorf("partition of 10.0.0.1 has moved to %d", got)
	}
}

func TestLongValuesAreBoundedAndStillApart(t *testing.T) {
	long := strings.Repeat("é", 5000)
	rule := burst(func(r *Rule) { r.By, r.Show = []event.ID{event.UserAgentOriginal}, []event.ID{event.URLPath} })
	s := newStory(t, WindowConfig{}, rule)
	for i := range 5 {
		for _, end := range []string{"a", "b"} {
			s.event(line{t: at(float64(i)), key: long + end, show: map[event.ID]string{event.URLPath: long}})
		}
	}
	fired := s.w.End()
	if len(fired) != 2 {
		t.Fatalf("%d alerts, want one for each of two keys", len(fired))
	}
	a, b := fired[0].Alert, fired[1].Alert
	if a.KeyText() == b.KeyText() || a.Group() == b.Group() {
		t.Error("two keys read the same")
	}
	if n := len(a.AppendJSON(nil)); n > 8000 {
		t.Errorf("alert has %d bytes", n)
	}
}

func TestHostileSignalsAreCounted(t *testing.T) {
	rule := burst(func(r *Rule) { r.Count = 1 })
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
	pos := []event.Position{{Source: "gw", Path: "/", Ordinal: 1, MaxTime: base}}
	key := []event.Value{{Field: event.ClientIP, Str: "10.0.0.1"}}
	none := event.ID(event.NumFields)
	var signals []event.Signal
	for i, s := range []event.Signal{
		{State: event.Hash{1}, Key: key},
		{State: rule.State, Key: key, File: -1},
		{State: rule.State, Key: key, File: 1},
		{State: rule.State, Key: []event.Value{{Field: none}}},
		{State: rule.State, Key: key, Show: []event.Value{{Field: none}}},
		{State: rule.State, Key: key, Time: math.MinInt64},
		{State: rule.State, Key: key, Time: math.MaxInt64},
	} {
		s.Event = event.HashStrings(fmt.Sprint(i))
		signals = append(signals, s)
	}
	w.Apply(Step{Signals: signals, Positions: pos, Ingest: base})
	for _, f := range w.End() {
		f.Alert.AppendJSON(nil)
	}
	if st := w.Stats(); st.Unknown != 1 || st.Malformed != 4 || st.Rules[0].Fired != 2 {
		t.Errorf("unknown %d, malformed %d, fired %d", st.Unknown, st.Malformed, st.Rules[0].Fired)
	}
}

func TestBudgetOfBytesHolds(t *testing.T) {
	const budget = 1 << 18
	rules := everyKind()
	w := NewWindows(rules, event.Hash{}, WindowConfig{MaxBytes: budget})
	g := newGateway(5*time.Second, rules...)
	for i := range 3_000 {
		w.Apply(g.step(line{
			t: at(float64(i) / 100), key: fmt.Sprint("k", i), of: []string{fmt.Sprint(i)},
			show: map[event.ID]string{event.UserAgentClass: fmt.Sprint(strings.Repeat("x", 200), i)},
		}))
		if got := w.Stats().Bytes; got > budget {
			t.Fatalf("%d bytes after %d events", got, i)
		}
	}
	if w.Stats().Evicted == 0 {
		t.Error("nothing evicted")
	}
}

func TestSwapDropsWhatWaitsForRulesThatAreGone(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Count = 1 }))
	s.reload = func(string) []*Rule { return []*Rule{burst(func(r *Rule) { r.Count = 2 })} }
	s.run("0 1 2 reload=x")
	if got := s.w.Stats().Pending; got != 0 {
		t.Errorf("%d signals wait for a rule that is gone", got)
	}
	s.take(s.w.End())
	if got := s.told(); got != "" {
		t.Errorf("alerts %q", got)
	}
}
