package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// Clause is a part of a condition, and whether it holds for an event.
type Clause struct {
	Text   string        `json:"text"`
	Holds  bool          `json:"holds"`
	Join   string        `json:"join,omitempty"` // and, or, not: what joins the parts
	Values []ClauseValue `json:"values,omitempty"`
	Parts  []*Clause     `json:"parts,omitempty"`
}

// ClauseValue is a field that a clause reads, as the event has it.
type ClauseValue struct {
	Field   string `json:"field"`
	Value   string `json:"value,omitempty"`
	Missing bool   `json:"missing,omitempty"`
}

// Verdict says what a rule makes of an event.
type Verdict string

// The verdicts.
const (
	VerdictMatch    Verdict = "match"
	VerdictNo       Verdict = "no match"
	VerdictExcepted Verdict = "excepted" // it matches, and an exception takes it away
	VerdictNoKey    Verdict = "no key"   // it matches, and has no value of by or of: it is not counted
)

// Explanation says for one rule and one event why they match or do not.
type Explanation struct {
	Rule    string        `json:"rule"`
	Kind    Kind          `json:"kind"`
	Verdict Verdict       `json:"verdict"`
	Why     string        `json:"why"` // one sentence
	Parts   []NamedClause `json:"parts"`
	Key     []ClauseValue `json:"key,omitempty"`
	Window  string        `json:"window,omitempty"` // what the match counts towards
}

// NamedClause is a condition with the key of the rule under which it stands.
type NamedClause struct {
	Name   string  `json:"name"`
	Clause *Clause `json:"clause"`
}

// Explain holds an event against the rule of an id, or against all where it is empty. Rules on alerts
// are explained by ExplainAlert.
func (s *Set) Explain(id string, ev *event.Event) []Explanation {
	var out []Explanation
	for _, r := range s.rules {
		if r.matcher != nil && r.Kind != Chain && (id == "" || r.ID == id) {
			out = append(out, s.explain(r, &scope{event: ev}, ev.Time(event.Timestamp)))
		}
	}
	return out
}

// ExplainAlert holds an alert against the chain of an id, or against all chains where it is empty.
func (s *Set) ExplainAlert(id string, a *event.Alert) []Explanation {
	var ev event.Event
	alertEvent(a, &ev)
	var out []Explanation
	for _, r := range s.rules {
		if r.matcher != nil && r.Kind == Chain && (id == "" || r.ID == id) {
			out = append(out, s.explain(r, &scope{event: &ev, alert: a}, a.Time))
		}
	}
	return out
}

// explainer compiles the conditions of a rule once more, with a test for each part.
type explainer struct {
	c     *compiler
	scope *scope
}

func (s *Set) explain(r *Rule, at *scope, when int64) Explanation {
	lists := map[string]*compiledList{}
	for name, l := range s.lists {
		lists[name] = compileList(name, l)
	}
	c := s.compiler(lists)
	if r.Kind == Chain {
		c = c.forAlerts()
	}
	c.trace = map[ast.Node]condition{}
	x := explainer{c: c, scope: at}
	e := Explanation{Rule: r.ID, Kind: r.Kind, Verdict: VerdictMatch}
	sp := r.matcher.spec
	add := func(name string, n *node) bool {
		clause := x.clause(n)
		if clause == nil {
			return false
		}
		e.Parts = append(e.Parts, NamedClause{name, clause})
		return clause.Holds
	}
	if sp.when != nil && !add("when", sp.when) {
		e.Verdict, e.Why = VerdictNo, "when does not hold: "+e.Parts[0].Clause.reason()
	}
	if len(sp.steps) > 0 {
		any := false
		for i, st := range sp.steps {
			any = add("step "+r.Steps[i].Name, st.when) || any
			if st.until != nil {
				any = add("until of "+r.Steps[i].Name, st.until) || any
			}
		}
		if !any && e.Verdict == VerdictMatch {
			e.Verdict, e.Why = VerdictNo, "no step holds"
		}
	}
	if sp.hit != nil && e.Verdict == VerdictMatch {
		if add("of", sp.hit) {
			e.Why = "it is a hit"
		} else {
			e.Why = "it counts among all, and is no hit"
		}
	}
	if e.Verdict != VerdictMatch {
		return e
	}
	for i, ex := range sp.except {
		if add(fmt.Sprintf("except %d", i+1), ex.when) && when < ex.until {
			e.Verdict, e.Why = VerdictExcepted, fmt.Sprintf("exception %d of %s holds: %s", i+1, ex.owner, ex.why)
			return e
		}
	}
	need := slices.Clone(r.By)
	if r.tuple() {
		need = append(need, r.Of...)
	}
	e.Key = fieldValues(at.event, need)
	for i, v := range e.Key {
		if v.Missing && (!r.GroupMissing || i >= len(r.By)) {
			e.Verdict, e.Why = VerdictNoKey, v.Field+" is missing, so that there is no key to count under"
			return e
		}
	}
	if r.Kind == Chain {
		if _, _, ok := r.MatchAlert(at.alert); !ok {
			e.Verdict, e.Why = VerdictNo, "alerts of rules in shadow mode, recoveries and the chain's own alerts do not count"
			return e
		}
	}
	if e.Why == "" {
		e.Why = "every condition holds"
	}
	e.Window = r.counts()
	return e
}

