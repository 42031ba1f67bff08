package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/internal/event"
)

// Entry is a message as it is read.
type Entry struct {
	Ref
	Subject string
	Cause   Cause
	Time    time.Time // when the journal stored it; for ages and lag only, never for decisions
	Body    []byte
}

func newEntry(subject string, seq uint64, at time.Time, hash, cause string, body []byte) (*Entry, error) {
	e := &Entry{Subject: subject, Time: at, Body: body}
	e.Seq = seq
	var err error
	if e.Hash, err = event.ParseHash(hash); err != nil {
		return nil, fmt.Errorf("journal message %d on %s: %w", seq, subject, err)
	}
	if e.Cause, err = parseCause(cause); err != nil {
		return nil, fmt.Errorf("journal message %d on %s: %w", seq, subject, err)
	}
	return e, nil
}

// Last returns the last message of a subject, nil when there is none.
func (j *Journal) Last(ctx context.Context, stream, subject string) (*Entry, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // absence is an answer here, not an error
	}
	if err != nil {
		return nil, fmt.Errorf("last message of %s: %w", subject, err)
	}
	return newEntry(m.Subject, m.Sequence, m.Time, m.Header.Get(headerHash), m.Header.Get(headerCause), m.Data)
}

// Bounds returns the first and last sequence of a stream; last is 0 when it was never written to.
func (j *Journal) Bounds(ctx context.Context, stream string) (first, last uint64, err error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	st := s.CachedInfo().State
	return st.FirstSeq, st.LastSeq, nil
}

// Holds tells whether the journal's message at ref.Seq is the one ref names. A message that was
// purged counts as held: nothing else can have taken its place.
func (j *Journal) Holds(ctx context.Context, stream string, ref Ref) (bool, error) {
	if ref.Seq == 0 {
		return true, nil
	}
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", stream, err)
	}
	st := s.CachedInfo().State
	if ref.Seq < st.FirstSeq {
		return true, nil
	}
	if ref.Seq > st.LastSeq {
		return false, nil
	}
	m, err := s.GetMsg(ctx, ref.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("message %d of %s: %w", ref.Seq, stream, err)
	}
	return m.Header.Get(headerHash) == ref.Hash.String(), nil
}

// ErrStop ends Follow without an error.
var ErrStop = errors.New("journal: stop reading")

// Follow reads a stream in order from the message after seq, and goes on with what is appended
// later, until ctx is done or f returns an error. Entries belong to f only until it returns. A
// restart of the server or a lost connection is got over without a gap or a repeat. idle is called,
// where it is not nil, when there was nothing to read for about a second.
func (j *Journal) Follow(ctx context.Context, stream string, seq uint64, subjects []string, idle func() error, f func(*Entry) error) error {
	for {
		err := j.follow(ctx, stream, &seq, subjects, idle, f)
		var user userError
		switch {
		case errors.Is(err, ErrStop):
			return nil
		case errors.As(err, &user):
			return user.error
		case ctx.Err() != nil:
			return ctx.Err()
		}
		j.log.Debug("journal reader starts again", "stream", stream, "after", seq, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// userError marks an error of the caller's function, as opposed to one of the journal.
type userError struct{ error }

// Unwrap returns the caller's error.
func (e userError) Unwrap() error { return e.error }

// readBuffer bounds what a reader has in memory beside the message it works on.
const readBuffer = 16 << 20

func (j *Journal) follow(ctx context.Context, stream string, seq *uint64, subjects []string, idle func() error, f func(*Entry) error) error {
	js, _ := j.client()
	cons, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    *seq + 1,
	})
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(64, readBuffer))
	if err != nil {
		return err
	}
	defer it.Stop()
	for {
		m, err := it.Next(jetstream.NextMaxWait(time.Second))
		if errors.Is(err, nats.ErrTimeout) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if idle != nil {
				if err := idle(); err != nil {
					return userError{err}
				}
			}
			continue
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream <= *seq {
			continue
		}
		h := m.Headers()
		e, err := newEntry(m.Subject(), meta.Sequence.Stream, meta.Timestamp, h.Get(headerHash), h.Get(headerCause), m.Data())
		if err != nil {
			return userError{err}
		}
		if err := f(e); err != nil {
			return userError{err}
		}
		*seq = e.Seq
	}
}

// ReadRange reads the messages of subjects from the one after seq up to and including last.
func (j *Journal) ReadRange(ctx context.Context, stream string, seq, last uint64, subjects []string, f func(*Entry) error) error {
	if last <= seq {
		return nil
	}
	return j.Follow(ctx, stream, seq, subjects, func() error { return j.pastLast(ctx, stream, last) }, func(e *Entry) error {
		if e.Seq > last {
			return ErrStop
		}
		if err := f(e); err != nil {
			return err
		}
		if e.Seq == last {
			return ErrStop
		}
		return nil
	})
}

// pastLast ends a range whose last sequence is not on the subjects that are read.
func (j *Journal) pastLast(ctx context.Context, stream string, last uint64) error {
	_, end, err := j.Bounds(ctx, stream)
	if err == nil && end >= last {
		return ErrStop
	}
	return nil
}
