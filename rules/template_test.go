package rules

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTemplate(t *testing.T) {
	values := map[string]string{"client.ip": "203.0.113.7", "count": "20", "window": "5m", "app.version": "", "user_agent.original": strings.Repeat("é", 300)}
	get := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	f := func(text, want string) {
		t.Helper()
		tm, err := ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if got := tm.Render(get); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if tm.String() != text {
			t.Errorf("String is %q, want %q", tm.String(), text)
		}
	}
	f("", "")
	f("plain", "plain")
	f("{client.ip}", "203.0.113.7")
	f("{count} from {client.ip} in {window}!", "20 from 203.0.113.7 in 5m!")
	f("{{{count}}} {{x}}", "{20} {x}")
	f("{liveness.vendor} {app.version}", "unknown unknown")
	f("{user_agent.original}", strings.Repeat("é", 100)+"…")
	bad := func(text string, offset int) {
		t.Helper()
		_, err := ParseTemplate(text)
		if te, ok := err.(templateError); !ok || te.offset != offset { //nolint:errorlint // it is returned as it is
			t.Errorf("%s: error %v, want one at %d", text, err, offset)
		}
	}
	bad("a {", 2)
	bad("a } b", 2)
	bad("{nope}", 1)
	bad("x {count", 2)
	bad("{count {x}", 1)
}

func FuzzTemplate(f *testing.F) {
	f.Add("{count} from {client.ip}", "x")
	f.Add("{{}}{", "\xff")
	f.Fuzz(func(t *testing.T, text, value string) {
		tm, err := ParseTemplate(text)
		if err != nil {
			return
		}
		got := tm.Render(func(string) (string, bool) { return value, true })
		if len(got) > len(text)+strings.Count(text, "{")*(maxTitleValue+8) {
			t.Errorf("title of %d bytes", len(got))
		}
		if utf8.ValidString(text) && len(value) > maxTitleValue && !utf8.ValidString(got) {
			t.Error("cut title is not UTF-8")
		}
	})
}
