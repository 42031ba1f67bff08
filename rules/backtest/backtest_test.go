package backtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

func reportOf(t *testing.T, alerts map[string]time.Duration) *Report {
	t.Helper()
	files := fstest.MapFS{}
	for id, body := range map[string]string{
		"t.a": "when: gateway.auth == \"refused\"\nby: [client.ip]\nwindow: 5m\nthreshold: 3",
		"t.b": "when: has(user.id)\nmode: shadow",
	} {
		files[id+".yaml"] = &fstest.MapFile{Data: []byte("id: " + id + "\nversion: 1\ntitle: x\ndescription: x\nseverity: low\nplaybook: a/b\n" +
			"tests: [{events: [{at: 0s}], alerts: []}]\n" + body)}
	}
	set, err := rules.Load(files, rules.Options{Playbooks: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	b := New(set, "")
	b.Event(base().UnixNano())
	b.Event(base().Add(49 * time.Hour).UnixNano())
	for _, name := range slices.Sorted(maps.Keys(alerts)) {
		key, _, _ := strings.Cut(name, " ")
		b.Alert(&event.Alert{
			ID: event.HashStrings(name, alerts[name].String()), Time: base().Add(alerts[name]).UnixNano(),
			Rule: event.AlertRule{ID: "t.a", Name: "burst of <" + key + ">"}, Key: []event.Value{{Field: event.ClientIP, Str: key}},
		})
	}
	b.Alert(&event.Alert{Rule: event.AlertRule{ID: "t.a"}, Status: event.Recovered})
	b.Alert(&event.Alert{Rule: event.AlertRule{ID: "t.unknown"}})
	return b
}

func base() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestReport(t *testing.T) {
	b := reportOf(t, map[string]time.Duration{"192.0.2.1 a": time.Hour, "192.0.2.1 b": 2 * time.Hour, "192.0.2.2 a": 3 * time.Hour, "192.0.2.1 c": 49 * time.Hour})
	var out strings.Builder
	if err := b.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `2 events from 2026-01-01T00:00:00.000Z to 2026-01-03T01:00:00.000Z (UTC), 3 days

t.a (low): 4 alerts, 2 keys, at most 3 a day
  2026-01-01     3 ████████████████████████████████████████
  2026-01-02     0 
  2026-01-03     1 █████████████
      3  client.ip=192.0.2.1
      1  client.ip=192.0.2.2

no alert: t.b

4 alerts
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := b.OverBudget(2); len(got) != 1 || got[0] != "t.a" || len(b.OverBudget(3)) != 0 {
		t.Errorf("over a budget of 2: %v, of 3: %v", got, b.OverBudget(3))
	}
	for budget, want := range map[int]int{3: 0, 2: 1, rules.NoBudget: 0} {
		b.Rules[0].Budget = budget
		if got := b.OverBudget(rules.NoBudget); len(got) != want {
			t.Errorf("over a budget of its own of %d: %v", budget, got)
		}
	}
}

// New, gone and same; a change of the threshold moves alerts to another event of the same incident.
func TestCompare(t *testing.T) {
	old := reportOf(t, map[string]time.Duration{"192.0.2.1 a": time.Hour, "192.0.2.2 a": time.Hour, "192.0.2.3 a": time.Hour})
	now := reportOf(t, map[string]time.Duration{"192.0.2.1 a": time.Hour, "192.0.2.2 a": time.Hour + time.Minute, "192.0.2.4 a": 2 * time.Hour})
	all := now.Compare(old)
	if len(all) != 2 || all[0].Same != 2 || all[0].Moved != 1 || len(all[0].New) != 1 || len(all[0].Gone) != 1 || all[1].Same != 0 {
		t.Fatalf("differences are %+v", all)
	}
	var out strings.Builder
	if err := PrintDifferences(&out, all); err != nil {
		t.Fatal(err)
	}
	want := `
t.a: 1 new, 1 gone, 2 same, 1 of these at another event
  + 2026-01-01T02:00:00.000Z burst of <192.0.2.4>
  - 2026-01-01T01:00:00.000Z burst of <192.0.2.3>

1 new, 1 gone, 2 same
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("comparison (-want +got):\n%s", diff)
	}
	var page, again strings.Builder
	if err := now.WriteHTML(&page, all); err != nil {
		t.Fatal(err)
	}
	if err := now.WriteHTML(&again, all); err != nil || page.String() != again.String() {
		t.Errorf("the page differs from run to run: %v", err)
	}
	for _, want := range []string{"burst of &lt;192.0.2.4&gt;", "client.ip=192.0.2.1", "1 new, 1 gone"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, never := range []string{"<script", "http://", "https://", "burst of <"} {
		if strings.Contains(page.String(), never) {
			t.Errorf("%q in the page", never)
		}
	}
}

func TestGroupedDays(t *testing.T) {
	var days []Count
	for range 65 {
		days = append(days, Count{"d", 1})
	}
	got := grouped(days, 31)
	sum := 0
	for _, c := range got {
		sum += c.Alerts
	}
	if len(got) > 31 || sum != 65 {
		t.Errorf("%d rows with %d alerts", len(got), sum)
	}
}
