package slack_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/alerting/slack"
	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/internal/event"
)

// house is a manager that tells Slack, with a clock moved by hand.
type house struct {
	*alerting.Manager
	t      *testing.T
	c      *clock
	server *slackfake.Server
	store  *alertingtest.Store
	n      *slack.Notifier
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, c: newClock(), store: alertingtest.NewStore()}
	h.server = fake(t, h.c)
	h.n = bot(t, h.server, h.c)
	h.restart()
	return h
}

func (h *house) restart() {
	h.Manager = alerting.New(alerting.Config{}, h.store, map[string]alerting.Notifier{"slack": h.n}, alerting.Deps{
		Samples: func(context.Context, []event.Hash) []event.Document { return alertingtest.Samples(2) },
	})
}

func (h *house) step(pause time.Duration, alerts ...*event.Alert) {
	h.t.Helper()
	h.c.now = h.c.now.Add(pause)
	if err := h.Tick(h.t.Context(), h.c.now); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Handle(h.t.Context(), h.c.now, alerts); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Flush(h.t.Context(), h.c.now); err != nil {
		h.t.Logf("Flush: %v", err)
	}
}

func TestIncidentIsOneMessageThroughItsLife(t *testing.T) {
	h := newHouse(t)
	one := func(n int, s event.Severity) *event.Alert { return alertingtest.Alert("r.x", "203.0.113.7", n, s) }
	h.step(0, one(0, event.Medium))
	h.step(5*time.Minute, one(300, event.Medium))
	h.restart() // the message is found again
	h.step(5*time.Minute, one(600, event.Critical))
	h.step(2 * time.Hour)
	all := h.server.Messages()
	if len(all) != 4 {
		t.Fatalf("%d messages, want one and three answers", len(all))
	}
	first := all[0]
	if first.Edits != 3 || !strings.HasPrefix(first.Header(), "✅ RESOLVED") || !strings.Contains(first.Shown(), "3 alerts in 14m52s") {
		t.Errorf("message after %d edits:\n%s", first.Edits, first.Shown())
	}
	if got := h.server.Thread(first.TS); len(got) != 3 {
		t.Errorf("%d answers in the thread, want 3", len(got))
	}
	if got := h.server.Channel(); len(got) != 2 { // with the escalation, which is shown there too
		t.Errorf("%d messages in the channel, want 2", len(got))
	}
}

func TestLostAnswerRepeatsOneMessage(t *testing.T) {
	h := newHouse(t)
	h.server.Script(slackfake.Answer{Status: 502, Apply: true})
	h.step(0, alertingtest.Alert("r.x", "203.0.113.7", 0, event.High), alertingtest.Alert("r.y", "203.0.113.7", 0, event.Low))
	for range 5 {
		h.step(time.Minute)
	}
	if got := len(h.server.Messages()); got != 3 {
		t.Errorf("%d messages of two incidents, want 3: one answer was lost", got)
	}
}

func TestSlackIsDownForAnHour(t *testing.T) {
	h := newHouse(t)
	for range 500 {
		h.server.Script(slackfake.Answer{Status: 503})
	}
	h.step(0, alertingtest.Alert("r.x", "203.0.113.7", 0, event.High))
	for range 59 {
		h.step(time.Minute)
	}
	if got := h.server.Requests(); got > 30 {
		t.Errorf("%d requests in an hour: no backing off", got)
	}
	for range 500 - h.server.Requests() {
		h.n.Check(t.Context()) //nolint:errcheck // it takes a scripted answer away
	}
	for range 6 {
		h.step(time.Minute)
	}
	if got := h.server.Messages(); len(got) != 1 {
		t.Errorf("%d messages after the outage, want 1", len(got))
	}
}

func TestFloodIsADigest(t *testing.T) {
	h := newHouse(t)
	var alerts []*event.Alert
	for i := range 200 {
		alerts = append(alerts, alertingtest.Alert("r.x", fmt.Sprintf("198.51.100.%d", i), 0, event.Low))
	}
	h.step(0, alerts...)
	got := h.server.Channel()
	if len(got) != 11 {
		t.Fatalf("%d messages for 200 incidents, want a digest and 10", len(got))
	}
	if want := "🔵 190 more incidents opened at the same time: 190 low"; got[0].Header() != want {
		t.Errorf("digest %q, want %q", got[0].Header(), want)
	}
	if slept := len(h.c.slept); slept != 10 {
		t.Errorf("waited %d times between 11 messages", slept)
	}
}
