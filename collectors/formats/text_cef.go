package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// cef reads ArcSight's Common Event Format, as F5, Imperva and other firewalls for web applications
// send it:
//
//	CEF:0|vendor|product|version|signature|name|severity|key=value key=value …
//
// A value goes on until a blank, a key and an equals sign. The first of two equal keys counts. Custom
// strings and numbers (cs1, cn1, …) mean what their label says. The request's text, which holds
// credentials, is never read, and keys the table does not have are not copied.
type cef struct {
	loc    *time.Location
	outer  *outer
	table  pairTable
	custom pairTable // by label
	buf    []byte
	values [cefCustom][]byte
	labels [cefCustom][]byte
}

// cefCustom is the room for cs1 to cs9 and cn1 to cn9, the latter from 10 on.
const cefCustom = 20

func newCEF(opt Options) Format {
	return &cef{loc: opt.Location, outer: opt.outer, table: newPairTable(cefPairs()), custom: newPairTable(cefCustomPairs())}
}

func cefPairs() []pair {
	return append(livenessPairs(), []pair{
		{"rt end start", event.Timestamp, 0},
		{"src", event.SourceIP, 0},
		{"spt", event.SourcePort, 0},
		{"xff", event.HTTPRequestForwarded, 0},
		{"dhost sourceServiceName", event.URLDomain, 0},
		{"requestMethod", event.HTTPRequestMethod, 0},
		{"request", event.URLPath, 0},
		{"requestClientApplication", event.UserAgentOriginal, 0},
		{"requestContext", event.HTTPRequestReferrer, 0},
		{"externalId deviceExternalId", event.HTTPRequestID, 0},
		{"in", event.HTTPRequestBytes, 0},
		{"out", event.HTTPResponseBytes, 0},
		{"suser", event.UserName, 0},
		{"reason", event.GatewayReason, 0},
	}...)
}

func cefCustomPairs() []pair {
	return append(livenessPairs(), []pair{
		{"response_code responsecode http_status status_code response", event.HTTPResponseStatusCode, 0},
		{"x_forwarded_for_header_value x-forwarded-for xff", event.HTTPRequestForwarded, 0},
		{"policy_name http_class_name", event.GatewayRoute, 0},
		{"violations attack_type", event.GatewayReason, 0},
		{"user_agent", event.UserAgentOriginal, 0},
		{"request_id support_id", event.HTTPRequestID, 0},
	}...)
}

func cefFields() []event.ID {
	ids := append(fieldsOf(cefPairs()), fieldsOf(cefCustomPairs())...)
	return append(ids, event.GatewayFlags, event.GatewayAuthReason)
}

// Parse implements Format.
func (f *cef) Parse(line []byte, ev *event.Event) error {
	i := bytes.Index(line[:min(len(line), 256)], []byte("CEF:"))
	if i < 0 {
		return errNotFormat
	}
	header := [7][]byte{}
	b := line[i+4:]
	for n := range header {
		end := unescaped(b, '|')
		if end < 0 {
			return errShort
		}
		header[n], b = b[:end], b[end+1:]
	}
	if v := header[0]; len(v) != 1 || v[0] < '0' || v[0] > '9' {
		return errNotFormat
	}
	var found findings
	f.values, f.labels = [cefCustom][]byte{}, [cefCustom][]byte{}
	act, outcome := f.extension(b, ev, &found)
	for i := range f.values {
		f.customValue(f.labels[i], f.values[i], ev, &found)
	}
	if !ev.Has(event.Timestamp) {
		if !f.outer.set(ev) {
			return errNoTime
		}
	}
	if foldAny(act, "blocked", "block", "deny", "denied", "drop", "REQ_BLOCKED", "REQ_BLOCKED_SESSION") ||
		bytes.HasPrefix(act, []byte("REQ_BLOCKED")) || bytes.HasPrefix(act, []byte("REQ_BAD_")) {
		ev.Append(event.GatewayFlags, flagWAFBlock)
		if s := ev.Int(event.HTTPResponseStatusCode); s == 401 || s == 403 {
			setAuth(ev, authOther)
		}
	} else if foldAny(act, "alerted", "alert", "monitor") {
		ev.Append(event.GatewayFlags, "waf_alert")
	}
	if n, ok := shortInt(event.Slot(outcome)); ok && n >= 100 && n <= 599 && !ev.Has(event.HTTPResponseStatusCode) {
		ev.SetInt(event.HTTPResponseStatusCode, n)
	}
	found.note(ev)
	product := "cef"
	for _, known := range [...]struct{ vendor, product string }{{"F5", "f5"}, {"Imperva", "imperva"}, {"Incapsula", "imperva"}, {"Citrix", "citrix"}, {"Akamai", "akamai"}, {"Barracuda", "barracuda"}, {"FORTINET", "fortinet"}, {"Fortinet", "fortinet"}} {
		if bytes.HasPrefix(header[1], []byte(known.vendor)) {
			product = known.product
		}
	}
	finish(ev, "cef", product)
	return nil
}

