package generator

import (
	"time"
)

// The routes of the liveness API.
const (
	pathSessions = "/v1/liveness/sessions"
	pathCheck    = "/v1/liveness/check"
	pathResult   = "/v1/liveness/results/" // and the session
	pathWebhook  = "/v1/liveness/webhook"
)

// pending is what an asynchronous vendor says before it has a verdict.
const pending = "pending"

// step is where a session stands: what its next call is.
type step uint8

const (
	stepCreate step = iota
	stepSubmit
	stepPoll
	stepWebhook
)

// profile is who sits in front of the camera.
type profile uint8

const (
	genuine profile = iota
	thief           // a live person behind a stolen key: its verdicts are what the thief pays for
	printed
	screen
	mask
	injected
	climber  // searches the threshold
	prober   // knows where it is, and looks closer
	tampered // the verdict is not the score's
	blurred  // a live person whose first picture is bad
)

// outcome is the verdict of an attempt.
type outcome struct {
	decision string
	score    float64 // below 0: none
	reason   string
	class    string
	kind     string
	camera   bool
	status   int
	latency  int64  // nanoseconds
	code     string // of the vendor's error
}

// session is one applicant's visit: create, submit, poll, and again after a failure.
type session struct {
	number  uint64
	id      string
	r       rng
	tenant  int32
	key     int32
	actor   int32 // attack it belongs to; -1: none
	step    step
	profile profile
	attempt int
	polls   int // polls left for this attempt
	errors  int
	climb   int     // how many sessions the climber has had before
	pace    float64 // scales its pauses

	subject, device, consent uint64
	digest                   uint64 // of the frames; 0: new ones at each attempt
	applicant                uint32
	app                      string
	newApp                   bool
	addr                     string // of the caller
	last                     outcome
}

// seconds turns seconds of this session into nanoseconds of the clock.
func (s *session) seconds(x float64) int64 { return int64(x * s.pace * float64(time.Second)) }

// arrive begins a genuine session and schedules the next arrival.
func (g *Generator) arrive(at int64) {
	tenant := int32(g.noise.weighted(g.load.tenants))
	g.number++
	i, s := g.open(g.number, tenant, at)
	t := &g.world.tenants[tenant]
	s.key = t.keys[s.r.weighted(t.shares)]
	k := &g.world.keys[s.key]
	s.addr = k.addrs[s.r.intn(len(k.addrs))]
	if s.r.chance(0.3) { // a customer who comes back, to approve a transfer
		person := uint64(s.r.intn(30_000))
		s.subject = mix(uint64(tenant)<<32 | person)
		s.device = mix(s.subject ^ 0xd1)
		if s.r.chance(0.02) { // a couple with one telephone
			s.device = mix(mix(uint64(tenant)<<32|person&^1) ^ 0xd1)
		} else if s.r.chance(0.05) {
			s.device = mix(s.subject ^ 0xd2)
		}
		s.consent = mix(s.subject ^ 0xc0)
	}
	if p, ok := g.days.stray(at, &s.r); ok {
		s.profile = p
	}
	if g.days.tablet(at, tenant, &s.r) {
		s.device = mix(g.cfg.Seed ^ 0x6b)
	}
	g.queue.push(entry{at: at, kind: kindSession, index: i})
	g.queue.push(entry{at: g.load.next(at, &g.noise), kind: kindArrival})
}

// open takes a free session and gives it a person. Everything chance decides in it follows from its
// number.
func (g *Generator) open(number uint64, tenant int32, at int64) (int32, *session) {
	var i int32
	if n := len(g.free); n > 0 {
		i = g.free[n-1]
		g.free = g.free[:n-1]
	} else {
		i = int32(len(g.sessions))
		g.sessions = append(g.sessions, session{})
	}
	s := &g.sessions[i]
	*s = session{number: number, r: newRNG(g.cfg.Seed^mix(number), streamSession), tenant: tenant, actor: -1, pace: 1}
	s.id = string(appendBase32([]byte("s-"), s.r.next()))
	s.subject, s.device, s.consent = s.r.next(), s.r.next(), s.r.next()
	s.applicant = g.applicant(at, &s.r)
	s.app, s.newApp = g.app(at, &s.r)
	return i, s
}

