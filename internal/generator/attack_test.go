package generator

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// window counts what a rule counts, in event time, over (t-w, t].
type window struct {
	width time.Duration
	seen  map[string]map[string]time.Time // key, then distinct value
	most  map[string]int
}

func newWindow(width time.Duration) *window {
	return &window{width: width, seen: map[string]map[string]time.Time{}, most: map[string]int{}}
}

func (w *window) add(key, value string, at time.Time) {
	if w.seen[key] == nil {
		w.seen[key] = map[string]time.Time{}
	}
	w.seen[key][value] = at
	n := 0
	for v, t := range w.seen[key] {
		if at.Sub(t) >= w.width {
			delete(w.seen[key], v)
			continue
		}
		n++
	}
	w.most[key] = max(w.most[key], n)
}

// pack is a naive form of the rules that the default attacks are made for. What fired, by rule and key.
type pack struct {
	tb                        testing.TB
	allow                     map[string][]netip.Prefix
	burst, spray, farm, waves *window
	fired                     map[string]map[string]bool
	line                      int
}

func newPack(tb testing.TB, g *Generator) *pack {
	p := &pack{
		tb: tb, allow: map[string][]netip.Prefix{}, fired: map[string]map[string]bool{},
		burst: newWindow(5 * time.Minute), spray: newWindow(10 * time.Minute), farm: newWindow(time.Hour), waves: newWindow(10 * time.Minute),
	}
	for _, k := range g.Keys() {
		for _, c := range k.Allow {
			p.allow[k.ID] = append(p.allow[k.ID], netip.MustParsePrefix(c).Masked())
		}
	}
	return p
}

func (p *pack) fire(rule, key string) {
	if p.fired[rule] == nil {
		p.fired[rule] = map[string]bool{}
	}
	p.fired[rule][key] = true
}

func (p *pack) feed(l Line) {
	if l.Broken {
		return
	}
	n := decode(p.tb, l)
	at := time.UnixMilli(int64(n.Msec * 1000))
	p.line++
	caller := n.caller()
	if n.Status == 401 || n.Status == 403 {
		p.burst.add(caller, strconv.Itoa(p.line), at)
		if p.burst.most[caller] >= 20 {
			p.fire(ruleBurst, caller)
		}
		p.spray.add(caller, n.Key, at)
		if p.spray.most[caller] >= 5 {
			p.fire(ruleSpray, caller)
		}
	}
	if list := p.allow[n.Key]; len(list) > 0 && n.Status < 400 {
		on := false
		for _, c := range list {
			on = on || c.Contains(netip.MustParseAddr(caller))
		}
		if !on {
			p.fire(ruleOffList, n.Key)
		}
	}
	if strings.HasPrefix(n.Agent, "Mozilla/") {
		p.fire(ruleBrowser, n.Key)
	}
	if n.TLS == "TLSv1" || n.TLS == "TLSv1.1" {
		p.fire(ruleTLS, n.Key)
	}
	if n.Body != "" {
		p.fire(rulePII, n.Tenant)
	}
	if strings.Contains(n.URI, "api_key=") {
		p.fire(ruleKeyInURL, n.Key)
	}
	if n.Device != "" && n.Attempt != "" {
		p.farm.add(n.Device, n.Subject, at)
		if p.farm.most[n.Device] >= 6 {
			p.fire(ruleFarm, n.Device)
		}
	}
	if n.Decision == "spoof" {
		p.waves.add(n.Tenant, n.Session+n.Attempt, at)
		if p.waves.most[n.Tenant] >= 30 {
			p.fire(ruleWaveCount, n.Tenant)
		}
	}
}

