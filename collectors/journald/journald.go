// Package journald collects the messages that services log to systemd's journal. It follows the journal
// by journalctl's export format, so that it needs neither cgo nor the journal's library; the text of an
// entry's MESSAGE is the line, and a message of several lines is as many lines.
//
// It never takes another field of an entry, and it never writes to the journal, nor vacuums it.
//
// # Positions
//
// The journal is one file: offsets count the bytes of the lines as if each stood in it with its line
// feed. A position says in Cursor which entry ended at CheckAt, so that another run goes on behind it.
// Where a crash fell between two messages of one batch, the entries of that batch are read again, and
// the lines that are durable already are left out.
package journald

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/collectors/internal/tally"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of the journal's lines in positions.
const Path = "-journald"

// Config is what a collector needs to know.
type Config struct {
	Source      string   // the configuration's name of the log
	Units       []string // exact names of units; all where empty. A name without a suffix is a service's.
	Identifiers []string // syslog identifiers; all where empty
	Directory   string   // of journal files; the host's own where empty
	FromEnd     bool     // begin with what is logged from now on, where nothing was read before
	MaxLine     int      // bytes of a line; what is longer is cut and marked; 1 MiB
	Program     string   // journalctl, as a name in PATH or a path; "journalctl"
}

const (
	tickEvery = 5 * time.Second
	quietTime = 500 * time.Millisecond
	firstRest = time.Second // before journalctl is started again
	longRest  = 30 * time.Second
	// lookAgain is for how long a journalctl that follows may have nothing to say before another one is
	// asked. It looks by the number of entries whether there is a new one; systemd counts an entry before
	// it is found by its unit, and one that was counted and not found is not looked for until the next.
	lookAgain = 30 * time.Second
)

// Collector follows one journal.
type Collector struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	tick    time.Duration
	quiet   time.Duration // without an entry, until the source counts as idle
	afresh  time.Duration // without an entry, until another journalctl is asked
	program string

	pos   event.Position // as it was made durable
	idle  bool
	batch event.Batch
	stats tally.Of[Stats]
}

// New makes a collector. It starts nothing. resume are the positions the journal holds of it.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	if cfg.MaxLine == 0 {
		cfg.MaxLine = 1 << 20
	}
	if cfg.Program == "" {
		cfg.Program = "journalctl"
	}
	if cfg.Source == "" {
		return nil, errors.New("journald: no source name")
	}
	if cfg.MaxLine < 0 {
		return nil, errors.New("journald: limits must be positive")
	}
	for _, name := range append(append([]string(nil), cfg.Units...), cfg.Identifiers...) {
		if name == "" || strings.ContainsAny(name, "\x00\n*?[") {
			return nil, fmt.Errorf("journald: %q is no exact name of a unit or an identifier", name)
		}
	}
	program, err := exec.LookPath(cfg.Program)
	if err != nil {
		return nil, fmt.Errorf("journald: %s is not to be found: it comes with systemd, on the host whose journal is read", cfg.Program)
	}
	c := &Collector{
		cfg: cfg, now: now, log: log.With("component", "collectors/journald", "source", cfg.Source), tick: tickEvery, quiet: quietTime, afresh: lookAgain,
		program: program, pos: event.Position{Source: cfg.Source, Path: Path, Ordinal: 1},
	}
	for _, p := range resume {
		if p.Source == cfg.Source && p.Path == Path && p.Ordinal == 1 {
			p.Start, p.Idle, p.Done = p.End, false, false
			c.pos = p
		}
	}
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

// Collect implements collectors.Collector.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	if err := c.putTick(ctx, sink); err != nil { // registers the source
		return err
	}
	if c.cfg.FromEnd && c.pos.Cursor == "" && c.pos.End == 0 {
		if err := c.again(ctx, sink, modeLast); err != nil {
			return err
		}
	}
	// What there is comes first, and only its end tells that it was all.
	if err := c.again(ctx, sink, modeStored); err != nil {
		return err
	}
	for {
		c.idle = true
		if err := c.again(ctx, sink, modeFollow); err != nil {
			return err
		}
	}
}

// again runs journalctl until it ends as it should, with a rest where it does not.
func (c *Collector) again(ctx context.Context, sink collectors.Sink, mode mode) error {
	for rest := firstRest; ; rest = min(2*rest, longRest) {
		before := c.pos.Cursor
		err := c.run(ctx, sink, mode)
		if err == nil && mode != modeFollow || errors.Is(err, errAfresh) || ctx.Err() != nil {
			return ctx.Err()
		}
		if refused, ok := errors.AsType[sinkError](err); ok {
			return refused.error
		}
		if err == nil {
			err = errEnded
		}
		c.stats.Add(func(s *Stats) { s.Restarts++ })
		c.log.Warn("journalctl ended and is started again", "error", err)
		if c.pos.Cursor != before {
			rest = firstRest
		}
		if err := c.rest(ctx, sink, rest); err != nil {
			return err
		}
	}
}

