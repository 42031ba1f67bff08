package privacy

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// The traits decide which detectors run: a trait that is too small lets something pass.
func TestSurvey(t *testing.T) {
	text := rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune("0123456789")), rapid.SampledFrom([]rune("aZf-_.+ ()@=:%&\\/~#{,\x00")), rapid.Rune(),
	))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "s")
		got := survey(s)
		digits, grouped, group, longest, run := int32(0), int32(0), int32(0), int32(0), int32(0)
		for i := range len(s) {
			switch c := s[i]; {
			case c >= '0' && c <= '9':
				digits++
				group++
			case strings.IndexByte(" -.()", c) < 0:
				group = 0
			}
			run++
			if class[s[i]]&isToken == 0 {
				run = 0
			}
			grouped, longest = max(grouped, group), max(longest, run)
		}
		if len(s) < minRun {
			longest = 0 // no detector asks
		}
		if digits < minGrouped || got.hexToken(len(s)) {
			grouped = 0
		}
		if got.digits != digits || got.grouped != grouped || got.longest != longest {
			t.Fatalf("%q: %d digits, %d grouped, longest %d; want %d, %d, %d", s, got.digits, got.grouped, got.longest, digits, grouped, longest)
		}
		if got.hides() != strings.ContainsAny(s, `%\&`) {
			t.Fatalf("%q: hides %v", s, got.hides())
		}
		for _, other := range []string{strings.ToUpper(s), strings.ToLower(s)} {
			// Letters whose cases have other bytes are no raw value of ours in another case.
			if len(other) == len(s) && isASCII(s) && lettersOf(other) != got.letters {
				t.Fatalf("%q and %q have other letters", s, other)
			}
		}
		if n := len(s); n > 0 {
			a := rapid.IntRange(0, n-1).Draw(t, "from")
			b := rapid.IntRange(a, n).Draw(t, "to")
			if lettersOf(s[a:b])&^got.letters != 0 {
				t.Fatalf("%q has letters that %q has not", s[a:b], s)
			}
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// What a flood pushes out of the cache is computed again, and is the same.
func TestPseudonymsUnderFlood(t *testing.T) {
	f := filter(t, false)
	w := f.Worker()
	var ev event.Event
	check := func(raw string) {
		ev.Reset()
		ev.SetString(event.UserID, raw)
		w.Apply(&ev)
		if got, want := ev.Str(event.UserID), f.Pseudonyms(event.UserID, raw)[0]; got != want {
			t.Fatalf("pseudonym of %s: %s, want %s", raw, got, want)
		}
	}
	for i := range 3 * cacheSizes[domainUser] {
		check("user-" + strconv.Itoa(i))
		check("regular")
		check("user-" + strconv.Itoa(i/2))
	}
}
