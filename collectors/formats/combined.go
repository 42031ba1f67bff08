package formats

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// The reasons a combined line is refused.
var (
	errNoRequest  = errors.New("no [time] and quoted request")
	errBadStatus  = errors.New("no status after the request")
	errNoAgent    = errors.New("no quoted referrer and user agent")
	errUnclosed   = errors.New("a quote is not closed")
	errNoPrefix   = errors.New("no address before the time")
	errBadPayload = errors.New("no size after the status")
)

// Flags of a request line that is no request.
const (
	flagTLSOnPlain = "tls_on_plain_port"
	flagNoRequest  = "no_request"
	flagMalformed  = "malformed_request"
)

// combined reads nginx's combined format:
//
//	address - user [time] "request" status bytes "referrer" "agent"
//
// and what it becomes in practice: a list of forwarded addresses in place of the address (the last
// one counts as the peer, the whole list as the forwarded chain), a virtual host in front, and more
// fields behind, of which a quoted address list is taken as the forwarded chain and rt= as duration.
// Values of callers cannot hold a bare quote, so the first `] "` of a line ends its time.
type combined struct {
	loc   *time.Location
	buf   []byte
	clock clock
}

func newCombined(opt Options) Format { return &combined{loc: opt.Location} }

func combinedFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.HTTPRequestForwarded, event.URLDomain, event.URLScheme,
		event.UserName, event.HTTPRequestMethod, event.URLPath, event.URLQuery, event.HTTPVersion,
		event.HTTPResponseStatusCode, event.HTTPResponseBodyBytes, event.HTTPRequestReferrer,
		event.UserAgentOriginal, event.EventDuration, event.GatewayFlags,
	}
}

// Parse implements Format.
func (f *combined) Parse(line []byte, ev *event.Event) error {
	end := bytes.Index(line, []byte(`] "`))
	if end < 0 {
		return errNoRequest
	}
	open := bytes.LastIndexByte(line[:end], '[')
	if open < 1 {
		return errNoRequest
	}
	at, ok := f.clock.parse(event.Slot(line[open+1:end]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	at.set(ev, event.Timestamp)
	if err := f.prefix(event.Slot(bytes.TrimRight(line[:open], " ")), ev); err != nil {
		return err
	}
	request, rest, ok := quoted(line[end+2:])
	if !ok {
		return errUnclosed
	}
	f.request(request, ev)
	if len(rest) < 5 || rest[0] != ' ' || rest[4] != ' ' {
		return errBadStatus
	}
	status, ok := parseInt(event.Slot(rest[1:4]))
	if !ok || status < 0 {
		return errBadStatus
	}
	if status >= 100 { // 000: the caller left before there was one
		ev.SetInt(event.HTTPResponseStatusCode, status)
	}
	size, rest, ok := bytes.Cut(rest[5:], []byte{' '})
	if !ok {
		return errBadPayload
	}
	if !setDuration(ev, event.HTTPResponseBodyBytes, event.Slot(size), 1) && string(size) != "-" {
		return errBadPayload
	}
	referrer, rest, ok := quoted(rest)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return errNoAgent
	}
	agent, rest, ok := quoted(rest[1:])
	if !ok {
		return errNoAgent
	}
	setText(ev, event.HTTPRequestReferrer, f.text(referrer, ev))
	setText(ev, event.UserAgentOriginal, f.text(agent, ev))
	f.extra(rest, ev)
	finish(ev, "nginx_combined", "nginx")
	return nil
}

// prefix reads what stands before the time: [vhost] address[, address...] - user.
func (f *combined) prefix(s string, ev *event.Event) error {
	who, user, ok := strings.Cut(s, " - ")
	if !ok || who == "" {
		return errNoPrefix
	}
	who = strings.Trim(who, `"`)
	if host, rest, ok := strings.Cut(who, " "); ok && !strings.HasSuffix(host, ",") {
		if _, _, isAddr := splitAddress(host); !isAddr {
			setHost(ev, event.URLDomain, host)
			who = rest
		}
	}
	if strings.IndexByte(who, ',') >= 0 {
		setText(ev, event.HTTPRequestForwarded, who)
	}
	setAddress(ev, event.SourceIP, who)
	setText(ev, event.UserName, f.text(event.Bytes(user), ev))
	return nil
}

// request reads METHOD target HTTP/x.
func (f *combined) request(b []byte, ev *event.Event) {
	s := event.Slot(b)
	switch {
	case absent(s):
		ev.Append(event.GatewayFlags, flagNoRequest)
		return
	case strings.HasPrefix(s, `\x16\x03`), strings.HasPrefix(s, "\x16\x03"):
		ev.Append(event.GatewayFlags, flagTLSOnPlain)
		return
	}
	method, target, ok := strings.Cut(s, " ")
	if !ok || !setMethod(ev, event.HTTPRequestMethod, method) {
		ev.Append(event.GatewayFlags, flagMalformed)
		return
	}
	if i := strings.LastIndexByte(target, ' '); i >= 0 && setHTTPVersion(ev, target[i+1:]) {
		target = target[:i]
	}
	setURI(ev, f.text(event.Bytes(target), ev))
}

// maxExtra bounds what is read behind the user agent, in values.
const maxExtra = 32

// extra reads what some log formats have behind the user agent.
func (f *combined) extra(b []byte, ev *event.Event) {
	for n := 0; n < maxExtra && len(b) > 1 && b[0] == ' '; n++ {
		b = b[1:]
		if b[0] == '"' {
			v, rest, ok := quoted(b)
			if !ok {
				return
			}
			s := event.Slot(v)
			if first, _, _ := strings.Cut(s, ","); !ev.Has(event.HTTPRequestForwarded) && isAddress(first) {
				setText(ev, event.HTTPRequestForwarded, s)
			}
			b = rest
			continue
		}
		word, rest, _ := bytes.Cut(b, []byte{' '})
		if v, ok := bytes.CutPrefix(word, []byte("rt=")); ok {
			setDuration(ev, event.EventDuration, event.Slot(v), 1e9)
		}
		if len(rest) == 0 {
			return
		}
		b = b[len(word):]
	}
}

// quoted reads a quoted value at the start of b. A backslash takes the byte after it along.
func quoted(b []byte) (v, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

// text undoes nginx's and Apache's escapes: \xHH, \" and \\.
func (f *combined) text(b []byte, ev *event.Event) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return event.Slot(b)
	}
	f.buf = f.buf[:0]
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			f.buf = append(f.buf, b[i])
			continue
		}
		i++
		if b[i] == 'x' && i+2 < len(b) && hexDigit(b[i+1]) >= 0 && hexDigit(b[i+2]) >= 0 {
			f.buf = append(f.buf, byte(hexDigit(b[i+1])<<4|hexDigit(b[i+2])))
			i += 2
			continue
		}
		f.buf = append(f.buf, b[i])
	}
	return ev.Keep(f.buf)
}
