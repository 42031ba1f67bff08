package formats

import (
	"bytes"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// krakend reads the two kinds of lines that KrakenD writes: gin's access line, and its own about an
// endpoint, of which the level, the endpoint and the component are read and the text is not.
//
//	[GIN] 2026/03/14 - 09:12:44 | 401 | 1.2ms | 203.0.113.24 | POST "/v1/liveness/check"
//	[KRAKEND] 2026/03/14 - 09:12:44.101 ▶ ERROR [ENDPOINT: /v1/liveness/check][JWTValidator] …
//	2026/03/14 09:12:44 KRAKEND ERROR: [ENDPOINT: /v1/liveness/check][JWTValidator] …
type krakend struct {
	loc   *time.Location
	outer *outer
	buf   []byte
}

func newKrakenD(opt Options) Format { return &krakend{loc: opt.Location, outer: opt.outer} }

func krakendFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.URLPath, event.URLQuery, event.URLDomain, event.URLScheme,
		event.HTTPRequestMethod, event.HTTPResponseStatusCode, event.EventDuration, event.GatewayFlags,
		event.GatewayReason, event.GatewayAuthReason,
	}
}

// Parse implements Format.
func (f *krakend) Parse(line []byte, ev *event.Event) error {
	var err error
	if rest, ok := bytes.CutPrefix(line, []byte("[GIN] ")); ok {
		err = f.access(rest, ev)
	} else {
		err = f.component(line, ev)
	}
	if err == nil {
		finish(ev, "krakend_gin", "krakend")
	}
	return err
}

// time reads 2026/03/14 - 09:12:44, with or without the dash.
func (f *krakend) time(b []byte, ev *event.Event) (rest []byte, ok bool) {
	if len(b) < 19 || b[4] != '/' || b[10] != ' ' {
		return b, false
	}
	clock := b[11:]
	if len(b) >= 21 && b[11] == '-' && b[12] == ' ' {
		clock = b[13:]
	}
	n := bytes.IndexByte(clock, ' ')
	if n < 8 || n > 18 {
		return b, false
	}
	var buf [32]byte
	text := append(append(append(buf[:0], b[:10]...), ' '), clock[:n]...)
	at, ok := parseTime(event.Slot(text), epochAuto, f.loc)
	if ok {
		at.set(ev, event.Timestamp)
	}
	return clock[n:], ok
}

func (f *krakend) access(b []byte, ev *event.Event) error {
	b, ok := f.time(b, ev)
	if !ok {
		return errNoTime
	}
	var v [3][]byte
	for i := range v {
		if b, ok = bytes.CutPrefix(bytes.TrimLeft(b, " "), []byte{'|'}); !ok {
			return errNotFormat
		}
		n := bytes.IndexByte(b, '|')
		if n < 0 {
			return errShort
		}
		v[i], b = uncoloured(b[:n]), b[n:]
	}
	if !setStatus(ev, v[0]) {
		return errBadStatus
	}
	d, ok := goDuration(event.Slot(v[1]))
	if !ok {
		return errNumeric
	}
	ev.SetInt(event.EventDuration, d)
	setAddress(ev, event.SourceIP, event.Slot(v[2]))
	open := bytes.IndexByte(b, '"')
	if open < 0 {
		return errNoRequest
	}
	setMethod(ev, event.HTTPRequestMethod, event.Slot(uncoloured(b[1:open])))
	target, _, ok := quoted(b[open:])
	if !ok {
		return errUnclosed
	}
	if bytes.IndexByte(target, '\\') >= 0 {
		f.buf = unescape(f.buf[:0], target)
		setURI(ev, ev.Keep(f.buf))
		return nil
	}
	setURI(ev, event.Slot(target))
	return nil
}

// uncoloured cuts blanks and terminal colours off both ends.
func uncoloured(b []byte) []byte {
	for {
		b = bytes.TrimSpace(b)
		if len(b) > 1 && b[0] == 0x1b && b[1] == '[' {
			if i := bytes.IndexByte(b, 'm'); i > 0 {
				b = b[i+1:]
				continue
			}
		}
		if i := bytes.LastIndexByte(b, 0x1b); i >= 0 && len(b) > 0 && b[len(b)-1] == 'm' {
			b = b[:i]
			continue
		}
		return b
	}
}

// krakendComponents are the parts of KrakenD whose complaints say something about credentials.
//
//nolint:gochecknoglobals // constant; Go has no constant arrays
var krakendComponents = [...]struct{ component, flag, reason, auth string }{
	{"JWTValidator]", "jwt_refused", "JWT validator refused the call", authToken},
	{"JWTSigner]", "jwt_signer_failed", "JWT signer failed", ""},
	{"api-keys]", "api_key_refused", "API key refused", authOther},
	{"auth/api-keys]", "api_key_refused", "API key refused", authOther},
	{"ratelimit", "rate_limited", "rate limit", authRate},
	{"Ratelimit", "rate_limited", "rate limit", authRate},
	{"BotDetector]", "bot_detected", "bot detector refused the call", authOther},
	{"CEL]", "cel_refused", "CEL condition refused the call", authOther},
}

func (f *krakend) component(line []byte, ev *event.Event) error {
	rest, hasTag := bytes.CutPrefix(line, []byte("[KRAKEND] "))
	rest, ok := f.time(rest, ev)
	if !ok && !f.outer.set(ev) {
		return errNoTime
	}
	head := rest[:min(len(rest), 48)]
	if !hasTag && !bytes.Contains(head, []byte("KRAKEND ")) {
		return errNotFormat
	}
	w := words{rest}
	for range 4 {
		word := bytes.TrimSuffix(w.next(), []byte{':'})
		switch string(word) {
		case "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL":
			ev.SetLabel("level", event.Slot(word))
			return f.endpoint(bytes.TrimLeft(w.rest, " "), ev)
		}
	}
	return errNotFormat
}

func (f *krakend) endpoint(b []byte, ev *event.Event) error {
	rest, ok := bytes.CutPrefix(b, []byte("[ENDPOINT: "))
	if !ok {
		return ErrSkip // about the service, not about a call
	}
	path, rest, ok := bytes.Cut(rest, []byte{']'})
	if !ok {
		return errUnclosed
	}
	setURI(ev, event.Slot(path))
	rest = bytes.TrimPrefix(rest, []byte{'['})
	for _, c := range krakendComponents {
		if bytes.HasPrefix(rest, []byte(c.component)) {
			ev.Append(event.GatewayFlags, c.flag)
			ev.SetString(event.GatewayReason, c.reason)
			if c.auth != "" {
				setAuth(ev, c.auth)
			}
			return nil
		}
	}
	ev.Append(event.GatewayFlags, "unclassified")
	return nil
}
