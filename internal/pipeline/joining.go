package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

// joinWriter is the name of the writer of joined events.
const joinWriter = "join"

// joining derives events beside the windows: it is given what they are given, and moves with their
// watermark, so that what it derives is a function of the journal as their alerts are, and takes its
// place in the windows before anything that comes after it.
type joining struct {
	engine  *join.Engine
	matcher *rules.Matcher // of the rules that see joined events
	ingest  int64
	signals event.SignalBuffer
	derived []join.Derived // of the last step; valid until the next
	doc     []byte         // the document made last
}

func newJoining(cfg join.Config) *joining { return &joining{engine: join.New(cfg)} }

// use changes the rules that derived events are matched against.
func (j *joining) use(set *rules.Set) {
	j.matcher = nil
	if set != nil {
		j.matcher = matcherAbout(set, IsJoinField)
	}
}

// IsJoinField tells whether only joined events have a field. Rules that need none have counted the events
// that these follow from, and see no joined ones.
func IsJoinField(id event.ID) bool { return strings.HasPrefix(id.String(), "liveward.join.") }

// take takes the documents of a message that joins look at.
func (j *joining) take(codec *journal.Codec, body []byte, head *journal.BatchHead) error {
	j.ingest = head.Ingest
	if len(head.Joins) == 0 {
		return nil
	}
	raw, err := codec.DecodeDocs(body, nil)
	if err != nil {
		return err
	}
	docs, err := journal.Documents(raw)
	if err != nil {
		return err
	}
	for _, i := range head.Joins {
		if i < 0 || i >= len(docs) {
			return fmt.Errorf("batch of %d documents names document %d", len(docs), i)
		}
		j.engine.Take(docs[i].ID, docs[i].JSON)
	}
	return nil
}

// derive is what windows ask for: the signals of what follows up to a watermark. What was derived is in
// derived until the next step.
func (j *joining) derive(watermark int64) rules.Step {
	j.derived = j.engine.Advance(watermark)
	j.signals.Reset()
	if j.matcher != nil {
		for _, d := range j.derived {
			j.matcher.Match(d.Event, rules.Origin{Event: d.ID, Ingest: j.ingest}, &j.signals)
		}
	}
	return rules.Step{Signals: j.signals.Signals, Positions: joinPositions(), Agent: "~"}
}

// document is the document of a derived event, valid until the next.
func (j *joining) document(d *join.Derived) []byte {
	j.doc = d.Event.AppendJSON(j.doc[:0])
	return j.doc
}

// joinPositions is the place of derived events. It is of no file and at its end: it holds nobody up.
func joinPositions() []event.Position {
	return []event.Position{{Source: join.Source, Path: "-" + joinWriter, Ordinal: 1, Done: true}}
}

// openDerived opens the subject of joined events and learns what was appended to it.
func (d *Detector) openDerived(ctx context.Context) error {
	if d.joins == nil {
		return nil
	}
	w, err := d.j.Writer(ctx, journal.Events, journal.DerivedSubject(joinWriter))
	if err != nil {
		return err
	}
	d.derived.writer = w
	last := w.LastAtOpen()
	if last == nil {
		return nil
	}
	d.derived.ref = last.Ref
	ok, err := d.j.Holds(ctx, journal.Events, last.Cause.Ref)
	if ok {
		d.derived.last = last.Cause
	}
	return err
}

// emitDerived appends what a message gave rise to, split where it is large. What the subject has of this
// cause already is not appended again.
func (d *Detector) emitDerived(ctx context.Context, ref journal.Ref) error {
	if len(d.joins.derived) == 0 {
		return nil
	}
	parts, err := d.splitDerived()
	if err != nil {
		return err
	}
	for i, body := range parts {
		last := d.derived.last
		if last.Seq > ref.Seq || (last.Seq == ref.Seq && last.Part >= i) {
			continue
		}
		cause := journal.Cause{Ref: ref, Part: i, Parts: len(parts)}
		stored, err := d.append(ctx, d.derived.writer, cause, body)
		if err != nil {
			return err
		}
		d.derived.last, d.derived.ref = cause, stored
	}
	return nil
}

// splitDerived encodes what was derived, in messages of bounded size.
func (d *Detector) splitDerived() ([][]byte, error) {
	var parts [][]byte
	var docs []byte
	head := journal.BatchHead{Agent: d.batch.Agent, Collector: joinWriter, Ruleset: d.ruleset, Ingest: d.batch.Ingest, Positions: joinPositions()}
	flush := func() error {
		body, err := d.codec.Append(nil, &journal.Batch{BatchHead: head, Docs: docs})
		parts, docs = append(parts, body), docs[:0]
		head.Documents, head.Runs = 0, nil
		return err
	}
	for i := range d.joins.derived {
		x := &d.joins.derived[i]
		docs = journal.AppendDoc(docs, x.ID, "liveward.event", x.Event.Str(event.OrganizationID), d.joins.document(x))
		head.AddDocument(0)
		if len(docs) >= partBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if len(docs) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