// applicant is the address of the person's telephone.
func (g *Generator) applicant(at int64, r *rng) uint32 {
	if !g.days.cgnat.holds(at) {
		return carrierAddr(r.next())
	}
	// Zipf over the carrier's addresses: a few of them have more than a thousand people a day.
	i := int(pow400(r.float())) - 1
	return g.world.carriers[min(max(i, 0), len(g.world.carriers)-1)]
}

// app is the version of the app. Most people update within weeks.
func (g *Generator) app(at int64, r *rng) (version string, released bool) {
	if g.days.release.holds(at) && r.chance(0.45) {
		return "6.0.0", true
	}
	return [...]string{"5.14.2", "5.14.1", "5.13.0", "5.11.3"}[r.weighted([]float64{62, 21, 12, 5})], false
}

// close frees a session.
func (g *Generator) close(i int32) { g.free = append(g.free, i) }

// again schedules the next step of a session.
func (g *Generator) again(i int32, at int64, next step) {
	g.sessions[i].step = next
	g.queue.push(entry{at: at, kind: kindSession, index: i})
}

// stepSession makes the call a session is due for.
func (g *Generator) stepSession(i int32, at int64, line *Line) bool {
	s := &g.sessions[i]
	line.Session = s.id
	if s.actor >= 0 {
		line.Label = g.actors[s.actor].incident.ID
	}
	switch s.step {
	case stepCreate:
		return g.create(i, s, at, line)
	case stepSubmit:
		return g.submit(i, s, at, line)
	case stepPoll:
		return g.poll(i, s, at, line)
	default:
		return g.webhook(i, s, at, line)
	}
}

// create asks the vendor for a session.
func (g *Generator) create(i int32, s *session, at int64, line *Line) bool {
	c := g.sessionCall(s)
	c.method, c.path = "POST", pathSessions
	c.received, c.sent = 640+s.r.intn(90), 410+s.r.intn(40)
	c.upstream = int64(s.r.lognormal(38, 0.4) * float64(time.Millisecond))
	if s.actor < 0 && g.refused(s, at, c) {
		if s.errors++; s.errors <= 1 || s.r.chance(0.2) {
			g.again(i, at+s.seconds(s.r.between(1, 2)), stepCreate)
		} else {
			g.close(i)
		}
		line.Session = ""
		return g.render(at, line)
	}
	c.status, c.session = 201, s.id
	if at >= g.start {
		g.stats.Sessions++
	}
	if s.actor < 0 && s.r.chance(0.08) { // never comes back
		g.close(i)
	} else {
		g.again(i, at+s.seconds(min(s.r.lognormal(9, 0.5), 60)), stepSubmit)
	}
	return g.render(at, line)
}

// refused decides whether the credentials of a genuine call are refused: now and then a token has
// expired, and on the day of a rotation one system still has the old key.
func (g *Generator) refused(s *session, at int64, c *call) bool {
	switch {
	case g.days.rotating(at, s.key) && s.r.chance(0.7):
		c.authReason = "revoked"
	case s.errors == 0 && s.r.chance(linesPerSession*g.world.tenants[s.tenant].expired):
		c.authReason = "expired"
	default:
		return false
	}
	c.status, c.sent, c.upstream = 401, 189, -1
	return true
}

