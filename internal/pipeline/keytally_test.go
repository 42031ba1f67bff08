package pipeline

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// TallyKeys tells tests of the package's outside what a message of these events says of their keys.
func TallyKeys(h *journal.BatchHead, events ...*event.Event) {
	var t keyTally
	for _, ev := range events {
		t.see(ev)
	}
	t.tell(h)
}

func keyEvent(id, owner, auth string, at int64, skewed bool) *event.Event {
	ev := new(event.Event)
	ev.SetString(event.APIKeyID, id)
	ev.SetString(event.APIKeyOwner, owner)
	ev.SetString(event.GatewayAuth, auth)
	ev.SetTime(event.Timestamp, at)
	if skewed {
		ev.SetBool(event.LivewardSkewed, true)
	}
	return ev
}

func TestKeyTally(t *testing.T) {
	var tally keyTally
	for range 2 { // the second message as the first
		tally.reset()
		for _, ev := range []*event.Event{
			keyEvent("a", "", "refused", 7, false), keyEvent("a", "", "accepted", 5, false), keyEvent("a", "team", "absent", 9, true),
			keyEvent("", "team", "accepted", 1, false), keyEvent("b", "", "refused", 3, true),
		} {
			tally.see(ev)
		}
		var h journal.BatchHead
		tally.tell(&h)
		want := []journal.KeyTally{{ID: "a", Owner: "team", First: 5, Last: 7, Calls: 3, Accepted: 1, Refused: 1}, {ID: "b", Calls: 1, Refused: 1}}
		if d := cmp.Diff(want, h.Keys); d != "" || h.MoreKeys != 0 {
			t.Errorf("more %d (-want +got):\n%s", h.MoreKeys, d)
		}
	}
}

// Whoever tries keys takes no room from those that are accepted.
func TestKeyTallyBounds(t *testing.T) {
	var tally keyTally
	for i := range 3 * talliedKeys {
		tally.see(keyEvent(fmt.Sprint("s", i), "", "refused", 1, false))
		tally.see(keyEvent(fmt.Sprint("k", i), "", "accepted", 1, false))
	}
	var h journal.BatchHead
	tally.tell(&h)
	if len(h.Keys) != talliedKeys+talliedStrangers || h.MoreKeys != int64(6*talliedKeys-len(h.Keys)) {
		t.Errorf("%d keys, %d more", len(h.Keys), h.MoreKeys)
	}
	ev := keyEvent("k1", "team", "accepted", 1, false)
	tally.see(ev)
	if n := testing.AllocsPerRun(100, func() { tally.see(ev) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkKeyTally(b *testing.B) {
	var tally keyTally
	events := make([]*event.Event, 50)
	for i := range events {
		events[i] = keyEvent(event.HashStrings(fmt.Sprint(i)).String(), "team", "accepted", int64(i), false)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tally.see(events[i%len(events)])
	}
}
