package rules

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// chainValues are what a chain may count different values of.
func chainValues() []string {
	return []string{"rule.id", "threat.tactic.name", "threat.technique.id"}
}

// alertField is a field that alerts have and events have not.
type alertField struct {
	kind  kind
	text  func(*event.Alert) string
	whole func(*event.Alert) int64
	real  func(*event.Alert) float64
	list  func(*event.Alert) []string
}

// alertFields are the fields of alerts by name, for the conditions of chain rules. Beside them these
// know the fields of the alert's key, and those on which all of its events agreed.
func alertFields() map[string]alertField {
	return map[string]alertField{
		"rule.id":             {kind: kindString, text: func(a *event.Alert) string { return a.Rule.ID }},
		"event.severity":      {kind: kindInt, whole: func(a *event.Alert) int64 { return int64(a.Rule.Severity.Number()) }},
		"event.risk_score":    {kind: kindFloat, real: func(a *event.Alert) float64 { return a.Rule.Risk }},
		"liveward.alert.mode": {kind: kindString, text: func(a *event.Alert) string { return a.Mode }},
		"liveward.alert.count": {
			kind: kindInt, whole: func(a *event.Alert) int64 { return a.Count },
		},
		"threat.technique.id": {kind: kindStrings, list: func(a *event.Alert) []string { return a.Rule.Attack }},
		"threat.tactic.name":  {kind: kindStrings, list: tacticsOf},
	}
}

// tacticsOf are the tactics of an alert's techniques, each once.
func tacticsOf(a *event.Alert) []string {
	var out []string
	for _, t := range a.Rule.Attack {
		if name := tacticOf(t); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// alertOperand reads a field of the alert; nil where the name is none of its own.
func alertOperand(n ast.Node, name string) *operand {
	f, ok := alertFields()[name]
	if !ok {
		return nil
	}
	o := &operand{kind: f.kind, node: n, label: name, ref: refAlert}
	switch f.kind {
	case kindString:
		o.str = func(s *scope) (string, bool) {
			v := f.text(s.alert)
			return v, v != ""
		}
	case kindInt:
		o.num = func(s *scope) (int64, bool) { return f.whole(s.alert), true }
	case kindFloat:
		o.float = func(s *scope) (float64, bool) { return f.real(s.alert), true }
	case kindStrings:
		o.list = func(s *scope) []string { return f.list(s.alert) }
	case kindIP, kindBool, kindTime, kindDuration:
	}
	return o
}

// ruleNames finds the ids that a condition compares rule.id with.
type ruleNames struct{ found []exprRule }

// Visit implements ast.Visitor.
func (v *ruleNames) Visit(n *ast.Node) {
	b, ok := (*n).(*ast.BinaryNode)
	if !ok || b.Operator != "==" && b.Operator != "!=" && b.Operator != "in" {
		return
	}
	if name, _ := dotted(b.Left); name != "rule.id" {
		return
	}
	values := []ast.Node{b.Right}
	if array, ok := b.Right.(*ast.ArrayNode); ok {
		values = array.Nodes
	}
	for _, x := range values {
		if text, ok := x.(*ast.StringNode); ok {
			v.found = append(v.found, exprRule{text.Location().From, text.Value})
		}
	}
}

// alertMatch makes the function that holds a chain rule against an alert. Alerts that only report
// something of an earlier one are none, and those of rules in shadow mode concern live chains only
// where the chain asks for the mode.
func (m *matcher) alertMatch(r *Rule) AlertMatch {
	by, of, id := r.By, m.spec.chainOf, r.ID
	shadows := r.Mode == Shadow || m.shadows
	return func(a *event.Alert) (key, values []event.Value, ok bool) {
		if a.Rule.ID == id || a.Status != event.Firing || a.Mode == string(Shadow) && !shadows {
			return nil, nil, false
		}
		var ev event.Event
		alertEvent(a, &ev)
		s := &scope{event: &ev, alert: a}
		if !m.test(s) {
			return nil, nil, false
		}
		for i := range m.except {
			if x := &m.except[i]; a.Time < x.until && x.test(s) {
				return nil, nil, false
			}
		}
		for _, f := range by {
			v, ok := ev.ValueOf(f)
			if !ok {
				return nil, nil, false
			}
			key = append(key, v)
		}
		var texts []string
		switch of {
		case "rule.id":
			texts = []string{a.Rule.ID}
		case "threat.technique.id":
			texts = a.Rule.Attack
		case "threat.tactic.name":
			texts = tacticsOf(a)
		}
		for _, t := range texts {
			values = append(values, event.Value{Field: event.Tags, Str: t})
		}
		return key, values, true
	}
}

// alertEvent writes what an alert says of its events into an event.
func alertEvent(a *event.Alert, ev *event.Event) {
	ev.SetTime(event.Timestamp, a.Time)
	ev.SetString(event.EventDataset, "liveward.alert")
	ev.SetString(event.OrganizationID, a.Tenant)
	for _, t := range a.Rule.Tags {
		ev.Append(event.Tags, t)
	}
	if a.Drill {
		ev.SetLabel("drill", "true")
	}
	for _, vs := range [][]event.Value{a.Related, a.Key} {
		for _, v := range vs {
			setValue(ev, v)
		}
	}
}

// setValue sets a field to a value taken from another event.
func setValue(ev *event.Event, v event.Value) {
	switch event.FieldOf(v.Field).Type {
	case event.Keyword, event.Text, event.IP:
		ev.SetString(v.Field, v.Str)
	case event.Keywords:
		ev.Append(v.Field, v.Str)
	case event.Long:
		ev.SetInt(v.Field, int64(v.Num))
	case event.Date:
		ev.SetTime(v.Field, int64(v.Num))
	case event.Bool:
		ev.SetBool(v.Field, v.Num == 1)
	case event.Double:
		ev.SetFloat(v.Field, math.Float64frombits(v.Num))
	}
}
