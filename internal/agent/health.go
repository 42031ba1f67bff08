package agent

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

const (
	// healthSpan is what the shares and counts of health events are about.
	healthSpan = 10 * time.Minute
	// healthSamples bounds the samples kept of it.
	healthSamples = 1000
	// silentAfter is how long an input without a line is not taken for silent.
	silentAfter = 10 * time.Minute
	// usualLines is how many lines say what share of them is usually quarantined.
	usualLines = 100
	// lateShare is which part of a rule's events may come too late for its windows before it is degraded.
	lateShare = 100
)

// RuleState is how a rule is, the first of these that holds.
type RuleState string

// The states of a rule.
const (
	RuleBlind    RuleState = "blind"    // no input that is not silent provides a field it needs: it cannot fire
	RuleDegraded RuleState = "degraded" // it forgot keys for want of room, missed late events, or its condition had no result
	RuleWarming  RuleState = "warming"  // its windows are not full yet
	RuleExpired  RuleState = "expired"  // an exception of it is over
	RuleOK       RuleState = "ok"
)

// RuleHealth is a rule with its state.
type RuleHealth struct {
	Rule    *rules.Rule
	State   RuleState
	Missing []event.ID // fields that nothing provides, of a blind rule
	Evicted int64      // keys forgotten in the last ten minutes
	Skipped int64      // signals in the last ten minutes that came too late for its windows
	Match   rules.MatchStats
	Window  rules.RuleStats
}

// monitor remembers counts of the last minutes, to tell what is now from what was. It is safe for
// concurrent use.
type monitor struct {
	agent *Agent

	mu      sync.Mutex
	samples []healthSample // oldest first

	toldLate map[string]bool // by input
}

// healthSample is what was counted up to a time.
type healthSample struct {
	at     time.Time
	inputs map[string]inputSample
	rules  map[string]ruleSample
}

type inputSample struct{ lines, events, quarantined, late, gaps, blind int64 }

type ruleSample struct {
	evicted int64
	errors  uint64
	matches int64
	skipped int64
}

// sample takes notice of the counts as they are, and forgets those before the span.
func (m *monitor) sample(now time.Time) {
	s := healthSample{at: now, inputs: map[string]inputSample{}, rules: map[string]ruleSample{}}
	for i := range m.agent.plan.inputs {
		name := m.agent.plan.inputs[i].Name
		t := m.agent.counts.Input(name)
		s.inputs[name] = inputSample{t.Lines, t.Events, t.Quarantined, m.agent.late(name), t.MappingGaps, t.Blind}
	}
	for _, r := range m.agent.detector.Stats().Windows.Rules {
		s.rules[r.ID] = ruleSample{r.Evicted, m.agent.counts.Rule(r.ID).Errors, r.Matches, r.Skipped}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tellLate(s)
	m.samples = append(m.samples, s)
	for len(m.samples) > 2 && (now.Sub(m.samples[1].at) >= healthSpan || len(m.samples) > healthSamples) {
		m.samples = m.samples[1:]
	}
}

// tellLate logs, once an input, that windows miss its events.
func (m *monitor) tellLate(s healthSample) {
	for name, in := range s.inputs {
		if in.late == 0 || m.toldLate[name] {
			continue
		}
		if m.toldLate == nil {
			m.toldLate = map[string]bool{}
		}
		m.toldLate[name] = true
		m.agent.log.Warn("events come too late to be counted by windows: the gateway's clock is behind, or its log is written in long pieces; raise the input's lateness",
			"input", name, "events", in.late)
	}
}

// oldest is the sample that the span begins with.
func (m *monitor) oldest() healthSample {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.samples) == 0 {
		return healthSample{}
	}
	return m.samples[0]
}

// silent is for how long an input has had no line. While the agent was not running nobody was silent.
func (a *Agent) silent(input string, now time.Time) time.Duration {
	since := a.started
	if t := a.counts.Input(input); t.LastIngest > since.UnixNano() {
		since = time.Unix(0, t.LastIngest)
	}
	return max(0, now.Sub(since))
}

// late is how many events of an input windows have skipped: those behind the lateness of their log, and those
// behind what was counted already.
func (a *Agent) late(input string) int64 {
	return a.counts.Input(input).Late + a.detector.Stats().Windows.Missed[input]
}

// rules tells how each rule of the set in use is.
func (m *monitor) rules(now time.Time) []RuleHealth {
	a := m.agent
	set, _ := a.rulesets.Current()
	blind := set.Blind(a.plan.sees(func(input string) bool { return a.silent(input, now) < silentAfter }))
	windows := map[string]rules.RuleStats{}
	for _, r := range a.detector.Stats().Windows.Rules {
		windows[r.ID] = r
	}
	before := m.oldest().rules
	out := make([]RuleHealth, 0, len(set.Rules()))
	for _, r := range set.Rules() {
		h := RuleHealth{Rule: r, Match: a.counts.Rule(r.ID), Window: windows[r.ID], Missing: blind[r.ID]}
		h.Evicted = h.Window.Evicted - before[r.ID].evicted
		h.Skipped = h.Window.Skipped - before[r.ID].skipped
		switch {
		case len(h.Missing) > 0:
			h.State = RuleBlind
		case h.Evicted > 0, h.Match.Errors > before[r.ID].errors, h.Skipped*lateShare > h.Window.Matches-before[r.ID].matches:
			h.State = RuleDegraded
		case h.Window.Warming:
			h.State = RuleWarming
		case r.Expired(now.UnixNano()) > 0:
			h.State = RuleExpired
		default:
			h.State = RuleOK
		}
		out = append(out, h)
	}
	return out
}

