package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/minio/highwayhash"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// Quarantined is a line in quarantine, as the journal has it. Doc is valid until the next one.
type Quarantined struct {
	ID       event.Hash
	Cause    journal.Ref    // the message it stands in
	Position event.Position // of its file
	Offset   int64
	Agent    string
	Ingest   int64
	Time     int64
	Reason   string
	Doc      []byte
	// Recovered tells that the line was read since and stands in the journal as an event.
	Recovered bool
}

// recoveryWriter is the name of the writer of recovered lines.
const recoveryWriter = "deadletter"

// recoveredID is the id of the event that a quarantined line has become. It is not the line's own: under
// that one stores have the document of the quarantine.
func recoveredID(id event.Hash) event.Hash { return event.HashStrings("recovered", id.String()) }

// quarantineMark is in every document of a line in quarantine, and in few others.
const quarantineMark = `"kind":"pipeline_error"`

// Quarantine gives f every line in quarantine that the journal holds, message by message, in its order.
func Quarantine(ctx context.Context, j *journal.Journal, f func([]Quarantined) error) error {
	done, err := recoveredIDs(ctx, j)
	if err != nil {
		return err
	}
	_, last, err := j.Bounds(ctx, journal.Events)
	if err != nil {
		return err
	}
	codec, err := journal.NewCodec()
	if err != nil {
		return err
	}
	defer codec.Close()
	var raw []byte
	return j.ReadRange(ctx, journal.Events, 0, last, "events.>", func(e *journal.Entry) error {
		if raw, err = codec.DecodeDocs(e.Body, raw[:0]); err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		if !bytes.Contains(raw, []byte(quarantineMark)) || e.Subject == journal.DerivedSubject(recoveryWriter) {
			return nil
		}
		list, err := quarantinedIn(e, raw, done)
		if err != nil {
			return fmt.Errorf("message %d: %w", e.Seq, err)
		}
		if len(list) == 0 {
			return nil
		}
		return f(list)
	})
}

func quarantinedIn(e *journal.Entry, raw []byte, done map[event.Hash]bool) ([]Quarantined, error) {
	head, err := journal.DecodeHead(e.Body)
	if err != nil {
		return nil, err
	}
	docs, err := journal.Documents(raw)
	if err != nil {
		return nil, err
	}
	files, err := head.Files()
	if err != nil || len(files) != len(docs) {
		return nil, errors.Join(err, fmt.Errorf("batch of %d documents has %d", len(files), len(docs)))
	}
	var list []Quarantined
	var ev event.Event
	for i := range docs {
		if !bytes.Contains(docs[i].JSON, []byte(quarantineMark)) {
			continue
		}
		ev.Reset()
		if err := ev.DecodeJSON(docs[i].JSON); err != nil {
			return nil, err
		}
		if ev.Str(event.EventKind) != "pipeline_error" {
			continue
		}
		list = append(list, Quarantined{
			ID: docs[i].ID, Cause: e.Ref, Position: head.Positions[files[i]], Offset: ev.Int(event.LivewardOffset),
			Agent: head.Agent, Ingest: head.Ingest, Time: ev.Time(event.Timestamp), Reason: ev.Str(event.ErrorMessage),
			Doc: docs[i].JSON, Recovered: done[recoveredID(docs[i].ID)],
		})
	}
	return list, nil
}

// recoveredIDs reads which events recoveries have appended. A recovery comes after its line, so the
// journal holds it for at least as long.
func recoveredIDs(ctx context.Context, j *journal.Journal) (map[event.Hash]bool, error) {
	subject := journal.DerivedSubject(recoveryWriter)
	done := map[event.Hash]bool{}
	last, err := j.Last(ctx, journal.Events, subject)
	if err != nil || last == nil {
		return done, err
	}
	codec, err := journal.NewCodec()
	if err != nil {
		return nil, err
	}
	defer codec.Close()
	var raw []byte
	err = j.ReadRange(ctx, journal.Events, 0, last.Seq, subject, func(e *journal.Entry) error {
		if raw, err = codec.DecodeDocs(e.Body, raw[:0]); err != nil {
			return err
		}
		docs, err := journal.Documents(raw)
		for i := range docs {
			done[docs[i].ID] = true
		}
		return err
	})
	return done, err
}

