package pipeline

import (
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// FuzzSightingOf: what is read of a document is what its event held, whatever its texts are.
func FuzzSightingOf(f *testing.F) {
	f.Add("abc", "onboarding", "accepted", `x","api_key":{"id":"evil"`, int64(1767225600000000000), false)
	f.Add("abc", `q"\`, "refused", `"gateway":{"auth":"accepted"`, int64(1), true)
	f.Add("abc", "", "", `"skewed":true`, int64(0), false)
	f.Fuzz(func(t *testing.T, id, owner, auth, text string, at int64, skewed bool) {
		var ev event.Event
		if at > 0 && at < 1<<62 {
			ev.SetTime(event.Timestamp, at)
		}
		ev.SetString(event.AgentID, "a")
		ev.SetString(event.APIKeyID, event.HashStrings(id).String()) // a pseudonym
		ev.SetString(event.APIKeyOwner, owner)
		ev.Append(event.APIKeyScope, text)
		if auth == "accepted" || auth == "refused" {
			ev.SetString(event.GatewayAuth, auth)
		}
		ev.SetString(event.GatewayConsumer, text)
		ev.SetString(event.UserAgentOriginal, text)
		ev.SetLabel("api_key", text)
		ev.SetLabel("skewed", text)
		if skewed {
			ev.SetBool(event.LivewardSkewed, true)
		}
		doc := ev.AppendJSON(nil)
		var want event.Event
		if err := want.DecodeJSON(doc); err != nil {
			t.Skip() // a text that JSON cannot hold
		}
		if len(owner) > 256 || len(text) > 4096 {
			t.Skip()
		}
		s, ok := sightingOf(doc)
		when := want.Time(event.Timestamp)
		if skewed {
			when = 0
		}
		if !ok || string(s.id) != want.Str(event.APIKeyID) || string(s.owner) != want.Str(event.APIKeyOwner) || s.time != when ||
			s.accepted != (auth == "accepted") || s.refused != (auth == "refused") {
			t.Errorf("%s\n%+v", doc, s)
		}
		ev.Clear(event.APIKeyID)
		if s, ok := sightingOf(ev.AppendJSON(nil)); ok {
			t.Errorf("a key where none is: %s", s.id)
		}
	})
}

func BenchmarkSightingOf(b *testing.B) {
	var ev event.Event
	ev.SetTime(event.Timestamp, 1767225600000000000)
	ev.SetString(event.APIKeyID, event.HashStrings("k").String())
	ev.SetString(event.APIKeyOwner, "onboarding")
	ev.SetString(event.GatewayAuth, "accepted")
	ev.SetString(event.UserAgentOriginal, "okhttp/4.9.1")
	ev.SetString(event.URLPath, "/v1/liveness/check")
	doc := ev.AppendJSON(nil)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := sightingOf(doc); !ok {
			b.Fatal("no key")
		}
	}
}
