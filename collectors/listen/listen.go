// Package listen opens what the collectors that wait for senders listen on: TCP with an allow list, a
// bound on connections and TLS.
//
// It never reads a byte of what is sent, and it never lets a sender through that is not allowed, in
// the hope that somebody behind it looks again.
package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Config is where and to whom a collector listens.
type Config struct {
	Address string         // host:port
	Allow   []netip.Prefix // peers that may connect; all where empty
	Conns   int            // connections at a time; what comes beyond is closed at once
	TLS     TLS
}

// TLS is what the listener proves itself with, and asks of its peers. PEM.
type TLS struct {
	Certificate []byte // chain, the listener's own first
	Key         []byte
	ClientCA    []byte // where set, peers must show a certificate signed by one of these
}

// Server is the configuration for the listener; nil where there is no certificate.
func (t TLS) Server() (*tls.Config, error) {
	if len(t.Certificate) == 0 && len(t.Key) == 0 {
		if len(t.ClientCA) > 0 {
			return nil, errors.New("client CA without a certificate of the listener's own")
		}
		return nil, nil
	}
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if len(t.ClientCA) > 0 {
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(t.ClientCA) {
			return nil, errors.New("client CA holds no certificate")
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
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
		return nil, fmt.Errorf("listen on %s: %w", cfg.Address, err)
	}
	return &Listener{Listener: ln, allow: cfg.Allow, places: make(chan struct{}, max(cfg.Conns, 1))}, nil
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
