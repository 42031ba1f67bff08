package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/liveward/liveward/internal/event"
)

// The headers of every message.
const (
	headerHash  = "Liveward-Hash"  // hash of subject, cause and body
	headerCause = "Liveward-Cause" // sequence, hash and part of the message this one follows from
)

// Ref names one message: its sequence and its hash. After a truncated tail sequences are used
// again, so a bare number would skip messages.
type Ref struct {
	Seq  uint64     `json:"seq"`
	Hash event.Hash `json:"hash"`
}

// Cause is what a derived message follows from: the message it was computed from, and which part of
// that computation's output it is.
type Cause struct {
	Ref
	Part  int // 0-based
	Parts int
}

func (c Cause) header() string {
	return fmt.Sprintf("%d %s %d/%d", c.Seq, c.Hash, c.Part, c.Parts)
}

func parseCause(s string) (Cause, error) {
	var c Cause
	f := strings.Fields(s)
	if len(f) != 3 {
		return c, fmt.Errorf("journal: malformed cause header")
	}
	part, parts, _ := strings.Cut(f[2], "/")
	var err [4]error
	c.Seq, err[0] = strconv.ParseUint(f[0], 10, 64)
	c.Hash, err[1] = event.ParseHash(f[1])
	c.Part, err[2] = strconv.Atoi(part)
	c.Parts, err[3] = strconv.Atoi(parts)
	if e := errors.Join(err[:]...); e != nil {
		return c, fmt.Errorf("journal: malformed cause header: %w", e)
	}
	return c, nil
}

// ErrFenced means that another writer has appended on this writer's subject.
var ErrFenced = errors.New("journal: another writer owns the subject")

// ErrPushback means that the journal does not take more now. Nothing was stored, unless an answer was
// lost: then the same append, tried again, finds its message.
var ErrPushback = errors.New("journal: no space")

// ErrTooLarge means that the journal will never take the message.
var ErrTooLarge = errors.New("journal: message is larger than the journal takes")

// Writer appends to one subject, which it owns. It is for one goroutine.
type Writer struct {
	j       *Journal
	stream  string
	subject string
	last    uint64 // sequence of the subject's last message; 0 when it has none
	lastMsg *Entry
}

// Writer opens a subject for appending.
func (j *Journal) Writer(ctx context.Context, stream, subject string) (*Writer, error) {
	w := &Writer{j: j, stream: stream, subject: subject}
	last, err := j.Last(ctx, stream, subject)
	if err != nil {
		return nil, err
	}
	if last != nil {
		w.last = last.Seq
		w.lastMsg = last
	}
	return w, nil
}

// LastAtOpen is the subject's last message when the writer was opened; nil when it had none.
func (w *Writer) LastAtOpen() *Entry { return w.lastMsg }

// reserve is the free space of the disk that this writer leaves. Batches leave all of it. What
// follows from batches may take most of it: readers that could not write could not come on either,
// and nothing would ever be purged.
func (w *Writer) reserve() int64 {
	if strings.HasPrefix(w.subject, batchSubjects) && !strings.HasPrefix(w.subject, derivedSubjects) {
		return w.j.cfg.ReserveFree
	}
	return w.j.cfg.ReserveFree / 4
}

// Append stores a message and returns once it is synced. ErrPushback: the journal takes nothing now,
// the same append may be tried again. ErrFenced: somebody else wrote; this writer is of no more use.
// ErrTooLarge: nothing was stored, nor ever will be. Any other error leaves open whether the message
// was stored; the same append may be tried again and stores it once.
func (w *Writer) Append(ctx context.Context, cause Cause, body []byte) (Ref, error) {
	if free, err := w.j.freeBytes(); err == nil && free < w.reserve() {
		return Ref{}, fmt.Errorf("%w: %d MiB free on the disk, %d MiB are reserved", ErrPushback, free>>20, w.reserve()>>20)
	}
	head := cause.header()
	if len(body) > w.j.MaxBody() {
		return Ref{}, fmt.Errorf("append %d bytes to %s: %w", len(body), w.subject, ErrTooLarge)
	}
	hash := event.HashOf([]byte(w.subject), []byte(head), body)
	msg := &nats.Msg{Subject: w.subject, Data: body, Header: nats.Header{
		headerHash:  []string{hash.String()},
		headerCause: []string{head},
	}}
	restarted := false
	for attempt := 0; ; attempt++ {
		js, gen := w.j.client()
		pub, cancel := context.WithTimeout(ctx, w.j.cfg.Answer)
		ack, err := js.PublishMsg(pub, msg, jetstream.WithExpectLastSequencePerSubject(w.last), jetstream.WithExpectStream(w.stream))
		cancel()
		if err == nil {
			w.last = ack.Sequence
			return Ref{ack.Sequence, hash}, nil
		}
		if ctx.Err() != nil {
			return Ref{}, ctx.Err()
		}
		switch {
		case isConflict(err):
			// Either our own earlier attempt was stored and its answer lost, or the subject was
			// purged empty, or somebody else wrote.
			last, lerr := w.j.Last(ctx, w.stream, w.subject)
			switch {
			case lerr != nil:
				err = lerr
			case last == nil && w.last != 0:
				w.last = 0
				continue
			case last != nil && last.Hash == hash && last.Seq > w.last:
				w.last = last.Seq
				return last.Ref, nil
			default:
				return Ref{}, ErrFenced
			}
		case isStorage(err), w.j.cfg.URL == "" && errors.Is(err, context.DeadlineExceeded):
			// On a full disk the server may not answer at all.
			// A stream that met a storage error stays latched until its server starts anew. Once is
			// enough for one append: the next one tries again.
			if restarted {
				return Ref{}, fmt.Errorf("%w: %w", ErrPushback, err)
			}
			if rerr := w.j.restart(ctx, gen); rerr != nil {
				return Ref{}, fmt.Errorf("%w: %w", ErrPushback, rerr)
			}
			restarted = true
			continue
		}
		if attempt >= 4 {
			return Ref{}, fmt.Errorf("append to %s: %w", w.subject, err)
		}
		select {
		case <-ctx.Done():
			return Ref{}, ctx.Err()
		case <-time.After(time.Duration(50<<attempt) * time.Millisecond):
		}
	}
}

func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// isStorage tells errors after which the embedded server must start anew: the file store could not
// write (10077 and 10023 carry what it said), JetStream has shut itself off (10039, 10076), or an
// earlier restart did not succeed and there is no server at all.
func isStorage(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
			errors.Is(err, nats.ErrConnectionClosed)
	}
	switch api.ErrorCode {
	case 10077, 10023, jetstream.JSErrCodeJetStreamNotEnabledForAccount, jetstream.JSErrCodeJetStreamNotEnabled:
		return true
	}
	return false
}
