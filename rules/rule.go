// Package rules is the rule language: rules are loaded from YAML, checked, compiled, matched against
// events, and counted in windows.
//
// Matching is stateless and happens before the journal; windows are stateful and happen after it, on
// signals alone. Nothing here reads a clock, opens a socket or knows where events come from.
package rules

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Kind is what a rule does with its matching events. It follows from the one key of the rule that
// names it: threshold, distinct, spike, first_seen, sequence, absence; none means each event.
type Kind string

// The kinds.
const (
	Each      Kind = "each"
	Threshold Kind = "threshold"
	Distinct  Kind = "distinct"
	Spike     Kind = "spike"
	FirstSeen Kind = "first_seen"
	Sequence  Kind = "sequence"
	Absence   Kind = "absence"
	Chain     Kind = "chain"
)

// Rule is a compiled, immutable rule. The YAML it came from is a Spec.
type Rule struct {
	ID          string
	Version     int
	Title       Template
	Description string
	Severity    event.Severity
	Risk        Risk
	Tags        RuleTags
	Mode        Mode
	Budget      int    // alerts it may have on a day on which nobody attacks; NoBudget where it states none
	Playbook    string // name of the page, such as auth/bad-credentials-burst
	Reference   string // its address

	Kind  Kind
	State event.Hash // state key: hash of everything that decides what fires
	By    []event.ID // group key; empty means one key for all
	// GroupMissing gives events without a value of By a key of their own, in which that value is empty;
	// else they are not counted.
	GroupMissing bool

	Window   time.Duration
	Count    int64      // threshold, or distinct.at_least
	Of       []event.ID // distinct.of
	Once     []event.ID // events with the same values of these count once in the window; their values are Signal.Of
	Show     []event.ID // at most event.MaxShow; for title, top and evidence
	Suppress Suppress
	Eager    bool // of kinds threshold, distinct and sequence: fires without waiting for the watermark

	Steps     []SequenceStep // sequence
	FirstSeen FirstSeenSpec  // first_seen; its tuple is Of
	Spike     SpikeSpec
	Absence   AbsenceSpec // of kind absence; Window is its For
	Chain     ChainSpec

	matcher    *matcher
	alertMatch AlertMatch // of kind chain
}

// SequenceStep is one step of a sequence. Its events carry its number, from 1, as Signal.Step; events
// that reset it carry StepReset more.
type SequenceStep struct {
	Name     string
	AtLeast  int64 // events that complete the step; at least 1
	HasUntil bool  // some events reset the step
	Negative bool  // "not followed by": the last step, and the rule fires where it does not come
}

// StepReset is what Signal.Step has beyond the number of the step where the event matched the step's
// until. A sequence therefore has fewer steps than this.
const StepReset = 128

// FirstSeenSpec says when values are new.
type FirstSeenSpec struct {
	History time.Duration // for how long values are remembered after they were last seen
	Learn   time.Duration // for how long a key that is new teaches and fires on nothing
	Again   time.Duration // for how long a tuple that had an alert has no other, should it be new again
}

// Risk is the risk a firing adds to an entity.
type Risk struct {
	Score  float64
	Entity event.ID
}

// RuleTags are a rule's references to the field's catalogues.
type RuleTags struct {
	Attack  []string // MITRE ATT&CK techniques
	Atlas   []string // MITRE ATLAS techniques
	OWASP   []string
	Reg     []string // articles of regulation
	Concern string
}

// NoBudget is the budget of a rule that states none.
const NoBudget = -1

// Suppress holds further firings of one key back, in event time, from the alert on.
type Suppress struct {
	For        time.Duration
	EscalateAt int64 // count at which a suppressed firing is an alert all the same; 0 means never
}

// Mode says where a rule's alerts go.
type Mode string

// The modes.
const (
	Live   Mode = "live"
	Shadow Mode = "shadow" // stored as documents, never notified
)

// Partitions is the number of shards of the window state. It is fixed: alerts of one key have one
// order, and their subject does not move when workers are added.
const Partitions = 64

// Origin tells Match where the event came from, for the order of its signals.
type Origin struct {
	File   int        // index in the batch's positions
	Offset int64      // of the line in its file
	Index  int32      // of the event in the line
	Ingest int64      // nanoseconds; window time of skewed events
	Event  event.Hash // the event's id
}

// Step is what windows are fed with: one journal message, in order.
type Step struct {
	Signals   []event.Signal
	Positions []event.Position // MaxTime and Idle of these move the watermark
	Agent     string           // writer of the message; agents without ticks leave the watermark
	Ingest    int64            // ingest time of the batch, nanoseconds
	// Derive, where it is set, is told the watermark once the step has moved it, and returns the signals of
	// events that follow from those which it has passed by then, with their positions. They take their place
	// in the order as if the watermark had not passed them.
	Derive func(watermark int64) Step
}

// Fired is an alert with the partition whose subject it belongs to.
type Fired struct {
	Partition int
	Alert     *event.Alert
}
