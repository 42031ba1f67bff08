package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

const (
	snapshots        = 3 // kept; a damaged or foreign one takes the one before
	snapshotInterval = 10 * time.Second
	alertPart        = 1 << 20 // bytes of alerts in one message
	statsInterval    = 250 * time.Millisecond
)

// Detector reads the journal's events in order, runs the windows on their signals, and appends what
// fires to the subjects of the partitions. Its state is a function of the journal: a snapshot with
// the cursor it was taken at, and what is read after it.
type Detector struct {
	j     *journal.Journal
	rules rules.Options
	wcfg  rules.WindowConfig
	log   *slog.Logger
	now   func() time.Time

	windows *rules.Windows
	ruleset event.Hash
	set     *rules.Set
	codec   *journal.Codec
	batch   journal.Batch
	joins   *joining // nil where nothing is joined
	derived struct {
		writer *journal.Writer
		last   journal.Cause // of the last joined events
		ref    journal.Ref   // the last message of them
	}
	writers [rules.Partitions]*journal.Writer
	last    [rules.Partitions]journal.Cause // of each partition's last alerts
	alerts  journal.Ref                     // the last message of alerts, of all partitions
	cursor  journal.Ref
	taken   time.Time         // of the last snapshot
	shown   time.Time         // when the stats were last published
	slot    int               // of the next snapshot
	kept    [snapshots]uint64 // cursors of the snapshots that are stored
	dirty   bool
	torn    bool     // the windows have begun with a message that the cursor is not past
	storing *storing // the snapshot that is being stored
	spare   []byte   // memory for the next

	stats atomic.Pointer[DetectorStats]
}

// DetectorStats is how far the windows have come.
type DetectorStats struct {
	Sequence uint64 // of the last message applied
	Needed   uint64 // sequence up to which no snapshot needs the journal any more
	Windows  rules.WindowStats
	Joins    join.Stats
}

// snapshotHead stands before the windows' own bytes in a snapshot.
type snapshotHead struct {
	Cursor  journal.Ref `json:"cursor"`
	Ruleset event.Hash  `json:"ruleset"`
	// Alerts is the last message of alerts at that time. A journal that lost it has lost alerts that
	// only an older snapshot can give again.
	Alerts journal.Ref `json:"alerts"`
	// Derived is the same of joined events, and Joins the bytes of the joins' state before the windows'.
	Derived journal.Ref `json:"derived"`
	Joins   int         `json:"joins,omitempty"`
}

// NewDetector makes a detector; Run does the rest. joins is nil where nothing is joined.
func NewDetector(j *journal.Journal, opts rules.Options, wcfg rules.WindowConfig, joins *join.Config, now func() time.Time, log *slog.Logger) (*Detector, error) {
	codec, err := journal.NewCodec()
	if err != nil {
		return nil, err
	}
	d := &Detector{j: j, rules: opts, wcfg: wcfg, now: now, log: log, codec: codec}
	if joins != nil {
		d.joins = newJoining(*joins)
	}
	d.stats.Store(&DetectorStats{})
	return d, nil
}

// Stats returns how far the detector has come.
func (d *Detector) Stats() DetectorStats { return *d.stats.Load() }

