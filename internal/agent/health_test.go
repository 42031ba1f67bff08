package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// idle is an agent that was started and does nothing, with rules about the fields that two inputs have:
// statuses in both, ciphers in one, key owners in none.
func idle(t *testing.T) *Agent {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules/playbooks/x/y.md", "---\ntitle: A page\nversion: 1\nowner: SOC\nrules: [lw.x.a]\ncsf: [DE.CM-01]\ntell:\n  - {who: SOC, within: 1h, why: all}\n---\nWhat it is.\n\n## Detection\n\n1. a\n\n## Containment\n\n1. a\n\n## Eradication\n\n1. a\n\n## Recovery\n\n1. a\n\n## Post-incident\n\n1. a\n")
	for name, rest := range map[string]string{
		"status": "when: http.response.status_code == 418",
		"cipher": "when: tls.cipher == \"NULL-SHA\"",
		"owner":  "when: api_key.owner == \"mobile\"",
		"over":   "when: http.response.status_code == 419\nexcept: [{when: 'http.response.status_code == 419 and client.ip == \"192.0.2.1\"', until: 2020-01-01, owner: soc, why: gone}]",
	} {
		write("rules/lw.x."+name+".yaml", fmt.Sprintf("id: lw.x.%s\nversion: 1\ntitle: a\ndescription: d\nseverity: low\nplaybook: x/y\nby: [client.ip]\nsuppress: 1h\n%s\ntests: [{events: [{at: 0s}], alerts: []}]\n", name, rest))
	}
	cfg := Default()
	cfg.Agent.ID, cfg.Agent.Data = "gw-1", filepath.Join(dir, "data")
	cfg.Rules.Dir = filepath.Join(dir, "rules")
	cfg.Inputs = []InputConfig{
		{Name: "plain", Paths: []string{"a"}, Format: "nginx_combined"},
		{Name: "rich", Paths: []string{"b"}, Format: "nginx_json"},
	}
	plan, err := PrepareDemo(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := Start(t.Context(), plan, Hooks{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// heard counts lines of an input that were read at a time.
func (a *Agent) heard(input string, at time.Time, lines int64, change func(*pipeline.Totals)) {
	t := pipeline.Totals{Lines: lines, Events: lines, LastIngest: at.UnixNano(), Kinds: map[string]int64{}, Decisions: map[string]int64{}}
	if change != nil {
		change(&t)
	}
	a.counts.Add(input, &t)
}

func states(all []RuleHealth) map[string]string {
	out := map[string]string{}
	for _, r := range all {
		out[r.Rule.ID] = string(r.State)
		for _, id := range r.Missing {
			out[r.Rule.ID] += " " + id.String()
		}
	}
	return out
}

// A rule is blind where nobody provides a field, or only inputs that are silent; the agent's own start
// is no silence.
func TestRuleStates(t *testing.T) {
	a := idle(t)
	at := func(minutes int) time.Time { return a.started.Add(time.Duration(minutes) * time.Minute) }
	all := map[string]string{"lw.x.status": "ok", "lw.x.cipher": "ok", "lw.x.owner": "blind api_key.owner", "lw.x.over": "expired"}
	check := func(minutes int, differ map[string]string) {
		t.Helper()
		want := maps.Clone(all)
		maps.Copy(want, differ)
		if diff := cmp.Diff(want, states(a.monitor.rules(at(minutes)))); diff != "" {
			t.Errorf("after %d minutes: %s", minutes, diff)
		}
	}
	check(0, nil)
	check(9, nil)
	a.heard("plain", at(9), 10, nil)
	check(11, map[string]string{"lw.x.cipher": "blind tls.cipher"}) // rich is silent, plain has none
	a.heard("rich", at(12), 10, nil)
	check(12, nil)
	check(18, nil)
	check(19, nil)
	check(23, map[string]string{
		"lw.x.status": "blind client.ip http.response.status_code", "lw.x.over": "blind client.ip http.response.status_code",
		"lw.x.cipher": "blind client.ip tls.cipher", "lw.x.owner": "blind api_key.owner client.ip",
	})
}

// A rule that has forgotten keys is degraded for ten minutes.
func TestRuleIsDegradedWhileItForgets(t *testing.T) {
	a := idle(t)
	now := a.started
	a.monitor.sample(now)
	a.monitor.mu.Lock()
	a.monitor.samples[0].rules = map[string]ruleSample{"lw.x.status": {evicted: -5}} // five since then
	a.monitor.samples[1].rules = map[string]ruleSample{"lw.x.status": {evicted: -5}}
	a.monitor.mu.Unlock()
	if got := states(a.monitor.rules(now))["lw.x.status"]; got != "degraded" {
		t.Errorf("state %s", got)
	}
	for i := range 12 {
		a.monitor.sample(now.Add(time.Duration(i+1) * time.Minute))
	}
	if got := states(a.monitor.rules(now.Add(time.Second)))["lw.x.status"]; got != "ok" {
		t.Errorf("state ten minutes later: %s", got)
	}
	if n := len(a.monitor.samples); n > 12 {
		t.Errorf("%d samples are kept of ten minutes", n)
	}
}

// So is one whose windows miss events that come too late.
func TestRuleIsDegradedWhileEventsComeTooLate(t *testing.T) {
	a := idle(t)
	now := a.started
	a.monitor.sample(now)
	state := func(matches, skipped int64) string {
		a.monitor.mu.Lock()
		for i := range a.monitor.samples { // so many since then
			a.monitor.samples[i].rules = map[string]ruleSample{"lw.x.status": {matches: -matches, skipped: -skipped}}
		}
		a.monitor.mu.Unlock()
		return states(a.monitor.rules(now))["lw.x.status"]
	}
	for _, tc := range []struct {
		matches, skipped int64
		want             string
	}{{0, 0, "ok"}, {100, 1, "ok"}, {100, 2, "degraded"}, {1, 1, "degraded"}} {
		if got := state(tc.matches, tc.skipped); got != tc.want {
			t.Errorf("%d of %d events missed: %s, want %s", tc.skipped, tc.matches, got, tc.want)
		}
	}
}

// Health events are about the last ten minutes, and say what was usual before.
func TestInputHealth(t *testing.T) {
	a := idle(t)
	at := func(minutes int) time.Time { return a.started.Add(time.Duration(minutes) * time.Minute) }
	report := func(minutes int) map[string]string {
		t.Helper()
		out := map[string]string{}
		for _, fill := range a.monitor.reports(at(minutes)) {
			var ev event.Event
			fill(&ev)
			if ev.Str(event.LivewardSource) != "rich" {
				continue
			}
			ev.Present(func(id event.ID) {
				if v, ok := ev.ValueOf(id); ok && pipeline.IsHealthField(id) {
					out[id.String()[len("liveward.health."):]] = v.String()
				}
			})
		}
		return out
	}
	want := map[string]string{
		"component": "input", "state": "ok", "silent_seconds": "60", "lines": "0", "quarantined": "0", "mapping_gaps": "0", "outcomes_missing": "0",
	}
	if diff := cmp.Diff(want, report(1)); diff != "" {
		t.Errorf("before the first line: %s", diff)
	}
	a.heard("rich", at(1), 1000, func(t *pipeline.Totals) { t.Events, t.Quarantined = 990, 10 })
	for i := range 30 {
		a.monitor.sample(at(i + 1))
	}
	a.heard("rich", at(31), 200, func(t *pipeline.Totals) {
		t.Events, t.Quarantined, t.Late, t.MappingGaps, t.Blind = 100, 100, 25, 3, 7
	})
	want = map[string]string{
		"component": "input", "state": "ok", "silent_seconds": "0", "lines": "200", "quarantined": "100", "quarantined_share": "0.5",
		"quarantined_usual": "0.01", "late_share": "0.25", "mapping_gaps": "3", "outcomes_missing": "7",
	}
	if diff := cmp.Diff(want, report(31)); diff != "" {
		t.Errorf("when the format had changed: %s", diff)
	}
	if got := report(41); got["state"] != "silent" || got["silent_seconds"] != "600" {
		t.Errorf("ten minutes later: %v", got)
	}
	names := make([]string, 0, 8)
	for _, fill := range a.monitor.reports(at(0)) {
		var ev event.Event
		fill(&ev)
		if n := ev.Int(event.LivewardHealthRulesBlind); ev.Has(event.LivewardHealthRulesBlind) && n != 1 {
			t.Errorf("%d rules are blind, want 1", n)
		}
		names = append(names, ev.Str(event.LivewardHealthComponent)+" "+ev.Str(event.LivewardSource)+ev.Str(event.LivewardHealthRule))
	}
	if diff := cmp.Diff([]string{"agent ", "input plain", "input rich", "rule lw.x.over", "rule lw.x.owner"}, slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("reports: %s", diff)
	}
}
