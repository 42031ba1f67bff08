package alerting

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Card is a notification in words: what every notifier shows, each in its own form. All its texts
// may hold values of the log as they are: whoever shows them escapes them for the place.
type Card struct {
	Label     string // severity or state, in capitals: HIGH, RESOLVED
	Title     string
	Drill     bool
	Sentence  string // what, how much against what, since when
	Facts     []Fact // most important first
	Samples   []string
	FirstStep string // empty without a playbook
	Playbook  string // title of the page
	Tell      string // the nearest duty to tell somebody
	Buttons   []Button
	Footer    []string // rule and version, alert id, incident id
}

// Fact is a name of liveward's own with a value.
type Fact struct {
	Name, Value string
}

// Button leads somewhere.
type Button struct {
	Text, URL string
}

// What a card shows of texts that may be long, in bytes.
const (
	shortValue  = 200  // a value among others
	maxTitle    = 300  // the title
	maxSentence = 1000 // why it fired
)

// Card describes the notification.
func (n *Notification) Card() Card {
	inc, a := &n.Incident, n.Alert
	if a == nil {
		a = &event.Alert{}
	}
	c := Card{
		Label: strings.ToUpper(string(inc.Severity)),
		Title: clip(inc.Title, maxTitle),
		Drill: inc.Drill,
	}
	if inc.Resolved != 0 {
		c.Label = "RESOLVED"
	}
	if c.Title == "" {
		c.Title = inc.Rule
	}
	if c.Label == "" {
		c.Label = "ALERT"
	}
	c.Sentence = n.sentence(a)
	c.Facts = n.facts(a)
	for _, doc := range n.Samples[:min(len(n.Samples), MaxSamples)] {
		c.Samples = append(c.Samples, Sample(doc))
	}
	if p := n.Playbook; p != nil {
		c.FirstStep, c.Playbook = clip(p.FirstStep, maxStep), clip(p.Title, maxTitle)
		if t, ok := p.Nearest(); ok {
			c.Tell = clip(t.String(), maxTitle)
		}
	}
	if isWebURL(n.Links.Playbook) {
		c.Buttons = append(c.Buttons, Button{"Open playbook", n.Links.Playbook})
	}
	if isWebURL(n.Links.Discover) {
		c.Buttons = append(c.Buttons, Button{"Open in Kibana", n.Links.Discover})
	}
	rule := inc.Rule
	if a.Rule.Version > 0 {
		rule += " v" + strconv.Itoa(a.Rule.Version)
	}
	c.Footer = []string{"rule " + rule, "alert " + a.ID.String(), "incident " + inc.ID.String()}
	return c
}

// Line is the notification in one line, for previews, threads and screen readers.
func (n *Notification) Line() string {
	c := n.Card()
	s := c.Label + ": " + c.Title
	if c.Drill {
		s = "DRILL " + s
	}
	return s + ". " + c.Sentence
}

// sentence says what, how much against what, and since when.
func (n *Notification) sentence(a *event.Alert) string {
	inc := &n.Incident
	if inc.Resolved != 0 {
		s := fmt.Sprintf("Quiet since %s: %s", clock(inc.LastEvent, 0), count(int64(inc.Alerts), "alert", "alerts"))
		if span := inc.LastEvent - inc.FirstEvent; span >= int64(time.Second) {
			s += " in " + roughly(span)
		}
		return s + ", " + clock(inc.FirstEvent, 0) + " to " + clock(inc.LastEvent, inc.FirstEvent) + " UTC."
	}
	what := strings.TrimSpace(a.Explain)
	if what == "" {
		what = howMuch(a)
	}
	what = clip(what, maxSentence)
	if !strings.HasSuffix(what, ".") {
		what += "."
	}
	s := what
	switch {
	case inc.FirstEvent == 0:
	case inc.LastEvent-inc.FirstEvent < int64(time.Second):
		s += " At " + clock(inc.FirstEvent, 0) + " UTC."
	default:
		s += " Since " + clock(inc.FirstEvent, 0) + " UTC, last seen " + clock(inc.LastEvent, inc.FirstEvent) +
			" UTC (" + roughly(inc.LastEvent-inc.FirstEvent) + ")."
	}
	if inc.Overflow {
		s += " Too many incidents are open: this one stands for all further keys of the rule."
	}
	return s
}

// howMuch says why a rule fired where the rule does not say it itself.
func howMuch(a *event.Alert) string {
	s := count(a.Count, "matching event", "matching events")
	if a.Window > 0 {
		s += " in " + event.FormatDuration(a.Window)
	}
	if a.Threshold > 0 {
		s += " against a threshold of " + strconv.FormatFloat(a.Threshold, 'g', 6, 64)
	}
	if a.Baseline > 0 {
		s += ", usually " + strconv.FormatFloat(a.Baseline, 'g', 3, 64)
	}
	if key := a.KeyText(); key != "" {
		s += ", for " + clip(key, shortValue)
	}
	return s
}

