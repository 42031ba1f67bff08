package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// dead reports parts of a condition that can never hold: an error where it is the whole condition, a
// warning where it is one of several under or.
func (c *compiler) dead(n ast.Node) { c.deadPart(n, nil, true) }

func (c *compiler) deadPart(n ast.Node, outer []ast.Node, whole bool) {
	parts := flatten(n, "and")
	all := slices.Concat(outer, parts)
	if at, why := c.contradiction(all, len(outer)); at != nil {
		if whole {
			c.fail(at, "", "condition never holds: %s", why)
		} else {
			c.warn(at, "take it out, or see whether and was meant for or", "this part never holds: %s", why)
		}
		return
	}
	for i, p := range parts {
		branches := flatten(p, "or")
		if len(branches) < 2 {
			continue
		}
		rest := slices.Concat(outer, parts[:i], parts[i+1:])
		for _, b := range branches {
			c.deadPart(b, rest, false)
		}
	}
}

// flatten are the parts that an operator joins.
func flatten(n ast.Node, operator string) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && b.Operator == operator {
		return append(flatten(b.Left, operator), flatten(b.Right, operator)...)
	}
	return []ast.Node{n}
}

// interval is what comparisons leave of a number.
type interval struct {
	low, high         float64
	openLow, openHigh bool
}

func (v *interval) empty() bool {
	return v.low > v.high || v.low == v.high && (v.openLow || v.openHigh)
}

func (v *interval) atLeast(x float64, open bool) {
	if x > v.low || x == v.low && open {
		v.low, v.openLow = x, open
	}
}

func (v *interval) atMost(x float64, open bool) {
	if x < v.high || x == v.high && open {
		v.high, v.openHigh = x, open
	}
}

// rangeOf are the values that a number can have.
func rangeOf(id event.ID) interval {
	v := interval{low: math.Inf(-1), high: math.Inf(1)}
	switch id {
	case event.HTTPResponseStatusCode:
		v.low, v.high = 100, 599
	case event.LivenessScore, event.LivenessThreshold:
		v.low, v.high = 0, 1
	case event.LivenessMargin:
		v.low, v.high = -1, 1
	case event.SourcePort:
		v.low, v.high = 0, 65535
	case event.LivenessScoreRaw:
	default:
		if t := event.FieldOf(id).Type; t == event.Long || t == event.Double {
			v.low = 0
		}
	}
	return v
}

// contradiction finds the first of the parts, from the one numbered from on, that those before it rule
// out, and says why.
func (c *compiler) contradiction(parts []ast.Node, from int) (at ast.Node, why string) {
	ranges := map[event.ID]*interval{}
	texts := map[event.ID]string{} // value demanded by ==
	not := map[event.ID][]string{} // values excluded by !=
	said := map[string]bool{}      // parts as they are written
	denied := map[string]bool{}    // … under not
	for i, p := range parts {
		text := p.String()
		if u, ok := p.(*ast.UnaryNode); ok && u.Operator == "not" {
			inner := u.Node.String()
			if denied[inner] = true; said[inner] && i >= from {
				return p, "it is demanded and excluded"
			}
		}
		if said[text] = true; denied[text] && i >= from {
			return p, "it is demanded and excluded"
		}
		b, ok := p.(*ast.BinaryNode)
		if !ok {
			continue
		}
		id, op, value, ok := c.comparison(b)
		if !ok {
			continue
		}
		if s, ok := value.(*ast.StringNode); ok {
			switch op {
			case "==":
				texts[id] = s.Value
			case "!=":
				not[id] = append(not[id], s.Value)
			}
			if t, ok := texts[id]; ok && slices.Contains(not[id], t) && i >= from {
				return p, fmt.Sprintf("%s cannot be and not be %q", id, t)
			}
			continue
		}
		x, ok := number(value)
		if !ok {
			continue
		}
		v := ranges[id]
		if v == nil {
			r := rangeOf(id)
			v = &r
			ranges[id] = v
		}
		switch op {
		case "==":
			v.atLeast(x, false)
			v.atMost(x, false)
		case "<":
			v.atMost(x, true)
		case "<=":
			v.atMost(x, false)
		case ">":
			v.atLeast(x, true)
		case ">=":
			v.atLeast(x, false)
		}
		if v.empty() && i >= from {
			return p, rangeText(id)
		}
	}
	return nil, ""
}

// rangeText says why no value is left.
func rangeText(id event.ID) string {
	r := rangeOf(id)
	switch {
	case !math.IsInf(r.low, 0) && !math.IsInf(r.high, 0):
		return fmt.Sprintf("no %s, which is from %v to %v, satisfies all comparisons", id, r.low, r.high)
	case !math.IsInf(r.low, 0):
		return fmt.Sprintf("no %s, which is never below %v, satisfies all comparisons", id, r.low)
	}
	return fmt.Sprintf("no %s satisfies all comparisons", id)
}

// comparison takes a comparison of a field with a constant apart, the field to the left.
func (c *compiler) comparison(b *ast.BinaryNode) (id event.ID, op string, value ast.Node, ok bool) {
	mirrored := map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
	if mirrored[b.Operator] == "" {
		return 0, "", nil, false
	}
	if id, ok := c.refs[b.Left]; ok {
		return id, b.Operator, b.Right, true
	}
	if id, ok := c.refs[b.Right]; ok {
		return id, mirrored[b.Operator], b.Left, true
	}
	return 0, "", nil, false
}

// number is the value of a number's node.
func number(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return float64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.UnaryNode:
		if v, ok := number(n.Node); ok && n.Operator == "-" {
			return -v, true
		}
	}
	return 0, false
}

// swallows tells whether an exception holds wherever the rule's condition does, as far as can be seen
// from how both are written.
func (e *expression) swallows(when *expression, by []event.ID) bool {
	for i := range e.conjuncts {
		implied := false
		for _, branch := range flatten(e.conjuncts[i].node, "or") {
			implied = implied || when.implies(branch, by)
		}
		if !implied && !when.narrower(&e.conjuncts[i]) {
			return false
		}
	}
	return len(e.conjuncts) > 0
}

// implies tells whether a part holds wherever the condition does.
func (e *expression) implies(part ast.Node, by []event.ID) bool {
	text := part.String()
	call, presence := part.(*ast.CallNode)
	presence = presence && callee(call) == "has" && len(call.Arguments) == 1
	for _, j := range e.conjuncts {
		if j.node.String() == text {
			return true
		}
		if !presence {
			continue
		}
		name, _ := dotted(call.Arguments[0])
		if id, ok := event.Lookup(name); ok && (slices.Contains(j.needs, id) || slices.Contains(by, id)) {
			return true
		}
	}
	return false
}

// narrower tells whether the condition demands of a field one of fewer values than a part does.
func (e *expression) narrower(part *conjunct) bool {
	if !part.equal {
		return false
	}
	for _, j := range e.conjuncts {
		if !j.equal || j.field != part.field {
			continue
		}
		inside := true
		for _, t := range j.texts {
			inside = inside && slices.Contains(part.texts, t)
		}
		for _, w := range j.wholes {
			inside = inside && slices.Contains(part.wholes, w)
		}
		if inside {
			return true
		}
	}
	return false
}
