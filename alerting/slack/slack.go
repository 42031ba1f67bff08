// Package slack tells people of incidents in Slack: one message for each incident, edited and
// answered in its thread by a bot token, or followed up by an incoming webhook, which can do neither.
//
// It never shows a text of the log unescaped, never waits for longer than its spacing of messages,
// and never tries again by itself: the manager of incidents does.
package slack

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/secret"
)

// DefaultBaseURL is Slack's Web API.
const DefaultBaseURL = "https://slack.com/api/"

// Config says how to reach Slack: by Token and Channel, or by Webhook.
type Config struct {
	Token   secret.String // bot token with the scope chat:write
	Channel string        // id or name of the channel; with Token only
	Webhook secret.String // address of an incoming webhook
	// BaseURL is the Web API's address; empty means DefaultBaseURL.
	BaseURL string
	// Interval is the shortest time between two messages; 0 means a second, which is what Slack
	// takes.
	Interval time.Duration
	// Timeout bounds one call; 0 means 10 seconds.
	Timeout time.Duration
}

// Deps are what a Notifier works with.
type Deps struct {
	Now func() time.Time // required
	// Sleep waits for d or until ctx is done; nil waits by a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Transport carries requests; nil means one of its own with TLS 1.2 or higher.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// Notifier implements alerting.Notifier and alerting.Digester.
type Notifier struct {
	cfg    Config
	client *http.Client
	api    *slack.Client // nil with a webhook
	limit  *limiter
	log    *slog.Logger
}

var (
	_ alerting.Notifier = (*Notifier)(nil)
	_ alerting.Digester = (*Notifier)(nil)
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// New makes a Notifier. It opens no connection. Its errors name no secret.
func New(cfg Config, deps Deps) (*Notifier, error) {
	var errs []error
	fail := func(text string) { errs = append(errs, errors.New("slack: "+text)) }
	switch {
	case deps.Now == nil:
		fail("no clock")
	case cfg.Token.IsZero() == cfg.Webhook.IsZero():
		fail("want either a bot token with a channel, or a webhook")
	case !cfg.Token.IsZero() && cfg.Channel == "":
		fail("a bot token needs a channel")
	case !cfg.Webhook.IsZero() && cfg.Channel != "":
		fail("a webhook has its own channel: leave channel out")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if !strings.HasSuffix(cfg.BaseURL, "/") {
		cfg.BaseURL += "/"
	}
	if !safeURL(cfg.BaseURL) {
		fail("base url must be https, or http on loopback")
	}
	if !cfg.Webhook.IsZero() && !safeURL(cfg.Webhook.Reveal()) {
		fail("webhook must be an https address, or http on loopback")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if deps.Sleep == nil {
		deps.Sleep = sleep
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Transport == nil {
		deps.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        2,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: cfg.Timeout,
		}
	}
	n := &Notifier{
		cfg:   cfg,
		limit: &limiter{every: cfg.Interval, now: deps.Now, sleep: deps.Sleep},
		log:   deps.Log.With("component", "slack"),
		client: &http.Client{
			Transport: bounded{deps.Transport},
			Timeout:   cfg.Timeout,
			// The token stands in the body: it must not be sent to wherever an answer points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if !cfg.Token.IsZero() {
		n.api = slack.New(cfg.Token.Reveal(), slack.OptionAPIURL(cfg.BaseURL), slack.OptionHTTPClient(n.client))
	}
	return n, nil
}

// String names the notifier without its secrets.
func (n *Notifier) String() string {
	if n.api == nil {
		return "slack webhook"
	}
	return "slack channel " + n.cfg.Channel
}

// Keys of a receipt.
const (
	receiptChannel = "channel" // id of the channel
	receiptTS      = "ts"      // Slack's id of the message
	receiptDigest  = "digest"  // the message is a digest: others share it
)

// Notify implements alerting.Notifier.
func (n *Notifier) Notify(ctx context.Context, note alerting.Notification) (alerting.Receipt, error) {
	if note.Receipt[receiptDigest] != "" && (note.Reason == alerting.Updated || note.Reason == alerting.Resolved) {
		// Its message is about many: only what is worse than what that said has a message of its own.
		return note.Receipt, nil
	}
	if n.api == nil {
		return n.viaWebhook(ctx, note)
	}
	return n.viaBot(ctx, note)
}

// Digest implements alerting.Digester.
func (n *Notifier) Digest(ctx context.Context, d alerting.Digest) (alerting.Receipt, error) {
	m := digest(d)
	if n.api == nil {
		if err := n.hook(ctx, m); err != nil {
			return nil, err
		}
		return alerting.Receipt{receiptDigest: "1"}, nil
	}
	receipt, err := n.post(ctx, m)
	if err != nil {
		return nil, err
	}
	receipt[receiptDigest] = "1"
	return receipt, nil
}

// viaBot posts the message the first time; then it edits it, so that the channel shows the state,
// and answers in its thread, so that the thread is the history. Escalation is shown in the channel
// too: an edit alone notifies nobody.
func (n *Notifier) viaBot(ctx context.Context, note alerting.Notification) (alerting.Receipt, error) {
	m := full(note)
	channel, ts := note.Receipt[receiptChannel], note.Receipt[receiptTS]
	if ts == "" || channel == "" || note.Receipt[receiptDigest] != "" {
		return n.post(ctx, m)
	}
	err := n.send(ctx, "chat.update", m, func(ctx context.Context, opts ...slack.MsgOption) error {
		_, got, _, err := n.api.UpdateMessageContext(ctx, channel, ts, opts...)
		return answered(got, err)
	})
	var e *Error
	if errors.As(err, &e) && gone(e.Code) {
		n.log.Info("message cannot be edited any more: posting a new one", "code", e.Code)
		return n.post(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	thread := []slack.MsgOption{slack.MsgOptionTS(ts)}
	if note.Reason == alerting.Escalated {
		thread = append(thread, slack.MsgOptionBroadcast())
	}
	err = n.send(ctx, "chat.postMessage", short(note), func(ctx context.Context, opts ...slack.MsgOption) error {
		_, got, err := n.api.PostMessageContext(ctx, channel, append(opts, thread...)...)
		return answered(got, err)
	})
	if err != nil {
		return nil, err
	}
	return alerting.Receipt{receiptChannel: channel, receiptTS: ts}, nil
}

// viaWebhook posts the message the first time and when it gets worse, and short ones later.
func (n *Notifier) viaWebhook(ctx context.Context, note alerting.Notification) (alerting.Receipt, error) {
	first := len(note.Receipt) == 0
	m := full(note)
	switch {
	case first, note.Reason == alerting.Opened, note.Reason == alerting.Escalated:
	case note.Reason == alerting.Updated && !note.FollowUp:
		return note.Receipt, nil
	default:
		m = short(note)
	}
	if err := n.hook(ctx, m); err != nil {
		return nil, err
	}
	return alerting.Receipt{"sent": "1"}, nil
}

// post sends a new message.
func (n *Notifier) post(ctx context.Context, m message) (alerting.Receipt, error) {
	var channel, ts string
	err := n.send(ctx, "chat.postMessage", m, func(ctx context.Context, opts ...slack.MsgOption) error {
		var err error
		channel, ts, err = n.api.PostMessageContext(ctx, n.cfg.Channel, opts...)
		return answered(ts, err)
	})
	if err != nil {
		return nil, err
	}
	return alerting.Receipt{receiptChannel: channel, receiptTS: ts}, nil
}

// send makes one call when its time has come. Where Slack refuses the blocks, the text alone is
// sent: an alert that looks plain is better than none.
func (n *Notifier) send(ctx context.Context, name string, m message, call func(context.Context, ...slack.MsgOption) error) error {
	options := func(blocks []slack.Block) []slack.MsgOption {
		return []slack.MsgOption{
			slack.MsgOptionText(m.text, false), // escaped already
			slack.MsgOptionBlocks(blocks...),
			slack.MsgOptionParse(false),
			slack.MsgOptionLinkNames(false),
			slack.MsgOptionDisableLinkUnfurl(),
			slack.MsgOptionDisableMediaUnfurl(),
		}
	}
	if err := n.limit.wait(ctx); err != nil {
		return n.translate(ctx, name, err)
	}
	err := n.translate(ctx, name, call(ctx, options(m.blocks)...))
	var e *Error
	if !errors.As(err, &e) || !refused(e.Code) {
		return err
	}
	n.log.Error("slack refuses the blocks of a message: sending its text", "code", e.Code)
	if err := n.limit.wait(ctx); err != nil {
		return n.translate(ctx, name, err)
	}
	return n.translate(ctx, name, call(ctx, options(nil)...))
}

// hook posts to the webhook.
func (n *Notifier) hook(ctx context.Context, m message) error {
	no := false
	post := func(blocks []slack.Block) error {
		if err := n.limit.wait(ctx); err != nil {
			return n.translate(ctx, "webhook", err)
		}
		msg := &slack.WebhookMessage{Text: m.text, Parse: "none", UnfurlLinks: &no, UnfurlMedia: &no}
		if blocks != nil {
			msg.Blocks = &slack.Blocks{BlockSet: blocks}
		}
		return n.translate(ctx, "webhook", slack.PostWebhookCustomHTTPContext(ctx, n.cfg.Webhook.Reveal(), n.client, msg))
	}
	err := post(m.blocks)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest {
		n.log.Error("slack refuses the blocks of a message: sending its text", "status", e.Status)
		return post(nil)
	}
	return err
}

// answered makes sure that Slack took the message: it gives it an id.
func answered(ts string, err error) error {
	if err == nil && ts == "" {
		return errors.New("no message id in the answer")
	}
	return err
}

// refused tells whether it is the form of the message that Slack does not take.
func refused(code string) bool {
	switch code {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch":
		return true
	}
	return false
}

// gone tells whether a message cannot be edited any more.
func gone(code string) bool {
	switch code {
	case "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "channel_not_found":
		return true
	}
	return false
}

// safeURL tells whether a secret may be sent there: by TLS, or within this machine.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// bounded reads no more of an answer than maxAnswer.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}
