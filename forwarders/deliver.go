package forwarders

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Defaults of a Delivery.
const (
	DefaultMaxBytes    = 4 << 20
	DefaultMaxDocument = 8 << 20

	// maxRetryAfter bounds what a store, or whoever stands before it, can make us wait.
	maxRetryAfter = 10 * time.Minute
)

// DefaultBackoff is the pause after failures that pass by themselves.
func DefaultBackoff() Backoff { return Backoff{Min: 200 * time.Millisecond, Max: 30 * time.Second} }

// DefaultConfigBackoff is the pause after a ConfigError: long, yet short enough that a mended key is
// noticed within a minute.
func DefaultConfigBackoff() Backoff { return Backoff{Min: 5 * time.Second, Max: time.Minute} }

// Delivery is the one loop that retries. It belongs to one forwarder and remembers what sizes that
// one's store takes.
type Delivery struct {
	// Forwarder makes the attempts.
	Forwarder Forwarder
	// DeadLetter takes a document that the store will never take, and why (Rejected.Index has no meaning
	// there); nil from it means that the document is durable. Its errors are retried like the store's. Without it a rejected document makes
	// Deliver fail.
	DeadLetter func(ctx context.Context, doc event.Document, r Rejected) error
	// OnHealth is told when State or Kind changes; nil for nobody. It must not block.
	OnHealth func(Health)

	MaxBytes      int     // JSON of one Forward; DefaultMaxBytes where 0
	MaxDocument   int     // JSON of one document, larger ones are rejected; DefaultMaxDocument where 0
	Backoff       Backoff // DefaultBackoff where zero
	ConfigBackoff Backoff // DefaultConfigBackoff where zero

	Now  func() time.Time                                 // clock of Health.Since, which stays zero without it
	Wait func(ctx context.Context, d time.Duration) error // pauses; a timer where nil
	Rand func() float64                                   // jitter in [0,1); math/rand where nil

	// ceiling is the size the store has refused, halved; it never rises again. window shrinks when the
	// store is overloaded, and grows with each success.
	ceiling, window int

	mu    sync.Mutex
	stats Stats
}

// rejection is a rejected document that is not durable in the dead letters yet.
type rejection struct {
	doc    event.Document
	reason Rejected
}

// Deliver blocks until each document is stored or durable in the dead letters. Only those that
// failed are tried again: sending stored ones once more would double them over a rollover. It never
// gives up while ctx lives; the error is ctx's, with the last failure, or tells that a document was
// rejected and there is no DeadLetter. It may be called by one goroutine at a time.
func (d *Delivery) Deliver(ctx context.Context, docs []event.Document) error {
	d.defaults()
	var dead []rejection
	pending := make([]event.Document, 0, len(docs))
	for i, doc := range docs {
		if len(doc.JSON) > d.MaxDocument {
			dead = append(dead, rejection{doc, Rejected{Index: i, Status: 413, Reason: "document larger than the configured limit"}})
			continue
		}
		pending = append(pending, doc)
	}

	failures := 0
	for {
		p := d.pass(ctx, pending)
		pending = p.left
		dead = append(dead, p.dead...)
		var deadErr error
		dead, deadErr = d.bury(ctx, dead)
		if errors.Is(deadErr, errNoDeadLetter) {
			return deadErr
		}
		if len(pending) == 0 && len(dead) == 0 {
			if len(docs) > 0 {
				d.report(Healthy, "", nil)
			}
			return nil
		}

		err := errors.Join(p.err, deadErr)
		pause := d.judge(err, &failures, p.progress)
		if ctx.Err() == nil && pause > 0 {
			_ = d.Wait(ctx, pause) // its only error is ctx's, looked at next
		}
		if ctx.Err() != nil {
			return fmt.Errorf("deliver: %d documents not stored: %w", len(pending)+len(dead), errors.Join(ctx.Err(), err))
		}
	}
}

func (d *Delivery) defaults() {
	if d.MaxBytes <= 0 {
		d.MaxBytes = DefaultMaxBytes
	}
	if d.MaxDocument <= 0 {
		d.MaxDocument = DefaultMaxDocument
	}
	if d.Backoff == (Backoff{}) {
		d.Backoff = DefaultBackoff()
	}
	if d.ConfigBackoff == (Backoff{}) {
		d.ConfigBackoff = DefaultConfigBackoff()
	}
	if d.Wait == nil {
		d.Wait = wait
	}
	if d.Rand == nil {
		d.Rand = rand.Float64
	}
	if d.ceiling == 0 {
		d.ceiling = d.MaxBytes
	}
	if d.window == 0 {
		d.window = d.MaxBytes
	}
}

func (d *Delivery) now() time.Time {
	if d.Now == nil {
		return time.Time{}
	}
	return d.Now()
}

// outcome is what became of one pass over the pending documents.
type outcome struct {
	left     []event.Document // to be tried again, in their order
	dead     []rejection
	err      error
	progress bool // at least one document was settled
}

