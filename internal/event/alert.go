package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Alert is a firing of a rule. Its document holds no ingest time and no journal sequence: it is a
// function of the lines and the rule set alone.
type Alert struct {
	ID   Hash
	Time int64 // event time of firing, nanoseconds
	Rule AlertRule

	Key        []Value // values of the rule's by fields
	Count      int64   // matching events, or distinct values, in the window
	Threshold  float64 // what the count was held against; 0 where the kind has none
	Window     time.Duration
	Baseline   float64 // 0 where the kind has none
	Ratio      float64 // 0 where the kind has none
	First      int64   // time of the first event counted, nanoseconds
	Last       int64   // time of the last event counted, nanoseconds
	Suppressed int64   // firings of this key held back since its previous alert
	Top        []Top   // most frequent values of the show fields, most frequent first
	Evidence   []Hash  // event ids, newest last, at most MaxEvidence
	Explain    string  // why it fired, one sentence
	Mode       string  // "live" or "shadow"
	Status     Status  // zero means firing
	Lasting    bool    // goes on until a document of status Recovered, however quiet it is
	Late       bool    // found in a backlog after its window had passed
	Tenant     string  // organization.id of the events, where they agree
	Drill      bool    // labels.drill
	Related    []Value // fields every event of the window agreed on, placed at their ECS name
}

// MaxEvidence bounds Alert.Evidence.
const MaxEvidence = 20

// Status says what an alert's document reports.
type Status string

// The statuses. Documents that report something else than a firing are about an earlier alert of the
// same rule and key: they begin nothing, and notify at most those who know of that alert.
const (
	Firing    Status = ""          // the rule fired
	Recovered Status = "recovered" // what was absent has been seen again
	Updated   Status = "updated"   // late data shows that what was absent had not been so all the time
)

// AlertRule is what an alert says of its rule.
type AlertRule struct {
	ID          string
	Version     int
	Name        string // title, its placeholders filled in
	Description string
	Reference   string // address of the playbook
	Playbook    string // its name, such as auth/bad-credentials-burst
	Severity    Severity
	Risk        float64
	Ruleset     Hash
	Attack      []string // ATT&CK and ATLAS techniques
	Tags        []string // other tags: owasp, reg, concern
}

// Top is a field with its most frequent values.
type Top struct {
	Field  ID
	Values []string
}

// Severity is low, medium, high or critical.
type Severity string

// The severities.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities lists them, mildest first.
func Severities() []Severity { return []Severity{Low, Medium, High, Critical} }

// Number is event.severity: 21, 47, 73 or 99; 0 for an unknown word.
func (s Severity) Number() int {
	switch s {
	case Low:
		return 21
	case Medium:
		return 47
	case High:
		return 73
	case Critical:
		return 99
	}
	return 0
}

// KeyText is the key as people read it: "client.ip=203.0.113.7, user.id=…". Empty without a key.
func (a *Alert) KeyText() string {
	parts := make([]string, len(a.Key))
	for i, v := range a.Key {
		parts[i] = v.Field.String() + "=" + v.String()
	}
	return strings.Join(parts, ", ")
}

// Group is the fingerprint of alerts that belong together: rule and key, in whatever order the key's
// fields stand.
func (a *Alert) Group() Hash {
	key := slices.Clone(a.Key)
	slices.SortFunc(key, func(a, b Value) int { return int(a.Field) - int(b.Field) })
	parts := []string{"group", a.Rule.ID}
	for _, v := range key {
		parts = append(parts, v.Field.String(), v.String())
	}
	return HashStrings(parts...)
}

// Document encodes the alert for a store.
func (a *Alert) Document() Document {
	return Document{ID: a.ID, Dataset: "liveward.alert", Tenant: a.Tenant, JSON: a.AppendJSON(nil)}
}

// AppendJSON appends the alert's document: nested ECS, one line, keys in order of name.
func (a *Alert) AppendJSON(dst []byte) []byte {
	d := newTree()
	d.put("@timestamp", FormatTime(a.Time))
	d.put("ecs.version", ECSVersionValue)
	d.put("event.kind", "alert")
	d.put("event.dataset", "liveward.alert")
	d.put("event.module", "liveward")
	d.put("event.id", a.ID.String())
	d.put("event.outcome", "success")
	d.put("event.severity", a.Rule.Severity.Number())
	d.put("event.risk_score", a.Rule.Risk)
	d.put("rule.id", a.Rule.ID)
	d.put("rule.version", fmt.Sprint(a.Rule.Version))
	d.put("rule.name", a.Rule.Name)
	d.put("rule.description", a.Rule.Description)
	d.put("rule.reference", a.Rule.Reference)
	if !a.Rule.Ruleset.IsZero() {
		d.put("rule.ruleset", a.Rule.Ruleset.String())
	}
	if len(a.Rule.Attack) > 0 {
		d.put("threat.framework", "MITRE ATT&CK")
		d.put("threat.technique.id", a.Rule.Attack)
	}
	if len(a.Rule.Tags) > 0 {
		d.put("tags", a.Rule.Tags)
	}
	if a.Tenant != "" {
		d.put("organization.id", a.Tenant)
	}
	if a.Drill {
		d.put("labels.drill", "true")
	}
	for _, v := range a.Related {
		d.put(v.Field.String(), json.RawMessage(v.AppendJSON(nil)))
	}
	key := make(map[string]json.RawMessage, len(a.Key))
	for _, v := range a.Key {
		raw := json.RawMessage(v.AppendJSON(nil))
		key[v.Field.String()] = raw
		d.put(v.Field.String(), raw)
	}
	d.put("liveward.alert.id", a.ID.String())
	d.put("liveward.alert.key", key)
	d.put("liveward.alert.count", a.Count)
	if a.Threshold != 0 {
		d.put("liveward.alert.threshold", a.Threshold)
	}
	if a.Window != 0 {
		d.put("liveward.alert.window", FormatDuration(a.Window))
	}
	if a.Baseline != 0 {
		d.put("liveward.alert.baseline", a.Baseline)
	}
	if a.Ratio != 0 {
		d.put("liveward.alert.ratio", a.Ratio)
	}
	d.put("liveward.alert.first_event", FormatTime(a.First))
	d.put("liveward.alert.last_event", FormatTime(a.Last))
	d.put("liveward.alert.suppressed", a.Suppressed)
	if len(a.Top) > 0 {
		top := make(map[string][]string, len(a.Top))
		for _, t := range a.Top {
			top[t.Field.String()] = t.Values
		}
		d.put("liveward.alert.top", top)
	}
	evidence := make([]string, len(a.Evidence))
	for i, h := range a.Evidence {
		evidence[i] = h.String()
	}
	d.put("liveward.alert.evidence", evidence)
	d.put("liveward.alert.explain", a.Explain)
	d.put("liveward.alert.mode", a.Mode)
	if a.Status != Firing {
		d.put("liveward.alert.status", string(a.Status))
	}
	d.put("liveward.alert.playbook", a.Rule.Playbook)
	if a.Late {
		d.put("liveward.alert.late", true)
	}
	if a.Lasting {
		d.put("liveward.alert.lasting", true)
	}
	return d.appendJSON(dst)
}

