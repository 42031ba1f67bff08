package formats

import (
	"net/netip"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// setAddress sets source.ip or another address field to its canonical form. For source.ip a port is
// taken as well. Of a list the last address counts: it is the one that the gateway itself saw.
func setAddress(ev *event.Event, id event.ID, s string) bool {
	if plainIPv4(s) {
		ev.SetString(id, s)
		return true
	}
	if i := strings.LastIndexByte(s, ','); i >= 0 {
		s = strings.TrimLeft(s[i+1:], " ")
	}
	addr, port, ok := splitAddress(s)
	if !ok {
		return false
	}
	ev.SetString(id, canonical(ev, addr))
	if id == event.SourceIP && port != "" {
		if n, ok := parseInt(port); ok && n > 0 && n < 1<<16 {
			ev.SetInt(event.SourcePort, n)
		}
	}
	return true
}

// plainIPv4 tells whether s is an IPv4 address as netip writes it, and nothing else.
func plainIPv4(s string) bool {
	if len(s) < 7 || len(s) > 15 {
		return false
	}
	dots, n, digits := 0, 0, 0
	for i := range len(s) {
		d := int(s[i]) - '0'
		switch {
		case d >= 0 && d <= 9:
			if digits > 0 && n == 0 { // a leading zero
				return false
			}
			n = n*10 + d
			digits++
			if n > 255 {
				return false
			}
		case s[i] == '.' && digits > 0:
			dots, n, digits = dots+1, 0, 0
		default:
			return false
		}
	}
	return dots == 3 && digits > 0
}

// splitAddress separates address and port: a.b.c.d, a.b.c.d:port, v6, [v6], [v6]:port. The address is
// returned only if it is one.
func splitAddress(s string) (addr, port string, ok bool) {
	if len(s) < 2 || len(s) > 64 {
		return "", "", false
	}
	addr = s
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		addr = s[1:end]
		if rest := s[end+1:]; rest != "" && rest[0] == ':' {
			port = rest[1:]
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		addr, port = s[:i], s[i+1:]
	}
	return addr, port, isAddress(addr)
}

func isAddress(s string) bool {
	if len(s) == 0 || s[0] > 'f' { // words are the common case; an address begins with a digit, a-f or :
		return false
	}
	_, err := parseAddr(s)
	return err == nil
}

// parseAddr is netip.ParseAddr for what can be an address at all: netip's error would copy the text.
func parseAddr(s string) (netip.Addr, error) {
	for i := range len(s) {
		switch c := s[i]; {
		case hexDigit(c) >= 0, c == '.', c == ':', c == '%':
		default:
			if strings.IndexByte(s[:i], '%') < 0 {
				return netip.Addr{}, errNotAddress
			}
		}
	}
	return netip.ParseAddr(s)
}

// canonical returns an address as text in the form netip writes, without zone and not mapped.
func canonical(ev *event.Event, s string) string {
	addr, err := parseAddr(s)
	if err != nil {
		return ""
	}
	var buf [64]byte
	b := addr.Unmap().WithZone("").AppendTo(buf[:0])
	if string(b) == s {
		return s
	}
	return ev.Keep(b)
}

// setURI sets url.path and url.query from a request target, and scheme and domain where it has them.
// The two are always split: a key in a query must not get into the path.
func setURI(ev *event.Event, s string) bool {
	if absent(s) {
		return false
	}
	if i := schemeEnd(s); i > 0 {
		setEnum(ev, event.URLScheme, s[:i])
		rest := s[i+3:]
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		if !ev.Has(event.URLDomain) {
			setHost(ev, event.URLDomain, rest[:end])
		}
		if s = rest[end:]; s == "" || s[0] != '/' {
			setQuery(ev, s)
			return setText(ev, event.URLPath, "/")
		}
	}
	end := strings.IndexByte(s, '?')
	if i := strings.IndexByte(s, '#'); i >= 0 && (end < 0 || i < end) {
		end = i
	}
	if end >= 0 {
		setQuery(ev, s[end:])
		s = s[:end]
	}
	return setText(ev, event.URLPath, s)
}

// schemeEnd returns where :// stands if s begins with a scheme, else 0.
func schemeEnd(s string) int {
	if s[0] == '/' {
		return 0
	}
	if i := strings.Index(s, "://"); i < 8 {
		return max(i, 0)
	}
	return 0
}

// setQuery sets url.query from what follows the path, fragment cut off.
func setQuery(ev *event.Event, s string) {
	if s == "" || s[0] != '?' {
		return
	}
	s = s[1:]
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	if s != "" {
		setText(ev, event.URLQuery, s)
	}
}

// setHost sets a domain from a Host header or a URL: scheme, credentials, port and path cut off.
func setHost(ev *event.Event, id event.ID, s string) bool {
	if plainHost(s) {
		ev.SetString(id, s)
		return true
	}
	s = bareHost(s)
	if len(s) > 253 {
		return false
	}
	return setCase(ev, id, s, 'A', 'a')
}

// bareHost is the host of a Host header or a URL.
func bareHost(s string) string {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if len(s) > 0 && s[0] == '[' {
		if end := strings.IndexByte(s, ']'); end > 0 {
			s = s[1:end]
		}
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.IndexByte(s, ':') == i {
		s = s[:i]
	}
	return s
}

// plainHost tells whether s is a domain in lower case and nothing else.
func plainHost(s string) bool {
	if len(s) < 2 || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// setTLS sets version, protocol and tls.established from TLSv1.3, TLS 1.2, SSLv3, 1.3 and the like.
func setTLS(ev *event.Event, s string) bool {
	v, protocol := s, "tls"
	if len(v) == 7 && v[:4] == "TLSv" { // as nginx writes it
		v = v[4:]
	} else if len(v) >= 3 && strings.EqualFold(v[:3], "TLS") {
		v = v[3:]
	} else if len(v) >= 3 && strings.EqualFold(v[:3], "SSL") {
		v, protocol = v[3:], "ssl"
	}
	if v != "" && (v[0] < '0' || v[0] > '9') {
		v = strings.TrimLeft(v, " vV_-")
	}
	switch {
	case protocol == "tls" && (v == "1" || v == "1.0" || v == "1_0" || v == "10"):
		v = "1.0"
	case protocol == "tls" && (v == "1.1" || v == "1_1" || v == "11"):
		v = "1.1"
	case protocol == "tls" && (v == "1.2" || v == "1_2" || v == "12"):
		v = "1.2"
	case protocol == "tls" && (v == "1.3" || v == "1_3" || v == "13"):
		v = "1.3"
	case protocol == "ssl" && (v == "3" || v == "3.0"):
		v = "3.0"
	case protocol == "ssl" && (v == "2" || v == "2.0"):
		v = "2.0"
	default:
		return false
	}
	ev.SetString(event.TLSVersion, v)
	ev.SetString(event.TLSVersionProtocol, protocol)
	ev.SetBool(event.TLSEstablished, true)
	return true
}

// setHTTPVersion sets http.version from HTTP/1.1, HTTP/2, h2 or 1.1.
func setHTTPVersion(ev *event.Event, s string) bool {
	switch {
	case len(s) >= 5 && (s[:5] == "HTTP/" || strings.EqualFold(s[:5], "HTTP/")):
		s = s[5:]
	case len(s) >= 2 && (s[0]|0x20) == 'h':
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 3 {
		return false
	}
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	ev.SetString(event.HTTPVersion, s)
	return true
}

// flagRetried marks a call that the gateway tried more than once upstream.
const flagRetried = "retried"

// setAttempts sets a status from a list with one entry per upstream attempt, "502, 200" or
// "502 : 200": the last one counts.
func setAttempts(ev *event.Event, id event.ID, s string) bool {
	if n, ok := shortInt(s); ok {
		ev.SetInt(id, n)
		return true
	}
	last := s
	if i := strings.LastIndexAny(s, ",: "); i >= 0 {
		last = s[i+1:]
		if strings.TrimRight(s[:i], ",: ") != "" {
			ev.Append(event.GatewayFlags, flagRetried)
		}
	}
	return setInt(ev, id, last)
}

// setTrace sets trace.id from a traceparent header or a bare id.
func setTrace(ev *event.Event, id event.ID, s string) bool {
	if len(s) >= 55 && s[2] == '-' && s[35] == '-' {
		s = s[3:35]
	}
	return setText(ev, id, s)
}

// setMethod sets http.request.method, if it is a token that can be one.
func setMethod(ev *event.Event, id event.ID, s string) bool {
	switch s {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS":
		ev.SetString(id, s)
		return true
	}
	if len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return setCase(ev, id, s, 'a', 'A')
}

// setMediaType sets a media type without its parameters.
func setMediaType(ev *event.Event, id event.ID, s string) bool {
	if i := strings.IndexByte(s, ';'); i >= 0 {
		s = strings.TrimRight(s[:i], " ")
	}
	return setCase(ev, id, s, 'A', 'a')
}
