// Package file tails log files: it finds them by globs, reads on where the journal says it stopped,
// and follows every kind of rotation without losing a line or reading one twice.
//
// It never parses a line, keeps no position outside the batches it hands over, and never trusts a
// notification, a name or an inode alone: what was read before must still stand in front of what is
// read next.
//
// # Rotation
//
// The files that stand at a path one after the other are its generations. They are read strictly in
// order; each has an ordinal. A renamed file is read until its writer has left it (Config.Drain),
// and is watched for stray lines a while longer (Config.Keep). After a truncation the rest is read
// from the copy that logrotate's copytruncate made. After downtime, and when rotations come faster
// than looks, the generations in between are found among the rotated files: plain or gzip, in the
// directory of the path or of what it links to, named path.N, path-DATE and the like.
//
// # Limits
//
// What cannot be found again: generations moved to another directory or compressed by anything but
// gzip while the collector was down; bytes written between copytruncate's copy and its truncation,
// if they were not read in that moment; a log whose first line and last 256 bytes before the reading
// offset are the same in two generations; and, while the file read last is gone, the generations
// before the live one unless the journal knows an event time of that file. A last line without a
// line feed that its writer completes more than five drains after the rotation becomes two lines.
// What was rotated away before the very first batch is never read, nor is a rotated file while its
// path is tailed for the first time.
package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/collectors/internal/tally"
	"github.com/liveward/liveward/internal/event"
)

// Config says what to tail. Zero values take the defaults.
type Config struct {
	Name    string   // the configuration's name of the log: Position.Source
	Paths   []string // globs
	Exclude []string // globs, over the whole path or its last element

	// StartAtEnd skips what is in the files at the first start ever: when the journal has no
	// position of this source. Files that come later are always read from their beginning.
	StartAtEnd bool

	MaxLine    int           // bytes of a line, default 1 MiB; what is longer is cut and marked
	BatchBytes int           // bytes of lines in a batch, default 1 MiB
	Linger     time.Duration // how long a partial batch waits for more lines, default 200 ms
	Poll       time.Duration // between looks at every file and glob, default 1 s
	Tick       time.Duration // between ticks, default 5 s
	// Drain is how long a rotated file must have been quiet before its successor is read; default
	// two polls. Rounded to polls, at least one.
	Drain time.Duration
	// Keep is how long a rotated file that was read to its end is watched for stray lines;
	// default 1 min.
	Keep time.Duration

	// MaxOpenFiles is how many files stay open between looks, default 256. Of more, those at their end
	// are closed; never a rotated one that its writer may not have left.
	MaxOpenFiles int
	MaxFiles     int // tailed paths, default 1024; more are reported and not read

	// PollOnly does without notifications, as for network file systems.
	PollOnly bool
}

const (
	defaultLine  = 1 << 20
	defaultBatch = 1 << 20
	maxLines     = 16 << 10 // in a batch, whatever their size
	longLine     = 64 << 10 // block size when looking for the end of a line that is too long
	drainFactor  = 5        // a busy or half-written rotated file holds up its successor no longer than 5 drains
)

var errNotRegular = errors.New("not a regular file")

