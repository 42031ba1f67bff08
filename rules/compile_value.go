package rules

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/strict"
)

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
	hint := strict.Suggest(name, functionNames())
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
