package generator

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Canary is a value that must be nowhere once the log has passed privacy: not in what is stored, not
// in what is sent, not in an error.
type Canary struct {
	Kind  string `json:"kind"`  // api_key, jwt, email, phone, pan, national_id, device_id, subject_id, face
	Place string `json:"place"` // where it was planted: query, path, user_agent, ...
	Value string `json:"value"` // for a face: a piece from its middle
}

// planted is a line to be written at its time.
type planted struct {
	call  func(g *Generator, c *call) // changes an ordinary call
	text  func(line []byte) []byte    // changes the line after that; the result may be malformed
	wrong bool                        // the result is malformed
}

// Canaries returns what Config.Canaries has planted. The lines come one after the other within the
// first third of the duration, half a minute at most.
func (g *Generator) Canaries() []Canary { return g.canaries }

// plant draws the canaries and puts their lines on the queue.
func (g *Generator) plant() {
	r := newRNG(g.cfg.Seed, streamCanary)
	note := func(kind, place, value string) string {
		g.canaries = append(g.canaries, Canary{Kind: kind, Place: place, Value: value})
		return value
	}
	line := func(edit func(g *Generator, c *call)) { g.planted = append(g.planted, planted{call: edit}) }

	key := func() string { return keyID(r.next()) + "." + secret(&r) }
	jwt := func() string { return token(&r) }
	email := func() string { return "applicant." + string(appendHex(nil, r.next())) + "@mail.example" }
	phone := func() string { return fmt.Sprintf("+62812%08d", r.intn(100_000_000)) }
	pan := func() string { return luhn(fmt.Sprintf("453201%09d", r.intn(1_000_000_000))) }
	national := func() string { // Indonesian NIK: area, date of birth, number
		return fmt.Sprintf("3174%02d%02d%02d%02d%04d", 1+r.intn(10), 1+r.intn(28), 1+r.intn(12), 60+r.intn(39), 1+r.intn(9999))
	}
	face := func(place string, size int) string {
		f := string(appendFace(nil, &r, size))
		note("face", place, f[len(f)/2:len(f)/2+64])
		return f
	}

	for _, secretOf := range []struct {
		kind string
		make func() string
		name string
	}{
		{"api_key", key, "api_key"},
		{"jwt", jwt, "access_token"},
		{"email", email, "email"},
		{"phone", phone, "msisdn"},
		{"pan", pan, "card"},
		{"national_id", national, "nik"},
	} {
		kind, name, generate := secretOf.kind, secretOf.name, secretOf.make
		inQuery, inPath, inAgent := note(kind, "query", generate()), note(kind, "path", generate()), note(kind, "user_agent", generate())
		line(func(_ *Generator, c *call) { c.query = name + "=" + inQuery })
		line(func(_ *Generator, c *call) { c.path = "/v1/subjects/" + inPath + "/liveness" })
		line(func(_ *Generator, c *call) { c.ua = "kiosk-client/2.0 (" + name + "=" + inAgent + ")" })
		inBroken := note(kind, "malformed", generate())
		g.planted = append(g.planted, planted{wrong: true, text: func(b []byte) []byte {
			return append(b[:len(b)/2], (`","note":"` + name + ": " + inBroken + `, "`)...)
		}})
		if g.cfg.Format == NginxCombined {
			continue
		}
		inKey := note(kind, "unmapped_key", generate())
		line(func(_ *Generator, c *call) { c.extra = &extras{key: "x_" + name + "_debug", value: inKey} })
		if g.cfg.Format != LivewardV1 { // which has no referrer
			inReferer := note(kind, "referer", generate())
			line(func(_ *Generator, c *call) { c.referer = "https://app.example/start?" + name + "=" + inReferer })
		}
		inReason := note(kind, "reason", generate())
		line(func(_ *Generator, c *call) { c.extra = &extras{reason: inReason} })
		inRequest := note(kind, "request_id", generate())
		line(func(_ *Generator, c *call) { c.extra = &extras{request: inRequest} })
		inApp := note(kind, "app_version", generate())
		line(func(_ *Generator, c *call) { c.extra = &extras{app: inApp} })
	}

	// The same, written so that only who decodes it sees it.
	hidden := note("email", "query, percent-encoded", email())
	note("email", "query, as it was written", url.QueryEscape(hidden))
	line(func(_ *Generator, c *call) { c.query = "contact=" + url.QueryEscape(hidden) })
	bearer := note("jwt", "user_agent, after the word Bearer", jwt())
	line(func(_ *Generator, c *call) { c.ua = "curl/8.9.1 Authorization: Bearer " + bearer })

	if g.cfg.Format == NginxCombined {
		f := face("query", 4_500)
		line(func(_ *Generator, c *call) { c.path, c.body = "/v1/liveness/check", []byte(f) })
	} else {
		subject, device := note("subject_id", "subject_ref", "cus_"+string(appendBase32(nil, r.next()))), note("device_id", "device_ref", string(appendUUID(nil, r.next())))
		line(func(_ *Generator, c *call) { c.extra = &extras{subject: subject, device: device} })
		mail, tel := note("email", "subject_ref", email()), note("phone", "device_ref", phone())
		line(func(_ *Generator, c *call) { c.extra = &extras{subject: mail, device: tel} })
		escaped := note("email", "subject_ref, JSON escapes", email())
		g.planted = append(g.planted, planted{
			call: func(_ *Generator, c *call) { c.extra = &extras{subject: escaped} },
			text: func(b []byte) []byte {
				return bytes.Replace(b, []byte(escaped), []byte(strings.Replace(escaped, "@", `\u0040`, 1)), 1)
			},
		})
		claimed := note("email", "x-forwarded-for", email())
		line(func(_ *Generator, c *call) { c.forwarded = claimed })
		consumer := note("email", "consumer", email())
		line(func(_ *Generator, c *call) { c.extra = &extras{consumer: consumer} })
		body := face("body", 24_000)
		line(func(_ *Generator, c *call) { c.path, c.body = pathCheck, []byte(body) })
		dataURL := face("unmapped_key", 18_000)
		line(func(_ *Generator, c *call) {
			c.extra = &extras{key: "selfie", value: "data:image/jpeg;base64," + dataURL}
		})
		inAgent := face("user_agent", 3_000)
		line(func(_ *Generator, c *call) { c.ua = inAgent })
	}
	for _, a := range g.cfg.Attacks { // its second line has the whole key of its tenant
		if a.Class == FaceInLog {
			t := &g.world.tenants[max(a.Tenant-1, 0)]
			note("api_key", "query of the attack "+string(a.Class), g.world.keys[t.keys[0]].secret)
			break
		}
	}
	cut := face("malformed", 9_000)
	g.planted = append(g.planted, planted{wrong: true, text: func(b []byte) []byte {
		return append(b[:len(b)/3], (`","frame":"` + cut)...)
	}})

	in := &incident{Incident: Incident{ID: "canaries", Class: "canaries", Authorised: true, Facts: map[string]string{}}}
	in.Rules, in.MayFire = FaceInLog.rules(g.cfg.Format)
	g.incidents = append(g.incidents, in)
	window := 30 * time.Second
	if g.cfg.Duration > 0 {
		window = min(window, g.cfg.Duration/3)
	}
	for i := range g.planted {
		at := g.start + int64(window)*int64(i+1)/int64(len(g.planted)+1)
		g.queue.push(entry{at: at, kind: kindCanary, index: int32(i)})
	}
}

