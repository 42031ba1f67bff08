package privacy

import (
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
