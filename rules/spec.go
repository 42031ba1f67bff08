package rules

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// spec is a rule as its file says, checked but not compiled.
type spec struct {
	rule    Rule  // all but matcher and state
	when    *node // nil where a sequence has none
	hit     *node // spike.of: which of the matching events are hits
	steps   []stepSpec
	expect  *node  // name of the list of absence.expect
	unless  *node  // … of absence.unless
	chainOf string // what chain.distinct counts
	except  []exceptSpec
	needs   []event.ID // as stated; nil where by default
	tests   []*testCase
	tested  int // number of tests, once they are forgotten
	root    *node

	overlay *overlay // what a site changed; nil for nothing
	shipped *spec    // the rule without that
}

// exceptSpec is an entry of except.
type exceptSpec struct {
	at    *node
	when  *node
	until int64
	owner string
	why   string

	source *source // file in which it stands; nil for the rule's own
}

// Bounds of a rule.
const (
	maxCount    = 10_000
	maxBy       = 5
	maxExcept   = 50
	maxTests    = 100
	minWindow   = time.Second
	maxWindow   = 31 * 24 * time.Hour
	maxSuppress = 31 * 24 * time.Hour
)

// ruleKeys are the keys of a rule's file.
func ruleKeys() []string {
	return []string{
		"id", "version", "title", "description", "severity", "risk", "tags", "mode", "when", "except", "needs", "by", "once",
		"window", "threshold", "distinct", "spike", "first_seen", "sequence", "absence", "chain",
		"suppress", "budget", "show", "playbook", "tests", "emit", "by_missing",
	}
}

// kindKeys are the keys of which a rule has one at most.
func kindKeys() []Kind {
	return []Kind{Threshold, Distinct, Spike, FirstSeen, Sequence, Absence, Chain}
}

// forms are the forms of names; compiled for each load, there is no global to change.
type forms struct {
	id, playbook, attack, atlas, owasp, reg, concern, list *regexp.Regexp
}

func newForms() *forms {
	return &forms{
		id:       regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*){1,4}$`),
		playbook: regexp.MustCompile(`^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*$`),
		attack:   regexp.MustCompile(`^T\d{4}(\.\d{3})?$`),
		atlas:    regexp.MustCompile(`^AML\.T\d{4}(\.\d{3})?$`),
		owasp:    regexp.MustCompile(`^(API|LLM|A|M)\d{1,2}:\d{4}$`),
		reg:      regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:-]{1,39}$`),
		concern:  regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`),
		list:     regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`),
	}
}

// parseSpec reads a rule's file.
func parseSpec(s *source, f *forms) *spec {
	root := parseYAML(s, maxRuleBytes, maxRuleLines)
	if root == nil {
		return nil
	}
	d := decoder{source: s}
	m := d.mapping(root, "rule", ruleKeys()...)
	if m == nil {
		return nil
	}
	sp := &spec{root: root}
	r := &sp.rule
	for _, key := range []string{"id", "version", "title", "description", "severity", "when", "playbook", "tests"} {
		if m[key] == nil && (key != "when" || m["sequence"] == nil) {
			d.errorf(root, "", "rule has no %s", key)
		}
	}
	sp.identity(d, m, f, s.name)
	if n := m["when"]; n != nil && d.scalar(n, "when") {
		if strings.TrimSpace(n.text) == "" {
			d.errorf(n, "", "when is empty")
		} else {
			sp.when = n
		}
	}
	sp.exceptions(d, m["except"])
	if n := m["needs"]; n != nil {
		sp.needs = []event.ID{}
		for _, item := range d.list(n, "needs", 20) {
			if id, ok := d.field(item, "needs"); ok {
				sp.needs = append(sp.needs, id)
			}
		}
	}
	r.By = d.valueFields(m["by"], "by", maxBy)
	sp.kind(d, m)
	sp.suppress(d, m["suppress"])
	sp.emit(d, m["emit"])
	sp.display(d, m)
	if n := m["tests"]; n != nil {
		sp.tests = parseTests(d, n, r.Kind)
	}
	return sp
}

