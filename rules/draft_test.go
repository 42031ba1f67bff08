package rules

import (
	"os"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// The draft of every kind loads beside the pack without a word, and its tests pass, whatever the key.
func TestDrafts(t *testing.T) {
	dir := os.DirFS("../rules.d")
	for _, kind := range Kinds() {
		for _, by := range []string{"", "client.ip", "gateway.consumer", "client.as.number"} {
			d := Draft{ID: "lw.own.draft", Kind: Kind(kind), By: by, Severity: event.High, Playbook: "auth/bad-credentials-burst"}
			text, err := d.Text()
			if err != nil {
				t.Fatal(err)
			}
			results, err := Try(dir, d.ID, text)
			if err != nil {
				t.Errorf("%s by %q: %v\n%s", kind, by, err, text)
				continue
			}
			if passed, _ := results.Count(); passed != 2 {
				t.Errorf("%s by %q: %d tests pass", kind, by, passed)
			}
			for _, p := range Lint(plusFile{dir, d.ID + ".yaml", []byte(text)}, Options{}) {
				if p.File == d.ID+".yaml" {
					t.Errorf("%s by %q: %v", kind, by, p)
				}
			}
		}
	}
}

func TestDraftsWrong(t *testing.T) {
	f := func(d Draft, want string) {
		t.Helper()
		_, err := d.Text()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
		}
	}
	f(Draft{ID: "lw.own.a", Kind: "thershold"}, "unknown kind")
	f(Draft{ID: "Own", Kind: Each}, "want a form like lw.area.name")
	f(Draft{ID: "lw.own.a", Kind: Each, By: "client.ipp"}, `did you mean "client.ip"?`)
	f(Draft{ID: "lw.own.a", Kind: Each, By: "tags"}, "makes no good key")
	dir := os.DirFS("../rules.d")
	if _, err := Try(dir, "lw.auth.burst-per-ip", "x"); err == nil {
		t.Error("a rule that is there would be written over")
	}
	text, err := Draft{ID: "lw.own.a", Kind: Each, Playbook: "auth/nothing"}.Text()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(dir, "lw.own.a", text); err == nil || !strings.Contains(err.Error(), "there is no playbook") {
		t.Errorf("error is %v", err)
	}
}
