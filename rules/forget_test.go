package rules

import (
	"testing"
)

// A set without its tests is the same set: same hash, same list, and an archive that has them.
func TestForgottenTests(t *testing.T) {
	files := ruleFiles(map[string]string{"t.a": "when: gateway.auth == \"refused\"\nby: [client.ip]\nwindow: 5m\nthreshold: 3"})
	opts := Options{Playbooks: func(string) bool { return true }}
	with, err := Load(files, opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoTests = true
	without, err := Load(files, opts)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenArchive(without.Archive(), Options{NoTests: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]*Set{"loaded": without, "opened": opened} {
		if set.Hash() != with.Hash() {
			t.Errorf("%s: another hash", name)
		}
		if n := len(set.Test()); n != 0 {
			t.Errorf("%s: %d tests are kept", name, n)
		}
		if n := set.List(ListOptions{})[0].Tests; n != 1 {
			t.Errorf("%s: the list says %d tests, want 1", name, n)
		}
	}
	again, err := OpenArchive(without.Archive(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(again.Test()); n != 1 {
		t.Errorf("the archive has %d tests, want 1", n)
	}
}
