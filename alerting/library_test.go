package alerting_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/strict"
)

const goodPage = `---
title: Burst of bad credentials
version: 2
owner: SOC lead
rules: [lw.auth.burst-per-ip, lw.auth.spray-keys]
attack: [T1110.003, AML.T0015]
csf: [DE.AE, RS.MI-01]
tell:
  - who: data protection officer
    within: 72h
    why: GDPR 33, if data was reached
  - {who: CISO, within: 4h, why: DORA initial notice}
---

# Burst of bad credentials

Somebody tries keys.

## Detection

What it means:

- many refusals from one address
1. Open **the query** and look for an ` + "`accepted`" + ` call
   after the [refusals](https://example.com):
2. Then the next.

` + "```" + `
## Not a heading
` + "```" + `

## Containment

- Block the address.

## Eradication

Rotate the key.

## Recovery

Unblock.

## Post-incident

Write it down.
`

func pageFS(page string) fstest.MapFS {
	return fstest.MapFS{
		"auth/bad-credentials-burst.md": {Data: []byte(page)},
		"README.md":                     {Data: []byte("no page")},
		"auth/picture.png":              {Data: []byte("no page")},
	}
}

func TestLoadLibrary(t *testing.T) {
	for base, url := range map[string]string{
		"":                               "",
		"https://wiki.bank.example/pb/":  "https://wiki.bank.example/pb/auth/bad-credentials-burst.md",
		"https://x.example/?page={name}": "https://x.example/?page=auth/bad-credentials-burst",
	} {
		lib, err := alerting.LoadLibrary(pageFS(strings.ReplaceAll(goodPage, "\n", "\r\n")), base)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"auth/bad-credentials-burst"}, lib.Names()); diff != "" {
			t.Fatalf("names:\n%s", diff)
		}
		got, ok := lib.Page("auth/bad-credentials-burst")
		if !ok {
			t.Fatal("no page")
		}
		want := &alerting.Playbook{
			Name: "auth/bad-credentials-burst", Title: "Burst of bad credentials", Version: 2, Owner: "SOC lead",
			Rules:  []string{"lw.auth.burst-per-ip", "lw.auth.spray-keys"},
			Attack: []string{"T1110.003", "AML.T0015"},
			CSF:    []string{"DE.AE", "RS.MI-01"},
			Tell: []alerting.Tell{
				{Who: "data protection officer", Within: 72 * time.Hour, Why: "GDPR 33, if data was reached"},
				{Who: "CISO", Within: 4 * time.Hour, Why: "DORA initial notice"},
			},
			FirstStep: "Open the query and look for an accepted call after the refusals.",
			URL:       url,
			Intro:     "# Burst of bad credentials\n\nSomebody tries keys.",
			Sections: map[string]string{
				"Detection":     got.Sections["Detection"], // held by FirstStep
				"Containment":   "- Block the address.",
				"Eradication":   "Rotate the key.",
				"Recovery":      "Unblock.",
				"Post-incident": "Write it down.",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("page (-want +got):\n%s", diff)
		}
		if !strings.Contains(got.Sections["Detection"], "## Not a heading") {
			t.Error("a line in a code block counts as a heading")
		}
		if tell, _ := got.Nearest(); tell.String() != "CISO within 4h (DORA initial notice)" {
			t.Errorf("nearest: %s", tell)
		}
	}
}

