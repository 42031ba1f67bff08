package rules

import (
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

const groupMissing = `title: "{count} from {client.ip}"
when: gateway.auth == "refused"
by: [client.ip, user.id]
by_missing: group
window: 1m
threshold: 2
`

// TestByMissing: events without a value of by have a key of their own, which says nothing of that value.
func TestByMissing(t *testing.T) {
	set := loadText(t, map[string]string{"t.a": groupMissing + `tests:
  - name: two without an address, one with
    table: |
      t   client.ip    user.id  gateway.auth  alert
      0s  -            u1       refused
      1s  203.0.113.7  u1       refused
      2s  -            u1       refused       ALERT
      3s  -            -        refused
      4s  -            -        refused       ALERT
`})
	rule := set.Rule("t.a")
	if result := set.Test(); len(result) != 1 || !result[0].Passed() {
		t.Fatalf("test: %v", result)
	}
	if needs := rule.Needs(); len(needs) != 1 || needs[0] != event.GatewayAuth {
		t.Errorf("needs %v: what may be missing is not needed", needs)
	}
	w := NewWindows(set.Rules(), set.Hash(), WindowConfig{})
	m := set.NewMatcher()
	var fired []Fired
	for i := range 2 {
		ev := new(event.Event)
		ev.SetTime(event.Timestamp, at(float64(i)))
		ev.SetString(event.GatewayAuth, "refused")
		ev.SetString(event.UserID, "u1")
		var buf event.SignalBuffer
		m.Match(ev, Origin{Event: event.Hash{byte(i)}, Offset: int64(i)}, &buf)
		fired = append(fired, w.Apply(Step{Signals: buf.Signals, Positions: []event.Position{{Source: "gw", Path: "/", Ordinal: 1, MaxTime: at(float64(i))}}})...)
	}
	fired = append(fired, w.End()...)
	if len(fired) != 1 {
		t.Fatalf("%d alerts, want 1", len(fired))
	}
	a := fired[0].Alert
	if a.KeyText() != "user.id=u1" || a.Rule.Name != "2 from unknown" {
		t.Errorf("key %q, title %q", a.KeyText(), a.Rule.Name)
	}
	doc := string(a.AppendJSON(nil))
	if strings.Contains(doc, `"ip":""`) || strings.Contains(doc, `"client.ip"`) {
		t.Errorf("the document names an address: %s", doc)
	}
}

// TestByMissingIsLogic: what is counted differs, so that the windows do.
func TestByMissingIsLogic(t *testing.T) {
	plain := strings.Replace(groupMissing, "by_missing: group\n", "", 1)
	a, b := loadText(t, map[string]string{"t.a": groupMissing}), loadText(t, map[string]string{"t.a": plain})
	skip := loadText(t, map[string]string{"t.a": strings.Replace(groupMissing, "group", "skip", 1)})
	if a.Rule("t.a").State == b.Rule("t.a").State || b.Rule("t.a").State != skip.Rule("t.a").State {
		t.Error("the state key of by_missing: group must be its own, and that of skip the default's")
	}
	eager := loadText(t, map[string]string{"t.a": plain + "emit: eager\n"})
	if eager.Rule("t.a").State == b.Rule("t.a").State || !eager.Rule("t.a").Eager {
		t.Error("the state key of emit: eager must be its own")
	}
}
