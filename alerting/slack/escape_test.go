package slack

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/liveward/liveward/alerting/alertingtest"
)

func TestEscape(t *testing.T) {
	f := func(at place, in string, limit int, want string) {
		t.Helper()
		if got := escape(in, at, limit); got != want {
			t.Errorf("escape(%q, %d, %d) = %q, want %q", in, at, limit, got, want)
		}
	}
	f(plain, "a & b <c>", 99, "a &amp; b &lt;c&gt;")
	f(plain, "<!channel> <@U1> <#C1>", 99, "&lt;!channel&gt; &lt;@U1&gt; &lt;#C1&gt;")
	f(plain, "<https://evil.example|safe>", 99, "&lt;hxxps[:]//evil.example|safe&gt;")
	f(code, "see HTTP://evil.example/x", 99, "see hxxP[:]//evil.example/x")
	f(code, "www.evil.example ftp://x mailto:a@b", 99, "www[.]evil.example ftp[:]//x mailto[:]a@b")
	f(code, "a`b```c", 99, "aˋbˋˋˋc")
	f(code, "snake_case *as is*", 99, "snake_case *as is*")
	f(prose, "*b* _i_ ~s~ `c` unknown_key", 99, "∗b∗ ˍiˍ ∼s∼ ˋcˋ unknown_key")
	f(prose, ":bomb: at 10:02:11 from 2001:db8:0:1::5", 99, "∶bomb: at 10:02:11 from 2001:db8:0:1::5")
	f(plain, "a\u202eb\u200bc\x00d\ne\xff", 99, `a\u202eb\u200bc\x00d e`+"\ufffd")
	f(plain, "&&&", 15, "&amp;&amp;&amp;")
	f(plain, "&&&", 14, "&amp;&amp;…")
	f(plain, "&&&", 5, "…")
	f(plain, "&&&", 1, "…")
	f(plain, "&&&", 0, "")
	f(plain, "abcdef", 6, "abcdef")
	f(plain, "abcdef", 5, "abcd…")
	f(plain, "😀😀", 4, "😀😀")
	f(plain, "😀😀", 3, "😀…")
	f(plain, "", 5, "")
}

var entities = regexp.MustCompile(`&(amp|lt|gt);`)

func FuzzEscape(f *testing.F) {
	f.Add(alertingtest.Markup(), 30)
	f.Add(strings.Repeat("&<>", 50), 7)
	f.Add("http://www.http://www.x", 12)
	f.Add(":a_b: `*_~", 5)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 5000)
		for _, at := range []place{plain, prose, code} {
			got := escape(s, at, limit)
			if width(got) > limit {
				t.Fatalf("%q is longer than %d", got, limit)
			}
			if !utf8.ValidString(got) {
				t.Fatalf("%q is not UTF-8", got)
			}
			if rest := entities.ReplaceAllString(got, ""); strings.ContainsAny(rest, "&<>") {
				t.Fatalf("%q: not escaped, or an entity is cut", got)
			}
			if lower := strings.ToLower(got); strings.Contains(lower, "http://") || strings.Contains(lower, "https://") {
				t.Fatalf("%q can be followed", got)
			}
			if at != plain && strings.Contains(got, "`") {
				t.Fatalf("%q ends its code", got)
			}
			if at == prose && strings.ContainsAny(got, "*~") {
				t.Fatalf("%q has marks", got)
			}
			for _, r := range got {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q has %U", got, r)
				}
			}
			whole := escape(s, at, 1<<30)
			if body, short := strings.CutSuffix(got, cut); got != whole && (!short && got != "" || !strings.HasPrefix(whole, body)) {
				t.Fatalf("%q is not a beginning of %q", got, whole)
			}
		}
	})
}
