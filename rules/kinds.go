package rules

import (
	"fmt"
	"strings"
	"time"
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
	case Spike, Absence, Chain, Each:
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
	if n := m["suppress"]; n != nil {
		d.errorf(n, "first_seen.again says for how long a value that had an alert has no other", "first_seen is held back by value, not by key: it has no suppress")
	}
}

// parts are the parameters as they enter the state key.
func (r *Rule) parts() []string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, fmt.Sprintf("step %d %v %v", s.AtLeast, s.HasUntil, s.Negative))
	}
	if r.Kind == FirstSeen {
		out = append(out, fmt.Sprintf("first_seen %+v", r.FirstSeen))
	}
	return out
}
