// Package alerting turns alerts into incidents, and incidents into notifications. Notifiers live in
// the packages below it: slack, terminal.
//
// It never decides whether a rule fires, and never reads a clock: time comes in as an argument.
package alerting

import (
	"context"

	"github.com/liveward/liveward/internal/event"
)

// Notifier tells people about an incident.
type Notifier interface {
	// Notify makes one attempt to deliver and blocks until its outcome is known or ctx is done.
	// n.Receipt is what an earlier Notify for the same incident returned, so that a message can be
	// updated or threaded; it is nil the first time. The returned receipt is stored with the
	// incident. An error that carries a RetryAfter asks to be tried again no earlier.
	//
	// n belongs to the caller and must not be kept. It is called by one goroutine at a time.
	Notify(ctx context.Context, n Notification) (Receipt, error)
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
	Samples  []event.Document // at most 5 evidence events, where they are at hand
	Receipt  Receipt
}

// Incident is a group of alerts that belong together: one rule, one key.
type Incident struct {
	ID         event.Hash     `json:"id"`    // hash of group and first alert
	Group      event.Hash     `json:"group"` // event.Alert.Group
	Opened     int64          `json:"opened"`
	LastAlert  int64          `json:"last_alert"`
	Alerts     int            `json:"alerts"` // alerts that joined it
	Events     int64          `json:"events"` // largest count of its alerts
	Suppressed int64          `json:"suppressed"`
	Severity   event.Severity `json:"severity"` // highest of its alerts
	Rule       string         `json:"rule"`
	Title      string         `json:"title"`
	Resolved   int64          `json:"resolved,omitempty"`
}

// Links lead from a notification to where one can look further; empty where not configured.
type Links struct {
	Playbook string
	Discover string // Kibana Discover with the query and the time range of the alert
}
