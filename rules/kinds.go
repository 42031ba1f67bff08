package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// stepSpec is a step of a sequence as its file says.
type stepSpec struct {
	when  *node // or not, for a step that must stay away
	until *node
}

// counted tells whether windows know the rule's kind. A rule of another kind would never fire, so that
// it is refused.
func counted(r *Rule) bool {
	_, silent := newTally(r, &keyLimit{max: 1}, new(showTable)).(silentTally)
	return !silent
}

// windowed tells whether a rule of the kind has a window.
func windowed(k Kind) bool {
	switch k {
	case Threshold, Distinct, Spike, Sequence, Chain:
		return true
	case Each, FirstSeen, Absence:
	}
	return false
}

// Bounds of the parameters.
const (
	maxSteps   = 16
	minHistory = time.Minute
	maxHistory = 400 * 24 * time.Hour
)

// parameters reads what belongs to the rule's kind; key is the value under its name.
func (sp *spec) parameters(d decoder, m map[string]*node, key *node) {
	r := &sp.rule
	switch r.Kind {
	case Threshold:
		r.Count = d.integer(key, "threshold", 1, maxCount)
	case Distinct:
		dm := d.mapping(key, "distinct", "of", "at_least")
		if dm == nil {
			return
		}
		if dm["of"] == nil || dm["at_least"] == nil {
			d.errorf(key, "want {of: user.id, at_least: 6}", "distinct has of and at_least")
			return
		}
		r.Of = d.valueFields(dm["of"], "distinct.of", maxBy)
		r.Count = d.integer(dm["at_least"], "distinct.at_least", 2, maxCount)
	case Sequence:
		sp.sequence(d, key)
	case FirstSeen:
		sp.firstSeen(d, m, key)
	case Spike:
		sp.spike(d, key)
	case Absence:
		sp.absence(d, key)
	case Chain:
		sp.chain(d, key)
	case Each:
	}
}

// sequence reads the steps.
func (sp *spec) sequence(d decoder, key *node) {
	if key.shape != shapeList || len(key.items) < 2 {
		d.errorf(key, "want [{name: failed, when: …, at_least: 5}, {name: passed, when: …}]", "a sequence is a list of two steps or more")
		return
	}
	r := &sp.rule
	names := map[string]bool{}
	items := d.list(key, "sequence", maxSteps)
	for i, item := range items {
		m := d.mapping(item, "step", "name", "when", "not", "at_least", "until")
		if m == nil {
			continue
		}
		step := SequenceStep{Name: d.text(m["name"], "step.name", 60), AtLeast: 1}
		switch {
		case step.Name == "":
			d.errorf(item, "such as name: failed", "step has no name")
		case names[step.Name]:
			d.errorf(m["name"], "", "two steps are called %s", step.Name)
		}
		names[step.Name] = true
		x := stepSpec{when: m["when"], until: m["until"]}
		switch {
		case m["when"] != nil && m["not"] != nil:
			d.errorf(m["not"], "the event that must not come is a step of its own, the last", "a step has when or not")
		case m["not"] != nil:
			x.when, step.Negative = m["not"], true
			if i != len(items)-1 {
				d.errorf(m["not"], "put it last", "only the last step may be the one that must not come")
			}
			if i == 0 {
				d.errorf(m["not"], "what never comes at all is found by absence", "a sequence begins with an event")
			}
		case m["when"] == nil:
			d.errorf(item, "", "step has no when")
			continue
		}
		if !d.scalar(x.when, "step.when") || strings.TrimSpace(x.when.text) == "" {
			continue
		}
		if n := m["at_least"]; n != nil {
			step.AtLeast = d.integer(n, "step.at_least", 1, maxCount)
			if step.Negative {
				d.errorf(n, "", "one event that must not come is enough: at_least has no use with not")
			}
		}
		if x.until != nil {
			step.HasUntil = true
			if step.Negative {
				d.errorf(x.until, "", "until has no use with not")
			}
			if !d.scalar(x.until, "step.until") {
				continue
			}
		}
		r.Steps = append(r.Steps, step)
		sp.steps = append(sp.steps, x)
	}
}

// Defaults of first_seen.
const (
	defaultHistory = 30 * 24 * time.Hour
	defaultLearn   = 7 * 24 * time.Hour
	defaultWarmup  = 3 * 24 * time.Hour
)

