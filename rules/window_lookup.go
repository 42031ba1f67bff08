package rules

import (
	"encoding/binary"

	"github.com/liveward/liveward/internal/event"
)

// stateLookup finds a rule's state by its key. There is one for each signal, so that it is simpler than a
// map: the keys are hashes already, and of rules, so that no log decides on them.
type stateLookup struct{ places []*ruleState }

func newStateLookup(states []*ruleState) stateLookup {
	n := 4
	for n < 4*len(states) {
		n *= 2
	}
	l := stateLookup{make([]*ruleState, n)}
	for _, rs := range states {
		i := l.first(&rs.rule.State)
		for l.places[i] != nil {
			i = (i + 1) % len(l.places)
		}
		l.places[i] = rs
	}
	return l
}

// first is the place at which a key stands, or else one of those after it.
func (l *stateLookup) first(key *event.Hash) int {
	return int(binary.LittleEndian.Uint64(key[:]) % uint64(len(l.places)))
}

func (l *stateLookup) find(key *event.Hash) *ruleState {
	for i := l.first(key); l.places[i] != nil; i = (i + 1) & (len(l.places) - 1) {
		if l.places[i].rule.State == *key {
			return l.places[i]
		}
	}
	return nil
}

// prepare works out what each signal needs to know of the rule and its tally.
func (rs *ruleState) prepare() {
	rs.timed, _ = rs.tally.(timed)
	for i := range rs.shown {
		rs.shown[i] = true
	}
	for _, id := range rs.rule.By {
		rs.shown[id] = false
	}
	if rs.rule.Kind == FirstSeen {
		for _, id := range rs.rule.Of {
			rs.shown[id] = false
		}
	}
}

// shows tells whether an alert can tell of an event that has the step: not of one that only ends or resets
// something, nor of one that is no hit.
func (r *Rule) shows(step uint8) bool {
	switch r.Kind {
	case Spike:
		return step == 1
	case Sequence:
		return step <= StepReset && (step == 0 || int(step) != len(r.Steps) || !r.Steps[step-1].Negative)
	default:
		return true
	}
}
