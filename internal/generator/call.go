package generator

import (
	"slices"
	"strconv"
)

// call is one call as the gateway sees it. What a format does not log it does not log.
type call struct {
	at       int64 // completion, nanoseconds; the time in the line
	duration int64 // of the whole call; 0: upstream and a little
	upstream int64 // time of the vendor; -1: the gateway answered itself
	request  [2]uint64

	peer      string // who connected
	client    string // whom the load balancer saw; empty where the peer is the caller
	forwarded string // what the caller itself claimed in X-Forwarded-For
	applicant uint32 // the telephone's address, which a backend passes on as the first of the chain

	tenant     *tenant
	key        *key
	keyID      string // where key is nil
	authReason string

	method, path, query, proto string
	status                     int
	received, sent             int
	retried                    bool
	ua, origin, referer        string
	tls, cipher                string
	region                     string // where the call was processed; empty: in the tenant's

	session  string
	attempt  int
	decision string
	score    float64
	reason   string
	code     string // of the vendor's error
	class    string
	kind     string
	camera   bool
	latency  int64
	digest   uint64 // of the frames
	answer   uint64 // the vendor's transaction

	subject, device, consent uint64
	app                      string
	body                     []byte  // base64 of an image in the request body
	extra                    *extras // planted values
}

// extras are planted values that replace the regular ones.
type extras struct {
	subject, device, consumer, request, app, reason string
	key, value                                      string // a key no map knows
}

// newCall resets the call.
func (g *Generator) newCall(r *rng) *call {
	c := &g.call
	*c = call{proto: "HTTP/1.1", score: -1}
	c.request[0], c.request[1] = r.next(), r.next()
	return c
}

// sessionCall fills in what all calls of a session share.
func (g *Generator) sessionCall(s *session) *call {
	c := g.newCall(&s.r)
	c.tenant, c.key = &g.world.tenants[s.tenant], &g.world.keys[s.key]
	c.proto, c.ua, c.tls, c.cipher = "HTTP/2.0", c.key.ua, c.key.tls, c.key.cipher
	c.applicant = s.applicant
	c.peer, c.client = g.world.balancers[int(s.number)&1], s.addr
	if c.tenant.direct && ownAddr(c.tenant, s.addr) {
		c.peer, c.client = s.addr, ""
	}
	c.subject, c.device, c.consent, c.app = s.subject, s.device, s.consent, s.app
	if s.actor >= 0 {
		g.actors[s.actor].dress(c, s)
	}
	return c
}

// dress changes a call into what the attack's tool makes of it.
func (a *actor) dress(c *call, s *session) {
	switch a.attack.Class {
	case OffAllowList:
		// The thief's client imitates a backend of the bank, claimed address included; the load
		// balancer adds where it really is.
		c.applicant, c.forwarded = 0, c.key.addrs[0]
		c.ua, c.tls, c.cipher = "Java-http-client/21.0.4", tls13, cipher13
	case BrowserClient:
		c.applicant, c.tls, c.cipher = 0, tls13, cipher13
		c.ua = browsers[s.number%uint64(len(browsers))]
		c.origin = "https://onboarding." + "partner-web.example"
		c.referer = "https://onboarding.partner-web.example/selfie"
	case LegacyTLS:
		c.tls, c.cipher, c.proto = tls10, cipher10, "HTTP/1.1"
	case PlainHTTP:
		// Past the load balancer, which ends no TLS that could be missed.
		c.tls, c.cipher, c.proto = "", "", "HTTP/1.1"
		c.peer, c.client = c.caller(), ""
	case MobileClient:
		c.ua = "okhttp/4.12.0"
	case NoConsent:
		c.consent = 0
	case LateConsent:
		if s.attempt <= 1 {
			c.consent = 0
		}
	case OtherSoftware:
		c.ua = "python-requests/2.32.3"
	case WrongRegion:
		c.region = "us-east-1"
	case GuessedKey:
		c.applicant = 0
		c.ua, c.tls, c.cipher = "Go-http-client/1.1", tls13, cipher13
	}
}

//nolint:gochecknoglobals // constant
var browsers = [...]string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
}

func ownAddr(t *tenant, addr string) bool {
	return slices.Contains(t.addrs, addr)
}

// verdict puts the session's last outcome into the answer.
func (c *call) verdict(s *session) {
	o := &s.last
	c.decision, c.score, c.reason, c.class, c.kind, c.camera = o.decision, o.score, o.reason, o.class, o.kind, o.camera
	c.latency, c.answer = o.latency, mix(s.number<<8|uint64(s.attempt))
	if c.digest = s.digest; c.digest == 0 {
		c.digest = c.answer
	}
}

