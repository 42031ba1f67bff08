// Package loopback gives the servers of tests addresses of their own.
//
// A port that was free a moment ago may be another's by the time a server takes it: tests of other
// packages run beside, and each connection takes a port as well. So a server gets an address of
// 127.0.0.0/8 that nobody else has, and any port of it is its own, also while it is down between two
// starts.
package loopback

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"testing"
)

// Host returns an address of this machine that nobody else uses.
func Host() string {
	n := rand.Uint32() //nolint:gosec // not a secret
	// Never one that ends in 0 or 255, and never 127.0.x.y, where everybody is.
	host := netip.AddrFrom4([4]byte{127, byte(1 + n%250), byte(n >> 8), byte(1 + n>>16%250)}).String()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0")) //nolint:noctx // loopback
	if err != nil {
		return "127.0.0.1" // a system that has one address only
	}
	_ = l.Close()
	return host
}

// Address returns an address, with a port, on which nobody listens and nobody else will.
func Address(t testing.TB) string {
	t.Helper()
	host := Host()
	ports, err := Ports(host, 1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(host, strconv.Itoa(ports[0]))
}

// Ports returns ports of a host on which nobody listens.
func Ports(host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0")) //nolint:noctx // loopback
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
