// Package s3 collects the lines of objects that notifications in an SQS queue name: what a load
// balancer, Cloudflare Logpush or Firehose writes into a bucket. A notification is deleted from the
// queue when all lines of its objects are in the journal, and not before.
//
// It never lists a bucket, and it never writes to one or deletes from it. A notification it cannot
// make sense of, or whose object it cannot read, stays in the queue for the queue's own redrive policy
// to set aside. Errors name buckets and keys, never what stands in an object.
//
// # Positions
//
// For the journal every object is a file that was found at the path: an ordinal of its own, offsets
// within its unpacked bytes, Done when it is read to its end. Its fingerprint is the hash of bucket,
// key and the version that was read, so that the event ids of an object are the same however often its
// notification is delivered. Half of an object that was read before a crash is not read again, nor is
// an object whose notification outlived the crash: ticks hold the positions of objects whose
// notification is not deleted yet. One more position, of ordinal 1, belongs to the collector: it has no
// lines, its offsets count objects, and so a restart knows which ordinals were given away.
package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of objects' lines in positions.
const Path = "-s3"

// Config is what a collector needs to know. Zero values of sizes, counts and durations mean the
// defaults. Credentials come from where AWS tools look for them: the environment, shared files, a web
// identity, the container, the instance.
type Config struct {
	Source   string   // the configuration's name of the log
	Queue    string   // URL of the SQS queue
	Region   string   // of the queue and of buckets; where empty that of the queue's URL, else what AWS tools are set to
	Endpoint string   // base URL of a store that is compatible with S3; AWS where empty
	Buckets  []string // buckets that may be read; where empty every bucket the queue names

	Objects    int           // objects that are read at a time; 2
	Visibility time.Duration // for which a notification is hidden from others, renewed while it is worked on; 2 min
	Wait       time.Duration // how long an empty queue is asked at a time; 20 s
	Stall      time.Duration // after which a silent answer is given up and asked for again; 1 min
	MaxLine    int           // bytes of a line; what is longer is cut and marked; 1 MiB
	MaxObject  int64         // unpacked bytes of an object; what is beyond is refused; 16 GiB
}

func (c *Config) defaults() {
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	span(&c.Visibility, 2*time.Minute)
	span(&c.Wait, 20*time.Second)
	span(&c.Stall, time.Minute)
	if c.Objects == 0 {
		c.Objects = 2
	}
	if c.MaxLine == 0 {
		c.MaxLine = 1 << 20
	}
	if c.MaxObject == 0 {
		c.MaxObject = 16 << 30
	}
}

const (
	tickEvery = 5 * time.Second
	// maxOpen bounds the objects whose positions ticks hold: those that were begun by a run before, and
	// those whose notification could not be deleted.
	maxOpen = 512
	// maxRecent bounds the objects that are remembered when they are done, so that a notification which
	// is delivered twice costs nothing.
	maxRecent = 16 << 10
)

// Collector reads the objects that one queue names.
type Collector struct {
	cfg  Config
	now  func() time.Time
	log  *slog.Logger
	tick time.Duration

	queue *sqs.Client
	store *awss3.Client

	// turn is held by whoever puts a batch, and guards what is below it.
	turn   chan struct{}
	ingest int64
	failed error          // what the sink has ended the collector with
	own    event.Position // the collector's own position, as it was made durable
	given  int64          // objects that were given an ordinal, durable or not
	open   map[event.Hash]*object
	closed []event.Position // to be ended by the next tick

	mu      sync.Mutex
	working int // notifications that are being worked on
	drained bool
	busy    map[event.Hash]bool
	recent  *lru.Cache[event.Hash, struct{}]
	stats   Stats
}

// object is what the journal holds of an object. Whoever is busy with it, and has the turn, changes it.
type object struct {
	pos event.Position
}

