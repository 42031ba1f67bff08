package collectorstest

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/listen"
)

// Listener is a collector that listens on TCP, with what the suite has to know of it.
type Listener struct {
	// New makes a collector on a port of 127.0.0.1 that the system chooses.
	New func(t *testing.T, with Listening) collectors.Collector
	// Addr is the address that a running collector has.
	Addr func(c collectors.Collector) net.Addr
	// Send sends a line over a connection and returns whether it was taken, as far as the protocol
	// tells. The suite looks into the sink, too.
	Send func(conn net.Conn, line string) error
	// Begin is what a sender says before it falls silent, as many times as it can be slow.
	Begin []string
}

// Listening is what the suite varies. Zero values ask for the collector's defaults.
type Listening struct {
	TLS   *listen.Identity
	Allow []netip.Prefix
	Conns int           // connections at a time
	Slow  time.Duration // every time-out of a slow sender
}

// RunListener holds a collector that listens against what listeners promise: TLS, client
// certificates, lists of peers, bounds on connections and on slow senders.
func RunListener(t *testing.T, l Listener) {
	t.Run("proves itself, asks for certificates, and refuses old TLS", l.mutual)
	t.Run("takes another certificate while it listens", l.renewed)
	t.Run("closes connections of peers that are not allowed", func(t *testing.T) {
		sink := NewSink(t)
		c := l.New(t, Listening{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
		run := Start(t, c, sink)
		conn := l.dial(t, c)
		_ = l.Send(conn, "line")
		Gone(t, conn)
		run.Stop(t)
		if n := len(sink.Lines()); n > 0 {
			t.Errorf("%d lines of a peer that is not allowed", n)
		}
	})
	t.Run("survives a storm of connections", l.storm)
	t.Run("lets go of slow senders", func(t *testing.T) {
		sink := NewSink(t)
		c := l.New(t, Listening{Slow: 50 * time.Millisecond, Conns: 2})
		run := Start(t, c, sink)
		for _, begin := range append([]string{""}, l.Begin...) {
			conn := l.dial(t, c)
			if _, err := conn.Write([]byte(begin)); err != nil {
				t.Fatal(err)
			}
			Gone(t, conn)
		}
		// There are places again. Who is quick is taken, but a machine that has other things to do makes
		// everybody slow now and then.
		for deadline := time.Now().Add(patience); !slices.Contains(sink.Texts(), "whole"); { //nolint:forbidigo // of a test that waits
			if time.Now().After(deadline) { //nolint:forbidigo // as above
				t.Fatal("no place after slow senders")
			}
			conn := l.dial(t, c)
			if l.Send(conn, "whole") == nil {
				Gone(t, conn) // it is idle soon, and was read before
			}
			_ = conn.Close()
		}
		run.Stop(t)
	})
}

func (l *Listener) dial(t *testing.T, c collectors.Collector) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr(c).String()) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// secure sends a line over TLS; an error means that it was refused. Where that is waited for, it is for long:
// with TLS 1.3 a sender learns of a refused certificate when it reads.
func (l *Listener) secure(c collectors.Collector, cfg *tls.Config, line string, refused bool) error {
	conn, err := tls.Dial("tcp", l.Addr(c).String(), cfg) //nolint:noctx // loopback
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := l.Send(conn, line); err != nil {
		return err
	}
	wait := 300 * time.Millisecond
	if refused {
		wait = patience
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait)) //nolint:forbidigo // sockets go by it
	if _, err := conn.Read(make([]byte, 1)); err != nil && !timedOut(err) {
		return err
	}
	return nil
}

func (l *Listener) identity(t *testing.T, by, clients *Authority) listen.TLS {
	t.Helper()
	certificate, key := by.Issue(t, "listener")
	of := listen.TLS{Certificate: certificate, Key: key}
	if clients != nil {
		of.ClientCA = clients.PEM
	}
	return of
}

func (l *Listener) mutual(t *testing.T) {
	ca, stranger := NewAuthority(t), NewAuthority(t)
	id, err := listen.NewIdentity(l.identity(t, ca, ca))
	if err != nil {
		t.Fatal(err)
	}
	sink := NewSink(t)
	c := l.New(t, Listening{TLS: id})
	run := Start(t, c, sink)
	for i, tc := range []struct {
		by   *Authority
		most uint16
		ok   bool
	}{
		{ca, tls.VersionTLS13, true},
		{ca, tls.VersionTLS12, true},
		{ca, tls.VersionTLS11, false},
		{nil, tls.VersionTLS13, false},
		{stranger, tls.VersionTLS13, false},
		{nil, tls.VersionTLS12, false},
	} {
		cfg := ca.Client(t, tc.by)
		cfg.MaxVersion = tc.most
		if err := l.secure(c, cfg, "line", !tc.ok); (err == nil) != tc.ok {
			t.Errorf("sender %d: %v, want taken: %v", i, err, tc.ok)
		}
	}
	sink.WaitLines(2)
	plain := l.dial(t, c)
	_ = l.Send(plain, "in the clear")
	run.Stop(t)
	if n := len(sink.Lines()); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func (l *Listener) renewed(t *testing.T) {
	before, after := NewAuthority(t), NewAuthority(t)
	id, err := listen.NewIdentity(l.identity(t, before, nil))
	if err != nil {
		t.Fatal(err)
	}
	sink := NewSink(t)
	c := l.New(t, Listening{TLS: id})
	run := Start(t, c, sink)
	send := func(trusts *Authority) error { return l.secure(c, trusts.Client(t, nil), "line", false) }
	if err := send(before); err != nil {
		t.Error(err)
	}
	broken := l.identity(t, after, nil)
	broken.Key = []byte("x")
	if id.Change(broken) == nil {
		t.Error("a key that does not fit is taken")
	}
	if err := send(before); err != nil {
		t.Errorf("after a change that failed: %v", err)
	}
	if err := id.Change(l.identity(t, after, nil)); err != nil {
		t.Fatal(err)
	}
	if err := send(after); err != nil {
		t.Errorf("the new certificate is not shown: %v", err)
	}
	if send(before) == nil {
		t.Error("the old certificate is still shown")
	}
	sink.WaitLines(3)
	run.Stop(t)
}

func (l *Listener) storm(t *testing.T) {
	const places, storm = 3, 40
	sink := NewSink(t)
	c := l.New(t, Listening{Conns: places, Slow: patience})
	run := Start(t, c, sink)
	var conns []net.Conn
	for range storm {
		conns = append(conns, l.dial(t, c))
	}
	for _, conn := range conns[places:] {
		Gone(t, conn)
	}
	for _, conn := range conns[:places] {
		if err := l.Send(conn, "kept"); err != nil {
			t.Error(err)
		}
	}
	sink.WaitLines(places)
	for _, conn := range conns {
		_ = conn.Close()
	}
	deadline := time.Now().Add(patience) //nolint:forbidigo // of a test that waits
	for l.Send(l.dial(t, c), "after") != nil || !slices.Contains(sink.Texts(), "after") {
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			t.Fatal("no place after the storm")
		}
		time.Sleep(5 * time.Millisecond)
	}
	run.Stop(t)
}

// Gone waits until a connection is closed from the other end.
func Gone(t testing.TB, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience)) //nolint:forbidigo // deadlines of the network are by the clock
	buf := make([]byte, 4096)
	for {
		_, err := conn.Read(buf)
		if err == nil {
			continue // an answer before the end
		}
		if timedOut(err) {
			t.Error("the connection stays open")
		}
		return
	}
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