// Whatever the duration, each default attack begins within the first seconds, ends inside, and crosses
// the threshold of its rule; and nothing fires that was not attacked.
func TestDefaultAttacksCrossTheirThresholds(t *testing.T) {
	for _, tc := range []struct {
		duration time.Duration
		cfg      Config
		first    time.Duration
		seeds    uint64
	}{
		{15 * time.Second, Config{Rate: 25}, 8 * time.Second, 4},
		{30 * time.Second, Config{Rate: 25}, 12 * time.Second, 3},
		{2 * time.Minute, Config{Rate: 60}, 20 * time.Second, 2},
		{20 * time.Minute, Config{Rate: 20}, 20 * time.Second, 1},
		{24 * time.Hour, Config{SessionsPerDay: 4_000}, 20 * time.Second, 1},
	} {
		for seed := range tc.seeds {
			cfg := tc.cfg
			cfg.Duration, cfg.Seed, cfg.Confounders = tc.duration, seed, DefaultConfounders()
			g := newGenerator(t, cfg)
			p := newPack(t, g)
			each(g, p.feed)
			want := map[string]map[string]bool{}
			rules := map[string]bool{}
			for _, in := range g.Truth() {
				if d := in.First.Sub(monday); d > tc.first {
					t.Errorf("%s: %s begins after %s", tc.duration, in.ID, d)
				}
				if d := monday.Add(tc.duration).Sub(in.Last); d < tc.duration/10 {
					t.Errorf("%s: %s ends only %s before the end", tc.duration, in.ID, d)
				}
				for _, rule := range in.Rules {
					if rule == ruleCamera { // a flag of the line, and no count
						continue
					}
					rules[rule] = true
					if want[rule] == nil {
						want[rule] = map[string]bool{}
					}
					key := in.Facts["api_key.id"]
					switch rule {
					case ruleBurst, ruleSpray:
						key = in.Facts["client.ip"]
					case ruleFarm:
						key = in.Facts["device.id"]
					case ruleWaveCount, rulePII:
						key = in.Tenant
					}
					want[rule][key] = true
					if !p.fired[rule][key] {
						t.Errorf("%s, seed %d: %s did not trip %s (key %s)", tc.duration, seed, in.ID, rule, key)
					}
				}
			}
			if len(rules) != 9 {
				t.Errorf("%s: %d rules are tripped, want 9", tc.duration, len(rules))
			}
			for rule, keys := range p.fired {
				for key := range keys {
					if !want[rule][key] {
						t.Errorf("%s, seed %d: %s fired for %s, which nobody attacked", tc.duration, seed, rule, key)
					}
				}
			}
		}
	}
}

// Genuine traffic alone is silent, also on a busy day and at a high rate.
func TestGenuineTrafficIsSilent(t *testing.T) {
	for name, cfg := range map[string]Config{
		"busy day":  {SessionsPerDay: 150_000, Duration: time.Hour},
		"high rate": {Rate: 70, Duration: 11 * time.Minute},
		"odd day": {
			SessionsPerDay: 20_000, Duration: 2 * time.Hour,
			Confounders: []Confounder{CGNAT, CampaignSurge, ReleaseQuality, BrownOut, ClockSkew, Duplicates, OutOfOrder, Malformed, LogLoss},
		},
	} {
		cfg.Attacks = []Attack{}
		g := newGenerator(t, cfg)
		p := newPack(t, g)
		each(g, p.feed)
		if len(p.fired) > 0 {
			t.Errorf("%s: fired: %v", name, p.fired)
		}
		if len(g.Truth()) > 0 {
			t.Errorf("%s: truth without attacks: %v", name, g.Truth())
		}
	}
}

// Each class of attacks has lines that bear its label, facts to know it by, and a rule that should find
// it; genuine traffic is the same beside it.
func TestEachClassIsLabelled(t *testing.T) {
	run := func(attacks []Attack) (genuine int, g *Generator) {
		g = newGenerator(t, Config{Duration: time.Hour, Rate: 2, Attacks: attacks})
		each(g, func(l Line) {
			if l.Label == "" {
				genuine++
			}
		})
		return genuine, g
	}
	without, _ := run([]Attack{})
	for _, c := range Classes() {
		genuine, g := run([]Attack{{Class: c, Start: time.Minute}})
		truth := g.Truth()
		if len(truth) != 1 {
			t.Errorf("%s: %d incidents", c, len(truth))
			continue
		}
		_, count, _ := c.natural()
		if in := truth[0]; in.Lines < int64(count) || len(in.Rules) == 0 || len(in.Facts) == 0 || in.Last.Before(in.First) {
			t.Errorf("%s: %d lines for %d calls or sessions, rules %v, facts %v", c, in.Lines, count, in.Rules, in.Facts)
		}
		if genuine != without {
			t.Errorf("%s: %d genuine lines beside it, %d without", c, genuine, without)
		}
	}
}