// facts are who, where and when.
func (n *Notification) facts(a *event.Alert) []Fact {
	inc := &n.Incident
	var out []Fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, Fact{name, clip(value, shortValue)})
		}
	}
	add("Tenant", inc.Tenant)
	for _, v := range a.Key {
		if name := v.Field.String(); v.Field != event.OrganizationID || v.String() != inc.Tenant {
			add(name, v.String())
		}
	}
	events := strconv.FormatInt(inc.Events, 10)
	if a.Threshold > 0 {
		events += " (threshold " + strconv.FormatFloat(a.Threshold, 'g', 6, 64) + ")"
	}
	add("Events", events)
	if inc.Alerts > 1 {
		add("Alerts", strconv.Itoa(inc.Alerts))
	}
	if inc.FirstEvent != 0 {
		add("First seen", clock(inc.FirstEvent, 0)+" UTC")
		add("Last seen", clock(inc.LastEvent, 0)+" UTC")
	}
	for _, t := range a.Top {
		if keyed(a, t.Field) {
			continue
		}
		add("Top "+t.Field.String(), strings.Join(t.Values[:min(len(t.Values), 3)], ", "))
	}
	if inc.Suppressed > 0 {
		add("Held back", count(inc.Suppressed, "further firing", "further firings"))
	}
	if a.Late {
		add("Late", "found in a backlog")
	}
	return out
}

func keyed(a *event.Alert, id event.ID) bool {
	for _, v := range a.Key {
		if v.Field == id {
			return true
		}
	}
	return false
}

// Sample is one line about an evidence event: when, what, how it ended, who.
func Sample(doc event.Document) string {
	var d struct {
		Timestamp string `json:"@timestamp"`
		Event     struct {
			Action string `json:"action"`
			Kind   string `json:"kind"`
		} `json:"event"`
		HTTP struct {
			Request struct {
				Method string `json:"method"`
			} `json:"request"`
			Response struct {
				Status int `json:"status_code"`
			} `json:"response"`
		} `json:"http"`
		URL struct {
			Path string `json:"path"`
		} `json:"url"`
		Gateway struct {
			AuthReason string `json:"auth_reason"`
		} `json:"gateway"`
		Liveness struct {
			Decision string   `json:"decision"`
			Score    *float64 `json:"score"`
			Attack   struct {
				Type string `json:"type"`
			} `json:"attack"`
		} `json:"liveness"`
		Client struct {
			IP string `json:"ip"`
		} `json:"client"`
		Device struct {
			ID string `json:"id"`
		} `json:"device"`
		APIKey struct {
			ID string `json:"id"`
		} `json:"api_key"`
		UserAgent struct {
			Original string `json:"original"`
		} `json:"user_agent"`
	}
	if err := json.Unmarshal(doc.JSON, &d); err != nil {
		return "event " + doc.ID.String()
	}
	var parts []string
	add := func(s string, limit int) {
		if s != "" {
			parts = append(parts, clip(s, limit))
		}
	}
	if t, err := event.ParseTime(d.Timestamp); err == nil {
		add(time.Unix(0, t).UTC().Format("15:04:05"), 20)
	}
	if d.Event.Kind == "pipeline_error" {
		add("quarantined line", 20)
	}
	add(d.HTTP.Request.Method, 10)
	add(d.URL.Path, 40)
	if d.HTTP.Response.Status != 0 {
		add(strconv.Itoa(d.HTTP.Response.Status), 5)
	}
	add(d.Gateway.AuthReason, 20)
	if d.Liveness.Decision != "" {
		s := d.Liveness.Decision
		if d.Liveness.Score != nil {
			s += " " + strconv.FormatFloat(*d.Liveness.Score, 'f', 2, 64)
		}
		add(s, 30)
	}
	add(d.Liveness.Attack.Type, 24)
	add(d.Client.IP, 40)
	if d.APIKey.ID != "" {
		add("key "+clip(d.APIKey.ID, 15), 24)
	}
	if d.Device.ID != "" {
		add("device "+clip(d.Device.ID, 15), 24)
	}
	if len(parts) < 6 {
		add(d.UserAgent.Original, 40)
	}
	if len(parts) == 0 {
		return "event " + doc.ID.String()
	}
	return strings.Join(parts, "  ")
}

// clock is a time as people read it; the date is left out where it is that of ref.
func clock(ns, ref int64) string {
	t := time.Unix(0, ns).UTC()
	if ref != 0 && t.Format(time.DateOnly) == time.Unix(0, ref).UTC().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// roughly is a span as people say it.
func roughly(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= 48*time.Hour:
		return event.FormatDuration(d.Round(time.Hour))
	case d >= time.Hour:
		return event.FormatDuration(d.Round(time.Minute))
	default:
		return event.FormatDuration(d.Round(time.Second))
	}
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// Lines are the digest in words: a head with the counts, then a line for each of the first
// incidents, then how many more there are.
func (d Digest) Lines(limit int) (head string, lines []string) {
	bySeverity := make(map[event.Severity]int)
	for _, inc := range d.Incidents {
		bySeverity[inc.Severity]++
	}
	var counts []string
	for _, s := range []event.Severity{event.Critical, event.High, event.Medium, event.Low} {
		if n := bySeverity[s]; n > 0 {
			counts = append(counts, strconv.Itoa(n)+" "+string(s))
		}
	}
	head = count(int64(len(d.Incidents)), "more incident", "more incidents") + " opened at the same time"
	if len(counts) > 0 {
		head += ": " + strings.Join(counts, ", ")
	}
	shown := min(len(d.Incidents), limit)
	for _, inc := range d.Incidents[:shown] {
		lines = append(lines, strings.ToUpper(string(inc.Severity))+"  "+inc.Title)
	}
	if rest := len(d.Incidents) - shown; rest > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", rest))
	}
	return head, lines
}
