// Package syslog collects what senders log over the network: RFC 5424 and RFC 3164, in datagrams, in
// TCP and in TLS streams, counted or by lines. The MSG part of a message is the line; its header is
// dropped.
//
// It never acknowledges: syslog has no word for it. A stream is not read while the journal does not
// take what was read before, so its sender waits; a datagram that comes meanwhile and finds no room is
// lost, and counted. What a format makes of a line is the format's business.
//
// # Positions
//
// There is nothing to go back to. For the journal each connection, and each run's datagram socket, is
// a file that was found at the path: an ordinal and a fingerprint of its own, offsets from zero, Done
// when it is closed. One more position, of ordinal 1, belongs to the collector: it has no lines, its
// offsets count the others, and so a restart knows which ordinals were given away.
package syslog

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/collectors/internal/tally"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/event"
)

// Path is the path of syslog lines in positions.
const Path = "-syslog"

// Config is what a collector needs to know. Zero values of sizes, counts and durations mean the
// defaults.
type Config struct {
	Source     string // the configuration's name of the log
	UDP        string // host:port for datagrams; at least one of the three
	TCP        string // host:port for plain streams
	Secure     string // host:port for TLS streams
	TLS        *listen.Identity
	Allow      []netip.Prefix // peers that may send; required where other hosts can reach UDP or TCP
	Framing    Framing        // of streams
	KeepHeader bool           // leave the header on the line, for a format that peels it and wants its time

	MaxLine       int           // bytes of a message; what is longer is cut and marked; 64 KiB
	MaxConns      int           // connections at a time, of TCP and of TLS each; 512
	Buffer        int           // bytes of datagrams that may wait for the journal; 4 MiB
	IdleTime      time.Duration // after which a silent connection is closed; 1 h
	FrameTime     time.Duration // for the rest of a message to come; 30 s
	HandshakeTime time.Duration // for a TLS handshake; 10 s
}

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
	count(&c.MaxLine, 64<<10)
	count(&c.MaxConns, 512)
	count(&c.Buffer, 4<<20)
	span(&c.IdleTime, time.Hour)
	span(&c.FrameTime, 30*time.Second)
	span(&c.HandshakeTime, 10*time.Second)
	if c.Framing == "" {
		c.Framing = FramingAuto
	}
}

const (
	tickEvery  = 5 * time.Second
	batchBytes = 4 << 20
	batchLines = 16 << 10
)

// Collector takes what is sent to its addresses.
type Collector struct {
	cfg  Config
	now  func() time.Time
	log  *slog.Logger
	tick time.Duration
	tls  *tls.Config

	own    event.Position // the collector's own position, as it was made durable
	open   map[*stream]struct{}
	closed []event.Position // of the run before, to be ended by the first tick
	batch  event.Batch

	given   atomic.Int64 // streams that were given an ordinal
	waiting atomic.Int64 // chunks on their way into the journal
	queue   chan *chunk
	readers sync.WaitGroup

	listening chan struct{} // closed when the three below are set, or never will be
	udp       *net.UDPConn
	tcp       *listen.Listener
	secure    *listen.Listener
	stats     tally.Of[Stats]
}

// stream is one connection or one datagram socket. Its position is the committer's.
type stream struct {
	pos   event.Position
	known bool // it stands in the journal
}

// chunk is what a reader has read of its stream. The reader waits for the outcome.
type chunk struct {
	stream  *stream
	lines   []event.Line
	end     int64
	done    bool
	outcome chan error
}