// identity reads what a rule says of itself.
func (sp *spec) identity(d decoder, m map[string]*node, f *forms, file string) {
	r := &sp.rule
	if n := m["id"]; n != nil && d.scalar(n, "id") {
		r.ID = n.text
		switch {
		case !f.id.MatchString(r.ID) || len(r.ID) > 100:
			d.errorf(n, "want a form like lw.area.name", "id %q", r.ID)
		case file != r.ID+".yaml":
			d.errorf(n, "", "file of rule %s must be called %s.yaml", r.ID, r.ID)
		}
	}
	if n := m["version"]; n != nil {
		r.Version = int(d.integer(n, "version", 1, 1_000_000))
	}
	r.Description = d.text(m["description"], "description", maxTextBytes)
	if n := m["description"]; n != nil && n.shape == shapeScalar && r.Description == "" {
		d.errorf(n, "", "description is empty")
	}
	if n := m["severity"]; n != nil {
		r.Severity = event.Severity(d.word(n, "severity", severityWords()))
	}
	if n := m["risk"]; n != nil {
		if risk := d.mapping(n, "risk", "score", "entity"); risk != nil {
			if risk["score"] == nil || risk["entity"] == nil {
				d.errorf(n, "want {score: 60, entity: client.ip}", "risk has a score and an entity")
			} else {
				r.Risk.Score = d.number(risk["score"], "risk.score", 0, 100)
				r.Risk.Entity, _ = d.valueField(risk["entity"], "risk.entity")
			}
		}
	}
	if n := m["tags"]; n != nil {
		sp.tags(d, n, f)
	}
	r.Budget = NoBudget
	if n := m["budget"]; n != nil {
		r.Budget = int(d.integer(n, "budget", 0, maxCount))
	}
	r.Mode = Live
	if n := m["mode"]; n != nil {
		r.Mode = Mode(d.word(n, "mode", []string{string(Live), string(Shadow)}))
	}
	if n := m["playbook"]; n != nil && d.scalar(n, "playbook") {
		r.Playbook = n.text
		if !f.playbook.MatchString(n.text) {
			d.errorf(n, "want a form like auth/bad-credentials-burst, without .md", "playbook %q", n.text)
		}
	}
}

func (sp *spec) tags(d decoder, n *node, f *forms) {
	m := d.mapping(n, "tags", "attack", "atlas", "owasp", "reg", "concern")
	if m == nil {
		return
	}
	t := &sp.rule.Tags
	t.Attack = d.words(m["attack"], "tags.attack", "T1110.004", f.attack)
	t.Atlas = d.words(m["atlas"], "tags.atlas", "AML.T0015", f.atlas)
	t.OWASP = d.words(m["owasp"], "tags.owasp", "API2:2023", f.owasp)
	t.Reg = d.words(m["reg"], "tags.reg", "DORA-10", f.reg)
	if c := m["concern"]; c != nil && d.scalar(c, "tags.concern") {
		t.Concern = c.text
		if !f.concern.MatchString(c.text) {
			d.errorf(c, "want a word like key-abuse", "tags.concern %q", c.text)
		}
	}
}

// exceptions reads except. Each entry ends, belongs to someone and says why.
func (sp *spec) exceptions(d decoder, n *node) {
	for _, item := range d.list(n, "except", maxExcept) {
		m := d.mapping(item, "except", "when", "until", "owner", "why")
		if m == nil {
			continue
		}
		x := exceptSpec{at: item, when: m["when"]}
		for _, key := range []string{"when", "until", "owner", "why"} {
			if m[key] == nil || m[key].shape == shapeScalar && strings.TrimSpace(m[key].text) == "" {
				d.errorf(item, "want {when: …, until: 2027-01-31, owner: soc, why: …}", "exception has no %s", key)
			}
		}
		x.owner = d.text(m["owner"], "except.owner", 200)
		x.why = d.text(m["why"], "except.why", maxTextBytes)
		if u := m["until"]; u != nil && d.scalar(u, "except.until") {
			ns, ok := parseInstant(u.text)
			if !ok {
				d.errorf(u, "want a date such as 2027-01-31, which is its first instant in UTC", "except.until %q", u.text)
			}
			x.until = ns
		}
		if x.when != nil && d.scalar(x.when, "except.when") {
			sp.except = append(sp.except, x)
		}
	}
}

// kind reads the one key that names the rule's kind, and what belongs to it.
func (sp *spec) kind(d decoder, m map[string]*node) {
	r := &sp.rule
	r.Kind = Each
	var key *node
	for _, k := range kindKeys() {
		n := m[string(k)]
		if n == nil {
			continue
		}
		if key != nil {
			d.errorf(n, "a rule has one kind", "rule is %s and %s at once", r.Kind, k)
			continue
		}
		key, r.Kind = n, k
	}
	sp.parameters(d, m, key)
	sp.window(d, m, key)
	sp.missing(d, m["by_missing"])
}