// firstSeen reads whose values are new and for how long they stay known.
func (sp *spec) firstSeen(d decoder, m map[string]*node, key *node) {
	f := d.mapping(key, "first_seen", "of", "history", "learn", "again")
	if f == nil {
		return
	}
	r := &sp.rule
	if f["of"] == nil {
		d.errorf(key, "want {of: [client.geo.country_iso_code], history: 30d, learn: 7d}", "first_seen has no of")
		return
	}
	r.Of = d.valueFields(f["of"], "first_seen.of", maxBy)
	for _, id := range r.Of {
		for _, by := range r.By {
			if id == by {
				d.errorf(f["of"], "", "%s stands in by: it is the same for all events of a key", id)
			}
		}
	}
	r.FirstSeen = FirstSeenSpec{History: defaultHistory, Learn: defaultLearn}
	r.firstSeenTimes(d, f)
	if n := m["suppress"]; n != nil {
		d.errorf(n, "first_seen.again says for how long a value that had an alert has no other", "first_seen is held back by value, not by key: it has no suppress")
	}
}

// firstSeenTimes reads for how long what is remembered.
func (r *Rule) firstSeenTimes(d decoder, f map[string]*node) {
	if n := f["history"]; n != nil {
		r.FirstSeen.History = d.duration(n, "first_seen.history", minHistory, maxHistory)
		r.FirstSeen.Learn = min(r.FirstSeen.Learn, r.FirstSeen.History)
	}
	if n := f["learn"]; n != nil {
		r.FirstSeen.Learn = d.duration(n, "first_seen.learn", 0, maxHistory)
		if r.FirstSeen.Learn > r.FirstSeen.History {
			d.errorf(n, "", "first_seen.learn is longer than its history")
		}
	}
	if n := f["again"]; n != nil {
		r.FirstSeen.Again = d.duration(n, "first_seen.again", 0, maxHistory)
	}
}

// spike reads what is compared with what.
func (sp *spec) spike(d decoder, key *node) {
	f := d.mapping(key, "spike", "of", "as", "factor", "min_hits", "min_total", "min_share", "baseline", "season", "tz", "warmup", "floor", "drop")
	if f == nil {
		return
	}
	x := &sp.rule.Spike
	*x = SpikeSpec{As: SpikeCount, Factor: 3, MinHits: 8, Floor: 1}
	if n := f["of"]; n != nil && d.scalar(n, "spike.of") {
		sp.hit, x.As = n, SpikeRatio
	}
	if n := f["as"]; n != nil {
		x.As = SpikeAs(d.word(n, "spike.as", []string{string(SpikeRatio), string(SpikeCount)}))
		if x.As == SpikeRatio && sp.hit == nil {
			d.errorf(n, "such as of: 'liveness.decision == \"spoof\"'", "a ratio needs of, which says what a hit is")
		}
	}
	if f["baseline"] == nil {
		d.errorf(key, "such as baseline: 14d", "spike has no baseline")
	} else {
		x.Baseline = d.duration(f["baseline"], "spike.baseline", minWindow, maxHistory)
		if w := sp.root.get("window"); w != nil && w.shape == shapeScalar {
			if window, err := event.ParseDuration(w.text); err == nil && x.Baseline < window {
				d.errorf(f["baseline"], "such as 14d", "spike.baseline is shorter than the window")
			}
		}
	}
	if n := f["season"]; n != nil {
		x.Season = d.duration(n, "spike.season", time.Hour, maxHistory)
		if x.Season > x.Baseline && x.Baseline > 0 {
			d.errorf(n, "", "spike.season is longer than its baseline")
		}
	}
	if n := f["tz"]; n != nil && d.scalar(n, "spike.tz") {
		zone, err := time.LoadLocation(n.text)
		if err != nil || n.text == "" || n.text == "Local" {
			d.errorf(n, "want a name such as Europe/Berlin", "spike.tz: unknown time zone %q", n.text)
		}
		if f["season"] == nil {
			d.errorf(n, "such as season: 1d", "a time zone has no use without season")
		}
		x.Zone = zone
	}
	// Without a past of some days the reference is a guess, and every start would page somebody.
	x.Warmup = min(x.Baseline, defaultWarmup)
	x.bounds(d, f)
	if n := f["drop"]; n != nil {
		x.Drop = d.truth(n, "spike.drop")
	}
}