// caller is the address that called, whatever stands between.
func (c *call) caller() string {
	if c.client != "" {
		return c.client
	}
	return c.peer
}

// keyName is the id of the key as the gateway logs it.
func (c *call) keyName() string {
	if c.key != nil {
		return c.key.id
	}
	return c.keyID
}

// appendPresented appends a key as a refused caller presents it: the id and a wrong secret, always the
// same one for an id.
func (c *call) appendPresented(b []byte) []byte {
	b = append(b, c.keyName()...)
	x := uint64(14695981039346656037)
	for _, ch := range []byte(c.keyName()) {
		x = (x ^ uint64(ch)) * 1099511628211
	}
	b = append(b, '.')
	return appendBase32(appendBase32(appendBase32(b, mix(x)), mix(x+1)), mix(x+2))
}

// processed is the region in which the call was processed.
func (c *call) processed() string {
	if c.region != "" {
		return c.region
	}
	return c.tenant.region
}

// consumer is the gateway's name of the caller; it has none for those it does not know.
func (c *call) consumer() string {
	switch {
	case c.extra != nil && c.extra.consumer != "":
		return c.extra.consumer
	case c.key == nil:
		return ""
	}
	return c.key.consumer
}

// elapsed is how long the call took.
func (c *call) elapsed() int64 {
	if c.duration > 0 {
		return c.duration
	}
	return max(c.upstream, 0) + 2_400_000 + int64(c.received)*11
}

// appendForwarded appends the X-Forwarded-For chain as it arrived at the gateway.
func (c *call) appendForwarded(b []byte) []byte {
	n := len(b)
	if c.forwarded != "" {
		b = append(b, c.forwarded...)
	}
	if c.applicant != 0 {
		b = appendAddr(b, c.applicant)
	}
	if c.client != "" {
		if len(b) > n {
			b = append(b, ", "...)
		}
		b = append(b, c.client...)
	}
	return b
}

// appendURI appends path and query.
func (c *call) appendURI(b []byte) []byte {
	b = append(b, c.path...)
	if c.path == pathResult || c.path == pathMedia {
		b = append(b, c.session...)
	}
	if c.query != "" {
		b = append(b, '?')
		b = append(b, c.query...)
	}
	return b
}

func (c *call) appendSubject(b []byte) []byte {
	switch {
	case c.extra != nil && c.extra.subject != "":
		return append(b, c.extra.subject...)
	case c.subject == 0:
		return b
	}
	return appendSubject(b, c.subject)
}

func (c *call) appendDevice(b []byte) []byte {
	switch {
	case c.extra != nil && c.extra.device != "":
		return append(b, c.extra.device...)
	case c.device == 0:
		return b
	}
	return appendUUID(b, c.device)
}

func (c *call) appendRequest(b []byte) []byte {
	if c.extra != nil && c.extra.request != "" {
		return append(b, c.extra.request...)
	}
	return appendHexID(b, c.request[0], c.request[1])
}

// appendHexID appends 32 digits, every eighth of them a letter: by pure chance, one id in some
// thousands would hold a valid card number, and genuine lines must hold nothing that looks like one.
func appendHexID(b []byte, x, y uint64) []byte {
	const letters = 0xc0000000c0000000
	return appendHex(appendHex(b, x|letters), y|letters)
}

// appendSubject appends a customer number as banks have them: raw, and nothing that may be stored.
func appendSubject(b []byte, x uint64) []byte {
	b = append(b, "cus_"...)
	return appendBase32(b, x)
}

// appendUUID appends a device id.
func appendUUID(b []byte, x uint64) []byte {
	y := mix(x)
	b = appendHexN(b, x>>32, 8)
	b = append(b, '-')
	b = appendHexN(b, x>>16, 4)
	b = append(b, "-4"...)
	b = appendHexN(b, x, 3)
	b = append(b, "-a"...)
	b = appendHexN(b, y>>48, 3)
	b = append(b, '-')
	return appendHexN(b, y, 12)
}

const hexDigits = "0123456789abcdef"

func appendHex(b []byte, x uint64) []byte { return appendHexN(b, x, 16) }

// appendHexN appends the last n digits of x.
func appendHexN(b []byte, x uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, hexDigits[x>>(4*i)&15])
	}
	return b
}

// appendBase32 appends 13 characters: mostly letters, so that an id never looks like a card or a
// telephone number by chance.
func appendBase32(b []byte, x uint64) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	for range 13 {
		b = append(b, letters[x&31])
		x >>= 5
	}
	return b
}

func appendAddr(b []byte, a uint32) []byte {
	b = strconv.AppendUint(b, uint64(a>>24), 10)
	for shift := 16; shift >= 0; shift -= 8 {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(a>>shift&255), 10)
	}
	return b
}
