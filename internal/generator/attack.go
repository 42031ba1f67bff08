package generator

import (
	"fmt"
	"strconv"
	"time"
)

// Class is a kind of attack.
type Class string

// The attacks. Which rules should fire is in Incident.
const (
	BadCredentials Class = "bad_credentials" // one address presents secrets for a few key ids; all are refused
	KeySpray       Class = "key_spray"       // one address tries many key ids, a few calls each
	SpoofWave      Class = "spoof_wave"      // prints, screens and masks at one tenant
	InjectionFarm  Class = "injection_farm"  // one device, a virtual camera, many people
	OffAllowList   Class = "off_allow_list"  // a stolen key works from an address that is not on its list
	BrowserClient  Class = "browser_client"  // a web page calls the API with the key in it
	LegacyTLS      Class = "legacy_tls"      // a partner's client negotiates TLS 1.0
	FaceInLog      Class = "face_in_log"     // a line with a base64 face, then one with a raw key in its query
	HillClimb      Class = "hill_climb"      // one person's score creeps up to the threshold; no shipped rule yet
)

// Attack is an attack to be made.
type Attack struct {
	Class  Class
	Start  time.Duration // after the start of the run
	Length time.Duration // from its first line to about its last
	Count  int           // calls, or sessions of the classes that come in sessions; default by class
	Tenant int           // 1 for the first tenant; 0 lets the class choose
	Every  time.Duration // begins again after this, with other addresses and devices; 0: once
}

// natural is the length and the count of an attack when there is time enough. The counts cross the
// thresholds of the shipped rules with room to spare.
func (c Class) natural() (time.Duration, int, bool) {
	switch c {
	case BadCredentials:
		return 2 * time.Minute, 42, true
	case KeySpray:
		return 4 * time.Minute, 14, true
	case SpoofWave:
		return 6 * time.Minute, 64, true
	case InjectionFarm:
		return 15 * time.Minute, 14, true
	case OffAllowList:
		return 5 * time.Minute, 6, true
	case BrowserClient:
		return 4 * time.Minute, 6, true
	case LegacyTLS:
		return 3 * time.Minute, 4, true
	case FaceInLog:
		return 2 * time.Second, 2, true
	case HillClimb:
		return 20 * time.Minute, 18, true
	}
	return 0, 0, false
}

// DefaultAttacks returns one of each attack that a shipped rule should catch. They begin within the
// first seconds, and take so little of the duration that the last line of each is well inside it. An
// endless run gets the schedule of two minutes, once every half an hour.
func DefaultAttacks(duration time.Duration) []Attack {
	every := time.Duration(0)
	if duration <= 0 {
		duration, every = 2*time.Minute, 30*time.Minute
	}
	gap := min(duration/25, 2*time.Second)
	var attacks []Attack
	for i, c := range []Class{BadCredentials, SpoofWave, OffAllowList, InjectionFarm, FaceInLog, BrowserClient, LegacyTLS, KeySpray} {
		length, count, _ := c.natural()
		attacks = append(attacks, Attack{
			Class:  c,
			Start:  min(duration/15, time.Second) + time.Duration(i)*gap,
			Length: min(length, duration*2/5),
			Count:  count,
			Every:  every,
		})
	}
	return attacks
}

// complete fills in defaults and checks the rest.
func (a *Attack) complete(cfg *Config) error {
	length, count, ok := a.Class.natural()
	switch {
	case !ok:
		return fmt.Errorf("unknown class %q", a.Class)
	case a.Start < 0 || a.Length < 0 || a.Count < 0 || a.Every < 0:
		return fmt.Errorf("%s: times and count must not be negative", a.Class)
	case a.Tenant < 0 || a.Tenant > cfg.Tenants:
		return fmt.Errorf("%s: tenant must be 0 to %d, not %d", a.Class, cfg.Tenants, a.Tenant)
	}
	if a.Length == 0 {
		a.Length = length
	}
	if a.Count == 0 {
		a.Count = count
	}
	if a.Every > 0 && a.Every < a.Length {
		return fmt.Errorf("%s: every %s is shorter than its length", a.Class, a.Every)
	}
	return nil
}

