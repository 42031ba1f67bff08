package rules

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
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
	c.fail(n, meant(value, enum), "%s is never %q", id, value)
	return false
}

// operand compiles a value.
func (c *compiler) operand(n ast.Node) *operand {
	switch n := n.(type) {
	case *ast.StringNode:
		return stringConstant(n, n.Value)
	case *ast.IntegerNode:
		return intConstant(n, kindInt, int64(n.Value))
	case *ast.FloatNode:
		return floatConstant(n, n.Value)
	case *ast.BoolNode:
		v := n.Value
		return &operand{kind: kindBool, node: n, constant: true, yes: v, truth: func(*scope) (bool, bool) { return v, true }}
	case *ast.MemberNode:
		if _, name := n.Property.(*ast.StringNode); !name && !n.Optional && !n.Method {
			if list, ok := c.listOf(n.Node); list != nil {
				return c.lookup(n, list)
			} else if ok {
				return nil
			}
		}
		return c.name(n)
	case *ast.IdentifierNode:
		return c.name(n)
	case *ast.PointerNode:
		if n.Name == "" && c.inElem {
			return elemOperand(n, c.elem)
		}
	case *ast.UnaryNode:
		if n.Operator == "-" || n.Operator == "+" {
			return c.sign(n)
		}
		c.fail(n, "compare the parts and join them with and, or", "a condition is not a value")
		return nil
	case *ast.BinaryNode:
		switch n.Operator {
		case "+", "-", "*", "/", "%":
			return c.arithmetic(n)
		case "==", "!=", "<", "<=", ">", ">=", "and", "or", "&&", "||", "in", "contains", "startsWith", "endsWith", "matches":
			c.fail(n, "compare the parts and join them with and, or", "a condition is not a value")
			return nil
		}
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.CallNode:
		return c.call(n)
	}
	c.unsupported(n)
	return nil
}

func (c *compiler) sign(n *ast.UnaryNode) *operand {
	o := c.operand(n.Node)
	if o == nil {
		return nil
	}
	if !o.numeric() {
		c.fail(n, "", "%s is %s, not a number", o.name(), o.kind)
		return nil
	}
	if n.Operator == "+" {
		return o
	}
	return negated(n, o)
}

func (c *compiler) arithmetic(n *ast.BinaryNode) *operand {
	l, r := c.operand(n.Left), c.operand(n.Right)
	if l == nil || r == nil {
		return nil
	}
	for _, o := range []*operand{l, r} {
		if !o.numeric() {
			c.fail(n, "arithmetic is for numbers", "%s is %s, not a number", o.name(), o.kind)
			return nil
		}
	}
	if n.Operator == "%" && (l.kind != kindInt || r.kind != kindInt) {
		c.fail(n, "", "%% is for whole numbers")
		return nil
	}
	out := arithmetic(n, n.Operator, l, r)
	if !l.constant || !r.constant {
		return out
	}
	if out.kind == kindInt {
		if v, ok := out.num(&scope{}); ok {
			return intConstant(n, kindInt, v)
		}
	} else if v, ok := out.float(&scope{}); ok {
		return floatConstant(n, v)
	}
	c.fail(n, "", "%s has no result", n)
	return nil
}

func (c *compiler) builtin(n *ast.BuiltinNode) *operand {
	switch n.Name {
	case "len", "lower", "upper":
	default:
		c.unsupported(n)
		return nil
	}
	if len(n.Arguments) != 1 {
		c.fail(n, "", "%s wants one value", n.Name)
		return nil
	}
	o := c.operand(n.Arguments[0])
	if o == nil {
		return nil
	}
	if o.constant || !o.textual() && (n.Name != "len" || o.kind != kindStrings) {
		c.fail(n.Arguments[0], "", "%s wants a text field, %s is %s", n.Name, o.name(), o.kind)
		return nil
	}
	if n.Name == "len" {
		return length(n, o)
	}
	return folded(n, o, n.Name == "upper")
}