// New makes a collector. It opens nothing. resume are the positions the journal holds of it.
func New(cfg Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*Collector, error) {
	cfg.defaults()
	if cfg.Source == "" {
		return nil, errors.New("syslog: no source name")
	}
	if cfg.UDP == "" && cfg.TCP == "" && cfg.Secure == "" {
		return nil, errors.New("syslog: no address")
	}
	for _, a := range []string{cfg.UDP, cfg.TCP, cfg.Secure} {
		if _, _, err := net.SplitHostPort(a); a != "" && err != nil {
			return nil, fmt.Errorf("syslog: address: %w", err)
		}
	}
	for _, a := range []string{cfg.UDP, cfg.TCP} {
		if a != "" && !listen.Loopback(a) && len(cfg.Allow) == 0 {
			return nil, errors.New("syslog: an address that other hosts can reach without TLS needs a list of peers that may send")
		}
	}
	switch cfg.Framing {
	case FramingAuto, FramingOctet, FramingNewline:
	default:
		return nil, fmt.Errorf("syslog: unknown framing %q; want one of auto, octet, newline", string(cfg.Framing))
	}
	if cfg.MaxLine < 0 || cfg.MaxConns < 0 || cfg.Buffer < 0 {
		return nil, errors.New("syslog: limits must be positive")
	}
	if cfg.Secure != "" {
		switch {
		case cfg.TLS == nil:
			return nil, errors.New("syslog: TLS needs a certificate")
		case !listen.Loopback(cfg.Secure) && len(cfg.Allow) == 0 && !cfg.TLS.Mutual():
			return nil, errors.New("syslog: an address that other hosts can reach needs a client CA or a list of peers that may send")
		}
	}
	c := &Collector{
		cfg: cfg, now: now, log: log.With("component", "collectors/syslog", "source", cfg.Source), tick: tickEvery, tls: cfg.TLS.Server(),
		own:  event.Position{Source: cfg.Source, Path: Path, Ordinal: 1},
		open: map[*stream]struct{}{}, queue: make(chan *chunk), listening: make(chan struct{}),
	}
	given := int64(0)
	for _, p := range resume {
		if p.Source != cfg.Source || p.Path != Path {
			continue
		}
		if p.Ordinal == 1 {
			c.own.Start, c.own.End = p.End, p.End
			given = max(given, p.End)
			continue
		}
		given = max(given, int64(p.Ordinal)-1)
		if !p.Done {
			p.Start, p.Done, p.Idle = p.End, true, true
			c.closed = append(c.closed, p)
		}
	}
	c.given.Store(given)
	return c, nil
}

var _ collectors.Collector = (*Collector)(nil)

// Addr is the address the collector listens on for a network: udp, tcp or tls. It waits until that is
// known, and is nil for one that is not configured or could not be had.
func (c *Collector) Addr(network string) net.Addr {
	<-c.listening
	switch {
	case network == "udp" && c.udp != nil:
		return c.udp.LocalAddr()
	case network == "tcp" && c.tcp != nil:
		return c.tcp.Addr()
	case network == "tls" && c.secure != nil:
		return c.secure.Addr()
	}
	return nil
}

// Collect implements collectors.Collector.
func (c *Collector) Collect(ctx context.Context, sink collectors.Sink) error {
	run, stop := context.WithCancel(ctx)
	defer c.readers.Wait()
	defer stop()
	err := c.listen(run)
	close(c.listening)
	if err != nil {
		c.hangUp()
		return err
	}
	for _, network := range []string{"udp", "tcp", "tls"} {
		if a := c.Addr(network); a != nil {
			c.log.Info("listening", "network", network, "address", a.String())
		}
	}
	context.AfterFunc(run, c.hangUp)
	if c.udp != nil {
		c.readers.Go(func() { c.datagrams(run) })
	}
	if c.tcp != nil {
		c.readers.Go(func() { c.accept(run, c.tcp, nil) })
	}
	if c.secure != nil {
		c.readers.Go(func() { c.accept(run, c.secure, c.tls) })
	}
	return c.commit(run, sink)
}

func (c *Collector) listen(ctx context.Context) error {
	if c.cfg.UDP != "" {
		conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", c.cfg.UDP)
		if err != nil {
			return listen.Explain(c.cfg.UDP, err)
		}
		c.udp = conn.(*net.UDPConn)
		// The kernel drops what does not fit, and tells nobody.
		_ = c.udp.SetReadBuffer(c.cfg.Buffer)
	}
	var err error
	for _, l := range []struct {
		address string
		to      **listen.Listener
	}{{c.cfg.TCP, &c.tcp}, {c.cfg.Secure, &c.secure}} {
		if l.address == "" {
			continue
		}
		if *l.to, err = listen.Open(ctx, listen.Config{Address: l.address, Allow: c.cfg.Allow, Conns: c.cfg.MaxConns}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collector) hangUp() {
	if c.udp != nil {
		_ = c.udp.Close()
	}
	if c.tcp != nil {
		_ = c.tcp.Close()
	}
	if c.secure != nil {
		_ = c.secure.Close()
	}
}

// commit makes chunks durable, many in one batch, until ctx is done or the sink fails.
func (c *Collector) commit(ctx context.Context, sink collectors.Sink) error {
	tick := time.NewTicker(c.tick)
	defer tick.Stop()
	if err := c.putTick(ctx, sink); err != nil { // registers the source
		return err
	}
	var taken []*chunk
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := c.putTick(ctx, sink); err != nil {
				return err
			}
		case k := <-c.queue:
			taken = c.gather(taken[:0], k)
			err := c.putChunks(ctx, sink, taken)
			for _, k := range taken {
				k.outcome <- err
			}
			clear(taken)
			if err != nil {
				return err
			}
		}
	}
}

