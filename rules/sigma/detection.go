package sigma

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// detectionRule are the parts of a rule that say what it finds.
type detectionRule struct {
	detection, correlation, filter, logsource, action strict.Node
}

func (r *detectionRule) take(e strict.Entry) {
	switch e.Key {
	case "detection":
		r.detection = e.Value
	case "correlation":
		r.correlation = e.Value
	case "filter":
		r.filter = e.Value
	case "logsource":
		r.logsource = e.Value
	case "action":
		r.action = e.Value
	}
}

func (r *detectionRule) empty() bool {
	return r.detection.IsZero() && r.correlation.IsZero() && r.filter.IsZero()
}

// detection carries a detection.
func (d *document) detection(o Options) *writer {
	t := d.matching()
	if t == nil {
		return nil
	}
	w := writer{doc: d, o: o, by: []string{o.By}, when: expression(t)}
	w.sample = sampleOf(t)
	return &w
}

// matching is what a detection matches, as far as it can be expressed; nil where it is refused.
func (d *document) matching() *tree {
	r := d.rule
	switch {
	case !r.filter.IsZero():
		d.refuse(r.filter, "it is a filter: write it as an except of the rules it is about")
		return nil
	case !r.action.IsZero():
		d.refuse(r.action, "actions are of Sigma 1")
		return nil
	}
	d.logsource()
	full := d.searches()
	if full == nil || len(d.refused) > 0 {
		return nil
	}
	t, cause := full.express(true, func(left *tree) { d.notes = append(d.notes, Note{left.at.Line(), "left out: " + left.cause}) })
	if t == nil {
		d.refused = append(d.refused, Note{cause.at.Line(), cause.cause})
		return nil
	}
	t.narrowed(func(x *tree) {
		n := note(x.at, "%s: only the path is looked at, not the query", x.test.name)
		if x.test.kind == testSuffix || x.test.kind == testEquals {
			n = note(x.at, "%s: the end of the path is tested, also where a query follows it", x.test.name)
		}
		if !slices.ContainsFunc(d.notes, func(o Note) bool { return o.Message == n.Message }) {
			d.notes = append(d.notes, n)
		}
	})
	return t
}

// narrowed calls f for each test of which only the path is known.
func (t *tree) narrowed(f func(*tree)) {
	if t.op == opTest && t.test.narrower {
		f(t)
	}
	for _, k := range t.kids {
		k.narrowed(f)
	}
}

func (d *document) logsource() {
	var category, product, service string
	for _, e := range d.rule.logsource.Entries() {
		switch e.Key {
		case "category":
			category = e.Value.Text()
		case "product":
			product = e.Value.Text()
		case "service":
			service = e.Value.Text()
		case "definition":
			d.notes = append(d.notes, note(e.At, "its log source says how the log must be made: read definition"))
		}
	}
	known := source(category, product, service)
	if category == "" && product != "" {
		known = source("web", product, service)
	}
	if !known {
		d.refuse(d.rule.logsource, "its log source is none of a gateway (category %q, product %q, service %q)", category, product, service)
	}
}

// searches reads detection: its searches by name, joined by its condition.
func (d *document) searches() *tree {
	search := make(map[string]*tree)
	var names []string
	var conditions []strict.Node
	for _, e := range d.rule.detection.Entries() {
		switch e.Key {
		case "condition":
			conditions = e.Value.Items()
		case "timeframe":
			d.refuse(e.At, "timeframe is of Sigma 1; correlations have taken its place")
		default:
			names = append(names, e.Key)
			search[e.Key] = searchOf(e.Value)
		}
	}
	if len(conditions) == 0 {
		d.refuse(d.rule.detection, "it has no condition")
		return nil
	}
	var all []*tree
	for _, n := range conditions {
		t, err := parseCondition(n.Text(), n, names, search)
		if err != nil {
			d.refuse(n, "%s", err)
			return nil
		}
		all = append(all, t)
	}
	return join(opOr, conditions[0], all)
}

// searchOf is one search: fields that must all hold, or a list of which one must.
func searchOf(n strict.Node) *tree {
	if n.IsMapping() {
		var kids []*tree
		for _, e := range n.Entries() {
			kids = append(kids, fieldOf(e))
		}
		if len(kids) == 0 {
			return cannot(n, "a search is empty")
		}
		return join(opAnd, n, kids)
	}
	var kids []*tree
	for _, item := range n.Items() {
		if item.IsMapping() {
			kids = append(kids, searchOf(item))
		} else {
			kids = append(kids, cannot(item, "keywords are looked for in the whole line, and events have no line"))
		}
	}
	if len(kids) == 0 {
		return cannot(n, "a search is empty")
	}
	return join(opOr, n, kids)
}

