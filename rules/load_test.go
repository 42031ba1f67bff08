package rules

import (
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

var update = flag.Bool("update", false, "write golden files anew")

// Every file of testdata/bad is refused, with the problems of the golden file at their places.
func TestLoadBad(t *testing.T) {
	fsys := os.DirFS("testdata/bad")
	problems := Lint(fsys, Options{})
	got := problems.Error() + "\n"
	const golden = "testdata/bad.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && e.Name() != "t.twin-a.yaml" &&
			!slices.ContainsFunc(problems.Errors(), func(p Problem) bool { return p.File == e.Name() }) {
			t.Errorf("%s has no error", e.Name())
		}
	}
}

func TestLoadGood(t *testing.T) {
	fsys := os.DirFS("testdata/good")
	if problems := Lint(fsys, Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}); len(problems) > 0 {
		t.Error(problems)
	}
	set, err := Load(fsys, Options{PlaybookURL: "https://example.org/playbooks/"})
	if err != nil {
		t.Fatal(err)
	}
	r := set.Rule("t.everything")
	if r == nil || len(set.Rules()) != 1 {
		t.Fatal("rule is not there")
	}
	if r.Reference != "https://example.org/playbooks/a/page.md" || r.Version != 12 || r.Mode != Shadow || r.Kind != Threshold ||
		r.Window != 90*time.Minute || r.Count != 3 || r.Suppress != (Suppress{For: 48 * time.Hour, EscalateAt: 10}) ||
		r.Risk != (Risk{12.5, event.ClientIP}) || r.Description != "Folded text." {
		t.Errorf("rule is %+v", r)
	}
	wantShow := []event.ID{event.LivenessVendor, event.HTTPResponseStatusCode, event.APIKeyOwner, event.OrganizationID}
	if diff := cmp.Diff(wantShow, r.Show); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]event.ID{event.GatewayAuth}, r.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	for _, res := range set.Test() {
		if !res.Passed() {
			t.Errorf("%s: %v", res.Name, res.Failures)
		}
	}
}

// A broken rule does not take the others with it.
func TestLoadKeepsTheSoundRules(t *testing.T) {
	set, err := Load(ruleFiles(map[string]string{
		"t.a": "when: client.allow_listed",
		"t.b": "when: client.allow_listd",
		"t.c": "when: client.allow_listed == false",
	}), Options{Playbooks: func(string) bool { return true }})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].File != "t.b.yaml" || problems[0].Line != 8 {
		t.Fatalf("error is %v", err)
	}
	if len(set.Rules()) != 2 || set.Rule("t.a") == nil || set.Rule("t.c") == nil || set.Rule("t.b") != nil {
		t.Errorf("set has %d rules", len(set.Rules()))
	}
	var p Problem
	if !errors.As(err, &p) || p.Hint != `did you mean "client.allow_listed"?` {
		t.Errorf("problem is %+v", p)
	}
}