// missing reads whether events without a value of by have a key of their own.
func (sp *spec) missing(d decoder, n *node) {
	r := &sp.rule
	if n == nil || d.word(n, "by_missing", []string{"skip", "group"}) != "group" {
		return
	}
	r.GroupMissing = true
	switch {
	case len(r.By) == 0:
		d.errorf(n, "such as by: [client.ip]", "by_missing has no use without by")
	case r.Kind == Absence || r.Kind == Chain:
		d.errorf(n, "", "by_missing: group has no use with %s", r.Kind)
	}
	for _, id := range r.By {
		if !isText(id) {
			d.errorf(n, "", "by_missing: group goes with texts, and %s is a %s", id, event.FieldOf(id).Type)
		}
	}
}

// emit reads whether the rule waits for the watermark. Only a rule that one more event cannot take
// back may do without.
func (sp *spec) emit(d decoder, n *node) {
	r := &sp.rule
	if n == nil || d.word(n, "emit", []string{"ordered", "eager"}) != "eager" {
		return
	}
	r.Eager = true
	switch r.Kind {
	case Threshold, Distinct:
	case Sequence:
		if len(r.Once) > 0 {
			d.errorf(n, "take once or emit away", "a sequence with once is decided by the order of events: it cannot fire before that is known")
		}
		for _, s := range r.Steps {
			if s.Negative || s.HasUntil {
				d.errorf(n, "take emit away", "a sequence with not or until is decided by the order of events: it cannot fire before that is known")
				break
			}
		}
	case Each, Spike, FirstSeen, Absence, Chain:
		d.errorf(n, "emit: eager is for threshold, distinct and sequence", "a rule of kind %s cannot fire before the order of events is known", r.Kind)
	}
	if r.Suppress.For <= 0 {
		d.errorf(n, "such as suppress: 1m", "emit: eager needs suppress: what was told early must be known when order comes to it")
	}
}

// window reads window and once, as far as the kind has them.
func (sp *spec) window(d decoder, m map[string]*node, key *node) {
	r := &sp.rule
	switch n := m["window"]; {
	case n == nil:
		if windowed(r.Kind) {
			d.errorf(key, "such as window: 5m", "%s has no window", r.Kind)
		}
	case windowed(r.Kind):
		r.Window = d.duration(n, "window", minWindow, maxWindow)
	case r.Kind == Each && m["once"] != nil:
		r.Window = d.duration(n, "window", minWindow, maxWindow)
	case r.Kind == Each:
		d.errorf(n, "give it a threshold, distinct or once, or take the window away", "a rule per event has no window")
	case r.Kind == Absence:
		d.errorf(n, "absence.for says how long", "absence has no window")
	default:
		d.errorf(n, "first_seen.history says how long values are remembered", "first_seen has no window")
	}
	n := m["once"]
	if n == nil {
		return
	}
	r.Once = d.valueFields(n, "once", maxBy)
	switch r.Kind {
	case Each:
		if m["window"] == nil {
			d.errorf(n, "such as window: 1h", "once has no window")
		}
	case Distinct:
		d.errorf(n, "distinct counts each value once already", "once has no use with distinct")
	case FirstSeen, Absence, Chain:
		d.errorf(n, "", "once has no use with %s", r.Kind)
	case Threshold, Spike, Sequence:
	}
}

// suppress reads "30m" or {for, escalate_at}. Without it a windowed rule holds back for its window;
// absence fires once until what was absent is back, which {until: recovered} says in words.
func (sp *spec) suppress(d decoder, n *node) {
	r := &sp.rule
	if r.Kind != Each && r.Kind != Absence {
		r.Suppress.For = r.Window
	}
	switch {
	case n == nil || n.shape == shapeNull:
	case n.shape == shapeScalar:
		r.Suppress.For = d.duration(n, "suppress", 0, maxSuppress)
	default:
		m := d.mapping(n, "suppress", "for", "escalate_at", "until")
		if m == nil {
			return
		}
		if u := m["until"]; u != nil && d.word(u, "suppress.until", []string{"recovered"}) != "" && r.Kind != Absence {
			d.errorf(u, "such as for: 1h", "only absence recovers; a rule of kind %s is held back for a time", r.Kind)
		}
		if f := m["for"]; f != nil {
			r.Suppress.For = d.duration(f, "suppress.for", 0, maxSuppress)
		}
		if e := m["escalate_at"]; e != nil {
			r.Suppress.EscalateAt = d.integer(e, "suppress.escalate_at", 1, 1_000_000_000)
			switch {
			case r.Kind != Each && r.Kind != Threshold && r.Kind != Distinct:
				d.errorf(e, "", "a rule of kind %s has no count to escalate at", r.Kind)
			case r.Suppress.EscalateAt <= r.Count:
				d.errorf(e, "", "suppress.escalate_at must be above the rule's threshold of %d", r.Count)
			}
		}
	}
}