// gather takes what waits beside k, as far as it fits into one batch. A reader waits for the outcome
// of its chunk, so that no stream stands twice in a batch.
func (c *Collector) gather(taken []*chunk, k *chunk) []*chunk {
	size, lines := int64(0), 0
	for {
		taken = append(taken, k)
		size, lines = size+k.end-k.stream.pos.End, lines+len(k.lines)
		if size >= batchBytes || lines >= batchLines {
			return taken
		}
		select {
		case k = <-c.queue:
		default:
			return taken
		}
	}
}

func (c *Collector) ownNow(taken int) event.Position {
	own := c.own
	own.End, own.Idle = c.given.Load(), c.waiting.Load() <= int64(taken)
	return own
}

// putTick says which streams are open, and until when all that came is handed over.
func (c *Collector) putTick(ctx context.Context, sink collectors.Sink) error {
	own := c.ownNow(0)
	b := &c.batch
	b.Tick = true
	b.Lines = b.Lines[:0]
	b.Positions = append(append(b.Positions[:0], own), c.closed...)
	for s := range c.open {
		p := s.pos
		p.Start, p.Idle = p.End, own.Idle
		b.Positions = append(b.Positions, p)
	}
	if err := c.put(ctx, sink); err != nil {
		return err
	}
	own.Start = own.End
	c.own, c.closed = own, nil
	return nil
}

func (c *Collector) putChunks(ctx context.Context, sink collectors.Sink, taken []*chunk) error {
	own := c.ownNow(len(taken))
	b := &c.batch
	b.Tick = false
	b.Positions = append(b.Positions[:0], own)
	b.Lines = b.Lines[:0]
	for i, k := range taken {
		for _, l := range k.lines {
			l.File = i + 1
			b.Lines = append(b.Lines, l)
		}
		p := k.stream.pos
		p.Start, p.End, p.Done, p.Idle = p.End, k.end, k.done, own.Idle
		b.Positions = append(b.Positions, p)
	}
	if err := c.put(ctx, sink); err != nil {
		return err
	}
	for i, k := range taken {
		k.stream.pos = b.Positions[i+1]
		if k.done {
			delete(c.open, k.stream)
		} else {
			c.open[k.stream] = struct{}{}
		}
	}
	own.Start = own.End
	c.own = own
	n := int64(len(b.Lines))
	clear(b.Lines)
	c.stats.Add(func(s *Stats) { s.Batches++; s.Lines += n })
	return nil
}

// put hands the batch over, the same one again for as long as the journal pushes back.
func (c *Collector) put(ctx context.Context, sink collectors.Sink) error {
	c.batch.Ingest = max(c.batch.Ingest, c.now().UnixNano())
	return handover.Manner{Pushback: c.pushedBack}.Put(ctx, sink, &c.batch)
}

func (c *Collector) pushedBack() { c.stats.Add(func(s *Stats) { s.Pushbacks++ }) }

// newStream gives a stream its name. Nothing of a stream comes again, so chance does.
func (c *Collector) newStream() *stream {
	return &stream{pos: event.Position{
		Source: c.cfg.Source, Path: Path, Ordinal: uint64(c.given.Add(1)) + 1,
		Fingerprint: event.HashStrings("syslog", rand.Text()),
	}}
}

// submit hands a chunk over and waits until it is durable, however long that takes. Its lines are lost
// if the collector ends first.
func (c *Collector) submit(ctx context.Context, k *chunk) error {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	err := error(nil)
	select {
	case c.queue <- k:
		err = <-k.outcome
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.lose(len(k.lines))
	}
	return err
}

func (c *Collector) lose(lines int) {
	c.stats.Add(func(s *Stats) { s.Lost += int64(lines) })
}

// line makes the line of a message; false where nothing is left of it.
func (c *Collector) line(msg []byte, offset int64, cut bool) (event.Line, bool) {
	head := 0
	msg = clean(msg)
	text := msg
	if !c.cfg.KeepHeader {
		var ok bool
		if text, ok = Message(msg); !ok && len(text) > 0 {
			head = 1
		}
	}
	c.stats.Add(func(s *Stats) {
		s.Messages++
		s.Headerless += int64(head)
		if cut {
			s.Oversize++
		}
		if len(text) == 0 {
			s.Empty++
		}
	})
	return event.Line{Offset: offset, Data: text, Oversize: cut}, len(text) > 0
}
