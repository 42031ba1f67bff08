package pipeline_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
)

const (
	// fiveInAMinute is the rule of most cases.
	fiveInAMinute = `
when: http.response.status_code == 401
by: [client.ip]
window: 60s
threshold: 5
suppress: 60s`

	fivePerUser = `
when: http.response.status_code == 401
by: [user.id]
window: 60s
threshold: 5
suppress: 60s`

	fourUsers = `
when: http.response.status_code == 401
by: [client.ip]
window: 60s
distinct: {of: user.id, at_least: 4}
suppress: 60s`
)

// windowCases are 1 to 24: what a window holds, what time it goes by, what restarts and deliveries again do
// to it, whom suppression is about, what a key is, and what a different value.
func windowCases() []publishedCase {
	return []publishedCase{
		{number: 1, says: "an event exactly as old as the window is out", streams: []stream{
			{rule: fiveInAMinute, events: "0 15 30 45 60", alerts: ""},
		}},
		{number: 2, says: "one a millisecond younger is in", streams: []stream{
			{rule: fiveInAMinute, events: "0 15 30 45 59.999", alerts: "@59.999"},
		}},
		{number: 3, says: "events of one instant count one by one", streams: []stream{
			{rule: fiveInAMinute, events: "7 7 7 7 7", alerts: "@7"},
		}},
		{number: 4, says: "windows slide: there are no buckets whose edge a burst could straddle", streams: []stream{
			{rule: fiveInAMinute, events: "55 57 59 61 63", alerts: "@63"},
		}},
		{number: 5, says: "a burst is one alert, and says how many more there were", streams: []stream{
			{rule: fiveInAMinute, events: "0..9", alerts: "@4", counts: "suppressed=5"},
		}},
		{number: 6, says: "suppression is fixed: what it holds back does not prolong it", streams: []stream{
			{rule: fiveInAMinute, events: "0..149", alerts: "@4 suppressed=0 @64 suppressed=59 @124 suppressed=59", show: "suppressed"},
		}},
		{number: 7, says: "suppression ends inclusively, sixty seconds after the alert", streams: []stream{
			{rule: fiveInAMinute, events: "0..4 60..64", alerts: "@4 suppressed=0 @64 suppressed=4", show: "suppressed"},
		}},
		{number: 8, says: "events that come out of order within the lateness are put in order", streams: []stream{
			{rule: fiveInAMinute, events: "10 12 11 9 13", alerts: "@13"},
		}},
		{number: 9, says: "later ones are counted as late, and not used", streams: []stream{
			{rule: fiveInAMinute, events: "10 11 12 100 13 14", alerts: "", counts: "late=2"},
		}},
		{number: 10, says: "a newer event hides no burst within the lateness", streams: []stream{
			{rule: fiveInAMinute, lateness: 75 * time.Second, events: "90 20 30 40 50 60", alerts: "@60"},
		}},
		{number: 11, says: "an event of the future counts when it was read, and hurries nobody", streams: []stream{
			{rule: fiveInAMinute, events: "500~9 10 11 12 13 14", alerts: "@13", counts: "skewed=1"},
		}},
		{number: 12, says: "an event that is delivered twice counts once", streams: []stream{
			{rule: fiveInAMinute, events: "0#a 1#b 1#b 2#c 2#c 3#d", alerts: "", counts: "duplicates=2"},
		}},
		{number: 13, says: "killed before it was stored, and delivered again: each counts once", streams: []stream{
			{name: "killed", rule: fiveInAMinute, events: "0#a save 1#b 2#c kill 1#b 2#c 3#d 4#e", alerts: "@4"},
			{name: "not killed", rule: fiveInAMinute, events: "0#a 1#b 2#c 1#b 2#c 3#d 4#e", alerts: "@4", counts: "duplicates=2"},
		}},
		{number: 14, says: "a burst spans a restart", streams: []stream{
			{rule: fiveInAMinute, events: "0 1 2 restart 3 4", alerts: "@4"},
		}},
		{number: 15, says: "killed between alert and commit: the alert is computed again, and is the same", streams: []stream{
			{rule: fiveInAMinute, events: "save 0#a 1#b 2#c 3#d 4#e clock=30 kill 0#a 1#b 2#c 3#d 4#e clock=30", alerts: "@4", counts: "again=1"},
		}},
		{number: 16, says: "killed before Slack has answered: one document, at most two posts, the same id", run: caseKilledBeforeTheAnswer},
		{number: 17, says: "suppression survives a restart", streams: []stream{
			{rule: fiveInAMinute, events: "0..4 restart 10..14", alerts: "@4"},
		}},
		{number: 18, says: "keys do not hide each other", streams: []stream{
			{
				rule:   fiveInAMinute,
				events: "0/10.0.0.1 0/10.0.0.2 1/10.0.0.1 1/10.0.0.2 2/10.0.0.1 2/10.0.0.2 3/10.0.0.1 3/10.0.0.2 4/10.0.0.1 4/10.0.0.2",
				alerts: "@4 client.ip=10.0.0.1 @4 client.ip=10.0.0.2",
				show:   "client.ip",
			},
		}},
		{number: 19, says: "events without a key are counted, and are no key together", streams: []stream{
			{rule: fiveInAMinute, events: "0/- 1/- 2/- 3/- 4/-", alerts: "", counts: "no_key=5"},
		}},
		{number: 20, says: "an address has one form", streams: []stream{
			{rule: fiveInAMinute, show: "client.ip", events: "0/1.2.3.4 1/1.2.3.4 2/1.2.3.4 3/::ffff:1.2.3.4 4/::ffff:1.2.3.4", alerts: "@4 client.ip=1.2.3.4"},
		}},
		{number: 21, says: "case matters", streams: []stream{
			{rule: fivePerUser, events: "0=Bob 1=Bob 2=Bob 3=bob 4=bob", alerts: ""},
			{name: "of one", rule: fivePerUser, events: "0=Bob 1=Bob 2=Bob 3=Bob 4=Bob", alerts: "@4"},
		}},
		{number: 22, says: "a different value expires", streams: []stream{
			{rule: fourUsers, events: "0=a 10=b 20=c 61=d", alerts: ""},
		}},
		{number: 23, says: "unless it is seen again", streams: []stream{
			{rule: fourUsers, events: "0=a 10=b 20=c 50=a 61=d", alerts: "@61"},
		}},
		{number: 24, says: "no value is no value", streams: []stream{
			{rule: fourUsers, events: "0=a 1=b 2=c 3", alerts: "", counts: "no_key=1"},
		}},
	}
}