// Recovery reads quarantined lines again, from their files, and appends those that have become events.
// Whatever happens in between, a line becomes one event: what was appended is not appended again.
type Recovery struct {
	Journal *journal.Journal
	// Source makes the processor for a source, with its longest line; nil where no input has that name.
	Source func(name string) (*Processor, int, error)
	Log    *slog.Logger
	// Dry reads and parses, and appends nothing.
	Dry bool

	files   map[int]*file.Again // by longest line
	sources map[string]*recoverySource
	ids     ids
	read    *event.Event // of the last line
	codec   *journal.Codec
	writer  *journal.Writer
}

type recoverySource struct {
	proc  *Processor
	again *file.Again
}

// RecoveryResult counts lines by what became of them.
type RecoveryResult struct {
	Recovered map[string]int `json:"recovered"`  // by the reason for which they were in quarantine
	StillBad  map[string]int `json:"still_bad"`  // by the reason for which they still are
	Unread    map[string]int `json:"unreadable"` // by why they cannot be read again
	Before    int            `json:"recovered_before"`
}

// The reasons for which a line cannot be read again.
const (
	unreadNoFile  = "it came from no file"
	unreadGone    = "its file is gone"
	unreadChanged = "its file no longer has it"
	unreadNoInput = "no input of that name is configured"
)

// Run recovers the lines that want takes.
func (r *Recovery) Run(ctx context.Context, want func(*Quarantined) bool) (RecoveryResult, error) {
	res := RecoveryResult{Recovered: map[string]int{}, StillBad: map[string]int{}, Unread: map[string]int{}}
	r.files, r.sources = map[int]*file.Again{}, map[string]*recoverySource{}
	var err error
	if r.codec, err = journal.NewCodec(); err != nil {
		return res, err
	}
	defer func() {
		r.codec.Close()
		for _, f := range r.files {
			f.Close()
		}
	}()
	if r.writer, err = r.Journal.Writer(ctx, journal.Events, journal.DerivedSubject(recoveryWriter)); err != nil {
		return res, err
	}
	err = Quarantine(ctx, r.Journal, func(list []Quarantined) error {
		list = slices.DeleteFunc(list, func(q Quarantined) bool { return !want(&q) })
		slices.SortFunc(list, func(a, b Quarantined) int {
			return cmp.Or(cmp.Compare(a.Position.Path, b.Position.Path), cmp.Compare(a.Position.Ordinal, b.Position.Ordinal), cmp.Compare(a.Offset, b.Offset))
		})
		return r.message(ctx, list, &res)
	})
	if errors.Is(err, journal.ErrFenced) {
		return res, errors.New("another replay is at work: wait until it is done")
	}
	return res, err
}

