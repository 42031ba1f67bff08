package pipeline

import (
	"fmt"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

// Rerun runs a rule set over messages of the journal's events as the detector does, with the documents
// matched anew: what would have fired had these been the rules. It appends nothing.
type Rerun struct {
	matcher *rematcher
	windows *rules.Windows
	codec   *journal.Codec
	batch   journal.Batch
	signals event.SignalBuffer
	ev      event.Event
	docs    []byte

	// Alert gets what fires, Event each event of a call that is not quarantined; either may be nil.
	Alert func(*event.Alert)
	Event func(*event.Event)
}

// NewRerun begins with empty windows.
func NewRerun(set *rules.Set, windows rules.WindowConfig) (*Rerun, error) {
	codec, err := journal.NewCodec()
	if err != nil {
		return nil, err
	}
	return &Rerun{matcher: newRematcher(set), windows: rules.NewWindows(set.Rules(), set.Hash(), windows), codec: codec}, nil
}

// Close frees what it holds.
func (r *Rerun) Close() { r.codec.Close() }

// Take runs the rules over one message, which belongs to the caller again afterwards.
func (r *Rerun) Take(e *journal.Entry) error {
	if e.Subject == journal.RulesetSubject {
		return nil
	}
	if err := r.match(e); err != nil {
		return fmt.Errorf("message %d: %w", e.Seq, err)
	}
	settle(&r.batch)
	r.fire(r.windows.Apply(rules.Step{
		Signals: r.signals.Signals, Positions: r.batch.Positions, Agent: r.batch.Agent, Ingest: r.batch.Ingest,
	}))
	return nil
}

// End lets everything that waits be counted.
func (r *Rerun) End() { r.fire(r.windows.End()) }

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
