package rules

import (
	"os"
	"strings"
	"testing"
)

// The default pack loads without a word, and every test in it passes.
func TestPack(t *testing.T) {
	fsys := os.DirFS("../rules.d")
	for _, p := range Lint(fsys, Options{}) {
		t.Error(p.Error())
	}
	set, err := Load(fsys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rules()) < 8 {
		t.Errorf("pack has %d rules, want at least 8", len(set.Rules()))
	}
	results := set.Test()
	var out strings.Builder
	if err := results.Print(&out); err != nil {
		t.Fatal(err)
	}
	if _, failed := results.Count(); failed > 0 {
		t.Errorf("tests of the pack:\n%s", out.String())
	}
	for _, r := range set.Rules() {
		firing, silent := 0, 0
		for _, c := range r.matcher.spec.tests {
			if len(c.alerts) > 0 {
				firing++
			} else {
				silent++
			}
		}
		if firing < 2 || silent < 2 {
			t.Errorf("%s has %d firing and %d silent tests, want 2 and 2", r.ID, firing, silent)
		}
		if r.Tags.Concern == "" || len(r.Tags.Reg) == 0 {
			t.Errorf("%s has no concern or no regulation", r.ID)
		}
		if r.Kind == Each && (len(r.By) == 0 || r.Suppress.For == 0) {
			t.Errorf("%s alerts once an event", r.ID)
		}
	}
}