// message recovers lines of one message of the journal.
func (r *Recovery) message(ctx context.Context, list []Quarantined, res *RecoveryResult) error {
	var parts [][]byte
	var head journal.BatchHead
	var docs []byte
	var keys keyTally
	flush := func() error {
		if len(docs) == 0 {
			return nil
		}
		keys.tell(&head)
		body, err := r.codec.Append(nil, &journal.Batch{BatchHead: head, Docs: docs})
		parts, docs = append(parts, body), docs[:0]
		head.Documents, head.Runs, head.Joins = 0, nil, nil
		keys.reset()
		return err
	}
	for i := range list {
		q := &list[i]
		if q.Recovered {
			res.Before++
			continue
		}
		p, why, err := r.line(q)
		switch {
		case err != nil:
			return err
		case why != "":
			res.Unread[why]++
			continue
		case p.Quarantined:
			res.StillBad[reasonOf(p.Doc)]++
			continue
		}
		res.Recovered[q.Reason]++
		if head.Positions == nil {
			// No file of any agent has this path, so it holds up nobody.
			head = journal.BatchHead{
				Agent: q.Agent, Collector: recoveryWriter, Ingest: q.Ingest,
				Positions: []event.Position{{Source: q.Position.Source, Path: "-" + recoveryWriter, Ordinal: 1, Done: true}},
			}
		}
		docs = journal.AppendDoc(docs, p.ID, "liveward.event", p.Tenant, p.Doc)
		if p.Joins {
			head.Joins = append(head.Joins, head.Documents)
		}
		head.AddDocument(0)
		keys.see(r.read)
		if len(docs) >= partBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil || r.Dry {
		return err
	}
	for i, body := range parts {
		if _, err := r.writer.Append(ctx, journal.Cause{Ref: list[0].Cause, Part: i, Parts: len(parts)}, body); err != nil {
			return fmt.Errorf("recovered lines were not journaled: %w", err)
		}
	}
	return nil
}

// reasonOf reads why a document is in quarantine.
func reasonOf(doc []byte) string {
	var ev event.Event
	if ev.DecodeJSON(doc) != nil {
		return ""
	}
	return ev.Str(event.ErrorMessage)
}

// line reads a line again and processes it. why says why it cannot be read.
func (r *Recovery) line(q *Quarantined) (p Processed, why string, err error) {
	if q.Position.Path == "" || q.Position.Path[0] == '-' {
		return p, unreadNoFile, nil
	}
	src, err := r.source(q.Position.Source)
	if err != nil {
		return p, "", err
	}
	if src == nil {
		return p, unreadNoInput, nil
	}
	outcome := src.again.Line(q.Position.Path, q.Position.Fingerprint, q.Offset, func(data, head []byte, oversize bool) bool {
		line := event.Line{Offset: q.Offset, Data: data, Oversize: oversize}
		pos := q.Position
		pos.MaxTime = 0
		if r.ids.of(&line, &pos) != q.ID && !r.cut(q, data) {
			return false
		}
		directives(src.proc.Format, head)
		var signals event.SignalBuffer
		src.proc.forget()
		p = src.proc.Process(&line, &pos, q.Ingest, &signals)
		r.read = &src.proc.ev
		return true
	})
	switch {
	case outcome == file.Gone:
		return p, unreadGone, nil
	case outcome == file.Changed:
		return p, unreadChanged, nil
	case p.Skipped:
		return p, "it has become a directive", nil
	}
	return p, "", nil
}

// cut tells whether data, which may be longer than what could be taken then, is the quarantined line.
// How long a line could be is not known any more; limits are numbers of KiB.
func (r *Recovery) cut(q *Quarantined, data []byte) bool {
	if q.Reason != reasonOversize {
		return false
	}
	r.ids.begin(&q.Position)
	h := r.ids.content()
	var sum [highwayhash.Size128]byte
	for len(data) > 1<<10 {
		_, _ = h.Write(data[:1<<10]) // cannot fail
		data = data[1<<10:]
		if r.ids.id(h.Sum(sum[:0]), q.Offset) == q.ID {
			return true
		}
	}
	return false
}

// directives lets a format read the directives at the beginning of a file.
func directives(f formats.Format, head []byte) {
	var ev event.Event
	for line := range bytes.Lines(head) {
		if line[0] == '#' && line[len(line)-1] == '\n' {
			_ = f.Parse(bytes.TrimRight(line, "\r\n"), &ev) // one that is none changes nothing
			ev.Reset()
		}
	}
}

func (r *Recovery) source(name string) (*recoverySource, error) {
	if s, ok := r.sources[name]; ok {
		return s, nil
	}
	proc, maxLine, err := r.Source(name)
	if err != nil || proc == nil {
		r.sources[name] = nil
		return nil, err
	}
	again := r.files[maxLine]
	if again == nil {
		if again, err = file.NewAgain(maxLine, r.Log); err != nil {
			return nil, err
		}
		r.files[maxLine] = again
	}
	r.sources[name] = &recoverySource{proc, again}
	return r.sources[name], nil
}
