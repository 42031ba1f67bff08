package rules

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// SpikeAs says what a spike compares with its baseline.
type SpikeAs string

// What a spike compares.
const (
	SpikeRatio SpikeAs = "ratio" // hits among all events that match when
	SpikeCount SpikeAs = "count" // hits
)

// SpikeSpec are the parameters of kind spike. Every event that matches when is a signal; its step is
// 1 where the event matches of as well (a hit), and for each event where the rule has no of.
type SpikeSpec struct {
	As       SpikeAs
	Factor   float64        // how many times what is expected; at least 1
	MinHits  int64          // least hits in the window of a rise, least expected of a drop; 0 means 8
	MinTotal int64          // least events in the window, for a ratio
	MinShare float64        // least share of hits in the window of a rise, for a ratio
	Baseline time.Duration  // how far back the reference goes; at least the window
	Season   time.Duration  // the reference is the same time of each season before; 0 means all of the baseline
	Zone     *time.Location // in which seasons of whole days are counted; nil means UTC
	Warmup   time.Duration  // from a key's first event on, in which nothing fires
	Floor    float64        // least expectation, in hits a window; 0 means 1
	Drop     bool           // a sudden drop fires as well
}

// AbsenceSpec are the parameters of kind absence. Every event that matches when is a signal.
//
// Expect and Unless decide nothing about events that were counted: they are no part of the state key,
// so that a change of a list keeps what is known of the keys.
type AbsenceSpec struct {
	For    time.Duration
	Expect [][]event.Value // keys that are expected though they were never seen, in the order of by
	Unless []Maintenance
}

// Maintenance is a time in which the absence of a key is expected: timers stand still in it.
type Maintenance struct {
	Key   []event.Value // in the order of by; nil for every key
	From  int64         // nanoseconds
	Until int64         // nanoseconds, exclusive
}

// ChainAs says what a chain adds up.
type ChainAs string

// What a chain adds up.
const (
	ChainRisk     ChainAs = "risk"     // risk scores of the alerts
	ChainCount    ChainAs = "count"    // alerts
	ChainDistinct ChainAs = "distinct" // different values of MatchAlert's of, such as ATT&CK tactics
)

// ChainSpec are the parameters of kind chain: a rule on the alerts of other rules within its window.
type ChainSpec struct {
	As       ChainAs
	AtLeast  float64
	HalfLife time.Duration // of an alert's risk; 0 means that it is whole until the window has passed
}

// AlertMatch tells whether an alert concerns a chain rule, with the values of its by fields and those
// that ChainDistinct counts, each on its own. ok is false where one of the by fields has no value.
type AlertMatch func(a *event.Alert) (key, of []event.Value, ok bool)

// MatchAlert holds the rule's when against an alert. Only rules of kind chain match any.
func (r *Rule) MatchAlert(a *event.Alert) (key, of []event.Value, ok bool) {
	if r.alertMatch == nil {
		return nil, nil, false
	}
	return r.alertMatch(a)
}
