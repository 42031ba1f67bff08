package sigma

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/liveward/liveward/internal/event"
)

// writer writes a rule's file.
type writer struct {
	doc    *document
	o      Options
	by     []string
	when   string
	body   string  // what the kind adds, lines of YAML
	sample *sample // of an event in which when holds
	firing string  // the test in which the rule fires, where it is no single event
}

// logic is what decides which events the rule is about, and what becomes of them.
func (w *writer) logic() string {
	return strings.Join([]string{w.when, strings.Join(w.by, ","), w.body}, "\n")
}

// rule is the file, as it may be: with a test in which it fires, and else without, and with one or another
// in which it is silent.
func (w *writer) rule() (drafts []string) {
	var head strings.Builder
	d := w.doc
	_, _ = fmt.Fprintf(&head, "# Imported from the Sigma rule %s.\n", oneLine(firstOf(d.id, d.title), 120))
	for _, n := range d.notes {
		_, _ = fmt.Fprintf(&head, "# Line %d: %s.\n", n.Line, oneLine(n.Message, 200))
	}
	_, _ = fmt.Fprintf(&head, "id: %s\nversion: 1\ntitle: %s\ndescription: %s\nseverity: %s\n",
		w.o.ruleID(d.title), quote(d.title, 160), quote(w.about(), 1200), severity(d.level))
	_, _ = fmt.Fprintf(&head, "tags: {%sconcern: imported}\n", techniques(d.tags))
	if !w.o.Live {
		head.WriteString("mode: shadow    # stored, never notified; live once a backtest shows that it is quiet\n")
	}
	if w.when != "" {
		_, _ = fmt.Fprintf(&head, "when: %s\n", single(w.when))
	}
	if len(w.by) > 0 {
		_, _ = fmt.Fprintf(&head, "by: [%s]\n", strings.Join(w.by, ", "))
	}
	if w.body == "" {
		head.WriteString("suppress: 1h\n")
	}
	head.WriteString(w.body)
	_, _ = fmt.Fprintf(&head, "playbook: %s\ntests:\n", w.o.Playbook)
	firing := w.firing
	if firing == "" {
		firing = w.fires(1)
	}
	for _, test := range [...]string{firing, ""} {
		for _, silent := range silentTests {
			drafts = append(drafts, head.String()+test+silent)
		}
	}
	return drafts
}

// silentTests are calls that most rules say nothing of.
//
//nolint:gochecknoglobals // constant
var silentTests = [...]string{
	"  - name: an ordinary call\n    given: {http.request.method: POST, url.path: /v1/liveness/check, http.response.status_code: 200, user_agent.original: okhttp/4.12.0}\n    events: [{at: 0s, set: {client.ip: 203.0.113.7}}]\n    alerts: []\n",
	"  - name: an ordinary poll\n    given: {http.request.method: GET, url.path: /v1/liveness/results, http.response.status_code: 202, user_agent.original: okhttp/4.12.0}\n    events: [{at: 0s, set: {client.ip: 203.0.113.7}}]\n    alerts: []\n",
	"  - name: a call of which nothing is known\n    events: [{at: 0s, set: {client.ip: 203.0.113.7}}]\n    alerts: []\n",
}

// fires is a test with n events of the sample; "" where there is none.
func (w *writer) fires(n int) string {
	given, ok := w.sample.given(w.by)
	if !ok {
		return ""
	}
	if n == 1 {
		return "  - name: what the Sigma rule describes\n    given: {" + given + "}\n    events: [{at: 0s}]\n    alerts: [{at: 0s}]\n"
	}
	return fmt.Sprintf("  - name: %d of what the Sigma rule describes\n    given: {%s}\n    events: [{repeat: %d, every: 1s}]\n    alerts: [{at: %ds}]\n", n, given, n, n-1)
}

// given writes the sample as the fields of a test, with a value for each field of the key.
func (s *sample) given(by []string) (string, bool) {
	if s == nil {
		return "", false
	}
	var parts []string
	for _, id := range s.order {
		m := s.fields[id]
		v := strconv.Quote(m.value())
		switch {
		case m.array:
			v = "[" + v + "]"
		case m.number:
			v = m.value()
		}
		parts = append(parts, id.String()+": "+v)
	}
	for _, name := range by {
		id, _ := event.Lookup(name)
		if s.fields[id] == nil {
			parts = append(parts, name+": "+sampleKey(id))
		}
	}
	return strings.Join(parts, ", "), true
}

func sampleKey(id event.ID) string {
	f := event.FieldOf(id)
	switch {
	case f.Type == event.IP:
		return "203.0.113.7"
	case f.Type == event.Long:
		return "1"
	case len(f.Enum) > 0:
		return f.Enum[0]
	}
	return "one"
}

// about is the description, with whose work the rule is: Sigma's licence asks for it.
func (w *writer) about() string {
	d := w.doc
	about := strings.TrimSpace(d.description)
	if about != "" && !strings.HasSuffix(about, ".") {
		about += "."
	}
	about += " Sigma rule " + firstOf(d.id, d.title)
	if d.author != "" {
		about += " by " + d.author
	}
	if d.license != "" {
		about += ", " + d.license
	}
	about += "."
	if len(d.falsePositives) > 0 {
		about += " Known false positives: " + strings.Join(d.falsePositives, "; ") + "."
	}
	return strings.TrimSpace(about)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// severity of a level. Sigma's levels are ours, but for the one that is below them.
func severity(level string) string {
	switch level {
	case "low", "medium", "high", "critical":
		return level
	case "":
		return "medium"
	}
	return "low"
}

// techniques are the tags that name ATT&CK techniques.
func techniques(tags []string) string {
	form := regexp.MustCompile(`^attack\.(t\d{4}(\.\d{3})?)$`)
	var out []string
	for _, tag := range tags {
		if m := form.FindStringSubmatch(strings.ToLower(tag)); m != nil && !slices.Contains(out, strings.ToUpper(m[1])) {
			out = append(out, strings.ToUpper(m[1]))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "attack: [" + strings.Join(out, ", ") + "], "
}

// quote writes a text that comes from a Sigma rule: on one line, and without the braces of templates.
func quote(s string, limit int) string {
	return strconv.Quote(strings.NewReplacer("{", "(", "}", ")").Replace(oneLine(s, limit)))
}

// oneLine makes one line of at most limit bytes, without what a terminal would not print.
func oneLine(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}

// single writes a text between single quotes.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