func (cfg *Config) withDefaults() error {
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orDuration := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&cfg.MaxLine, defaultLine)
	orInt(&cfg.BatchBytes, defaultBatch)
	orInt(&cfg.MaxOpenFiles, 256)
	orInt(&cfg.MaxFiles, 1024)
	orDuration(&cfg.Linger, 200*time.Millisecond)
	orDuration(&cfg.Poll, time.Second)
	orDuration(&cfg.Tick, 5*time.Second)
	orDuration(&cfg.Drain, 2*cfg.Poll)
	orDuration(&cfg.Keep, time.Minute)
	var errs []error
	if cfg.Name == "" {
		errs = append(errs, errors.New("file collector: no name"))
	}
	if len(cfg.Paths) == 0 {
		errs = append(errs, fmt.Errorf("file collector %s: no paths", cfg.Name))
	}
	cfg.Paths, cfg.Exclude = slices.Clone(cfg.Paths), slices.Clone(cfg.Exclude)
	for _, list := range [][]string{cfg.Paths, cfg.Exclude} {
		for i, p := range list {
			list[i] = filepath.Clean(p)
			if _, err := filepath.Match(p, ""); err != nil {
				errs = append(errs, fmt.Errorf("file collector %s: pattern %q: %w", cfg.Name, p, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Collector tails files. It is used by one Collect at a time; Stats may be called beside it.
type Collector struct {
	cfg    Config
	limits split.Limits
	now    func() time.Time
	log    *slog.Logger
	resume map[string][]event.Position // by path, until the path is first seen
	fresh  bool                        // the first start ever

	tails    []*tail // in order of path
	byPath   map[string]*tail
	gone     map[ident]*generation // finished files that may still match a glob, bounded
	skipped  map[string]bool       // names that are not tailed for a reason that was logged
	crowded  bool                  // more files than MaxFiles, logged
	turn     int                   // tail that reads first in the next round
	drain    int                   // Config.Drain in polls
	keep     int                   // Config.Keep in polls
	watch    *watcher
	scanSoon bool

	batch batch
	stats tally.Of[Stats]
}

// New makes a collector that goes on at the given positions; those of other sources are ignored.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	if err := cfg.withDefaults(); err != nil {
		return nil, err
	}
	polls := func(d time.Duration) int { return int(max(1, (d+cfg.Poll-1)/cfg.Poll)) }
	c := &Collector{
		cfg:     cfg,
		limits:  split.Limits{Line: cfg.MaxLine, Lines: maxLines},
		now:     now,
		log:     log.With("component", "collectors/file", "source", cfg.Name),
		resume:  map[string][]event.Position{},
		fresh:   true,
		byPath:  map[string]*tail{},
		gone:    map[ident]*generation{},
		skipped: map[string]bool{},
		drain:   polls(cfg.Drain),
		keep:    max(polls(cfg.Keep), polls(cfg.Drain)),
	}
	c.batch.init(cfg.BatchBytes, cfg.MaxLine)
	for _, p := range resume {
		if p.Source != cfg.Name {
			continue
		}
		c.fresh = false
		c.resume[p.Path] = append(c.resume[p.Path], p)
	}
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

// Collect implements collectors.Collector. It returns nil never: only ctx, the sink, or a
// programming error end it.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	c.watch = newWatcher(c.cfg.PollOnly, c.log)
	defer c.watch.close()
	defer c.closeAll()
	c.scan(ctx)
	c.fresh = false // a file that is found from now on is new
	if err := c.flush(ctx, sink, true); err != nil {
		return err
	}

	poll, tick := time.NewTicker(c.cfg.Poll), time.NewTicker(c.cfg.Tick)
	defer poll.Stop()
	defer tick.Stop()
	linger := time.NewTimer(c.cfg.Linger)
	linger.Stop()
	lingering := false
	always := make(chan struct{})
	close(always)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := c.round(ctx, sink)
		if err != nil {
			return err
		}
		if !c.due() {
			lingering = false
			linger.Stop()
		} else if !lingering {
			lingering = true
			linger.Reset(c.cfg.Linger)
		}
		var ready <-chan struct{}
		if more {
			ready = always // look at the clocks, but do not wait for them
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			err = c.flush(ctx, sink, true)
		case <-linger.C:
			lingering = false
			err = c.flush(ctx, sink, false)
		case <-poll.C:
			c.scan(ctx)
			c.lookAll(ctx, true)
			c.closeIdle()
			c.measure()
		case <-c.watch.wake:
			c.lookDirty(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// round lets every file that has something read its share, starting with another file each time, so
// that a busy one does not hold up the others. more tells that there is more to read.
func (c *Collector) round(ctx context.Context, sink collectors.Sink) (more bool, err error) {
	waiting := 0
	for _, t := range c.tails {
		if t.ready {
			waiting++
		}
	}
	if waiting == 0 {
		return false, nil
	}
	n := len(c.tails)
	c.turn++
	for i := range n {
		t := c.tails[(c.turn+i)%n]
		if !t.ready {
			continue
		}
		for {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			quota := max(c.batch.room()/waiting, longLine)
			if c.read(ctx, t, quota) != full {
				break
			}
			if err := c.flush(ctx, sink, false); err != nil {
				return false, err
			}
		}
		more = more || t.ready
	}
	if c.batch.isFull() {
		return more, c.flush(ctx, sink, false)
	}
	return more, nil
}

func (c *Collector) lookAll(ctx context.Context, poll bool) {
	for _, t := range c.tails {
		c.look(ctx, t, poll)
	}
	c.measure()
}

// lookDirty looks at the files that a notification named.
func (c *Collector) lookDirty(ctx context.Context) {
	names, all := c.watch.take()
	if all {
		c.scan(ctx)
		c.lookAll(ctx, false)
		return
	}
	seen := false
	for _, name := range names {
		c.watch.lost(name)
		for _, t := range c.watch.tails(name) {
			c.look(ctx, t, false)
			seen = true
		}
		if t := c.byPath[name]; t != nil {
			c.look(ctx, t, false)
			seen = true
		} else if !c.skipped[name] && c.matches(name) {
			c.scanSoon = true
		}
	}
	if c.scanSoon {
		c.scan(ctx)
	}
	if seen {
		c.measure()
	}
}

func (c *Collector) closeAll() {
	for _, t := range c.tails {
		for _, g := range t.gens {
			g.close()
		}
	}
}

// complain logs a problem of a file once, until it changes or goes away.
func (c *Collector) complain(t *tail, err error) {
	text := ""
	if err != nil {
		text = err.Error()
		c.stats.Add(func(s *Stats) { s.Errors++ })
	}
	if text == t.trouble {
		return
	}
	t.trouble = text
	if err != nil {
		c.log.Warn("file cannot be read, trying again", "path", t.path, "error", err)
		return
	}
	c.log.Info("file can be read again", "path", t.path)
}