// Confounders keep to the days they are given.
func TestConfoundersKeepToTheirDays(t *testing.T) {
	days := map[Confounder]time.Duration{CampaignSurge: 3 * time.Hour, VendorCode: 6 * time.Hour, Duplicates: time.Hour}
	g := newGenerator(t, Config{
		Duration: 9 * time.Hour, SessionsPerDay: 10_000, Attacks: []Attack{}, Confounders: []Confounder{CampaignSurge, VendorCode, Duplicates}, Days: days,
	})
	var hours [9]int
	codes := map[bool]int{}
	each(g, func(l Line) {
		hours[int(l.At.Sub(monday).Hours())]++
		if strings.Contains(string(l.Text), "E7719") {
			at := l.At.Sub(monday)
			codes[at >= 6*time.Hour && at < 8*time.Hour]++
		}
	})
	if hours[3] < 2*hours[1] || hours[4] < 2*hours[1] || hours[5] > 2*hours[1] {
		t.Errorf("lines by hour, with a surge in the fourth and fifth: %v", hours)
	}
	if codes[true] == 0 || codes[false] > 0 {
		t.Errorf("unknown codes within their hours and outside: %v", codes)
	}
	for _, d := range g.Disturbances() {
		if !d.Begin.Equal(monday.Add(days[d.Kind])) || d.End == nil {
			t.Errorf("%s is said to begin at %s", d.Kind, d.Begin)
		}
	}
}

// An endless run attacks again, each time as somebody else.
func TestEndlessRunAttacksAgain(t *testing.T) {
	g := newGenerator(t, Config{Rate: 20})
	for {
		l, ok := g.Next()
		if !ok {
			t.Fatal("an endless run has ended")
		}
		if l.At.Sub(monday) > 65*time.Minute {
			break
		}
	}
	devices, addresses := map[string]bool{}, map[string]bool{}
	for _, in := range g.Truth() {
		switch in.Class {
		case InjectionFarm:
			devices[in.Facts["device.id"]] = true
		case BadCredentials:
			addresses[in.Facts["client.ip"]] = true
		}
	}
	if len(devices) != 3 || len(addresses) != 3 {
		t.Errorf("%d devices and %d addresses in three rounds", len(devices), len(addresses))
	}
}

func TestFaceIsAJPEG(t *testing.T) {
	g := newGenerator(t, Config{Duration: 30 * time.Second, Rate: 5})
	found := false
	each(g, func(l Line) {
		n := decode(t, l)
		if n.Body == "" {
			return
		}
		found = true
		data := strings.TrimSuffix(strings.TrimPrefix(n.Body, `{"image":"`), `"}`)
		if len(data) < 20<<10 || len(data) > 60<<10 {
			t.Errorf("%d bytes of base64, want 20 to 60 KiB", len(data))
		}
		img, err := base64.StdEncoding.DecodeString(data)
		if err != nil || !strings.HasPrefix(string(img), "\xff\xd8\xff\xe0\x00\x10JFIF\x00") || !strings.HasSuffix(string(img), "\xff\xd9") {
			t.Errorf("no JPEG: %v", err)
		}
		if l.Label == "" {
			t.Error("the line has no label")
		}
	})
	if !found {
		t.Error("no face in the log")
	}
}

func TestHillClimbStopsJustOverTheThreshold(t *testing.T) {
	g := newGenerator(t, Config{Duration: 30 * time.Minute, Rate: 5, Attacks: []Attack{{Class: HillClimb}}})
	var scores []float64
	each(g, func(l Line) {
		n := decode(t, l)
		if l.Label == "" || !strings.HasPrefix(n.URI, pathCheck) {
			return
		}
		s, err := strconv.ParseFloat(n.Score, 64)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, s)
	})
	if len(scores) < 15 {
		t.Fatalf("%d attempts", len(scores))
	}
	if first, last := scores[0], scores[len(scores)-1]; first > 0.35 || last < 0.5 || last > 0.531 {
		t.Errorf("scores go from %.3f to %.3f", first, last)
	}
}

func TestRotationHitsOneGoodConsumer(t *testing.T) {
	g := newGenerator(t, Config{Duration: 10 * time.Minute, Rate: 30, Attacks: []Attack{}, Confounders: []Confounder{KeyRotation}})
	refused := map[string]int{}
	each(g, func(l Line) {
		if n := decode(t, l); n.Status == 401 && l.Label == "" {
			refused[n.Consumer]++
		}
	})
	if refused["retail-mobile-onb"] < 80 {
		t.Errorf("refusals by consumer: %v", refused)
	}
}
