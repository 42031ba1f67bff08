package slack

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/liveward/liveward/alerting"
)

// Standing is what Slack says of the bot and of its channel.
type Standing struct {
	Bot, Team string // empty for a webhook
	Channel   string // the channel's name, where Slack has told that the bot may post there
	Unsure    string // else why it has not
}

// channelID is how Slack names channels to itself. It tells of a channel by that alone.
var channelID = regexp.MustCompile(`^[CDG][A-Z0-9]{6,20}$`)

// Check asks Slack whether the token is good and whether the bot may post in the channel, and sends no
// message. An error says that it may not, or that Slack was not reached.
func (n *Notifier) Check(ctx context.Context) (Standing, error) {
	if n.api == nil {
		return Standing{Unsure: "an incoming webhook cannot be asked without posting: that it works shows with the first message"}, nil
	}
	auth, err := n.api.AuthTestContext(ctx)
	if err != nil {
		return Standing{}, n.translate(ctx, "auth.test", err)
	}
	s := Standing{Bot: told(auth.User), Team: told(auth.Team)}
	scopes := scopesOf(auth.Header.Get("X-OAuth-Scopes"))
	if len(scopes) > 0 && !slices.Contains(scopes, "chat:write") {
		return s, &Error{Call: "auth.test", Code: "missing_scope"}
	}
	if !channelID.MatchString(n.cfg.Channel) {
		s.Unsure = "Slack tells of a channel by its id alone: that the bot may post shows with the first message"
		return s, nil
	}
	channel, err := n.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: n.cfg.Channel})
	if err = n.translate(ctx, "conversations.info", err); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Code == "missing_scope" {
			s.Unsure = "without the scope channels:read (groups:read for a private channel), which liveward does without, it cannot be asked: that the bot may post shows with the first message"
			return s, nil
		}
		return s, err
	}
	visitor := !channel.IsPrivate && slices.Contains(scopes, "chat:write.public")
	switch {
	case channel.IsArchived:
		return s, &Error{Call: "conversations.info", Code: "is_archived"}
	case !channel.IsMember && !channel.IsIM && !visitor:
		return s, &Error{Call: "conversations.info", Code: "not_in_channel"}
	}
	s.Channel = told("#" + channel.Name)
	return s, nil
}

func scopesOf(header string) []string {
	return strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' })
}

// told is a name that Slack told, fit for a terminal.
func told(s string) string { return first(alerting.Clean(s), 80) }
