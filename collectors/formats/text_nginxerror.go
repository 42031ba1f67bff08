package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// nginxError reads nginx's error log:
//
//	2026/03/14 09:12:44 [error] 31#31: *17 message, client: …, server: …, request: "…", host: "…"
//
// A message is the gateway's text around the caller's: it is told by its beginning, becomes a word in
// gateway.flags and a sentence of ours in gateway.reason, and is never copied.
type nginxError struct {
	loc *time.Location
}

func newNginxError(opt Options) Format { return &nginxError{loc: opt.Location} }

func nginxErrorFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.URLDomain, event.URLScheme, event.URLPath, event.URLQuery, event.HTTPRequestMethod,
		event.HTTPVersion, event.GatewayFlags, event.GatewayReason, event.GatewayAuthReason, event.GatewayRoute,
	}
}

// nginxMessage is a class of messages.
type nginxMessage struct{ begins, has, flag, reason, auth string }

// nginxMessages are told in this order.
//
//nolint:gochecknoglobals // constant; Go has no constant arrays
var nginxMessages = [...]nginxMessage{
	{"limiting requests, dry run", "", "limit_req_dry_run", "limiting requests, dry run", ""},
	{"limiting requests", "", flagRateLimited, "limiting requests", authRate},
	{"delaying requests", "", "limit_req_delayed", "delaying requests", ""},
	{"limiting connections", "", "limit_conn_rejected", "limiting connections", authRate},
	{"client intended to send too large", "", "body_too_large", "client intended to send too large body", ""},
	{"SSL_do_handshake() failed", "", flagTLSHandshake, "SSL handshake failed", ""},
	{"peer closed connection in SSL handshake", "", flagTLSHandshake, "peer closed connection in SSL handshake", ""},
	{"SSL_read() failed", "", "tls_error", "TLS read failed", ""},
	{"SSL_write() failed", "", "tls_error", "TLS write failed", ""},
	{"client sent plain HTTP request to HTTPS port", "", "plain_on_tls_port", "plain HTTP request to HTTPS port", ""},
	{"client SSL certificate verify error", "", flagMTLSFailed, "client certificate verify error", authMTLS},
	{"client sent no required SSL certificate", "", flagMTLSFailed, "client sent no required certificate", authMTLS},
	{"access forbidden by rule", "", "access_denied", "access forbidden by rule", authIP},
	{"no user/password was provided", "", "auth_required", "no user and password were provided", authMissing},
	{`user "`, `": password mismatch`, "password_mismatch", "password mismatch", authOther},
	{`user "`, `" was not found in`, "unknown_user", "user was not found", authUnknown},
	{"auth request unexpected status", "", "auth_request_failed", "auth request with unexpected status", ""},
	{"upstream timed out", "", "upstream_timeout", "upstream timed out", ""},
	{"no live upstreams", "", "upstream_unavailable", "no live upstreams", ""},
	{"connect() failed", "", "upstream_connect_failed", "connection to upstream failed", ""},
	{"connect() to ", "", "upstream_connect_failed", "connection to upstream failed", ""},
	{"upstream prematurely closed connection", "", "upstream_closed", "upstream closed the connection early", ""},
	{"upstream sent", "", "upstream_bad_response", "upstream sent a bad response", ""},
	{"upstream SSL certificate", "", "upstream_tls_failed", "upstream certificate not accepted", ""},
	{"recv() failed", "", "connection_error", "connection broke while reading", ""},
	{"send() failed", "", "connection_error", "connection broke while writing", ""},
	{"writev() failed", "", "connection_error", "connection broke while writing", ""},
	{"readv() failed", "", "connection_error", "connection broke while reading", ""},
	{"client prematurely closed connection", "", flagClientGone, "client closed the connection early", ""},
	{"client closed connection", "", flagClientGone, "client closed the connection", ""},
	{"epoll_wait() reported that client prematurely closed", "", flagClientGone, "client closed the connection early", ""},
	{"client timed out", "", "client_timeout", "client timed out", ""},
	{"client sent", "", flagMalformed, "client sent an invalid request", ""},
	{"client exceeded http2 max", "", flagMalformed, "client exceeded an HTTP/2 limit", ""},
	{"ModSecurity: Access denied", "", flagWAFBlock, "ModSecurity denied access", authOther},
	{"a client request body is buffered", "", "body_buffered", "request body is buffered to a file", ""},
	{"open() ", "", "file_error", "file could not be opened", ""},
	{"directory index of ", "", "access_denied", "directory index is forbidden", ""},
	{"rewrite or internal redirection cycle", "", "redirect_cycle", "internal redirection cycle", ""},
}

