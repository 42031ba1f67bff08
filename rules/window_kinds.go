package rules

import (
	"math"

	"github.com/liveward/liveward/internal/event"
)

// adopter is a tally that needs more of its surroundings than events: the rule's present parameters,
// and when agents were down. It is told when it is made, when it was restored, and when the rule is
// replaced by another with the same logic.
type adopter interface {
	adopt(r *Rule, m *watermark)
}

// dresser is a tally that knows more of its latest firing than hits. It is asked after hits and before
// describer.
type dresser interface {
	dress(a *event.Alert, f *firing)
}

// judged is a tally that is told what became of the firing of a key.
type judged interface {
	outcome(key event.Hash, raised bool)
}

// warmer is a tally that may need longer than its window before it can fire.
type warmer interface {
	warming(now int64) bool
}

// adopt tells the tally of its surroundings.
func (rs *ruleState) adopt(m *watermark) {
	if t, ok := rs.tally.(adopter); ok {
		t.adopt(rs.rule, m)
	}
}

// warming tells whether the rule cannot have seen enough yet.
func (rs *ruleState) warming(now int64) bool {
	if t, ok := rs.tally.(warmer); ok && t.warming(now) {
		return true
	}
	return now < rs.warm
}

// report says what a firing is about.
type report uint8

const (
	reportFiring    report = iota
	reportRecovered        // the key has been seen again
	reportUpdated          // late data concerns an earlier alert
)

func (r report) status() event.Status {
	switch r {
	case reportRecovered:
		return event.Recovered
	case reportUpdated:
		return event.Updated
	case reportFiring:
	}
	return event.Firing
}

// begin tells rules that expect something when their time began: with the first event that is
// counted, or, where the watermark is known and no event waits, with the watermark.
func (w *Windows) begin(t int64) {
	if w.mark.begun {
		return
	}
	w.mark.begun = true
	for _, rs := range w.sorted {
		if s, ok := rs.tally.(*absenceTally); ok {
			s.start(t)
		}
	}
	w.due = math.MinInt64
}

// instantEvent stands for the event that fired, in the id of an alert that no event fired.
func instantEvent(t int64) event.Hash { return event.HashStrings("instant", event.FormatTime(t)) }