// usefulShow are the fields that answer an on-call's first questions: from where, with whose key,
// for which tenant, over which route, against which vendor. A rule without show carries them.
func usefulShow() []event.ID {
	return []event.ID{
		event.OrganizationID, event.ClientIP, event.GatewayConsumer, event.APIKeyOwner, event.GatewayRoute,
		event.LivenessVendor, event.UserAgentClass, event.ClientGeoCountry,
	}
}

// display reads title and show. Fields named in the title are always shown; then come those that
// show lists, or the useful ones; at most event.MaxShow, and never what is in by, which every alert
// carries anyway.
func (sp *spec) display(d decoder, m map[string]*node) {
	r := &sp.rule
	if n := m["title"]; n != nil && d.scalar(n, "title") {
		const longest = 200
		t, err := ParseTemplate(n.text)
		switch {
		case strings.TrimSpace(n.text) == "" || len(n.text) > longest || strings.Contains(strings.TrimSpace(n.text), "\n"):
			d.errorf(n, "", "title must be one line of 1 to %d bytes", longest)
		case err != nil:
			sp.titleError(d, n, err)
		default:
			r.Title = t
			sp.placeholders(d, n, t)
		}
	}
	var show []event.ID
	put := func(ids ...event.ID) {
		for _, id := range ids {
			if !slices.Contains(show, id) && !slices.Contains(r.By, id) && len(show) < event.MaxShow {
				show = append(show, id)
			}
		}
	}
	put(r.Title.Fields()...)
	if r.Risk.Score > 0 {
		put(r.Risk.Entity)
	}
	if n := m["show"]; n != nil {
		stated := d.valueFields(n, "show", event.MaxShow)
		put(stated...)
		put(event.OrganizationID)
		for _, id := range stated {
			if !slices.Contains(show, id) && !slices.Contains(r.By, id) {
				d.errorf(n, "", "show has no room for %s: title and risk take some of its %d places", id, event.MaxShow)
			}
		}
	} else {
		put(usefulShow()...)
	}
	r.Show = show
}

func (sp *spec) titleError(d decoder, n *node, err error) {
	at, hint := n.at, ""
	if te, ok := err.(templateError); ok { //nolint:errorlint // ParseTemplate returns it as it is
		at = d.source.within(n, len([]rune(n.text[:te.offset])))
		name, _, _ := strings.Cut(n.text[te.offset:], "}")
		if s := strict.Nearest(name, append(fieldNames(), counters()...)); s != "" {
			hint = "did you mean {" + s + "}?"
		}
	}
	d.source.report(LevelError, at, "title: "+err.Error(), hint)
}

// placeholders refuses those that an alert of this kind has no value for.
func (sp *spec) placeholders(d decoder, n *node, t Template) {
	r := &sp.rule
	for _, p := range t.parts {
		wrong := false
		switch p.name {
		case "distinct.count":
			wrong = r.Kind != Distinct && (r.Kind != Chain || r.Chain.As != ChainDistinct)
		case "chain.distinct":
			wrong = r.Kind != Chain || r.Chain.As != ChainDistinct
		case "chain.risk":
			wrong = r.Kind != Chain || r.Chain.As != ChainRisk
		case "chain.rules":
			wrong = r.Kind != Chain
		case "ratio", "spike.ratio", "spike.baseline", "spike.count", "spike.total":
			wrong = r.Kind != Spike
		case "window":
			wrong = r.Window == 0 && r.Kind == Each
		case "threshold":
			wrong = r.Kind != Threshold && r.Kind != Distinct && r.Kind != Chain
		default:
			if i := stepCounter(p.name); i >= 0 && (r.Kind != Sequence || i >= len(r.Steps)) {
				d.errorf(n, "steps[0] is the first", "title: the rule has no %s", strings.TrimSuffix(p.name, ".count"))
			}
			if id, ok := event.Lookup(p.name); ok && event.FieldOf(id).Type == event.Keywords {
				d.errorf(n, "", "title: %s is an array and has no one value", id)
			}
			if id, ok := event.Lookup(p.name); ok && event.FieldOf(id).Class == event.Transient {
				d.errorf(n, "", "title: %s is dropped before rules see the event", id)
			}
		}
		if wrong {
			d.errorf(n, "", "title: a rule of kind %s has no {%s}", r.Kind, p.name)
		}
	}
}
