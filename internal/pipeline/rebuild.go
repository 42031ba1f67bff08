package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

// rebuildSlack is how much earlier than their time lines are looked for: they reach the journal a
// little after it.
const rebuildSlack = time.Minute

// rebuild fills the windows of rules whose logic is new from what was journaled for as long as they look
// back, so that a burst that began before a reload is seen whole, and a history need not be learnt
// again. Where the journal does not go back so far, the rules are warming until it would have.
func (d *Detector) rebuild(ctx context.Context, e *journal.Entry, before *rules.Set) error {
	if before == nil || d.set == nil {
		return nil
	}
	var fresh []*rules.Rule
	var span time.Duration
	for _, r := range d.set.Rules() {
		if before.ByState(r.State) == nil {
			fresh = append(fresh, r)
			span = max(span, r.Span())
		}
	}
	if span == 0 {
		return nil
	}
	// What windows have yet to count may have been journaled long ago, where one source is behind.
	since := e.Time
	if s := d.windows.Stats(); s.Started {
		since = time.Unix(0, min(since.UnixNano(), s.Watermark))
	}
	since = since.Add(-span - rebuildSlack)
	known, err := d.known(ctx, journal.Events, since)
	if err != nil {
		return err
	}
	fired, err := d.rebuildEvents(ctx, e, since, rules.NewSet(fresh...))
	if err != nil {
		return fmt.Errorf("rebuild windows of new rules: %w", err)
	}
	if slices.ContainsFunc(fresh, func(r *rules.Rule) bool { return r.Kind == rules.Chain }) {
		lost, err := d.known(ctx, journal.Alerts, since)
		if err != nil {
			return err
		}
		known = max(known, lost)
		if err := d.rebuildAlerts(ctx, e, since); err != nil {
			return fmt.Errorf("rebuild windows of new rules on alerts: %w", err)
		}
	}
	d.windows.Rebuilt(known)
	d.tellRebuilt(fresh)
	return d.emit(ctx, e.Ref, fired)
}

// known is the time from which on a stream holds all that was written since a time; the beginning of
// time where it does.
func (d *Detector) known(ctx context.Context, stream string, since time.Time) (int64, error) {
	first, last, err := d.j.Bounds(ctx, stream)
	if err != nil || first <= 1 {
		return math.MinInt64, err // nothing was ever purged
	}
	known := int64(math.MinInt64)
	err = d.j.ReadRange(ctx, stream, first-1, min(first, last), ">", func(old *journal.Entry) error {
		if old.Time.After(since) {
			known = old.Time.UnixNano()
		}
		return nil
	})
	return known, err
}

// rebuildEvents gives the windows what the new rules find in the documents of the journal.
func (d *Detector) rebuildEvents(ctx context.Context, e *journal.Entry, since time.Time, set *rules.Set) ([]rules.Fired, error) {
	from, err := d.j.SeqAt(ctx, journal.Events, since)
	if err != nil {
		return nil, err
	}
	var fired []rules.Fired
	again := func(old *journal.Entry) error {
		if err := d.codec.DecodeSignals(old.Body, &d.batch); err != nil {
			return err
		}
		signals, err := d.rematch(old.Body, set)
		if err != nil {
			return err
		}
		fired = append(fired, d.windows.Rebuild(rules.Step{
			Signals: signals, Positions: d.batch.Positions, Agent: d.batch.Agent, Ingest: d.batch.Ingest,
		})...)
		return nil
	}
	if err := d.j.ReadRange(ctx, journal.Events, from, e.Seq-1, "events.>", again); err != nil || d.derived.ref.Seq <= e.Seq {
		return fired, err
	}
	// Where the windows were behind, what was joined of events before the change is journaled after it.
	err = d.j.ReadRange(ctx, journal.Events, e.Seq, d.derived.ref.Seq, journal.DerivedSubject(joinWriter), func(old *journal.Entry) error {
		if old.Cause.Seq >= e.Seq {
			return nil // it is yet to be joined
		}
		return again(old)
	})
	return fired, err
}

// rebuildAlerts gives the windows of new rules on alerts the alerts of before the reload.
func (d *Detector) rebuildAlerts(ctx context.Context, e *journal.Entry, since time.Time) error {
	from, err := d.j.SeqAt(ctx, journal.Alerts, since)
	if err != nil {
		return err
	}
	_, last, err := d.j.Bounds(ctx, journal.Alerts)
	if err != nil {
		return err
	}
	var alerts []*event.Alert
	err = d.j.ReadRange(ctx, journal.Alerts, from, last, "alerts.>", func(old *journal.Entry) error {
		if old.Cause.Seq >= e.Seq {
			return nil // after a restart: it has not fired yet
		}
		found, err := decodeAlerts(old.Body)
		alerts = append(alerts, found...)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(alerts, func(a, b *event.Alert) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), slices.Compare(a.ID[:], b.ID[:]))
	})
	d.windows.RebuildChains(alerts)
	return nil
}

// tellRebuilt logs which rules go on learning.
func (d *Detector) tellRebuilt(fresh []*rules.Rule) {
	var warming []string
	stats := d.windows.Stats()
	for _, r := range fresh {
		if slices.ContainsFunc(stats.Rules, func(s rules.RuleStats) bool { return s.ID == r.ID && s.Warming }) {
			warming = append(warming, r.ID)
		}
	}
	if len(warming) > 0 {
		d.log.Warn("rules are warming: the journal does not go back as far as they look", "rules", warming)
	}
}

// rematch matches the journaled documents of a batch again, with another set than they were matched
// with before.
func (d *Detector) rematch(body []byte, set *rules.Set) ([]event.Signal, error) {
	raw, err := d.codec.DecodeDocs(body, nil)
	if err != nil {
		return nil, err
	}
	docs, err := journal.Documents(raw)
	if err != nil {
		return nil, err
	}
	files, err := d.batch.Files()
	if err != nil {
		return nil, err
	}
	if len(files) != len(docs) {
		return nil, fmt.Errorf("batch of %d documents has %d", len(files), len(docs))
	}
	var buf event.SignalBuffer
	var ev event.Event
	m := newRematcher(set)
	for i := range docs {
		ev.Reset()
		if err := ev.DecodeJSON(docs[i].JSON); err != nil {
			return nil, err
		}
		m.match(&ev, rules.Origin{
			Event: docs[i].ID, File: files[i], Offset: ev.Int(event.LivewardOffset), Ingest: d.batch.Ingest,
		}, &buf)
	}
	return buf.Signals, nil
}
