package rules

import (
	"strings"
	"testing"
)

// runTests loads bodies with lists, runs their tests and returns what they print.
func runTests(t *testing.T, bodies, files map[string]string) string {
	t.Helper()
	set, err := Load(withFiles(ruleFiles(bodies), files), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := set.Test().Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Each kind can be tested in its file, with its own fixtures and its own properties of alerts; and a
// wrong expectation fails.
func TestTestsOfKinds(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		got := runTests(t, map[string]string{"t.a": body}, map[string]string{
			"lists/gateways.yaml": "entries: []\n", "lists/maintenance.yaml": "entries: []\n",
		})
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	f(`
title: "{user.id} passed liveness after {steps[0].count} spoof verdicts"
by: [user.id]
window: 15m
once: [liveness.session_id, liveness.attempt]
sequence:
  - {name: spoofed, when: 'liveness.decision == "spoof"', at_least: 5}
  - {name: passed, when: 'liveness.decision == "live"'}
suppress: 24h
tests:
  - {name: passes, given: {user.id: u1}, events: [{repeat: 5, every: 1m, set: {liveness.decision: spoof}}, {at: 6m, set: {liveness.decision: live}}], alerts: [{at: 360s, steps: [5, 1], user.id: u1, title: "u1 passed liveness after 5 spoof verdicts"}]}
  - {name: order, given: {user.id: u1}, events: [{at: 0s, set: {liveness.decision: live}}, {from: 1m, repeat: 9, every: 1m, set: {liveness.decision: spoof}}], alerts: []}
  - {name: wrong, given: {user.id: u1}, events: [{repeat: 5, every: 1m, set: {liveness.decision: spoof}}, {at: 6m, set: {liveness.decision: live}}], alerts: [{at: 360s, "steps[0].count": 4}]}
`, `ok   t.a: passes
ok   t.a: order
FAIL t.a: wrong
     t.a.yaml:18: alert at 6m: steps[0].count is 5, not 4
2 passed, 1 failed
`)
	f(`
by: [user.id]
window: 10m
sequence:
  - {name: account, when: 'event.action == "account-opened"'}
  - {name: check, not: 'event.action == "liveness-check"'}
tests:
  - {name: never checked, given: {user.id: u1}, events: [{at: 0s, set: {event.action: account-opened}}, {clock: 601s}], alerts: [{at: 10m}]}
  - {name: checked, given: {user.id: u1}, events: [{at: 0s, set: {event.action: account-opened}}, {at: 6m, set: {event.action: liveness-check}}, {clock: 1h}], alerts: []}
`, `ok   t.a: never checked
ok   t.a: checked
2 passed, 0 failed
`)
	f(`
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
`, `ok   t.a: a second country is a second alert
1 passed, 0 failed
`)
	f(`
title: "Spoof verdicts {spike.ratio}x normal for {organization.id}"
when: event.action == "liveness-check" and has(liveness.decision)
by: [organization.id]
window: 10m
spike: {of: 'liveness.decision == "spoof"', as: ratio, factor: 4, min_hits: 8, min_total: 20, baseline: 14d, season: 1d, tz: Europe/Berlin, warmup: 3d}
suppress: 1h
tests:
  - {name: wave, given: {event.action: liveness-check, organization.id: bank-a}, baseline: {total: 200, hits: 4}, events: [{repeat: 40, every: 5s, set: {liveness.decision: spoof}}, {repeat: 160, every: 1s, set: {liveness.decision: live}}], alerts: [{at: 120s, spike.count: 24, spike.total: 144}]}
  - {name: usual, given: {event.action: liveness-check, organization.id: bank-a}, baseline: {total: 200, hits: 4}, events: [{repeat: 4, every: 50s, set: {liveness.decision: spoof}}, {repeat: 196, every: 1s, set: {liveness.decision: live}}], alerts: []}
`, `ok   t.a: wave
ok   t.a: usual
2 passed, 0 failed
`)
	f(`
when: event.dataset == "liveward.event"
by: [liveward.source]
absence: {for: 10m, expect: lists.gateways, unless: lists.maintenance}
suppress: {until: recovered}
tests:
  - {name: silent, given: {liveward.source: gw-1}, lists: {gateways: [gw-1]}, events: [{at: 0s}, {clock: 601s}], alerts: [{at: 600s}]}
  - {name: never seen, lists: {gateways: [gw-1]}, events: [{clock: 2h}], alerts: [{at: 10m, liveward.source: gw-1}]}
  - {name: back, given: {liveward.source: gw-1}, events: [{at: 0s}, {at: 900s}], alerts: [{at: 600s}, {at: 900s, recovered: true}]}
  - {name: at the edge, given: {liveward.source: gw-1}, events: [{at: 0s}, {at: 600s}, {clock: 601s}], alerts: []}
  - {name: maintenance, given: {liveward.source: gw-1}, lists: {maintenance: ["gw-1 2026-01-01T00:00:00Z/2026-01-01T01:00:00Z"]}, events: [{at: 0s}, {clock: 50m}], alerts: []}
  - {name: wrong, given: {liveward.source: gw-1}, events: [{at: 0s}, {at: 900s}], alerts: [{at: 600s}]}
  - name: table
    table: |
      t     liveward.source  alert
      0s    gw-1
      15m   gw-1             ALERT@10m,RECOVERED
      26m   clock            ALERT@25m
`, `ok   t.a: silent
ok   t.a: never seen
ok   t.a: back
ok   t.a: at the edge
ok   t.a: maintenance
FAIL t.a: wrong
     t.a.yaml:18: recovery at 15m was not expected: Recovered: x
ok   t.a: table
6 passed, 1 failed
`)
	f(`
title: "{client.ip}: {chain.rules}"
when: event.severity >= 47
by: [client.ip]
window: 1d
chain: {as: risk, at_least: 100}
tests:
  - name: two alerts
    table: |
      t     client.ip    rule.id  event.risk_score  event.severity  alert
      0s    203.0.113.7  lw.x.a   60                high
      1h    203.0.113.8  lw.x.b   60                high
      2h    203.0.113.7  lw.x.b   60                critical        ALERT
  - {name: mild, given: {client.ip: 203.0.113.7, event.severity: low, event.risk_score: 90}, events: [{repeat: 5, every: 1h}], alerts: []}
  - {name: counts, given: {client.ip: 203.0.113.7, event.risk_score: 50, threat.technique.id: [T1110]}, events: [{repeat: 2, every: 1h}], alerts: [{at: 1h, chain.risk: 100, count: 2}]}
`, `ok   t.a: two alerts
ok   t.a: mild
ok   t.a: counts
3 passed, 0 failed
`)
	f(`
when: liveness.score < liveness.threshold and liveness.decision == "live"
by: [liveness.vendor]
suppress: 1h
tests:
  - {name: vendor's threshold, vendors: {acme: {liveness.threshold: 0.8}}, given: {liveness.vendor: acme, liveness.score: 0.7, liveness.decision: live}, events: [{at: 0s}], alerts: [{at: 0s}]}
  - {name: its own, vendors: {acme: {liveness.threshold: 0.8}}, given: {liveness.vendor: acme, liveness.score: 0.7, liveness.decision: live, liveness.threshold: 0.5}, events: [{at: 0s}], alerts: []}
  - {name: another, vendors: {acme: {liveness.threshold: 0.8}}, given: {liveness.vendor: other, liveness.score: 0.7, liveness.decision: live}, events: [{at: 0s}], alerts: []}
`, `ok   t.a: vendor's threshold
ok   t.a: its own
ok   t.a: another
3 passed, 0 failed
`)
}