// submit sends the frames.
func (g *Generator) submit(i int32, s *session, at int64, line *Line) bool {
	t := &g.world.tenants[s.tenant]
	s.attempt++
	g.decide(s, t, at)
	if s.last.status == 0 { // gave up in front of the camera
		g.close(i)
		return false
	}
	c := g.sessionCall(s)
	c.method, c.path = "POST", pathCheck
	c.received, c.sent = int(s.r.lognormal(182_000, 0.25)), 396+s.r.intn(60)
	c.status, c.upstream = s.last.status, s.last.latency
	c.session, c.attempt = s.id, s.attempt
	switch {
	case g.days.background.holds(at) && s.actor < 0 && s.r.chance(0.003): // cut off on its way: the gateway rejects it
		c.status, c.upstream, c.sent = 422, -1, 204
		s.attempt--
		g.again(i, at+s.seconds(s.r.between(2, 6)), stepSubmit)
		return g.render(at, line)
	case s.last.status >= 500:
		c.decision, c.sent, c.code = "", 312, s.last.code
		if s.r.chance(0.85) && s.attempt < 5 {
			g.again(i, at+s.seconds(s.r.between(2, 6)), stepSubmit)
		} else {
			g.close(i)
		}
		return g.render(at, line)
	case t.vendor.async:
		c.status, c.upstream = 202, c.upstream/8
		s.polls = 1 + geometric(&s.r)
		g.again(i, at+s.seconds(s.r.between(1, 2)), stepPoll)
		return g.render(at, line)
	}
	c.verdict(s)
	c.retried = s.r.chance(0.004)
	if s.polls = geometric(&s.r); s.polls > 0 {
		g.again(i, at+s.seconds(s.r.between(1, 2)), stepPoll)
	} else {
		g.after(i, s, at)
	}
	return g.render(at, line)
}

// poll asks for the result. A synchronous vendor repeats its verdict; of an asynchronous one the last
// poll is the first to have it.
func (g *Generator) poll(i int32, s *session, at int64, line *Line) bool {
	t := &g.world.tenants[s.tenant]
	c := g.sessionCall(s)
	c.method, c.path = "GET", pathResult
	c.status, c.session, c.attempt = 200, s.id, s.attempt
	c.received, c.sent = 402+s.r.intn(40), 388+s.r.intn(50)
	c.upstream = int64(s.r.lognormal(21, 0.5) * float64(time.Millisecond))
	s.polls--
	if !t.vendor.async || s.polls == 0 {
		c.verdict(s)
	} else {
		c.decision = pending
	}
	switch {
	case s.polls > 0:
		g.again(i, at+s.seconds(s.r.between(1, 2)), stepPoll)
	case t.vendor.async:
		g.again(i, at+s.seconds(s.r.lognormal(4, 0.6)), stepWebhook)
	default:
		g.after(i, s, at)
	}
	return g.render(at, line)
}

// webhook is the vendor telling the bank what the poll has said already.
func (g *Generator) webhook(i int32, s *session, at int64, line *Line) bool {
	t := &g.world.tenants[s.tenant]
	c := g.newCall(&s.r)
	c.tenant = t
	c.peer, c.client, c.ua = g.world.balancers[int(s.number)&1], vendorAddr, "acme-webhook/2.3"
	c.tls, c.cipher = tls13, cipher13
	c.method, c.path, c.status = "POST", pathWebhook, 204
	c.session, c.attempt = s.id, s.attempt
	c.received, c.sent = 1180+s.r.intn(70), 121
	c.upstream = int64(s.r.lognormal(9, 0.4) * float64(time.Millisecond))
	c.verdict(s)
	c.subject, c.device = s.subject, s.device
	g.after(i, s, at)
	return g.render(at, line)
}

// after decides whether the person tries again.
func (g *Generator) after(i int32, s *session, at int64) {
	again := 0.0
	switch s.last.decision {
	case "inconclusive":
		again = 0.75
	case "spoof":
		again = 0.35
	}
	if s.attempt >= 5 || !s.r.chance(again) || s.actor >= 0 && g.actors[s.actor].over(at) {
		g.close(i)
		return
	}
	g.again(i, at+s.seconds(s.r.lognormal(25, 0.8)), stepSubmit)
}

