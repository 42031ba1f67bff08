package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
)

const (
	gatherTime = 50 * time.Millisecond // for which more messages are waited for once there is one
	askTime    = time.Second           // for which the first is waited for; a stop takes as long
)

// consume takes the messages of a stream until ctx is done or something fails.
func (c *Collector) consume(ctx context.Context, nc *nats.Conn, sink collectors.Sink) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	s := &stream{Collector: c, nc: nc, owed: map[uint64]struct{}{}}
	if err := s.open(ctx, js); err != nil {
		return err
	}
	if err := c.journal.Tick(ctx, sink, false); err != nil { // registers the source
		return err
	}
	tick := time.NewTicker(c.cfg.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			// What was acknowledged must be known to the server before a tick forgets it.
			_ = nc.FlushTimeout(time.Second)
			if s.gone {
				continue // nobody knows what is in the stream: the source is silent
			}
			if err := c.journal.Tick(ctx, sink, s.idle && len(s.owed) == 0); err != nil {
				return err
			}
		default:
		}
		msgs, err := s.fetch(ctx)
		if err != nil {
			for _, m := range msgs {
				_ = m.Nak() // so that they need not wait for their time to acknowledge
			}
			_ = nc.FlushTimeout(time.Second)
			return err
		}
		if len(msgs) == 0 {
			continue
		}
		if err := s.take(ctx, sink, msgs); err != nil {
			return err
		}
	}
}

// stream is a stream's consumer at work.
type stream struct {
	*Collector
	nc       *nats.Conn
	consumer jetstream.Consumer
	idle     bool                // the server had no more
	gone     bool                // the server does not answer
	owed     map[uint64]struct{} // messages that were given back
}

// open finds the consumer, or makes it.
func (s *stream) open(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	consumer, err := js.Consumer(ctx, s.cfg.Stream, s.cfg.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		policy := jetstream.DeliverAllPolicy
		if s.cfg.Start == StartEnd {
			policy = jetstream.DeliverNewPolicy
		}
		consumer, err = js.CreateConsumer(ctx, s.cfg.Stream, jetstream.ConsumerConfig{
			Durable: s.cfg.Consumer, Description: "liveward input " + s.cfg.Source, DeliverPolicy: policy,
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.cfg.AckWait, MaxAckPending: 4 * s.cfg.Batch, FilterSubjects: s.cfg.Subjects,
		})
	}
	if err != nil {
		return fmt.Errorf("nats: consumer %s of stream %s: %w", s.cfg.Consumer, s.cfg.Stream, err)
	}
	info := consumer.CachedInfo()
	if info.Config.AckPolicy != jetstream.AckExplicitPolicy {
		return fmt.Errorf("nats: %w", errNoAcknowledgement(&s.cfg))
	}
	s.consumer = consumer
	return nil
}

func errNoAcknowledgement(c *Config) error {
	return fmt.Errorf("consumer %s of stream %s does not acknowledge each message: make one with explicit acknowledgement", c.Consumer, c.Stream)
}

// fetch waits for messages, and for some more once there is one.
func (s *stream) fetch(ctx context.Context) ([]jetstream.Msg, error) {
	first, err := s.ask(ctx, 1, min(s.cfg.Tick, askTime))
	if err != nil || len(first) == 0 {
		return first, err
	}
	more, err := s.ask(ctx, s.cfg.Batch-1, gatherTime)
	return append(first, more...), err
}

// ask asks for messages. Errors that pass while the connection or the server is gone are none.
func (s *stream) ask(ctx context.Context, n int, wait time.Duration) ([]jetstream.Msg, error) {
	if n < 1 {
		return nil, nil
	}
	// The server ends the request, and is waited for: what it sent to a request that was given up here
	// would be nobody's until its time to acknowledge is over.
	options := []jetstream.FetchOpt{jetstream.FetchMaxWait(wait)}
	if n > 1 { // one may have any size
		options = append(options, jetstream.FetchMaxBytes(batchBytes))
	}
	batch, err := s.consumer.Fetch(n, options...)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	var msgs []jetstream.Msg
	for m := range batch.Messages() {
		msgs = append(msgs, m)
	}
	s.idle, s.gone = len(msgs) < n, false
	return msgs, s.judge(ctx, batch.Error())
}

