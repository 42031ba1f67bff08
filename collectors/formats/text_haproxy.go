package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// haproxy reads HAProxy's HTTP log, and its HTTPS log, which has the TLS fields behind the request:
//
//	[haproxy[pid]: ]client:port [accept] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes cookie
//	cookie termination actconn/feconn/beconn/srvconn/retries srvqueue/bequeue [{request captures}]
//	[{response captures}] "METHOD target HTTP/x" [fc_err/ssl_fc_err/ssl_c_err/ssl_c_ca_err/resumed
//	sni/version/cipher]
//
// Captures are taken in the order in which the configuration should declare them (docs/formats.md).
// The first braces are the request's; where there is but one pair, it is taken as the request's too.
// HAProxy writes quotes, braces, bars and # of callers as #XX, so none can be forged.
type haproxy struct {
	loc   *time.Location
	https bool
	buf   []byte
}

func newHAProxyHTTP(opt Options) Format  { return &haproxy{loc: opt.Location} }
func newHAProxyHTTPS(opt Options) Format { return &haproxy{loc: opt.Location, https: true} }

func haproxyFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.GatewayRoute, event.GatewayService, event.EventDuration,
		event.HTTPResponseStatusCode, event.HTTPResponseBytes, event.GatewayFlags, event.GatewayReason,
		event.GatewayAuthReason, event.UserAgentOriginal, event.HTTPRequestForwarded, event.HTTPRequestID,
		event.GatewayConsumer, event.URLDomain, event.URLScheme, event.URLPath, event.URLQuery,
		event.HTTPRequestMethod, event.HTTPVersion, event.TLSEstablished, event.LivenessDecisionRaw,
		event.LivenessScoreRaw, event.LivenessSessionID, event.LivenessVendor, event.LivenessThreshold,
		event.LivenessReasonCode, event.LivenessAttempt, event.LivenessTransactionID,
	}
}

func haproxyHTTPSFields() []event.ID {
	return append(haproxyFields(), event.TLSVersion, event.TLSVersionProtocol, event.TLSCipher, event.TLSClientServerName)
}

