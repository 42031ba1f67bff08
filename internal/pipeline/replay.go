package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/rules"
)

// Replay runs whole files through the stages and the windows in one go, without a journal. It is
// the agent's own processor and windows: the same lines give the same alerts.
//
// The files of one log are read one after another, the oldest first, as the agent has read them; logs are
// merged by time, and a log's source ends with its last file. Skew is not judged: a bare file does
// not say when it was read.
type Replay struct {
	// Source is liveward.source of the events: with the name the agent uses, ids are the agent's.
	Source string
	// MaxLine is the agent's limit of a line, in bytes.
	MaxLine int
	// Open opens a file; nil opens those of the file system, and "-" as standard input.
	Open func(path string) (io.ReadCloser, error)
	// New makes the processor of one file.
	New func() (*Processor, error)
	// Rules may be nil: then lines are only parsed.
	Rules   *rules.Set
	Windows rules.WindowConfig
	// Joins, where not nil, has events derived, as the agent's are; without rules there are none.
	Joins *join.Config
	// Alert and Document get what comes out, in order; either may be nil. The document's bytes are
	// valid until it returns.
	Alert    func(*event.Alert) error
	Document func(Processed) error
	// Explain gets every line explained, in order, where New makes processors that explain; it may be nil.
	Explain func(*Explained) error
}

// ReplayResult sums a replay up.
type ReplayResult struct {
	Totals
	Alerts  int64
	Windows rules.WindowStats
	Copies  []Copy // files that were not read
}

// replayChunk is how many lines of one file are taken before the files' times are compared again.
const replayChunk = 2048

// Run replays files; "-" is standard input.
func (r *Replay) Run(ctx context.Context, paths []string) (res ReplayResult, err error) {
	res.Totals = newTotals()
	windows := rules.NewWindows(nil, event.Hash{}, r.Windows)
	if r.Rules != nil {
		windows = rules.NewWindows(r.Rules.Rules(), r.Rules.Hash(), r.Windows)
	}
	paths, res.Copies, err = r.withoutCopies(ctx, paths)
	if err != nil {
		return res, err
	}
	logs := file.Logs(paths)
	files := make([]*replayLog, 0, len(logs))
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.close())
		}
	}()
	joins := r.newJoins()
	for _, log := range logs {
		f, err := r.newLog(log, joins != nil)
		if err != nil {
			return res, err
		}
		files = append(files, f)
	}
	positions := make([]event.Position, len(files))
	var signals event.SignalBuffer
	for {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		at := -1
		for i, f := range files {
			if !f.pos.Done && (at < 0 || f.pos.MaxTime < files[at].pos.MaxTime) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		signals.Reset()
		if err := r.chunk(files[at], at, &signals, joins, &res); err != nil {
			return res, err
		}
		for i, f := range files {
			positions[i] = f.pos
		}
		if err := r.apply(windows, joins, rules.Step{Signals: signals.Signals, Positions: positions, Agent: "replay"}, nil, &res); err != nil {
			return res, err
		}
	}
	if err := r.endJoins(windows, joins, positions, &res); err != nil {
		return res, err
	}
	if err := r.fire(windows.End(), &res); err != nil {
		return res, err
	}
	res.Windows = windows.Stats()
	return res, nil
}

// newJoins makes what joins events; nil where nothing is derived, or nobody would see it.
func (r *Replay) newJoins() *joining {
	if r.Joins == nil || r.Rules == nil || r.Document == nil && !anyAbout(r.Rules, IsJoinField) {
		return nil
	}
	joins := newJoining(*r.Joins)
	joins.use(r.Rules)
	return joins
}

// apply takes one step. until, where not nil, is the watermark of joins instead of the windows' own.
func (r *Replay) apply(windows *rules.Windows, joins *joining, step rules.Step, until *int64, res *ReplayResult) error {
	if joins != nil {
		step.Derive = joins.derive
		if until != nil {
			step.Derive = func(int64) rules.Step { return joins.derive(*until) }
		}
	}
	fired := windows.Apply(step)
	if joins != nil && r.Document != nil {
		for i := range joins.derived {
			d := &joins.derived[i]
			if err := r.Document(Processed{ID: d.ID, Doc: joins.document(d), Tenant: d.Event.Str(event.OrganizationID)}); err != nil {
				return err
			}
		}
	}
	return r.fire(fired, res)
}

// endJoins joins what there is: every source has come to its end, and time to the largest event time.
func (r *Replay) endJoins(windows *rules.Windows, joins *joining, positions []event.Position, res *ReplayResult) error {
	if joins == nil {
		return nil
	}
	var end int64
	for i := range positions {
		end = max(end, positions[i].MaxTime+1)
	}
	return r.apply(windows, joins, rules.Step{Positions: positions, Agent: "replay"}, &end, res)
}

func (r *Replay) fire(fired []rules.Fired, res *ReplayResult) error {
	for _, f := range fired {
		res.Alerts++
		if r.Alert == nil {
			continue
		}
		if err := r.Alert(f.Alert); err != nil {
			return err
		}
	}
	return nil
}

// chunk processes the next lines of one log, all of one file.
func (r *Replay) chunk(f *replayLog, index int, signals *event.SignalBuffer, joins *joining, res *ReplayResult) error {
	if f.ended {
		if err := f.nextFile(); err != nil {
			return err
		}
	}
	for taken := 0; taken < replayChunk; {
		most := replayChunk - taken
		if r.Explain != nil {
			most = 1 // a line at a time, for its number
		}
		lines, err := f.lines.next(most)
		f.pos.End, f.pos.Fingerprint = f.lines.off, f.lines.first
		if errors.Is(err, io.EOF) {
			f.ended = true
			f.pos.Done = len(f.later) == 0
			f.pos.Idle = f.pos.Done
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		taken += len(lines)
		for i := range lines {
			lines[i].File = index
			if err := r.line(f, &lines[i], signals, joins); err != nil {
				return err
			}
		}
	}
	res.addTotals(&f.proc.Tally)
	f.proc.Tally.reset()
	return nil
}

// line processes one line of a log.
func (r *Replay) line(f *replayLog, line *event.Line, signals *event.SignalBuffer, joins *joining) error {
	p := f.proc.Process(line, &f.pos, 0, signals)
	if joins != nil && p.Joins {
		joins.engine.TakeEvent(p.ID, &f.proc.ev, p.Doc)
	}
	if r.Explain != nil {
		e, err := f.proc.Explain.Explain(line, &p)
		if err != nil {
			return err
		}
		e.File, e.Line = f.path, f.lines.number
		if err := r.Explain(&e); err != nil {
			return err
		}
	}
	if r.Document != nil && !p.Skipped {
		return r.Document(p)
	}
	return nil
}