// counts says what a match counts towards.
func (r *Rule) counts() string {
	of := ""
	if len(r.By) > 0 {
		of = " of one " + joinFields(r.By)
	}
	once := ""
	if len(r.Once) > 0 {
		once = ", each " + joinFields(r.Once) + " once"
	}
	window := event.FormatDuration(r.Window)
	text := ""
	switch r.Kind {
	case Each:
		text = "an alert by itself"
		if once != "" {
			text += once + " in " + window
		}
	case Threshold:
		text = fmt.Sprintf("one of %d events%s in (t−%s, t]%s", r.Count, of, window, once)
	case Distinct:
		text = fmt.Sprintf("one of %d different %s%s in (t−%s, t]", r.Count, joinFields(r.Of), of, window)
	case Spike:
		text = fmt.Sprintf("the window [T−%s, T)%s, held against %s times the baseline of %s%s", window, of,
			formatNumber(r.Spike.Factor), event.FormatDuration(r.Spike.Baseline), once)
	case FirstSeen:
		text = fmt.Sprintf("known%s for %s; new after %s of learning", of, event.FormatDuration(r.FirstSeen.History), event.FormatDuration(r.FirstSeen.Learn))
	case Sequence:
		text = fmt.Sprintf("a step of %d%s in (t−%s, t]%s", len(r.Steps), of, window, once)
	case Absence:
		text = fmt.Sprintf("a sign of life%s; silence fires after %s", of, window)
	case Chain:
		text = fmt.Sprintf("%s of alerts%s in (t−%s, t], at least %s", r.Chain.As, of, window, formatNumber(r.Chain.AtLeast))
	}
	if r.Suppress.For > 0 {
		text += "; one alert in " + event.FormatDuration(r.Suppress.For)
	}
	return text
}

// clause holds the condition of a node against the scope.
func (x *explainer) clause(n *node) *Clause {
	e, _ := x.c.compile(n.text)
	if e == nil {
		return nil // the rule was compiled before: it does not happen
	}
	return x.part(e.tree)
}

func (x *explainer) part(n ast.Node) *Clause {
	test := x.c.trace[n]
	out := &Clause{Text: n.String(), Holds: test != nil && test(x.scope)}
	switch n := n.(type) {
	case *ast.BinaryNode:
		if n.Operator == "and" || n.Operator == "or" {
			out.Join = n.Operator
			for _, p := range flatten(n, n.Operator) {
				out.Parts = append(out.Parts, x.part(p))
			}
			return out
		}
	case *ast.UnaryNode:
		if n.Operator == "not" {
			out.Join = "not"
			out.Parts = []*Clause{x.part(n.Node)}
			return out
		}
	case *ast.ConditionalNode:
		out.Join = "?:"
		out.Parts = []*Clause{x.part(n.Cond), x.part(n.Exp1), x.part(n.Exp2)}
		return out
	}
	out.Values = fieldValues(x.scope.event, x.c.mentioned(n))
	names := &nameFinder{}
	ast.Walk(&n, names)
	for _, name := range names.found {
		out.Values = append(out.Values, x.other(name)...)
	}
	return out
}

