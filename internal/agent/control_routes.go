package agent

import (
	"net/http"
	"time"
)

// controlRoutes is everything that a running agent can be asked.
func (a *Agent) controlRoutes() map[string]controlHandler {
	return map[string]controlHandler{
		"GET /v1/status":              a.controlStatus,
		"GET /v1/keys":                a.controlKeys,
		"GET /v1/incidents":           a.controlIncidents,
		"GET /v1/incidents/{id}":      a.controlIncident,
		"GET /v1/silences":            a.controlSilences,
		"POST /v1/silences":           a.controlAddSilence,
		"POST /v1/silences/end":       a.controlEndSilence,
		"GET /v1/metrics":             a.controlMetrics(),
		"GET /v1/rules":               a.controlRules,
		"GET /v1/journal":             a.controlHistory,
		"POST /v1/deadletters":        a.controlDeadLetters,
		"POST /v1/deadletters/replay": a.controlReplay,
	}
}

// Status is what an agent says of itself.
type Status struct {
	Agent   string    `json:"agent"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Behind  int64     `json:"behind"` // journal messages that the slowest reader has still to read
}

func (a *Agent) controlStatus(_ http.ResponseWriter, r *http.Request) (any, error) {
	behind, err := a.Behind(r.Context())
	if err != nil {
		return nil, err
	}
	return Status{Agent: a.plan.Config.Agent.ID, Version: a.hooks.Version, Started: a.started, Behind: behind}, nil
}