// pass offers every pending document once, in pieces the store takes. It stops early where going on
// would only add to the store's trouble, but not where some documents' own target is at fault: one
// tenant's missing privilege must not hold up the others.
func (d *Delivery) pass(ctx context.Context, pending []event.Document) outcome {
	var o outcome
	for len(pending) > 0 {
		n := d.piece(pending)
		piece := pending[:n]
		err := d.Forwarder.Forward(ctx, piece)
		left, dead := d.settle(piece, err)
		d.adapt(piece, len(left), err)
		o.dead = append(o.dead, dead...)
		o.progress = o.progress || len(left) < len(piece)
		o.left = append(o.left, left...)
		pending = pending[n:]
		if len(left) == 0 {
			continue
		}
		var config *ConfigError
		if !errors.As(o.err, &config) {
			o.err = err // a fault that somebody has to mend is not hidden by one that passes
		}
		if len(left) < len(piece) && errors.As(err, &config) {
			continue
		}
		o.left = append(o.left, pending...)
		return o
	}
	return o
}

// piece returns how many of the pending documents fit into one Forward; at least one.
func (d *Delivery) piece(pending []event.Document) int {
	limit := min(d.ceiling, d.window)
	size := 0
	for i := range pending {
		size += len(pending[i].JSON)
		if size > limit && i > 0 {
			return i
		}
	}
	return len(pending)
}

// settle sorts the documents of one Forward by its error: stored, to be retried, rejected.
func (d *Delivery) settle(piece []event.Document, err error) (left []event.Document, dead []rejection) {
	d.count(func(s *Stats) {
		s.Attempts++
		if err != nil {
			s.Failures++
		}
	})
	var partial *PartialError
	var large *TooLargeError
	switch {
	case err == nil:
	case errors.As(err, &partial) && partial.valid(len(piece)):
		for _, r := range partial.Reject {
			dead = append(dead, rejection{piece[r.Index], r})
		}
		for _, i := range partial.Retry {
			left = append(left, piece[i])
		}
	default:
		left = append(left, piece...)
	}
	if len(left) == 1 && len(piece) == 1 && errors.As(err, &large) {
		dead = append(dead, rejection{piece[0], Rejected{Status: large.Status, Reason: "store refuses a document of this size"}})
		left = nil
	}
	d.count(func(s *Stats) {
		s.Stored += uint64(len(piece) - len(left) - len(dead))
		s.Retried += uint64(len(left))
	})
	return left, dead
}

// adapt learns from one Forward how much the store takes at once.
func (d *Delivery) adapt(piece []event.Document, left int, err error) {
	size := 0
	for i := range piece {
		size += len(piece[i].JSON)
	}
	var large *TooLargeError
	var overload *OverloadError
	switch {
	case errors.As(err, &large):
		if len(piece) > 1 {
			d.ceiling = max(1, min(d.ceiling, size)/2)
		}
	case errors.As(err, &overload):
		if left == len(piece) {
			d.window = max(1, min(d.window, size)/2)
		}
	case err == nil:
		d.window = min(d.MaxBytes, 2*d.window)
	}
}

// judge reports the state after a pass that left something, and returns how long to pause.
func (d *Delivery) judge(err error, failures *int, progress bool) time.Duration {
	var config *ConfigError
	var large *TooLargeError
	switch {
	case errors.As(err, &config):
		d.report(Stuck, config.Kind, err)
	case errors.As(err, &large):
		return 0 // half as much at once; the store is well
	default:
		d.report(Retrying, "", err)
	}
	if progress {
		*failures = 0
	}
	*failures++
	backoff := d.Backoff
	if config != nil {
		backoff = d.ConfigBackoff
	}
	pause := backoff.pause(*failures, d.Rand())
	var after retryAfterer
	if errors.As(err, &after) {
		pause = max(pause, min(after.RetryAfter(), maxRetryAfter))
	}
	return pause
}

var errNoDeadLetter = errors.New("document rejected and no dead letters configured")

// bury hands rejected documents to the dead letters; those that are not durable there come back.
func (d *Delivery) bury(ctx context.Context, dead []rejection) ([]rejection, error) {
	for i, r := range dead {
		if d.DeadLetter == nil {
			return dead[i:], fmt.Errorf("deliver: %w: status %d: %s", errNoDeadLetter, r.reason.Status, r.reason.Reason)
		}
		if err := d.DeadLetter(ctx, r.doc, r.reason); err != nil {
			return dead[i:], fmt.Errorf("write dead letter: %w", err)
		}
		d.count(func(s *Stats) { s.Rejected++ })
	}
	return nil, nil
}

// valid tells whether the error speaks of documents that were sent, and of each at most once. One
// that does not is taken as "none stored": sending again is harmless, losing is not.
func (e *PartialError) valid(n int) bool {
	seen := make([]bool, n)
	ok := func(i int) bool {
		if i < 0 || i >= n || seen[i] {
			return false
		}
		seen[i] = true
		return true
	}
	for _, i := range e.Retry {
		if !ok(i) {
			return false
		}
	}
	for _, r := range e.Reject {
		if !ok(r.Index) {
			return false
		}
	}
	return true
}