func TestLoadLibraryProblems(t *testing.T) {
	f := func(name, old, new, want string) {
		t.Helper()
		page := strings.Replace(goodPage, old, new, 1)
		if page == goodPage {
			t.Fatalf("%s: nothing replaced", name)
		}
		_, err := alerting.LoadLibrary(pageFS(page), "")
		var problems strict.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v, want problems", name, err)
			return
		}
		if got := problems.Error(); got != strings.ReplaceAll(want, "F:", "auth/bad-credentials-burst.md:") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	f("no front matter", "---\n", "", "F:1:1: a page begins with front matter between two lines ---")
	f("front matter not closed", "---\n\n#", "\n#", "F:1:1: the front matter has no closing line ---")
	f("unknown key", "owner: SOC lead", "owner: SOC lead\nseverity: high",
		`F:5:1: unknown key "severity"; want one of title, version, owner, rules, attack, csf, tell`)
	f("key twice", "owner: SOC lead", "owner: SOC lead\ncsf: [DE.AE]", `F:8:1: key "csf" stands here twice; remove one`)
	f("blank title", "title: Burst of bad credentials", "title: ' '", "F:2:8: title is empty")
	f("no list", "rules: [lw.auth.burst-per-ip, lw.auth.spray-keys]", "rules: lw.auth.spray-keys",
		"F:5:8: rules: want a list, each a rule id such as lw.auth.burst-per-ip")
	f("rule twice", "lw.auth.spray-keys", "lw.auth.burst-per-ip", `F:5:31: rules: "lw.auth.burst-per-ip" stands here twice; remove one`)
	f("not YAML", "owner: SOC lead", "owner: [SOC", "F:5:1: not YAML: ',' or ']' must be specified")
	f("no mapping", "title: Burst of bad credentials\n", "- title\n", "F:3:1: not YAML: value is not allowed in this context")
	f("no title", "title: Burst of bad credentials\n", "", `F:2:1: front matter lacks "title"`)
	f("empty title", "title: Burst of bad credentials", "title:", "F:2:1: title: want a text, not nothing")
	f("version", "version: 2", "version: two", "F:3:10: version: want a whole number from 1 to 1000000, not text")
	f("rule", "lw.auth.spray-keys", "Spray", "F:5:31: rules: want a rule id such as lw.auth.burst-per-ip")
	f("rules", "rules: [lw.auth.burst-per-ip, lw.auth.spray-keys]", "rules: []",
		"F:5:1: rules: the list is empty; list the rules that the page serves")
	f("attack", "T1110.003", "brute-force", "F:6:10: attack: want a technique such as T1110.003 or AML.T0015")
	f("csf", "RS.MI-01", "RS", "F:7:14: csf: want a CSF 2.0 id such as DE.AE or RS.MA-01")
	f("within", "within: 72h", "within: soon", "F:10:13: within is no duration; use a form like 4h or 30d")
	f("tell without who", "who: data protection officer\n    ", "", "F:9:5: tell needs who and within")
	f("tell with more", "why: GDPR 33, if", "what: GDPR 33, if", `F:11:5: unknown key "what"; want one of who, within, why`)
	f("section missing", "## Recovery\n", "Recovery\n", `F:47:1: section "Recovery" is missing: add a line "## Recovery"`)
	f("section unknown", "Unblock.", "Unblock.\n## Aftermath", `F:43:4: section "Aftermath" is not one of Detection, Containment, Eradication, Recovery, Post-incident`)
	f("section empty", "Unblock.\n", "", `F:40:4: section "Recovery" is empty`)
	f("order", "## Eradication\n\nRotate the key.\n\n## Recovery", "## Recovery\n\nRotate the key.\n\n## Eradication",
		`F:40:4: section "Eradication" must come before "Recovery"`)
	_, err := alerting.LoadLibrary(fstest.MapFS{"Auth/Burst.md": {Data: []byte(goodPage)}}, "")
	if want := "Auth/Burst.md:1:1: a page is <area>/<name>.md; use lower-case letters, digits and dashes"; err == nil || err.Error() != want {
		t.Errorf("name: %v, want %s", err, want)
	}
	if _, err := alerting.LoadLibrary(fstest.MapFS{}, "wiki.example/pb"); err == nil {
		t.Error("a base url without a scheme: no error")
	}
	// All problems at once.
	page := strings.NewReplacer("version: 2", "version: 0", "T1110.003", "x", "## Recovery", "## Repair").Replace(goodPage)
	_, err = alerting.LoadLibrary(pageFS(page), "")
	var problems strict.Problems
	if !errors.As(err, &problems) || len(problems) != 4 {
		t.Errorf("problems: %v, want four", err)
	}
}

func TestLibraryOfNothing(t *testing.T) {
	var lib *alerting.Library
	if _, ok := lib.Page("auth/x"); ok || lib.Names() != nil {
		t.Error("a nil library has pages")
	}
	if _, ok := (*alerting.Playbook)(nil).Nearest(); ok {
		t.Error("no page has a duty to tell")
	}
}

func TestUnpublish(t *testing.T) {
	lib, err := alerting.LoadLibrary(pageFS(goodPage), "https://wiki.bank.example/pb")
	if err != nil {
		t.Fatal(err)
	}
	name := lib.Names()[0]
	for _, unpublished := range []bool{false, true} {
		lib.Unpublish(func(n string) bool { return unpublished && n == name })
		if page, _ := lib.Page(name); (page.URL == "") != unpublished {
			t.Errorf("unpublished %v: the address is %q", unpublished, page.URL)
		}
	}
}

func FuzzLoadLibrary(f *testing.F) {
	f.Add(goodPage)
	f.Add("---\na: &a [*a]\n---\n")
	f.Add("---\n? {a: b}\n: - c\n---\n## Detection\n```\n")
	f.Add("---\ntell: [{}]\nrules: [[], {}, ~]\n---\n")
	f.Fuzz(func(t *testing.T, page string) {
		lib, err := alerting.LoadLibrary(pageFS(page), "")
		if err == nil {
			p, ok := lib.Page("auth/bad-credentials-burst")
			if !ok || p.Title == "" || p.Owner == "" || p.Version < 1 || p.FirstStep == "" || len(p.Sections) != 5 {
				t.Fatalf("taken: %+v", p)
			}
			return
		}
		var problems strict.Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("%v is no list of problems", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Line > strings.Count(page, "\n")+2 {
				t.Fatalf("%v points nowhere", p)
			}
		}
	})
}
