// Package scorecard plays labelled traffic through a rule set and says how good the set is: which
// attacks it finds and how soon, and how many alerts it raises that nobody deserves. The corpora are
// the generator's, the stages and windows are the agent's; `liveward rules report` prints what comes
// out, and a test holds the pack to its budgets with it.
//
// It sends nothing anywhere, reads no clock, and never judges a rule by more than the truth the
// generator tells.
package scorecard

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/rules"
)

// Config says what to judge, and on how much traffic. The zero value of each field has a default.
type Config struct {
	Rules    agent.RuleDirs
	Sessions float64 // genuine sessions a day; 20,000
	Seed     uint64
	Rounds   int // how often each attack is made; 1

	probes time.Duration // between health checks, which are half the lines of a small corpus and concern no rule
}

// Start is a Tuesday, midnight in the gateway's zone.
func start() time.Time { return time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC) }

const (
	day = 24 * time.Hour
	// learning is how long the corpora are ordinary before anything is judged: the rules of the pack
	// learn for three days at most.
	learning = 3*day + time.Hour
	// peak is when confounders begin on their day, so that they meet the traffic of a busy hour.
	peak = 10 * time.Hour
	// trailing is how long after its last line an attack, or a disturbance, may still be alerted on:
	// windows of an hour move in steps of twelve minutes.
	trailing = 15 * time.Minute
)

// Run plays the corpora and returns the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Sessions == 0 {
		cfg.Sessions = 20_000
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = 1
	}
	r := &Report{Seed: cfg.Seed, SessionsPerDay: cfg.Sessions}
	if err := r.calendar(ctx, cfg); err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	if err := r.attacks(ctx, cfg); err != nil {
		return nil, fmt.Errorf("attacks: %w", err)
	}
	if err := r.slowLearners(ctx, cfg); err != nil {
		return nil, fmt.Errorf("long corpus: %w", err)
	}
	return r, nil
}

// quietDays are the days of the calendar on which nothing happens, after those of learning.
const quietDays = 3

// ordinary is what every day of the corpora has.
func ordinary() []generator.Confounder {
	return []generator.Confounder{generator.Background, generator.CGNAT}
}

// odd are the confounders that want the traffic of a working day, in the order in which they come: the
// fifth and sixth day of this calendar are a weekend, as are the twelfth and thirteenth. All others follow.
func odd() []generator.Confounder {
	return []generator.Confounder{
		generator.CampaignSurge, generator.ReleaseQuality, generator.BrownOut, generator.CheckOff, generator.ScoreShift,
		generator.BranchTablet, generator.ClockSkew, generator.KeyRotation, generator.PenTestWindow, generator.VendorCode,
	}
}

// calendar judges days without attacks: quiet ones first, then one for each confounder.
func (r *Report) calendar(ctx context.Context, cfg Config) error {
	days := map[generator.Confounder]time.Duration{}
	order := ordinary()
	next := learning.Truncate(day) + quietDays*day
	for _, c := range slices.Concat(odd(), generator.Confounders()) {
		if slices.Contains(order, c) {
			continue
		}
		order = append(order, c)
		days[c] = next + peak
		next += day
	}
	alerts, g, err := r.play(ctx, cfg, generator.Config{
		Seed: cfg.Seed, Start: start(), Duration: next, SessionsPerDay: cfg.Sessions, Attacks: []generator.Attack{}, Confounders: order, Days: days,
	})
	if err != nil {
		return err
	}
	r.Days = append(r.Days, r.judge("quiet", quietDays, alerts, g, start().Add(learning), start().Add(learning.Truncate(day)+quietDays*day)))
	for _, c := range order[len(ordinary()):] {
		from := start().Add(days[c] - peak)
		d := r.judge(string(c), 1, alerts, g, from, from.Add(day))
		for _, t := range g.Disturbances() {
			if t.Kind == c {
				d.Wanted, d.Noticed = t.Rules, noticed(alerts, t)
			}
		}
		r.Days = append(r.Days, d)
	}
	return nil
}

// attacks judges what is found: each class alone, then some where they are hardest to see.
func (r *Report) attacks(ctx context.Context, cfg Config) error {
	var list []generator.Attack
	var settings []string
	add := func(setting string, a generator.Attack) {
		list, settings = append(list, a), append(settings, setting)
	}
	at := learning.Truncate(day) + 8*time.Hour
	for range cfg.Rounds {
		for _, c := range generator.Classes() {
			if slices.Contains(unlearnt(), c) {
				continue
			}
			add(Alone, generator.Attack{Class: c, Start: at})
			at += 50 * time.Minute
		}
	}
	hard := []generator.Class{generator.BadCredentials, generator.KeySpray, generator.SpoofWave, generator.InjectionFarm, generator.HillClimb, generator.MediaReplay}
	days := map[generator.Confounder]time.Duration{}
	for _, s := range []struct {
		setting string
		kind    generator.Confounder
	}{{UnderSurge, generator.CampaignSurge}, {DuringOutage, generator.BrownOut}} {
		at = (at + day).Truncate(day)
		days[s.kind] = at + peak
		for _, c := range hard {
			add(s.setting, generator.Attack{Class: c, Start: at + peak + 2*time.Minute, Tenant: tenantOf(c)})
		}
	}
	at = (at + day).Truncate(day) + 2*time.Hour
	for _, c := range hard {
		add(Slow, generator.Attack{Class: c, Start: at, Length: 16 * time.Hour, Count: 96, Tenant: tenantOf(c)})
	}
	alerts, g, err := r.play(ctx, cfg, generator.Config{
		Seed: cfg.Seed + 1, Start: start(), Duration: (at + day).Truncate(day) + 2*time.Hour, SessionsPerDay: cfg.Sessions, Attacks: list,
		Confounders: append(ordinary(), generator.CampaignSurge, generator.BrownOut), Days: days,
	})
	if err != nil {
		return err
	}
	r.score(alerts, g, settings)
	return nil
}

