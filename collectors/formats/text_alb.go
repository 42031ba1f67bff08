package formats

import (
	"bytes"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// alb reads the access log of AWS's Application Load Balancer: 17 fields at least, more as the years
// went by, all in one order.
type alb struct {
	loc *time.Location
	buf []byte
}

func newALB(opt Options) Format { return &alb{loc: opt.Location} }

func albFields() []event.ID {
	return []event.ID{
		event.SourceIP, event.SourcePort, event.EventDuration, event.HTTPResponseStatusCode, event.GatewayUpstreamStatus,
		event.HTTPRequestBytes, event.HTTPResponseBytes, event.HTTPRequestMethod, event.HTTPVersion, event.URLScheme,
		event.URLDomain, event.URLPath, event.URLQuery, event.UserAgentOriginal, event.TLSCipher, event.TLSVersion,
		event.TLSVersionProtocol, event.TLSEstablished, event.TLSClientServerName, event.GatewayService,
		event.GatewayRoute, event.HTTPRequestID, event.TraceID, event.GatewayFlags, event.GatewayReason,
		event.GatewayAuthReason,
	}
}

const albMinFields = 17

// Parse implements Format.
func (f *alb) Parse(line []byte, ev *event.Event) error {
	var v [30][]byte
	n, err := albSplit(line, &v)
	if err != nil {
		return err
	}
	tls := false
	switch string(v[0]) {
	case "http", "ws":
	case "https", "h2", "grpcs", "wss":
		tls = true
	default:
		return errNotFormat
	}
	if n < albMinFields {
		return errShort
	}
	at, ok := parseTime(event.Slot(v[1]), epochAuto, f.loc)
	if !ok {
		return errNoTime
	}
	at.set(ev, event.Timestamp)
	setText(ev, event.GatewayRoute, event.Slot(v[2]))
	if len(v[3]) > 1 {
		setPeer(ev, v[3])
	}
	if !f.duration(v[5:8], ev) {
		return errNumeric
	}
	if !setStatus(ev, v[8]) {
		return errBadStatus
	}
	if s, ok := shortInt(event.Slot(v[9])); ok {
		ev.SetInt(event.GatewayUpstreamStatus, s)
	}
	if !setCount(ev, event.HTTPRequestBytes, v[10]) || !setCount(ev, event.HTTPResponseBytes, v[11]) {
		return errBadPayload
	}
	splitRequest(ev, strings.TrimRight(decodeHex(ev, &f.buf, v[12], '\\'), " "))
	setText(ev, event.UserAgentOriginal, decodeHex(ev, &f.buf, v[13], '\\'))
	ev.SetBool(event.TLSEstablished, tls)
	setText(ev, event.TLSCipher, event.Slot(v[14]))
	if s := event.Slot(v[15]); !absent(s) {
		setTLS(ev, s)
	}
	if _, name, ok := strings.Cut(event.Slot(v[16]), ":targetgroup/"); ok {
		name, _, _ = strings.Cut(name, "/")
		setText(ev, event.GatewayService, name)
	}
	f.later(&v, ev)
	finish(ev, "aws_alb", "aws_alb")
	return nil
}

// albSplit takes the line apart and returns how many fields there are.
func albSplit(line []byte, v *[30][]byte) (int, error) {
	n := 0
	for b := line; n < len(v); n++ {
		b = bytes.TrimLeft(b, " ")
		if len(b) == 0 {
			break
		}
		if b[0] == '"' {
			q, rest, ok := quoted(b)
			if !ok {
				return n, errUnclosed
			}
			v[n], b = q, rest
			continue
		}
		i := bytes.IndexByte(b, ' ')
		if i < 0 {
			i = len(b)
		}
		v[n], b = b[:i], b[i:]
		if n == 0 && len(v[0]) > 5 {
			return 1, errNotFormat
		}
	}
	return n, nil
}

// duration adds up the three times of a call. -1 says that it did not get so far.
func (f *alb) duration(times [][]byte, ev *event.Event) bool {
	var sum int64
	measured := false
	for _, t := range times {
		d, ok := scaleDecimal(event.Slot(t), 1e9)
		if !ok && string(t) != "-" {
			return false
		}
		if ok && d >= 0 && d < 1<<60 {
			sum += d
			measured = true
		}
	}
	if measured {
		ev.SetInt(event.EventDuration, sum)
	}
	return true
}

// later reads the fields that lines of former years lack.
func (f *alb) later(v *[30][]byte, ev *event.Event) {
	id, _, _ := strings.Cut(strings.TrimPrefix(event.Slot(v[17]), "Root="), ";")
	setText(ev, event.HTTPRequestID, id)
	setText(ev, event.TraceID, id)
	if s := event.Slot(v[18]); !absent(s) {
		setHost(ev, event.TLSClientServerName, s)
	}
	if string(v[22]) == "waf" && ev.Int(event.HTTPResponseStatusCode) == 403 {
		ev.Append(event.GatewayFlags, flagWAFBlock)
		setAuth(ev, authOther)
	}
	if s := event.Slot(v[24]); !absent(s) {
		setText(ev, event.GatewayReason, s)
		if strings.HasPrefix(s, "Auth") {
			setAuth(ev, authToken)
		}
	}
	if bytes.IndexByte(v[26], ' ') > 0 {
		ev.Append(event.GatewayFlags, flagRetried)
	}
	switch string(v[27]) {
	case "Ambiguous":
		ev.Append(event.GatewayFlags, "desync_ambiguous")
	case "Severe":
		ev.Append(event.GatewayFlags, "desync_severe")
	}
	if !ev.Has(event.GatewayReason) {
		setText(ev, event.GatewayReason, event.Slot(v[28]))
	}
	if ev.Int(event.HTTPResponseStatusCode) == 460 {
		ev.Append(event.GatewayFlags, flagClientGone)
	}
}
