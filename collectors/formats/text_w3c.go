package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// w3c reads the extended log format that IIS and CloudFront write. Its columns are what the latest
// #Fields directive says, so the format remembers them; a line before the first directive is taken to
// have the configured columns, else IIS's usual ones, if it has as many. Directives are skipped
// (ErrSkip).
//
// Blanks in values are written as +, so no caller can shift the columns.
type w3c struct {
	loc     *time.Location
	table   pairTable
	columns [w3cColumns]w3cColumn
	names   [w3cColumns]string // as the directive has them
	n       int
	usual   bool // no directive came yet
	buf     []byte
}

// w3cColumns bounds the columns of a line.
const w3cColumns = 96

// w3cColumn is what a column is for.
type w3cColumn struct {
	role w3cRole
	op   *op
}

type w3cRole uint8

const (
	w3cNone w3cRole = iota
	w3cDate
	w3cTime
	w3cField
	w3cText // + stands for a blank
	w3cStatus
	w3cSubstatus
	w3cTaken
	w3cBytes
)

// iisUsual are the columns of IIS as it is installed.
const iisUsual = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken"

func newW3C(opt Options) Format {
	f := &w3c{loc: opt.Location, table: newPairTable(w3cPairs())}
	columns := opt.Columns
	if columns == "" {
		columns = iisUsual
	}
	f.fields([]byte(strings.TrimPrefix(columns, "#Fields:")))
	f.usual = true
	return f
}

// w3cPairs are by name in lower case, without the cs( ) or sc( ) around a header's name.
func w3cPairs() []pair {
	return append(livenessPairs(), []pair{
		{"c-ip", event.SourceIP, 0},
		{"c-port", event.SourcePort, 0},
		{"x-forwarded-for", event.HTTPRequestForwarded, 0},
		{"cs-method", event.HTTPRequestMethod, 0},
		{"cs-uri-stem", event.URLPath, 0},
		{"cs-uri-query", event.URLQuery, 0},
		{"cs-username", event.UserName, 0},
		{"cs-host x-host-header host", event.URLDomain, 0},
		{"cs-version cs-protocol-version", event.HTTPVersion, 0},
		{"cs-protocol", event.URLScheme, 0},
		{"user-agent", event.UserAgentOriginal, 0},
		{"referer", event.HTTPRequestReferrer, 0},
		{"origin", event.HTTPRequestOrigin, 0},
		{"cs-bytes", event.HTTPRequestBytes, 0},
		{"sc-bytes", event.HTTPResponseBytes, 0},
		{"s-sitename", event.GatewayService, 0},
		{"x-request-id x-edge-request-id request-id", event.HTTPRequestID, 0},
		{"traceparent", event.TraceID, 0},
		{"ssl-protocol", event.TLSVersion, 0},
		{"ssl-cipher", event.TLSCipher, 0},
		{"x-consumer", event.GatewayConsumer, 0},
		{"x-api-key-id", event.APIKeyID, 0},
		{"x-tenant-id", event.OrganizationID, 0},
	}...)
}

func w3cProvides() []event.ID {
	return append(fieldsOf(w3cPairs()), event.HTTPResponseStatusCode, event.EventDuration, event.GatewayAuthReason, event.GatewayFlags)
}

