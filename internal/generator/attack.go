package generator

import (
	"fmt"
	"strconv"
	"time"
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
	digest   uint64 // of the frames that are used again
	home     uint32 // address of the telephone line
	session  string // the one that is submitted again
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
	case AttackStrings:
		a.keys, a.ua = []string{""}, "Mozilla/5.0 zgrab/0.x"
		in.Facts["client.ip"] = a.addr
	case RevokedKey:
		a.keys, a.ua = []string{w.revokedKey}, "Java-http-client/17.0.9"
		in.Facts["client.ip"], in.Facts["api_key.id"] = a.addr, w.revokedKey
	case GuessedKey:
		a.key = w.openKey
		in.Facts["client.ip"] = a.addr
	case MobileClient, AdminPath, ScopeDenied:
		a.key = w.openKey
	case OldKey:
		a.key = w.oldKey
	case KeyOverlap:
		a.key = w.twinKeys[0]
	case NoConsent:
		a.tenant = int32(min(1, len(w.tenants)-1))
	case SpreadGuess:
		a.keys = someKeys(&a.r, 40)
		in.Facts["organization.id"] = w.tenants[a.tenant].name
	case PlainHTTP:
		a.key = w.legacyKey
	case FarmAddress:
		a.tenant = int32(min(2, len(w.tenants)-1))
		a.home = homeAddr(n)
		in.Facts["network.forwarded_ip"] = string(appendAddr(nil, a.home))
	case SessionReplay:
		a.tenant = 0
		a.session = string(appendBase32([]byte("s-"), a.r.next()))
		in.Facts["liveness.session_id"] = a.session
	case MediaReplay:
		a.tenant = 0
		a.digest = a.r.next()
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
	if v := w.tenants[a.tenant].vendor.name; len(a.keys) == 0 && a.attack.Class.checked() {
		in.Facts["liveness.vendor"] = v
	}
	in.Rules, in.MayFire = a.attack.Class.rules(g.cfg.Format)
	a.incident = in
	g.incidents = append(g.incidents, in)
	if a.attack.Every > 0 {
		g.schedule(a.index, a.nth+1, at+int64(a.attack.Every))
	}
}

// checked tells whether the class has its people before a camera, so that a vendor answers.
func (c Class) checked() bool {
	switch c {
	case FaceInLog, BadInput, Oversize, ScopeDenied, Enumeration, AdminPath, BulkRead:
		return false
	}
	return true
}

// homeAddr is the address of a telephone line, in the range for documentation: no carrier shares it.
func homeAddr(n int) uint32 { return 203<<24 | 113<<8 | uint32(250+n%5) }

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
	case BadInput, Oversize, AttackStrings, ScopeDenied, Enumeration, AdminPath, BulkRead, RevokedKey, SpreadGuess:
		return g.misuse(a, n, at, line)
	case GuessedKey:
		if n < a.attack.Count-2 {
			return g.misuse(a, n, at, line)
		}
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
	case SpoofShare:
		s.profile = [...]profile{printed, screen}[s.r.intn(2)]
	case InjectionFarm:
		s.profile, s.device = injected, a.device
	case FarmAddress:
		s.profile, s.applicant = injected, a.home
	case ThresholdProbe:
		s.profile = prober
	case VerdictTampered:
		s.profile = tampered
	case SessionReplay:
		s.profile, s.id, s.attempt = thief, a.session, n
		if n > 0 {
			s.step = stepSubmit
		}
	case MediaReplay:
		s.profile, s.digest = thief, a.digest
	case OffAllowList, GuessedKey:
		s.profile, s.addr = thief, a.addr
	case BrowserClient:
		s.profile, s.addr = thief, "203.0.113."+strconv.Itoa(130+s.r.intn(120))
	case KeyOverlap:
		s.profile, s.key = thief, g.world.twinKeys[n&1]
	case LateConsent:
		s.profile = blurred
	case OtherSoftware, LegacyTLS, PlainHTTP, MobileClient, OldKey, NoConsent, WrongRegion:
		s.profile = thief
	case HillClimb:
		s.profile, s.device, s.subject, s.climb = climber, a.device, a.subject, n
	}
	g.queue.push(entry{at: at, kind: kindSession, index: si})
}