// canary writes a planted line.
func (g *Generator) canary(index int32, at int64, line *Line) bool {
	p := &g.planted[index]
	r := newRNG(g.cfg.Seed^mix(uint64(index)), streamCanary)
	k := &g.world.keys[g.world.tenants[0].keys[0]]
	c := g.newCall(&r)
	c.tenant, c.key = &g.world.tenants[0], k
	c.peer, c.client = g.world.balancers[0], k.addrs[0]
	c.ua, c.tls, c.cipher = k.ua, k.tls, k.cipher
	c.method, c.path, c.status = "POST", pathSessions, 201
	c.received, c.sent, c.upstream = 660, 420, int64(31*time.Millisecond)
	c.session = string(appendBase32([]byte("s-"), r.next()))
	c.subject, c.device, c.consent = r.next(), r.next(), r.next()
	if p.call != nil {
		p.call(g, c)
	}
	line.Label = "canaries"
	if !g.render(at, line) {
		return false
	}
	if p.text != nil {
		g.buf = p.text(g.buf)
		line.Text, line.Broken = g.buf, p.wrong
	}
	return true
}

// token is a JSON web token with a made-up signature.
func token(r *rng) string {
	payload := fmt.Sprintf(`{"sub":"%016x","iss":"https://idp.example","exp":1893456000}`, r.next())
	signature := make([]byte, 32)
	for i := range signature {
		signature[i] = byte(r.next())
	}
	enc := base64.RawURLEncoding
	return strings.Join([]string{enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)), enc.EncodeToString([]byte(payload)), enc.EncodeToString(signature)}, ".")
}

// luhn appends the check digit of a card number.
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}