var errEnded = errors.New("it was stopped")

// errAfresh ends a journalctl that has had nothing to say for a while.
var errAfresh = errors.New("another journalctl is to look")

// sinkError is what the sink ended the collector with.
type sinkError struct{ error }

func (e sinkError) Unwrap() error { return e.error }

// rest waits, and ticks meanwhile.
func (c *Collector) rest(ctx context.Context, sink collectors.Sink, span time.Duration) error {
	timer, tick := time.NewTimer(span), time.NewTicker(c.tick)
	defer timer.Stop()
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-tick.C:
			if err := c.putTick(ctx, sink); err != nil {
				return err
			}
		}
	}
}

// run runs journalctl once and puts what it gives.
func (c *Collector) run(ctx context.Context, sink collectors.Sink, mode mode) error {
	p, err := c.start(ctx, mode)
	if err != nil {
		return err
	}
	defer p.stop()
	tick, quiet, afresh := time.NewTicker(c.tick), time.NewTimer(c.quiet), time.NewTimer(c.afresh)
	defer tick.Stop()
	defer quiet.Stop()
	defer afresh.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := c.putTick(ctx, sink); err != nil {
				return sinkError{err}
			}
		case <-quiet.C:
			c.idle = mode == modeFollow
		case <-afresh.C:
			if mode == modeFollow {
				return errAfresh
			}
		case k, more := <-p.chunks:
			if !more {
				err := p.wait()
				if line := p.stderr.line(); err == nil && line != "" {
					c.log.Warn("journalctl has a remark", "remark", line)
				}
				return err
			}
			c.idle = c.idle && len(k.lines) == 0 // the entry that was known already is no news
			quiet.Reset(c.quiet)
			afresh.Reset(c.afresh)
			err := c.putChunk(ctx, sink, k, mode)
			p.free <- k
			if err != nil {
				return sinkError{err}
			}
		}
	}
}

func (c *Collector) putTick(ctx context.Context, sink collectors.Sink) error {
	p := c.pos
	p.Start, p.Idle = p.End, c.idle
	b := &c.batch
	b.Tick, b.Lines, b.Positions = true, b.Lines[:0], append(b.Positions[:0], p)
	return c.put(ctx, sink)
}

// putChunk makes entries durable, but for the lines that are so already.
func (c *Collector) putChunk(ctx context.Context, sink collectors.Sink, k *chunk, mode mode) error {
	if k.vacuumed {
		c.stats.Add(func(s *Stats) { s.Vacuumed++ })
		c.log.Warn("the journal does not hold the entry any more that was read last: entries between it and the next may be lost")
	}
	p := c.pos
	if p.Fingerprint.IsZero() && mode != modeLast && len(k.lines) > 0 {
		p.Fingerprint = fingerprint(k.first)
	}
	lines := k.lines
	for len(lines) > 0 && (lines[0].Offset < p.End || mode == modeLast) {
		lines = lines[1:]
	}
	n := int64(len(lines))
	if n > 0 {
		p.Start, p.End, p.Idle = p.End, k.end, false
		b := &c.batch
		b.Tick, b.Lines, b.Positions = false, append(b.Lines[:0], lines...), append(b.Positions[:0], p)
		err := c.put(ctx, sink)
		clear(b.Lines)
		if err != nil {
			return err
		}
	}
	// The cursor of a batch is that of its beginning: it may be journaled in parts.
	// It stands where its own last entry ended, which lies before what is durable where entries are read again.
	p.Cursor, p.CheckAt = string(k.cursor), k.end
	if mode == modeLast {
		p.CheckAt = p.End
	}
	p.Start = p.End
	c.pos = p
	c.stats.Add(func(s *Stats) {
		s.Entries += k.entries
		s.Oversize += k.oversize
		s.Lines += n
		if n > 0 {
			s.Batches++
		}
	})
	return nil
}

// put hands the batch over, the same one again for as long as the journal pushes back.
func (c *Collector) put(ctx context.Context, sink collectors.Sink) error {
	c.batch.Ingest = max(c.batch.Ingest, c.now().UnixNano())
	return handover.Manner{Pushback: c.pushedBack}.Put(ctx, sink, &c.batch)
}

func (c *Collector) pushedBack() { c.stats.Add(func(s *Stats) { s.Pushbacks++ }) }
