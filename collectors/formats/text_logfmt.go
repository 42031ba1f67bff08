package formats

import (
	"bytes"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// logfmt reads key=value pairs, values with blanks in quotes. The first of two equal keys counts, so
// that nothing a caller sends can come after it and replace it. Keys the table does not have are not
// copied.
type logfmt struct {
	loc    *time.Location
	outer  *outer
	table  pairTable
	buf    []byte
	points int
}

func newLogfmt(opt Options) Format {
	return &logfmt{loc: opt.Location, outer: opt.outer, table: newPairTable(logfmtPairs())}
}

func logfmtPairs() []pair {
	return append(livenessPairs(), []pair{
		{"ts time timestamp t @timestamp date datetime", event.Timestamp, 0},
		{"request_id req_id requestId x_request_id request.id reqid", event.HTTPRequestID, 0},
		{"trace_id traceparent traceID trace.id", event.TraceID, 0},
		{"remote_addr client_ip client ip remote_ip clientip src peer source.ip", event.SourceIP, 0},
		{"fwd xff x_forwarded_for http_x_forwarded_for forwarded_for fwd_ip", event.HTTPRequestForwarded, 0},
		{"host http_host vhost authority domain", event.URLDomain, 0},
		{"method http_method request_method verb http.method", event.HTTPRequestMethod, 0},
		{"path uri url request_uri http_path target http.path", event.URLPath, 0},
		{"status status_code code http_status response_code http.status", event.HTTPResponseStatusCode, 0},
		{"protocol_version proto http_version", event.HTTPVersion, 0},
		{"scheme", event.URLScheme, 0},
		{"request_length bytes_in request_bytes", event.HTTPRequestBytes, 0},
		{"bytes_sent bytes_out response_bytes", event.HTTPResponseBytes, 0},
		{"bytes size body_bytes_sent", event.HTTPResponseBodyBytes, 0},
		{"duration_ms latency_ms elapsed_ms service took_ms response_time_ms", event.EventDuration, 1e6},
		{"duration latency elapsed request_time took", event.EventDuration, 1e9},
		{"ua user_agent http_user_agent useragent", event.UserAgentOriginal, 0},
		{"referer referrer", event.HTTPRequestReferrer, 0},
		{"origin", event.HTTPRequestOrigin, 0},
		{"tls_version ssl_protocol tls", event.TLSVersion, 0},
		{"tls_cipher ssl_cipher cipher", event.TLSCipher, 0},
		{"sni ssl_server_name", event.TLSClientServerName, 0},
		{"route router route_name", event.GatewayRoute, 0},
		{"backend upstream_cluster upstream_service", event.GatewayService, 0},
		{"consumer consumer_id app_id client_id", event.GatewayConsumer, 0},
		{"upstream_status origin_status", event.GatewayUpstreamStatus, 0},
		{"key_id key_hash api_key apikey", event.APIKeyID, 0},
		{"error_code err_code", event.ErrorCode, 0},
		{"reason", event.GatewayReason, 0},
		{"tenant tenant_id org_id", event.OrganizationID, 0},
		{"region", event.DataRegion, 0},
		{"subject_ref subject", event.UserID, 0},
		{"user username remote_user", event.UserName, 0},
		{"device_ref device_id", event.DeviceID, 0},
		{"app_version", event.AppVersion, 0},
		{"consent_id", event.ConsentID, 0},
		{"consent_version", event.ConsentVersion, 0},
	}...)
}

func logfmtFields() []event.ID { return fieldsOf(logfmtPairs()) }

func (f *logfmt) score() int { return f.points }

// Parse implements Format.
func (f *logfmt) Parse(line []byte, ev *event.Event) error {
	var found findings
	f.points = 0
	pairs, bare := 0, 0
	for b := line; ; {
		b = bytes.TrimLeft(b, " \t")
		if len(b) == 0 {
			break
		}
		n := 0
		for n < len(b) && b[n] > ' ' && b[n] != '=' && b[n] != '"' {
			n++
		}
		if n == 0 {
			return errNotFormat
		}
		key := b[:n]
		if b = b[n:]; len(b) == 0 || b[0] != '=' {
			if bare++; len(b) > 0 && b[0] == '"' {
				return errNotFormat
			}
			continue
		}
		var value []byte
		escaped := false
		if b = b[1:]; len(b) > 0 && b[0] == '"' {
			v, rest, ok := quoted(b)
			if !ok {
				return errUnclosed
			}
			value, b = v, rest
			escaped = bytes.IndexByte(v, '\\') >= 0
		} else {
			n := bytes.IndexByte(b, ' ')
			if n < 0 {
				n = len(b)
			}
			value, b = b[:n], b[n:]
		}
		pairs++
		o := f.table[string(key)]
		if o == nil {
			found.unmappedPair(key, value)
			continue
		}
		text := event.Slot(value)
		if escaped {
			f.buf = unescape(f.buf[:0], value)
			text = ev.Keep(f.buf)
		}
		o.set(ev, text, f.loc)
	}
	if pairs == 0 {
		return errNotFormat
	}
	if !ev.Has(event.Timestamp) {
		if !f.outer.set(ev) {
			return errNoTime
		}
	}
	if pairs >= 3 && bare == 0 && (ev.Has(event.HTTPResponseStatusCode) || ev.Has(event.URLPath) || ev.Has(event.LivenessDecisionRaw)) {
		f.points = 4
	}
	found.note(ev)
	finish(ev, "logfmt", "logfmt")
	return nil
}
