package slack_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/alerting/slack"
	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
	"github.com/liveward/liveward/internal/secret"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// clock is a time that moves only by being slept on.
type clock struct {
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: alertingtest.Base()} }

func (c *clock) deps() slack.Deps {
	return slack.Deps{
		Now: func() time.Time { return c.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.slept = append(c.slept, d)
			c.now = c.now.Add(d)
			return ctx.Err()
		},
	}
}

func fake(t *testing.T, c *clock) *slackfake.Server {
	t.Helper()
	server := slackfake.New(slackfake.Options{HideAboveRate: true, Now: func() time.Time { return c.now }})
	t.Cleanup(func() {
		server.Close()
		for _, v := range server.Violations() {
			t.Errorf("sent to Slack what must not be: %s", v)
		}
	})
	return server
}

func bot(t *testing.T, server *slackfake.Server, c *clock) *slack.Notifier {
	t.Helper()
	n, err := slack.New(slack.Config{
		Token: secret.New(slackfake.DefaultToken), Channel: "#alerts", BaseURL: server.BaseURL(),
	}, c.deps())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func hook(t *testing.T, server *slackfake.Server, c *clock) *slack.Notifier {
	t.Helper()
	n, err := slack.New(slack.Config{Webhook: secret.New(server.WebhookURL())}, c.deps())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContract(t *testing.T) {
	for name, make := range map[string]func(*testing.T, *slackfake.Server, *clock) *slack.Notifier{"bot": bot, "webhook": hook} {
		t.Run(name, func(t *testing.T) {
			alertingtest.Contract(t, func(t *testing.T) alerting.Notifier {
				c := newClock()
				server := fake(t, c)
				t.Cleanup(func() {
					for _, m := range server.Messages() {
						if m.Hidden {
							t.Error("a message came too fast: Slack hides it")
						}
						if len(m.Blocks) == 0 {
							t.Error("a message has no blocks: Slack refused them")
						}
					}
				})
				return make(t, server, c)
			})
		})
	}
}

const (
	canaryToken = "xoxb-canary-0001"
	canaryHook  = "hookcanary0002"
)

func makers() map[string]alertingtest.MakeHTTP {
	build := func(t *testing.T, cfg slack.Config, log *slog.Logger) alerting.Notifier {
		t.Helper()
		deps := newClock().deps()
		deps.Log = log
		cfg.Timeout = time.Minute // what hangs is given up by the context of who asks
		n, err := slack.New(cfg, deps)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return map[string]alertingtest.MakeHTTP{
		"bot": func(t *testing.T, url string, log *slog.Logger) alerting.Notifier {
			return build(t, slack.Config{Token: secret.New(canaryToken), Channel: "C1", BaseURL: url}, log)
		},
		"webhook": func(t *testing.T, url string, log *slog.Logger) alerting.Notifier {
			return build(t, slack.Config{Webhook: secret.New(url + "services/T1/B1/" + canaryHook)}, log)
		},
	}
}

func TestStatuses(t *testing.T) {
	for name, make := range makers() {
		t.Run(name, func(t *testing.T) { alertingtest.RetryStatuses(t, make) })
	}
}

func TestLeaksNoSecret(t *testing.T) {
	for name, make := range makers() {
		t.Run(name, func(t *testing.T) {
			secrets := []string{canaryToken, canaryHook}
			if name == "webhook" {
				// The answer of a webhook that is a success has no content to fail for.
				make = failOnSuccess(make)
			}
			alertingtest.AssertNotifyLeaksNoSecret(t, secrets, make)
		})
	}
}

// failOnSuccess lets the cases pass in which the server says 200: for a webhook that is delivered.
func failOnSuccess(make alertingtest.MakeHTTP) alertingtest.MakeHTTP {
	return func(t *testing.T, url string, log *slog.Logger) alerting.Notifier {
		if name := t.Name(); strings.HasSuffix(name, "success_that_is_none") || strings.HasSuffix(name, "not_json") {
			t.Skip("a webhook's 200 is a delivery, whatever its body says")
		}
		return make(t, url, log)
	}
}

func TestMessage(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n := bot(t, server, c)
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("lw.auth.burst-per-ip", "203.0.113.7", 0, event.High))
	receipt, err := n.Notify(t.Context(), note)
	if err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	if receipt["ts"] != m.TS || receipt["channel"] != slackfake.DefaultChannel {
		t.Errorf("receipt %v does not name message %s", receipt, m.TS)
	}
	if want := "🟠 HIGH · Burst of refused API keys from 203.0.113.7"; m.Header() != want {
		t.Errorf("header %q, want %q", m.Header(), want)
	}
	shown := m.Shown()
	for _, want := range []string{
		"212 refused calls in 5m from 203.0.113.7 (threshold 20). Since 2026-01-01 09:57:08 UTC, last seen 10:02:00 UTC (4m52s).",
		"*Tenant*\n`banka`", "*client.ip*\n`203.0.113.7`", "`unknown_key, revoked`",
		"*First seen*\n`2026-01-01 09:57:08 UTC`",
		"10:02:01  POST  /v1/liveness/check  401  unknown_key  203.0.113.7",
		"*Do first:* Open the query and see whether",
		"*Tell:* the data protection officer within 72h (GDPR 33)",
		"rule lw.auth.burst-per-ip v3", "alert " + note.Alert.ID.String(), "incident " + note.Incident.ID.String(),
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("message lacks %q:\n%s", want, shown)
		}
	}
	buttons := m.Buttons()
	if buttons["Open playbook"] != note.Links.Playbook || buttons["Open in Kibana"] != note.Links.Discover {
		t.Errorf("buttons %v", buttons)
	}
	if !strings.HasPrefix(m.Text, "🟠 HIGH: Burst of refused API keys") {
		t.Errorf("fallback text %q", m.Text)
	}
}

func TestBotEditsAndAnswersInTheThread(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n := bot(t, server, c)
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Medium))
	tell := func(reason alerting.Reason) {
		t.Helper()
		note.Reason = reason
		receipt, err := n.Notify(t.Context(), note)
		if err != nil {
			t.Fatal(err)
		}
		note.Receipt = receipt
	}
	tell(alerting.Opened)
	note.FollowUp = false
	tell(alerting.Updated)
	note.Incident.Severity = event.Critical
	tell(alerting.Escalated)
	note.Incident.Resolved = note.Incident.LastEvent + 1
	tell(alerting.Resolved)

	first := server.Messages()[0]
	if first.Edits != 3 || !strings.HasPrefix(first.Header(), "✅ RESOLVED") {
		t.Errorf("first message: %d edits, header %q", first.Edits, first.Header())
	}
	thread := server.Thread(first.TS)
	var got []string
	for _, m := range thread {
		line, _, _ := strings.Cut(m.Shown(), " · ")
		if m.Broadcast {
			line += " (in the channel)"
		}
		got = append(got, line)
	}
	want := "🟡 *Still going on*|🔴 *Escalated to CRITICAL* (in the channel)|✅ *Resolved*"
	if strings.Join(got, "|") != want {
		t.Errorf("thread %q, want %q", got, want)
	}
}

