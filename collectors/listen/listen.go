// Package listen opens what the collectors that wait for senders listen on: TCP with an allow list, a
// bound on connections and TLS.
//
// It never reads a byte of what is sent, and it never lets a sender through that is not allowed, in
// the hope that somebody behind it looks again.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
)

// Config is where and to whom a collector listens.
type Config struct {
	Address string         // host:port
	Allow   []netip.Prefix // peers that may connect; all where empty
	Conns   int            // connections at a time; what comes beyond is closed at once
}

// Loopback tells whether an address can be reached from this host only. A name other than localhost
// is not looked up: it may say something else tomorrow.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Allowed tells whether a peer may connect.
func Allowed(allow []netip.Prefix, peer net.Addr) bool {
	if len(allow) == 0 {
		return true
	}
	var ip netip.Addr
	switch a := peer.(type) {
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	default:
		return false
	}
	ip = ip.Unmap().WithZone("")
	for _, p := range allow {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Listener accepts the connections that may be had. It is a net.Listener.
type Listener struct {
	net.Listener
	allow     []netip.Prefix
	places    chan struct{}
	forbidden atomic.Int64
	crowded   atomic.Int64
}

// Open listens on TCP. TLS is the caller's to put on top: a handshake must not hold up Accept.
func Open(ctx context.Context, cfg Config) (*Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, Explain(cfg.Address, err)
	}
	return &Listener{Listener: ln, allow: cfg.Allow, places: make(chan struct{}, max(cfg.Conns, 1))}, nil
}

// Explain says why an address could not be listened on, and what to do.
func Explain(address string, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // what it adds is said here
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: %w: stop the program that has the port, or choose another", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: %w: ports below 1024 need CAP_NET_BIND_SERVICE", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: %w: the host has no such address", address, err)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// Accept waits for a connection that is allowed and has a place. Others are closed unanswered.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !Allowed(l.allow, conn.RemoteAddr()) {
			l.forbidden.Add(1)
			_ = conn.Close()
			continue
		}
		select {
		case l.places <- struct{}{}:
			return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			l.crowded.Add(1)
			_ = conn.Close()
		}
	}
}

// Refused returns how many connections were closed because their peer is not allowed, and because
// there were too many.
func (l *Listener) Refused() (forbidden, crowded int64) { return l.forbidden.Load(), l.crowded.Load() }

// placed is a connection that gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *placed) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
