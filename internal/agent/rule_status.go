package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
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

// ConfiguredRule is a rule of a configuration, with what a running agent says of it.
type ConfiguredRule struct {
	rules.Listed
	Live    *RuleStatus `json:"live,omitempty"`
	Pending bool        `json:"pending,omitempty"` // it stands in the files, and the running agent does not use it
}

// ConfiguredRules are the rules of a configuration.
type ConfiguredRules struct {
	Rules  []ConfiguredRule // in order of their ids
	Agent  error            // ErrNotRunning: the rules are those of the files; nil: they are those that the agent uses
	Broken error            // what is wrong with the files of a running agent, which goes on with what it has
}

// ListConfigured asks the agent of a configuration for the rules that it uses, and how they fare. Files that
// have become unsound meanwhile are no hindrance then: it is when they are that somebody asks. Without an
// agent the rules are those of the files.
func ListConfigured(ctx context.Context, config string) (ConfiguredRules, error) {
	var out ConfiguredRules
	dir, err := dataDir(config)
	if err != nil {
		return out, err
	}
	client, err := Connect(ctx, dir)
	switch {
	case err == nil:
		defer client.Close()
		if err := client.Get(ctx, "/v1/rules", &out.Rules); err != nil {
			return out, err
		}
	case errors.Is(err, ErrNotRunning):
		out.Agent = err
	default:
		return out, err
	}
	plan, err := Load(config)
	switch {
	case err != nil && out.Agent == nil:
		out.Broken = err
		return out, nil
	case err != nil:
		return out, err
	}
	used := make(map[string]bool, len(out.Rules))
	for i := range out.Rules {
		used[out.Rules[i].ID] = true
	}
	for _, l := range plan.Rules.List(rules.ListOptions{Provided: plan.Provided()}) {
		if !used[l.ID] {
			out.Rules = append(out.Rules, ConfiguredRule{Listed: l, Pending: out.Agent == nil})
		}
	}
	slices.SortFunc(out.Rules, func(a, b ConfiguredRule) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// dataDir reads where the agent of a configuration keeps its data, whatever else is wrong with it.
func dataDir(config string) (string, error) {
	src, err := os.ReadFile(config)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	cfg := Default()
	if f := strict.Decode(config, src, &cfg); !f.Parsed() {
		return "", f.Err()
	}
	return cfg.Agent.Data, nil
}

func (a *Agent) controlRules(http.ResponseWriter, *http.Request) (any, error) {
	fares := map[string]*RuleStatus{}
	all := a.monitor.rules(a.now())
	for i := range all {
		s := all[i].status()
		fares[s.ID] = &s
	}
	set, _ := a.rulesets.Current()
	listed := set.List(rules.ListOptions{Provided: a.plan.Provided()})
	out := make([]ConfiguredRule, 0, len(listed))
	for _, l := range listed {
		out = append(out, ConfiguredRule{Listed: l, Live: fares[l.ID]})
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