// other is the value of a name that is no field: a label, or a field of an alert.
func (x *explainer) other(name string) []ClauseValue {
	v := ClauseValue{Field: name}
	o := (*operand)(nil)
	if key, ok := strings.CutPrefix(name, "labels."); ok {
		o = labelOperand(nil, key)
	} else if x.scope.alert != nil {
		o = alertOperand(nil, name)
	}
	if o == nil {
		return nil
	}
	ok := true
	switch {
	case o.str != nil:
		v.Value, ok = o.str(x.scope)
	case o.num != nil:
		var n int64
		n, ok = o.num(x.scope)
		v.Value = fmt.Sprint(n)
	case o.float != nil:
		var f float64
		f, ok = o.float(x.scope)
		v.Value = formatNumber(f)
	case o.list != nil:
		v.Value = strings.Join(o.list(x.scope), ", ")
		ok = v.Value != ""
	}
	v.Missing = !ok
	return []ClauseValue{v}
}

// nameFinder collects the dotted names in an expression.
type nameFinder struct{ found []string }

// Visit implements ast.Visitor.
func (f *nameFinder) Visit(n *ast.Node) {
	if name, ok := dotted(*n); ok && strings.Contains(name, ".") && !slices.Contains(f.found, name) {
		f.found = append(f.found, name)
	}
}

// fieldValues are fields as an event has them.
func fieldValues(ev *event.Event, ids []event.ID) []ClauseValue {
	var out []ClauseValue
	for _, id := range ids {
		v := ClauseValue{Field: id.String(), Missing: !ev.Has(id)}
		if x, ok := ev.ValueOf(id); ok {
			v.Value = x.String()
		} else if !v.Missing {
			v.Value = strings.Join(ev.List(id), ", ")
		}
		out = append(out, v)
	}
	return out
}

func formatNumber(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.4g", v), ".0") }

// reason is the first part that decides why a clause does not hold.
func (c *Clause) reason() string {
	switch {
	case c.Join == "and":
		for _, p := range c.Parts {
			if !p.Holds {
				return p.reason()
			}
		}
	case c.Join == "" || len(c.Parts) == 0:
		if values := c.values(); values != "" {
			return c.Text + " is false: " + values
		}
	}
	return c.Text + " is false"
}

func (c *Clause) values() string {
	parts := make([]string, len(c.Values))
	for i, v := range c.Values {
		parts[i] = v.String()
	}
	return strings.Join(parts, ", ")
}

// String is the value as people read it.
func (v ClauseValue) String() string {
	if v.Missing {
		return v.Field + " is missing"
	}
	return v.Field + " = " + event.OneLine(v.Value, 80)
}

// Print writes the explanation as a tree.
func (e *Explanation) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n", e.Rule, e.Kind, e.Verdict)
	fmt.Fprintf(&b, "  %s\n", event.OneLine(e.Why, 300))
	for _, p := range e.Parts {
		fmt.Fprintf(&b, "  %s\n", p.Name)
		p.Clause.print(&b, "    ")
	}
	if len(e.Key) > 0 {
		parts := make([]string, len(e.Key))
		for i, v := range e.Key {
			parts[i] = v.String()
		}
		fmt.Fprintf(&b, "  key: %s\n", strings.Join(parts, ", "))
	}
	if e.Window != "" {
		fmt.Fprintf(&b, "  counts as %s\n", e.Window)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Clause) print(b *strings.Builder, indent string) {
	word := "false"
	if c.Holds {
		word = "true "
	}
	if c.Join == "" {
		fmt.Fprintf(b, "%s%s %s", indent, word, event.OneLine(c.Text, 120))
		if values := c.values(); values != "" {
			fmt.Fprintf(b, "   [%s]", values)
		}
		b.WriteByte('\n')
		return
	}
	fmt.Fprintf(b, "%s%s %s\n", indent, word, c.Join)
	for _, p := range c.Parts {
		p.print(b, indent+"  ")
	}
}
