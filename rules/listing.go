package rules

import (
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Listed is what a list of rules says of one.
type Listed struct {
	ID          string         `json:"id"`
	Version     int            `json:"version"`
	Kind        Kind           `json:"kind"`
	Severity    event.Severity `json:"severity"`
	Mode        Mode           `json:"mode"`
	Description string         `json:"description"`
	Playbook    string         `json:"playbook"`
	Attack      []string       `json:"attack,omitempty"`
	Reg         []string       `json:"reg,omitempty"`
	Concern     string         `json:"concern,omitempty"`
	Overlay     bool           `json:"overlay,omitempty"` // a site changes it
	Changes     []string       `json:"changes,omitempty"` // what of it
	Needs       []string       `json:"needs,omitempty"`
	Blind       []string       `json:"blind,omitempty"` // of these, those that nothing provides
	Tests       int            `json:"tests"`
	Index       string         `json:"index"` // field by which the rule is found; "scan" where it is tried on every event
	Nanoseconds float64        `json:"nanoseconds,omitempty"`
}

// ListOptions say what a list tells beside.
type ListOptions struct {
	Provided func(event.ID) bool // nil marks no rule blind
	Stats    bool
	Clock    func() time.Duration // for Stats: a clock that only goes forward
}

// List tells of each rule of the set.
func (s *Set) List(o ListOptions) []Listed {
	out := make([]Listed, 0, len(s.rules))
	for i, r := range s.rules {
		l := Listed{
			ID: r.ID, Version: r.Version, Kind: r.Kind, Severity: r.Severity, Mode: r.Mode, Description: r.Description,
			Playbook: r.Playbook, Attack: r.Tags.Attack, Reg: r.Tags.Reg, Concern: r.Tags.Concern, Overlay: r.Overlaid(), Changes: r.Changes(),
			Index: s.index.fieldOf(int32(i)),
		}
		for _, id := range r.Needs() {
			l.Needs = append(l.Needs, id.String())
			if o.Provided != nil && !o.Provided(id) {
				l.Blind = append(l.Blind, id.String())
			}
		}
		if r.matcher != nil {
			l.Tests = max(len(r.matcher.spec.tests), r.matcher.spec.tested)
			if o.Stats && o.Clock != nil && r.Kind != Chain {
				l.Nanoseconds = r.cost(o.Clock)
			}
		}
		if r.Kind == Chain {
			l.Index = "alerts"
		}
		out = append(out, l)
	}
	return out
}

// fieldOf names the field under which a rule stands in the index.
func (x *index) fieldOf(rule int32) string {
	for _, f := range x.fields {
		for _, at := range f.texts {
			if slices.Contains(at, rule) {
				return f.id.String()
			}
		}
		for _, at := range f.wholes {
			if slices.Contains(at, rule) {
				return f.id.String()
			}
		}
	}
	return "scan"
}

// cost measures how long the rule takes for an event, over those of its tests.
func (r *Rule) cost(clock func() time.Duration) float64 {
	const most, atLeast = 200, 20_000
	var events []*event.Event
	for _, t := range r.matcher.spec.tests {
		for i := range t.moves {
			if len(events) == most || t.moves[i].clock {
				break
			}
			ev := new(event.Event)
			t.moves[i].event(t, ev)
			events = append(events, ev)
		}
	}
	if len(events) == 0 {
		return 0
	}
	m := NewSet(r).NewMatcher()
	var buf event.SignalBuffer
	start, n := clock(), 0
	for n < atLeast {
		for _, ev := range events {
			buf.Reset()
			m.Match(ev, Origin{}, &buf)
		}
		n += len(events)
	}
	return float64(clock()-start) / float64(n)
}
