package generator

import (
	"math"
	"slices"
	"time"
)

// Confounder is something that happens to honest gateways and looks like an attack, or hides one.
type Confounder string

// The confounders. Those that take time begin at two fifths of the duration (or after five minutes,
// whichever is earlier in an endless run) and last for at most three tenths of it.
const (
	CGNAT          Confounder = "cgnat"           // carriers put thousands of people behind an address
	CampaignSurge  Confounder = "campaign_surge"  // four times the sessions, from one second to the next
	ReleaseQuality Confounder = "release_quality" // an app release with 12 points more quality failures
	BrownOut       Confounder = "brown_out"       // the vendor is six times slower and answers 504
	KeyRotation    Confounder = "key_rotation"    // a good consumer goes on with its old key
	PenTestWindow  Confounder = "pen_test"        // an authorised penetration test; an Incident of class PenTest
	BranchTablet   Confounder = "branch_tablet"   // a tablet in a branch, for many customers
	ClockSkew      Confounder = "clock_skew"      // the clock of one of the gateway's hosts is 90 s ahead
	LogLoss        Confounder = "log_loss"        // the gateway writes nothing for a while
	Duplicates     Confounder = "duplicates"      // 2 % of the lines are delivered twice
	OutOfOrder     Confounder = "out_of_order"    // 1 % of the lines come late, by up to five minutes
	Malformed      Confounder = "malformed"       // 1 % more lines, which are cut short or garbage
	Background     Confounder = "background"      // what every gateway has: lone prints and virtual cameras, rejected input, scanners
	ScoreShift     Confounder = "score_shift"     // a vendor's new model gives scores lower by 0.1, and nobody was told
	CheckOff       Confounder = "check_off"       // a tenant's check lets everybody through
	VendorCode     Confounder = "vendor_code"     // the vendor fails more often, with a code it never had
)

// Confounders returns all of them.
func Confounders() []Confounder {
	return []Confounder{
		CGNAT, CampaignSurge, ReleaseQuality, BrownOut, KeyRotation, PenTestWindow, BranchTablet,
		ClockSkew, LogLoss, Duplicates, OutOfOrder, Malformed, Background, ScoreShift, CheckOff, VendorCode,
	}
}

// DefaultConfounders are the ones a demonstration has: no shipped rule should mind them.
func DefaultConfounders() []Confounder { return []Confounder{CGNAT, ReleaseQuality, Malformed} }

func (c Confounder) known() bool { return slices.Contains(Confounders(), c) }

// natural is how long it lasts when there is time enough; 0: from beginning to end.
func (c Confounder) natural() time.Duration {
	switch c {
	case CampaignSurge, ScoreShift, CheckOff, VendorCode:
		return 2 * time.Hour
	case BrownOut:
		return 20 * time.Minute
	case KeyRotation:
		return 30 * time.Minute
	case PenTestWindow, BranchTablet:
		return time.Hour
	case ClockSkew:
		return time.Hour
	case LogLoss:
		return 7 * time.Minute
	}
	return 0
}

// rules are the shipped rules that should notice, though nobody attacks, and those that may.
func (c Confounder) rules() (should, may []string) {
	should, may = []string{}, []string{}
	switch c {
	case KeyRotation:
		may = []string{ruleBurst, ruleAuthRate, ruleRevoked}
	case PenTestWindow:
		may = []string{ruleBurst, ruleStrings, ruleAuthRate}
	case BranchTablet:
		may = []string{ruleFarm}
	case ReleaseQuality:
		may = []string{ruleUX}
	case BrownOut:
		may = []string{ruleOutage}
	case Background:
		may = []string{ruleCamera, ruleCameraPassed, ruleStrings}
	case ScoreShift:
		should, may = []string{ruleDrift}, []string{ruleUX, ruleEdge, ruleWave, ruleWaveCount}
	case CheckOff:
		should = []string{ruleUX}
	case VendorCode:
		should, may = []string{ruleErrorCode}, []string{ruleOutage}
	}
	return should, may
}

