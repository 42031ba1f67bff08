package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
)

// The states of a silence.
const (
	SilenceActive = "active"
	SilenceEnded  = "ended"
)

// SilenceRow is a silence as a list tells of it. Times are those of the agent's clock.
type SilenceRow struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Rule      string    `json:"rule"`
	Key       string    `json:"key,omitempty"` // "" is every key
	Created   time.Time `json:"created"`
	Until     time.Time `json:"until"`
	By        string    `json:"by"`
	Reason    string    `json:"reason"`
	Incidents int       `json:"incidents"` // open ones that it is about
}

// SilenceRequest asks for a silence: of what an open incident is about, or of a rule, or of one key of it.
type SilenceRequest struct {
	Incident string        `json:"incident,omitempty"` // the beginning of an id
	Rule     string        `json:"rule,omitempty"`
	Key      string        `json:"key,omitempty"` // as incidents show it: client.ip=203.0.113.7
	For      time.Duration `json:"for"`
	By       string        `json:"by"`
	Reason   string        `json:"reason"`
}

// AddSilence lets a running agent begin a silence.
func AddSilence(ctx context.Context, plan *Plan, req SilenceRequest) (row SilenceRow, err error) {
	c, err := Connect(ctx, plan.Config.Agent.Data)
	if err != nil {
		return row, err
	}
	defer c.Close()
	return row, c.Post(ctx, "/v1/silences", req, &row)
}

// EndSilence lets a running agent end a silence; id may be the beginning of one's.
func EndSilence(ctx context.Context, plan *Plan, id string) (row SilenceRow, err error) {
	c, err := Connect(ctx, plan.Config.Agent.Data)
	if err != nil {
		return row, err
	}
	defer c.Close()
	return row, c.Post(ctx, "/v1/silences/end", silenceName{id}, &row)
}

// ListSilences returns the silences that hold something back, and those that ended in the last day; the
// one that ends last comes first. Where the agent runs it is asked; else what it has stored is read.
func ListSilences(ctx context.Context, plan *Plan) (rows []SilenceRow, err error) {
	c, err := Connect(ctx, plan.Config.Agent.Data)
	if err == nil {
		defer c.Close()
		err = c.Get(ctx, "/v1/silences", &rows)
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
	return silenceRows(ctx, m, time.Now())
}

// silenceName names a silence by the beginning of its id.
type silenceName struct {
	ID string `json:"id"`
}

func silenceRows(ctx context.Context, m *alerting.Manager, now time.Time) ([]SilenceRow, error) {
	all, err := m.Silences(ctx)
	if err != nil {
		return nil, err
	}
	incidents, err := m.Incidents(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]SilenceRow, len(all))
	for i := range all {
		rows[i] = silenceRow(&all[i], incidents, now)
	}
	return rows, nil
}

func silenceRow(s *alerting.Silence, incidents []alerting.Incident, now time.Time) SilenceRow {
	row := SilenceRow{
		ID: s.ID.String(), State: SilenceEnded, Rule: s.Rule, Key: s.Key, Created: keyTime(s.Created), Until: keyTime(s.Until), By: s.By, Reason: s.Reason,
	}
	if s.Active(now.UnixNano()) {
		row.State = SilenceActive
	}
	for i := range incidents {
		if incidents[i].Resolved == 0 && s.Matches(&incidents[i]) {
			row.Incidents++
		}
	}
	return row
}

func (a *Agent) controlSilences(_ http.ResponseWriter, r *http.Request) (any, error) {
	return silenceRows(r.Context(), a.manager, a.now())
}

func (a *Agent) controlAddSilence(_ http.ResponseWriter, r *http.Request) (any, error) {
	var req SilenceRequest
	if err := decodeRequest(r, &req); err != nil {
		return nil, err
	}
	incidents, err := a.manager.Incidents(r.Context())
	if err != nil {
		return nil, err
	}
	if err := a.aboutWhat(r.Context(), &req, incidents); err != nil {
		return nil, err
	}
	now := a.now()
	s, err := a.manager.Silence(r.Context(), now, alerting.Silence{
		Rule: req.Rule, Key: req.Key, Until: now.Add(req.For).UnixNano(), By: req.By, Reason: req.Reason,
	})
	if err != nil {
		return nil, badRequest{err}
	}
	a.silenceLog(&s).Info("silence begins")
	return silenceRow(&s, incidents, now), nil
}

// aboutWhat fills in the rule and the key of a request, and refuses what would silence nothing.
func (a *Agent) aboutWhat(ctx context.Context, req *SilenceRequest, incidents []alerting.Incident) error {
	if req.Incident == "" {
		set, _ := a.rulesets.Current()
		var ids []string
		for _, l := range set.List(rules.ListOptions{Provided: a.plan.Provided()}) {
			if l.ID == req.Rule {
				return nil
			}
			ids = append(ids, l.ID)
		}
		return badRequest{fmt.Errorf("no rule is called %q: %s", req.Rule, cmp.Or(strict.Suggest(req.Rule, ids), "liveward rules list names them"))}
	}
	id, err := findIncident(ctx, a.manager, req.Incident)
	if err != nil {
		return err
	}
	for i := range incidents {
		if inc := &incidents[i]; inc.ID == id {
			if inc.Overflow {
				return badRequest{fmt.Errorf("incident %s is shared by many keys: silence the rule %s, or single keys of it", id, inc.Rule)}
			}
			req.Rule, req.Key = inc.Rule, inc.Key
			return nil
		}
	}
	return badRequest{fmt.Errorf("incident %s was opened or removed just now: try again", id)}
}

func (a *Agent) controlEndSilence(_ http.ResponseWriter, r *http.Request) (any, error) {
	var name silenceName
	if err := decodeRequest(r, &name); err != nil {
		return nil, err
	}
	all, err := a.manager.Silences(r.Context())
	if err != nil {
		return nil, err
	}
	ids := make([]event.Hash, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	id, err := findID("silence", name.ID, ids)
	if err != nil {
		return nil, err
	}
	now := a.now()
	s, ok, err := a.manager.EndSilence(r.Context(), now, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, badRequest{fmt.Errorf("silence %s was forgotten just now", id)}
	}
	a.silenceLog(&s).Info("silence ends")
	incidents, err := a.manager.Incidents(r.Context())
	if err != nil {
		return nil, err
	}
	return silenceRow(&s, incidents, now), nil
}

// silenceLog is for the trace of who made the agent quiet. Keys are values of the log, and stay out.
func (a *Agent) silenceLog(s *alerting.Silence) *slog.Logger {
	return a.log.With("silence", s.ID.String(), "rule", s.Rule, "whole_rule", s.Key == "", "until", keyTime(s.Until), "by", s.By)
}

// silencedUntil is when the last of the active silences of an incident ends.
func silencedUntil(inc *alerting.Incident, silences []alerting.Silence, now time.Time) time.Time {
	for i := range silences { // the one that ends last comes first
		if s := &silences[i]; s.Active(now.UnixNano()) && s.Matches(inc) {
			return keyTime(s.Until)
		}
	}
	return time.Time{}
}

// silenceRemark says on an incident's card that it is silenced.
func silenceRemark(silences []alerting.Silence, now time.Time) string {
	for i := range silences {
		if s := &silences[i]; s.Active(now.UnixNano()) {
			return fmt.Sprintf("silenced until %s UTC by %s: %s\n", keyTime(s.Until).Format(time.DateTime), s.By, s.Reason)
		}
	}
	return ""
}
