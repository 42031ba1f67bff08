package pipeline

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/privacy"
)

// Explained says what became of a line and why. It holds no raw value: values are those of the
// document, and of names of members that could be one the shape is left. They come from the line, so who
// shows them must escape them.
type Explained struct {
	File       string      `json:"file"`
	Line       int         `json:"line"` // counted from 1
	Offset     int64       `json:"offset"`
	Format     string      `json:"format,omitempty"`
	Why        string      `json:"why,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Envelope   int         `json:"envelope_bytes,omitempty"` // of what the transport has put around the line
	// Outcome is event, quarantined or directive.
	Outcome string           `json:"outcome"`
	Reason  string           `json:"reason,omitempty"`
	Fields  []ExplainedField `json:"fields"`
	Removed []Removal        `json:"removed,omitempty"` // what privacy took out as a whole
	Kinds   []string         `json:"kinds,omitempty"`   // of what privacy, or the format, found and dropped or masked
	// Unmapped names what stands in the line and is in no field.
	Unmapped []string `json:"unmapped,omitempty"`
	More     int      `json:"unmapped_more,omitempty"` // further ones, not named; -1: the line was looked at in part
}

// Candidate is a format that auto weighed.
type Candidate struct {
	Format string `json:"format"`
	Points int    `json:"points"`
}

// ExplainedField is a field of the document.
type ExplainedField struct {
	Name  string          `json:"field"`
	Value json.RawMessage `json:"value"`
	// From says which stage has set it: format, vendor map, enrich, agent or privacy.
	From string `json:"from"`
	// Detail says by what: members of the line, the map, the step of enrich.
	Detail string `json:"detail"`
	// Privacy says what was done to the value: pseudonymised, masked, truncated.
	Privacy string `json:"privacy,omitempty"`
}

// Removal is a field that privacy has cleared.
type Removal struct {
	Name   string `json:"field"`
	Detail string `json:"detail"` // where it came from
}

// maxUnmapped bounds the names of what is not mapped.
const maxUnmapped = 32

// Explainer watches a processor and explains the line it processed last. It is for one goroutine.
type Explainer struct {
	format  *formats.Explainer
	names   *privacy.Worker // nil where nothing is hidden
	vendors *vendors.Set
	vendor  string // of the input
	used    string // map that was used for this event
	before  map[string]string
	after   map[string]string // last stage's values
	origin  map[string]string // stage that has set the value
	privacy map[string]string // what privacy did
}

// Watch makes a processor of these stages, with the format of that name, explain what it does. It costs
// some hundred times as much.
func Watch(s *Stages, format string) {
	f := formats.NewExplainer(format, s.Format)
	x := &Explainer{format: f, vendors: s.Vendors, vendor: s.Vendor}
	if !s.Raw {
		x.names = s.Privacy
	}
	s.Format, s.Explain = f, x
}

// trace compares an event with what it was after the stage before.
func (x *Explainer) trace(stage string, ev *event.Event) {
	if stage == stageFormat {
		x.after, x.origin, x.privacy = map[string]string{}, map[string]string{}, map[string]string{}
		x.used = x.vendors.NameOf(ev, x.vendor)
	}
	x.before, x.after = x.after, map[string]string{}
	ev.Values(func(name string, v []byte) { x.after[name] = string(v) })
	for name, v := range x.after {
		switch was, ok := x.before[name]; {
		case ok && was == v:
		case ok && stage == stagePrivacy && !strings.HasPrefix(name, "liveward.privacy."):
			x.privacy[name] = treated(name)
		default:
			x.origin[name] = stage
		}
	}
	if stage == stagePrivacy {
		for name := range x.before {
			if _, ok := x.after[name]; !ok {
				x.privacy[name] = "removed"
			}
		}
	}
}

// treated names what privacy does to a field whose value it changes.
func treated(name string) string {
	id, ok := event.Lookup(name)
	if !ok {
		return "masked"
	}
	switch event.FieldOf(id).Class {
	case event.Pseudonym:
		return "pseudonymised"
	case event.Address:
		return "truncated or put in its canonical form"
	}
	return "masked"
}

// Explain explains the line that was processed last.
func (x *Explainer) Explain(line *event.Line, p *Processed) (Explained, error) {
	var f formats.Explanation
	if !line.Oversize { // such a line no format has seen
		f = x.format.Last()
	}
	if x.names != nil {
		for i := range f.Parts {
			f.Parts[i].Name = x.names.Name(f.Parts[i].Name)
		}
	}
	e := Explained{Offset: line.Offset, Format: f.Format, Why: f.Why, Envelope: f.Envelope, Outcome: "event"}
	for _, c := range f.Candidates {
		e.Candidates = append(e.Candidates, Candidate(c))
	}
	if p.Skipped {
		e.Outcome = "directive"
		return e, nil
	}
	var ev event.Event
	if err := ev.DecodeJSON(p.Doc); err != nil {
		return e, err
	}
	e.Kinds = ev.List(event.LivewardPrivacyDropped)
	if p.Quarantined {
		e.Outcome, e.Reason = "quarantined", ev.Str(event.ErrorMessage)
		ev.Values(func(name string, v []byte) {
			e.Fields = append(e.Fields, ExplainedField{Name: name, Value: v, From: stageAgent, Detail: "quarantine"})
		})
		return e, nil
	}
	from := sources(&f)
	ev.Values(func(name string, v []byte) {
		stage := x.origin[name]
		e.Fields = append(e.Fields, ExplainedField{Name: name, Value: v, From: stage, Detail: x.detail(stage, name, from), Privacy: x.privacy[name]})
	})
	for name, what := range x.privacy {
		if what == "removed" {
			e.Removed = append(e.Removed, Removal{name, x.detail(x.origin[name], name, from)})
		}
	}
	slices.SortFunc(e.Removed, func(a, b Removal) int { return strings.Compare(a.Name, b.Name) })
	e.unmapped(&f)
	return e, nil
}

// unmapped names the parts that are in no field.
func (e *Explained) unmapped(f *formats.Explanation) {
	for i := range f.Parts {
		p := &f.Parts[i]
		mapped := slices.ContainsFunc(p.Fields, func(name string) bool { return !strings.HasPrefix(name, "liveward.privacy.") })
		switch {
		case mapped || p.Empty:
		case len(e.Unmapped) == maxUnmapped:
			e.More++
		default:
			e.Unmapped = append(e.Unmapped, p.Name)
		}
	}
	if f.More {
		e.More = -1
	}
}

// sources turns parts with their fields into fields with their parts.
func sources(f *formats.Explanation) map[string]string {
	const most = 4
	count := map[string]int{}
	out := map[string]string{}
	for i := range f.Parts {
		for _, name := range f.Parts[i].Fields {
			count[name]++
			switch n := count[name]; {
			case n == 1:
				out[name] = f.Parts[i].Name
			case n <= most:
				out[name] += ", " + f.Parts[i].Name
			case n == most+1:
				out[name] += ", ..."
			}
		}
	}
	return out
}

// detail says by what a stage has set a field.
func (x *Explainer) detail(stage, name string, from map[string]string) string {
	switch stage {
	case stageFormat:
		if part := from[name]; part != "" {
			return part
		}
		switch name {
		case "event.provider", "gateway.product", "observer.product":
			return "the format itself"
		}
		return "the line as a whole"
	case stageVendor:
		return x.used
	case stageEnrich:
		return enrichStep(name)
	case stageAgent:
		switch name {
		case "@timestamp", "liveward.ambiguous", "liveward.late", "liveward.skewed":
			return "time against its source"
		}
		return "where the line was read"
	}
	if name == "related.user" {
		return "pseudonyms in the event"
	}
	return "what it found"
}

// enrichStep names the step of enrich that sets a field.
func enrichStep(name string) string {
	for _, s := range []struct{ prefix, step string }{
		{"event.action", "routes: method and path"},
		{"event.outcome", "status"},
		{"event.category", "status and credentials"},
		{"event.type", "status and credentials"},
		{"api_key.", "key roster or URL"},
		{"client.allow_listed", "allow list of the key, else of its tenant or region"},
		{"data.region_allowed", "key roster"},
		{"client.geo.", "geo database"},
		{"client.as.", "geo database"},
		{"client.", "address of the peer, or behind trusted proxies"},
		{"related.ip", "addresses of the event"},
		{"network.forwarded_ip", "forwarded chain"},
		{"network.name", "network lists"},
		{"threat.", "threat lists"},
		{"gateway.auth", "status and credentials"},
		{"user_agent.", "user agent"},
		{"http.request.cross_origin", "origin of the request"},
		{"organization.id", "configuration of the input"},
		{"data.region", "configuration of the input"},
		{"tags", "configuration"},
		{"service.environment", "configuration of the input"},
		{"liveward.source", "configuration of the input"},
	} {
		if strings.HasPrefix(name, s.prefix) {
			return s.step
		}
	}
	return "the same for all"
}