// Disturbance is the truth about one confounder.
type Disturbance struct {
	Kind    Confounder `json:"kind"`
	Begin   time.Time  `json:"begin"`
	End     *time.Time `json:"end,omitempty"` // absent: to the end
	Rules   []string   `json:"rules"`         // shipped rules that should notice
	MayFire []string   `json:"may_fire"`      // shipped rules that may fire on it
}

type span struct{ from, until int64 }

func (s span) holds(at int64) bool { return s.from <= at && at < s.until }

// days knows which confounders there are, and when. A span that is not set holds at no time.
type days struct {
	spans   map[Confounder]span // as the truth tells them
	r       rng
	maxLate float64 // nanoseconds
	rotated int32

	cgnat, surge, release, brown, rotation, kiosk, skewed, lost         span
	repeated, late, malformed, background, shift, off, code, penetrated span
}

func newDays(cfg *Config) days {
	d := days{spans: map[Confounder]span{}, r: newRNG(cfg.Seed, streamDays)}
	start, begin, longest := cfg.Start.UnixNano(), 5*time.Minute, 2*time.Hour
	d.maxLate = float64(5 * time.Minute)
	if cfg.Duration > 0 {
		begin, longest = cfg.Duration*2/5, cfg.Duration*3/10
		d.maxLate = min(d.maxLate, float64(cfg.Duration/4))
	}
	spans := map[Confounder]*span{
		CGNAT: &d.cgnat, CampaignSurge: &d.surge, ReleaseQuality: &d.release, BrownOut: &d.brown, KeyRotation: &d.rotation,
		BranchTablet: &d.kiosk, ClockSkew: &d.skewed, LogLoss: &d.lost, Duplicates: &d.repeated, OutOfOrder: &d.late,
		Malformed: &d.malformed, Background: &d.background, ScoreShift: &d.shift, CheckOff: &d.off, VendorCode: &d.code,
		PenTestWindow: &d.penetrated,
	}
	for _, c := range cfg.Confounders {
		at, planned := cfg.Days[c]
		s, n := span{start, math.MaxInt64}, c.natural()
		switch {
		case planned:
			s.from = start + int64(at)
			s.until = s.from + int64(n)
			if n == 0 {
				s.until = s.from + int64(24*time.Hour)
			}
		case n > 0:
			s.from = start + int64(begin)
			s.until = s.from + int64(min(n, longest))
		case c == ReleaseQuality:
			s.from = start + int64(begin)
		}
		d.spans[c] = s
		if s.from == start {
			s.from = math.MinInt64 // so it was when the sessions before the start began
		}
		*spans[c] = s
	}
	return d
}

// schedule puts what confounders do on their own on the queue.
func (d *days) schedule(g *Generator) {
	if s, ok := d.spans[Background]; ok {
		g.queue.push(entry{at: s.from + int64(7*time.Minute), kind: kindScan})
	}
	s, ok := d.spans[PenTestWindow]
	if !ok {
		return
	}
	length := time.Duration(s.until - s.from)
	g.cfg.Attacks = append(slices.Clone(g.cfg.Attacks), Attack{Class: PenTest, Length: min(length, 4*time.Minute), Count: 60})
	g.schedule(len(g.cfg.Attacks)-1, 0, s.from)
}

// surging is the factor by which more sessions arrive.
func (d *days) surging(at int64) float64 {
	if d.surge.holds(at) {
		return 4
	}
	return 1
}

// edge is the next time at which the surge begins or ends.
func (d *days) edge(at int64) int64 {
	switch {
	case at < d.surge.from:
		return d.surge.from
	case at < d.surge.until:
		return d.surge.until
	}
	return math.MaxInt64
}

// brownOut returns the factor of the vendor's latency and the share of calls that time out.
func (d *days) brownOut(at int64, tenant int32) (slow, failing float64) {
	if tenant == 0 && d.brown.holds(at) {
		return 6, 0.4
	}
	return 1, 0
}

// shifted is what the vendor of a tenant takes off its scores.
func (d *days) shifted(at int64, v *vendor) float64 {
	if !v.async && d.shift.holds(at) {
		return 0.1
	}
	return 0
}