// judge tells what cannot be got over from what passes.
func (s *stream) judge(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout),
		errors.Is(err, jetstream.ErrMaxBytesExceeded), errors.Is(err, jetstream.ErrNoMessages):
		return nil
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("nats: consumer %s of stream %s: %w", s.cfg.Consumer, s.cfg.Stream, err)
	}
	// The server that leads the consumer is gone, or the connection is: another takes its place.
	s.idle, s.gone = false, true
	s.stats.Add(func(st *Stats) { st.Interrupted++ })
	s.log.Debug("fetch", "error", err)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(gatherTime):
		return nil
	}
}

// message is a message with what is made of it.
type message struct {
	jetstream.Msg
	id       event.Hash
	sequence uint64
	lines    *push.Lines
}

// take makes messages durable and acknowledges them, or gives them back.
func (s *stream) take(ctx context.Context, sink collectors.Sink, msgs []jetstream.Msg) error {
	fresh := make([]message, 0, len(msgs))
	for _, m := range msgs {
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("nats: message without a sequence: %w", err)
		}
		// With its time, because a stream may be made anew under its name.
		id := event.HashStrings("nats", meta.Stream, meta.Timestamp.UTC().Format(time.RFC3339Nano), strconv.FormatUint(meta.Sequence.Stream, 10))
		redelivered := meta.NumDelivered > 1
		s.stats.Add(func(st *Stats) {
			st.Messages++
			if redelivered {
				st.Redelivered++
			}
		})
		if s.known.has(id) {
			s.acknowledge(m, meta.Sequence.Stream)
			continue
		}
		fresh = append(fresh, message{m, id, meta.Sequence.Stream, s.lines(m.Data())})
	}
	if len(fresh) == 0 {
		return nil
	}
	s.journal.Begin()
	for i := range fresh {
		lines, _ := fresh[i].lines.Taken()
		s.journal.Add(fresh[i].id, lines, fresh[i].lines.End())
	}
	n, err := s.journal.Commit(ctx, sink, s.idle && len(s.owed) == 0, s.cfg.Patience)
	if err != nil {
		return s.giveBack(fresh, err)
	}
	s.stats.Add(func(st *Stats) { st.Batches++; st.Lines += int64(n) })
	for i := range fresh {
		s.known.add(fresh[i].id)
		s.acknowledge(fresh[i], fresh[i].sequence)
	}
	return nil
}

// acknowledge tells the server of a message that is durable. Where that gets lost it comes again, and
// is known.
func (s *stream) acknowledge(m jetstream.Msg, sequence uint64) {
	delete(s.owed, sequence)
	if err := m.Ack(); err != nil {
		s.log.Debug("acknowledge", "error", err)
	}
}

// giveBack lets messages come again: later when the journal pushed back, else as soon as somebody asks.
func (s *stream) giveBack(msgs []message, why error) error {
	pushed := errors.Is(why, collectors.ErrPushback)
	for i := range msgs {
		var err error
		if pushed {
			s.owed[msgs[i].sequence] = struct{}{}
			err = msgs[i].NakWithDelay(s.cfg.Again)
		} else {
			err = msgs[i].Nak()
		}
		if err != nil {
			s.log.Debug("give back", "error", err)
		}
	}
	s.stats.Add(func(st *Stats) { st.Returned += int64(len(msgs)) })
	_ = s.nc.FlushTimeout(time.Second)
	if pushed {
		s.log.Warn("journal pushes back: messages are given back for later", "messages", len(msgs))
		return nil
	}
	return why
}
