package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// envoy reads Envoy's default access log in text, and Istio's, which puts details after the flags and
// addresses at the end:
//
//	[start] "METHOD path PROTOCOL" status flags [details termination "transport failure"] received sent
//	duration upstream-time "forwarded" "agent" "request id" "authority" "upstream" [cluster
//	upstream-local local remote server-name route]
//
// Envoy escapes nothing. A header with a quote in it could pass for other fields, so a line with more
// quotes than the format has keeps only what no caller can have written, and is flagged.
type envoy struct {
	loc   *time.Location
	istio bool
}

func newEnvoyText(opt Options) Format { return &envoy{loc: opt.Location} }
func newIstioText(opt Options) Format { return &envoy{loc: opt.Location, istio: true} }

func envoyFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.HTTPRequestForwarded, event.URLDomain, event.URLScheme, event.URLPath,
		event.URLQuery, event.HTTPRequestMethod, event.HTTPVersion, event.HTTPResponseStatusCode,
		event.HTTPRequestBodyBytes, event.HTTPResponseBodyBytes, event.EventDuration, event.UserAgentOriginal,
		event.HTTPRequestID, event.GatewayFlags, event.GatewayAuthReason,
	}
}

func istioFields() []event.ID {
	return append(envoyFields(), event.GatewayReason, event.GatewayService, event.GatewayRoute, event.TLSClientServerName)
}

// Parse implements Format.
func (f *envoy) Parse(line []byte, ev *event.Event) error {
	end := bytes.Index(line[:min(len(line), 48)], []byte(`] "`))
	if end < 1 || line[0] != '[' {
		return errNotFormat
	}
	start, ok := parseTime(event.Slot(line[1:end]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	request, rest, ok := envoyRequest(line[end+3:])
	if !ok {
		return errNoRequest
	}
	splitRequest(ev, event.Slot(request))
	w := words{rest}
	if !setStatus(ev, w.next()) {
		return errBadStatus
	}
	f.flags(w.next(), ev)
	if f.istio {
		details := w.next()
		w.next()
		failure, ok := w.quoted()
		if !ok {
			return errNotFormat
		}
		if !setText(ev, event.GatewayReason, event.Slot(details)) {
			setText(ev, event.GatewayReason, event.Slot(failure))
		}
		if bytes.HasPrefix(details, []byte("rbac")) {
			setAuth(ev, authMTLS)
		}
	}
	if !setCount(ev, event.HTTPRequestBodyBytes, w.next()) || !setCount(ev, event.HTTPResponseBodyBytes, w.next()) {
		return errNumeric
	}
	duration := w.next()
	if !setDuration(ev, event.EventDuration, event.Slot(duration), 1e6) && string(duration) != "-" {
		return errNumeric
	}
	w.next() // the upstream's part of the duration
	setEnd(ev, start)
	if f.istio && !f.ends(&w, ev) {
		return errShort
	}
	if err := f.headers(w, ev); err != nil {
		return err
	}
	name, product := "envoy_text", "envoy"
	if f.istio {
		name, product = "istio_text", "istio"
	}
	finish(ev, name, product)
	return nil
}

// envoyRequest finds the end of the request: a quote behind a protocol and before a status.
func envoyRequest(b []byte) (request, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		i += n
		if i+3 >= len(b) || b[i+1] != ' ' || b[i+2] < '0' || b[i+2] > '9' {
			continue
		}
		if p := b[bytes.LastIndexByte(b[:i], ' ')+1 : i]; string(p) == "-" || bytes.HasPrefix(p, []byte("HTTP/")) {
			return b[:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

func (f *envoy) flags(b []byte, ev *event.Event) {
	for s := event.Slot(b); !absent(s); {
		var flag string
		flag, s, _ = strings.Cut(s, ",")
		setText(ev, event.GatewayFlags, flag)
		switch flag {
		case "UAEX":
			setAuth(ev, authOther)
		case "RL", "RLSE":
			setAuth(ev, authRate)
		}
	}
}

// headers reads what the caller's headers said.
func (f *envoy) headers(w words, ev *event.Event) error {
	switch n := bytes.Count(w.rest, []byte{'"'}); {
	case n < 10:
		return errShort
	case n > 10:
		ev.Append(event.GatewayFlags, flagAmbiguous)
		if s := forwardedIn(w.rest); s != "" {
			setText(ev, event.HTTPRequestForwarded, s)
			if !ev.Has(event.SourceIP) {
				setAddress(ev, event.SourceIP, s)
			}
		}
		return nil
	}
	var v [5]string
	for i := range v {
		open := bytes.IndexByte(w.rest, '"')
		end := open + 1 + bytes.IndexByte(w.rest[open+1:], '"')
		v[i] = event.Slot(w.rest[open+1 : end])
		w.rest = w.rest[end+1:]
	}
	if setText(ev, event.HTTPRequestForwarded, v[0]) && !ev.Has(event.SourceIP) {
		setAddress(ev, event.SourceIP, v[0]) // Envoy appends the peer's address
	}
	setText(ev, event.UserAgentOriginal, v[1])
	setText(ev, event.HTTPRequestID, v[2])
	if !absent(v[3]) {
		setHost(ev, event.URLDomain, v[3])
	}
	return nil
}

// forwardedIn finds the forwarded chain among headers of which one has quotes in it. Envoy ends the
// chain with an address of its own, and behind it come four more values. If only one place looks so,
// it is the end of the chain: a stray quote in a header must not hide the caller.
func forwardedIn(b []byte) string {
	sep := []byte(`" "`)
	b = b[bytes.IndexByte(b, '"')+1:]
	found := ""
	for i, left := 0, bytes.Count(b, sep); left > 3; left-- {
		n := bytes.Index(b[i:], sep)
		if n < 0 {
			break
		}
		end := i + n
		i = end + len(sep)
		last := b[bytes.LastIndexAny(b[max(0, end-64):end], `," `)+1+max(0, end-64) : end]
		switch {
		case string(b[:end]) == "-":
			return "" // there is none
		case !isAddress(event.Slot(last)):
		case found != "":
			return ""
		default:
			found = event.Slot(b[:end])
		}
	}
	return found
}

// ends reads the six words that Istio has at the end. None of them is a header.
func (f *envoy) ends(w *words, ev *event.Event) bool {
	i := bytes.LastIndexByte(w.rest, '"')
	if i < 0 {
		return false
	}
	tail := words{w.rest[i+1:]}
	w.rest = w.rest[:i+1]
	cluster := tail.next()
	tail.next()
	tail.next()
	remote, sni, route := tail.next(), tail.next(), tail.next()
	if len(route) == 0 {
		return false
	}
	setText(ev, event.GatewayService, event.Slot(cluster))
	if len(remote) > 1 {
		setPeer(ev, remote)
	}
	if s := event.Slot(sni); !absent(s) {
		setHost(ev, event.TLSClientServerName, s)
	}
	setText(ev, event.GatewayRoute, event.Slot(route))
	return true
}
