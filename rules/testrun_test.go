package rules

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What a wrong test says, and that every kind of deviation is found.
func TestTestsCanFail(t *testing.T) {
	fsys := ruleFiles(map[string]string{"t.a": `
title: "{count} from {client.ip}"
when: gateway.auth == "refused" and not (client.ip in lists.good)
by: [client.ip]
window: 5m
threshold: 3
tests:
  - {name: right, given: &bad {gateway.auth: refused, client.ip: 203.0.113.7}, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s, count: 3}]}
  - {name: unexpected, given: *bad, events: [{repeat: 3, every: 1s}], alerts: []}
  - {name: none, given: *bad, events: [{repeat: 2, every: 1s}], alerts: [{at: 1s}]}
  - {name: elsewhere, given: *bad, events: [{repeat: 3, every: 1s}], alerts: [{at: 1s}]}
  - {name: count, given: *bad, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s, count: 4}]}
  - {name: key, given: *bad, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s, client.ip: 203.0.113.8}]}
  - {name: title, given: *bad, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s, title: x}]}
  - {name: twice, given: *bad, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s}, {at: 2s}]}
  - {name: fixture, lists: {good: [203.0.113.7]}, given: *bad, events: [{repeat: 3, every: 1s}], alerts: []}
  - {name: empty without fixture, given: *bad, events: [{repeat: 3, every: 1s, set: {client.ip: 192.0.2.1}}], alerts: [{at: 2s}]}
  - {name: two keys at once, given: {gateway.auth: refused}, events: [{repeat: 3, set: {client.ip: 192.0.2.1}}, {repeat: 3, set: {client.ip: 192.0.2.2}}], alerts: [{at: 0s, client.ip: 192.0.2.2}, {at: 0s, client.ip: 192.0.2.1}]}
  - name: table
    table: |
      t              client.ip    gateway.auth  alert
      -5m            203.0.113.7  refused
      0s x2          203.0.113.7  refused
      1s             203.0.113.7  refused       ALERT
      10m x3         -            refused       ALERT
`})
	// A test does not depend on what a site has in its lists.
	fsys["lists/good.yaml"] = &fstest.MapFile{Data: []byte("type: ip\nentries: [203.0.113.7, 192.0.2.1]\n")}
	set, err := Load(fsys, Options{Playbooks: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	results := set.Test()
	var out strings.Builder
	if err := results.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `ok   t.a: right
FAIL t.a: unexpected
     t.a.yaml:14: alert at 2s was not expected: 3 from 203.0.113.7
FAIL t.a: none
     t.a.yaml:15: no alert at 1s
FAIL t.a: elsewhere
     t.a.yaml:16: no alert at 1s
     t.a.yaml:16: alert at 2s was not expected: 3 from 203.0.113.7
FAIL t.a: count
     t.a.yaml:17: alert at 2s: count is 3, not 4
FAIL t.a: key
     t.a.yaml:18: alert at 2s: client.ip is 203.0.113.7, not 203.0.113.8
FAIL t.a: title
     t.a.yaml:19: alert at 2s: title is 3 from 203.0.113.7, not x
FAIL t.a: twice
     t.a.yaml:20: no alert at 2s
ok   t.a: fixture
ok   t.a: empty without fixture
ok   t.a: two keys at once
FAIL t.a: table
     t.a.yaml:24: no alert at 10m
4 passed, 8 failed
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if passed, failed := results.Count(); passed != 4 || failed != 8 {
		t.Errorf("%d passed, %d failed", passed, failed)
	}
}
