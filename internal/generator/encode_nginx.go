package generator

import (
	"strconv"
)

// statusText is what nginx puts into $upstream_status.
func (c *call) appendUpstreamStatus(b []byte) []byte {
	switch {
	case c.upstream < 0:
		return b
	case c.retried:
		b = append(b, "502, "...)
	}
	return strconv.AppendInt(b, int64(c.status), 10)
}

func (c *call) appendUpstreamTime(b []byte) []byte {
	switch {
	case c.upstream < 0:
		return b
	case c.retried:
		b = append(b, "0.301, "...)
	}
	return appendSeconds(b, c.upstream)
}

// nginx is the recommended log_format with escape=json: every key is there, and empty where there is
// no value. Answers of the liveness adapter come as $upstream_http_* and are text.
func (e *encoder) nginx(b []byte, c *call) []byte {
	m := members{b: b}
	m.open()
	m.quote("ts")
	m.b = e.appendClock(m.b, c.at)
	m.unquote()
	m.key("msec")
	m.b = strconv.AppendInt(m.b, floorDiv(c.at, 1e9), 10)
	m.b = append(m.b, '.')
	m.b = appendMillis(m.b, c.at)
	m.quote("request_id")
	e.tmp = c.appendRequest(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.raw("remote_addr", c.peer)
	m.quote("xff")
	m.b = c.appendForwarded(m.b)
	m.unquote()
	m.raw("host", "liveness.gateway.example")
	m.raw("method", c.method)
	m.quote("uri")
	e.tmp = c.appendURI(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.raw("protocol", c.proto)
	m.int("status", int64(c.status))
	m.int("request_length", int64(c.received))
	m.int("bytes_sent", int64(c.sent))
	m.key("request_time")
	m.b = appendSeconds(m.b, c.elapsed())
	if c.upstream >= 0 {
		m.raw("upstream_addr", "10.40.1.11:8443")
	} else {
		m.raw("upstream_addr", "")
	}
	m.quote("upstream_status")
	m.b = c.appendUpstreamStatus(m.b)
	m.unquote()
	m.quote("upstream_response_time")
	m.b = c.appendUpstreamTime(m.b)
	m.unquote()
	m.raw("ssl_protocol", c.tls)
	m.raw("ssl_cipher", c.cipher)
	m.raw("ssl_client_verify", "NONE")
	m.raw("limit_req_status", "PASSED")
	m.str("consumer", c.consumer())
	m.raw("key_id", c.keyName())
	m.raw("auth_reason", c.authReason)
	m.str("ua", c.ua)
	m.str("origin", c.origin)
	m.str("referer", c.referer)
	if c.tenant != nil {
		m.raw("tenant", c.tenant.name)
		m.raw("region", c.processed())
	} else {
		m.raw("tenant", "")
		m.raw("region", "")
	}
	e.answer(&m, c)
	m.quote("subject_ref")
	e.tmp = c.appendSubject(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.quote("device_ref")
	e.tmp = c.appendDevice(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.quote("consent_id")
	m.b = appendConsent(m.b, c.consent)
	m.unquote()
	if c.consent != 0 {
		m.raw("consent_version", consentVersion)
	} else {
		m.raw("consent_version", "")
	}
	m.str("app_version", c.appVersion())
	if len(c.body) > 0 {
		m.quote("request_body")
		m.b = append(m.b, `{\"image\":\"`...)
		m.b = append(m.b, c.body...)
		m.b = append(m.b, `\"}`...)
		m.unquote()
	}
	if c.extra != nil && c.extra.key != "" {
		m.str(c.extra.key, c.extra.value)
	}
	m.b = append(m.b, '}')
	return m.b
}

// answer appends the lv_* keys.
func (e *encoder) answer(m *members, c *call) {
	if c.session == "" {
		m.b = append(m.b, `,"lv_vendor":"","lv_decision":"","lv_score":"","lv_threshold":"","lv_session":"","lv_transaction":"","lv_attempt":"",`...)
		m.b = append(m.b, `"lv_reason":"","lv_attack_class":"","lv_attack_type":"","lv_model":"","lv_modality":"","lv_latency_ms":"","lv_digest":"","lv_virtual_camera":""`...)
		return
	}
	v := vendor{name: "acme"}
	if c.tenant != nil {
		v = c.tenant.vendor
	}
	m.raw("lv_vendor", v.name)
	m.raw("lv_decision", c.decision)
	m.quote("lv_score")
	if c.score >= 0 {
		m.b = appendScore(m.b, c.score)
	}
	m.unquote()
	m.quote("lv_threshold")
	if c.decision != "" {
		m.b = appendScore(m.b, v.threshold)
	}
	m.unquote()
	m.raw("lv_session", c.session)
	m.quote("lv_transaction")
	if c.digest != 0 {
		m.b = appendBase32(append(m.b, "t-"...), mix(c.answer))
	}
	m.unquote()
	m.quote("lv_attempt")
	if c.attempt > 0 {
		m.b = strconv.AppendInt(m.b, int64(c.attempt), 10)
	}
	m.unquote()
	m.str("lv_reason", c.reasonCode())
	m.raw("lv_attack_class", c.class)
	m.raw("lv_attack_type", c.kind)
	if c.decision != "" {
		m.raw("lv_model", modelVersion)
		m.raw("lv_modality", v.modality)
	} else {
		m.raw("lv_model", "")
		m.raw("lv_modality", "")
	}
	m.some("lv_error", c.code)
	m.quote("lv_latency_ms")
	if c.latency > 0 {
		m.b = strconv.AppendInt(m.b, c.latency/1e6, 10)
	}
	m.unquote()
	m.quote("lv_digest")
	m.b = appendDigest(m.b, c.digest)
	m.unquote()
	if c.decision == "" {
		m.raw("lv_virtual_camera", "")
	} else {
		m.raw("lv_virtual_camera", strconv.FormatBool(c.camera))
	}
}

const (
	consentVersion = "2026-01"
	modelVersion   = "pad-4.7.2"
)

func (c *call) appVersion() string {
	if c.extra != nil && c.extra.app != "" {
		return c.extra.app
	}
	return c.app
}

func (c *call) reasonCode() string {
	if c.extra != nil && c.extra.reason != "" {
		return c.extra.reason
	}
	return c.reason
}

func appendConsent(b []byte, x uint64) []byte {
	if x == 0 {
		return b
	}
	return appendBase32(append(b, "c-"...), x)
}

// appendDigest appends the vendor's keyed digest of the frames.
func appendDigest(b []byte, x uint64) []byte {
	if x == 0 {
		return b
	}
	return appendHex(appendHex(b, x), mix(^x))
}

// combined is nginx's combined format. The real-IP module has put the caller in the first field.
func (e *encoder) combined(b []byte, c *call) []byte {
	b = append(b, c.caller()...)
	b = append(b, " - "...)
	if user := c.consumer(); user != "" {
		b = append(b, user...)
	} else {
		b = append(b, '-')
	}
	b = append(b, " ["...)
	b = e.appendClock(b, c.at)
	b = append(b, `] "`...)
	b = append(b, c.method...)
	b = append(b, ' ')
	e.tmp = c.appendURI(e.tmp[:0])
	if len(c.body) > 0 {
		e.tmp = append(append(e.tmp, "?image="...), c.body...)
	}
	b = appendEscaped(b, e.tmp)
	b = append(b, ' ')
	b = append(b, c.proto...)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(c.status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(c.sent), 10)
	for _, v := range [...]string{c.referer, c.ua} {
		b = append(b, ` "`...)
		if v == "" {
			v = "-"
		}
		b = appendEscaped(b, v)
		b = append(b, '"')
	}
	return b
}