// Run reads until ctx is done, then stores a last snapshot, if it can in time, and returns nil.
func (d *Detector) Run(ctx context.Context) error {
	defer d.codec.Close()
	defer d.awaitSnapshot()
	if err := d.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it had begun
		}
		return fmt.Errorf("windows: %w", err)
	}
	err := d.j.Follow(ctx, journal.Events, d.cursor.Seq, journal.All, func() error { d.publish(); return d.maybeSnapshot(ctx) }, func(e *journal.Entry) error {
		if err := d.apply(ctx, e); err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		return d.maybeSnapshot(ctx)
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("windows: %w", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	d.awaitSnapshot()
	// Torn windows have counted a message whose alerts may not be in the journal: a snapshot of them would
	// take the message for a repeat when it is read again, and nothing would fire.
	if !d.dirty || d.torn {
		return nil
	}
	d.snapshot(last)
	if err := d.storedSnapshot(true); err != nil {
		// Nothing is lost: the next start reads more of the journal again.
		d.log.Warn("last snapshot was not stored", "error", err)
	}
	return nil
}

// open restores the newest snapshot whose cursor the journal holds, and learns what was emitted.
func (d *Detector) open(ctx context.Context) error {
	for p := range d.writers {
		w, err := d.j.Writer(ctx, journal.Alerts, journal.AlertSubject(p))
		if err != nil {
			return err
		}
		d.writers[p] = w
		last := w.LastAtOpen()
		if last == nil {
			continue
		}
		if last.Seq > d.alerts.Seq {
			d.alerts = last.Ref
		}
		// After a truncated tail the cause is a message that is no more: then everything from the
		// snapshot on is emitted again, and the alert id makes it harmless.
		ok, err := d.j.Holds(ctx, journal.Events, last.Cause.Ref)
		if err != nil {
			return err
		}
		if ok {
			d.last[p] = last.Cause
		}
	}
	if err := d.openDerived(ctx); err != nil {
		return err
	}
	type candidate struct {
		snapshotHead
		slot  int
		body  []byte
		joins []byte
	}
	var found []candidate
	for slot := range snapshots {
		data, err := d.j.Blob(ctx, snapshotBlob(slot))
		if err != nil {
			d.log.Warn("snapshot cannot be read", "slot", slot, "error", err)
			continue
		}
		head, body, ok := bytes.Cut(data, []byte{'\n'})
		c := candidate{slot: slot, body: body}
		if !ok || json.Unmarshal(head, &c.snapshotHead) != nil || c.Joins < 0 || c.Joins > len(body) {
			continue
		}
		c.joins, c.body = body[:c.Joins], body[c.Joins:]
		found = append(found, c)
		d.kept[slot] = c.Cursor.Seq
	}
	slices.SortFunc(found, func(a, b candidate) int { return int(int64(b.Cursor.Seq) - int64(a.Cursor.Seq)) })
	var histories *candidate // of the newest snapshot that could not be restored as a whole
	for i := range found {
		c := found[i]
		ok, err := d.j.Holds(ctx, journal.Events, c.Cursor)
		if err != nil {
			return err
		}
		if ok {
			if ok, err = d.j.Holds(ctx, journal.Alerts, c.Alerts); err != nil {
				return err
			}
		}
		if ok {
			if ok, err = d.j.Holds(ctx, journal.Events, c.Derived); err != nil {
				return err
			}
		}
		if !ok {
			d.log.Warn("snapshot is not of this journal", "sequence", c.Cursor.Seq)
			continue
		}
		if err := d.use(ctx, c.Ruleset); err != nil {
			d.log.Warn("snapshot's rule set cannot be opened", "sequence", c.Cursor.Seq, "error", err)
			continue
		}
		if err := d.windows.Restore(c.body); err != nil {
			d.log.Warn("snapshot cannot be restored", "sequence", c.Cursor.Seq, "error", err)
			d.windows = nil
			if histories == nil {
				histories = &found[i]
			}
			continue
		}
		if d.joins != nil && len(c.joins) > 0 {
			if err := d.joins.engine.Restore(c.joins); err != nil {
				d.log.Warn("what waited to be joined is lost", "error", err)
			}
		}
		d.cursor = c.Cursor
		d.slot = (c.slot + 1) % snapshots
		d.log.Info("windows restored", "sequence", c.Cursor.Seq)
		break
	}
	if d.windows == nil && histories != nil {
		// What was learned over weeks outlives the journal and the versions of snapshots: it is kept even
		// where the rest has to be counted again.
		if err := d.use(ctx, histories.Ruleset); err != nil {
			return err
		}
		if err := d.windows.RestoreHistory(histories.body); err != nil {
			d.log.Warn("histories cannot be restored either: their rules learn anew", "error", err)
			d.windows = nil
		}
	}
	if d.windows == nil {
		d.windows = rules.NewWindows(nil, event.Hash{}, d.wcfg)
		d.ruleset, d.set = event.Hash{}, nil
	}
	d.taken = d.now()
	return nil
}

func snapshotBlob(slot int) string { return fmt.Sprintf("windows.%d", slot) }

// use makes a journaled rule set the one the windows count with.
func (d *Detector) use(ctx context.Context, h event.Hash) error {
	var list []*rules.Rule
	var set *rules.Set
	if !h.IsZero() {
		var err error
		if set, err = openRuleset(ctx, d.j, h, d.rules); err != nil {
			return err
		}
		list = set.Rules()
	}
	if d.windows == nil {
		d.windows = rules.NewWindows(list, h, d.wcfg)
	} else {
		d.windows.Swap(list, h)
	}
	d.ruleset, d.set = h, set
	if d.joins != nil {
		d.joins.use(set)
	}
	return nil
}

func (d *Detector) apply(ctx context.Context, e *journal.Entry) error {
	d.torn = true
	if e.Subject == journal.RulesetSubject {
		h, err := event.ParseHash(string(e.Body))
		if err != nil {
			return err
		}
		before := d.set
		if err := d.use(ctx, h); err != nil {
			return err
		}
		if err := d.rebuild(ctx, e, before); err != nil {
			return err
		}
		d.advance(e)
		return nil
	}
	if e.Subject == journal.DerivedSubject(joinWriter) {
		d.advance(e) // the windows had these when they were derived
		return nil
	}
	if err := d.codec.DecodeSignals(e.Body, &d.batch); err != nil {
		return err
	}
	if d.ruleset.IsZero() && !d.batch.Ruleset.IsZero() {
		// The message that named the set was purged; the batch says which it was.
		if err := d.use(ctx, d.batch.Ruleset); err != nil {
			return err
		}
	}
	settle(&d.batch)
	signals := d.batch.Signals
	if d.batch.Ruleset != d.ruleset && d.set != nil {
		var err error
		if signals, err = d.rematch(e.Body, d.set); err != nil {
			return err
		}
	}
	step := rules.Step{Signals: signals, Positions: d.batch.Positions, Agent: d.batch.Agent, Ingest: d.batch.Ingest}
	if d.joins != nil {
		if err := d.joins.take(d.codec, e.Body, &d.batch.BatchHead); err != nil {
			return err
		}
		step.Derive = d.joins.derive
	}
	fired := d.windows.Apply(step)
	if d.joins != nil {
		if err := d.emitDerived(ctx, e.Ref); err != nil {
			return err
		}
	}
	if err := d.emit(ctx, e.Ref, fired); err != nil {
		return err
	}
	d.advance(e)
	return nil
}

// settle says what idle means to the watermark: everything up to the time at which the collector
// looked has been read. What comes after that time is not known before the collector's next word, so
// an idle source lets the watermark come up to there and no further, however long nobody is heard.
func settle(b *journal.Batch) {
	for i := range b.Positions {
		if p := &b.Positions[i]; p.Idle && !p.Done {
			p.Idle = false
			p.MaxTime = max(p.MaxTime, b.Ingest)
		}
	}
}

func (d *Detector) advance(e *journal.Entry) {
	d.cursor = e.Ref
	d.dirty, d.torn = true, false
	if now := d.now(); now.Sub(d.shown) >= statsInterval {
		d.shown = now
		d.publish()
	}
}

func (d *Detector) publish() {
	s := &DetectorStats{Sequence: d.cursor.Seq, Needed: d.needed(), Windows: d.windows.Stats()}
	if d.joins != nil {
		s.Joins = d.joins.engine.Stats()
	}
	d.stats.Store(s)
}

// needed is the sequence after which the oldest snapshot that may have to serve goes on: nothing
// behind it may be purged.
func (d *Detector) needed() uint64 {
	return slices.Min(d.kept[:])
}

// emit appends what a message made fire, one message a partition, split where it is large. What the
// partition's subject already has of this cause is not appended again.
func (d *Detector) emit(ctx context.Context, ref journal.Ref, fired []rules.Fired) error {
	if len(fired) == 0 {
		return nil
	}
	var byPartition [rules.Partitions][]*event.Alert
	for _, f := range fired {
		byPartition[f.Partition] = append(byPartition[f.Partition], f.Alert)
	}
	for p, alerts := range byPartition {
		if len(alerts) == 0 {
			continue
		}
		parts := splitAlerts(alerts)
		for i, body := range parts {
			last := d.last[p]
			if last.Seq > ref.Seq || (last.Seq == ref.Seq && last.Part >= i) {
				continue
			}
			cause := journal.Cause{Ref: ref, Part: i, Parts: len(parts)}
			ref, err := d.append(ctx, d.writers[p], cause, body)
			if err != nil {
				return err
			}
			d.last[p], d.alerts = cause, ref
		}
	}
	return nil
}

func (d *Detector) append(ctx context.Context, w *journal.Writer, cause journal.Cause, body []byte) (journal.Ref, error) {
	for {
		ref, err := w.Append(ctx, cause, body)
		if err == nil || errors.Is(err, journal.ErrFenced) || errors.Is(err, journal.ErrTooLarge) {
			return ref, err
		}
		// Whatever it was: the same append may be tried again, and stores the message once.
		d.log.Warn("what follows from events is not journaled yet", "error", err)
		select {
		case <-ctx.Done():
			return ref, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// splitAlerts encodes alerts as lines, in messages of bounded size.
func splitAlerts(alerts []*event.Alert) [][]byte {
	var parts [][]byte
	var body []byte
	for _, a := range alerts {
		body = a.AppendJSON(body)
		body = append(body, '\n')
		if len(body) >= alertPart {
			parts = append(parts, body)
			body = nil
		}
	}
	if len(body) > 0 {
		parts = append(parts, body)
	}
	return parts
}

// decodeAlerts reads a message of alerts.
func decodeAlerts(body []byte) ([]*event.Alert, error) {
	var out []*event.Alert
	for line := range bytes.Lines(body) {
		a, err := event.ParseAlert(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