// New makes a collector. It opens nothing. resume are the positions the journal holds of it.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	cfg.defaults()
	if cfg.Source == "" {
		return nil, errors.New("s3: no source name")
	}
	if err := CheckURL(cfg.Queue); err != nil {
		return nil, fmt.Errorf("s3: queue: %w", err)
	}
	if cfg.Endpoint != "" {
		if err := CheckURL(cfg.Endpoint); err != nil {
			return nil, fmt.Errorf("s3: endpoint: %w", err)
		}
	}
	if cfg.Visibility < time.Second || cfg.Visibility > 12*time.Hour {
		return nil, errors.New("s3: visibility must be between one second and twelve hours")
	}
	if cfg.Wait < 0 || cfg.Wait > 20*time.Second {
		return nil, errors.New("s3: wait must be 20 seconds at most")
	}
	if cfg.Objects < 0 || cfg.MaxLine < 0 || cfg.MaxLine > maxRecord || cfg.MaxObject < 0 || cfg.Stall < 0 {
		return nil, errors.New("s3: limits must be positive, and a line 16 MiB at most")
	}
	recent, err := lru.New[event.Hash, struct{}](maxRecent)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	c := &Collector{
		cfg: cfg, now: now, log: log.With("component", "collectors/s3", "source", cfg.Source), tick: tickEvery,
		turn: make(chan struct{}, 1), own: event.Position{Source: cfg.Source, Path: Path, Ordinal: 1},
		open: map[event.Hash]*object{}, busy: map[event.Hash]bool{}, recent: recent,
	}
	for _, p := range resume {
		if p.Source != cfg.Source || p.Path != Path {
			continue
		}
		p.Start = p.End
		if p.Ordinal == 1 {
			c.own = p
			c.given = max(c.given, p.End)
			continue
		}
		c.given = max(c.given, int64(p.Ordinal)-1)
		c.open[p.Fingerprint] = &object{pos: p}
	}
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