// fieldOf is a field with its modifiers and values.
func fieldOf(e strict.Entry) *tree {
	parts := strings.Split(e.Key, "|")
	name := parts[0]
	if name == "" {
		return cannot(e.At, "keywords are looked for in the whole line, and events have no line")
	}
	tg, ok := taxonomy(name)
	switch {
	case !ok:
		return cannot(e.At, "%s is no field of a gateway's log", name)
	case tg.gone != "":
		return cannot(e.At, "%s: %s", name, tg.gone)
	}
	m, bad := modifiersOf(parts[1:])
	if bad != "" {
		return cannot(e.At, "%s: the modifier %s cannot be expressed", name, bad)
	}
	var kids []*tree
	for _, v := range e.Value.Items() {
		kids = append(kids, valueOf(name, tg, m, v))
	}
	if len(kids) == 0 {
		return cannot(e.At, "%s has no value", name)
	}
	o := opOr
	if m.all {
		o = opAnd
	}
	return join(o, e.At, kids)
}

// modifiers of a field.
type modifiers struct {
	shape   string // contains, startswith, endswith, re, cidr, exists, lt, lte, gt, gte or ""
	all     bool
	cased   bool
	flags   string // of a regular expression
	negated bool
}

func modifiersOf(names []string) (m modifiers, bad string) {
	for _, n := range names {
		switch n {
		case "all":
			m.all = true
		case "cased":
			m.cased = true
		case "neq":
			m.negated = true
		case "i", "m", "s":
			if m.shape != "re" {
				return m, n
			}
			m.flags += n
		case "contains", "startswith", "endswith", "re", "cidr", "exists", "lt", "lte", "gt", "gte":
			if m.shape != "" {
				return m, n
			}
			m.shape = n
		default:
			return m, n
		}
	}
	return m, ""
}

// valueOf is a field with one value.
func valueOf(name string, tg target, m modifiers, v strict.Node) *tree {
	t := valueTest(name, tg, m, v)
	if m.negated && t.op != opCannot {
		return &tree{op: opNot, kids: []*tree{t}, at: v}
	}
	return t
}

func valueTest(name string, tg target, m modifiers, v strict.Node) *tree {
	f := event.FieldOf(tg.id)
	leaf := func(k testKind, text string) *tree {
		return &tree{op: opTest, at: v, test: test{name: name, field: tg, kind: k, text: text, cased: m.cased}}
	}
	if v.IsMapping() || v.IsList() {
		return cannot(v, "%s: a value is neither a text nor a number", name)
	}
	text := ""
	if !v.IsNull() {
		text = v.Text()
	}
	switch {
	case m.shape == "exists":
		if text == "true" || text == "yes" {
			return leaf(testHas, "")
		}
		return leaf(testMissing, "")
	case v.IsNull(), text == "" && m.shape == "":
		return leaf(testMissing, "")
	case tg.key:
		return cannot(v, "%s is a pseudonym here: it cannot be compared with a text", name)
	case text == "":
		return cannot(v, "%s: every text %s the empty text", name, m.shape)
	}
	switch f.Type {
	case event.Long, event.Double:
		return number(name, m, text, v, leaf)
	case event.IP:
		return address(name, m, text, v, leaf)
	case event.Keyword, event.Text:
		return textual(name, tg, m, text, v, leaf)
	case event.Bool:
		if m.shape == "" && (text == "true" || text == "false") {
			return leaf(testBool, text)
		}
	case event.Keywords:
		if m.shape == "" && !strings.ContainsAny(text, `*?\`) {
			return leaf(testElement, text)
		}
	case event.Date:
	}
	return cannot(v, "%s: this test of it cannot be expressed", name)
}

func number(name string, m modifiers, text string, v strict.Node, leaf func(testKind, string) *tree) *tree {
	digit, wild := strings.CutSuffix(text, "*")
	if m.shape == "startswith" {
		digit, wild = text, true
	}
	if (m.shape == "" || m.shape == "startswith") && wild && len(digit) == 1 && digit >= "1" && digit <= "5" {
		return leaf(testHundred, digit) // of a status
	}
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return cannot(v, "%s is a number: it cannot be compared with a pattern", name)
	}
	switch m.shape {
	case "":
		return leaf(testNumber, text)
	case "lt", "lte", "gt", "gte":
		t := leaf(testCompare, text)
		t.test.compare = map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[m.shape]
		return t
	}
	return cannot(v, "%s is a number: %s cannot be expressed", name, m.shape)
}

func address(name string, m modifiers, text string, v strict.Node, leaf func(testKind, string) *tree) *tree {
	switch m.shape {
	case "cidr":
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return cannot(v, "%s: not a network", name)
		}
		return leaf(testNet, p.Masked().String())
	case "":
		if ip, ok := event.CanonicalIP(text); ok {
			return leaf(testEquals, ip)
		}
	}
	return cannot(v, "%s is an address: only cidr and whole addresses can be expressed", name)
}