// open tells whether a tenant's check lets everybody through.
func (d *days) open(at int64, tenant int32) bool { return tenant == 0 && d.off.holds(at) }

// stray decides whether a person who arrives is a lone attacker, and with what.
func (d *days) stray(at int64, r *rng) (profile, bool) {
	if !d.background.holds(at) || !r.chance(0.003) {
		return genuine, false
	}
	return [...]profile{printed, screen, injected}[r.weighted([]float64{47, 47, 6})], true
}

// rotating tells whether the key is the one that was rotated, and its owner has not noticed. It is the
// first key of the first tenant.
func (d *days) rotating(at int64, key int32) bool {
	return key == d.rotated && d.rotation.holds(at)
}

// tablet tells whether the session takes place at the tablet of the first tenant's branch.
func (d *days) tablet(at int64, tenant int32, r *rng) bool {
	return tenant == 0 && d.kiosk.holds(at) && r.chance(0.15)
}

// skew is how far the clock of the host that writes the line is ahead.
func (d *days) skew(c *call, at int64) int64 {
	if c.peer == "10.20.0.6" && d.skewed.holds(at) {
		return int64(90 * time.Second)
	}
	return 0
}

// truth is what there was.
func (d *days) truth() []Disturbance {
	out := []Disturbance{}
	for _, c := range Confounders() {
		s, ok := d.spans[c]
		if !ok {
			continue
		}
		t := Disturbance{Kind: c, Begin: time.Unix(0, s.from).UTC()}
		t.Rules, t.MayFire = c.rules()
		if s.until != math.MaxInt64 {
			end := time.Unix(0, s.until).UTC()
			t.End = &end
		}
		out = append(out, t)
	}
	return out
}

// held is a rendered line that comes later.
type held struct {
	line Line
	text []byte
}

// hold keeps a copy of a line until at.
func (g *Generator) hold(line *Line, at int64) {
	var i int32
	if n := len(g.freeHeld); n > 0 {
		i = g.freeHeld[n-1]
		g.freeHeld = g.freeHeld[:n-1]
	} else {
		i = int32(len(g.held))
		g.held = append(g.held, held{})
	}
	h := &g.held[i]
	h.line, h.text = *line, append(h.text[:0], line.Text...)
	g.queue.push(entry{at: at, kind: kindHeld, index: i})
}

// release lets a held line go.
func (g *Generator) release(i int32, line *Line) bool {
	h := &g.held[i]
	*line = h.line
	g.buf = append(g.buf[:0], h.text...)
	line.Text = g.buf
	g.freeHeld = append(g.freeHeld, i)
	return true
}

// disturb does to a line what the confounders of delivery do, and tells whether it is written now.
// Lines with a label keep their order, so that an attack's truth does not depend on luck.
func (g *Generator) disturb(e entry, line *Line) bool {
	d := &g.days
	if d.lost.holds(e.at) {
		g.stats.Lost++
		return false
	}
	if d.malformed.holds(e.at) && d.r.chance(0.01) {
		g.garble(line, e.at)
	}
	if d.repeated.holds(e.at) && d.r.chance(0.02) {
		g.stats.Repeated++
		g.hold(line, e.at+int64(d.r.between(0.1, 3)*float64(time.Second)))
	}
	if d.late.holds(e.at) && line.Label == "" && d.r.chance(0.01) {
		g.stats.Late++
		g.hold(line, e.at+int64(d.r.float()*d.maxLate))
		return false
	}
	return true
}

// garble adds a line that cannot be read: the line cut short, or bytes of a TLS hello where a request
// should be.
func (g *Generator) garble(line *Line, at int64) {
	d := &g.days
	broken := Line{Broken: true}
	switch {
	case d.r.chance(0.3):
		broken.Text = []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	default:
		n := min(len(line.Text), 512)
		broken.Text = line.Text[:d.r.intn(n-1)+1]
	}
	g.hold(&broken, at)
}

// pow400 maps a uniform x to 1..400 so that the density falls as 1/n.
func pow400(x float64) float64 { return math.Exp(x * math.Log(400)) }