// actor makes the lines of one attack.
type actor struct {
	attack   Attack
	nth      int // which repetition
	index    int // of the attack in the configuration
	incident *incident
	r        rng
	start    int64
	done     int // calls or sessions begun
	tenant   int32
	key      int32
	addr     string
	ua       string
	keys     []string // refused key ids
	device   uint64
	subject  uint64
	pace     float64
}

// schedule puts an attack on the queue.
func (g *Generator) schedule(index, nth int, at int64) {
	a := g.cfg.Attacks[index]
	g.actors = append(g.actors, actor{
		attack: a, nth: nth, index: index, start: at,
		r: newRNG(g.cfg.Seed^mix(uint64(index)<<32|uint64(nth)), streamAttack),
	})
	g.queue.push(entry{at: at, kind: kindActor, index: int32(len(g.actors) - 1)})
}

// begin decides who attacks whom.
func (g *Generator) begin(i int32, at int64) {
	a := &g.actors[i]
	w := g.world
	n := a.nth*len(g.cfg.Attacks) + a.index
	a.addr = "203.0.113." + strconv.Itoa(1+n%120)
	a.device, a.subject = a.r.next(), a.r.next()
	a.pace = min(1, float64(a.attack.Length)/float64(3*time.Minute))
	a.key = -1
	in := &incident{Incident: Incident{
		ID: string(a.attack.Class) + "-" + strconv.Itoa(n+1), Class: a.attack.Class, Facts: map[string]string{},
	}}
	switch a.attack.Class {
	case BadCredentials:
		a.keys, a.ua = someKeys(&a.r, 3), "python-requests/2.32.3"
		in.Facts["client.ip"] = a.addr
	case KeySpray:
		a.keys, a.ua = someKeys(&a.r, 9), "Go-http-client/1.1"
		in.Facts["client.ip"] = a.addr
	case SpoofWave:
		a.tenant = 0
	case InjectionFarm:
		a.tenant = int32(min(2, len(w.tenants)-1))
		in.Facts["device.id"] = string(appendUUID(nil, a.device))
	case OffAllowList:
		a.tenant = int32(len(w.tenants) - 1)
		in.Facts["client.ip"] = a.addr
	case BrowserClient:
		a.key = w.openKey
	case LegacyTLS:
		a.key = w.legacyKey
		a.addr = w.keys[a.key].addrs[0]
		in.Facts["client.ip"] = a.addr
	case FaceInLog:
		a.tenant = 0
	case HillClimb:
		a.tenant = 0
		in.Facts["device.id"] = string(appendUUID(nil, a.device))
		in.Facts["user.id"] = string(appendSubject(nil, a.subject))
	case PenTest:
		a.keys, a.ua, a.addr = someKeys(&a.r, 2), "sqlmap/1.8.11#stable (https://sqlmap.org)", penTestAddr
		in.Facts["client.ip"] = a.addr
		in.Authorised = true
	}
	if a.attack.Tenant > 0 {
		a.tenant = int32(a.attack.Tenant - 1)
	}
	if a.key < 0 {
		a.key = w.tenants[a.tenant].keys[0]
	} else {
		a.tenant = w.keys[a.key].tenant
	}
	if len(a.keys) == 0 {
		in.Tenant = w.tenants[a.tenant].name
		in.Facts["organization.id"] = in.Tenant
		in.Facts["api_key.id"] = w.keys[a.key].id
	}
	in.Rules = a.attack.Class.rules(g.cfg.Format)
	a.incident = in
	g.incidents = append(g.incidents, in)
	if a.attack.Every > 0 {
		g.schedule(a.index, a.nth+1, at+int64(a.attack.Every))
	}
}

// over tells whether the attack's time has passed: nobody tries again then.
func (a *actor) over(at int64) bool { return at > a.start+int64(a.attack.Length) }

// someKeys are ids of keys that the gateway does not know.
func someKeys(r *rng, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = keyID(r.next())
	}
	return ids
}

