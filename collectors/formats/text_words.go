package formats

import (
	"bytes"
	"errors"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// This file is what the text formats share: words, numbers, escapes.

// ErrSkip is what Parse returns for a line that is no call and is not broken either: a directive that
// describes the lines after it, or what a gateway says of itself. Such a line gives no document. It is counted, and does not go to quarantine.
var ErrSkip = errors.New("the line is a directive, not a call")

// ErrPartial is what Parse returns for a part of a line that a container runtime has cut. The whole
// comes with the last part; yet a part is quarantined, because what is held of it would be lost with
// the process.
var ErrPartial = errors.New("part of a line that the container runtime has cut")

// unjudged tells errors that say nothing about whether the format fits.
func unjudged(err error) bool { return errors.Is(err, ErrSkip) || errors.Is(err, ErrPartial) }

// The reasons a line of text is refused.
var (
	errNotFormat    = errors.New("not a line of this format")
	errShort        = errors.New("fields are missing at the end of the line")
	errNumeric      = errors.New("a number was expected")
	errTrailingText = errors.New("text behind the last field")
	errNoDirective  = errors.New("no #Fields directive came before the line")
	errColumns      = errors.New("not as many columns as the #Fields directive says")
)

// flagAmbiguous marks a line in which a caller's own text looks like the log's punctuation, so that
// it cannot be told what is whose. What is in doubt is left out.
const flagAmbiguous = "ambiguous_line"

// Flags that several formats give.
const (
	flagTLSHandshake = "tls_handshake_failed"
	flagMTLSFailed   = "mtls_failed"
	flagClientGone   = "client_gone"
	flagWAFBlock     = "waf_block"
	flagRateLimited  = "limit_req_rejected"
)

// Words of gateway.auth_reason.
const (
	authRate    = "rate"
	authMTLS    = "mtls"
	authToken   = "token"
	authOther   = "other"
	authIP      = "ip_denied"
	authUnknown = "unknown_key"
	authMissing = "missing_key"
)

// scored is a format of text that knows how much speaks for the line it parsed last.
type scored interface{ score() int }

// words takes a line apart at its blanks.
type words struct{ rest []byte }

// next returns the next word; it is empty where there is none.
func (w *words) next() []byte {
	b := bytes.TrimLeft(w.rest, " ")
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		i = len(b)
	}
	w.rest = b[i:]
	return b[:i]
}

// last returns the last word.
func (w *words) last() []byte {
	b := bytes.TrimRight(w.rest, " ")
	i := bytes.LastIndexByte(b, ' ')
	w.rest = b[:max(i, 0)]
	return b[i+1:]
}

// quoted returns the next value in quotes.
func (w *words) quoted() ([]byte, bool) {
	v, rest, ok := quoted(bytes.TrimLeft(w.rest, " "))
	if ok {
		w.rest = rest
	}
	return v, ok
}

// setStatus sets the status; "-", -1 and 0 mean that the caller got none.
func setStatus(ev *event.Event, b []byte) bool {
	s := event.Slot(b)
	n, ok := shortInt(s)
	if ok && n >= 100 && n <= 999 {
		ev.SetInt(event.HTTPResponseStatusCode, n)
	}
	return ok && n <= 999 || s == "-" || s == "-1"
}

// setCount sets a number of bytes; "-" and negative numbers mean that it was not counted.
func setCount(ev *event.Event, id event.ID, b []byte) bool {
	n, ok := parseInt(event.Slot(b))
	if ok && n >= 0 {
		ev.SetInt(id, n)
	}
	return ok || string(b) == "-"
}

// setEnd sets the time of the call: when it began, plus how long it took.
func setEnd(ev *event.Event, start instant) {
	start.plus(ev.Int(event.EventDuration)).set(ev, event.Timestamp)
}

// setPeer sets source.ip and source.port from address:port, where the address may have colons and no
// brackets.
func setPeer(ev *event.Event, b []byte) {
	i := bytes.LastIndexByte(b, ':')
	if i < 0 || b[0] == '[' {
		setAddress(ev, event.SourceIP, event.Slot(b))
		return
	}
	if !isAddress(event.Slot(b[:i])) || !setAddress(ev, event.SourceIP, event.Slot(b[:i])) {
		return
	}
	if n, ok := shortInt(event.Slot(b[i+1:])); ok && n > 0 && n < 1<<16 {
		ev.SetInt(event.SourcePort, n)
	}
}

// setAuth sets gateway.auth_reason unless it is set already.
func setAuth(ev *event.Event, reason string) {
	if !ev.Has(event.GatewayAuthReason) {
		ev.SetString(event.GatewayAuthReason, reason)
	}
}

// splitRequest sets method, target and version from METHOD target HTTP/x. The text is taken as it
// stands: escapes are the format's to undo before.
func splitRequest(ev *event.Event, s string) {
	switch {
	case absent(s), s == "- - -", s == "- - - ":
		ev.Append(event.GatewayFlags, flagNoRequest)
		return
	case len(s) >= 2 && s[:2] == "\x16\x03":
		ev.Append(event.GatewayFlags, flagTLSOnPlain)
		return
	}
	b := event.Bytes(s)
	i := bytes.IndexByte(b, ' ')
	if i < 0 || !setMethod(ev, event.HTTPRequestMethod, s[:i]) {
		ev.Append(event.GatewayFlags, flagMalformed)
		return
	}
	target := s[i+1:]
	if j := bytes.LastIndexByte(b[i+1:], ' '); j >= 0 && setHTTPVersion(ev, target[j+1:]) {
		target = target[:j]
	}
	setURI(ev, target)
}

// decodeHex undoes escapes of a lead byte and two hexadecimal digits, and, where the lead is a
// backslash, those of a backslash and a letter. The text is a slot, or kept in the event.
func decodeHex(ev *event.Event, buf *[]byte, b []byte, lead byte) string {
	if bytes.IndexByte(b, lead) < 0 {
		return event.Slot(b)
	}
	out := (*buf)[:0]
	for i := 0; i < len(b); i++ {
		if b[i] != lead || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		at := i + 1
		if lead == '\\' {
			i++
			if b[i] != 'x' {
				out = append(out, plainEscape(b[i]))
				continue
			}
			at++
		}
		if at+1 < len(b) && hexDigit(b[at]) >= 0 && hexDigit(b[at+1]) >= 0 {
			out = append(out, byte(hexDigit(b[at])<<4|hexDigit(b[at+1])))
			i = at + 1
			continue
		}
		out = append(out, b[i])
	}
	*buf = out
	return ev.Keep(out)
}

func plainEscape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'v':
		return '\v'
	case 'b':
		return '\b'
	}
	return c
}

// goDuration reads a duration as Go writes it, 1.2ms or 1m2.5s, as nanoseconds.
func goDuration(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 32 || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return int64(d), err == nil && d >= 0
}

// outer is what the envelope around a line says, for formats whose lines may lack it. A format and
// its envelope share it.
type outer struct {
	time instant // zero if it says none
}

// set makes the envelope's time the event's, and tells whether it says any.
func (o *outer) set(ev *event.Event) bool {
	if o == nil || o.time.ns <= 0 {
		return false
	}
	o.time.set(ev, event.Timestamp)
	return true
}
