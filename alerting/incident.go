package alerting

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// maxApplied bounds how many alerts an incident remembers having taken: a repeat of an older one
// would count twice. A repeat comes after a crash, and then it is of the newest alerts.
const maxApplied = 1024

// maxText bounds the texts an incident keeps.
const maxText = 512

// maxAlertDoc bounds the newest alert's document in a record.
const maxAlertDoc = 64 << 10

// lastingAfter is when an incident that lasts until what was absent is seen again is given up: the rule
// does not remember longer that something was expected, and could not tell of its return.
const lastingAfter = 30 * 24 * time.Hour

// recordVersion is the version of the stored form.
const recordVersion = 1

// record is an incident as it is stored: with its newest alert, the alerts it has taken, and how
// far each notifier has told of it. What is still to be told is not stored as messages but follows
// from the difference between Incident.Changes and delivery.Told: an outbox that cannot grow.
type record struct {
	Version    int                  `json:"v"`
	Incident   Incident             `json:"incident"`
	Alert      json.RawMessage      `json:"alert"`
	Touched    int64                `json:"touched"` // when the manager took the newest alert
	Quiet      time.Duration        `json:"quiet"`   // after how long without alerts it is over
	Applied    []byte               `json:"applied"` // 8 bytes per alert, a ring with the newest last
	Deliveries map[string]*delivery `json:"deliveries"`

	revision uint64
	stale    bool // memory and store may differ: load before use
	dirty    bool // a delivery is not stored yet
	previous *record
}

// delivery is what one notifier has told of an incident.
type delivery struct {
	Told     int64          `json:"told"`               // Incident.Changes that were told of
	Severity event.Severity `json:"severity,omitempty"` // the severity that was told
	Receipt  Receipt        `json:"receipt,omitempty"`
	Sent     int64          `json:"sent,omitempty"`      // when it last succeeded
	FollowUp int64          `json:"follow_up,omitempty"` // when it last succeeded with FollowUp

	attempts  int   // since the last success; not stored: a restart tries anew
	notBefore int64 // of the next attempt
}

// reason is why a notifier is to be told, or "" where there is nothing to tell.
func (r *record) reason(d *delivery) Reason {
	switch {
	case d.Told >= r.Incident.Changes:
		return ""
	case r.Incident.Resolved != 0:
		return Resolved
	case d.Told == 0:
		return Opened
	case rank(r.Incident.Severity) > rank(d.Severity):
		return Escalated
	default:
		return Updated
	}
}

// due is when a delivery with something to tell may be made.
func (r *record) due(d *delivery, reason Reason, updateInterval time.Duration) int64 {
	at := d.notBefore
	if reason == Updated {
		at = max(at, d.Sent+int64(updateInterval))
	}
	return at
}

// told tells whether every notifier of names has been told all.
func (r *record) told(names []string) bool {
	for _, name := range names {
		if d := r.Deliveries[name]; d != nil && r.reason(d) != "" {
			return false
		}
	}
	return true
}

// applied tells whether an alert was taken already.
func (r *record) applied(id event.Hash) bool {
	want := binary.BigEndian.Uint64(id[:8])
	for i := 0; i+8 <= len(r.Applied); i += 8 {
		if binary.BigEndian.Uint64(r.Applied[i:]) == want {
			return true
		}
	}
	return false
}

// open makes a record for the first alert of a group.
func open(group event.Hash, a *event.Alert, overflow bool, names []string, previous *record) *record {
	r := &record{
		Version: recordVersion,
		Incident: Incident{
			ID:         event.HashStrings("incident", group.String(), a.ID.String()),
			Group:      group,
			Opened:     a.Time,
			FirstEvent: a.First,
			Rule:       a.Rule.ID,
			Overflow:   overflow,
		},
		Deliveries: make(map[string]*delivery, len(names)),
		previous:   previous,
	}
	if previous != nil {
		r.Applied = append([]byte(nil), previous.Applied...)
	}
	for _, name := range names {
		r.Deliveries[name] = &delivery{}
	}
	return r
}

