// Package alerting turns alerts into incidents, and incidents into notifications. Notifiers live in
// the packages below it: slack, terminal.
//
// It never decides whether a rule fires, and never reads a clock: time comes in as an argument.
package alerting

import (
	"context"
	"errors"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Notifier tells people about an incident.
type Notifier interface {
	// Notify makes one attempt to deliver and blocks until its outcome is known or ctx is done.
	// n.Receipt is what an earlier Notify (or Digest) for the same incident returned, so that a
	// message can be updated or threaded; it is nil the first time, whatever the reason then is: an
	// incident may be resolved before its opening could be told. The returned receipt is stored with
	// the incident. An error that carries a RetryAfter asks to be tried again no earlier; any other
	// is tried again with growing pauses. No error's text holds a secret or a value of the log.
	//
	// n belongs to the caller and must not be kept or changed. It is called by one goroutine at a
	// time.
	Notify(ctx context.Context, n Notification) (Receipt, error)
}

// Digester is a Notifier that can tell of many incidents in one message. The manager uses it when
// more incidents are new at once than Config.DigestOver.
type Digester interface {
	// Digest has the contract of Notify. Its receipt is stored with every incident of d.
	Digest(ctx context.Context, d Digest) (Receipt, error)
}

// Receipt is what a notifier needs to find its message again. Its content is the notifier's own.
type Receipt map[string]string

// Reason says why a notification is sent.
type Reason string

// The reasons.
const (
	Opened    Reason = "opened"    // the first alert of an incident
	Updated   Reason = "updated"   // another alert joined it
	Escalated Reason = "escalated" // its severity rose
	Resolved  Reason = "resolved"  // quiet for the configured time
)

// Notification is what a notifier shows.
type Notification struct {
	Reason   Reason
	Incident Incident
	Alert    *event.Alert // the newest alert of the incident
	Playbook *Playbook    // nil only where the page could not be loaded any more
	Links    Links
	Samples  []event.Document // at most MaxSamples evidence events, where they are at hand
	Receipt  Receipt
	// FollowUp says of an update that a notifier which cannot edit its message should send another
	// one: Config.RepeatInterval has passed since the last. It is true for every other reason.
	FollowUp bool
}

// MaxSamples bounds Notification.Samples.
const MaxSamples = 5

// Digest is many new incidents in one message.
type Digest struct {
	Incidents []Incident // most severe first
}

// Incident is a group of alerts that belong together: one rule, one key.
type Incident struct {
	ID         event.Hash     `json:"id"`            // hash of group and first alert
	Group      event.Hash     `json:"group"`         // event.Alert.Group
	Opened     int64          `json:"opened"`        // event time of the first alert's firing
	LastAlert  int64          `json:"last_alert"`    // event time of the newest firing
	FirstEvent int64          `json:"first_event"`   // of all its alerts
	LastEvent  int64          `json:"last_event"`    // of all its alerts
	Alerts     int            `json:"alerts"`        // alerts that joined it
	Events     int64          `json:"events"`        // largest count of its alerts
	Suppressed int64          `json:"suppressed"`    // firings that were held back
	Severity   event.Severity `json:"severity"`      // highest of its alerts
	Rule       string         `json:"rule"`          // id of the rule
	Title      string         `json:"title"`         // of the newest alert
	Key        string         `json:"key,omitempty"` // as people read it
	Tenant     string         `json:"tenant"`        // of the newest alert
	Drill      bool           `json:"drill,omitempty"`
	// Overflow marks the one incident of a rule that takes the alerts of all further keys while
	// Config.MaxOpen incidents are open.
	Overflow bool  `json:"overflow,omitempty"`
	Resolved int64 `json:"resolved,omitempty"` // when it was found quiet; 0 while open
	// Changes counts what there was to tell: each alert, and the resolution.
	Changes int64 `json:"changes"`
}

// Links lead from a notification to where one can look further; empty where not configured.
type Links struct {
	Playbook string
	Discover string // Kibana Discover with the query and the time range of the alert
}

// Store keeps incidents and silences. Every write is compare-and-set: a manager that is no longer the only one
// cannot overwrite what another has written. It is called by one goroutine at a time.
type Store interface {
	// Load returns a value with its revision; a nil value and revision 0 where there is none.
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Save stores value if the key's revision still is the one given (0: the key does not exist),
	// and returns the new revision once the value is durable. After an error the outcome is unknown:
	// the manager loads the value again before it goes on.
	Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Keys lists the keys that have a value, in any order.
	Keys(ctx context.Context) ([]string, error)
	// Delete removes a value; a key that does not exist is no error.
	Delete(ctx context.Context, key string) error
}

// RetryAfter returns how long an error asks to wait before the next attempt, if it does.
func RetryAfter(err error) (time.Duration, bool) {
	var r interface{ RetryAfter() time.Duration }
	if !errors.As(err, &r) {
		return 0, false
	}
	d := r.RetryAfter()
	return d, d > 0
}

// rank orders severities; unknown words come first.
func rank(s event.Severity) int { return s.Number() }
