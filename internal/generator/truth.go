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
const (
	ruleBurst    = "lw.auth.burst-per-ip"
	ruleSpray    = "lw.auth.spray-keys"
	ruleOffList  = "lw.key.off-allow-list"
	ruleBrowser  = "lw.client.browser-ua"
	ruleTLS      = "lw.tls.legacy"
	rulePII      = "lw.data.pii-in-log"
	ruleFarm     = "lw.inject.farm-device"
	ruleWave     = "lw.spoof.wave-tenant"
	truthVersion = 1
)

// rules are the ids of the rules that should fire. A combined log has no key id, no verdict, no device
// and no TLS version, so most of them are blind there.
func (c Class) rules(format string) []string {
	id := map[Class]string{
		BadCredentials: ruleBurst, KeySpray: ruleSpray, OffAllowList: ruleOffList, BrowserClient: ruleBrowser,
		LegacyTLS: ruleTLS, FaceInLog: rulePII, InjectionFarm: ruleFarm, SpoofWave: ruleWave, PenTest: ruleBurst,
	}[c]
	if id == "" {
		return []string{}
	}
	if format == NginxCombined && !slices.Contains([]string{ruleBurst, rulePII}, id) {
		return []string{}
	}
	return []string{id}
}

// Incident is the truth about one attack.
type Incident struct {
	ID         string            `json:"id"` // also the Label of its lines
	Class      Class             `json:"class"`
	Authorised bool              `json:"authorised,omitempty"` // a penetration test
	Rules      []string          `json:"rules"`                // rules of the default pack that should fire; empty where the format hides it
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
		i.Rules = slices.Clone(i.Rules)
		facts := make(map[string]string, len(i.Facts))
		maps.Copy(facts, i.Facts)
		i.Facts = facts
		out = append(out, i)
	}
	return out
}

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
