package demo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// On a terminal the status line is written over, and stays below what is written; elsewhere every status
// is a line, and nothing is there but text.
func TestScreen(t *testing.T) {
	f := func(live bool, want string) {
		t.Helper()
		var out strings.Builder
		s := newScreen(Config{Out: &out, Live: live, Width: 8})
		s.printf("intro\n")
		s.set("one")
		s.printf("card %d\n", 1)
		s.set("two, and far too long ░")
		s.clear()
		s.printf("end\n")
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("live %v (-want +got):\n%s", live, diff)
		}
	}
	const erase = "\r\x1b[K"
	f(true, "intro\none"+erase+"card 1\none"+erase+"two, an"+erase+"end\n")
	f(false, "intro\none\ncard 1\ntwo, and far too long ░\nend\n")
}

// Paragraphs fit the screen, and words stay whole.
func TestSay(t *testing.T) {
	f := func(width int, text, want string) {
		t.Helper()
		var out strings.Builder
		newScreen(Config{Out: &out, Width: width}).say("%s", text)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", width, diff)
		}
	}
	forty := strings.Repeat("x", 36) + " abc"
	f(40, forty+" d\n\nnext", forty+"\nd\n\nnext\n")
	f(8, forty+" d", forty+"\nd\n")
	f(0, forty+" "+forty+" d", forty+" "+forty[:36]+"\nabc d\n")
	f(400, strings.Repeat("é ", 61), strings.TrimSpace(strings.Repeat("é ", 60))+"\né\n")
	f(40, "/"+strings.Repeat("y", 60)+" is whole", "/"+strings.Repeat("y", 60)+"\nis whole\n")
}

func TestPlural(t *testing.T) {
	for n, want := range map[int64]string{0: "0 lines", 1: "1 line", 2: "2 lines"} {
		if got := plural(n, "line"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
