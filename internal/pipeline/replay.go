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

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/rules"
)

// Replay runs whole files through the stages and the windows in one go, without a journal. It is
// the agent's own processor and windows: the same lines give the same alerts.
//
// Files are merged by time; a file's source ends with the file. Skew is not judged: a bare file does
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
	files := make([]*replayFile, 0, len(paths))
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.close())
		}
	}()
	joins := r.newJoins()
	for _, path := range paths {
		f, err := r.openFile(path, joins != nil)
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
			return res, fmt.Errorf("%s: %w", files[at].pos.Path, err)
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

// chunk processes the next lines of one file.
func (r *Replay) chunk(f *replayFile, index int, signals *event.SignalBuffer, joins *joining, res *ReplayResult) error {
	for range replayChunk {
		offset := f.pos.End
		data, oversize, n, err := f.next(r.MaxLine)
		f.pos.End += int64(n)
		if errors.Is(err, io.EOF) {
			f.pos.Done, f.pos.Idle = true, true
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
			e.File, e.Line = f.pos.Path, f.lines
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

// replayFile is a file on its way through a replay.
type replayFile struct {
	pos    event.Position
	proc   *Processor
	file   io.Closer
	closer io.Closer
	r      *bufio.Reader
	long   []byte // a line longer than the reader's buffer
	lines  int
}

func (r *Replay) openFile(path string, joins bool) (*replayFile, error) {
	proc, err := r.New()
	if err != nil {
		return nil, err
	}
	if !joins {
		proc.Joins = 0
	}
	proc.Undocumented = r.Document == nil && r.Explain == nil
	proc.SetRules(r.Rules)
	f := &replayFile{proc: proc, pos: event.Position{Source: r.Source, Path: path, Ordinal: 1}}
	open := r.Open
	if open == nil {
		open = openPath
	}
	src, err := open(path)
	if err != nil {
		return nil, err
	}
	f.file = src
	f.r = bufio.NewReaderSize(src, 1<<20)
	if magic, err := f.r.Peek(2); strings.HasSuffix(path, ".gz") || (err == nil && magic[0] == 0x1f && magic[1] == 0x8b) {
		z, err := gzip.NewReader(f.r)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.close())
		}
		f.closer = z
		f.r = bufio.NewReaderSize(z, 1<<20)
	}
	return f, nil
}

// openPath opens a file, or standard input, which stays open.
func openPath(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

func (f *replayFile) close() error {
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
func (f *replayFile) next(limit int) (line []byte, oversize bool, n int, err error) {
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
