package generator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// The rules of the default pack that the traffic is made for.
//
//nolint:gosec // ids of rules, one of which has the word pass in it
const (
	ruleBurst         = "lw.auth.burst-per-ip"
	ruleSpray         = "lw.auth.spray-keys"
	ruleGuessed       = "lw.auth.fail-then-success"
	ruleSlowGuess     = "lw.auth.slow-guess"
	ruleSlowSpray     = "lw.auth.slow-spray"
	ruleAuthRate      = "lw.auth.error-rate-tenant"
	ruleRevoked       = "lw.key.used-after-revoke"
	ruleOldKey        = "lw.key.too-old"
	ruleKeyInURL      = "lw.key.in-query-string"
	ruleOverlap       = "lw.key.rotation-overlap"
	ruleLateConsent   = "lw.consent.late-in-session"
	ruleAfterCapture  = "lw.consent.after-capture"
	ruleOffList       = "lw.key.off-allow-list"
	ruleBrowser       = "lw.client.browser-ua"
	ruleMobile        = "lw.client.mobile-ua"
	ruleUAChange      = "lw.client.ua-change"
	ruleScope         = "lw.scope.endpoint-denied"
	ruleNewEndpoint   = "lw.scope.new-endpoint"
	ruleEnumeration   = "lw.scope.enumeration"
	ruleAdmin         = "lw.scope.admin-from-app-key"
	ruleTLS           = "lw.tls.legacy"
	rulePlain         = "lw.tls.weak-cipher-or-plain"
	ruleConsent       = "lw.consent.missing"
	ruleRegion        = "lw.data.region-violation"
	ruleBulk          = "lw.data.bulk-read"
	rulePII           = "lw.data.pii-in-log"
	ruleInput         = "lw.input.validation-spike"
	ruleOversize      = "lw.input.oversize-or-type"
	ruleStrings       = "lw.input.attack-pattern"
	ruleSession       = "lw.replay.session-reuse"
	ruleMedia         = "lw.replay.media-reuse"
	ruleFarm          = "lw.inject.farm-device"
	ruleFarmIP        = "lw.inject.farm-ip"
	ruleCamera        = "lw.inject.virtual-camera"
	ruleCameraPassed  = "lw.inject.camera-passed"
	ruleWave          = "lw.spoof.wave-tenant"
	ruleWaveCount     = "lw.spoof.wave-count"
	ruleThenPass      = "lw.spoof.then-pass"
	ruleSlowWave      = "lw.spoof.slow-wave"
	ruleSlowThenPass  = "lw.spoof.slow-then-pass"
	ruleDrift         = "lw.score.drift"
	ruleEdge          = "lw.score.edge"
	ruleContradiction = "lw.output.contradiction"
	ruleErrorCode     = "lw.output.new-error-code"
	ruleUX            = "lw.ux.false-reject-shift"
	ruleOutage        = "lw.ops.outage"
	truthVersion      = 1
)

// Incident is the truth about one attack.
type Incident struct {
	ID         string            `json:"id"` // also the Label of its lines
	Class      Class             `json:"class"`
	Authorised bool              `json:"authorised,omitempty"` // a penetration test
	Rules      []string          `json:"rules"`                // rules of the default pack that should fire; empty where the format hides it
	MayFire    []string          `json:"may_fire"`             // those that may fire beside them
	Tenant     string            `json:"tenant,omitempty"`
	Facts      map[string]string `json:"facts"` // raw values by ECS name: client.ip, device.id, ...
	First      time.Time         `json:"first"` // when its first line was written
	Last       time.Time         `json:"last"`
	Lines      int64             `json:"lines"` // so far
}

// incident is an Incident that still grows.
type incident struct{ Incident }

// Truth returns the attacks that have begun, in the order in which they did. It is complete when Next
// has returned false.
func (g *Generator) Truth() []Incident {
	out := make([]Incident, 0, len(g.incidents))
	for _, in := range g.incidents {
		if in.Lines == 0 {
			continue
		}
		i := in.Incident
		i.Rules, i.MayFire = slices.Clone(i.Rules), slices.Clone(i.MayFire)
		facts := make(map[string]string, len(i.Facts))
		maps.Copy(facts, i.Facts)
		i.Facts = facts
		out = append(out, i)
	}
	return out
}

// Disturbances returns the truth about the confounders.
func (g *Generator) Disturbances() []Disturbance { return g.days.truth() }

// TruthFile is the side file of a corpus, schema version 1.
type TruthFile struct {
	Version     int           `json:"version"`
	Seed        uint64        `json:"seed"`
	Format      string        `json:"format"`
	Start       time.Time     `json:"start"`
	Seconds     float64       `json:"seconds"` // duration asked for; 0 where endless
	Stats       Stats         `json:"stats"`
	Attacks     []Incident    `json:"attacks"`
	Confounders []Disturbance `json:"confounders"`
}

// WriteTruth writes the side file: what was done, to whom, when, and which rules should notice. It
// holds raw addresses and ids, as it must; they are all made up.
func (g *Generator) WriteTruth(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	err := enc.Encode(TruthFile{
		Version: truthVersion, Seed: g.cfg.Seed, Format: g.cfg.Format, Start: g.cfg.Start.UTC(), Seconds: g.cfg.Duration.Seconds(),
		Stats: g.stats, Attacks: g.Truth(), Confounders: g.days.truth(),
	})
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}
