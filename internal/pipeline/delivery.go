package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// cursorInterval is how often a reader's cursor is stored. What was done since is done again after a
// crash; everything downstream takes repeats.
const cursorInterval = time.Second

// Delivery reads the events and alerts of the journal, each with a cursor of its own, and sees that
// every document reaches one forwarder or its dead letters.
type Delivery struct {
	name string
	j    *journal.Journal
	loop *forwarders.Delivery
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex // the loop is for one goroutine; events and alerts share it
	dead    *journal.Writer
	stored  atomic.Int64
	reached [2]atomic.Uint64 // sequence, by index in deliveredStreams
}

// deliveredStreams are the streams whose documents forwarders get.
//
//nolint:gochecknoglobals // constant
var deliveredStreams = [...]string{journal.Events, journal.Alerts}

// NewDelivery makes the delivery to one forwarder. The loop's DeadLetter is set here.
func NewDelivery(ctx context.Context, name string, j *journal.Journal, loop *forwarders.Delivery, now func() time.Time, log *slog.Logger) (*Delivery, error) {
	d := &Delivery{name: name, j: j, loop: loop, now: now, log: log}
	var err error
	if d.dead, err = j.Writer(ctx, journal.DeadLetters, journal.DeadLetterSubject+name); err != nil {
		return nil, err
	}
	loop.DeadLetter = d.deadLetter
	return d, nil
}

// DeadLetter is a document that a store will never take, as it is kept.
type DeadLetter struct {
	Forwarder string          `json:"forwarder"`
	ID        event.Hash      `json:"id"`
	Dataset   string          `json:"dataset"`
	Tenant    string          `json:"tenant,omitempty"`
	Status    int             `json:"status,omitempty"`
	Reason    string          `json:"reason"`
	Document  json.RawMessage `json:"document"`
}

func (d *Delivery) deadLetter(ctx context.Context, doc event.Document, r forwarders.Rejected) error {
	body, err := json.Marshal(DeadLetter{
		Forwarder: d.name, ID: doc.ID, Dataset: doc.Dataset, Tenant: doc.Tenant,
		Status: r.Status, Reason: r.Reason, Document: doc.JSON,
	})
	if err != nil {
		return fmt.Errorf("encode dead letter %s: %w", doc.ID, err)
	}
	d.log.Warn("document is a dead letter", "forwarder", d.name, "id", doc.ID, "status", r.Status, "reason", r.Reason)
	_, err = d.dead.Append(ctx, journal.Cause{}, body)
	return err
}

// Run delivers until ctx is done.
func (d *Delivery) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(deliveredStreams))
	var wg sync.WaitGroup
	for i, stream := range deliveredStreams {
		wg.Go(func() {
			if errs[i] = d.follow(ctx, i, stream); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (d *Delivery) follow(ctx context.Context, i int, stream string) error {
	reader := "forwarder." + d.name
	codec, err := journal.NewCodec()
	if err != nil {
		return err
	}
	defer codec.Close()
	cursor, err := d.j.Cursor(ctx, stream, reader)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forwarder %s: %w", d.name, err)
	}
	save := saver{j: d.j, stream: stream, reader: reader, now: d.now, log: d.log}
	d.reached[i].Store(cursor.Seq)
	var buf []byte
	err = d.j.Follow(ctx, stream, cursor.Seq, journal.All, func() error { save.maybe(ctx); return nil }, func(e *journal.Entry) error {
		docs, err := documentsOf(e, codec, &buf)
		if err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		if len(docs) > 0 {
			d.mu.Lock()
			err = d.loop.Deliver(ctx, docs)
			d.mu.Unlock()
			if err != nil {
				return err
			}
			d.stored.Add(int64(len(docs)))
		}
		d.reached[i].Store(e.Seq)
		save.at(e.Ref)
		save.maybe(ctx)
		return nil
	})
	save.last(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("forwarder %s, %s: %w", d.name, stream, err)
	}
	return nil
}

// documentsOf returns the documents of a message of events or alerts.
func documentsOf(e *journal.Entry, codec *journal.Codec, buf *[]byte) ([]event.Document, error) {
	switch {
	case e.Subject == journal.RulesetSubject:
		return nil, nil
	case strings.HasPrefix(e.Subject, "alerts."):
		return alertDocuments(e.Body)
	}
	var err error
	if *buf, err = codec.DecodeDocs(e.Body, (*buf)[:0]); err != nil {
		return nil, err
	}
	return journal.Documents(*buf)
}

// alertDocuments splits a message of alerts into the documents that were journaled.
func alertDocuments(body []byte) ([]event.Document, error) {
	var docs []event.Document
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		a, err := event.ParseAlert(line)
		if err != nil {
			return nil, err
		}
		d := a.Document()
		d.JSON = line
		docs = append(docs, d)
	}
	return docs, nil
}

// Name is the forwarder's name in the configuration.
func (d *Delivery) Name() string { return d.name }

// Stored counts the documents that were stored, or became dead letters, since the start.
func (d *Delivery) Stored() int64 { return d.stored.Load() }

// Stats returns the counts of the one retry loop.
func (d *Delivery) Stats() forwarders.Stats { return d.loop.Stats() }

// Reached is the sequence up to which events and alerts were delivered.
func (d *Delivery) Reached() (events, alerts uint64) { return d.reached[0].Load(), d.reached[1].Load() }

// Behind tells how many messages of events and alerts are still to be delivered.
func (d *Delivery) Behind(ctx context.Context) (int64, error) {
	var n int64
	for i, stream := range deliveredStreams {
		first, last, err := d.j.Bounds(ctx, stream)
		if err != nil {
			return 0, err
		}
		n += behind(first, last, d.reached[i].Load())
	}
	return n, nil
}

// behind is how many messages a reader that has come to reached has still to read, of those that
// were not purged.
func behind(first, last, reached uint64) int64 {
	if first > 0 {
		reached = max(reached, first-1)
	}
	return max(0, int64(last)-int64(reached))
}

// saver stores a reader's cursor now and then.
type saver struct {
	j              *journal.Journal
	stream, reader string
	now            func() time.Time
	log            *slog.Logger

	ref   journal.Ref
	dirty bool
	saved time.Time
}

func (s *saver) at(ref journal.Ref) { s.ref, s.dirty = ref, true }

func (s *saver) maybe(ctx context.Context) {
	if !s.dirty || s.now().Sub(s.saved) < cursorInterval {
		return
	}
	if err := s.save(ctx); err != nil && ctx.Err() == nil { // of what a stop interrupts, last makes up
		s.warn(err)
	}
}

// last stores the cursor on the way out, when ctx is done already.
func (s *saver) last(ctx context.Context) {
	if !s.dirty {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.save(ctx); err != nil {
		s.warn(err)
	}
}

func (s *saver) save(ctx context.Context) error {
	s.saved = s.now()
	err := s.j.SaveCursor(ctx, s.stream, s.reader, s.ref)
	s.dirty = err != nil
	return err
}

func (s *saver) warn(err error) {
	s.log.Warn("cursor was not stored", "reader", s.reader, "stream", s.stream, "error", err)
}
