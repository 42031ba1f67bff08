// Package push collects what senders post over HTTP: gateways' HTTP loggers, Cloudflare Logpush,
// Firehose, relays of event hubs, anything that posts lines or JSON. A request is answered 200 when
// its lines are in the journal, and not before; 503 with Retry-After tells the sender to come again.
//
// It never parses a line, and unless it is told to it never remembers what it was sent: where an answer
// is lost and the sender comes again, the lines have the same ids as before if the sender names its
// deliveries, and are stored twice if it does not. An answer never quotes what was sent.
package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/deliver"
	"github.com/liveward/liveward/collectors/internal/tally"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of pushed lines in positions. What another protocol brings has that one's name.
const Path = "-push"

// Config is what a collector needs to know. Zero values of sizes, counts and durations mean the
// defaults.
type Config struct {
	Source   string           // the configuration's name of the log
	Address  string           // host:port to listen on
	Path     string           // the only URL path that is served; every path where empty
	Allow    []netip.Prefix   // peers that may connect; all where empty
	TLS      *listen.Identity // required unless the address is loopback
	Auth     Auth             // one way at least is required unless the address is loopback
	Protocol Protocol         // what senders say; lines where nil
	Once     time.Duration    // how long deliveries with a name are remembered: one that comes again is answered 200 and not stored again; none where zero

	MaxBody     int64         // bytes of a body, as sent and as unpacked; 16 MiB
	MaxLine     int           // bytes of a line; what is longer is cut and marked; 1 MiB
	MaxLines    int           // lines of a request; 65,536
	MaxHeader   int           // bytes of a request's header; 16 KiB
	MaxMemory   int64         // bytes of all bodies at a time; 256 MiB
	MaxRequests int           // requests at a time; 256
	MaxConns    int           // connections at a time; 1024
	MaxRate     int           // requests a second of one peer; 5,000
	HeaderTime  time.Duration // for a header to come; 5 s
	BodyTime    time.Duration // for a request to come whole; 30 s
	IdleTime    time.Duration // between requests of a connection; 90 s
	Patience    time.Duration // how long a request waits for the journal before it is answered 503; 10 s
	Tick        time.Duration // between positions, also while nothing comes; 5 s
}

func (c *Config) defaults() {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
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
	def(&c.MaxBody, 16<<20)
	def(&c.MaxMemory, 256<<20)
	count(&c.MaxLine, 1<<20)
	count(&c.MaxLines, 1<<16)
	count(&c.MaxHeader, 16<<10)
	count(&c.MaxRequests, 256)
	count(&c.MaxConns, 1024)
	count(&c.MaxRate, 5000)
	span(&c.HeaderTime, 5*time.Second)
	span(&c.BodyTime, 30*time.Second)
	span(&c.IdleTime, 90*time.Second)
	span(&c.Patience, 10*time.Second)
	span(&c.Tick, 5*time.Second)
	if c.Auth.Tolerance == 0 {
		c.Auth.Tolerance = 5 * time.Minute
	}
}

const (
	batchBytes    = 4 << 20 // of lines of a batch: room for one request is always made
	batchLines    = 16 << 10
	batchRequests = 512
	grace         = 2 * time.Second // for answers to leave when the collector stops
	retryAfter    = 2 * time.Second
)

// Collector takes what is posted to one address.
type Collector struct {
	cfg      Config
	now      func() time.Time
	log      *slog.Logger
	protocol Protocol
	guard    *guard
	once     *once
	rate     *rate
	budget   budget
	tls      *tls.Config

	journal *deliver.Committer // of the goroutine that runs Collect

	queue    chan *delivery
	stopped  chan struct{} // closed when nothing is taken any more
	places   chan struct{} // of requests
	serving  sync.RWMutex  // read-locked by each handler: Collect waits for them
	working  atomic.Int64  // requests that were let in and are not answered
	refusing atomic.Bool   // the journal pushes back

	listening chan struct{} // closed when listener is set, or never will be
	listener  *listen.Listener
	stats     tally.Of[Stats]
}

// New makes a collector. It opens nothing. resume are the positions the journal holds of it; deliveries
// that are done in them are remembered where deliveries are.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	cfg.defaults()
	if cfg.Protocol == nil {
		cfg.Protocol = plain{}
	}
	c, err := newCollector(cfg, now, log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Protocol.Name(), err)
	}
	c.journal = deliver.New(cfg.Source, "-"+cfg.Protocol.Name(), resume, now)
	c.journal.Pushback = c.pushedBack
	c.once.know(c.journal.Durable())
	return c, nil
}

