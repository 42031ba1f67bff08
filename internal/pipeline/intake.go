package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

const (
	// partBytes is the size of documents and signals at which a batch is cut into another message.
	// Documents are compressed after that; the journal takes 8 MiB, so even what does not compress
	// fits, with the positions of a thousand files.
	partBytes = 4 << 20
	// partSignals bounds the signals of one message, whatever their size.
	partSignals = 10_000
	// eventSignals bounds the bytes of one event's signals. A message is cut after the event that
	// fills it, so with these three bounds a message always fits.
	eventSignals = 1 << 20
	// showBytes is what is journaled of a value that is only shown: windows keep less of it.
	showBytes = 1 << 10
)

// Intake is the sink of one collector: it processes batches and appends them to the journal. Its
// Put returns nil exactly when the batch is durable.
type Intake struct {
	agent, collector string
	subject          string
	j                *journal.Journal
	proc             *Processor
	rules            *Rulesets
	log              *slog.Logger
	counts           *Counts

	writer  *journal.Writer
	codec   *journal.Codec
	current event.Hash // rule set the processor matches with
	signals event.SignalBuffer
	docs    []byte
	body    []byte
	durable map[fileKey]int64 // end of what is in the journal, per file
	mark    []int64           // event time of the batch's sources at the last durable message
	full    func() bool
	gate    *Gate
	begun   bool
	resumed []event.Position
	runs    journal.BatchHead // documents of the message being built, by file
	keys    keyTally          // of the message being built
	size    int               // of its signals, encoded
	maxBody int
}

type fileKey struct {
	event.SourceKey
	ordinal uint64
}

// NewIntake opens the collector's subject and returns the sink with the positions to resume from.
// full tells whether the journal is over its size target, so that collectors are pushed back.
func NewIntake(ctx context.Context, j *journal.Journal, agent, collector string, proc *Processor, rules *Rulesets, gate *Gate, full func() bool, counts *Counts, log *slog.Logger) (*Intake, []event.Position, error) {
	in := &Intake{
		agent: agent, collector: collector, subject: journal.BatchSubject(agent, collector),
		j: j, proc: proc, rules: rules, log: log, counts: counts, full: full, gate: gate,
		durable: make(map[fileKey]int64), maxBody: j.MaxBody(),
	}
	var err error
	if in.writer, err = j.Writer(ctx, journal.Events, in.subject); err != nil {
		return nil, nil, err
	}
	positions, err := j.Positions(ctx, in.subject)
	if err != nil {
		return nil, nil, err
	}
	if in.codec, err = journal.NewCodec(); err != nil {
		return nil, nil, err
	}
	for _, p := range positions {
		proc.Resume(p)
		in.durable[keyOf(&p)] = p.End
	}
	in.resumed = positions
	return in, positions, nil
}

func keyOf(p *event.Position) fileKey { return fileKey{p.Key(), p.Ordinal} }

// Close frees what the intake holds; the journal stays open.
func (in *Intake) Close() { in.codec.Close() }

// Put implements collectors.Sink.
func (in *Intake) Put(ctx context.Context, b *event.Batch) error {
	if in.full() {
		return collectors.ErrPushback
	}
	set, hash := in.rules.Current()
	if hash != in.current {
		in.proc.tellMatches(in.counts.addRule)
		in.proc.SetRules(set)
		in.current = hash
	}
	if !in.begun {
		if err := in.register(ctx, b); err != nil {
			return err
		}
	}
	if err := in.gate.wait(ctx); err != nil {
		return err
	}
	in.reset()
	part := in.positions(b) // what the message being built covers
	for i := range part {
		// A batch that was pushed back half-way comes again whole: its first part is durable.
		if end, ok := in.durable[keyOf(&part[i])]; ok && end > part[i].Start {
			part[i].Start = min(end, part[i].End)
		}
	}
	in.mark = in.proc.mark(part, in.mark)
	if err := in.process(ctx, b, part); err != nil {
		in.proc.rewind(part, in.mark)
		return err
	}
	return nil
}

// register journals which sources there are before anything of them: the watermark must not pass what
// one of them has to say. Nothing of it counts as idle. Sources of an earlier start that this one
// does not read are declared done, so that nobody waits for them.
func (in *Intake) register(ctx context.Context, b *event.Batch) error {
	in.reset()
	positions := in.positions(b)
	named := make(map[event.SourceKey]bool, len(b.Positions))
	for i, p := range positions {
		named[p.Key()] = true
		p.End, p.Idle = p.Start, false
		p.Done = p.Done && b.Positions[i].End == p.Start
		positions[i] = p
	}
	for _, p := range in.resumed {
		if b.Tick && !named[p.Key()] {
			p.Start, p.Idle, p.Done = p.End, false, true
			positions = append(positions, p)
		}
	}
	if err := in.append(ctx, b, positions, false); err != nil {
		return err
	}
	in.begun, in.resumed = true, nil
	in.gate.Arrive(in.collector)
	return nil
}

// positions are a batch's own, with names fit to be stored.
func (in *Intake) positions(b *event.Batch) []event.Position {
	out := slices.Clone(b.Positions)
	for i := range out {
		if out[i].Name != "" {
			out[i].Name = in.proc.Privacy.ObjectName(out[i].Name)
		}
	}
	return out
}

