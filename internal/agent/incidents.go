package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/terminal"
	"github.com/liveward/liveward/internal/event"
)

// The states of an incident.
const (
	IncidentOpen     = "open"
	IncidentResolved = "resolved"
)

// IncidentRow is an incident as a list tells of it. Times are those of events, but for Resolved and
// Silenced.
type IncidentRow struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	Severity   string    `json:"severity"`
	Rule       string    `json:"rule"`
	Title      string    `json:"title"` // of the newest alert
	Key        string    `json:"key,omitempty"`
	Tenant     string    `json:"tenant,omitempty"`
	Opened     time.Time `json:"opened"`     // when the first alert fired
	LastAlert  time.Time `json:"last_alert"` // when the newest did
	Alerts     int       `json:"alerts"`
	Events     int64     `json:"events"`     // largest count of its alerts
	Suppressed int64     `json:"suppressed"` // firings that were held back
	Resolved   time.Time `json:"resolved,omitzero"`
	Silenced   time.Time `json:"silenced_until,omitzero"` // of an open one: when its silences are over
}

// incidentRows are the rows of a manager's incidents.
func incidentRows(ctx context.Context, m *alerting.Manager, now time.Time) ([]IncidentRow, error) {
	all, err := m.Incidents(ctx)
	if err != nil {
		return nil, err
	}
	silences, err := m.Silences(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]IncidentRow, len(all))
	for i := range all {
		x := &all[i]
		rows[i] = IncidentRow{
			ID: x.ID.String(), State: IncidentOpen, Severity: string(x.Severity), Rule: x.Rule, Title: x.Title, Key: x.Key, Tenant: x.Tenant,
			Opened: keyTime(x.Opened), LastAlert: keyTime(x.LastAlert), Alerts: x.Alerts, Events: x.Events, Suppressed: x.Suppressed,
			Resolved: keyTime(x.Resolved),
		}
		if x.Resolved != 0 {
			rows[i].State = IncidentResolved
			continue
		}
		rows[i].Silenced = silencedUntil(x, silences, now)
	}
	return rows, nil
}

// ListIncidents returns what is open, the newest alert first, and then what was resolved lately. Where the
// agent runs it is asked; else what it has stored is read.
func ListIncidents(ctx context.Context, plan *Plan) (rows []IncidentRow, err error) {
	c, err := Connect(ctx, plan.Config.Agent.Data)
	if err == nil {
		defer c.Close()
		err = c.Get(ctx, "/v1/incidents", &rows)
		return rows, err
	}
	if !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	m, release, err := stoppedManager(ctx, plan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return incidentRows(ctx, m, time.Now())
}

// ShowIncident returns an incident's card as a terminal of that width shows it, with who was told of it.
// id may be the beginning of an incident's.
func ShowIncident(ctx context.Context, plan *Plan, id string, color bool, width int) (card string, err error) {
	c, err := Connect(ctx, plan.Config.Agent.Data)
	if err == nil {
		defer c.Close()
		err = c.Get(ctx, fmt.Sprintf("/v1/incidents/%s?color=%t&width=%d", url.PathEscape(id), color, width), &card)
		return card, err
	}
	if !errors.Is(err, ErrNotRunning) {
		return "", err
	}
	m, release, err := stoppedManager(ctx, plan)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	return incidentCard(ctx, m, id, color, width, time.Now())
}

// stoppedManager opens the incidents of an agent that does not run. Nobody is told of anything.
func stoppedManager(ctx context.Context, plan *Plan) (*alerting.Manager, func() error, error) {
	j, release, err := openStopped(ctx, plan)
	if err != nil {
		return nil, nil, err
	}
	return plan.manager(j, nil, nil, slog.New(slog.DiscardHandler)), release, nil
}

func (a *Agent) controlIncidents(_ http.ResponseWriter, r *http.Request) (any, error) {
	return incidentRows(r.Context(), a.manager, a.now())
}

func (a *Agent) controlIncident(_ http.ResponseWriter, r *http.Request) (any, error) {
	width, err := strconv.Atoi(r.FormValue("width"))
	if err != nil {
		return nil, badRequest{errors.New("width is no number")}
	}
	return incidentCard(r.Context(), a.manager, r.PathValue("id"), r.FormValue("color") == "true", width, a.now())
}

func incidentCard(ctx context.Context, m *alerting.Manager, id string, color bool, width int, now time.Time) (string, error) {
	found, err := findIncident(ctx, m, id)
	if err != nil {
		return "", err
	}
	d, ok, err := m.Describe(ctx, found)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", badRequest{fmt.Errorf("incident %s was removed just now", found)}
	}
	var out strings.Builder
	if _, err := terminal.New(&out, color, width).Notify(ctx, d.Notification); err != nil {
		return "", err
	}
	if d.Notification.Incident.Resolved == 0 {
		out.WriteString(silenceRemark(d.Silences, now))
	}
	if len(d.Tellings) == 0 {
		out.WriteString("nobody is told: no notifier is configured\n")
	}
	for _, t := range d.Tellings {
		said := "was not told yet"
		if t.Sent != 0 {
			said = "was told at " + time.Unix(0, t.Sent).UTC().Format(time.DateTime) + " UTC"
		}
		if t.Pending != "" && t.Sent != 0 {
			said += "; that it is " + string(t.Pending) + " is still to be told"
		}
		fmt.Fprintf(&out, "%s %s\n", t.Notifier, said)
	}
	return out.String(), nil
}

// findIncident finds the one incident whose id begins so.
func findIncident(ctx context.Context, m *alerting.Manager, id string) (event.Hash, error) {
	all, err := m.Incidents(ctx)
	if err != nil {
		return event.Hash{}, err
	}
	ids := make([]event.Hash, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return findID("incident", id, ids)
}

// findID finds the one id of incidents or silences that begins so.
func findID(what, begin string, ids []event.Hash) (event.Hash, error) {
	var found []event.Hash
	for _, id := range ids {
		if begin != "" && strings.HasPrefix(id.String(), begin) {
			found = append(found, id)
		}
	}
	list := map[string]string{"incident": "incidents list --all", "silence": "silence list --all"}[what]
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return event.Hash{}, badRequest{fmt.Errorf("no %s is called %q: liveward %s names them", what, begin, list)}
	}
	return event.Hash{}, badRequest{fmt.Errorf("%d %ss begin with %q: write more of the id", len(found), what, begin)}
}