func newCollector(cfg Config, now func() time.Time, log *slog.Logger) (*Collector, error) {
	if cfg.Source == "" {
		return nil, errors.New("no source name")
	}
	if _, _, err := net.SplitHostPort(cfg.Address); err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	if cfg.MaxBody < 0 || cfg.MaxMemory < cfg.MaxBody || cfg.MaxLine < 0 || cfg.MaxLines < 0 || cfg.MaxRequests < 0 || cfg.MaxRate < 0 || cfg.MaxConns < 0 {
		return nil, errors.New("limits must be positive, and memory for one body at least")
	}
	if !listen.Loopback(cfg.Address) {
		if cfg.TLS == nil {
			return nil, errors.New("an address that other hosts can reach needs a certificate")
		}
		if cfg.Auth.none() && !cfg.TLS.Mutual() {
			return nil, errors.New("an address that other hosts can reach needs tokens, users, signing secrets or a client CA")
		}
	}
	guard, err := newGuard(cfg.Auth, now)
	if err != nil {
		return nil, err
	}
	memory, err := newOnce(cfg.Once, now)
	if err != nil {
		return nil, err
	}
	rates, err := newRate(cfg.MaxRate, now)
	if err != nil {
		return nil, err
	}
	guard.replays = memory != nil
	name := cfg.Protocol.Name()
	c := &Collector{
		cfg: cfg, now: now, log: log.With("component", "collectors/"+name, "source", cfg.Source),
		protocol: cfg.Protocol, guard: guard, once: memory, rate: rates, tls: cfg.TLS.Server(),
		queue: make(chan *delivery), stopped: make(chan struct{}),
		places: make(chan struct{}, cfg.MaxRequests), listening: make(chan struct{}),
	}
	c.budget.left.Store(cfg.MaxMemory)
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

// Addr is the address the collector listens on. It waits until that is known, and is nil if Collect
// ended before.
func (c *Collector) Addr() net.Addr {
	<-c.listening
	if c.listener == nil {
		return nil
	}
	return c.listener.Addr()
}

// Collect implements collectors.Collector.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	ln, err := listen.Open(ctx, listen.Config{Address: c.cfg.Address, Allow: c.cfg.Allow, Conns: c.cfg.MaxConns})
	if err != nil {
		close(c.listening)
		close(c.stopped)
		return err
	}
	c.listener = ln
	close(c.listening)
	c.log.Info("listening", "address", ln.Addr().String(), "tls", c.tls != nil)
	serverCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := c.server(serverCtx)
	served := make(chan error, 1)
	go func() { served <- c.serve(server, ln) }()

	err = c.commit(ctx, sink, served)
	close(c.stopped)
	// Those who wait are answered, then all connections end.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close()
	}
	cut()
	_ = ln.Close()
	c.serving.Lock() // nothing of a handler outlives Collect
	defer c.serving.Unlock()
	return err
}

// commit makes deliveries durable, many in one batch, until ctx is done or the sink fails.
func (c *Collector) commit(ctx context.Context, sink collectors.Sink, served <-chan error) error {
	tick := time.NewTicker(c.cfg.Tick)
	defer tick.Stop()
	// Registers the source.
	if err := c.tick(ctx, sink); err != nil {
		return err
	}
	var taken []*delivery
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-served:
			return fmt.Errorf("serve %s: %w", c.cfg.Source, err)
		case <-tick.C:
			if err := c.tick(ctx, sink); err != nil {
				return err
			}
		case d := <-c.queue:
			taken = c.gather(taken[:0], d)
			err := c.put(ctx, sink, taken)
			for i, d := range taken {
				taken[i] = nil
				d.memory.release()
				d.outcome <- err
			}
			if err != nil && !errors.Is(err, collectors.ErrPushback) {
				return err
			}
		}
	}
}

// gather takes what waits beside d, as far as it fits into one batch.
func (c *Collector) gather(taken []*delivery, d *delivery) []*delivery {
	size, lines := 0, 0
	for {
		taken = append(taken, d)
		size, lines = size+int(d.end), lines+len(d.lines)
		if size >= batchBytes || lines >= batchLines || len(taken) >= batchRequests {
			return taken
		}
		select {
		case d = <-c.queue:
		default:
			return taken
		}
	}
}

// put makes the deliveries durable as one batch. Where the journal pushes back for longer than patience
// the batch is given up, and the senders come again.
func (c *Collector) put(ctx context.Context, sink collectors.Sink, taken []*delivery) error {
	defer c.refusing.Store(false)
	c.journal.Begin()
	for _, d := range taken {
		c.journal.Add(d.id, d.lines, d.end)
	}
	lines, err := c.journal.Commit(ctx, sink, c.working.Load() <= int64(len(taken)), c.cfg.Patience)
	if err != nil {
		return err
	}
	c.stats.Add(func(s *Stats) { s.Batches++; s.Deliveries += int64(len(taken)); s.Lines += int64(lines) })
	return nil
}

// tick says that the collector is there, and until when it has heard all.
func (c *Collector) tick(ctx context.Context, sink collectors.Sink) error {
	defer c.refusing.Store(false)
	return c.journal.Tick(ctx, sink, c.working.Load() == 0)
}

// pushedBack counts, and refuses what comes until the journal takes the batch or it is given up.
func (c *Collector) pushedBack() {
	c.stats.Add(func(s *Stats) { s.Pushbacks++ })
	if !c.refusing.Swap(true) {
		c.log.Warn("journal pushes back: senders are told to come again")
	}
}

func (c *Collector) serve(server *http.Server, ln net.Listener) error {
	if c.tls != nil {
		server.TLSConfig = c.tls
		return server.ServeTLS(ln, "", "")
	}
	return server.Serve(ln)
}
