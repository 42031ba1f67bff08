package formats

import (
	"bytes"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// clf reads the logs that descend from the common log format:
//
//	[virtual host] address ident user [time] "request" status bytes
//	    apache_common
//	… "referrer" "agent" [microseconds]
//	    apache_combined
//	… milliseconds, and in front whatever the logging framework puts there
//	    spring_clf: Reactor Netty's access log, as Spring Cloud Gateway writes it
//
// Apache escapes what callers send, so the first `] "` ends the time. Netty escapes nothing: there
// the request ends at the last quote, behind which stand numbers only.
type clf struct {
	combined
	kind   clfKind
	points int
}

type clfKind uint8

const (
	apacheCommon clfKind = iota
	apacheCombined
	springCLF
)

func newApacheCommon(opt Options) Format { return newCLF(opt, apacheCommon) }

func newApacheCombined(opt Options) Format { return newCLF(opt, apacheCombined) }

func newSpringCLF(opt Options) Format { return newCLF(opt, springCLF) }

func newCLF(opt Options, kind clfKind) Format {
	return &clf{combined: combined{loc: opt.Location}, kind: kind}
}

func (f *clf) score() int { return f.points }

func apacheCommonFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.HTTPRequestForwarded, event.URLDomain, event.URLScheme,
		event.UserName, event.HTTPRequestMethod, event.URLPath, event.URLQuery, event.HTTPVersion,
		event.HTTPResponseStatusCode, event.HTTPResponseBodyBytes, event.GatewayFlags,
	}
}

func apacheCombinedFields() []event.ID {
	return append(apacheCommonFields(), event.HTTPRequestReferrer, event.UserAgentOriginal, event.EventDuration)
}

func springFields() []event.ID {
	return append(apacheCommonFields(), event.EventDuration, event.TraceID)
}

// Parse implements Format.
func (f *clf) Parse(line []byte, ev *event.Event) error {
	end := bytes.Index(line, []byte(`] "`))
	if end < 0 {
		return errNoRequest
	}
	open := bytes.LastIndexByte(line[:end], '[')
	if open < 1 {
		return errNoRequest
	}
	start, ok := parseTime(event.Slot(line[open+1:end]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	f.points = 9
	if !f.peer(line[:open], ev) {
		return errNoPrefix
	}
	request, rest, ok := quoted(line[end+2:])
	if f.kind == springCLF {
		i := bytes.LastIndexByte(line, '"')
		if ok = i > end+2; ok {
			request, rest = line[end+3:i], line[i+1:]
		}
	}
	if !ok {
		return errUnclosed
	}
	splitRequest(ev, f.plain(request, ev))
	w := words{rest}
	if !setStatus(ev, w.next()) {
		return errBadStatus
	}
	if !setCount(ev, event.HTTPResponseBodyBytes, w.next()) {
		return errBadPayload
	}
	if err := f.behind(&w, ev); err != nil {
		return err
	}
	setEnd(ev, start)
	switch f.kind {
	case apacheCommon:
		finish(ev, "apache_common", "apache")
	case apacheCombined:
		finish(ev, "apache_combined", "apache")
	default:
		finish(ev, "spring_clf", "spring_cloud_gateway")
	}
	return nil
}

// plain undoes the escapes of the format.
func (f *clf) plain(b []byte, ev *event.Event) string {
	if f.kind == springCLF {
		return event.Slot(b)
	}
	return decodeHex(ev, &f.buf, b, '\\')
}

// behind reads what follows the size.
func (f *clf) behind(w *words, ev *event.Event) error {
	switch f.kind {
	case apacheCommon:
		if len(w.next()) > 0 {
			return errTrailingText
		}
	case apacheCombined:
		referrer, ok := w.quoted()
		if !ok {
			return errNoAgent
		}
		agent, ok := w.quoted()
		if !ok {
			return errNoAgent
		}
		setText(ev, event.HTTPRequestReferrer, f.plain(referrer, ev))
		setText(ev, event.UserAgentOriginal, f.plain(agent, ev))
		micros, ok := shortInt(event.Slot(w.next())) // more fields, or one with a dot, are not %D
		if ok && micros < 1<<40 && len(w.next()) == 0 {
			ev.SetInt(event.EventDuration, micros*1e3)
			f.points += 2
		}
	default:
		millis := bytes.TrimSuffix(bytes.TrimSuffix(w.next(), []byte("ms")), []byte{' '})
		if !setDuration(ev, event.EventDuration, event.Slot(millis), 1e6) {
			return errNumeric
		}
	}
	return nil
}

// peer reads what stands before the time: [virtual host] address[, address…] ident user. The user may
// have blanks in it; the address is the first word that is one, or the last of a list.
func (f *clf) peer(b []byte, ev *event.Event) bool {
	s := strings.TrimRight(event.Slot(b), " ")
	if f.kind == springCLF {
		return f.logback(s, ev)
	}
	first, rest, ok := strings.Cut(s, " ")
	if !ok {
		return false
	}
	who := strings.TrimSuffix(strings.Trim(first, `"`), ",")
	if _, _, is := splitAddress(who); !is {
		second, behind, ok := strings.Cut(rest, " ")
		if _, _, is := splitAddress(strings.TrimSuffix(strings.Trim(second, `"`), ",")); is && ok {
			if setHost(ev, event.URLDomain, first) && strings.IndexByte(first, ':') > 0 {
				f.points += 2
			}
			s, first, rest = rest, second, behind
		}
	}
	if list := first; strings.HasSuffix(list, ",") {
		for more := true; more && strings.HasSuffix(first, ","); {
			first, rest, more = strings.Cut(rest, " ")
		}
		list = strings.Trim(s[:len(s)-len(rest)], ` "`)
		setText(ev, event.HTTPRequestForwarded, list)
		first = list
	}
	setAddress(ev, event.SourceIP, strings.Trim(first, `"`))
	_, user, ok := strings.Cut(rest, " ")
	if !ok {
		return false
	}
	if user != `""` {
		setText(ev, event.UserName, f.plain(event.Bytes(user), ev))
	}
	return true
}

// logback reads what Reactor Netty has before the time, and looks for a trace in what Logback has
// before that.
func (f *clf) logback(s string, ev *event.Event) bool {
	w := words{event.Bytes(s)}
	user, ident, address := w.last(), w.last(), w.last()
	if len(ident) == 0 || len(address) == 0 {
		return false
	}
	setAddress(ev, event.SourceIP, event.Slot(address))
	setText(ev, event.UserName, event.Slot(user))
	prefix := event.Slot(w.rest)
	for i := 0; i+32 <= len(prefix); i++ {
		n := 0
		for i+n < len(prefix) && hexDigit(prefix[i+n]) >= 0 && prefix[i+n]|0x20 == prefix[i+n] {
			n++
		}
		if n == 32 {
			setText(ev, event.TraceID, prefix[i:i+32])
			break
		}
		i += n
	}
	return true
}