// stepActor makes the next call of an attack, or begins its next session.
func (g *Generator) stepActor(i int32, at int64, line *Line) bool {
	if g.actors[i].incident == nil {
		g.begin(i, at)
	}
	a := &g.actors[i]
	n := a.done
	if a.done++; a.done < a.attack.Count {
		// Calls come at their places in the attack's length, each a little early or late.
		place := (float64(a.done) + 0.6*(a.r.float()-0.5)) / float64(a.attack.Count)
		g.queue.push(entry{at: max(at, a.start+int64(place*float64(a.attack.Length))), kind: kindActor, index: i})
	}
	line.Label = a.incident.ID
	switch a.attack.Class {
	case BadCredentials, KeySpray, PenTest:
		return g.knock(a, n, at, line)
	case FaceInLog:
		return g.leak(a, n, at, line)
	}
	g.spawn(i, n, at)
	return false
}

// knock is a call with credentials that are refused.
func (g *Generator) knock(a *actor, n int, at int64, line *Line) bool {
	c := g.newCall(&a.r)
	c.method, c.path, c.status = "POST", pathCheck, 401
	if a.attack.Class == PenTest {
		c.path, c.query = pathSessions, "id=1%27%20OR%20%271%27=%271"
	}
	c.peer, c.client, c.ua = g.world.balancers[n&1], a.addr, a.ua
	if a.attack.Class == BadCredentials {
		c.forwarded = "198.51.100.1" // claims to be a backend of the first tenant; the balancer adds the truth
	}
	c.tls, c.cipher = tls13, cipher13
	c.keyID, c.authReason = a.keys[n%len(a.keys)], "unknown_key"
	c.received, c.sent, c.upstream = 300+a.r.intn(80), 189, -1
	c.duration = int64(a.r.lognormal(2.2, 0.3) * float64(time.Millisecond))
	return g.render(at, line)
}

// leak is a line with what no log should hold: first a face, then a whole key.
func (g *Generator) leak(a *actor, n int, at int64, line *Line) bool {
	t, k := &g.world.tenants[a.tenant], &g.world.keys[a.key]
	c := g.newCall(&a.r)
	c.tenant, c.key = t, k
	c.peer, c.client, c.ua, c.tls, c.cipher = g.world.balancers[0], k.addrs[0], k.ua, k.tls, k.cipher
	if t.direct {
		c.peer, c.client = k.addrs[0], ""
	}
	c.status, c.sent, c.upstream = 200, 402, int64(700*time.Millisecond)
	c.subject, c.device, c.consent = a.subject, a.device, a.r.next()
	c.app = "5.14.2"
	if n%2 == 0 {
		c.method, c.path, c.received = "POST", pathCheck, 61_440
		size := 16_000 + a.r.intn(28_000) // 21 to 59 KB of base64
		if g.cfg.Format == NginxCombined {
			size = 4_500 // a request line is at most 8 KiB
		}
		c.body = appendFace(nil, &a.r, size)
	} else {
		c.method, c.path, c.received = "GET", pathSessions, 480
		c.query = "api_key=" + k.id + "." + k.secret
	}
	return g.render(at, line)
}

// spawn begins a session of the attack.
func (g *Generator) spawn(i int32, n int, at int64) {
	a := &g.actors[i]
	// Numbers of their own, so that genuine sessions are the same with and without attacks.
	si, s := g.open(1<<63|uint64(i)<<32|uint64(n), a.tenant, at)
	k := &g.world.keys[a.key]
	s.actor, s.key, s.pace, s.addr = i, a.key, a.pace, k.addrs[s.r.intn(len(k.addrs))]
	switch a.attack.Class {
	case SpoofWave:
		s.profile = [...]profile{printed, screen, mask}[s.r.weighted([]float64{45, 45, 10})]
		if s.r.chance(0.3) { // the same gang, the same few telephones; below what the farm rule counts
			s.device = mix(a.device ^ uint64(n/3))
		}
	case InjectionFarm:
		s.profile, s.device = injected, a.device
	case OffAllowList:
		s.profile, s.addr = thief, a.addr
	case BrowserClient:
		s.profile, s.addr = thief, "203.0.113."+strconv.Itoa(130+s.r.intn(120))
	case LegacyTLS:
		s.profile = thief
	case HillClimb:
		s.profile, s.device, s.subject, s.climb = climber, a.device, a.subject, n
	}
	g.queue.push(entry{at: at, kind: kindSession, index: si})
}
