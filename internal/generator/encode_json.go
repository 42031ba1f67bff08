package generator

import "strconv"

// raw is str for a value of our own that needs no escapes.
func (m *members) raw(key, value string) {
	m.key(key)
	m.b = append(m.b, '"')
	m.b = append(m.b, value...)
	m.b = append(m.b, '"')
}

// operation is what the call does, in liveward_v1's words.
func (c *call) operation() string {
	switch c.path {
	case pathSessions:
		return "create"
	case pathCheck:
		return "submit"
	case pathResult:
		return "result"
	case pathWebhook:
		return "webhook"
	}
	return "other"
}

// livewardV1 is the line liveward recommends to those who can choose: one object, times in UTC, no
// empty values, the verdict in an object of its own.
func (e *encoder) livewardV1(b []byte, c *call) []byte {
	m := members{b: b}
	m.open()
	m.quote("ts")
	m.b = e.appendClock(m.b, c.at)
	m.b = append(m.b, '.')
	m.b = appendMillis(m.b, c.at)
	m.b = append(m.b, 'Z')
	m.unquote()
	m.quote("request_id")
	e.tmp = c.appendRequest(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.quote("trace_id")
	m.b = appendHexID(m.b, mix(c.request[0]), c.request[1])
	m.unquote()
	m.some("consumer_id", c.consumer())
	m.some("key_hash", c.keyName())
	m.raw("client_ip", c.caller())
	if c.applicant != 0 {
		m.quote("fwd_ip")
		m.b = appendAddr(m.b, c.applicant)
		m.unquote()
	} else {
		m.some("fwd_ip", c.forwarded)
	}
	m.raw("method", c.method)
	m.quote("path")
	e.tmp = c.appendURI(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.raw("route", "liveness-"+c.operation())
	m.raw("operation", c.operation())
	m.int("status", int64(c.status))
	m.some("auth_reason", c.authReason)
	m.some("error_code", c.code)
	m.int("bytes_in", int64(c.received))
	m.int("bytes_out", int64(c.sent))
	m.int("latency_ms", c.elapsed()/1e6)
	m.raw("tls", c.tls)
	m.raw("tls_cipher", c.cipher)
	m.some("ua", c.ua)
	m.some("origin", c.origin)
	if c.tenant != nil {
		m.raw("tenant", c.tenant.name)
		m.raw("region", c.processed())
	}
	if e.tmp = c.appendSubject(e.tmp[:0]); len(e.tmp) > 0 {
		m.quote("subject_ref")
		m.b = appendEscaped(m.b, e.tmp)
		m.unquote()
	}
	if e.tmp = c.appendDevice(e.tmp[:0]); len(e.tmp) > 0 {
		m.quote("device_ref")
		m.b = appendEscaped(m.b, e.tmp)
		m.unquote()
	}
	if c.consent != 0 {
		m.quote("consent_id")
		m.b = appendConsent(m.b, c.consent)
		m.unquote()
		m.raw("consent_version", consentVersion)
	}
	m.some("app_version", c.appVersion())
	if c.path == pathCheck && c.session != "" {
		was := m.object("media")
		m.int("count", 3)
		m.int("bytes", int64(max(c.received-900, 0)))
		m.raw("format", "jpeg")
		if c.digest != 0 {
			m.quote("digest_hmac")
			m.b = appendDigest(m.b, c.digest)
			m.unquote()
		}
		m.close(was)
	}
	if c.session != "" {
		e.liveness(&m, c)
	}
	if len(c.body) > 0 {
		m.quote("body")
		m.b = append(m.b, c.body...)
		m.unquote()
	}
	if c.extra != nil && c.extra.key != "" {
		m.str(c.extra.key, c.extra.value)
	}
	m.b = append(m.b, '}')
	return m.b
}

// liveness appends the liveness object of liveward_v1.
func (e *encoder) liveness(m *members, c *call) {
	v := vendor{name: "acme"}
	if c.tenant != nil {
		v = c.tenant.vendor
	}
	was := m.object("liveness")
	m.raw("vendor", v.name)
	m.some("decision", c.decision)
	if c.score >= 0 {
		m.key("score")
		m.b = appendScore(m.b, c.score)
	}
	if c.decision != "" {
		m.key("threshold")
		m.b = appendScore(m.b, v.threshold)
		m.raw("model_version", modelVersion)
		m.raw("modality", v.modality)
		if c.latency > 0 {
			m.int("latency_ms", c.latency/1e6)
		}
		in := m.object("capture")
		m.bool("virtual_camera", c.camera)
		m.close(in)
	}
	if r := c.reasonCode(); r != "" {
		in := m.object("reason")
		m.str("code", r)
		m.close(in)
	}
	if c.class != "" {
		in := m.object("attack")
		m.raw("class", c.class)
		m.some("type", c.kind)
		m.close(in)
	}
	m.raw("session_id", c.session)
	if c.answer != 0 {
		m.quote("transaction_id")
		m.b = appendBase32(append(m.b, "t-"...), mix(c.answer))
		m.unquote()
	}
	if c.attempt > 0 {
		m.int("attempt", int64(c.attempt))
	}
	m.close(was)
}

// kong is the serializer of Kong's log plugins, with the key header hidden as Kong is told to, and the
// adapter's response headers as it logs them.
func (e *encoder) kong(b []byte, c *call) []byte {
	m := members{b: b}
	m.open()
	e.kongRequest(&m, c)
	e.kongResponse(&m, c)
	was := m.object("latencies")
	m.int("request", c.elapsed()/1e6)
	if c.upstream >= 0 {
		m.int("kong", 3)
		m.int("proxy", c.upstream/1e6)
	} else {
		m.int("kong", c.elapsed()/1e6)
	}
	m.close(was)
	m.raw("client_ip", c.caller())
	m.int("started_at", floorDiv(c.at-c.elapsed(), 1e6))
	if c.upstream >= 0 {
		m.key("tries")
		m.b = append(m.b, `[{"ip":"10.40.1.11","port":8443,"balancer_latency":0}]`...)
		m.quote("upstream_uri")
		e.tmp = c.appendURI(e.tmp[:0])
		m.b = appendEscaped(m.b, e.tmp)
		m.unquote()
		m.quote("upstream_status")
		m.b = c.appendUpstreamStatus(m.b)
		m.unquote()
		m.raw("source", "upstream")
	} else {
		m.raw("source", "exit")
	}
	was = m.object("service")
	m.raw("name", "liveness")
	m.raw("host", "vendor.internal")
	m.close(was)
	was = m.object("route")
	m.raw("name", "liveness-"+c.operation())
	m.close(was)
	if name := c.consumer(); name != "" {
		was = m.object("consumer")
		m.str("username", name)
		m.raw("custom_id", c.tenantName())
		m.close(was)
	}
	if id := c.keyName(); id != "" && c.authReason == "" {
		was = m.object("authenticated_entity")
		m.raw("id", id)
		m.close(was)
	}
	m.raw("workspace_name", "default")
	if c.extra != nil && c.extra.key != "" {
		m.str(c.extra.key, c.extra.value)
	}
	m.b = append(m.b, '}')
	return m.b
}

func (c *call) tenantName() string {
	if c.tenant == nil {
		return ""
	}
	return c.tenant.name
}

func (e *encoder) kongRequest(m *members, c *call) {
	was := m.object("request")
	m.quote("id")
	e.tmp = c.appendRequest(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.raw("method", c.method)
	m.quote("uri")
	e.tmp = c.appendURI(e.tmp[:0])
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.quote("url")
	m.b = append(m.b, "https://liveness.gateway.example:8443"...)
	m.b = appendEscaped(m.b, e.tmp)
	m.unquote()
	m.int("size", int64(c.received))
	in := m.object("querystring")
	m.close(in)
	in = m.object("headers")
	m.raw("host", "liveness.gateway.example")
	m.some("user-agent", c.ua)
	if e.tmp = c.appendForwarded(e.tmp[:0]); len(e.tmp) > 0 {
		m.quote("x-forwarded-for")
		m.b = append(m.b, e.tmp...)
		m.unquote()
	}
	m.some("origin", c.origin)
	m.some("referer", c.referer)
	if c.authReason != "" { // hide_credentials takes the header away only where the key is good
		m.quote("apikey")
		m.b = c.appendPresented(m.b)
		m.unquote()
	}
	m.some("x-tenant-id", c.tenantName())
	if c.tenant != nil {
		m.raw("x-region", c.processed())
	}
	if e.tmp = c.appendSubject(e.tmp[:0]); len(e.tmp) > 0 {
		m.quote("x-subject-ref")
		m.b = appendEscaped(m.b, e.tmp)
		m.unquote()
	}
	if e.tmp = c.appendDevice(e.tmp[:0]); len(e.tmp) > 0 {
		m.quote("x-device-ref")
		m.b = appendEscaped(m.b, e.tmp)
		m.unquote()
	}
	if c.consent != 0 {
		m.quote("x-consent-id")
		m.b = appendConsent(m.b, c.consent)
		m.unquote()
		m.raw("x-consent-version", consentVersion)
	}
	m.some("x-app-version", c.appVersion())
	m.close(in)
	in = m.object("tls")
	m.raw("version", c.tls)
	m.raw("cipher", c.cipher)
	m.raw("client_verify", "NONE")
	m.close(in)
	if len(c.body) > 0 {
		m.quote("body")
		m.b = append(m.b, c.body...)
		m.unquote()
	}
	m.close(was)
}

func (e *encoder) kongResponse(m *members, c *call) {
	was := m.object("response")
	m.int("status", int64(c.status))
	m.int("size", int64(c.sent))
	in := m.object("headers")
	if c.session != "" {
		v := vendor{name: "acme"}
		if c.tenant != nil {
			v = c.tenant.vendor
		}
		m.raw("x-liveness-vendor", v.name)
		m.raw("x-liveness-session", c.session)
		if c.attempt > 0 {
			m.quote("x-liveness-attempt")
			m.b = strconv.AppendInt(m.b, int64(c.attempt), 10)
			m.unquote()
		}
		if c.decision != "" {
			m.raw("x-liveness-decision", c.decision)
			m.quote("x-liveness-threshold")
			m.b = appendScore(m.b, v.threshold)
			m.unquote()
			m.raw("x-liveness-model", modelVersion)
			m.raw("x-liveness-modality", v.modality)
			if c.latency > 0 {
				m.quote("x-liveness-latency-ms")
				m.b = strconv.AppendInt(m.b, c.latency/1e6, 10)
				m.unquote()
			}
			m.raw("x-liveness-virtual-camera", strconv.FormatBool(c.camera))
		}
		if c.score >= 0 {
			m.quote("x-liveness-score")
			m.b = appendScore(m.b, c.score)
			m.unquote()
		}
		if c.digest != 0 {
			m.quote("x-liveness-transaction")
			m.b = appendBase32(append(m.b, "t-"...), mix(c.answer))
			m.unquote()
			m.quote("x-liveness-digest")
			m.b = appendDigest(m.b, c.digest)
			m.unquote()
		}
		m.some("x-liveness-error", c.code)
		m.some("x-liveness-reason", c.reasonCode())
		m.some("x-liveness-attack-class", c.class)
		m.some("x-liveness-attack-type", c.kind)
	}
	m.close(in)
	m.close(was)
}
