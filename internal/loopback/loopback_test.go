package loopback

import (
	"net"
	"net/netip"
	"testing"
)

func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		address := Address(t)
		if seen[address] {
			t.Errorf("%s was given twice", address)
		}
		seen[address] = true
		at, err := netip.ParseAddrPort(address)
		if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 {
			t.Errorf("%s: %v, want a port of the loopback network", address, err)
		}
		for range 2 { // the address stays ours while nobody listens
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPorts(t *testing.T) {
	ports, err := Ports("127.0.0.1", 8)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if p <= 0 || seen[p] {
			t.Errorf("ports %v, want eight different ones", ports)
		}
		seen[p] = true
	}
	if _, err := Ports("192.0.2.1", 1); err == nil {
		t.Error("an address that this machine does not have gave a port")
	}
}
