// Package generator plays the gateway of a small bank group: seeded, labelled traffic of a
// face-liveness API, with genuine onboarding, attacks and the odd days that look like attacks. The
// demonstration, the corpora of tests and benchmarks, and the noise budget of the rules come from
// it. DOMAIN's session machine, score distributions and identity graph are what it simulates.
//
// It never reads a clock, never draws from a source of chance but its seed, and never writes a file:
// the caller takes line after line and decides how fast. Every address it uses lies in a
// documentation, private or carrier-grade range, and every key and person is made up.
package generator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The formats the generator writes.
const (
	NginxJSON     = "nginx_json"
	LivewardV1    = "liveward_v1"
	NginxCombined = "nginx_combined"
	KongJSON      = "kong_json"
)

// Formats returns the formats New accepts.
func Formats() []string { return []string{LivewardV1, NginxCombined, NginxJSON, KongJSON} }

// Config says what traffic to make. The zero value of each field but Start has a default.
type Config struct {
	Seed     uint64
	Start    time.Time     // event time of the first line; required
	Duration time.Duration // 0: endless
	Format   string        // default nginx_json

	// SessionsPerDay is the mean genuine load of the group, shaped by the hours of the day and the
	// days of the week. Default 20,000. Rate, where set, wins: a mean number of genuine lines a
	// second that is the same at every hour.
	SessionsPerDay float64
	Rate           float64

	// Tenants is the number of banks in the group, 64 at most; Keys the number of keys of each, 4 at
	// most; Partners the number of third parties with a key of their own, 24 at most. Defaults: 3
	// tenants, 3 keys, 6 partners.
	Tenants  int
	Keys     int
	Partners int

	// ProbeEvery is how often each of the two health checks comes. Default 10 s.
	ProbeEvery time.Duration

	// UTCOffset is the gateway's zone, which also decides when its customers are awake. Default +7 h;
	// one nanosecond, rounded away, asks for UTC.
	UTCOffset time.Duration

	Attacks     []Attack     // nil: DefaultAttacks(Duration); empty: none
	Confounders []Confounder // none unless asked for
	// Days says when a confounder begins, after the start: it lasts as long as it does by nature, or for
	// a day. One that is not here begins as Confounder tells.
	Days map[Confounder]time.Duration

	Canaries bool // plant secrets, ids and faces; Canaries returns them
}

// Line is one line of the gateway's log.
type Line struct {
	At      time.Time // when the gateway writes it; the time in its text may differ (clock skew, late delivery)
	Text    []byte    // without line feed; valid until the next call of Next
	Session string    // liveness session the call belongs to; empty where none
	Label   string    // id of the attack it is part of; empty for genuine traffic
	Broken  bool      // the line is malformed on purpose
}

// Stats counts what has been written.
type Stats struct {
	Lines    int64 `json:"lines"`    // all of them
	Sessions int64 `json:"sessions"` // liveness sessions created, genuine and not
	Labelled int64 `json:"labelled"` // lines of attacks
	Broken   int64 `json:"broken"`   // malformed lines
	Repeated int64 `json:"repeated"` // lines delivered twice
	Late     int64 `json:"late"`     // lines delivered out of order
	Lost     int64 `json:"lost"`     // lines the gateway failed to write
}

// Generator makes the lines. It is used by one goroutine at a time.
type Generator struct {
	cfg   Config
	start int64 // nanoseconds
	end   int64 // 0: endless
	world *world
	load  *load
	days  days // confounders, with their times

	queue    queue
	sessions []session
	free     []int32
	actors   []actor
	held     []held // rendered lines that are delivered later
	freeHeld []int32

	noise     rng // chance of arrivals and of what befalls lines, apart from that of sessions
	number    uint64
	incidents []*incident
	canaries  []Canary
	planted   []planted
	stats     Stats

	call call
	enc  encoder
	buf  []byte
}

// kind says what an entry of the queue is about.
type kind uint8

const (
	kindArrival kind = iota // the next genuine session
	kindSession             // the next step of a session
	kindActor               // the next step of an attack
	kindProbe               // a health check
	kindStaging             // the misconfigured staging system
	kindHeld                // a line that was held back
	kindCanary              // a planted line
	kindScan                // a scanner of the internet's
)