// apply takes one alert.
func (r *record) apply(now int64, a *event.Alert, resolveAfter time.Duration) {
	inc := &r.Incident
	inc.Alerts++
	inc.Changes++
	inc.LastAlert = max(inc.LastAlert, a.Time)
	if a.First != 0 && (inc.FirstEvent == 0 || a.First < inc.FirstEvent) {
		inc.FirstEvent = a.First
	}
	inc.LastEvent = max(inc.LastEvent, a.Last)
	inc.Events = max(inc.Events, a.Count)
	inc.Suppressed += a.Suppressed
	if rank(a.Rule.Severity) > rank(inc.Severity) || inc.Severity == "" {
		inc.Severity = a.Rule.Severity
	}
	inc.Title = clip(a.Rule.Name, maxText)
	inc.Key = clip(a.KeyText(), maxText)
	inc.Tenant = clip(a.Tenant, maxText)
	inc.Drill = a.Drill
	r.Touched = max(r.Touched, now)
	// A rule that needs an hour to fire again is not quiet before that hour has passed.
	r.Quiet = max(resolveAfter, a.Window)
	if a.Lasting {
		r.Quiet = max(r.Quiet, lastingAfter)
	}
	r.Alert = alertDocument(a)
	var id [8]byte
	copy(id[:], a.ID[:8])
	if len(r.Applied) >= maxApplied*8 {
		r.Applied = append(r.Applied[:0], r.Applied[len(r.Applied)-(maxApplied-1)*8:]...)
	}
	r.Applied = append(r.Applied, id[:]...)
}

// resolve ends the incident.
func (r *record) resolve(now int64) {
	r.Incident.Resolved = now
	r.Incident.Changes++
}

// merge takes over deliveries that were made but could not be stored.
func (r *record) merge(from map[string]*delivery) {
	for name, d := range from {
		have := r.Deliveries[name]
		if have == nil || d.Told > have.Told {
			if have != nil || d.Told > 0 {
				r.dirty = true
			}
			r.Deliveries[name] = d
			continue
		}
		have.attempts, have.notBefore = d.attempts, d.notBefore
	}
}

// key is the record's key in the store.
func (r *record) key() string { return recordKey(r.Incident.ID) }

func recordKey(id event.Hash) string { return "incident." + id.String() }

func decodeRecord(value []byte, revision uint64) (*record, error) {
	r := &record{revision: revision}
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("decode incident: %w", err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("decode incident: version %d is not known", r.Version)
	}
	if r.Incident.ID.IsZero() || len(r.Applied)%8 != 0 || len(r.Applied) > maxApplied*8 {
		return nil, fmt.Errorf("decode incident %s: inconsistent", r.Incident.ID)
	}
	if r.Deliveries == nil {
		r.Deliveries = make(map[string]*delivery)
	}
	for name, d := range r.Deliveries {
		if d == nil {
			r.Deliveries[name] = &delivery{}
		}
	}
	return r, nil
}

// alertDocument encodes an alert for its record, leaving out what makes it too large: everything of
// it stands in the stored alert document anyway.
func alertDocument(a *event.Alert) json.RawMessage {
	doc := a.AppendJSON(nil)
	if len(doc) <= maxAlertDoc {
		return doc
	}
	small := *a
	small.Related, small.Top = nil, nil
	small.Explain = clip(a.Explain, maxText)
	small.Rule.Name = clip(a.Rule.Name, maxText)
	small.Rule.Description = clip(a.Rule.Description, maxText)
	small.Key = make([]event.Value, len(a.Key))
	for i, v := range a.Key {
		v.Str = clip(v.Str, maxText)
		small.Key[i] = v
	}
	return small.AppendJSON(nil)
}

// clip shortens s to at most n bytes, at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s) // the caller's string may be a slot
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func encodeRecord(r *record) ([]byte, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode incident %s: %w", r.Incident.ID, err)
	}
	return value, nil
}
