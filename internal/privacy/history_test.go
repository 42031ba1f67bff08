package privacy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// TestWorkerHasNoHistory: what becomes of an event does not depend on those before it, whatever a worker
// remembers. An agent that was restarted and a replay of the whole file must say the same.
func TestWorkerHasNoHistory(t *testing.T) {
	f, err := New(Config{Keys: []Key{DevelopmentKey()}})
	if err != nil {
		t.Fatal(err)
	}
	words := []string{
		"s-sfujrvaxfkjyd", "alice-smith77", "checkout", "4f9c2a10", "e7af39d5eecd4985f8280477f391cd1f", "budi", "v1", "results",
		"ec55e373-5ffa-415b-ad7a-70830f347f63", "4111111111111111", "sk_live_abcdefgh1234", "onb-mobile", "6281234567890",
	}
	strs := []event.ID{
		event.LivenessTransactionID, event.HTTPRequestID, event.ConsentID, event.GatewayConsumer, event.UserID,
		event.DeviceID, event.APIKeyID, event.GatewayRoute, event.GatewayReason, event.UserAgentOriginal, event.OrganizationID,
		event.LivenessModelVersion, event.APIKeyOwner, event.LogFilePath, event.URLQuery, event.HTTPRequestReferrer,
	}
	rapid.Check(t, func(t *rapid.T) {
		old := f.Worker()
		for range rapid.IntRange(2, 30).Draw(t, "events") {
			var fields []func(*event.Event)
			set := func(id event.ID, v string) {
				fields = append(fields, func(ev *event.Event) { ev.SetString(id, v) })
			}
			set(event.URLPath, "/v1/results/"+rapid.SampledFrom(words).Draw(t, "path"))
			set(event.LivenessSessionID, rapid.SampledFrom(words).Draw(t, "session"))
			for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(strs), 0, 5, rapid.ID).Draw(t, "fields") {
				set(id, strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 2).Draw(t, id.String()), rapid.SampledFrom([]string{" ", "=", "/", "-"}).Draw(t, "mark")))
			}
			if list := rapid.SliceOfN(rapid.SampledFrom(words), 0, 2).Draw(t, "flags"); len(list) > 0 {
				fields = append(fields, func(ev *event.Event) {
					for _, v := range list {
						ev.Append(event.GatewayFlags, v)
						ev.Append(event.Tags, v)
					}
				})
			}
			document := func(w *Worker) string {
				var ev event.Event
				for _, f := range fields {
					f(&ev)
				}
				w.Apply(&ev)
				return string(ev.AppendJSON(nil))
			}
			if diff := cmp.Diff(document(f.Worker()), document(old)); diff != "" {
				t.Fatalf("a new worker's and an old one's (-new +old):\n%s", diff)
			}
		}
	})
}