// reports are the health events of now: one of the agent, one of each input, and one of each rule that
// is not well.
func (m *monitor) reports(now time.Time) []func(*event.Event) {
	var each []func(*event.Event)
	for i := range m.agent.plan.inputs {
		each = append(each, m.input(&m.agent.plan.inputs[i], now))
	}
	degraded := int64(0)
	for _, r := range m.rules(now) {
		if r.State == RuleDegraded {
			degraded++
		}
		if r.State != RuleOK {
			each = append(each, r.report)
		}
	}
	// That a log is silent, with all rules that live on it, is told of the log.
	set, _ := m.agent.rulesets.Current()
	blind := len(set.Blind(m.agent.plan.sees(nil)))
	return append([]func(*event.Event){func(ev *event.Event) {
		ev.SetString(event.LivewardHealthComponent, "agent")
		ev.SetInt(event.LivewardHealthRulesBlind, int64(blind))
		ev.SetInt(event.LivewardHealthRulesDegraded, degraded)
	}}, each...)
}

func (r *RuleHealth) report(ev *event.Event) {
	ev.SetString(event.LivewardHealthComponent, "rule")
	ev.SetString(event.LivewardHealthRule, r.Rule.ID)
	ev.SetString(event.LivewardHealthState, string(r.State))
	ev.SetInt(event.LivewardHealthEvicted, r.Evicted)
	for _, id := range r.Missing {
		ev.Append(event.LivewardHealthMissing, id.String())
	}
}

func (m *monitor) input(in *input, now time.Time) func(*event.Event) {
	t, late, silent := m.agent.counts.Input(in.Name), m.agent.late(in.Name), m.agent.silent(in.Name, now)
	before := m.oldest().inputs[in.Name]
	lines, events := t.Lines-before.lines, t.Events-before.events
	return func(ev *event.Event) {
		in.enricher.Stamp(ev)
		ev.SetString(event.LivewardHealthComponent, "input")
		state := "ok"
		if silent >= silentAfter {
			state = "silent"
		}
		ev.SetString(event.LivewardHealthState, state)
		ev.SetInt(event.LivewardHealthSilentSeconds, int64(silent/time.Second))
		ev.SetInt(event.LivewardHealthLines, lines)
		ev.SetInt(event.LivewardHealthQuarantined, t.Quarantined-before.quarantined)
		ev.SetInt(event.LivewardHealthMappingGaps, t.MappingGaps-before.gaps)
		ev.SetInt(event.LivewardHealthOutcomesMissing, t.Blind-before.blind)
		if lines > 0 {
			ev.SetFloat(event.LivewardHealthQuarantinedShare, share(t.Quarantined-before.quarantined, lines))
		}
		if events > 0 {
			ev.SetFloat(event.LivewardHealthLateShare, min(1, share(late-before.late, events)))
		}
		if before.lines >= usualLines {
			ev.SetFloat(event.LivewardHealthQuarantinedUsual, share(before.quarantined, before.lines))
		}
	}
}

func share(of, all int64) float64 { return float64(of) / float64(all) }

// health writes into the journal how the agent is, every while. It begins when every collector has told
// the journal what it reads, and once one of them reads something or could have for long enough: before
// that there is no event time.
func (a *Agent) health(ctx context.Context) error {
	every := time.Duration(a.plan.Config.Agent.Health)
	if every <= 0 {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	who := pipeline.Identity{Agent: a.plan.Config.Agent.ID, Version: a.hooks.Version, Host: host}
	var w *pipeline.Health
	defer func() {
		if w != nil {
			w.Close()
		}
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	log := a.log.With("component", "health")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := a.now()
		if w == nil {
			if !a.gate.Open() || (a.counts.Totals().Lines == 0 && now.Sub(a.started) < silentAfter && a.detector.Stats().Windows.Sources == 0) {
				continue
			}
			if w, err = pipeline.NewHealth(ctx, a.journal, a.plan.Config.Agent.ID, a.rulesets, who); err != nil {
				log.Warn("health is not written", "error", err)
				continue
			}
		}
		if !a.full.Load() {
			err := w.Append(ctx, now.UnixNano(), a.monitor.reports(now))
			if err != nil && ctx.Err() == nil {
				log.Warn("health was not written", "error", err)
			}
			if errors.Is(err, journal.ErrFenced) {
				w.Close()
				w = nil
			}
		}
		a.monitor.sample(now)
	}
}
