package agent

import (
	"context"
	"net/http"

	"github.com/liveward/liveward/internal/event"
)

// RuleStatus is how a rule fares in a running agent, since the agent's start.
type RuleStatus struct {
	ID          string    `json:"id"`
	State       RuleState `json:"state"`
	Missing     []string  `json:"missing,omitempty"` // fields that nothing provides, of a blind rule
	Tried       uint64    `json:"tried"`             // events that the index offered to the rule
	Matches     uint64    `json:"matches"`
	Errors      uint64    `json:"errors"`
	Alerts      int64     `json:"alerts"`
	Suppressed  int64     `json:"suppressed"`
	Late        int64     `json:"late"` // signals too late for its windows
	Keys        int       `json:"keys"`
	Evicted     int64     `json:"evicted"`               // keys forgotten for want of room
	Bytes       int64     `json:"bytes"`                 // estimated memory of its windows
	Nanoseconds float64   `json:"nanoseconds,omitempty"` // matching and counting, an event tried; estimated from one in 64; 0 before 640
}

// triedEnough is how many events say what a rule costs: ten of them were measured.
const triedEnough = 640

// Provided tells which fields the configured inputs provide.
func (p *Plan) Provided() func(event.ID) bool { return p.sees(nil) }

// RuleStatus asks a running agent how its rules fare, in order of their ids.
func (c *Client) RuleStatus(ctx context.Context) ([]RuleStatus, error) {
	var out []RuleStatus
	err := c.Get(ctx, "/v1/rules", &out)
	return out, err
}

func (a *Agent) controlRules(http.ResponseWriter, *http.Request) (any, error) {
	all := a.monitor.rules(a.now())
	out := make([]RuleStatus, 0, len(all))
	for i := range all {
		out = append(out, all[i].status())
	}
	return out, nil
}

func (r *RuleHealth) status() RuleStatus {
	s := RuleStatus{
		ID: r.Rule.ID, State: r.State,
		Tried: r.Match.Tried, Matches: r.Match.Matches, Errors: r.Match.Errors,
		Alerts: r.Window.Fired, Suppressed: r.Window.Suppressed, Late: r.Window.Skipped,
		Keys: r.Window.Keys, Evicted: r.Window.Evicted, Bytes: r.Window.Bytes,
	}
	for _, id := range r.Missing {
		s.Missing = append(s.Missing, id.String())
	}
	if r.Match.Tried >= triedEnough {
		s.Nanoseconds = float64(int64(r.Match.Nanoseconds)+r.Window.Nanoseconds) / float64(r.Match.Tried)
	}
	return s
}
