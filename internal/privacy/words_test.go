package privacy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// A caller chose a user agent of capitals and an underscore after "pk-test-", and the filter never came
// back. Whatever is asked of the functions that take words apart, they end.
func TestWordsEnd(t *testing.T) {
	w := filter(t, false).Worker()
	var ev event.Event
	for _, ua := range []string{"pk-test-AbcDef_ghIj", "pk-live-Ab_Cd_Ef_Gh", "sk-prod-aB_"} {
		ev.Reset()
		ev.SetString(event.UserAgentOriginal, ua)
		w.Apply(&ev)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		cased(s)
		word(s)
		wordy(s, 4)
		pronounceable(s)
		secretPrefix("pk-test-" + s)
		secretPrefix(s)
	})
}

// The beginning of a web token stood in a long line again and again, and all that follows was searched for
// a dot each time: minutes for a text of this length, which take no more than one look at it now.
func TestBeginningsOfTokens(t *testing.T) {
	for _, s := range []string{"eyj-", "eyj/", "Eyj~", "eyj-key-", "-----begin ", "token=", "cookie:"} {
		text := strings.Repeat(s, 4<<20/len(s))
		var sc scanner
		traits := survey(text)
		sc.text(text, &traits)
		if len(sc.sorted()) > len(text) {
			t.Error("more findings than bytes")
		}
	}
	for text, want := range map[string]bool{
		"eyjhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9aaaaaaaa.b":   true, // in lower case it needs its dot
		"eyjhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9aaaaaaaaaa":   false,
		"a.eyjhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9aaaaaaaaaa": false,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9":             true,
	} {
		var sc scanner
		traits := survey(text)
		sc.text(text, &traits)
		got := slices.ContainsFunc(sc.spans, func(s span) bool { return s.kind == kindJWT })
		if got != want {
			t.Errorf("%s: a web token %t, want %t", text, got, want)
		}
	}
}