func TestBotPostsAnewWhereTheMessageIsGone(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n := bot(t, server, c)
	note := alertingtest.Notification(alerting.Updated, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Low))
	note.Receipt = alerting.Receipt{"channel": slackfake.DefaultChannel, "ts": "1.000001"}
	receipt, err := n.Notify(t.Context(), note)
	if err != nil {
		t.Fatal(err)
	}
	if got := server.Channel(); len(got) != 1 || receipt["ts"] != got[0].TS {
		t.Errorf("receipt %v, channel %v", receipt, got)
	}
}

func TestWebhookFollowsUp(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n := hook(t, server, c)
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Medium))
	var got []int
	tell := func(reason alerting.Reason, followUp bool) {
		t.Helper()
		note.Reason, note.FollowUp = reason, followUp
		receipt, err := n.Notify(t.Context(), note)
		if err != nil {
			t.Fatal(err)
		}
		note.Receipt = receipt
		got = append(got, len(server.Messages()))
	}
	tell(alerting.Opened, true)
	tell(alerting.Updated, false) // cannot edit, and must not repeat
	tell(alerting.Updated, true)
	tell(alerting.Escalated, true)
	tell(alerting.Resolved, true)
	if want := []int{1, 1, 2, 3, 4}; !equal(got, want) {
		t.Errorf("messages after each notification: %v, want %v", got, want)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSpacesMessages(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n := bot(t, server, c)
	for i := range 5 {
		note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", i, event.Low))
		if _, err := n.Notify(t.Context(), note); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(server.Channel()); got != 5 {
		t.Errorf("%d of 5 messages are seen", got)
	}
	if len(c.slept) != 4 || c.slept[0] != time.Second {
		t.Errorf("slept %v, want a second before each but the first", c.slept)
	}
}

func TestRateLimitComesOutOfTheError(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	for name, n := range map[string]alerting.Notifier{"bot": bot(t, server, c), "webhook": hook(t, server, c)} {
		server.Script(slackfake.Answer{Status: 429, RetryAfter: "30"})
		note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Low))
		_, err := n.Notify(t.Context(), note)
		if after, ok := alerting.RetryAfter(err); !ok || after != 30*time.Second {
			t.Errorf("%s: RetryAfter of %v is %v, %v", name, err, after, ok)
		}
		if _, err := n.Notify(t.Context(), note); err != nil {
			t.Errorf("%s: second attempt: %v", name, err)
		}
	}
}

