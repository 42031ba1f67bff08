package pipeline

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/file/split"
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
			return res, fmt.Errorf("%s: %w", files[at].path, err)
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
	for range replayChunk {
		offset := f.pos.End
		data, oversize, n, err := f.next(r.MaxLine)
		f.pos.End += int64(n)
		if errors.Is(err, io.EOF) {
			f.ended = true
			f.pos.Done = len(f.later) == 0
			f.pos.Idle = f.pos.Done
			break
		}
		if err != nil {
			return err
		}
		f.lines++
		if len(data) == 0 {
			continue
		}
		if f.pos.Fingerprint.IsZero() {
			f.pos.Fingerprint = split.WholeFingerprint(data)
		}
		line := event.Line{File: index, Offset: offset, Data: data, Oversize: oversize}
		p := f.proc.Process(&line, &f.pos, 0, signals)
		if joins != nil && p.Joins {
			joins.engine.TakeEvent(p.ID, &f.proc.ev, p.Doc)
		}
		if r.Explain != nil {
			e, err := f.proc.Explain.Explain(&line, &p)
			if err != nil {
				return err
			}
			e.File, e.Line = f.path, f.lines
			if err := r.Explain(&e); err != nil {
				return err
			}
		}
		if r.Document != nil && !p.Skipped {
			if err := r.Document(p); err != nil {
				return err
			}
		}
	}
	res.addTotals(&f.proc.Tally)
	f.proc.Tally.reset()
	return nil
}

// replayLog is a log on its way through a replay.
type replayLog struct {
	pos    event.Position
	proc   *Processor
	open   func(string) (io.ReadCloser, error)
	path   string   // of the file that is read
	later  []string // files that come after it
	ended  bool     // it was read to its end
	file   io.Closer
	closer io.Closer
	r      *bufio.Reader
	long   []byte // a line longer than the reader's buffer
	lines  int    // of the file
}

// newLog opens the first file of a log. That the others are there is seen now, not after a million lines.
func (r *Replay) newLog(log file.Log, joins bool) (*replayLog, error) {
	proc, err := r.New()
	if err != nil {
		return nil, err
	}
	if !joins {
		proc.Joins = 0
	}
	proc.Undocumented = r.Document == nil && r.Explain == nil
	proc.SetRules(r.Rules)
	f := &replayLog{proc: proc, open: r.Open, later: log.Files, pos: event.Position{Source: r.Source, Path: log.Path}}
	if f.open == nil {
		f.open = openPath
	}
	for _, path := range log.Files[1:] {
		src, err := f.open(path)
		if err != nil {
			return nil, err
		}
		if err := src.Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return f, f.nextFile()
}

// nextFile goes on with the next file of the log, which must have one.
func (f *replayLog) nextFile() error {
	if err := f.close(); err != nil {
		return err
	}
	f.path, f.later = f.later[0], f.later[1:]
	f.ended, f.lines, f.file, f.closer = false, 0, nil, nil
	f.pos.Ordinal++
	f.pos.Fingerprint, f.pos.End = event.Hash{}, 0
	src, err := f.open(f.path)
	if err != nil {
		return err
	}
	f.file = src
	f.r = bufio.NewReaderSize(src, 1<<20)
	if magic, err := f.r.Peek(2); strings.HasSuffix(f.path, ".gz") || (err == nil && magic[0] == 0x1f && magic[1] == 0x8b) {
		z, err := gzip.NewReader(f.r)
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", f.path, err), f.close())
			f.file = nil
			return err
		}
		f.closer = z
		f.r = bufio.NewReaderSize(z, 1<<20)
	}
	return nil
}

// openPath opens a file, or standard input, which stays open.
func openPath(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

func (f *replayLog) close() error {
	var errs []error
	if f.closer != nil {
		errs = append(errs, f.closer.Close())
	}
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

// next returns the next line without its ending, cut at limit, and the number of bytes it took.
func (f *replayLog) next(limit int) (line []byte, oversize bool, n int, err error) {
	f.long = f.long[:0]
	for {
		part, err := f.r.ReadSlice('\n')
		n += len(part)
		switch {
		case err == nil || (errors.Is(err, io.EOF) && n > 0):
			line = part
			if len(f.long) > 0 || oversize {
				if room := limit - len(f.long); len(part) > room {
					part, oversize = part[:max(room, 0)], true
				}
				f.long = append(f.long, part...)
				line = f.long
			}
			line = trimEnding(line)
			if len(line) > limit {
				line, oversize = line[:limit], true
			}
			return line, oversize, n, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if room := limit - len(f.long); len(part) > room {
				part, oversize = part[:max(room, 0)], true
			}
			f.long = append(f.long, part...)
		default:
			return nil, false, n, err
		}
	}
}

func trimEnding(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
