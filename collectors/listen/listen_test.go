package listen_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long is waited for what takes no time, on a machine that has other things to do.
const patience = time.Minute

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "localhost:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"0.0.0.0:80": false, ":80": false, "[::]:80": false, "192.0.2.1:80": false, "gateway.bank.example:80": false,
		"localhost.bank.example:80": false, "127.0.0.1": false, "": false,
	} {
		if got := listen.Loopback(address); got != want {
			t.Errorf("Loopback(%q) = %v", address, got)
		}
	}
}

func networks(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestAllowed(t *testing.T) {
	tcp := func(ip string) net.Addr {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 1))
	}
	udp := func(ip string) net.Addr {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 1))
	}
	for _, tc := range []struct {
		peer  net.Addr
		allow []netip.Prefix
		want  bool
	}{
		{tcp("192.0.2.1"), nil, true},
		{&net.UnixAddr{Name: "x"}, nil, true},
		{tcp("192.0.2.1"), networks("192.0.2.0/24"), true},
		{udp("192.0.2.1"), networks("198.51.100.0/24", "192.0.2.0/24"), true},
		{tcp("::ffff:192.0.2.1"), networks("192.0.2.0/24"), true},
		{tcp("fe80::1%eth0"), networks("fe80::/10"), true},
		{tcp("192.0.3.1"), networks("192.0.2.0/24"), false},
		{udp("2001:db8::1"), networks("192.0.2.0/24", "2001:db8:1::/48"), false},
		{&net.UnixAddr{Name: "x"}, networks("0.0.0.0/0", "::/0"), false},
	} {
		if got := listen.Allowed(tc.allow, tc.peer); got != tc.want {
			t.Errorf("Allowed(%v, %v) = %v", tc.allow, tc.peer, got)
		}
	}
}

// open listens, and hands over what is accepted.
func open(t *testing.T, cfg listen.Config) (*listen.Listener, <-chan net.Conn) {
	t.Helper()
	cfg.Address = "127.0.0.1:0"
	l, err := listen.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 10)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		for conn := range accepted {
			_ = conn.Close()
		}
	})
	return l, accepted
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// closed waits for the other side to close, and holds that it says nothing.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	n, err := conn.Read(make([]byte, 1))
	var late net.Error
	if n > 0 || err == nil || errors.As(err, &late) && late.Timeout() {
		t.Fatalf("read %d bytes, %v, of a connection that should be closed", n, err)
	}
}

func TestPeersThatAreNotAllowed(t *testing.T) {
	l, accepted := open(t, listen.Config{Allow: networks("192.0.2.0/24"), Conns: 10})
	for range 3 {
		closed(t, dial(t, l))
	}
	if forbidden, crowded := l.Refused(); forbidden != 3 || crowded != 0 || len(accepted) != 0 {
		t.Errorf("%d forbidden, %d crowded, %d accepted", forbidden, crowded, len(accepted))
	}
}

// A place is taken by a connection until it is closed, and given back once however often that is.
func TestPlaces(t *testing.T) {
	l, accepted := open(t, listen.Config{Allow: networks("127.0.0.0/8"), Conns: 2})
	first, second := dial(t, l), dial(t, l)
	_, _ = first, second
	held := []net.Conn{<-accepted, <-accepted}
	closed(t, dial(t, l))
	_ = held[0].Close()
	_ = held[0].Close()
	dial(t, l)
	<-accepted
	closed(t, dial(t, l))
	if forbidden, crowded := l.Refused(); forbidden != 0 || crowded != 2 {
		t.Errorf("%d forbidden, %d crowded, want 0 and 2", forbidden, crowded)
	}
}

func TestAddressesThatCannotBeHad(t *testing.T) {
	l, _ := open(t, listen.Config{})
	for address, want := range map[string]string{
		l.Addr().String(): "stop the program that has the port, or choose another",
		"192.0.2.1:0":     "the host has no such address",
		"127.0.0.1:http!": "listen on 127.0.0.1:http!: ",
	} {
		ln, err := listen.Open(t.Context(), listen.Config{Address: address})
		if err == nil {
			_ = ln.Close()
			t.Errorf("%s can be had", address)
		} else if !strings.Contains(err.Error(), want) || strings.Count(err.Error(), address) != 1 {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func identity(t *testing.T, ca, clients *collectorstest.Authority, name string) listen.TLS {
	t.Helper()
	var of listen.TLS
	of.Certificate, of.Key = ca.Issue(t, name)
	if clients != nil {
		of.ClientCA = clients.PEM
	}
	return of
}

// handshake shakes hands, and returns who the server is and whether a session was resumed.
func handshake(t *testing.T, server, cfg *tls.Config) (name string, resumed bool, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		conn := tls.Server(raw, server)
		if err = conn.Handshake(); err == nil {
			_, err = conn.Write([]byte("x")) // and with it what lets a session be resumed
		}
		_ = conn.Close()
		done <- err
	}()
	raw := dial(t, l)
	cfg = cfg.Clone()
	cfg.ServerName = "127.0.0.1"
	conn := tls.Client(raw, cfg)
	n, err := conn.Read(make([]byte, 1))
	if n == 1 {
		err = nil // the end may come with it
	}
	state := conn.ConnectionState()
	_, _ = raw.Close(), l.Close()
	err = errors.Join(err, <-done)
	if err != nil {
		return "", false, err
	}
	return state.PeerCertificates[0].Subject.CommonName, state.DidResume, nil
}

func TestIdentity(t *testing.T) {
	ca, clients := collectorstest.NewAuthority(t), collectorstest.NewAuthority(t)
	id, err := listen.NewIdentity(identity(t, ca, nil, "first"))
	if err != nil {
		t.Fatal(err)
	}
	server := id.Server()
	trusting := ca.Client(t, nil)
	trusting.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	f := func(what, want string, cfg *tls.Config) {
		t.Helper()
		name, resumed, err := handshake(t, server, cfg)
		if name != want || (err == nil) != (want != "") || resumed {
			t.Errorf("%s: met %q, resumed %v, %v; want %q", what, name, resumed, err, want)
		}
	}
	most := func(version uint16) *tls.Config {
		cfg := trusting.Clone()
		cfg.MaxVersion = version
		return cfg
	}
	f("TLS 1.1", "", most(tls.VersionTLS11))
	f("TLS 1.2", "first", most(tls.VersionTLS12))
	f("TLS 1.3", "first", trusting)
	f("again", "first", trusting)
	if id.Mutual() {
		t.Error("nobody was asked for")
	}
	broken := identity(t, ca, nil, "broken")
	broken.Key = identity(t, ca, nil, "other").Key
	if err := id.Change(broken); err == nil {
		t.Error("a key of another certificate is taken")
	}
	empty := identity(t, ca, nil, "empty")
	empty.ClientCA = []byte("none")
	if err := id.Change(empty); err == nil {
		t.Error("a client CA without a certificate is taken")
	}
	f("after what cannot be used", "first", trusting)
	if err := id.Change(identity(t, ca, clients, "second")); err != nil {
		t.Fatal(err)
	}
	if !id.Mutual() {
		t.Error("peers need show nothing")
	}
	f("no client certificate", "", trusting)
	f("one of another authority", "", ca.Client(t, ca))
	f("one of the authority", "second", ca.Client(t, clients))
	if (*listen.Identity)(nil).Server() != nil || (*listen.Identity)(nil).Mutual() {
		t.Error("no identity has a configuration")
	}
}