// unescaped finds c where no backslash stands before it.
func unescaped(b []byte, c byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case c:
			return i
		}
	}
	return -1
}

// extension reads the pairs behind the header.
func (f *cef) extension(b []byte, ev *event.Event, found *findings) (act, outcome []byte) {
	b = bytes.TrimLeft(b, " ")
	eq := unescaped(b, '=')
	if eq < 0 || !cefKey(b[:eq]) {
		return nil, nil
	}
	for key := b[:eq]; ; {
		b = b[eq+1:]
		value, next := b, -1
		var after []byte
		for from := 0; ; {
			n := unescaped(b[from:], '=')
			if n < 0 {
				break
			}
			at := from + n
			if space := bytes.LastIndexByte(b[from:at], ' '); space >= 0 && cefKey(b[from+space+1:at]) {
				value, after, next = b[:from+space], b[from+space+1:at], at
				break
			}
			from = at + 1
		}
		value = bytes.TrimRight(value, " ")
		switch i := customIndex(key); {
		case i >= 0 && len(key) == 3:
			if f.values[i] == nil {
				f.values[i] = value
			}
		case i >= 0:
			if f.labels[i] == nil {
				f.labels[i] = value
			}
		case string(key) == "act":
			if act == nil {
				act = value
			}
		case string(key) == "outcome":
			if outcome == nil {
				outcome = value
			}
		default:
			f.pair(f.table[string(key)], key, value, ev, found)
		}
		if next < 0 {
			return act, outcome
		}
		key, eq = after, next
	}
}

func (f *cef) pair(o *op, key, value []byte, ev *event.Event, found *findings) {
	if o == nil {
		found.unmappedPair(key, value)
		return
	}
	if o.to == event.Timestamp && !ev.Has(event.Timestamp) {
		if at, ok := cefTime(event.Slot(value), f.loc); ok {
			at.set(ev, event.Timestamp)
		}
		return
	}
	text := event.Slot(value)
	if bytes.IndexByte(value, '\\') >= 0 {
		f.buf = f.buf[:0]
		for i := 0; i < len(value); i++ {
			c := value[i]
			if c == '\\' && i+1 < len(value) {
				i++
				c = plainEscape(value[i])
			}
			f.buf = append(f.buf, c)
		}
		text = ev.Keep(f.buf)
	}
	if text == "N/A" {
		return
	}
	if o.to == event.URLPath && text != "" && text[0] != '/' && !strings.Contains(text, "://") {
		if host, _, ok := strings.Cut(text, "/"); ok && plainHost(host) { // Imperva writes host/path
			if !ev.Has(event.URLDomain) {
				setHost(ev, event.URLDomain, host)
			}
			text = text[len(host):]
		}
	}
	o.set(ev, text, f.loc)
}

func (f *cef) customValue(label, value []byte, ev *event.Event, found *findings) {
	if len(value) == 0 {
		return
	}
	var buf [48]byte
	if len(label) > len(buf) {
		label = nil
	}
	name := appendLower(buf[:0], event.Slot(label))
	for i := range name {
		if name[i] == ' ' {
			name[i] = '_'
		}
	}
	f.pair(f.custom[string(name)], name, value, ev, found)
}

// customIndex returns the place of cs1, cn1, cs1Label or cn1Label, or -1.
func customIndex(k []byte) int {
	if len(k) != 3 && (len(k) != 8 || string(k[3:]) != "Label") || k[0] != 'c' || k[2] < '0' || k[2] > '9' {
		return -1
	}
	switch k[1] {
	case 's':
		return int(k[2] - '0')
	case 'n':
		return 10 + int(k[2]-'0')
	}
	return -1
}

func cefKey(k []byte) bool {
	if len(k) == 0 || len(k) > 64 {
		return false
	}
	for _, c := range k {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// cefTime reads milliseconds since the epoch, Mar 14 2026 09:12:44[.101][ zone], and what parseTime
// reads.
func cefTime(s string, loc *time.Location) (instant, bool) {
	if len(s) < 20 || s[3] != ' ' || s[6] != ' ' || s[11] != ' ' {
		return parseTime(s, epochAuto, loc)
	}
	if len(s) > 48 {
		return instant{}, false
	}
	var buf [64]byte
	b := append(append(append(append(append(buf[:0], s[4:6]...), '/'), s[:3]...), '/'), s[7:11]...)
	if b[0] == ' ' {
		b[0] = '0'
	}
	b = append(append(b, ':'), s[12:]...)
	return parseTime(event.Slot(b), epochAuto, loc)
}

// day2 reads a day of two digits, or of a blank and one.
func day2(s string) int {
	if strings.HasPrefix(s, " ") && s[1] >= '1' && s[1] <= '9' {
		return int(s[1] - '0')
	}
	return num2(s)
}