// reset begins another message.
func (in *Intake) reset() {
	in.signals.Reset()
	in.docs = in.docs[:0]
	in.size = 0
	in.keys.reset()
	in.runs.Documents, in.runs.Runs, in.runs.Joins = 0, in.runs.Runs[:0], in.runs.Joins[:0]
}

func (in *Intake) process(ctx context.Context, b *event.Batch, part []event.Position) error {
	for i := range b.Lines {
		line := &b.Lines[i]
		pos := &part[line.File]
		if line.Offset < pos.Start {
			continue
		}
		r := in.proc.Process(line, pos, b.Ingest, &in.signals)
		if r.Skipped {
			continue // its bytes are covered by the position all the same
		}
		in.docs = journal.AppendDoc(in.docs, r.ID, "liveward.event", r.Tenant, r.Doc)
		if r.Joins {
			in.runs.Joins = append(in.runs.Joins, in.runs.Documents)
		}
		in.runs.AddDocument(line.File)
		in.keys.see(&in.proc.ev)
		in.size += r.Signals
		if in.partFull() && i < len(b.Lines)-1 {
			if err := in.appendPart(ctx, b, part, i+1); err != nil {
				return err
			}
		}
	}
	return in.append(ctx, b, part, b.Tick)
}

// partFull tells that the message being built takes no further event.
func (in *Intake) partFull() bool {
	return len(in.docs)+in.size >= partBytes || len(in.signals.Signals) >= partSignals
}

// appendPart appends a message that ends before line next of the batch.
func (in *Intake) appendPart(ctx context.Context, b *event.Batch, part []event.Position, next int) error {
	// Each file is covered up to its first line that is still to come.
	ends := make([]int64, len(part))
	for i := range part {
		ends[i] = part[i].End
	}
	for i := len(b.Lines) - 1; i >= next; i-- {
		ends[b.Lines[i].File] = b.Lines[i].Offset
	}
	cut := make([]event.Position, len(part))
	copy(cut, part)
	for i := range cut {
		cut[i].End = max(ends[i], cut[i].Start)
		if cut[i].End < part[i].End {
			cut[i].Idle, cut[i].Done = false, false
		}
	}
	if err := in.append(ctx, b, cut, false); err != nil {
		return err
	}
	for i := range part {
		part[i].Start = cut[i].End
	}
	in.reset()
	return nil
}

func (in *Intake) append(ctx context.Context, b *event.Batch, positions []event.Position, tick bool) error {
	for i := range positions {
		// Files without lines in this message still say how far their source has come.
		positions[i].MaxTime = max(positions[i].MaxTime, in.proc.clock(&positions[i]).max)
	}
	in.keys.tell(&in.runs)
	var err error
	in.body, err = in.codec.Append(in.body[:0], &journal.Batch{
		BatchHead: journal.BatchHead{
			Agent: in.agent, Collector: in.collector, Ruleset: in.current,
			Ingest: b.Ingest, Tick: tick, Positions: positions,
			Documents: in.runs.Documents, Runs: in.runs.Runs, Joins: in.runs.Joins,
			Keys: in.runs.Keys, MoreKeys: in.runs.MoreKeys,
		},
		Signals: in.signals.Signals,
		Docs:    in.docs,
	})
	if err != nil {
		return err
	}
	ref, err := in.store(ctx)
	if err != nil {
		return err
	}
	for i := range positions {
		in.durable[keyOf(&positions[i])] = positions[i].End
	}
	in.mark = in.proc.mark(positions, in.mark)
	in.proc.Tally.Batches++
	if t := &in.proc.Tally; t.Lines > 0 {
		t.LastIngest = b.Ingest
		if t.NewestEvent != 0 {
			t.Delay = max(0, b.Ingest-t.NewestEvent)
		}
	}
	if tick {
		for _, blind := range in.proc.Blind() {
			in.proc.Tally.Blind += blind.Calls
			in.log.Warn("rules are blind on a source", "source", blind.Source, "why", blind.String())
		}
	}
	in.counts.Add(in.collector, &in.proc.Tally)
	in.proc.Tally.reset()
	in.proc.tellMatches(in.counts.addRule)
	if !tick {
		return nil
	}
	in.forget(positions)
	if err := in.j.SavePositions(ctx, in.subject, ref, positions); err != nil {
		// The copy only makes the next start faster: the journal has the positions.
		in.log.Warn("positions were not copied", "collector", in.collector, "error", err)
	}
	return nil
}

// store appends the body, and goes on until it is known to be stored or known not to be.
func (in *Intake) store(ctx context.Context) (journal.Ref, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ref, err := in.writer.Append(ctx, journal.Cause{}, in.body)
		switch {
		case err == nil:
			return ref, nil
		case errors.Is(err, journal.ErrFenced):
			return ref, collectors.ErrFenced
		case errors.Is(err, journal.ErrPushback):
			in.log.Warn("journal pushes back", "collector", in.collector, "error", err)
			return ref, collectors.ErrPushback
		case ctx.Err() != nil:
			return ref, ctx.Err()
		}
		in.log.Error("append again", "collector", in.collector, "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return ref, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// forget drops what is known of files that a tick no longer names.
func (in *Intake) forget(positions []event.Position) {
	named := make(map[fileKey]bool, len(positions))
	for i := range positions {
		named[keyOf(&positions[i])] = true
	}
	for k := range in.durable {
		if !named[k] {
			delete(in.durable, k)
		}
	}
}

// String names the intake in logs.
func (in *Intake) String() string { return fmt.Sprintf("intake %s", in.subject) }