// bounds reads what a site may set otherwise: from when on a spike is one.
func (x *SpikeSpec) bounds(d decoder, f map[string]*node) {
	if n := f["factor"]; n != nil {
		x.Factor = d.number(n, "spike.factor", 1, 1000)
	}
	if n := f["min_hits"]; n != nil {
		x.MinHits = d.integer(n, "spike.min_hits", 1, 1_000_000)
	}
	if n := f["min_total"]; n != nil {
		x.MinTotal = d.integer(n, "spike.min_total", 1, 1_000_000)
		if x.As != SpikeRatio {
			d.errorf(n, "", "min_total goes with as: ratio")
		}
	}
	if n := f["min_share"]; n != nil {
		x.MinShare = d.number(n, "spike.min_share", 0, 1)
		if x.As != SpikeRatio {
			d.errorf(n, "", "min_share goes with as: ratio")
		}
	}
	if n := f["floor"]; n != nil {
		x.Floor = d.number(n, "spike.floor", 0.001, 1_000_000)
	}
	if n := f["warmup"]; n != nil {
		x.Warmup = d.duration(n, "spike.warmup", 0, maxHistory)
	}
}

// absence reads for how long a key may be silent, and whose silence counts.
func (sp *spec) absence(d decoder, key *node) {
	f := d.mapping(key, "absence", "for", "expect", "unless")
	if f == nil {
		return
	}
	r := &sp.rule
	if f["for"] == nil {
		d.errorf(key, "such as {for: 10m, expect: lists.gateways}", "absence has no for")
	} else {
		r.Absence.For = d.duration(f["for"], "absence.for", minWindow, maxWindow)
		r.Window = r.Absence.For
	}
	sp.expect, sp.unless = d.listName(f["expect"], "absence.expect"), d.listName(f["unless"], "absence.unless")
	if sp.expect != nil && len(r.By) == 0 {
		d.errorf(f["expect"], "such as by: [liveward.source]", "expect names keys: the rule has no by")
	}
}

// listName reads the name of a list, as lists.<name>; the node's text is the name alone.
func (d decoder) listName(n *node, what string) *node {
	if n == nil || !d.scalar(n, what) {
		return nil
	}
	name, ok := strings.CutPrefix(n.text, "lists.")
	if !ok {
		d.errorf(n, "write lists.<name>", "%s must be a list", what)
		return nil
	}
	return &node{shape: shapeScalar, text: name, at: n.at}
}

// chain reads what of alerts is added up.
func (sp *spec) chain(d decoder, key *node) {
	f := d.mapping(key, "chain", "as", "of", "at_least", "half_life")
	if f == nil {
		return
	}
	x := &sp.rule.Chain
	if f["as"] == nil || f["at_least"] == nil {
		d.errorf(key, "want {as: risk, at_least: 150} or {as: distinct, of: rule.id, at_least: 3}", "chain has as and at_least")
		return
	}
	x.As = ChainAs(d.word(f["as"], "chain.as", []string{string(ChainRisk), string(ChainCount), string(ChainDistinct)}))
	if n := f["of"]; n != nil {
		sp.chainOf = d.word(n, "chain.of", chainValues())
		if x.As != ChainDistinct {
			d.errorf(n, "", "of goes with as: distinct")
		}
	} else if x.As == ChainDistinct {
		d.errorf(key, "such as of: threat.tactic.name", "distinct needs of")
	}
	x.bounds(d, f)
}

// bounds reads what a site may set otherwise: how much is enough, and how soon it fades.
func (x *ChainSpec) bounds(d decoder, f map[string]*node) {
	if n := f["at_least"]; n != nil {
		x.AtLeast = d.number(n, "chain.at_least", 1, 1_000_000)
	}
	if n := f["half_life"]; n != nil {
		x.HalfLife = d.duration(n, "chain.half_life", time.Minute, maxWindow)
		if x.As != ChainRisk {
			d.errorf(n, "", "half_life goes with as: risk")
		}
	}
}

// Span is how far the rule looks back.
func (r *Rule) Span() time.Duration {
	return max(r.Window, r.FirstSeen.History, r.Spike.Baseline)
}

// parts are the parameters as they enter the state key.
func (r *Rule) parts() []string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, fmt.Sprintf("step %d %v %v", s.AtLeast, s.HasUntil, s.Negative))
	}
	switch r.Kind {
	case FirstSeen:
		// again decides what is told of, not what is remembered: weeks of history survive its change.
		out = append(out, fmt.Sprintf("first_seen %s %s", r.FirstSeen.History, r.FirstSeen.Learn))
	case Spike:
		x, zone := r.Spike, ""
		if x.Zone != nil {
			zone = x.Zone.String()
		}
		x.Zone = nil
		out = append(out, fmt.Sprintf("spike %+v", x), zone)
	case Chain:
		out = append(out, fmt.Sprintf("chain %+v", r.Chain))
	case Each, Threshold, Distinct, Sequence, Absence:
	}
	if r.Eager {
		out = append(out, "eager")
	}
	if r.GroupMissing {
		out = append(out, "by_missing")
	}
	return out
}
