package event

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// errNetwork quotes nothing: what was read may come from a file of somebody else's.
var errNetwork = errors.New("not a network; want a form like 192.0.2.0/24")

// ParseNetwork reads a network, or an address as a network of one. IPv4 mapped into IPv6 is the IPv4
// network it is, and zones fall away. Bits behind the mask stay: whether they are a slip or a habit,
// the caller knows.
func ParseNetwork(s string) (netip.Prefix, error) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, errNetwork
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errNetwork
	}
	const mapped = 96
	if p.Addr().Is4In6() {
		if p.Bits() < mapped {
			return netip.Prefix{}, errors.New("wider than the IPv4 range")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p, nil
}

// ParseOwnNetwork is ParseNetwork for what people write who answer for it: bits behind the mask are a slip.
func ParseOwnNetwork(s string) (netip.Prefix, error) {
	p, err := ParseNetwork(s)
	if err == nil && p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("a network with bits behind its mask; did you mean %s?", p.Masked())
	}
	return p, err
}

// ParseIPv4 reads an IPv4 address in its one text form: four decimal numbers without leading zeros, and
// nothing else. That is what most addresses of a log are, and it takes a third of what netip.ParseAddr does.
func ParseIPv4(s string) (netip.Addr, bool) {
	var a [4]byte
	n, digits, v := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			if digits > 0 && v == 0 {
				return netip.Addr{}, false
			}
			digits++
			if v = v*10 + int(c-'0'); v > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && n < 3:
			a[n] = byte(v)
			n, digits, v = n+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if n != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	a[3] = byte(v)
	return netip.AddrFrom4(a), true
}
