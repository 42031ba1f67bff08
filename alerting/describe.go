package alerting

import (
	"context"
	"maps"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// Description is an incident as it stands: what a notification of it would show now, and what each
// notifier has told of it.
type Description struct {
	Notification Notification
	Tellings     []Telling // by name of the notifier
	Silences     []Silence // those that are about it, also what has ended; the one that ends last comes first
}

// Telling is how far a notifier is with an incident.
type Telling struct {
	Notifier string
	Sent     int64  // when it last succeeded; 0 where it never did
	Pending  Reason // what is still to be told; "" where nothing is
}

// Describe describes an incident; false where there is none of that id. It delivers and changes nothing.
func (m *Manager) Describe(ctx context.Context, id event.Hash) (*Description, bool, error) {
	d, err := m.describe(ctx, id)
	if d == nil || err != nil {
		return nil, false, err
	}
	m.complete(ctx, &d.Notification)
	return d, true, nil
}

func (m *Manager) describe(ctx context.Context, id event.Hash) (*Description, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	rec := m.records[id]
	if rec == nil {
		return nil, nil //nolint:nilnil // absence is an answer here, not an error
	}
	reason := Opened
	switch {
	case rec.Incident.Resolved != 0:
		reason = Resolved
	case rec.Incident.Alerts > 1:
		reason = Updated
	}
	d := &Description{Notification: m.notification(rec, reason)}
	for _, name := range slices.Sorted(maps.Keys(rec.Deliveries)) {
		told := rec.Deliveries[name]
		d.Tellings = append(d.Tellings, Telling{Notifier: name, Sent: told.Sent, Pending: rec.reason(told)})
	}
	for _, s := range m.sortedSilences() {
		if s.Matches(&rec.Incident) {
			d.Silences = append(d.Silences, s)
		}
	}
	return d, nil
}

// notification is what is to be shown of a record, but for what is looked up.
func (m *Manager) notification(rec *record, reason Reason) Notification {
	alert, err := event.ParseAlert(rec.Alert)
	if err != nil {
		// The incident alone is worth telling.
		m.deps.Log.Error("alert of a stored incident cannot be read", "incident", rec.Incident.ID.String())
		alert = &event.Alert{Rule: event.AlertRule{ID: rec.Incident.Rule, Name: rec.Incident.Title, Severity: rec.Incident.Severity}}
	}
	return Notification{Reason: reason, Incident: rec.Incident, Alert: alert, FollowUp: true}
}