// New returns a generator, or an error that names what is wrong with the configuration.
func New(cfg Config) (*Generator, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg, start: cfg.Start.UnixNano(), noise: newRNG(cfg.Seed, streamNoise)}
	if cfg.Duration > 0 {
		g.end = g.start + int64(cfg.Duration)
	}
	g.world = newWorld(&cfg)
	g.days = newDays(&cfg)
	g.load = newLoad(&cfg, g.world, &g.days)
	g.enc = newEncoder(cfg.Format, cfg.UTCOffset)

	warm := g.start - int64(g.load.warmup())
	g.load.begin(warm)
	g.queue.push(entry{at: g.load.next(warm, &g.noise), kind: kindArrival})
	for i := range g.world.probes {
		g.queue.push(entry{at: g.start + int64(i+1)*int64(time.Second), kind: kindProbe, index: int32(i)})
	}
	g.queue.push(entry{at: g.start + int64(40*time.Second), kind: kindStaging})
	for i := range cfg.Attacks {
		g.schedule(i, 0, g.start+int64(cfg.Attacks[i].Start))
	}
	g.days.schedule(g)
	if cfg.Canaries {
		g.plant()
	}
	return g, nil
}

// complete fills in defaults and checks the rest.
func (cfg *Config) complete() error {
	if cfg.Start.IsZero() {
		return fmt.Errorf("generator: start is required")
	}
	if cfg.Duration < 0 {
		return fmt.Errorf("generator: duration %s is negative", cfg.Duration)
	}
	if cfg.Format == "" {
		cfg.Format = NginxJSON
	}
	switch cfg.Format {
	case NginxJSON, LivewardV1, NginxCombined, KongJSON:
	default:
		return fmt.Errorf("generator: unknown format %q; want one of %s", cfg.Format, strings.Join(Formats(), ", "))
	}
	if cfg.SessionsPerDay < 0 || cfg.Rate < 0 {
		return fmt.Errorf("generator: load must not be negative")
	}
	if cfg.SessionsPerDay == 0 {
		cfg.SessionsPerDay = 20_000
	}
	if cfg.Tenants == 0 {
		cfg.Tenants = 3
	}
	if cfg.Keys == 0 {
		cfg.Keys = 3
	}
	if cfg.Partners == 0 {
		cfg.Partners = 6
	}
	if cfg.Tenants < 1 || cfg.Tenants > maxTenants {
		return fmt.Errorf("generator: tenants must be 1 to %d, not %d", maxTenants, cfg.Tenants)
	}
	if cfg.Keys < 1 || cfg.Keys > maxKeys {
		return fmt.Errorf("generator: keys must be 1 to %d, not %d", maxKeys, cfg.Keys)
	}
	if cfg.Partners < 1 || cfg.Partners > maxPartners {
		return fmt.Errorf("generator: partners must be 1 to %d, not %d", maxPartners, cfg.Partners)
	}
	if cfg.ProbeEvery <= 0 {
		cfg.ProbeEvery = 10 * time.Second
	}
	if cfg.UTCOffset == 0 {
		cfg.UTCOffset = 7 * time.Hour
	}
	cfg.UTCOffset = cfg.UTCOffset.Truncate(time.Minute)
	if cfg.UTCOffset < -12*time.Hour || cfg.UTCOffset > 14*time.Hour {
		return fmt.Errorf("generator: offset %s is no zone's", cfg.UTCOffset)
	}
	if cfg.Attacks == nil {
		cfg.Attacks = DefaultAttacks(cfg.Duration)
	}
	for i := range cfg.Attacks {
		if err := cfg.Attacks[i].complete(cfg); err != nil {
			return fmt.Errorf("generator: attack %d: %w", i+1, err)
		}
	}
	for _, c := range cfg.Confounders {
		if !c.known() {
			known := make([]string, 0, len(Confounders()))
			for _, k := range Confounders() {
				known = append(known, string(k))
			}
			return fmt.Errorf("generator: unknown confounder %q; want one of %s", c, strings.Join(known, ", "))
		}
	}
	return nil
}

