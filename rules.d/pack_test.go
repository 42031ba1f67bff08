package pack_test

import (
	"bufio"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
	pack "github.com/liveward/liveward/rules.d"
)

var update = flag.Bool("update", false, "write the reference anew")

const page = "../docs/pack.md"

func load(t *testing.T) (*rules.Set, *alerting.Library) {
	t.Helper()
	set, err := rules.Load(pack.FS, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := fs.Sub(pack.FS, "playbooks")
	if err != nil {
		t.Fatal(err)
	}
	library, err := alerting.LoadLibrary(sub, "")
	if err != nil {
		t.Fatal(err)
	}
	return set, library
}

// A playbook names the rules it is for, and they name it.
func TestPlaybooksAndRulesKnowEachOther(t *testing.T) {
	set, library := load(t)
	want := map[string][]string{}
	for _, r := range set.Rules() {
		want[r.Playbook] = append(want[r.Playbook], r.ID)
	}
	for _, name := range library.Names() {
		p, _ := library.Page(name)
		got := slices.Sorted(slices.Values(p.Rules))
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("playbooks/%s.md, rules (-rules that name it +those it names):\n%s", name, diff)
		}
		delete(want, name)
	}
	for name, ids := range want {
		t.Errorf("no playbook %s for %v", name, ids)
	}
}

// Whoever is woken must find what to do first, and whom to tell by when, the supervisors included.
func TestPlaybooksSayWhatOnCallNeeds(t *testing.T) {
	set, library := load(t)
	for _, r := range set.Rules() {
		p, ok := library.Page(r.Playbook)
		if !ok {
			continue // another test's error
		}
		if p.FirstStep == "" || len(p.Tell) == 0 || p.Owner == "" || len(p.CSF) == 0 {
			t.Errorf("playbooks/%s.md: no first step, nobody to tell, no owner or no CSF category", p.Name)
		}
		// Cards show the first step alone, so that it must say what to do by itself.
		if strings.Contains(p.FirstStep, "?") || !strings.HasSuffix(p.FirstStep, ".") {
			t.Errorf("playbooks/%s.md: the first step is no instruction: %s", p.Name, p.FirstStep)
		}
		if detection := p.Sections["Detection"]; !strings.Contains(detection, "FROM logs-liveward.") && !strings.Contains(detection, " : ") {
			t.Errorf("playbooks/%s.md: Detection has no query", p.Name)
		}
		for _, technique := range slices.Concat(r.Tags.Attack, r.Tags.Atlas) {
			base, _, _ := strings.Cut(technique, ".0")
			if !slices.ContainsFunc(p.Attack, func(have string) bool { return strings.HasPrefix(have, base) }) {
				t.Errorf("playbooks/%s.md does not name %s of %s", p.Name, technique, r.ID)
			}
		}
	}
}

// Rules and playbooks refer to the pinned versions of ATT&CK and ATLAS, and to nothing else.
func TestTechniquesArePinned(t *testing.T) {
	set, library := load(t)
	file, err := os.Open("testdata/techniques.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	pinned := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if id, name, _ := strings.Cut(lines.Text(), " "); !strings.HasPrefix(id, "#") && strings.TrimSpace(name) != "" {
			pinned[id] = false
		}
	}
	use := func(where string, ids []string) {
		for _, id := range ids {
			if _, ok := pinned[id]; !ok {
				t.Errorf("%s: %s is not in testdata/techniques.txt", where, id)
			}
			pinned[id] = true
		}
	}
	for _, r := range set.Rules() {
		use(r.ID, slices.Concat(r.Tags.Attack, r.Tags.Atlas))
	}
	for _, name := range library.Names() {
		p, _ := library.Page(name)
		use(name, p.Attack)
	}
	for id, used := range pinned {
		if !used {
			t.Errorf("testdata/techniques.txt: nothing uses %s", id)
		}
	}
}

// Posture is no incident: what is wrong every day is told once a day, and wakes nobody.
func TestPostureAggregates(t *testing.T) {
	posture := []string{"tls-version", "consent", "key-rotation", "retention", "least-privilege"}
	set, _ := load(t)
	for _, r := range set.Rules() {
		urgent := r.Severity == event.High || r.Severity == event.Critical
		if r.Kind == rules.Each && !urgent && slices.Contains(posture, r.Tags.Concern) && r.Suppress.For.Hours() < 24 {
			t.Errorf("%s: an alert every %s", r.ID, r.Suppress.For)
		}
	}
}

// controls are the practices that rules of a concern hold a bank to.
func controls() map[string]string {
	return map[string]string{
		"consent": "privacy.consent", "data-minimisation": "privacy.minimisation", "tls-version": "privacy.transit",
		"retention": "privacy.retention", "residency": "privacy.residency",
		"key-abuse": "access.keys", "key-management": "access.keys", "key-rotation": "access.keys", "bad-auth": "access.keys",
		"direct-client-calls": "access.server_side", "least-privilege": "access.least_privilege", "ip-allow-list": "access.allow_list",
		"input-validation": "integrity.input",
		"injection":        "integrity.images", "presentation-attack": "integrity.images", "replay": "integrity.images",
		"threshold-probing": "integrity.images", "velocity": "integrity.images",
		"bypass": "integrity.output", "output-anomaly": "integrity.output", "score-drift": "integrity.output", "vendor-errors": "integrity.output",
		"outage": "ops.logging", "ux-friction": "ux.friction",
	}
}