// Parse implements Format.
func (f *w3c) Parse(line []byte, ev *event.Event) error {
	line = bytes.TrimRight(line, "\r")
	if len(line) > 0 && line[0] == '#' {
		return f.directive(line)
	}
	var date, clock []byte
	var status, sub int64
	i := 0
	for b := line; len(b) > 0; i++ {
		n := bytes.IndexAny(b, " \t")
		v := b
		if n >= 0 {
			v, b = b[:n], b[n+1:]
		} else {
			b = nil
		}
		if i >= f.n {
			i++
			break
		}
		c := &f.columns[i]
		if c.role == w3cNone || len(v) == 0 || len(v) == 1 && v[0] == '-' {
			continue
		}
		switch c.role {
		case w3cDate:
			date = v
		case w3cTime:
			clock = v
		case w3cStatus:
			if !setStatus(ev, v) {
				return errBadStatus
			}
			status = ev.Int(event.HTTPResponseStatusCode)
		case w3cSubstatus:
			sub, _ = shortInt(event.Slot(v))
		case w3cTaken:
			unit := int64(1e6)
			if bytes.IndexByte(v, '.') >= 0 { // CloudFront has seconds
				unit = 1e9
			}
			setDuration(ev, event.EventDuration, event.Slot(v), unit)
		case w3cBytes:
			setCount(ev, c.op.to, v)
		case w3cText:
			c.op.set(ev, f.text(v, ev), f.loc)
		default:
			c.op.set(ev, event.Slot(v), f.loc)
		}
	}
	if i != f.n {
		if f.usual {
			return errNoDirective
		}
		return errColumns
	}
	var buf [40]byte
	if len(date) != 10 || len(clock) < 8 || len(clock) > 18 {
		return errNoTime
	}
	text := append(append(append(buf[:0], date...), ' '), clock...)
	at, ok := parseTime(event.Slot(text), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	at.set(ev, event.Timestamp)
	substatus(status, sub, ev)
	finish(ev, "iis_w3c", "iis")
	return nil
}

// directive reads a line that describes the log.
func (f *w3c) directive(line []byte) error {
	name, value, ok := bytes.Cut(line[1:], []byte{':'})
	if !ok {
		return errNotFormat
	}
	switch string(name) {
	case "Fields":
		f.fields(value)
		f.usual = false
	case "Software", "Version", "Date", "Start-Date", "End-Date", "Remark":
	default:
		return errNotFormat
	}
	return ErrSkip
}

// fields learns the columns.
func (f *w3c) fields(list []byte) {
	f.n = 0
	for name := range bytes.FieldsSeq(list) {
		if f.n == w3cColumns {
			return // such lines have more columns than are known, and are refused
		}
		f.columns[f.n] = f.column(strings.ToLower(string(name)))
		f.names[f.n] = partName(name)
		f.n++
	}
}

func (f *w3c) column(name string) w3cColumn {
	switch name {
	case "date":
		return w3cColumn{role: w3cDate}
	case "time":
		return w3cColumn{role: w3cTime}
	case "sc-status":
		return w3cColumn{role: w3cStatus}
	case "sc-substatus":
		return w3cColumn{role: w3cSubstatus}
	case "time-taken":
		return w3cColumn{role: w3cTaken}
	}
	role := w3cField
	if i := strings.IndexByte(name, '('); i >= 0 && strings.HasSuffix(name, ")") {
		name, role = name[i+1:len(name)-1], w3cText
	}
	o := f.table[name]
	switch {
	case o == nil:
		return w3cColumn{}
	case o.as == asInt:
		role = w3cBytes
	}
	return w3cColumn{role, o}
}

// text undoes what IIS and CloudFront do to headers: + for a blank, %XX for what has no other place.
func (f *w3c) text(v []byte, ev *event.Event) string {
	if bytes.IndexByte(v, '+') < 0 && bytes.IndexByte(v, '%') < 0 {
		return event.Slot(v)
	}
	f.buf = f.buf[:0]
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(v) && hexDigit(v[i+1]) >= 0 && hexDigit(v[i+2]) >= 0:
			c = byte(hexDigit(v[i+1])<<4 | hexDigit(v[i+2]))
			i += 2
		}
		f.buf = append(f.buf, c)
	}
	return ev.Keep(f.buf)
}

// substatus says why IIS refused a call.
func substatus(status, sub int64, ev *event.Event) {
	switch {
	case status == 403 && (sub == 6 || sub == 8 || sub == 503):
		setAuth(ev, authIP)
	case status == 403 && (sub == 7 || sub == 12 || sub == 13 || sub == 16 || sub == 17):
		setAuth(ev, authMTLS)
		ev.Append(event.GatewayFlags, flagMTLSFailed)
	case status == 403 && (sub == 501 || sub == 502):
		setAuth(ev, authRate)
		ev.Append(event.GatewayFlags, flagRateLimited)
	case status == 404 && sub == 13:
		ev.Append(event.GatewayFlags, "body_too_large")
	}
}
