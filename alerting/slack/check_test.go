package slack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/liveward/liveward/alerting/slack"
	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/internal/secret"
)

// Slack is asked as far as it tells without a message, and what it does not tell is not guessed.
func TestCheck(t *testing.T) {
	f := func(name, channel, want string, o slackfake.Options, answers ...slackfake.Answer) {
		t.Helper()
		server := slackfake.New(o)
		defer server.Close()
		server.Script(answers...)
		n, err := slack.New(slack.Config{Token: secret.New(slackfake.DefaultToken), Channel: channel, BaseURL: server.BaseURL()}, newClock().deps())
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Check(t.Context())
		got := fmt.Sprintf("%s in %s: posts in %s", s.Bot, s.Team, s.Channel)
		switch {
		case err != nil:
			got = err.Error()
		case s.Unsure != "":
			got = "unsure: " + s.Unsure
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if len(server.Messages()) > 0 {
			t.Errorf("%s: Check has posted", name)
		}
	}
	both := []string{"chat:write", "channels:read"}
	const id, other = slackfake.DefaultChannel, "C0OTHERONE"
	f("all well", id, "liveward in Fake: posts in #alerts", slackfake.Options{Scopes: both})
	f("a name", "#alerts", "unsure: Slack tells of a channel by its id alone", slackfake.Options{Scopes: both})
	f("few scopes", id, "unsure: without the scope channels:read", slackfake.Options{})
	f("too few", id, "slack auth.test: missing_scope (the bot needs the scope chat:write)", slackfake.Options{Scopes: []string{"channels:read"}})
	f("no such channel", other, "slack conversations.info: channel_not_found (check the channel", slackfake.Options{Scopes: both})
	f("not invited", other, "slack conversations.info: not_in_channel (invite the bot", slackfake.Options{Scopes: both, Outside: []string{other}})
	f("need not be", other, "liveward in Fake: posts in #", slackfake.Options{Scopes: append(both, "chat:write.public"), Outside: []string{other}})
	f("archived", id, "slack conversations.info: is_archived (the channel is archived)", slackfake.Options{Scopes: both, Archived: []string{id}})
	f("wrong token", id, "slack auth.test: invalid_auth (check the bot token)", slackfake.Options{Token: "xoxb-other"})
	f("limited", id, "slack auth.test: rate_limited", slackfake.Options{}, slackfake.Answer{Status: 429, RetryAfter: "3"})

	server := slackfake.New(slackfake.Options{})
	defer server.Close()
	s, err := hook(t, server, newClock()).Check(t.Context())
	if err != nil || !strings.HasPrefix(s.Unsure, "an incoming webhook cannot be asked") || server.Requests() > 0 {
		t.Errorf("webhook: %+v, %v, %d requests", s, err, server.Requests())
	}
}