func TestLintWarns(t *testing.T) {
	fsys := ruleFiles(map[string]string{
		"t.a": "when: client.ip startsWith \"10.\"\nsuppress: 1h",
		"t.b": "when: client.allow_listed\nexcept: [{when: has(app.version), until: 2026-01-01, owner: soc, why: x}]",
	})
	fsys["lists/unused.yaml"] = &fstest.MapFile{Data: []byte("entries: []\n")}
	opts := Options{Playbooks: func(string) bool { return true }, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := Load(fsys, opts); err != nil {
		t.Errorf("warnings are an error: %v", err)
	}
	got := Lint(fsys, opts).Error()
	for _, want := range []string{
		"t.a.yaml:8:17: warning: an address is tested as text", "t.a.yaml:1:1: warning: suppress without by",
		"t.b.yaml:1:1: warning: rule makes an alert of every matching event", "t.b.yaml:9:10: warning: exception ended on 2026-01-01",
		"tests should show the rule firing", "lists/unused.yaml:1:1: warning: no rule uses lists.unused", "rule has no tags.concern",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	opts.Now = opts.Now.Add(-1)
	if got := Lint(fsys, opts).Error(); strings.Contains(got, "exception ended") {
		t.Error("exception ended before its end")
	}
}

// What a metadata edit keeps and a logic edit changes.
func TestStateKey(t *testing.T) {
	base := "title: x\nwhen: gateway.auth == \"refused\" and not inNet(client.ip, lists.l)\nby: [client.ip]\nwindow: 5m\nthreshold: 20\n"
	state := func(body, list string) event.Hash {
		t.Helper()
		fsys := ruleFiles(map[string]string{"t.a": body})
		fsys["lists/l.yaml"] = &fstest.MapFile{Data: []byte(list)}
		set, err := Load(fsys, Options{Playbooks: func(string) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		return set.Rule("t.a").State
	}
	const list = "type: cidr\nentries: [192.0.2.0/24]\n"
	want := state(base, list)
	for name, body := range map[string]string{
		"title": strings.Replace(base, "title: x", "title: y", 1), "suppress": base + "suppress: 1h\n", "show": base + "show: [app.version]\n",
		"mode": base + "mode: shadow\n", "form": strings.Replace(base, "and not", " &&  !", 1), "risk": base + "risk: {score: 1, entity: client.ip}\n",
		"needs": base + "needs: [client.ip]\n",
	} {
		if state(body, list) != want {
			t.Errorf("an edit of %s changes the state", name)
		}
	}
	for name, body := range map[string]string{
		"when": strings.Replace(base, "refused", "absent", 1), "by": strings.Replace(base, "by: [client.ip]", "by: [source.ip]", 1),
		"window": strings.Replace(base, "5m", "6m", 1), "threshold": strings.Replace(base, "20", "21", 1),
		"once":   base + "once: [liveness.session_id]\n",
		"except": base + "except: [{when: has(app.version), until: 2026-01-01, owner: a, why: b}]\n",
		"kind":   strings.Replace(base, "threshold: 20", "distinct: {of: user.id, at_least: 20}", 1),
	} {
		if state(body, list) == want {
			t.Errorf("an edit of %s keeps the state", name)
		}
	}
	if state(base, "type: cidr\nentries: [192.0.2.0/25]\n") == want {
		t.Error("an edit of the list keeps the state")
	}
	if state(base, "type: cidr\ndescription: x\nentries: [192.0.2.0/24, 192.0.2.0/24]\n") != want {
		t.Error("an edit of the list's description changes the state")
	}
}

func TestArchive(t *testing.T) {
	fsys := ruleFiles(map[string]string{
		"t.a": "when: api_key.id in lists.revoked\nby: [api_key.id]",
		"t.b": "when: gateway.auth == \"refused\"\nby: [client.ip]\nwindow: 5m\nthreshold: 20",
	})
	fsys["lists/revoked.yaml"] = &fstest.MapFile{Data: []byte("field: api_key.id\nentries: [secret-key-1, secret-key-2]\n")}
	opts := Options{
		Playbooks: func(string) bool { return true }, PlaybookURL: "https://example.org/",
		Identify: func(id event.ID, raw string) []string {
			return []string{"new:" + event.HashStrings("new", id.String(), raw).String(), "old:" + event.HashStrings("old", raw).String()}
		},
	}
	set, err := Load(fsys, opts)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(set.Archive()), "secret-key") {
		t.Errorf("archive holds identifiers in the clear: %s", set.Archive())
	}
	again, err := Load(fsys, opts)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != set.Hash() || string(again.Archive()) != string(set.Archive()) {
		t.Error("the same files give another archive")
	}
	opened, err := OpenArchive(set.Archive(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Hash() != set.Hash() || string(opened.Archive()) != string(set.Archive()) {
		t.Error("an opened archive is another set")
	}
	for _, r := range set.Rules() {
		o := opened.Rule(r.ID)
		if o == nil || o.State != r.State || o.Reference != r.Reference {
			t.Errorf("%s is %+v after opening", r.ID, o)
		}
	}
	// All live epochs match, in the opened set as well.
	for _, s := range []*Set{set, opened} {
		for _, pseudonym := range opts.Identify(event.APIKeyID, "secret-key-2") {
			var ev event.Event
			var buf event.SignalBuffer
			ev.SetString(event.APIKeyID, pseudonym)
			s.NewMatcher().Match(&ev, Origin{}, &buf)
			if len(buf.Signals) != 1 {
				t.Errorf("pseudonym %s is not in the list", pseudonym)
			}
		}
	}
	for _, bad := range []string{"", "{}", `{"format":2}`, `{"format":1,"rules":[{"file":"t.x.yaml","text":"a: 1"}]}`, `{"format":1,"lists":{"a":{"type":"x"}}}`} {
		if _, err := OpenArchive([]byte(bad), Options{}); err == nil {
			t.Errorf("archive %q was opened", bad)
		}
	}
}

// A page that nobody can read at the address of the others is referred to by its file, in an opened
// archive as well.
func TestUnpublishedPlaybooks(t *testing.T) {
	own := ruleFiles(map[string]string{"t.a": "when: has(client.ip)", "t.b": "when: has(user.id)"})
	load := func(unpublished func(string) bool) *Set {
		t.Helper()
		set, err := Load(own, Options{Playbooks: func(string) bool { return true }, PlaybookURL: "https://example.org/", Unpublished: unpublished})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	published, hidden := load(nil), load(func(string) bool { return true })
	opened, err := OpenArchive(hidden.Archive(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set  *Set
		want string
	}{{published, "https://example.org/"}, {hidden, "playbooks/"}, {opened, "playbooks/"}} {
		for _, r := range c.set.Rules() {
			if want := c.want + r.Playbook + ".md"; r.Reference != want {
				t.Errorf("%s refers to %s, want %s", r.ID, r.Reference, want)
			}
		}
	}
	if string(load(func(string) bool { return false }).Archive()) != string(published.Archive()) {
		t.Error("a set whose pages all have an address is another one")
	}
}

func TestOverridesTakeTheListsPlace(t *testing.T) {
	fsys := ruleFiles(map[string]string{"t.a": "when: client.ip in lists.l"})
	fsys["lists/l.yaml"] = &fstest.MapFile{Data: []byte("type: ip\nentries: [192.0.2.1]\n")}
	opts := Options{
		Playbooks: func(string) bool { return true },
		Overrides: map[string]List{"l": {Type: ListIP, Entries: []string{"::ffff:192.0.2.2"}}},
	}
	set, err := Load(fsys, opts)
	if err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	var buf event.SignalBuffer
	ev.SetString(event.ClientIP, "192.0.2.2")
	set.NewMatcher().Match(&ev, Origin{}, &buf)
	if len(buf.Signals) != 1 {
		t.Error("the override is not used")
	}
	opts.Overrides["l"] = List{Type: ListIP, Entries: []string{"x"}}
	if _, err := Load(fsys, opts); err == nil {
		t.Error("an override with a wrong entry was taken")
	}
}

func TestBlind(t *testing.T) {
	set := loadText(t, map[string]string{
		"t.a": "when: gateway.auth == \"refused\"\nby: [client.ip]\nwindow: 1m\ndistinct: {of: user.id, at_least: 2}",
		"t.b": "when: gateway.auth == \"accepted\"",
		"t.c": "when: gateway.auth == \"absent\" or tls.version == \"1.0\"\nneeds: [tls.version]",
	})
	got := set.Blind(func(id event.ID) bool { return id == event.GatewayAuth || id == event.ClientIP })
	want := map[string][]event.ID{"t.a": {event.UserID}, "t.c": {event.TLSVersion}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blind rules (-want +got):\n%s", diff)
	}
}

// No field's name stands below another: names are paths of nested maps in conditions.
func TestFieldNamesAreLeaves(t *testing.T) {
	names := fieldNames()
	for _, a := range names {
		for _, b := range names {
			if strings.HasPrefix(b, a+".") {
				t.Errorf("%s stands below %s", b, a)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"../rules.d", "testdata/good", "testdata/bad"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), ".yaml") {
				data, err := os.ReadFile(dir + "/" + e.Name())
				if err != nil {
					f.Fatal(err)
				}
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{
			"lw.fuzz.x.yaml":    &fstest.MapFile{Data: data},
			"lists/fuzz.yaml":   &fstest.MapFile{Data: data},
			"lists/probes.yaml": &fstest.MapFile{Data: []byte("type: cidr\nentries: []\n")},
		}
		opts := Options{Playbooks: func(string) bool { return true }}
		set, problems := load(fsys, &opts)
		if len(problems) > 3*maxProblems {
			t.Errorf("%d problems", len(problems))
		}
		for _, p := range problems {
			lines := strings.Count(string(data), "\n") + 2
			if p.File == "lw.fuzz.x.yaml" && (p.Line < 0 || p.Line > lines || len(p.Error()) > 16<<10) {
				t.Errorf("problem at line %d of %d: %.200s", p.Line, lines, p.Error())
			}
		}
		if errs := problems.Errors(); len(errs) > 0 && len(set.Rules()) == 0 {
			return
		}
		// What loads can be archived, opened and tested.
		opened, err := OpenArchive(set.Archive(), Options{})
		if err != nil || opened.Hash() != set.Hash() {
			t.Errorf("opened archive: %v", err)
		}
		set.Test()
	})
}

// A rule in a directory that means nothing is not read, and that is said.
func TestUnreadDirectories(t *testing.T) {
	const rule = "id: x\n"
	for name, want := range map[string]string{
		"sub/x.yaml":            "sub/x.yaml: warning: is not read, nor is anything else in sub/; rules stand in the rule directory itself, ",
		"sub/deep/er/x.yml":     "sub/deep/er/x.yml: warning: is not read, ",
		"overlay/x.yaml":        `overlay/x.yaml: warning: is not read, nor is anything else in overlay/; did you mean "overlays/"? rules stand`,
		"lists/more/x.yaml":     "lists/more/x.yaml: warning: is not read, nor is anything else in lists/more/; ",
		"testdata/x.yaml":       "",
		"sub/testdata/x.yaml":   "",
		".github/x.yaml":        "",
		"_old/x.yaml":           "",
		"sub/README.md":         "",
		"playbooks/x/front.yml": "",
	} {
		var got string
		for _, p := range Lint(fstest.MapFS{name: {Data: []byte(rule)}}, Options{}) {
			got += p.Error()
		}
		if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A new pseudonym key changes no rule's logic: what it has learned stays. A list matches under all keys,
// and a roster expects each of its keys once, by the name that it has now.
func TestListsOverAChangeOfKey(t *testing.T) {
	fsys := ruleFiles(map[string]string{
		"t.in":     "when: api_key.id in lists.some\nby: [api_key.id]",
		"t.table":  "when: liveness.score > lists.least[api_key.id]\nby: [api_key.id]",
		"t.absent": "when: has(api_key.id)\nby: [api_key.id]\nabsence: {for: 10m, expect: lists.some, unless: lists.some}",
	})
	fsys["lists/some.yaml"] = &fstest.MapFile{Data: []byte("field: api_key.id\nentries: [k-1, k-2, k-3]\n")}
	fsys["lists/least.yaml"] = &fstest.MapFile{Data: []byte("type: table\nvalues: number\nfield: api_key.id\nentries: {k-1: 0.5, k-2: 0.7, k-3: 0.9}\n")}
	load := func(epochs ...string) *Set { // the current one first
		t.Helper()
		set, err := Load(fsys, Options{
			Playbooks: func(string) bool { return true }, PlaybookURL: "https://example.org/",
			Identify: func(_ event.ID, raw string) (names []string) {
				for _, e := range epochs {
					names = append(names, e+"-"+event.HashStrings(e, raw).String())
				}
				return names
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	before, during, after := load("a"), load("b", "a"), load("b")
	opened, err := OpenArchive(during.Archive(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if before.Hash() == during.Hash() {
		t.Error("with another key the set is the same")
	}
	for _, r := range before.Rules() {
		if during.Rule(r.ID).State != r.State || opened.Rule(r.ID).State != r.State {
			t.Errorf("a new key drops the state of %s", r.ID)
		}
		if r.Kind != Absence && after.Rule(r.ID).State == r.State { // rosters are no part of the logic
			t.Errorf("%s has the same state where its list has other names", r.ID)
		}
	}
	for _, set := range []*Set{during, opened} {
		absent := set.Rule("t.absent").Absence
		if len(absent.Expect) != 3 || len(absent.Unless) != 6 {
			t.Errorf("%d keys are expected, %d excused, want 3 and 6", len(absent.Expect), len(absent.Unless))
		}
		for _, key := range absent.Expect {
			if !strings.HasPrefix(key[0].Str, "b-") {
				t.Errorf("%s is expected, which nobody is called any more", key[0].Str)
			}
		}
		for _, epoch := range []string{"a", "b"} {
			var ev event.Event
			var buf event.SignalBuffer
			ev.SetString(event.APIKeyID, epoch+"-"+event.HashStrings(epoch, "k-2").String())
			ev.SetFloat(event.LivenessScore, 0.8)
			set.NewMatcher().Match(&ev, Origin{}, &buf)
			if len(buf.Signals) != 3 {
				t.Errorf("under key %s %d rules match, want all 3", epoch, len(buf.Signals))
			}
		}
	}
}