// queueHost is how queues of AWS are addressed.
var queueHost = regexp.MustCompile(`^sqs(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)

// CheckURL holds that what is sent somewhere cannot be read on the way.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return errors.New("is no URL such as https://sqs.eu-central-1.amazonaws.com/123456789012/liveness-logs")
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	switch {
	case u.User != nil:
		return errors.New("has credentials in it: they belong where AWS tools look for them")
	case u.Scheme == "https", u.Scheme == "http" && listen.Loopback(u.Hostname()+":"+port):
		return nil
	}
	return errors.New("must begin with https:// unless it is loopback")
}

// Collect implements collectors.Collector.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	hangUp, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	register := func(b *event.Batch) error { return c.put(ctx, sink, b) }
	if err := c.putTick(ctx, register); err != nil {
		return err
	}
	group, run := errgroup.WithContext(ctx)
	put := func(b *event.Batch) error { return c.put(run, sink, b) }
	group.Go(func() error { return c.ticks(run, put) })
	for range c.cfg.Objects {
		group.Go(func() error { return c.work(run, put) })
	}
	err = group.Wait()
	if refused := new(sinkError); errors.As(err, refused) {
		return refused.error
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// sinkError is what the sink ended the collector with.
type sinkError struct{ error }

func (e sinkError) Unwrap() error { return e.error }

// putter hands a batch over to the sink, for as long as the collector runs.
type putter func(b *event.Batch) error

func (c *Collector) ticks(ctx context.Context, put putter) error {
	tick := time.NewTicker(c.tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := c.putTick(ctx, put); err != nil {
				return err
			}
		}
	}
}

// take waits for the turn.
func (c *Collector) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.failed != nil {
		c.giveBack()
		return c.failed
	}
	return nil
}

func (c *Collector) giveBack() { <-c.turn }

// putTick says which objects are begun, and whether all that is in the queue is read.
func (c *Collector) putTick(ctx context.Context, put putter) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.giveBack()
	c.trim()
	own := c.own
	own.End, own.Idle = c.given, c.idle()
	b := &event.Batch{Tick: true, Positions: append([]event.Position{own}, c.closed...)}
	for _, o := range c.open {
		if o.pos.Ordinal != 0 {
			p := o.pos
			p.Start, p.Idle = p.End, own.Idle
			b.Positions = append(b.Positions, p)
		}
	}
	slices.SortFunc(b.Positions, func(a, b event.Position) int { return int(int64(a.Ordinal) - int64(b.Ordinal)) })
	if err := put(b); err != nil {
		return err
	}
	own.Start = own.End
	c.own, c.closed = own, nil
	return nil
}

// putLines makes lines of an object durable: all up to end. The lines stand in b.
func (c *Collector) putLines(ctx context.Context, put putter, o *object, b *event.Batch, end int64, done bool) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.giveBack()
	if o.pos.Ordinal == 0 {
		c.given++
		o.pos.Ordinal = uint64(c.given) + 1
	}
	own, p := c.own, o.pos
	own.End, own.Idle = c.given, false
	p.Start, p.End, p.Done, p.Idle = p.End, end, done, false
	b.Positions = append(b.Positions[:0], own, p)
	if err := put(b); err != nil {
		return err
	}
	own.Start = own.End
	c.own = own
	p.Start = p.End
	o.pos = p
	n := int64(len(b.Lines))
	c.count(func(s *Stats) { s.Batches++; s.Lines += n })
	return nil
}

// put hands a batch over, the same one again for as long as the journal pushes back.
func (c *Collector) put(ctx context.Context, sink collectors.Sink, b *event.Batch) error {
	c.ingest = max(c.ingest, c.now().UnixNano())
	b.Ingest = c.ingest
	err := handover.Manner{Pushback: func() { c.count(func(s *Stats) { s.Pushbacks++ }) }}.Put(ctx, sink, b)
	if err == nil {
		return nil
	}
	// No other batch may follow one that the sink has refused.
	c.failed = sinkError{err}
	return c.failed
}

// begin finds what the journal holds of an object. It is nil where somebody else is busy with it.
func (c *Collector) begin(ctx context.Context, n name, id event.Hash) (*object, error) {
	c.mu.Lock()
	taken := c.busy[id]
	c.busy[id] = true
	c.mu.Unlock()
	if taken {
		return nil, errInWork
	}
	if err := c.take(ctx); err != nil {
		c.end(id)
		return nil, err
	}
	defer c.giveBack()
	o := c.open[id]
	if o == nil {
		o = &object{pos: event.Position{Source: c.cfg.Source, Path: Path, Name: n.url(), Fingerprint: id}}
		c.open[id] = o
	}
	return o, nil
}

func (c *Collector) end(id event.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, id)
}

// forget drops objects whose notification is deleted: it will not come again, but for chance.
func (c *Collector) forget(ctx context.Context, ids []event.Hash) {
	for _, id := range ids {
		c.recent.Add(id, struct{}{})
	}
	if c.take(ctx) != nil {
		return
	}
	defer c.giveBack()
	for _, id := range ids {
		delete(c.open, id)
	}
}

// trim bounds what ticks hold: the objects that were begun first are given up. Where one of them comes
// again after all, it is read from its beginning, and its events have the ids that they had.
func (c *Collector) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.open) > maxOpen {
		var oldest *object
		for id, o := range c.open {
			if !c.busy[id] && (oldest == nil || o.pos.Ordinal < oldest.pos.Ordinal) {
				oldest = o
			}
		}
		if oldest == nil {
			return
		}
		p := oldest.pos
		delete(c.open, p.Fingerprint)
		if p.Ordinal != 0 && !p.Done {
			p.Start, p.Done, p.Idle = p.End, true, true
			c.closed = append(c.closed, p)
		}
	}
}

// idle tells whether everything in the queue was read when it was asked last.
func (c *Collector) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drained && c.working == 0
}