// unlearnt are the classes whose rules learn for longer than three days.
func unlearnt() []generator.Class { return []generator.Class{generator.OtherSoftware} }

// slowLearners judges those on a longer corpus with less traffic: their rules look at a key's habits,
// whatever else goes on.
func (r *Report) slowLearners(ctx context.Context, cfg Config) error {
	var list []generator.Attack
	var settings []string
	at := 9 * day
	for range cfg.Rounds {
		for _, c := range unlearnt() {
			at += 10 * time.Hour
			list, settings = append(list, generator.Attack{Class: c, Start: at, Tenant: 1 + len(list)%3}), append(settings, Alone)
		}
	}
	alerts, g, err := r.play(ctx, cfg, generator.Config{
		Seed: cfg.Seed + 2, Start: start(), Duration: at + 2*time.Hour, SessionsPerDay: min(cfg.Sessions, 1_000), Attacks: list, Confounders: ordinary(),
	})
	if err != nil {
		return err
	}
	r.score(alerts, g, settings)
	return nil
}

// tenantOf lets the attacks of a hard setting meet the first tenant, whose vendor fails in an outage;
// an attack without people has no tenant.
func tenantOf(c generator.Class) int {
	if c == generator.BadCredentials || c == generator.KeySpray {
		return 0
	}
	return 1
}

// alert is an alert with what is asked of it.
type alert struct {
	*event.Alert
	names func(facts map[string]string) bool // whether its key is not at odds with these
}

// play runs a corpus through the agent's stages and the rules.
func (r *Report) play(ctx context.Context, cfg Config, corpus generator.Config) ([]alert, *generator.Generator, error) {
	corpus.ProbeEvery = cfg.probes
	g, err := generator.New(corpus)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "liveward-scorecard-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a key roster of made-up keys
	roster := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(roster, g.Roster(), 0o600); err != nil {
		return nil, nil, err
	}
	c := agent.Default()
	c.Agent.ID, c.Agent.Data = "scorecard", filepath.Join(dir, "data")
	c.Rules.Dir, c.Rules.Overlay = cfg.Rules.Dir, cfg.Rules.Overlay
	c.Inputs = []agent.InputConfig{{Name: "gateway", Paths: []string{"corpus"}, Format: generator.NginxJSON, TrustedProxies: g.TrustedProxies(), Keys: roster}}
	plan, err := agent.PrepareDemo(c, "")
	if err != nil {
		return nil, nil, err
	}
	r.set(plan.Rules)
	var alerts []alert
	replay := plan.Replay(agent.ReplayOptions{})
	replay.Rules = plan.Rules
	replay.Open = func(string) (io.ReadCloser, error) { return &lines{g: g}, nil }
	replay.Alert = func(a *event.Alert) error {
		if a.Status == event.Firing {
			alerts = append(alerts, alert{a, func(facts map[string]string) bool { return Concerns(plan, a, facts) }})
		}
		return nil
	}
	if _, err := replay.Run(ctx, []string{"corpus"}); err != nil {
		return nil, nil, err
	}
	r.Lines += g.Stats().Lines
	return alerts, g, nil
}

// Concerns tells whether an alert's key is not at odds with what is known of an attack: raw values by
// the names of their fields, of which the alert has pseudonyms.
func Concerns(plan *agent.Plan, a *event.Alert, facts map[string]string) bool {
	for _, v := range a.Key {
		raw, ok := facts[v.Field.String()]
		if !ok {
			continue
		}
		if event.FieldOf(v.Field).Class == event.Pseudonym {
			if !slices.Contains(plan.Privacy.Pseudonyms(v.Field, raw), v.Str) {
				return false
			}
		} else if raw != v.String() {
			return false
		}
	}
	return true
}

// set notes the rules.
func (r *Report) set(s *rules.Set) {
	if len(r.Rules) > 0 {
		return
	}
	for _, rule := range s.Rules() {
		r.Rules = append(r.Rules, RuleScore{ID: rule.ID, Severity: rule.Severity, Mode: rule.Mode, Budget: rule.Budget})
	}
}

// lines reads a corpus as the gateway's log.
type lines struct {
	g    *generator.Generator
	rest []byte
	buf  bytes.Buffer
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		line, ok := l.g.Next()
		if !ok {
			return 0, io.EOF
		}
		l.buf.Reset()
		l.buf.Write(line.Text)
		l.buf.WriteByte('\n')
		l.rest = l.buf.Bytes()
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (l *lines) Close() error { return nil }
