package alerting_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
)

func TestClean(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := alerting.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain text, 顔 and 😀 and é", "plain text, 顔 and 😀 and é")
	f("a\nb\r\tc\u00a0d\u2003e", "a b  c d e")
	f("\x1b[31m\x00\x7f\u0085", `\x1b[31m\x00\x7f\x85`)
	f("\u202eexe.\u2066\u200b\u200d\ufeff\u00ad", `\u202eexe.\u2066\u200b\u200d\ufeff\xad`)
	f("\u2028\u2029", `\u2028\u2029`)
	f("\u3164\u2800\ufe0f\U000e0041\U000e0100", `\u3164\u2800\ufe0f\U000e0041\U000e0100`)
	f("z"+strings.Repeat("\u0301", 5)+"z", "z\u0301\u0301\u0301"+`\u0301\u0301z`)
	f("\xff\xfea", "\ufffd\ufffda")
}

func FuzzClean(f *testing.F) {
	f.Add(alertingtest.Markup())
	f.Fuzz(func(t *testing.T, s string) {
		got := alerting.Clean(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q has %U", got, r)
			}
		}
		if again := alerting.Clean(got); again != got {
			t.Fatalf("cleaning %q again gives %q", got, again)
		}
		if len(got) > 10*len(s) {
			t.Fatalf("%d bytes of %d", len(got), len(s))
		}
	})
}
