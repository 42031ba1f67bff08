package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/liveward/liveward/alerting"
)

// Error is what Slack, or the way to it, answered. It holds neither token nor webhook address, and
// no text of a message.
type Error struct {
	Call   string // chat.postMessage, chat.update, auth.test, conversations.info or webhook
	Status int    // HTTP status; 0 where there was none
	Code   string // Slack's word for it, such as channel_not_found
	Detail string // what happened on the way, where there was no answer

	after time.Duration
	cause error // context.Canceled, context.DeadlineExceeded or nil
}

// Error implements error.
func (e *Error) Error() string {
	s := "slack " + e.Call
	switch {
	case e.Code != "":
		s += ": " + e.Code
	case e.Status != 0:
		s += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if h := hint(e.Code); h != "" {
		s += " (" + h + ")"
	}
	return s
}

// Unwrap returns the context's error, if that ended the call.
func (e *Error) Unwrap() error { return e.cause }

// RetryAfter is how long Slack asked to wait; 0 where it did not.
func (e *Error) RetryAfter() time.Duration { return e.after }

// hint says what to do about what Slack answers to a wrong configuration.
func hint(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "check the bot token"
	case "channel_not_found":
		return "check the channel, and invite the bot where it is private"
	case "not_in_channel":
		return "invite the bot to the channel"
	case "missing_scope":
		return "the bot needs the scope chat:write"
	case "is_archived":
		return "the channel is archived"
	}
	return ""
}

var slackWord = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// translate makes an Error of what the client returned, whose own texts may hold the webhook's
// address or parts of the message.
func (n *Notifier) translate(ctx context.Context, call string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Call: call}
	var (
		limited *slack.RateLimitedError
		status  slack.StatusCodeError
		answer  slack.SlackErrorResponse
		web     *url.Error
		timeout net.Error
	)
	switch {
	case errors.As(err, &limited):
		e.Status, e.Code = http.StatusTooManyRequests, "rate_limited"
		e.after = max(limited.RetryAfter, time.Second)
	case errors.As(err, &status):
		e.Status = status.Code
	case errors.As(err, &answer):
		e.Code = "unknown_error"
		if slackWord.MatchString(answer.Err) {
			e.Code = answer.Err
		}
		if e.Code == "ratelimited" || e.Code == "rate_limited" {
			e.after = 30 * time.Second
		}
	case ctx.Err() != nil:
		e.cause, e.Detail = ctx.Err(), ctx.Err().Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.cause, e.Detail = context.DeadlineExceeded, "no answer in time"
	case errors.As(err, &web):
		e.Detail = n.redact(web.Err.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Detail = "the answer breaks off"
	default:
		e.Detail = "the answer is not one of Slack's"
	}
	return e
}

// redact takes secrets out of a text of the network, whatever they do there.
func (n *Notifier) redact(s string) string {
	for _, secret := range []string{n.cfg.Token.Reveal(), n.cfg.Webhook.Reveal()} {
		if secret == "" {
			continue
		}
		s = strings.ReplaceAll(s, secret, "***")
		if u, err := url.Parse(secret); err == nil && len(u.Path) > 1 {
			s = strings.ReplaceAll(s, u.Path, "***")
		}
	}
	s = alerting.Clean(s)
	return s[:min(len(s), 200)]
}