func TestRefusedBlocksFallBackToText(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Low))
	server.Script(slackfake.Answer{Error: "invalid_blocks"})
	if _, err := bot(t, server, c).Notify(t.Context(), note); err != nil {
		t.Error(err)
	}
	server.Script(slackfake.Answer{Status: 400, Body: "invalid_blocks"})
	if _, err := hook(t, server, c).Notify(t.Context(), note); err != nil {
		t.Error(err)
	}
	for _, m := range server.Messages() {
		if len(m.Blocks) != 0 || !strings.Contains(m.Shown(), "Burst of refused API keys") {
			t.Errorf("message %+v", m)
		}
	}
	if got := len(server.Messages()); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

func TestSlacksOwnErrors(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	n, err := slack.New(slack.Config{Token: secret.New("xoxb-wrong"), Channel: "#alerts", BaseURL: server.BaseURL()}, c.deps())
	if err != nil {
		t.Fatal(err)
	}
	note := alertingtest.Notification(alerting.Opened, alertingtest.Alert("r.x", "203.0.113.7", 0, event.Low))
	_, err = n.Notify(t.Context(), note)
	var e *slack.Error
	if !errors.As(err, &e) || e.Code != "invalid_auth" || !strings.Contains(err.Error(), "check the bot token") {
		t.Errorf("wrong token: %v", err)
	}
	if _, err := n.Check(t.Context()); !errors.As(err, &e) || e.Call != "auth.test" {
		t.Errorf("Check with a wrong token: %v", err)
	}
	if _, err := bot(t, server, c).Check(t.Context()); err != nil {
		t.Errorf("Check with the right token: %v", err)
	}
	server.Script(slackfake.Answer{Status: 200, Body: `{"ok":false}`}, slackfake.Answer{Status: 200, Body: `{}`})
	for range 2 {
		if _, err := bot(t, server, c).Notify(t.Context(), note); err == nil {
			t.Error("an answer without a message id counts as delivered")
		}
	}
}

func TestDigest(t *testing.T) {
	c := newClock()
	server := fake(t, c)
	var d alerting.Digest
	for i := range 40 {
		severity := event.High
		if i > 0 {
			severity = event.Low
		}
		d.Incidents = append(d.Incidents, alertingtest.Notification(alerting.Opened,
			alertingtest.Alert("r.x", "203.0.113.7", i, severity)).Incident)
	}
	for name, n := range map[string]*slack.Notifier{"bot": bot(t, server, c), "webhook": hook(t, server, c)} {
		before := len(server.Messages())
		receipt, err := n.Digest(t.Context(), d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := server.Messages()[before]
		if want := "🟠 40 more incidents opened at the same time: 1 high, 39 low"; m.Header() != want {
			t.Errorf("%s: header %q, want %q", name, m.Header(), want)
		}
		if !strings.Contains(m.Shown(), "and 25 more") {
			t.Errorf("%s: digest does not say how many it leaves out:\n%s", name, m.Shown())
		}
		// What the digest covers has no message of its own until it gets worse.
		note := alertingtest.Notification(alerting.Updated, alertingtest.Alert("r.x", "203.0.113.7", 0, event.High))
		note.Receipt = receipt
		if _, err := n.Notify(t.Context(), note); err != nil {
			t.Fatal(err)
		}
		if got := len(server.Messages()) - before; got != 1 {
			t.Errorf("%s: %d messages after an update, want the digest alone", name, got)
		}
		note.Reason = alerting.Escalated
		own, err := n.Notify(t.Context(), note)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(server.Messages()) - before; got != 2 || own["digest"] != "" {
			t.Errorf("%s: %d messages after escalation, receipt %v", name, got, own)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	now := time.Now // the clock is not read
	for name, cfg := range map[string]slack.Config{
		"nothing":                  {},
		"both":                     {Token: secret.New(canaryToken), Channel: "C1", Webhook: secret.New("https://hooks.slack.com/" + canaryHook)},
		"token without channel":    {Token: secret.New(canaryToken)},
		"webhook with channel":     {Webhook: secret.New("https://hooks.slack.com/" + canaryHook), Channel: "C1"},
		"webhook in clear text":    {Webhook: secret.New("http://hooks.slack.com/" + canaryHook)},
		"webhook that is none":     {Webhook: secret.New("hooks.slack.com/" + canaryHook + "%zz")},
		"webhook with a user":      {Webhook: secret.New("https://u:" + canaryHook + "@hooks.slack.com/x")},
		"base url in clear text":   {Token: secret.New(canaryToken), Channel: "C1", BaseURL: "http://slack.example/api/"},
		"base url of another kind": {Token: secret.New(canaryToken), Channel: "C1", BaseURL: "file:///api/"},
	} {
		_, err := slack.New(cfg, slack.Deps{Now: now})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), canaryToken) || strings.Contains(err.Error(), canaryHook) {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	if _, err := slack.New(slack.Config{Webhook: secret.New("https://hooks.slack.com/x")}, slack.Deps{}); err == nil {
		t.Error("no clock: no error")
	}
}
