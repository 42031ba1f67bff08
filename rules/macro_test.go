package rules

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/liveward/liveward/internal/event"
)

// withFiles adds files to a directory.
func withFiles(fsys fstest.MapFS, files map[string]string) fstest.MapFS {
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func anyPlaybook() Options { return Options{Playbooks: func(string) bool { return true }} }

// A macro stands for its condition, in all that a rule derives from it.
func TestMacros(t *testing.T) {
	const macros = `
refused: gateway.auth == "refused"
attack:
  when: macros.refused and (gateway.auth_reason in ["unknown_key", "revoked"] or client.ip in lists.bad)
  description: what is no mistake
`
	fsys := withFiles(ruleFiles(map[string]string{
		"t.a": "when: macros.attack and has(client.ip)",
		"t.b": `when: not macros.refused`,
	}), map[string]string{"_macros.yaml": macros, "lists/bad.yaml": "type: ip\nentries: [192.0.2.1]\n"})
	set, err := Load(fsys, anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	a := set.Rule("t.a")
	plain := loadPlain(t, `when: gateway.auth == "refused" and (gateway.auth_reason in ["unknown_key", "revoked"] or client.ip in lists.bad) and has(client.ip)`)
	if a.State != plain.State {
		t.Error("a rule with a macro differs from the same rule written out")
	}
	if got := a.Needs(); len(got) != 2 || got[0] != event.ClientIP || got[1] != event.GatewayAuth {
		t.Errorf("needs are %v", got)
	}
	if x := set.index; len(x.fields) != 1 || x.fields[0].id != event.GatewayAuth {
		t.Error("the index does not see through the macro")
	}
	// The archive holds macros, so that an older batch is matched by those of its time.
	again, err := OpenArchive(set.Archive(), Options{})
	if err != nil || again.Hash() != set.Hash() || again.Rule("t.a").State != a.State {
		t.Errorf("archive: %v", err)
	}
	// A changed macro changes the rules that use it.
	fsys["_macros.yaml"].Data = []byte(strings.Replace(macros, `"revoked"`, `"expired"`, 1))
	changed, err := Load(fsys, anyPlaybook())
	if err != nil || changed.Rule("t.a").State == a.State || changed.Rule("t.b").State != set.Rule("t.b").State || changed.Hash() == set.Hash() {
		t.Errorf("a changed macro does not change its rules alone: %v", err)
	}
}

func loadPlain(t *testing.T, body string) *Rule {
	t.Helper()
	set, err := Load(withFiles(ruleFiles(map[string]string{"t.a": body}), map[string]string{"lists/bad.yaml": "type: ip\nentries: [192.0.2.1]\n"}), anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	return set.Rule("t.a")
}

func TestMacrosWrong(t *testing.T) {
	var twice strings.Builder
	twice.WriteString("m0: has(client.ip) and has(user.id)\n")
	for i := range 9 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		twice.WriteString("m" + m + ": macros.m" + n + " and macros.m" + n + "\n")
	}
	fsys := withFiles(ruleFiles(map[string]string{
		"t.a": "when: macros.typ and has(user.id)", "t.b": "when: macros.refusd", "t.c": "when: macros == 1", "t.d": "when: macros.m9",
	}), map[string]string{"_macros.yaml": twice.String() + `
typ: client.ipp == "192.0.2.1"
below: macros.above
above: has(client.ip)
refused: gateway.auth == "refused"
Bad-Name: has(client.ip)
empty: {description: x}
`})
	got := Lint(fsys, anyPlaybook()).Error()
	for _, want := range []string{
		`_macros.yaml:12:13: unknown field client.ipp; did you mean "client.ip"?`,
		`_macros.yaml:13:15: unknown macro macros.above`,
		`_macros.yaml:16:1: macro "Bad-Name"; macros are called by letters, digits and underscores`,
		`_macros.yaml:17:1: macro has no when`,
		`t.a.yaml:8:14: macros.typ has an error; see _macros.yaml`,
		`t.b.yaml:8:14: unknown macro macros.refusd; did you mean "refused"?`,
		`macros is a group of conditions; write macros.<name>`,
		`condition has more than 500 parts with its macros; put values into a list`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	sound := withFiles(ruleFiles(map[string]string{"t.a": "when: has(user.id)"}), map[string]string{"_macros.yaml": "alone: has(client.ip)\n"})
	if got := Lint(sound, anyPlaybook()).Error(); !strings.Contains(got, "_macros.yaml:1:1: warning: no rule uses macros.alone") {
		t.Errorf("an unused macro is not found:\n%s", got)
	}
}

// A broken macro file leaves the rules that use it in their old version, with the old macros.
func TestReloadKeepsMacros(t *testing.T) {
	fsys := withFiles(ruleFiles(map[string]string{"t.a": "when: macros.m", "t.b": "when: has(user.id)"}),
		map[string]string{"_macros.yaml": "m: has(client.ip)\n", "overlays/t.b.yaml": "base: 1\nmode: shadow\n"})
	old, err := Load(fsys, anyPlaybook())
	if err != nil {
		t.Fatal(err)
	}
	fsys["_macros.yaml"].Data = []byte("m: has(client.ipp)\n")
	fsys["overlays/t.b.yaml"].Data = []byte("base: 1\nmode: shaddow\n")
	set, err := Reload(fsys, anyPlaybook(), old)
	if err == nil || set == nil {
		t.Fatalf("set %v, error %v", set, err)
	}
	if set.Rule("t.a") == nil || set.Rule("t.a").State != old.Rule("t.a").State || set.Rule("t.b").Mode != Shadow {
		t.Error("the old versions are gone")
	}
}
