package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/strict"
)

// DeadLetter is a line that could not be read, or a document that a store would not take.
type DeadLetter struct {
	Kind   string     `json:"kind"` // line or document
	ID     event.Hash `json:"id"`
	Time   time.Time  `json:"time,omitzero"`
	Reason string     `json:"reason"`
	// Of a line: where it stands.
	Source string `json:"source,omitempty"`
	Path   string `json:"path,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	// Of a document: who would not take it.
	Forwarder string `json:"forwarder,omitempty"`
	Dataset   string `json:"dataset,omitempty"`
	Status    int    `json:"status,omitempty"`
	// Document is what is kept: of a line its shape, with values masked.
	Document json.RawMessage `json:"document,omitempty"`
	Error    string          `json:"error,omitempty"` // ends a list that could not be read to its end
}

// The kinds of dead letters.
const (
	LineLetter     = "line"
	DocumentLetter = "document"
)

// DeadLetterQuery chooses dead letters; what is empty chooses all.
type DeadLetterQuery struct {
	IDs    []event.Hash `json:"ids,omitempty"`
	Source string       `json:"source,omitempty"` // of lines
	Kind   string       `json:"kind,omitempty"`
	DryRun bool         `json:"dry_run,omitempty"` // of replay
}

func (q *DeadLetterQuery) takes(kind string, id event.Hash, source string) bool {
	return (q.Kind == "" || q.Kind == kind) && (len(q.IDs) == 0 || slices.Contains(q.IDs, id)) &&
		(q.Source == "" || kind == LineLetter && q.Source == source)
}

// DeadLetterReport says what a replay did.
type DeadLetterReport struct {
	Lines     pipeline.RecoveryResult  `json:"lines"`
	Documents map[string]ForwardReport `json:"documents"` // by forwarder
}

// ForwardReport says what became of documents that were sent again.
type ForwardReport struct {
	Stored  int            `json:"stored"`
	Refused map[string]int `json:"refused"` // by the store's reason
}

// DeadLetters works on the dead letters of a plan's agent: through the agent where it runs, else in its
// data directory.
type DeadLetters struct {
	client *Client
	box    *deadLetterBox
	close  func() error
}

// OpenDeadLetters reaches the agent, or takes its data directory.
func OpenDeadLetters(ctx context.Context, plan *Plan, version string) (*DeadLetters, error) {
	client, err := Connect(ctx, plan.Config.Agent.Data)
	switch {
	case err == nil:
		return &DeadLetters{client: client, close: func() error { client.Close(); return nil }}, nil
	case !errors.Is(err, ErrNotRunning):
		return nil, err
	}
	j, release, err := openStopped(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{
		box:   &deadLetterBox{j: j, plan: plan, version: version, log: slog.New(slog.DiscardHandler)},
		close: release,
	}, nil
}

// Close lets go of agent or directory.
func (d *DeadLetters) Close() error { return d.close() }

// List gives f the dead letters that were not dealt with yet: lines first, in the order of the journal.
func (d *DeadLetters) List(ctx context.Context, q DeadLetterQuery, f func(*DeadLetter) error) error {
	if d.box != nil {
		return d.box.list(ctx, q, f)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	answer, err := d.client.stream(ctx, http.MethodPost, "/v1/deadletters", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	for dec := json.NewDecoder(answer); ; {
		var l DeadLetter
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("answer of the agent: %w", err)
		case l.Error != "":
			return fmt.Errorf("the agent says: %s", l.Error)
		}
		if err := f(&l); err != nil {
			return err
		}
	}
}

// Replay reads lines again, and sends documents again.
func (d *DeadLetters) Replay(ctx context.Context, q DeadLetterQuery) (DeadLetterReport, error) {
	if d.box != nil {
		return d.box.replay(ctx, q)
	}
	var r DeadLetterReport
	err := d.client.Post(ctx, "/v1/deadletters/replay", q, &r)
	return r, err
}

// controlDeadLetters streams a list.
func (a *Agent) controlDeadLetters(w http.ResponseWriter, r *http.Request) (any, error) {
	var q DeadLetterQuery
	if err := decodeRequest(r, &q); err != nil {
		return nil, err
	}
	enc := json.NewEncoder(w)
	err := a.deadLetters().list(r.Context(), q, func(l *DeadLetter) error { return enc.Encode(l) })
	if err != nil {
		_ = enc.Encode(DeadLetter{Error: err.Error()}) // the list has begun
	}
	return nil, nil //nolint:nilnil // the answer is written
}

func (a *Agent) controlReplay(_ http.ResponseWriter, r *http.Request) (any, error) {
	var q DeadLetterQuery
	if err := decodeRequest(r, &q); err != nil {
		return nil, err
	}
	// What is replayed is read with the maps as they are now, not as they were when the agent started.
	fresh := *a.plan
	f := strict.Decode("configuration", nil, &Config{})
	if err := errors.Join(fresh.loadMaps(f), f.Err()); err != nil {
		return nil, err
	}
	box := a.deadLetters()
	box.plan = &fresh
	return box.replay(r.Context(), q)
}

func (a *Agent) deadLetters() *deadLetterBox {
	return &deadLetterBox{j: a.journal, plan: a.plan, version: a.hooks.Version, log: a.log.With("component", "deadletter")}
}

// deadLetterBox is a journal with what is needed to deal with its dead letters.
type deadLetterBox struct {
	j       *journal.Journal
	plan    *Plan
	version string
	log     *slog.Logger
}

func (b *deadLetterBox) list(ctx context.Context, q DeadLetterQuery, f func(*DeadLetter) error) error {
	err := pipeline.Quarantine(ctx, b.j, func(lines []pipeline.Quarantined) error {
		for i := range lines {
			l := &lines[i]
			if l.Recovered || !q.takes(LineLetter, l.ID, l.Position.Source) {
				continue
			}
			err := f(&DeadLetter{
				Kind: LineLetter, ID: l.ID, Time: time.Unix(0, l.Time).UTC(), Reason: l.Reason,
				Source: l.Position.Source, Path: l.Position.Path, Offset: l.Offset, Document: l.Doc,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return pipeline.Rejected(ctx, b.j, func(d *pipeline.DeadLetter) error {
		if !q.takes(DocumentLetter, d.ID, "") {
			return nil
		}
		return f(&DeadLetter{
			Kind: DocumentLetter, ID: d.ID, Reason: d.Reason, Forwarder: d.Forwarder, Dataset: d.Dataset,
			Status: d.Status, Document: d.Document,
		})
	})
}

func (b *deadLetterBox) replay(ctx context.Context, q DeadLetterQuery) (DeadLetterReport, error) {
	r := pipeline.Recovery{Journal: b.j, Source: b.source, Log: b.log, Dry: q.DryRun}
	lines, err := r.Run(ctx, func(l *pipeline.Quarantined) bool { return q.takes(LineLetter, l.ID, l.Position.Source) })
	report := DeadLetterReport{Lines: lines, Documents: map[string]ForwardReport{}}
	if err != nil || q.DryRun {
		return report, err
	}
	forwarder := func(name string) (forwarders.Forwarder, error) { return b.plan.forwarder(name, time.Now, b.log) }
	sent, err := pipeline.ForwardAgain(ctx, b.j, forwarder, func(d *pipeline.DeadLetter) bool { return q.takes(DocumentLetter, d.ID, "") })
	for name, s := range sent {
		report.Documents[name] = ForwardReport(s)
	}
	return report, err
}

// source makes the processor of an input; nil where none has that name.
func (b *deadLetterBox) source(name string) (*pipeline.Processor, int, error) {
	i := slices.IndexFunc(b.plan.inputs, func(in input) bool { return in.Name == name })
	if i < 0 {
		return nil, 0, nil
	}
	in := b.plan.inputs[i]
	stages, who, err := b.plan.stages(in, b.log, time.Now, b.version)
	if err != nil {
		return nil, 0, err
	}
	stages.Recovers = true
	return pipeline.NewProcessor(stages, who), int(in.MaxLine), nil
}