// Parse implements Format.
func (f *haproxy) Parse(line []byte, ev *event.Event) error {
	w := words{haproxyTag(line)}
	peer, date := w.next(), w.next()
	if len(peer) == 0 || len(date) < 22 || date[0] != '[' || date[len(date)-1] != ']' {
		return errNotFormat
	}
	start, ok := parseTime(event.Slot(date[1:len(date)-1]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	setPeer(ev, peer)
	frontend := w.next()
	if n := len(frontend); n > 0 && frontend[n-1] == ':' {
		return f.failure(start, frontend[:n-1], w.rest, ev)
	}
	if plain := bytes.TrimSuffix(frontend, []byte{'~'}); len(plain) < len(frontend) {
		ev.SetBool(event.TLSEstablished, true)
		ev.SetString(event.URLScheme, "https")
		frontend = plain
	} else {
		ev.SetBool(event.TLSEstablished, false)
	}
	setText(ev, event.GatewayRoute, event.Slot(frontend))
	backend, _, ok := bytes.Cut(w.next(), []byte{'/'})
	if !ok {
		return errNotFormat
	}
	if !bytes.Equal(backend, frontend) && !bytes.Equal(bytes.TrimSuffix(backend, []byte{'~'}), frontend) {
		setText(ev, event.GatewayService, event.Slot(backend))
	}
	total, ok := timers(w.next())
	if !ok {
		return errNumeric
	}
	setDuration(ev, event.EventDuration, event.Slot(total), 1e6)
	setEnd(ev, start)
	if !setStatus(ev, w.next()) {
		return errBadStatus
	}
	if !setCount(ev, event.HTTPResponseBytes, bytes.TrimPrefix(w.next(), []byte{'+'})) {
		return errNumeric
	}
	w.next()
	w.next()
	if !terminated(w.next(), ev) {
		return errNotFormat
	}
	conns := w.next()
	retries := bytes.TrimPrefix(conns[bytes.LastIndexByte(conns, '/')+1:], []byte{'+'})
	if n, ok := shortInt(event.Slot(retries)); !ok {
		return errNumeric
	} else if n > 0 {
		ev.Append(event.GatewayFlags, flagRetried)
	}
	w.next()
	if err := f.captures(&w, ev); err != nil {
		return err
	}
	if err := f.request(&w, ev); err != nil {
		return err
	}
	f.finish(ev)
	return nil
}

func (f *haproxy) finish(ev *event.Event) {
	if f.https {
		finish(ev, "haproxy_https", "haproxy")
	} else {
		finish(ev, "haproxy_http", "haproxy")
	}
}

// haproxyTag cuts off what syslog puts before a line: haproxy[912]:
func haproxyTag(line []byte) []byte {
	head := line[:min(len(line), 64)]
	if i := bytes.Index(head, []byte("]: ")); i > 0 && bytes.IndexByte(head[:i], ' ') < 0 && bytes.IndexByte(head[:i], '[') > 0 {
		return line[i+3:]
	}
	return line
}

// timers returns the last of five times: how long the call took.
func timers(b []byte) (total []byte, ok bool) {
	for n := range 5 {
		var t []byte
		t, b, ok = bytes.Cut(b, []byte{'/'})
		if ok != (n < 4) {
			return nil, false
		}
		t = bytes.TrimPrefix(t, []byte{'+'})
		if _, ok := parseInt(event.Slot(t)); !ok {
			return nil, false
		}
		total = t
	}
	return total, true
}

// terminated reads the state in which the session ended. A dash says that nothing was wrong.
func terminated(b []byte, ev *event.Event) bool {
	if len(b) != 4 {
		return false
	}
	if b[0] == '-' && b[1] == '-' {
		return true
	}
	setText(ev, event.GatewayFlags, event.Slot(b))
	switch b[0] {
	case 'C':
		ev.Append(event.GatewayFlags, flagClientGone)
	case 'c':
		ev.Append(event.GatewayFlags, "client_timeout")
	case 'S':
		ev.Append(event.GatewayFlags, "upstream_failed")
	case 's':
		ev.Append(event.GatewayFlags, "upstream_timeout")
	case 'P':
		switch ev.Int(event.HTTPResponseStatusCode) {
		case 0, 400: // it was no request
			return true
		case 429:
			setAuth(ev, authRate)
		case 401, 403:
			setAuth(ev, authOther)
		}
		ev.Append(event.GatewayFlags, "denied")
	case 'R':
		ev.Append(event.GatewayFlags, "resources_exhausted")
	case 'I':
		ev.Append(event.GatewayFlags, "internal_error")
	}
	return true
}

// captures reads the captured headers.
func (f *haproxy) captures(w *words, ev *event.Event) error {
	for n := range 2 {
		b := bytes.TrimLeft(w.rest, " ")
		if len(b) == 0 || b[0] != '{' {
			return nil
		}
		end := bytes.IndexByte(b, '}')
		if end < 0 {
			return errUnclosed
		}
		list := b[1:end]
		w.rest = b[end+1:]
		for i, more := 0, true; more; i++ {
			var v []byte
			v, list, more = bytes.Cut(list, []byte{'|'})
			s := decodeHex(ev, &f.buf, v, '#')
			if absent(s) {
				continue
			}
			if n == 0 {
				requestCapture(i, s, ev)
			} else {
				responseCapture(i, s, ev)
			}
		}
	}
	return nil
}

func requestCapture(i int, s string, ev *event.Event) {
	switch i {
	case 0:
		setText(ev, event.UserAgentOriginal, s)
	case 1:
		setText(ev, event.HTTPRequestForwarded, s)
	case 2:
		setText(ev, event.HTTPRequestID, s)
	case 3:
		setHost(ev, event.URLDomain, s)
	case 4:
		setText(ev, event.GatewayConsumer, s)
	}
}

func responseCapture(i int, s string, ev *event.Event) {
	switch i {
	case 0:
		setText(ev, event.LivenessDecisionRaw, s)
	case 1:
		setFloat(ev, event.LivenessScoreRaw, s, 1)
	case 2:
		setText(ev, event.LivenessSessionID, s)
	case 3:
		setCase(ev, event.LivenessVendor, s, 'A', 'a')
	case 4:
		setFloat(ev, event.LivenessThreshold, s, 1)
	case 5:
		setText(ev, event.LivenessReasonCode, s)
	case 6:
		setInt(ev, event.LivenessAttempt, s)
	case 7:
		setText(ev, event.LivenessTransactionID, s)
	}
}

// request reads the request, which may be cut at the end of a line that grew too long, and the TLS
// fields behind it.
func (f *haproxy) request(w *words, ev *event.Event) error {
	b := bytes.TrimLeft(w.rest, " ")
	if len(b) == 0 || b[0] != '"' {
		return errNoRequest
	}
	b = b[1:]
	end := bytes.IndexByte(b, '"')
	var rest words
	if end >= 0 {
		rest.rest = b[end+1:]
		b = b[:end]
	}
	if string(b) == "<BADREQ>" {
		ev.Append(event.GatewayFlags, flagMalformed)
	} else {
		splitRequest(ev, decodeHex(ev, &f.buf, b, '#'))
	}
	faults, tls := rest.next(), rest.next()
	if !f.https {
		if len(faults) > 0 {
			return errTrailingText
		}
		return nil
	}
	if len(tls) == 0 || bytes.Count(faults, []byte{'/'}) != 4 {
		return errShort
	}
	for i := range 4 {
		var v []byte
		if v, faults, _ = bytes.Cut(faults, []byte{'/'}); len(bytes.Trim(v, "0-")) == 0 {
			continue
		}
		switch i {
		case 0:
			ev.Append(event.GatewayFlags, "connection_error")
		case 1:
			ev.Append(event.GatewayFlags, "tls_error")
		default:
			ev.Append(event.GatewayFlags, flagMTLSFailed)
			if s := ev.Int(event.HTTPResponseStatusCode); s == 0 || s >= 400 {
				setAuth(ev, authMTLS)
			}
		}
	}
	s := event.Slot(tls)
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		setText(ev, event.TLSCipher, s[i+1:])
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		if v := s[i+1:]; !absent(v) {
			setTLS(ev, v)
		}
		s = s[:i]
	}
	if !absent(s) {
		setHost(ev, event.TLSClientServerName, s)
	}
	return nil
}

// failure reads a line about a connection on which no request came.
func (f *haproxy) failure(start instant, frontend, message []byte, ev *event.Event) error {
	message = bytes.TrimLeft(message, " ")
	for _, m := range [...]struct{ begins, flag, reason string }{
		{"SSL handshake failure", flagTLSHandshake, "SSL handshake failure"},
		{"Connection closed during SSL handshake", flagTLSHandshake, "connection closed during SSL handshake"},
		{"Connection error during SSL handshake", flagTLSHandshake, "connection error during SSL handshake"},
		{"Timeout during SSL handshake", flagTLSHandshake, "timeout during SSL handshake"},
		{"SSL client CA chain cannot be verified", flagMTLSFailed, "client CA chain cannot be verified"},
		{"SSL client certificate not trusted", flagMTLSFailed, "client certificate not trusted"},
		{"Too many connections", "resources_exhausted", "too many connections"},
		{"Connection closed", flagClientGone, "connection closed"},
	} {
		if !bytes.HasPrefix(message, []byte(m.begins)) {
			continue
		}
		ev.Append(event.GatewayFlags, m.flag)
		ev.SetString(event.GatewayReason, m.reason)
		if m.flag == flagMTLSFailed {
			setAuth(ev, authMTLS)
		}
		name, _, _ := bytes.Cut(frontend, []byte{'/'})
		setText(ev, event.GatewayRoute, event.Slot(bytes.TrimSuffix(name, []byte{'~'})))
		ev.SetBool(event.TLSEstablished, false)
		start.set(ev, event.Timestamp)
		f.finish(ev)
		return nil
	}
	return errNotFormat
}