// ParseAlert reads an alert back from its document.
func ParseAlert(doc []byte) (*Alert, error) {
	var d struct {
		Timestamp string `json:"@timestamp"`
		Event     struct {
			ID        Hash    `json:"id"`
			Severity  int     `json:"severity"`
			RiskScore float64 `json:"risk_score"`
		} `json:"event"`
		Rule struct {
			ID, Version, Name, Description, Reference string
			Ruleset                                   string
		} `json:"rule"`
		Threat struct {
			Technique struct {
				ID []string `json:"id"`
			} `json:"technique"`
		} `json:"threat"`
		Tags         []string `json:"tags"`
		Organization struct {
			ID string `json:"id"`
		} `json:"organization"`
		Labels   map[string]string `json:"labels"`
		Liveward struct {
			Alert struct {
				Key        map[string]json.RawMessage `json:"key"`
				Count      int64                      `json:"count"`
				Threshold  float64                    `json:"threshold"`
				Window     string                     `json:"window"`
				Baseline   float64                    `json:"baseline"`
				Ratio      float64                    `json:"ratio"`
				FirstEvent string                     `json:"first_event"`
				LastEvent  string                     `json:"last_event"`
				Suppressed int64                      `json:"suppressed"`
				Top        map[string][]string        `json:"top"`
				Evidence   []Hash                     `json:"evidence"`
				Explain    string                     `json:"explain"`
				Mode       string                     `json:"mode"`
				Status     Status                     `json:"status"`
				Playbook   string                     `json:"playbook"`
				Late       bool                       `json:"late"`
				Lasting    bool                       `json:"lasting"`
			} `json:"alert"`
		} `json:"liveward"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("parse alert: %w", err)
	}
	la := &d.Liveward.Alert
	a := &Alert{
		ID: d.Event.ID, Count: la.Count, Threshold: la.Threshold, Baseline: la.Baseline, Ratio: la.Ratio,
		Suppressed: la.Suppressed, Evidence: la.Evidence, Explain: la.Explain, Mode: la.Mode, Status: la.Status, Late: la.Late, Lasting: la.Lasting,
		Tenant: d.Organization.ID, Drill: d.Labels["drill"] == "true",
	}
	a.Rule = AlertRule{
		ID: d.Rule.ID, Name: d.Rule.Name, Description: d.Rule.Description, Reference: d.Rule.Reference,
		Playbook: la.Playbook, Risk: d.Event.RiskScore, Attack: d.Threat.Technique.ID, Tags: d.Tags,
	}
	for _, s := range Severities() {
		if s.Number() == d.Event.Severity {
			a.Rule.Severity = s
		}
	}
	var err error
	fail := func(what string, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("parse alert %s: %w", what, e)
		}
	}
	var e error
	a.Time, e = ParseTime(d.Timestamp)
	fail("@timestamp", e)
	a.First, e = ParseTime(la.FirstEvent)
	fail("first_event", e)
	a.Last, e = ParseTime(la.LastEvent)
	fail("last_event", e)
	if la.Window != "" {
		a.Window, e = ParseDuration(la.Window)
		fail("window", e)
	}
	if d.Rule.Ruleset != "" {
		a.Rule.Ruleset, e = ParseHash(d.Rule.Ruleset)
		fail("ruleset", e)
	}
	_, e = fmt.Sscan(d.Rule.Version, &a.Rule.Version)
	fail("rule.version", e)
	for _, name := range sortedKeys(la.Key) {
		id, ok := Lookup(name)
		if !ok {
			continue
		}
		v, e := parseValue(id, la.Key[name])
		fail("key "+name, e)
		a.Key = append(a.Key, v)
	}
	for _, name := range sortedKeys(la.Top) {
		if id, ok := Lookup(name); ok {
			a.Top = append(a.Top, Top{Field: id, Values: la.Top[name]})
		}
	}
	return a, err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
