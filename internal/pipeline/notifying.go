package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// Notifying reads the journal's alerts and hands them to the incidents. An alert is applied, and
// what is to be told about it is durable, before the cursor passes it.
type Notifying struct {
	j       *journal.Journal
	manager *alerting.Manager
	origins *Origins
	seen    func(*event.Alert)
	now     func() time.Time
	log     *slog.Logger
	reached atomic.Uint64
}

// Reached is the sequence up to which alerts were applied.
func (n *Notifying) Reached() uint64 { return n.reached.Load() }

// Behind tells how many messages of alerts are still to be applied.
func (n *Notifying) Behind(ctx context.Context) (int64, error) {
	first, last, err := n.j.Bounds(ctx, journal.Alerts)
	if err != nil {
		return 0, err
	}
	return behind(first, last, n.reached.Load()), nil
}

const notifyingReader = "incidents"

// NewNotifying makes the reader. origins, where not nil, learns where the evidence of an alert
// stands in the journal; seen, where not nil, is told of every alert that was applied.
func NewNotifying(j *journal.Journal, m *alerting.Manager, origins *Origins, seen func(*event.Alert), now func() time.Time, log *slog.Logger) *Notifying {
	return &Notifying{j: j, manager: m, origins: origins, seen: seen, now: now, log: log}
}

// Run applies alerts until ctx is done. The manager's own Run delivers.
func (n *Notifying) Run(ctx context.Context) error {
	cursor, err := n.j.Cursor(ctx, journal.Alerts, notifyingReader)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("incidents: %w", err)
	}
	n.reached.Store(cursor.Seq)
	save := saver{j: n.j, stream: journal.Alerts, reader: notifyingReader, now: n.now, log: n.log}
	err = n.j.Follow(ctx, journal.Alerts, cursor.Seq, journal.All, func() error { save.maybe(ctx); return nil }, func(e *journal.Entry) error {
		alerts, err := decodeAlerts(e.Body)
		if err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		n.origins.learn(alerts, e.Cause.Seq)
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
			err := n.manager.Handle(ctx, n.now(), alerts)
			if err == nil {
				break
			}
			n.log.Error("alerts were not applied", "error", err, "wait", wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		if n.seen != nil {
			for _, a := range alerts {
				n.seen(a)
			}
		}
		n.reached.Store(e.Seq)
		save.at(e.Ref)
		save.maybe(ctx)
		return nil
	})
	save.last(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("incidents: %w", err)
	}
	return nil
}

// Origins finds evidence events again: it remembers at which journal message each alert fired, and
// reads from there backwards. An alert fires when all sources have passed its last event, a lateness or more
// after that was journaled, and small messages may come ten times a second.
type Origins struct {
	j   *journal.Journal
	log *slog.Logger

	mu    sync.Mutex
	fired *lru.Cache[event.Hash, uint64] // evidence id → sequence at which its alert fired
}

const (
	originsKept  = 10_000
	originsStep  = 32       // messages that are read at once
	originsReach = 2048     // messages before the one at which an alert fired
	originsBytes = 16 << 20 // bytes of these, compressed
)

// NewOrigins makes an empty memory.
func NewOrigins(j *journal.Journal, log *slog.Logger) (*Origins, error) {
	c, err := lru.New[event.Hash, uint64](originsKept)
	if err != nil {
		return nil, fmt.Errorf("origins: %w", err)
	}
	return &Origins{j: j, log: log, fired: c}, nil
}

func (o *Origins) learn(alerts []*event.Alert, seq uint64) {
	if o == nil {
		return
	}
	for _, a := range alerts {
		for _, id := range a.Evidence {
			o.fired.Add(id, seq)
		}
	}
}

// Samples returns the documents of those ids that are still at hand, in the order of ids.
func (o *Origins) Samples(ctx context.Context, ids []event.Hash) []event.Document {
	var until uint64
	want := make(map[event.Hash]int, len(ids))
	for i, id := range ids {
		if seq, ok := o.fired.Get(id); ok {
			want[id] = i
			until = max(until, seq)
		}
	}
	if len(want) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	codec, err := journal.NewCodec()
	if err != nil {
		return nil
	}
	defer codec.Close()
	found := make([]*event.Document, len(ids))
	least, bytes := until-min(until, originsReach), 0
	for last := until; last > least && len(want) > 0 && bytes < originsBytes; last -= min(last, originsStep) {
		err := o.j.ReadRange(ctx, journal.Events, last-min(last, originsStep), last, journal.All, func(e *journal.Entry) error {
			bytes += len(e.Body)
			var buf []byte
			docs, err := documentsOf(e, codec, &buf)
			if err != nil {
				return err
			}
			for i := range docs {
				if at, ok := want[docs[i].ID]; ok {
					found[at] = &docs[i]
					delete(want, docs[i].ID)
				}
			}
			return nil
		})
		if err != nil {
			o.log.Debug("evidence could not be read", "error", err)
			break
		}
	}
	var out []event.Document
	for _, d := range found {
		if d != nil {
			out = append(out, *d)
		}
	}
	return out
}