// Parse implements Format.
func (f *nginxError) Parse(line []byte, ev *event.Event) error {
	if len(line) < 24 || line[4] != '/' || line[7] != '/' || line[19] != ' ' || line[20] != '[' {
		return errNotFormat
	}
	at, ok := parseTime(event.Slot(line[:19]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	at.set(ev, event.Timestamp)
	level, rest, ok := bytes.Cut(line[21:], []byte("] "))
	if !ok || len(level) > 6 {
		return errNotFormat
	}
	level, ok = knownLevel(level)
	if !ok {
		return errNotFormat
	}
	process, rest, ok := bytes.Cut(rest, []byte(": "))
	if !ok || bytes.IndexByte(process, '#') < 1 || len(process) > 32 {
		return errNotFormat
	}
	if len(rest) > 0 && rest[0] == '*' {
		_, rest, _ = bytes.Cut(rest, []byte{' '})
	}
	ev.SetLabel("level", event.Slot(level))
	known := f.message(rest, ev)
	if !f.context(event.Slot(rest), ev) && !known {
		return ErrSkip // about the service, not about a call
	}
	finish(ev, "nginx_error", "nginx")
	return nil
}

func knownLevel(b []byte) ([]byte, bool) {
	switch string(b) {
	case "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg":
		return b, true
	}
	return nil, false
}

// message tells the class of a message, if it is one that is known.
func (f *nginxError) message(b []byte, ev *event.Event) bool {
	s := event.Slot(b)
	for i := range nginxMessages {
		m := &nginxMessages[i]
		if m.begins[0] != b0(s) || !strings.HasPrefix(s, m.begins) || m.has != "" && !strings.Contains(s[:min(len(s), maxValue)], m.has) {
			continue
		}
		ev.Append(event.GatewayFlags, m.flag)
		ev.SetString(event.GatewayReason, m.reason)
		if m.auth != "" {
			setAuth(ev, m.auth)
		}
		return true
	}
	ev.Append(event.GatewayFlags, "unclassified")
	return false
}

func b0(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// context reads what nginx says behind the message: client, server, request, host. It is not there if
// the line is not about a call, or was cut because its message is long.
func (f *nginxError) context(s string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(s, ", client: ")
	if !ok {
		return false
	}
	if strings.Contains(rest, ", client: ") {
		ev.Append(event.GatewayFlags, flagAmbiguous)
		return true
	}
	client, rest, _ := strings.Cut(rest, ", ")
	setAddress(ev, event.SourceIP, client)
	var server string
	if v, ok := strings.CutPrefix(rest, "server: "); ok {
		server, rest, _ = strings.Cut(v, ", ")
		if server != "_" {
			setText(ev, event.GatewayRoute, server)
		}
	}
	if v, ok := strings.CutPrefix(rest, `request: "`); ok {
		rest = ""
		end := len(v)
		for _, next := range [...]string{`", upstream: "`, `", subrequest: "`, `", host: "`, `", referrer: "`} {
			if i := strings.Index(v[:end], next); i >= 0 {
				end, rest = i, v[i+3:]
			}
		}
		splitRequest(ev, strings.TrimSuffix(v[:end], `"`))
	}
	if !ev.Has(event.URLDomain) {
		if i := strings.LastIndex(rest, `host: "`); i >= 0 {
			host, _, _ := strings.Cut(rest[i+7:], `"`)
			setHost(ev, event.URLDomain, host)
		} else if server != "" && server != "_" && strings.IndexByte(server, ':') < 0 {
			setHost(ev, event.URLDomain, server)
		}
	}
	return true
}
