package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/ast"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

func explainText(t *testing.T, body, text string) string {
	t.Helper()
	set, err := Load(withFiles(ruleFiles(map[string]string{"t.a": body}), map[string]string{
		"lists/probes.yaml": "type: cidr\nentries: [198.51.100.0/24]\n", "_macros.yaml": "refused: gateway.auth == \"refused\"\n",
	}), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		s, err := cellSetting(name, tableCell{text: value}, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(&ev)
	}
	var out strings.Builder
	for _, e := range set.Explain("", &ev) {
		if err := e.Print(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// Every clause is there with its value, macros are looked through, and the verdict is that of the
// matcher.
func TestExplain(t *testing.T) {
	const body = `
when: macros.refused and (http.response.status_code == 401 or missing(user.id)) and not (labels.team == "qa")
by: [client.ip]
window: 5m
threshold: 20
except: [{when: 'inNet(client.ip, lists.probes)', until: 2027-01-01, owner: soc, why: synthetic checks}]
`
	f := func(text, want string) {
		t.Helper()
		if got := explainText(t, body, text); got != want {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", text, got, want)
		}
	}
	f("gateway.auth=refused http.response.status_code=403 client.ip=203.0.113.7 labels.team=dev", `t.a (threshold): match
  every condition holds
  when
    true  and
      true  gateway.auth == "refused"   [gateway.auth = refused]
      true  or
        false http.response.status_code == 401   [http.response.status_code = 403]
        true  missing(user.id)   [user.id is missing]
      true  not
        false labels.team == "qa"   [labels.team = dev]
  except 1
    false inNet(client.ip, lists.probes)   [client.ip = 203.0.113.7]
  key: client.ip = 203.0.113.7
  counts as one of 20 events of one client.ip in (t−5m, t]; one alert in 5m
`)
	f("gateway.auth=accepted", `t.a (threshold): no match
  when does not hold: gateway.auth == "refused" is false: gateway.auth = accepted
  when
    false and
      false gateway.auth == "refused"   [gateway.auth = accepted]
      true  or
        false http.response.status_code == 401   [http.response.status_code is missing]
        true  missing(user.id)   [user.id is missing]
      true  not
        false labels.team == "qa"   [labels.team is missing]
`)
	if got := explainText(t, body, "gateway.auth=refused client.ip=198.51.100.9"); !strings.Contains(got, "t.a (threshold): excepted\n  exception 1 of soc holds: synthetic checks\n") {
		t.Errorf("got:\n%s", got)
	}
	if got := explainText(t, body, "gateway.auth=refused"); !strings.Contains(got, "t.a (threshold): no key\n  client.ip is missing, so that there is no key to count under\n") {
		t.Errorf("got:\n%s", got)
	}
	got := explainText(t, `
by: [user.id]
window: 15m
sequence:
  - {name: spoofed, when: 'liveness.decision == "spoof"', at_least: 5, until: 'liveness.decision == "error"'}
  - {name: passed, when: 'any(event.category, # == "web")'}
`, "user.id=u event.category=web,api")
	for _, want := range []string{"t.a (sequence): match\n", "step spoofed\n    false liveness.decision == \"spoof\"", "until of spoofed\n", "step passed\n    true  any(event.category, # == \"web\")   [event.category = web, api]", "counts as a step of 2 of one user.id in (t−15m, t]"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestExplainAlert(t *testing.T) {
	set := loadText(t, map[string]string{"t.a": "when: event.severity >= 73 and \"T1110\" in threat.technique.id\nby: [client.ip]\nwindow: 1d\nchain: {as: count, at_least: 2}"})
	a := &event.Alert{
		Mode: "live", Rule: event.AlertRule{ID: "t.b", Severity: event.High, Attack: []string{"T1110"}},
		Key: []event.Value{{Field: event.ClientIP, Str: "192.0.2.1"}},
	}
	var out strings.Builder
	for _, e := range set.ExplainAlert("t.a", a) {
		if err := e.Print(&out); err != nil {
			t.Fatal(err)
		}
	}
	want := `t.a (chain): match
  every condition holds
  when
    true  and
      true  event.severity >= 73   [event.severity = 73]
      true  "T1110" in threat.technique.id   [threat.technique.id = T1110]
  key: client.ip = 192.0.2.1
  counts as count of alerts of one client.ip in (t−1d, t], at least 2; one alert in 1d
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	if len(set.Explain("", new(event.Event))) != 0 {
		t.Error("a chain is held against an event")
	}
}

// The verdict is that of the matcher, and every tree comes to what its condition comes to.
func TestExplainAgreesWithMatching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := testLists()
		text := drawCondition(t, 3)
		c := newCompiler(lists)
		e, _ := c.compile(text)
		if e == nil {
			t.Skip("condition is refused")
		}
		ev := drawEvent(t, lists)
		x := explainer{c: newCompiler(lists), scope: &scope{event: &ev.event}}
		x.c.trace = map[ast.Node]condition{}
		clause := x.clause(&node{text: text})
		if want := e.test(&scope{event: &ev.event}); clause.Holds != want || clause.joined() != want {
			t.Fatalf("%s holds: %v, the tree says %v and its parts %v", text, want, clause.Holds, clause.joined())
		}
	})
}

// joined works a clause out from its parts.
func (c *Clause) joined() bool {
	switch c.Join {
	case "and":
		return !slices.ContainsFunc(c.Parts, func(p *Clause) bool { return !p.joined() })
	case "or":
		return slices.ContainsFunc(c.Parts, (*Clause).joined)
	case "not":
		return !c.Parts[0].joined()
	case "?:":
		if c.Parts[0].joined() {
			return c.Parts[1].joined()
		}
		return c.Parts[2].joined()
	}
	return c.Holds
}
