package scorecard

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/rules"
)

// The default pack on small reference corpora: every attack is found where nothing hides it, and
// six of them where they are hardest to see; what should be noticed is, no day has more than two false
// pages, and no rule is beyond its budget. The corpora of docs/pack-report.md are larger: make report.
func TestPackIsWithinItsBudgets(t *testing.T) {
	if raced {
		t.Skip("half a million lines and one goroutine: make test runs it without the race detector")
	}
	r, err := Run(t.Context(), Config{Sessions: 5_000, Seed: 1, probes: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems() {
		t.Error(p)
	}
	if t.Failed() {
		t.Log(out.String())
	}
	settings := map[string]int{}
	for _, s := range r.Attacks {
		settings[s.Setting]++
		if s.Setting != Alone && s.Found < s.Made { // alone, it is one of the problems
			t.Errorf("%s, %s: %d of %d found", s.Class, s.Setting, s.Found, s.Made)
		}
		if s.Setting == Alone && s.Shadow > 0 {
			t.Errorf("%s is seen by rules in shadow mode alone", s.Class)
		}
	}
	want := map[string]int{Alone: len(generator.Classes()), UnderSurge: 6, DuringOutage: 6, Slow: 6}
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("attacks by setting (-want +got):\n%s", diff)
	}
	if len(r.Days) != 1+len(generator.Confounders())-len(ordinary()) {
		t.Errorf("%d days are judged", len(r.Days))
	}
	for _, s := range r.Rules {
		if s.Budget == rules.NoBudget && s.Mode == rules.Live && page(&event.Alert{Rule: event.AlertRule{Severity: s.Severity}}) {
			t.Errorf("%s wakes people and states no budget", s.ID)
		}
	}
}

// TestProblems shows that each of them can be found.
func TestProblems(t *testing.T) {
	sound := func() *Report {
		return &Report{
			Attacks: []ClassScore{{Class: "a", Setting: Alone, Made: 2, Found: 2}, {Class: "a", Setting: Slow, Made: 1}},
			Days:    []DayScore{{Name: "quiet", Days: 3, Pages: 6}, {Name: "odd", Days: 1, Wanted: []string{"x"}, Noticed: []string{"x"}}},
			Rules:   []RuleScore{{ID: "x", Budget: 1, Worst: 1}, {ID: "y", Budget: rules.NoBudget}},
		}
	}
	for name, tc := range map[string]struct {
		change func(*Report)
		want   string
	}{
		"sound":       {func(*Report) {}, ""},
		"missed":      {func(r *Report) { r.Attacks[0].Found = 1 }, "a: 1 of 2 found"},
		"pages":       {func(r *Report) { r.Days[0].Pages = 7 }, "quiet: 7 pages in 3 days: "},
		"not noticed": {func(r *Report) { r.Days[1].Noticed = nil }, "odd: not noticed by x"},
		"budget":      {func(r *Report) { r.Rules[0].Worst = 2 }, "x: 2 alerts on a day without a cause, its budget is 1"},
		"no budget":   {func(r *Report) { r.Rules[1].Worst = 1 }, "y: 1 alerts on a day without a cause, its budget is 0"},
	} {
		r := sound()
		tc.change(r)
		if got := strings.Join(r.Problems(), "\n"); got != tc.want {
			t.Errorf("%s: problems %q, want %q", name, got, tc.want)
		}
	}
}

// Alerts belong to an attack by rule, time and key.
func TestAbout(t *testing.T) {
	begin := time.Date(2026, 3, 6, 3, 0, 0, 0, time.UTC)
	in := generator.Incident{Rules: []string{"a"}, MayFire: []string{"b"}, First: begin, Last: begin.Add(time.Minute), Facts: map[string]string{"client.ip": "203.0.113.7"}}
	make := func(rule string, at time.Duration, mine bool) alert {
		return alert{&event.Alert{Rule: event.AlertRule{ID: rule}, Time: begin.Add(at).UnixNano()}, func(map[string]string) bool { return mine }}
	}
	all := []alert{
		make("b", 50*time.Second, true), make("a", 20*time.Second, true), make("a", 30*time.Second, false),
		make("c", 30*time.Second, true), make("a", -time.Minute, true), make("a", 17*time.Minute, true), make("a", 15*time.Minute, true),
	}
	var got []string
	for _, a := range (&Report{}).about(all, in) {
		got = append(got, a.Rule.ID+" "+time.Unix(0, a.Time).Sub(begin).String())
	}
	if diff := cmp.Diff([]string{"a 20s", "b 50s", "a 15m0s"}, got); diff != "" {
		t.Errorf("alerts about the attack (-want +got):\n%s", diff)
	}
}
