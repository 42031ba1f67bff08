package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/collectors"
)

var _ collectors.Checker = (*Collector)(nil)

// Check implements collectors.Checker. What the user may do is asked by requests that the server
// cannot make sense of: one that may not be sent is refused before it is read.
func (c *Collector) Check(ctx context.Context) []collectors.Finding {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	nc, err := c.connect(nats.NoReconnect(), nats.ErrorHandler(nil), nats.DisconnectErrHandler(nil))
	if err != nil {
		return []collectors.Finding{{Verdict: collectors.Wrong, What: "server", Said: explain(err)}}
	}
	defer nc.Close()
	found := collectors.Finding{Verdict: collectors.OK, What: "stream " + c.cfg.Stream}
	if c.cfg.Stream == "" {
		found.What = "subject " + c.cfg.Subjects[0]
		found.Verdict, found.Said = c.checkSubject(ctx, nc)
	} else {
		found.Verdict, found.Said = c.checkStream(ctx, nc)
	}
	return []collectors.Finding{{Verdict: collectors.OK, What: "server", Said: "connected to " + nc.ConnectedUrlRedacted()}, found}
}

// explain says why there is no connection, and what to do.
func explain(err error) string {
	hint := ""
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		hint = "the server does not take creds_file, nkey_file, token or user for its own"
	case errors.Is(err, nats.ErrNoServers):
		hint = "nobody answers at urls: check host, port and what stands between"
	case errors.As(err, &untrusted):
		hint = "set ca_file to the authority that signed the server's certificate, and urls to the names in it"
	case errors.Is(err, nats.ErrSecureConnRequired):
		hint = "use tls:// in urls"
	case errors.Is(err, nats.ErrSecureConnWanted):
		hint = "the server has no TLS"
	default:
		return err.Error()
	}
	return err.Error() + ": " + hint
}

// checkSubject subscribes for a moment. A member of a queue group would take messages from the others,
// so that is not tried.
func (c *Collector) checkSubject(ctx context.Context, nc *nats.Conn) (collectors.Verdict, string) {
	if c.cfg.Queue != "" {
		return collectors.Unknown, "whether queue group " + c.cfg.Queue + " may be joined shows at the start: to try it would take messages from its members"
	}
	err := refused(ctx, nc, c.cfg.Subjects[0], func() error {
		sub, err := nc.SubscribeSync(c.cfg.Subjects[0])
		if err == nil {
			_ = sub.SetPendingLimits(1, -1)
		}
		return err
	})
	if err != nil {
		return collectors.Wrong, fmt.Sprintf("%v: let the user subscribe to it", err)
	}
	return collectors.OK, "may be read"
}

// checkStream asks what each request would ask that the collector makes, and looks at the consumer.
func (c *Collector) checkStream(ctx context.Context, nc *nats.Conn) (collectors.Verdict, string) {
	inbox := nc.NewRespInbox()
	err := refused(ctx, nc, inbox, func() error { _, err := nc.SubscribeSync(inbox); return err })
	if err != nil {
		return collectors.Wrong, fmt.Sprintf("%v: let the user subscribe to _INBOX.>", err)
	}
	of := c.cfg.Stream + "." + c.cfg.Consumer
	var missing []string
	may := func(subject, body string) bool {
		err := refused(ctx, nc, subject, func() error { return nc.PublishRequest(subject, inbox, []byte(body)) })
		if err != nil {
			missing = append(missing, subject)
		}
		return err == nil
	}
	const noJSON = "{"
	info := may("$JS.API.CONSUMER.INFO."+of, "")
	may("$JS.API.CONSUMER.MSG.NEXT."+of, noJSON)
	may("$JS.ACK."+of+".0.0.0.0.0", "+WPI") // work in progress, on what is no message
	consumer, err := c.find(ctx, nc, info)
	absent := errors.Is(err, jetstream.ErrConsumerNotFound)
	if absent {
		may("$JS.API.CONSUMER.CREATE."+of, noJSON)
	}
	switch {
	case ctx.Err() != nil:
		return collectors.Wrong, "the server does not answer in time"
	case len(missing) > 0:
		return collectors.Wrong, "the user may not publish to " + strings.Join(missing, ", ") + ": grant it"
	case absent:
		return collectors.OK, "is there; its consumer " + c.cfg.Consumer + " is made at the start"
	case err != nil:
		return collectors.Wrong, c.misses(err)
	case consumer.Config.AckPolicy != jetstream.AckExplicitPolicy:
		return collectors.Wrong, errNoAcknowledgement(&c.cfg).Error()
	}
	if subjects := filters(&consumer.Config); len(c.cfg.Subjects) > 0 && !slices.Equal(subjects, slices.Sorted(slices.Values(c.cfg.Subjects))) {
		return collectors.Warning, fmt.Sprintf("its consumer %s reads %s, and not the configured subjects: change it, or name another consumer", c.cfg.Consumer, strings.Join(subjects, ", "))
	}
	return collectors.OK, fmt.Sprintf("is read by consumer %s; %d waiting, %d not acknowledged", c.cfg.Consumer, consumer.NumPending, consumer.NumAckPending)
}

func (c *Collector) find(ctx context.Context, nc *nats.Conn, may bool) (*jetstream.ConsumerInfo, error) {
	if !may {
		return nil, nats.ErrPermissionViolation
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	consumer, err := js.Consumer(ctx, c.cfg.Stream, c.cfg.Consumer)
	if err != nil {
		return nil, err
	}
	return consumer.CachedInfo(), nil
}

// misses says why a consumer cannot be had.
func (c *Collector) misses(err error) string {
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return "there is no such stream: check stream, or make it"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return "the server, or the user's account, has no JetStream: enable it, or leave stream out to read a core subject"
	}
	return err.Error()
}

// filters are the subjects of its stream that a consumer reads, sorted.
func filters(c *jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	if len(c.FilterSubjects) == 0 {
		return []string{"all"}
	}
	return slices.Sorted(slices.Values(c.FilterSubjects))
}

// refused does something about a subject, and returns what the server says against it.
func refused(ctx context.Context, nc *nats.Conn, subject string, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	// What was refused is told before the flush is answered.
	if err := nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), strconv.Quote(subject)) {
		return nats.ErrPermissionViolation
	}
	return nil
}
