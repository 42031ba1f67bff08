package rules

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

const shippedRule = `
title: "{count} from {client.ip}"
when: gateway.auth == "refused"
by: [client.ip]
window: 5m
threshold: 3
tags: {concern: key-abuse}
tests:
  - {name: fires, given: &bad {gateway.auth: refused, client.ip: 203.0.113.7}, events: [{repeat: 3, every: 1s}], alerts: [{at: 2s, count: 3}]}
  - {name: silent, given: *bad, events: [{repeat: 2, every: 1s}], alerts: []}
`

func overlaid(body, text string) fstest.MapFS {
	return withFiles(ruleFiles(map[string]string{"t.a": body}), map[string]string{
		"overlays/t.a.yaml": text, "lists/partners.yaml": "type: cidr\nentries: [198.51.100.0/24]\n",
	})
}

// An overlay changes what it names. The rule's own tests hold for the rule as it was shipped, those of
// the overlay for the rule as it runs.
func TestOverlay(t *testing.T) {
	fsys := overlaid(shippedRule, `
base: 1
mode: shadow
severity: high
threshold: 5
window: 10m
except: [{when: 'inNet(client.ip, lists.partners)', until: 2027-01-01, owner: soc, why: partners}]
show: [gateway.route]
tests:
  - {name: four are few here, given: &bad {gateway.auth: refused, client.ip: 203.0.113.7}, events: [{repeat: 4, every: 1s}], alerts: []}
  - {name: five, given: *bad, events: [{repeat: 5, every: 1m}], alerts: [{at: 4m, count: 5}]}
  - name: partners
    lists: {partners: [198.51.100.0/24]}
    given: {gateway.auth: refused, client.ip: 198.51.100.9}
    events: [{repeat: 50, every: 1s}]
    alerts: []
`)
	set, err := Load(fsys, anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	if problems := Lint(fsys, anyPlaybook()); len(problems) > 0 {
		t.Error(problems)
	}
	r := set.Rule("t.a")
	if r.Mode != Shadow || r.Severity != event.High || r.Count != 5 || r.Window != 10*time.Minute || r.Suppress.For != 10*time.Minute || !r.Overlaid() {
		t.Errorf("rule is %+v", r)
	}
	if diff := cmp.Diff([]event.ID{event.GatewayRoute, event.OrganizationID}, r.Show); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
	results := set.Test()
	if passed, failed := results.Count(); passed != 5 || failed != 0 {
		var out strings.Builder
		_ = results.Print(&out)
		t.Errorf("tests:\n%s", out.String())
	}
	if results[4].File != "overlays/t.a.yaml" || results[0].File != "t.a.yaml" {
		t.Errorf("files of the tests are %s and %s", results[0].File, results[4].File)
	}
	again, err := OpenArchive(set.Archive(), Options{})
	if err != nil || again.Hash() != set.Hash() || again.Rule("t.a").State != r.State || again.Rule("t.a").Count != 5 {
		t.Errorf("archive: %v", err)
	}
	// The next version of the rule comes; what the site changed stays, and the site is asked to look.
	next := strings.Replace(shippedRule, `== "refused"`, `in ["refused", "absent"]`, 1)
	fsys["t.a.yaml"] = ruleFiles(map[string]string{"t.a": next})["t.a.yaml"]
	fsys["t.a.yaml"].Data = []byte(strings.Replace(string(fsys["t.a.yaml"].Data), "version: 1", "version: 2", 1))
	upgraded, err := Load(fsys, anyPlaybook())
	if err != nil || upgraded.Rule("t.a").Count != 5 || upgraded.Rule("t.a").Mode != Shadow || upgraded.Rule("t.a").State == r.State {
		t.Errorf("after an upgrade: %v", err)
	}
	if got := Lint(fsys, anyPlaybook()).Error(); !strings.Contains(got,
		"overlays/t.a.yaml:2:7: warning: rule t.a is version 2, the overlay was written for 1; see whether it still holds, then write base: 2") {
		t.Errorf("problems:\n%s", got)
	}
}

// To change metadata alone keeps the windows.
func TestOverlayOfMetadataKeepsTheState(t *testing.T) {
	plain, err := Load(ruleFiles(map[string]string{"t.a": shippedRule}), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	set, err := Load(overlaid(shippedRule, "base: 1\nmode: shadow\nsuppress: {for: 2h, escalate_at: 100}\n"), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	r := set.Rule("t.a")
	if r.State != plain.Rule("t.a").State || r.Suppress != (Suppress{For: 2 * time.Hour, EscalateAt: 100}) {
		t.Errorf("rule is %+v", r)
	}
}

func TestOverlayWrong(t *testing.T) {
	f := func(text string, wants ...string) {
		t.Helper()
		fsys := overlaid(shippedRule, text)
		set, err := Load(fsys, anyPlaybook())
		if err == nil {
			t.Errorf("%q is taken", text)
			return
		}
		got := err.Error()
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in:\n%s", want, got)
			}
		}
		if r := set.Rule("t.a"); r == nil || r.Count != 3 || r.Overlaid() {
			t.Error("the rule is not there as it was shipped")
		}
	}
	f("base: 1\nwhen: has(user.id)\n", `overlays/t.a.yaml:2:1: unknown key "when" in overlay`)
	f("base: 1\nthreshhold: 5\n", `overlays/t.a.yaml:2:1: unknown key "threshhold" in overlay; did you mean "threshold"?`)
	f("base: 1\n", "overlay changes nothing")
	f("mode: shadow\n", "overlay has no base; base: 1 says for which version")
	f("base: 1\nmode: off\n", `overlays/t.a.yaml:2:7: mode "off" is not known`)
	f("base: 1\nat_least: 5\n", "rule t.a is of kind threshold and has no distinct.at_least")
	f("base: 1\nseverity: worst\nwindow: 0s\nthreshold: 0\n", `severity "worst"`, "window must be from", "threshold must be a whole number")
	f("base: 1\nsuppress: {escalate_at: 2}\n", "suppress.escalate_at must be above the rule's threshold of 3")
	f("base: 1\nexcept: [{when: 'client.ipp == \"x\"', until: 2027-01-01, owner: soc, why: x}]\n", `overlays/t.a.yaml:2:25: unknown field client.ipp`)
	f("base: 1\nexcept: [{when: has(client.ip), until: 2027-01-01}]\n", "exception has no owner")
	f("base: 1\nexcept: [{when: has(client.ip), until: 2027-01-01, owner: soc, why: x}]\n", "overlays/t.a.yaml:2:17: exception takes away all that the rule matches")
	f("base: 1\nmode: shadow\ntests: [{lists: {none: []}, events: [{at: 0s}], alerts: []}]\n", "rule does not use lists.none")
	f("- x\n", "overlay must be a map")
	fsys := withFiles(ruleFiles(map[string]string{"t.abc": shippedRule}), map[string]string{"overlays/t.abd.yaml": "base: 1\nmode: shadow\n"})
	if _, err := Load(fsys, anyPlaybook()); err == nil || !strings.Contains(err.Error(), `overlays/t.abd.yaml:1:1: there is no rule t.abd; did you mean "t.abc"?`) {
		t.Errorf("error is %v", err)
	}
	escalating := strings.Replace(shippedRule, "threshold: 3", "threshold: 3\nsuppress: {for: 1h, escalate_at: 10}", 1)
	if _, err := Load(overlaid(escalating, "base: 1\nthreshold: 20\n"), anyPlaybook()); err == nil ||
		!strings.Contains(err.Error(), "the rule escalates at 10, which is not above its threshold of 20") {
		t.Errorf("error is %v", err)
	}
}

// Whatever stands in a macro file or an overlay, loading ends, problems are in the files that have
// them, and what was loaded is the same set when it comes out of its archive.
func FuzzDirectory(f *testing.F) {
	f.Add("m: gateway.auth == \"refused\"\nn: macros.m and has(client.ip)\n", "base: 1\nthreshold: 5\nexcept: [{when: macros.n, until: 2027-01-01, owner: a, why: b}]\n")
	f.Add("m: {when: has(client.ip)}\n", "base: 2\nmode: shadow\nwindow: 1h\nsuppress: {for: 1h, escalate_at: 9}\n")
	f.Add("m: macros.m\n", "base: 1\nshow: [client.ip]\ntests: [{events: [{at: 0s}], alerts: []}]\n")
	f.Fuzz(func(t *testing.T, macros, patch string) {
		fsys := withFiles(ruleFiles(map[string]string{"t.a": shippedRule, "t.b": "when: macros.m and not macros.n"}), map[string]string{
			"_macros.yaml": macros, "overlays/t.a.yaml": patch,
		})
		opts := anyPlaybook()
		set, problems := load(fsys, &opts)
		for _, p := range problems {
			if fsys[p.File] == nil {
				t.Errorf("problem in %q, which is not there: %v", p.File, p)
			}
		}
		r := set.Rule("t.a")
		if r == nil {
			t.Fatal("a macro or an overlay took a sound rule away")
		}
		again, err := OpenArchive(set.Archive(), Options{})
		if err != nil || again.Hash() != set.Hash() || again.Rule("t.a").State != r.State || again.Rule("t.a").Overlaid() != r.Overlaid() {
			t.Errorf("archive: %v", err)
		}
	})
}

// An overlay changes from when on a rule of any kind fires, and nothing of what it looks for.
func TestOverlayOfKinds(t *testing.T) {
	const head = "when: event.action == \"liveness-check\"\nby: [client.ip]\n"
	f := func(body, text string, changed func(r *Rule) bool) {
		t.Helper()
		plain := loadText(t, map[string]string{"t.a": body}).Rule("t.a")
		fsys := overlaid(body, "base: 1\n"+text)
		set, err := Load(fsys, anyPlaybook())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r := set.Rule("t.a")
		if changed(plain) || !changed(r) || r.State == plain.State || !r.Overlaid() || len(r.Changes()) == 0 {
			t.Errorf("%s: %+v", text, r)
		}
		again, err := OpenArchive(set.Archive(), anyPlaybook())
		if err != nil || again.Rule("t.a").State != r.State {
			t.Errorf("%s: the archive gives another rule, %v", text, err)
		}
		// The pack moves on: the change stays, and lint asks to look at it.
		moved := overlaid(strings.Replace(body, "title:", "title:", 1), "base: 1\n"+text)
		file := moved["t.a.yaml"]
		file.Data = []byte(strings.Replace(string(file.Data), "version: 1", "version: 2", 1))
		next, err := Load(moved, anyPlaybook())
		if err != nil || !changed(next.Rule("t.a")) {
			t.Errorf("%s: lost at an upgrade, %v", text, err)
		}
		if got := Lint(moved, anyPlaybook()).Error(); !strings.Contains(got, "rule t.a is version 2, the overlay was written for 1") {
			t.Errorf("%s: lint says %q", text, got)
		}
	}
	spike := head + "window: 10m\nspike: {of: 'liveness.decision == \"spoof\"', factor: 4, baseline: 14d}\n"
	f(spike, "spike: {factor: 6, min_hits: 20}\n", func(r *Rule) bool { return r.Spike.Factor == 6 && r.Spike.MinHits == 20 && r.Spike.Floor == 1 })
	f(head+"first_seen: {of: [user.id], history: 30d, learn: 7d}\n", "first_seen: {history: 3d}\n",
		func(r *Rule) bool { return r.FirstSeen.History == 72*time.Hour && r.FirstSeen.Learn == 72*time.Hour })
	f("by: [client.ip]\nwindow: 1h\nsequence: [{name: spoofed, when: 'liveness.decision == \"spoof\"', at_least: 5}, {name: passed, when: 'liveness.decision == \"live\"'}]\n",
		"sequence: {spoofed: 8}\n", func(r *Rule) bool { return r.Steps[0].AtLeast == 8 && r.Steps[1].AtLeast == 1 })
	f("when: event.severity >= 47\nby: [client.ip]\nwindow: 1d\nchain: {as: risk, at_least: 100, half_life: 6h}\n", "chain: {at_least: 150}\n",
		func(r *Rule) bool { return r.Chain.AtLeast == 150 && r.Chain.HalfLife == 6*time.Hour })
	f(head+"absence: {for: 10m}\n", "absence: {for: 20m}\n", func(r *Rule) bool { return r.Absence.For == 20*time.Minute && r.Window == 20*time.Minute })

	refused := func(body, text, want string) {
		t.Helper()
		if _, err := Load(overlaid(body, "base: 1\n"+text), anyPlaybook()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	refused(spike, "chain: {at_least: 2}\n", "rule t.a is of kind spike and has no chain")
	refused(spike, "spike: {baseline: 1d}\n", "unknown key \"baseline\" in spike")
	refused(spike, "spike: {factor: 0.5}\n", "spike.factor must be a number from 1 to 1000")
	refused("by: [client.ip]\nwindow: 1h\nsequence: [{name: a, when: has(user.id)}, {name: b, not: has(device.id)}]\n", "sequence: {b: 2}\n", "b has no at_least")
}