// Next returns the next line in order of arrival, and false when the duration is over. It never
// returns false in an endless run.
func (g *Generator) Next() (Line, bool) {
	for {
		e, ok := g.queue.pop()
		if !ok || (g.end != 0 && e.at >= g.end) {
			return Line{}, false
		}
		var line Line
		switch e.kind {
		case kindArrival:
			g.arrive(e.at)
			continue
		case kindSession:
			ok = g.stepSession(e.index, e.at, &line)
		case kindActor:
			ok = g.stepActor(e.index, e.at, &line)
		case kindProbe:
			ok = g.probe(e.index, e.at, &line)
		case kindStaging:
			ok = g.staging(e.at, &line)
		case kindHeld:
			ok = g.release(e.index, &line)
		case kindCanary:
			ok = g.canary(e.index, e.at, &line)
		case kindScan:
			ok = g.scan(e.at, &line)
		}
		if !ok || e.at < g.start {
			continue
		}
		line.At = time.Unix(0, e.at).UTC()
		if e.kind != kindHeld && !g.disturb(e, &line) {
			continue
		}
		g.account(&line)
		return line, true
	}
}

// account counts a line that is about to be returned.
func (g *Generator) account(line *Line) {
	g.stats.Lines++
	if line.Broken {
		g.stats.Broken++
	}
	if line.Label == "" {
		return
	}
	g.stats.Labelled++
	for _, in := range slices.Backward(g.incidents) {
		if in.ID == line.Label {
			if in.Lines == 0 {
				in.First = line.At
			}
			in.Last = line.At
			in.Lines++
			return
		}
	}
}

// Stats returns what has been written so far.
func (g *Generator) Stats() Stats { return g.stats }

// render encodes g.call into line. Lines of the time before the start are not worth the work.
func (g *Generator) render(at int64, line *Line) bool {
	if at < g.start {
		return false
	}
	g.call.at = at + g.days.skew(&g.call, at)
	g.buf = g.enc.append(g.buf[:0], &g.call)
	line.Text = g.buf
	return true
}

// probe is a health check of the load balancer or of the monitoring.
func (g *Generator) probe(index int32, at int64, line *Line) bool {
	p := &g.world.probes[index]
	g.queue.push(entry{at: at + int64(g.cfg.ProbeEvery), kind: kindProbe, index: index})
	c := g.newCall(&g.noise)
	c.method, c.path, c.proto, c.status = "GET", "/healthz", "HTTP/1.1", 200
	c.peer, c.ua, c.tls, c.cipher = p.addr, p.ua, tls13, cipher13
	c.duration, c.upstream = int64(time.Millisecond), -1
	c.received, c.sent = 180, 161
	return g.render(at, line)
}

// scan is what finds every address of the internet within the hour: one question, and away.
func (g *Generator) scan(at int64, line *Line) bool {
	if !g.days.background.holds(at) {
		return false
	}
	g.queue.push(entry{at: at + int64(g.noise.exp()*40*float64(time.Minute)), kind: kindScan})
	s := attackCalls()[g.noise.intn(len(attackCalls()))]
	c := g.newCall(&g.noise)
	c.method, c.path, c.query, c.status = s.method, s.path, s.query, 404
	c.peer, c.ua, c.tls, c.cipher = g.world.balancers[0], "Mozilla/5.0 (compatible; CensysInspect/1.1)", tls13, cipher13
	c.client = string(appendAddr(nil, 203<<24|113<<8|uint32(120+g.noise.intn(10))))
	c.received, c.sent, c.upstream, c.duration = 240, 153, -1, int64(time.Millisecond)
	return g.render(at, line)
}

// staging is a test system somebody pointed at production with a key of its own: a refusal every few
// minutes, for ever. lw.auth.slow-guess tells of it once a month, and no other rule should mind.
func (g *Generator) staging(at int64, line *Line) bool {
	g.queue.push(entry{at: at + int64(g.noise.between(150, 210)*float64(time.Second)), kind: kindStaging})
	c := g.newCall(&g.noise)
	c.method, c.path, c.proto, c.status = "POST", pathSessions, "HTTP/1.1", 401
	c.peer, c.client, c.ua, c.tls, c.cipher = g.world.balancers[0], stagingAddr, "Java-http-client/21.0.4", tls13, cipher13
	c.keyID, c.authReason = g.world.stagingKey, "unknown_key"
	c.duration, c.upstream = int64(3*time.Millisecond), -1
	c.received, c.sent = 612, 189
	return g.render(at, line)
}
