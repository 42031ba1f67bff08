package rules

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// compare compiles == != < <= > >=.
func (c *compiler) compare(n *ast.BinaryNode) condition {
	l, r := c.operand(n.Left), c.operand(n.Right)
	if l == nil || r == nil {
		return nil
	}
	var ok bool
	switch {
	case l.constant && r.constant:
		c.fail(n, "", "two constants are compared")
		return nil
	case r.constant:
		r, ok = c.fit(l, r, &n.Right)
	case l.constant:
		l, ok = c.fit(r, l, &n.Left)
	default:
		ok = l.kind == r.kind || l.numeric() && r.numeric()
		if l.kind == kindStrings || r.kind == kindStrings {
			ok = false
		}
		if !ok {
			c.mismatch(n, l, r)
		}
	}
	if !ok {
		return nil
	}
	if n.Operator != "==" && n.Operator != "!=" && (l.textual() || l.kind == kindBool) {
		c.fail(n, "use ==, in or matches", "%s has no order", l.kind)
		return nil
	}
	switch {
	case l.textual():
		return c.compareTexts(n, l, r)
	case l.kind == kindBool:
		return c.compareBools(n, l, r)
	case l.kind == kindFloat || r.kind == kindFloat:
		if c.neverWhole(n, l, r) || c.neverWhole(n, r, l) {
			return nil
		}
		return ordered(n.Operator, l.asFloat(), r.asFloat())
	}
	if n.Operator == "==" && l.kind == kindInt {
		c.noteWhole(n, l, r)
		c.noteWhole(n, r, l)
	}
	return ordered(n.Operator, l.num, r.num)
}

// neverWhole finds a whole number compared with a constant that is none.
func (c *compiler) neverWhole(n *ast.BinaryNode, field, constant *operand) bool {
	if field.kind != kindInt || !constant.constant || n.Operator != "==" && n.Operator != "!=" || constant.real == math.Trunc(constant.real) {
		return false
	}
	c.fail(constant.node, "", "%s is a whole number and never %s", field.name(), constant.node)
	return true
}

func (c *compiler) noteWhole(n ast.Node, field, constant *operand) {
	if field.ref == refField && constant.constant {
		c.equal[n] = conjunct{field: field.field, equal: true, wholes: []int64{constant.whole}}
	}
}

// ordered compares two values of one ordered type.
func ordered[T cmp.Ordered](op string, a, b func(*scope) (T, bool)) condition {
	test := map[string]func(x, y T) bool{
		"==": func(x, y T) bool { return x == y },
		"!=": func(x, y T) bool { return x != y },
		"<":  func(x, y T) bool { return x < y },
		"<=": func(x, y T) bool { return x <= y },
		">":  func(x, y T) bool { return x > y },
		">=": func(x, y T) bool { return x >= y },
	}[op]
	return func(s *scope) bool {
		x, okX := a(s)
		y, okY := b(s)
		return okX && okY && test(x, y)
	}
}

func (c *compiler) compareTexts(n *ast.BinaryNode, l, r *operand) condition {
	if l.constant {
		l, r = r, l
	}
	equal := n.Operator == "=="
	if r.constant && l.ref == refField {
		if equal {
			c.equal[n] = conjunct{field: l.field, equal: true, texts: []string{r.text}}
		}
		// The most frequent form of all. An absent field reads as "", which no constant is.
		id, want := l.field, r.text
		if equal {
			return func(s *scope) bool { return s.event.Str(id) == want }
		}
		return func(s *scope) bool {
			v := s.event.Str(id)
			return v != "" && v != want
		}
	}
	a, b := l.str, r.str
	return func(s *scope) bool {
		x, okX := a(s)
		y, okY := b(s)
		return okX && okY && (x == y) == equal
	}
}

