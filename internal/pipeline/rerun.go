package pipeline

import (
	"fmt"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

// Rerun runs a rule set over messages of the journal's events as the detector does, with the documents
// matched anew: what would have fired had these been the rules. It appends nothing.
type Rerun struct {
	matcher *rematcher
	windows *rules.Windows
	joins   *joining // nil where nothing is joined
	newest  int64    // largest event time of any source
	codec   *journal.Codec
	batch   journal.Batch
	signals event.SignalBuffer
	ev      event.Event
	docs    []byte

	// Alert gets what fires, Event each event of a call that is not quarantined, also what was joined of
	// others (it has the field liveward.join.kind); either may be nil.
	Alert func(*event.Alert)
	Event func(*event.Event)
}

// NewRerun begins with empty windows. joins is nil where nothing is joined; what the agent joined is
// derived anew.
func NewRerun(set *rules.Set, windows rules.WindowConfig, joins *join.Config) (*Rerun, error) {
	codec, err := journal.NewCodec()
	if err != nil {
		return nil, err
	}
	r := &Rerun{matcher: newRematcher(set), windows: rules.NewWindows(set.Rules(), set.Hash(), windows), codec: codec}
	if joins != nil {
		r.joins = newJoining(*joins)
		r.joins.use(set)
	}
	return r, nil
}

// Close frees what it holds.
func (r *Rerun) Close() { r.codec.Close() }

// Take runs the rules over one message, which belongs to the caller again afterwards.
func (r *Rerun) Take(e *journal.Entry) error {
	if e.Subject == journal.RulesetSubject || e.Subject == journal.DerivedSubject(joinWriter) {
		return nil
	}
	if err := r.match(e); err != nil {
		return fmt.Errorf("message %d: %w", e.Seq, err)
	}
	for i := range r.batch.Positions {
		r.newest = max(r.newest, r.batch.Positions[i].MaxTime)
	}
	settle(&r.batch)
	step := rules.Step{Signals: r.signals.Signals, Positions: r.batch.Positions, Agent: r.batch.Agent, Ingest: r.batch.Ingest}
	if r.joins != nil {
		if err := r.joins.take(r.codec, e.Body, &r.batch.BatchHead); err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		step.Derive = r.joins.derive
	}
	return r.apply(step)
}

// End lets everything that waits be joined and counted.
func (r *Rerun) End() error {
	if r.joins != nil {
		step := rules.Step{Derive: func(int64) rules.Step { return r.joins.derive(r.newest + 1) }}
		if err := r.apply(step); err != nil {
			return err
		}
	}
	r.fire(r.windows.End())
	return nil
}

// apply takes one step, and tells of the events that were derived in it.
func (r *Rerun) apply(step rules.Step) error {
	r.fire(r.windows.Apply(step))
	if r.joins == nil || r.Event == nil {
		return nil
	}
	for i := range r.joins.derived {
		r.ev.Reset()
		if err := r.ev.DecodeJSON(r.joins.document(&r.joins.derived[i])); err != nil {
			return err
		}
		r.Event(&r.ev)
	}
	return nil
}

// Stats tells how the windows are doing.
func (r *Rerun) Stats() rules.WindowStats { return r.windows.Stats() }

func (r *Rerun) fire(fired []rules.Fired) {
	for _, f := range fired {
		if r.Alert != nil {
			r.Alert(f.Alert)
		}
	}
}

// match reads a message's head and documents, and makes their signals.
func (r *Rerun) match(e *journal.Entry) error {
	head, err := journal.DecodeHead(e.Body)
	if err != nil {
		return err
	}
	r.batch.BatchHead = *head
	r.signals.Reset()
	if r.docs, err = r.codec.DecodeDocs(e.Body, r.docs[:0]); err != nil {
		return err
	}
	docs, err := journal.Documents(r.docs)
	if err != nil {
		return err
	}
	files, err := head.Files()
	if err != nil {
		return err
	}
	if len(files) != len(docs) {
		return fmt.Errorf("batch of %d documents has %d", len(files), len(docs))
	}
	for i := range docs {
		r.ev.Reset()
		if err := r.ev.DecodeJSON(docs[i].JSON); err != nil {
			return err
		}
		if r.Event != nil && r.ev.Str(event.EventKind) == "event" {
			r.Event(&r.ev)
		}
		r.matcher.match(&r.ev, rules.Origin{
			Event: docs[i].ID, File: files[i], Offset: r.ev.Int(event.LivewardOffset), Ingest: head.Ingest,
		}, &r.signals)
	}
	return nil
}
