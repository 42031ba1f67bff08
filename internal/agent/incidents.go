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

// IncidentRow is an incident as a list tells of it. Times are those of events, but for Resolved.
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
}

// incidentRows are the rows of incidents.
func incidentRows(all []alerting.Incident) []IncidentRow {
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
		}
	}
	return rows
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
	all, err := m.Incidents(ctx)
	return incidentRows(all), err
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
	return incidentCard(ctx, m, id, color, width)
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
	all, err := a.manager.Incidents(r.Context())
	return incidentRows(all), err
}

func (a *Agent) controlIncident(_ http.ResponseWriter, r *http.Request) (any, error) {
	width, err := strconv.Atoi(r.FormValue("width"))
	if err != nil {
		return nil, badRequest{errors.New("width is no number")}
	}
	return incidentCard(r.Context(), a.manager, r.PathValue("id"), r.FormValue("color") == "true", width)
}

func incidentCard(ctx context.Context, m *alerting.Manager, id string, color bool, width int) (string, error) {
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
	var found []event.Hash
	for i := range all {
		if id != "" && strings.HasPrefix(all[i].ID.String(), id) {
			found = append(found, all[i].ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return event.Hash{}, badRequest{fmt.Errorf("no incident is called %q: liveward incidents list --all names them", id)}
	}
	return event.Hash{}, badRequest{fmt.Errorf("%d incidents begin with %q: write more of the id", len(found), id)}
}