func (c *compiler) call(n *ast.CallNode) *operand {
	name := callee(n)
	switch name {
	case "age":
		o := c.argument(n, 1)
		if o == nil {
			return nil
		}
		if o.kind != kindTime || o.ref != refField {
			c.fail(n.Arguments[0], "such as api_key.created", "age wants a time field, %s is %s", o.name(), o.kind)
			return nil
		}
		return age(n, o)
	case "net":
		o := c.argument(n, 2)
		if o == nil {
			return nil
		}
		bits, ok := n.Arguments[1].(*ast.IntegerNode)
		if o.kind != kindIP || !ok || bits.Value < 0 || bits.Value > 128 {
			c.fail(n, "such as net(client.ip, 24)", "net wants an address field and a number of bits")
			return nil
		}
		return network(n, o, bits.Value)
	case "has", "missing", "inNet":
		c.fail(n, "", "%s(…) is a condition, not a value", name)
		return nil
	}
	c.unknownFunction(n, name)
	return nil
}

func (c *compiler) unknownFunction(n *ast.CallNode, name string) {
	if name == "" {
		c.fail(n, "", "methods are not part of the rule language")
		return
	}
	hint := meant(name, functionNames())
	if name == "now" {
		hint = "rules know event time only: age(field) is the time from a field to the event"
	}
	c.fail(n, hint, "unknown function %s", name)
}

func callee(n *ast.CallNode) string {
	if id, ok := n.Callee.(*ast.IdentifierNode); ok {
		return id.Value
	}
	return ""
}

// argument compiles an argument of a call that has want of them.
func (c *compiler) argument(n *ast.CallNode, want int) *operand {
	if len(n.Arguments) != want {
		c.fail(n, "", "%s wants %d arguments, not %d", callee(n), want, len(n.Arguments))
		return nil
	}
	return c.operand(n.Arguments[0])
}

// predicate compiles a call that is a condition; ok is false for one that is not.
func (c *compiler) predicate(n *ast.CallNode) (test condition, ok bool) {
	switch name := callee(n); name {
	case "has", "missing":
		o := c.argument(n, 1)
		if o == nil {
			return nil, true
		}
		if o.ref != refField && o.ref != refLabel {
			c.fail(n.Arguments[0], "", "%s wants a field", name)
			return nil, true
		}
		return presence(o, name == "has"), true
	case "inNet":
		return c.inNet(n), true
	case "age", "net":
		return nil, false
	default:
		c.unknownFunction(n, name)
		return nil, true
	}
}

func presence(o *operand, want bool) condition {
	if o.ref == refLabel {
		str := o.str
		return func(s *scope) bool {
			_, ok := str(s)
			return ok == want
		}
	}
	id := o.field
	return func(s *scope) bool { return s.event.Has(id) == want }
}

// quantifier compiles any(list, condition on #) and all. A missing list makes both false.
func (c *compiler) quantifier(n *ast.BuiltinNode) condition {
	if c.inElem {
		c.fail(n, "", "%s inside any or all is not part of the rule language", n.Name)
		return nil
	}
	if len(n.Arguments) != 2 {
		c.fail(n, "", "%s wants an array field and a condition on #", n.Name)
		return nil
	}
	o := c.operand(n.Arguments[0])
	closure, ok := n.Arguments[1].(*ast.PredicateNode)
	if o == nil || !ok {
		return nil
	}
	if o.kind != kindStrings {
		c.fail(n.Arguments[0], "", "%s wants an array field, %s is %s", n.Name, o.name(), o.kind)
		return nil
	}
	c.elem, c.inElem = o.field, true
	test := c.condition(closure.Node)
	c.inElem = false
	if test == nil {
		return nil
	}
	list, all := o.list, n.Name == "all"
	return func(s *scope) bool {
		values := list(s)
		found := all && len(values) > 0
		for _, v := range values {
			s.elem = v
			if test(s) != all {
				found = !all
				break
			}
		}
		s.elem = ""
		return found
	}
}

// hintNames joins names for a hint, a few of them.
func hintNames(names []string) string {
	const few = 8
	if len(names) > few {
		return strings.Join(names[:few], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
