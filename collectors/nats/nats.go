// Package nats collects messages of a NATS server that is not liveward's own: a durable consumer of a
// JetStream stream, or a core subject. A message holds what a push may hold: a line, lines, or JSON.
//
// A message of a stream is acknowledged when its lines are in the journal, and not before; it comes
// again after a failure, and its lines have the same ids then, for they are made of the stream and the
// sequence. It never answers a message of a core subject: NATS has no word for it there, so that what
// finds no room while the journal pushes back is lost, and counted.
package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/deliver"
	"github.com/liveward/liveward/collectors/internal/tally"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of NATS lines in positions.
const Path = "-nats"

// Config is what a collector needs to know. Zero values of sizes, counts and durations mean the
// defaults.
type Config struct {
	Source   string   // the configuration's name of the log
	URLs     []string // nats:// or tls://host:port; one that answers is used
	Stream   string   // a stream, to be read by a durable consumer; none: a core subject
	Consumer string   // the consumer's durable name; liveward-<source>
	Subjects []string // of the stream, all where empty; or the core subject
	Queue    string   // queue group of a core subject
	Start    Start    // where a consumer begins that is not there yet
	Login    Login
	// TLS returns what the server is known by, and what it is shown. It is asked again at each
	// connection. Nil: the system's authorities, and nothing to show.
	TLS func() (TLS, error)
	// Plaintext allows connections to other hosts without TLS.
	Plaintext bool

	MaxLine  int           // bytes of a line; what is longer is cut and marked; 1 MiB
	Batch    int           // messages that are asked for at a time; 512
	Buffer   int           // bytes of messages of a core subject that may wait for the journal; 16 MiB
	AckWait  time.Duration // after which a message comes again that was not acknowledged; 1 min
	Again    time.Duration // after which it comes again when the journal pushed back; 5 s
	Patience time.Duration // how long messages wait for the journal before they are given back; 10 s
	Tick     time.Duration // between positions, also while nothing comes; 5 s
}

// Start is where a new consumer begins.
type Start string

// The places to start.
const (
	StartBeginning Start = "beginning"
	StartEnd       Start = "end"
)

func (c *Config) defaults() {
	count := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	count(&c.MaxLine, 1<<20)
	count(&c.Batch, 512)
	count(&c.Buffer, 16<<20)
	span(&c.AckWait, time.Minute)
	span(&c.Again, 5*time.Second)
	span(&c.Patience, 10*time.Second)
	span(&c.Tick, 5*time.Second)
	if c.Consumer == "" {
		c.Consumer = "liveward-" + c.Source
	}
	if c.Start == "" {
		c.Start = StartBeginning
	}
}

const (
	connectTime = 10 * time.Second
	drainTime   = 2 * time.Second
	batchBytes  = 4 << 20
)

// Collector takes the messages of one stream or subject.
type Collector struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	journal *deliver.Committer
	known   *memory
	stats   tally.Of[Stats]
}

// New makes a collector. It connects to nothing. resume are the positions the journal holds of it.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	cfg.defaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	c := &Collector{
		cfg: cfg, now: now, log: log.With("component", "collectors/nats", "source", cfg.Source),
		journal: deliver.New(cfg.Source, Path, resume, now),
	}
	c.journal.Pushback = func() { c.stats.Add(func(s *Stats) { s.Pushbacks++ }) }
	var err error
	if c.known, err = newMemory(c.journal.Durable()); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if _, err := c.connection(); err != nil { // it is made anew for each run
		return nil, fmt.Errorf("nats: %w", err)
	}
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

func (c *Config) validate() error {
	switch {
	case c.Source == "":
		return errors.New("no source name")
	case len(c.URLs) == 0:
		return errors.New("no address of a server")
	case c.Stream == "" && len(c.Subjects) != 1:
		return errors.New("without a stream exactly one subject is wanted")
	case c.Stream != "" && c.Queue != "":
		return errors.New("a queue group is for core subjects: several agents share a stream's consumer by its name")
	case c.Start != StartBeginning && c.Start != StartEnd:
		return fmt.Errorf("unknown start %q; want beginning or end", string(c.Start))
	case c.MaxLine < 0 || c.Batch < 0 || c.Buffer < 0 || c.AckWait <= 0:
		return errors.New("limits must be positive")
	case c.Patience >= c.AckWait:
		return errors.New("messages come again before the journal was waited for: patience must be below the time to acknowledge")
	}
	for _, u := range c.URLs {
		remote, secure, err := address(u)
		if err != nil {
			return err
		}
		if remote && !secure && !c.Plaintext && c.TLS == nil {
			return errors.New("another host is spoken to without TLS: use tls://, or set allow_plaintext")
		}
	}
	return nil
}

// Collect implements collectors.Collector.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	nc, err := c.connect()
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	defer nc.Close()
	c.log.Info("connected", "server", nc.ConnectedUrlRedacted())
	if c.cfg.Stream != "" {
		return c.consume(ctx, nc, sink)
	}
	return c.subscribe(ctx, nc, sink)
}

// lines are the lines of a message. What cannot be taken apart is one line, for its format to refuse.
func (c *Collector) lines(data []byte) *push.Lines {
	whole := append([]byte(nil), data...) // taking apart writes
	lines := push.NewLines(c.cfg.MaxLine, len(data)+1, int64(batchBytes+16*len(data)))
	if lines.Text(data) == nil {
		return lines
	}
	lines = push.NewLines(c.cfg.MaxLine, 1, int64(len(whole)))
	if err := lines.Value(whole); err != nil {
		c.log.Error("message of no line", "error", err)
	}
	return lines
}
