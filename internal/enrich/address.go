package enrich

import (
	"net/netip"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Bounds of a forwarded chain: what lies further left is not looked at, but for its first address.
const (
	maxHops  = 64
	maxChain = 8192
)

// addresses makes the event's addresses canonical, finds the caller behind the trusted proxies, and
// returns it.
func (e *Enricher) addresses(ev *event.Event) netip.Addr {
	source := canonical(ev, event.SourceIP)
	client := canonical(ev, event.ClientIP) // where the gateway itself says who called
	canonical(ev, event.NetworkForwardedIP)

	chain := ev.Str(event.HTTPRequestForwarded)
	if len(chain) > maxChain {
		chain = chain[len(chain)-maxChain:]
	}
	if chain != "" && !ev.Has(event.NetworkForwardedIP) {
		switch a, text := firstHop(chain); {
		case text != "":
			ev.SetString(event.NetworkForwardedIP, text)
		case a.IsValid():
			setAddr(ev, event.NetworkForwardedIP, a)
		}
	}
	if client.IsValid() && chain != "" && e.trusts(client) {
		// The gateway named a proxy of ours: who called is further left.
		if a := e.caller(client, chain); a != client {
			setAddr(ev, event.ClientIP, a)
			client = a
		}
	}
	if !client.IsValid() && source.IsValid() {
		client = source
		if chain != "" && e.trusts(source) {
			client = e.caller(source, chain)
		}
		if client == source {
			ev.SetString(event.ClientIP, ev.Str(event.SourceIP))
		} else {
			setAddr(ev, event.ClientIP, client)
		}
	}
	ev.Clear(event.RelatedIP)
	for _, id := range [...]event.ID{event.SourceIP, event.ClientIP, event.NetworkForwardedIP} {
		ev.Append(event.RelatedIP, ev.Str(id))
	}
	return client
}

// canonical rewrites an address to its one text form, or clears what is none.
func canonical(ev *event.Event, id event.ID) netip.Addr {
	s := ev.Str(id)
	if s == "" {
		return netip.Addr{}
	}
	if a, ok := event.ParseIPv4(s); ok {
		return a
	}
	a, ok := parseAddr(s)
	if !ok {
		ev.Clear(id)
		return netip.Addr{}
	}
	var buf [48]byte
	if string(a.AppendTo(buf[:0])) != s {
		setAddr(ev, id, a)
	}
	return a
}

func setAddr(ev *event.Event, id event.ID, a netip.Addr) {
	var buf [48]byte
	ev.SetString(id, ev.Keep(a.AppendTo(buf[:0])))
}

// parseAddr reads an address without letting the parser's error cost an allocation for what cannot be
// one.
func parseAddr(s string) (netip.Addr, bool) {
	if len(s) < 2 || len(s) > 64 {
		return netip.Addr{}, false
	}
	for i := range len(s) {
		if c := s[i]; c == '.' || c == ':' {
			a, err := netip.ParseAddr(s)
			return a.Unmap().WithZone(""), err == nil
		} else if _, ok := unhex(c); !ok {
			return netip.Addr{}, false
		}
	}
	return netip.Addr{}, false
}

func (e *Enricher) trusts(a netip.Addr) bool { return contains(e.trusted, a) }

func contains(list []netip.Prefix, a netip.Addr) bool {
	for i := range list {
		if list[i].Contains(a) {
			return true
		}
	}
	return false
}

// canonicalPrefix takes a prefix of IPv4 mapped into IPv6 for the IPv4 network it is.
func canonicalPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked()
}

// caller walks the chain from the right, where the trusted peer wrote, to the first address that is no
// trusted proxy. What stands further left is the caller's own writing. A hop that is no address, where
// the caller should stand, makes the whole chain garbage: then the peer is all that is known.
func (e *Enricher) caller(peer netip.Addr, chain string) netip.Addr {
	client := peer
	for range maxHops {
		i := strings.LastIndexByte(chain, ',')
		hop := strings.TrimSpace(chain[i+1:])
		if hop != "" {
			a, ok := parseHop(hop)
			if !ok {
				return peer
			}
			client = a
			if !e.trusts(a) {
				return client
			}
		}
		if i < 0 {
			return client // proxies all the way: the outermost
		}
		chain = chain[:i]
	}
	return peer
}

// firstHop returns the first address of a chain, trusted or not, and its text where that is the one form
// it has.
func firstHop(chain string) (a netip.Addr, text string) {
	for range maxHops {
		hop, rest, more := strings.Cut(chain, ",")
		hop = strings.TrimSpace(hop)
		if a, ok := event.ParseIPv4(hop); ok {
			return a, hop
		}
		if a, ok := parseHop(hop); ok {
			return a, ""
		}
		if !more {
			break
		}
		chain = rest
	}
	return netip.Addr{}, ""
}

// parseHop reads one hop: an address, with or without port, or an element of RFC 7239's Forwarded.
func parseHop(hop string) (netip.Addr, bool) {
	if a, ok := event.ParseIPv4(hop); ok {
		return a, true
	}
	if strings.IndexByte(hop, '=') >= 0 {
		for rest := hop; ; {
			pair, tail, more := strings.Cut(rest, ";")
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if equalUnescapedFold(name, "for") {
				hop = strings.Trim(value, `"`)
				break
			}
			if !more {
				return netip.Addr{}, false
			}
			rest = tail
		}
	}
	if strings.HasPrefix(hop, "[") {
		end := strings.IndexByte(hop, ']')
		if end < 0 {
			return netip.Addr{}, false
		}
		hop = hop[1:end]
	} else if i := strings.IndexByte(hop, ':'); i > 0 && strings.IndexByte(hop[i+1:], ':') < 0 {
		hop = hop[:i] // IPv4 with port
	}
	return parseAddr(hop)
}
