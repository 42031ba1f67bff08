package rules

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// Files made to make a parser recurse or multiply are refused before they do.
func TestLoadIsBounded(t *testing.T) {
	const n = 100 << 10
	repeat := func(s string) string { return strings.Repeat(s, n/len(s)) }
	steps := func(f func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(f(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"flow lists": repeat("["), "flow maps": repeat("{a: "), "dashes": repeat("- "), "complex keys": repeat("? "),
		"anchors": repeat("&a "), "tags": repeat("!a "), "aliases": repeat("*a "), "keys on a line": repeat("a: "),
		"keys": steps(func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }), "documents": repeat("---\na: 1\n"),
		"indentation": steps(func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"items":       repeat("-\n"), "carriage returns": repeat("\r"), "quotes": repeat("'"), "blank": repeat(" "),
		"large": strings.Repeat("x", 5<<20), "not closed": "a: [" + repeat("x,"), "brackets": repeat("]"),
		"laughs": "a0: &a0 [x,x,x,x,x,x,x,x]\n" + steps(func(i int) string {
			return fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 8))
		})[:2000],
		"merges": "a0: &a0 {x: 1}\n" + steps(func(i int) string {
			return fmt.Sprintf("a%d: &a%d {y%d: *a%d, <<: [*a%d, *a%d]}\n", i+1, i+1, i, i, i, i)
		})[:3000],
		"repeated tests": "id: t.a\ntests: [" + strings.Repeat("{events: [{repeat: 5000}, {repeat: 5000}, {repeat: 5000}], alerts: []},", 5) + "]\n",
		"parentheses":    "id: t.a\nwhen: " + strings.Repeat("(", 4000),
		"negations":      "id: t.a\nwhen: " + strings.Repeat("not ", 900) + "client.allow_listed",
	} {
		fsys := fstest.MapFS{"t.a.yaml": {Data: []byte(text)}, "lists/l.yaml": {Data: []byte(text)}}
		set, problems := load(fsys, &Options{})
		if len(set.Rules()) != 0 || len(problems.Errors()) < 2 {
			t.Errorf("%s: %d rules, %d problems", name, len(set.Rules()), len(problems))
		}
	}
}

// A file from an editor that ends lines with a carriage return is the same rule, and its problems
// stand at the same places.
func TestCarriageReturns(t *testing.T) {
	crlf := func(name string) []byte {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(strings.ReplaceAll(string(data), "\n", "\r\n"))
	}
	fsys := fstest.MapFS{
		"t.everything.yaml":  {Data: crlf("testdata/good/t.everything.yaml")},
		"t.pos-literal.yaml": {Data: crlf("testdata/bad/t.pos-literal.yaml")},
		"t.pos-folded.yaml":  {Data: crlf("testdata/bad/t.pos-folded.yaml")},
		"t.pos-multi.yaml":   {Data: crlf("testdata/bad/t.pos-multi.yaml")},
		"lists/good.yaml":    {Data: crlf("testdata/good/lists/good.yaml")},
	}
	set, problems := load(fsys, &Options{Playbooks: func(string) bool { return true }})
	for _, res := range set.Test() {
		if !res.Passed() {
			t.Errorf("%s: %v", res.Name, res.Failures)
		}
	}
	if len(set.Rules()) != 1 {
		t.Errorf("%d rules, want 1", len(set.Rules()))
	}
	var places []string
	for _, p := range problems.Errors() {
		places = append(places, fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column))
	}
	want := "t.pos-folded.yaml:10:28 t.pos-folded.yaml:12:13 t.pos-literal.yaml:11:16 t.pos-multi.yaml:10:10"
	if got := strings.Join(places, " "); got != want {
		t.Errorf("problems at %s, want %s\n%s", got, want, problems)
	}
}