func (c *compiler) compareBools(n *ast.BinaryNode, l, r *operand) condition {
	equal := n.Operator == "=="
	for _, side := range [][2]*operand{{l, r}, {r, l}} {
		if side[0].ref != refField || !side[1].constant {
			continue
		}
		want := int64(0)
		if side[1].yes == equal {
			want = 1
		}
		c.equal[n] = conjunct{field: side[0].field, equal: true, wholes: []int64{want}}
	}
	a, b := l.truth, r.truth
	return func(s *scope) bool {
		x, okX := a(s)
		y, okY := b(s)
		return okX && okY && (x == y) == equal
	}
}

func (c *compiler) mismatch(n ast.Node, l, r *operand) {
	hint := ""
	if l.kind == kindStrings {
		hint = `write "value" in ` + l.name() + ", or any(" + l.name() + ", # == …)"
	}
	c.fail(n, hint, "%s is %s, %s is %s: they are never equal", l.name(), l.kind, r.name(), r.kind)
}

// fit gives a constant the type of what it is compared with, in the tree as well: durations and
// times are written as texts, addresses have one form, enumerations have fixed values.
func (c *compiler) fit(l, r *operand, slot *ast.Node) (*operand, bool) {
	n := r.node
	switch {
	case l.textual() && r.kind == kindString:
		return c.fitText(l, r)
	case l.kind == kindDuration && r.kind == kindString:
		d, err := event.ParseDuration(r.text)
		if err != nil {
			c.fail(n, "", "%s", err)
			return nil, false
		}
		constant := &ast.ConstantNode{Value: d}
		ast.Patch(slot, constant)
		return intConstant(constant, kindDuration, int64(d)), true
	case l.kind == kindTime && r.kind == kindString:
		ns, ok := parseInstant(r.text)
		if !ok {
			c.fail(n, `want a form like "2026-01-31" or "2026-01-31T12:00:00Z"`, "%q is not a time", r.text)
			return nil, false
		}
		constant := &ast.ConstantNode{Value: time.Unix(0, ns).UTC()}
		ast.Patch(slot, constant)
		return intConstant(constant, kindTime, ns), true
	case l.numeric() && r.numeric(), l.kind == kindBool && r.kind == kindBool:
		return r, true
	}
	hint := ""
	switch {
	case l.numeric() && r.kind == kindString:
		hint = "write a number without quotes"
		if _, err := strconv.ParseFloat(r.text, 64); err == nil {
			hint = "write " + r.text + " without quotes"
		}
	case l.kind == kindBool:
		hint = "write true or false without quotes"
	case l.kind == kindDuration:
		hint = `write a duration such as "90d"`
	case l.kind == kindStrings:
		hint = "write " + r.name() + " in " + l.name()
	case l.textual():
		hint = "texts stand in quotes"
	}
	c.fail(n, hint, "%s is %s, %s is %s: they are never equal", l.name(), l.kind, r.name(), r.kind)
	return nil, false
}

func (c *compiler) fitText(l, r *operand) (*operand, bool) {
	if r.text == "" {
		c.fail(r.node, "test missing("+l.name()+") or has("+l.name()+")", "an empty value counts as missing")
		return nil, false
	}
	if l.kind == kindIP {
		ip, ok := event.CanonicalIP(r.text)
		if !ok {
			c.fail(r.node, "networks are tested with inNet("+l.name()+`, "192.0.2.0/24")`, "%q is not an IP address", r.text)
			return nil, false
		}
		r.node.(*ast.StringNode).Value = ip
		return stringConstant(r.node, ip), true
	}
	if l.ref != refField && l.ref != refElem {
		return r, true
	}
	if event.FieldOf(l.field).Class == event.Pseudonym {
		c.fail(r.node, "put the id into a list with field: "+l.field.String()+"; ids in lists are made pseudonyms when they are loaded",
			"%s holds a pseudonym and never equals a text of the rule", l.field)
		return nil, false
	}
	return r, c.enumHas(r.node, l.field, r.text)
}

// enumHas reports a value that a field can never have.
func (c *compiler) enumHas(n ast.Node, id event.ID, value string) bool {
	enum := event.FieldOf(id).Enum
	if enum == nil || slices.Contains(enum, value) {
		return true
	}
	c.fail(n, strict.Suggest(value, enum), "%s is never %q", id, value)
	return false
}
