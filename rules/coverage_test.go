package rules

import (
	"strings"
	"testing"
)

// Every part of a condition is either seen true and false by some test, or named.
func TestCoverage(t *testing.T) {
	set, err := Load(withFiles(ruleFiles(map[string]string{
		"t.a": `
when: macros.refused and not (client.ip in lists.good) and (liveness.score > 0.5 or has(user.id))
by: [client.ip]
tests:
  - {given: &bad {gateway.auth: refused, client.ip: 203.0.113.7, user.id: u}, events: [{at: 0s}], alerts: [{at: 0s}]}
  - {given: *bad, events: [{at: 0s, set: {gateway.auth: accepted}}], alerts: []}
  - {given: *bad, lists: {good: [203.0.113.7]}, events: [{at: 0s}], alerts: []}
`,
		"t.b": `
when: event.severity >= 47 and rule.id == "t.a"
by: [client.ip]
window: 1d
chain: {as: count, at_least: 1}
tests:
  - {given: {client.ip: 203.0.113.7, rule.id: t.a}, events: [{at: 0s}], alerts: [{at: 0s}]}
  - {given: {client.ip: 203.0.113.7, rule.id: t.x, event.severity: low}, events: [{at: 0s}], alerts: []}
`,
		"t.c": `
by: [user.id]
window: 1h
sequence:
  - {name: a, when: 'liveness.decision == "spoof"', until: 'liveness.decision == "error"'}
  - {name: b, when: 'liveness.decision == "live"'}
tests:
  - {given: {user.id: u}, events: [{at: 0s, set: {liveness.decision: spoof}}, {at: 1s, set: {liveness.decision: live}}], alerts: [{at: 1s}]}
`,
	}), map[string]string{"lists/good.yaml": "type: ip\nentries: []\n", "_macros.yaml": "refused: gateway.auth == \"refused\"\n"}), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	if passed, failed := set.Test().Count(); failed > 0 {
		t.Fatalf("%d tests pass, %d fail", passed, failed)
	}
	var got []string
	for _, p := range set.Coverage() {
		got = append(got, strings.SplitN(p.Error(), ";", 2)[0])
	}
	want := []string{
		`t.a.yaml:8:76: warning: no test makes this part true: liveness.score > 0.5`,
		`t.a.yaml:8:85: warning: no test makes this part false: has(user.id)`,
		`t.c.yaml:11:79: warning: no test makes this part true: liveness.decision == "error"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
