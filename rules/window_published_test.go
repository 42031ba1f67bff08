package rules

import (
	"strings"
	"testing"
)

// TestPublishedSequenceAndFirstSeen runs the tests that stand in the documented rules of kinds sequence
// and first_seen, from their text on.
func TestPublishedSequenceAndFirstSeen(t *testing.T) {
	set, err := Load(ruleFiles(map[string]string{
		"t.new-origin": `
title: "API key {api_key.id} used from {client.geo.country_iso_code} / AS{client.as.number}"
when: gateway.auth == "accepted" and not (client.allow_listed == true)
needs: [client.geo.country_iso_code, client.as.number]
by: [api_key.id]
first_seen: {of: [client.geo.country_iso_code, client.as.number], history: 30d, learn: 7d, again: 24h}
tests:
  - name: a second country is a second alert
    table: |
      t     api_key.id  client.geo.country_iso_code  client.as.number  gateway.auth  alert
      -20d  k1          ID                           7713              accepted
      0s    k1          BR                           28573             accepted      ALERT
      1h    k1          BR                           28573             accepted
      2h    k1          VN                           45899             accepted      ALERT
  - name: a new key learns
    table: |
      t     api_key.id  client.geo.country_iso_code  client.as.number  gateway.auth  alert
      -20d  k1          ID                           7713              accepted
      0s    k2          BR                           28573             accepted
      6d    k2          VN                           45899             accepted
      7d    k2          DE                           3320              accepted      ALERT
  - given: {api_key.id: k1, gateway.auth: accepted, client.as.number: 28573}
    events: [{at: -20d, set: {client.geo.country_iso_code: ID}}, {at: 0s, set: {client.geo.country_iso_code: BR}}]
    alerts: [{at: 0s, title: API key k1 used from BR / AS28573}]
`,
		"t.spoof-then-pass": `
title: "{user.id} passed liveness after {steps[0].count} spoof verdicts"
by: [user.id]
window: 15m
once: [liveness.session_id, liveness.attempt]
sequence:
  - {name: spoofed, when: 'liveness.decision == "spoof"', at_least: 5}
  - {name: passed, when: 'liveness.decision == "live"'}
suppress: 24h
tests:
  - {given: {user.id: u1}, events: [{repeat: 5, every: 1m, set: {liveness.decision: spoof}}, {at: 6m, set: {liveness.decision: live}}], alerts: [{at: 360s, title: u1 passed liveness after 5 spoof verdicts}]}
  - {given: {user.id: u1}, events: [{at: 0s, set: {liveness.decision: live}}, {from: 1m, repeat: 9, every: 1m, set: {liveness.decision: spoof}}], alerts: []}
  - name: polls repeat a verdict
    given: {user.id: u1, liveness.session_id: s1, liveness.attempt: 1}
    events: [{repeat: 5, every: 1m, set: {liveness.decision: spoof}}, {at: 6m, set: {liveness.decision: live}}]
    alerts: []
`,
		"t.no-result": `
by: [liveness.session_id]
window: 10m
sequence:
  - {name: created, when: 'event.action == "liveness-session-create"'}
  - {name: result, not: 'event.action == "liveness-result"'}
tests:
  - {given: {liveness.session_id: s1}, events: [{at: 0s, set: {event.action: liveness-session-create}}, {clock: 11m}], alerts: [{at: 600s}]}
  - {given: {liveness.session_id: s1}, events: [{at: 0s, set: {event.action: liveness-session-create}}, {at: 9m, set: {event.action: liveness-result}}, {clock: 11m}], alerts: []}
  - {given: {liveness.session_id: s1}, events: [{at: 0s, set: {event.action: liveness-session-create}}], alerts: []}
`,
	}), Options{Playbooks: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	results := set.Test()
	var out strings.Builder
	if err := results.Print(&out); err != nil {
		t.Fatal(err)
	}
	if passed, failed := results.Count(); passed != 9 || failed > 0 {
		t.Errorf("%d passed, %d failed:\n%s", passed, failed, out.String())
	}
}

// TestCountingAllocatesNothing: no signal costs an allocation once its key is there.
func TestCountingAllocatesNothing(t *testing.T) {
	for name, mod := range map[string]func(*Rule){
		"threshold": func(*Rule) {}, "distinct": distinctUsers, "sequence": failThenPass, "wait": unanswered, "first_seen": newUser,
	} {
		rule := burst(mod)
		w := NewWindows([]*Rule{rule}, [16]byte{}, WindowConfig{MaxSeen: 4096})
		g := newGateway(0, rule)
		n := 0
		next := func() Step {
			var lines []line
			for range 200 {
				n++
				lines = append(lines, line{t: at(float64(n) / 100), key: []string{"10.0.0.1", "10.0.0.2"}[n%2], of: []string{[]string{"a", "b", "c"}[n%3]}, steps: []uint8{1}})
			}
			return g.step(lines...)
		}
		for range 60 {
			w.Apply(next())
		}
		var steps []Step
		for range 101 {
			steps = append(steps, next())
		}
		i := 0
		allocs := testing.AllocsPerRun(100, func() { w.Apply(steps[i]); i++ })
		// An alert now and then, and the set of ids that begins a new generation, are no cost of a signal.
		if allocs > 100 {
			t.Errorf("%s: %v allocations for 200 signals", name, allocs)
		}
	}
}