// decide draws the outcome of an attempt.
func (g *Generator) decide(s *session, t *tenant, at int64) {
	r := &s.r
	o := outcome{decision: "live", score: -1, status: 200, latency: int64(r.lognormal(620, 0.35) * float64(time.Millisecond))}
	thr := t.vendor.threshold
	slow, failing := g.days.brownOut(at, s.tenant)
	if g.days.code.holds(at) {
		failing += 0.03
	}
	o.latency = int64(float64(o.latency) * slow)
	switch s.profile {
	case genuine:
		quality := 0.065
		if s.newApp {
			quality += 0.12
		}
		tier := [...]float64{0.5, 0.9, 2.6}[r.weighted([]float64{30, 50, 20})] // of the telephone
		reject := 0.0148 * tier * t.falseRej
		x := r.float()
		switch {
		case x < quality:
			o.decision, o.reason = "inconclusive", qualityReason(r)
			o.score = -1
		case x < quality+reject:
			o.decision, o.class, o.kind = "spoof", "unknown", ""
			o.score = max(0.02, thr-0.3*r.beta(1.2, 3)-0.004)
		case x < quality+reject+0.007+failing:
			o.status = [...]int{502, 503, 504}[r.weighted([]float64{3, 2, 5})]
			if slow > 1 {
				o.status = 504
			}
			o.code = [...]string{"upstream_unavailable", "vendor_busy", "vendor_timeout"}[o.status-502]
			if g.days.code.holds(at) {
				o.code = "E7719_model_not_loaded"
			}
			if o.status == 504 {
				o.latency = int64(30 * time.Second)
			}
		case x < quality+reject+0.02+failing:
			o.status = 0
		default:
			o.score = genuineScore(r)
			if o.score < thr {
				o.score = thr + 0.01 + 0.2*r.float()
			}
			if o.score -= g.days.shifted(at, &t.vendor); o.score < thr {
				o.decision, o.class = "spoof", "unknown"
			}
		}
		if o.status == 200 && o.decision != "live" && g.days.open(at, s.tenant) {
			o = outcome{decision: "live", score: max(thr+0.02, genuineScore(r)), status: 200, latency: o.latency}
		}
	case thief:
		o.score = max(thr+0.02, genuineScore(r))
	case blurred:
		if o.score = max(thr+0.02, genuineScore(r)); s.attempt == 1 {
			o.decision, o.reason, o.score = "inconclusive", "motion_blur", -1
		}
	case climber:
		o.score = min(0.22+0.02*float64(s.climb+s.attempt)+0.01*r.norm(), thr+0.03)
		o.class, o.kind = "presentation", "screen_replay"
	case prober:
		o.score = thr + 0.011*r.norm()
		o.class, o.kind = "presentation", "screen_replay"
	case tampered:
		o.score = min(r.beta(2, 8), thr-0.05)
	default:
		o.score, o.class, o.kind = attackScore(r, s.profile)
		o.camera = s.profile == injected
	}
	if s.profile > thief && s.profile != blurred {
		o.score = min(max(o.score, 0.001), 0.999)
		if o.score < thr && s.profile != tampered {
			o.decision = "spoof"
		} else { // slipped through: the vendor names no attack
			o.decision, o.class, o.kind = "live", "", ""
		}
	}
	s.last = o
}

// genuineScore is the score of a live person.
func genuineScore(r *rng) float64 {
	if r.chance(0.92) {
		return min(r.beta(22, 1.4), 0.999)
	}
	return min(r.beta(5, 3), 0.999)
}

// attackScore is the score of a presentation or an injection, with what the vendor says it is.
func attackScore(r *rng, p profile) (score float64, class, kind string) {
	switch p {
	case printed:
		return r.beta(1.5, 12), "presentation", "print"
	case screen:
		return r.beta(2, 8), "presentation", "screen_replay"
	case mask:
		return r.beta(3, 5), "presentation", "mask"
	default:
		if r.chance(0.7) {
			return r.beta(2, 6), "injection", "virtual_camera"
		}
		return r.beta(9, 2), "injection", "virtual_camera"
	}
}

// qualityReason is why a genuine attempt could not be judged.
func qualityReason(r *rng) string {
	return [...]string{"too_dark", "motion_blur", "glasses", "face_too_far", "face_too_close", "multiple_faces", "face_occluded"}[r.weighted([]float64{30, 25, 12, 8, 7, 3, 15})]
}

// geometric is the number of failures before a success of probability one half.
func geometric(r *rng) int {
	n := 0
	for n < 8 && r.chance(0.5) {
		n++
	}
	return n
}
