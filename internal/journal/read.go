package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// All is every subject of a stream.
const All = ">"

// Follow reads a subject of a stream, which may have wildcards, in order from the message after seq,
// and goes on with what is appended later, until ctx is done or f returns an error. Entries belong to
// f only until it returns. A restart of the server or a lost connection is got over without a gap or a
// repeat. idle is called, where it is not nil, when there was nothing to read for about a second.
func (j *Journal) Follow(ctx context.Context, stream string, seq uint64, subject string, idle func() error, f func(*Entry) error) error {
	for {
		err := j.follow(ctx, stream, &seq, subject, idle, f)
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

// How long a reader that has nothing to read waits before it looks again. It looks often after a
// message and less often the longer nothing comes; idle is told once a second.
const (
	shortWait = 5 * time.Millisecond
	longWait  = 100 * time.Millisecond
	idleAfter = time.Second
)

// follow asks for one message after the other, by sequence. A consumer of the server's would push
// messages into a channel of the client, which drops them where the reader is slow; and a message
// dropped at the end of the stream is noticed by nobody.
func (j *Journal) follow(ctx context.Context, stream string, seq *uint64, subject string, idle func() error, f func(*Entry) error) error {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	wait, quiet := shortWait, time.Duration(0)
	for {
		m, err := s.GetMsg(ctx, *seq+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
			quiet += wait
			wait = min(2*wait, longWait)
			if quiet >= idleAfter && idle != nil {
				quiet = 0
				if err := idle(); err != nil {
					return userError{err}
				}
			}
			continue
		}
		if err != nil {
			return err
		}
		wait, quiet = shortWait, 0
		e, err := newEntry(m.Subject, m.Sequence, m.Time, m.Header.Get(headerHash), m.Header.Get(headerCause), m.Data)
		if err != nil {
			return userError{err}
		}
		if err := f(e); err != nil {
			return userError{err}
		}
		*seq = e.Seq
	}
}

// ReadRange reads the messages of a subject from the one after seq up to and including last, all of
// which were appended before the call.
func (j *Journal) ReadRange(ctx context.Context, stream string, seq, last uint64, subject string, f func(*Entry) error) error {
	for failed := 0; seq < last; {
		m, err := j.next(ctx, stream, seq, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil // the last one is on another subject
		}
		if err != nil {
			if failed++; failed > rangeAttempts || ctx.Err() != nil {
				return fmt.Errorf("read %s after %d: %w", stream, seq, err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		failed = 0
		if m.Sequence > last {
			return nil
		}
		e, err := newEntry(m.Subject, m.Sequence, m.Time, m.Header.Get(headerHash), m.Header.Get(headerCause), m.Data)
		if err != nil {
			return err
		}
		if err := f(e); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
		seq = e.Seq
	}
	return nil
}

// rangeAttempts is how often in a row a range is read in vain, while the server restarts, before that
// is an error.
const rangeAttempts = 100

// next returns the first message of a subject after seq.
func (j *Journal) next(ctx context.Context, stream string, seq uint64, subject string) (*jetstream.RawStreamMsg, error) {
	js, _ := j.client()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	return s.GetMsg(ctx, seq+1, jetstream.WithGetMsgSubject(subject))
}