// The page of the pack is the pack.
func TestPackReference(t *testing.T) {
	set, _ := load(t)
	var b strings.Builder
	b.WriteString(`# The default pack

Written from the rules by ` + "`make docs`" + `; a test holds the two together. ` + "`liveward rules list`" + ` shows the same of your own
directory, ` + "`liveward rules lint --format …`" + ` which rules your logs leave blind.

Techniques are those of MITRE ATT&CK Enterprise 18.1 and MITRE ATLAS of May 2026 (` + "`rules.d/testdata/techniques.txt`" + `); OWASP is the
API Security Top 10 of 2023. Severities *high* and *critical* are for people at night; *low* and *medium* are for the morning, most of
them posture, told once a key or tenant and day. Rules in *shadow* are stored and notify nobody. What the pack finds on labelled traffic, how
soon and at what noise is in [pack-report.md](pack-report.md).

Rules about stored media, retention and who reads what need lines of the store beside those of the gateway: in ` + "`liveward_v1`" + `,
` + "`operation`" + ` store, read or delete with ` + "`principal`" + `, ` + "`tenant`" + ` and ` + "`data: {class, object, retain_until}`" + `; in ` + "`ecs_json`" + ` the fields
themselves. Age, rotation, revocation, grants and regions of keys come from the [key roster](keys.md), countries and networks from
` + "`enrich:`" + ` in the [configuration](configuration.md).

| rule | kind | severity | concern | techniques | what it finds |
| --- | --- | --- | --- | --- | --- |
`)
	for _, r := range set.Rules() {
		severity := string(r.Severity)
		if r.Mode == rules.Shadow {
			severity += ", shadow"
		}
		finds, _, _ := strings.Cut(r.Description, ". ")
		finds, _, _ = strings.Cut(finds, ": ")
		fmt.Fprintf(&b, "| [`%s`](../rules.d/%s.yaml) · [playbook](../rules.d/playbooks/%s.md) | %s | %s | %s | %s | %s |\n", r.ID, r.ID, r.Playbook,
			r.Kind, severity, r.Tags.Concern, strings.Join(slices.Concat(r.Tags.Attack, r.Tags.Atlas, r.Tags.OWASP), " "), strings.TrimSuffix(finds, "."))
	}
	b.WriteString(`
## By control

Which rules find a breach of which practice. A rule whose logs lack a field is blind, and no proof of anything.

| control | rules |
| --- | --- |
`)
	held := map[string][]string{}
	for _, r := range set.Rules() {
		control := controls()[r.Tags.Concern]
		if control == "" {
			t.Errorf("%s: no control for the concern %s", r.ID, r.Tags.Concern)
		}
		held[control] = append(held[control], "`"+r.ID+"`")
	}
	for _, control := range slices.Sorted(maps.Keys(held)) {
		fmt.Fprintf(&b, "| %s | %s |\n", control, strings.Join(held[control], ", "))
	}
	writeLists(t, &b, set)
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(have)); diff != "" {
		t.Errorf("docs/pack.md is not the pack (-want +have); write it with make docs:\n%s", diff)
	}
}

// writeLists writes which lists a site fills in, and which rules look into them.
func writeLists(t *testing.T, b *strings.Builder, set *rules.Set) {
	t.Helper()
	b.WriteString(`
## Lists

What the rules cannot know of a site. They come almost empty: fill in what is yours in a directory of your own, as ` + "`lists/NAME.yaml`" + ` below
` + "`rules.overlay`" + ` (see [rules.md](rules.md#changes-of-shipped-rules)). A list that changes counts without a restart.

| list | of | holds | rules |
| --- | --- | --- | --- |
`)
	entries, err := fs.ReadDir(pack.FS, "lists")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		src, err := fs.ReadFile(pack.FS, "lists/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		says := map[string]string{}
		for line := range strings.Lines(string(src)) {
			if key, value, ok := strings.Cut(line, ": "); ok {
				says[key] = strings.TrimSpace(value)
			}
		}
		name := strings.TrimSuffix(e.Name(), ".yaml")
		users := usersOf(t, set, name)
		if len(users) == 0 || says["field"] == "" || says["description"] == "" {
			t.Errorf("lists/%s: no field, no description, or no rule that looks into it", e.Name())
		}
		fmt.Fprintf(b, "| [`%s`](../rules.d/lists/%s) | `%s` | %s | %s |\n", name, e.Name(), says["field"], says["description"], strings.Join(users, ", "))
	}
}

// usersOf are the rules that look into a list; their tests do not count.
func usersOf(t *testing.T, set *rules.Set, list string) []string {
	t.Helper()
	word := regexp.MustCompile(`\b` + list + `\b`)
	var users []string
	for _, r := range set.Rules() {
		src, err := fs.ReadFile(pack.FS, r.ID+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if rule, _, _ := strings.Cut(string(src), "\ntests:"); word.MatchString(rule) {
			users = append(users, "`"+r.ID+"`")
		}
	}
	return users
}