// caseKilledBeforeTheAnswer: what is to be told is stored before anybody is told. An agent that is killed
// while Slack is being told cannot know whether it was, and tells again: of the same incident and alert, which
// is the same document in a store.
func caseKilledBeforeTheAnswer(t *testing.T) {
	alert := alertingtest.Alert("t.case", "203.0.113.7", 4, event.High)
	store := alertingtest.NewStore()
	posts := new(alertingtest.Recorder)
	start := func() *alerting.Manager {
		return alerting.New(alerting.Config{}, store, map[string]alerting.Notifier{"slack": posts}, alerting.Deps{})
	}
	now := alertingtest.Base()
	first := start()
	if err := first.Handle(t.Context(), now, []*event.Alert{alert}); err != nil {
		t.Fatal(err)
	}
	store.Faults = func(string, string) alertingtest.Fault { return alertingtest.Lost } // killed: no answer is stored
	_ = first.Flush(context.Background(), now)
	store.Faults = nil

	second := start()
	for range 2 { // the journal's cursor may not have passed the alert
		if err := second.Handle(t.Context(), now, []*event.Alert{alert}); err != nil {
			t.Fatal(err)
		}
		if err := second.Flush(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	told := posts.Notes()
	if len(told) != 2 {
		t.Fatalf("%d posts, want the one without an answer, and one more", len(told))
	}
	if a, b := told[0], told[1]; a.Incident.ID != b.Incident.ID || a.Alert.ID != alert.ID || b.Alert.ID != alert.ID {
		t.Errorf("the posts are of incidents %s and %s, alerts %s and %s", a.Incident.ID, b.Incident.ID, a.Alert.ID, b.Alert.ID)
	}
	if diff := cmp.Diff(string(told[0].Alert.AppendJSON(nil)), string(told[1].Alert.AppendJSON(nil))); diff != "" {
		t.Errorf("the document differs:\n%s", diff)
	}
}
