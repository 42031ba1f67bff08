package rules

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// dotted is the dotted name that a node spells; ok is false for anything else.
func dotted(n ast.Node) (name string, ok bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		head, ok := dotted(n.Node)
		tail, isName := n.Property.(*ast.StringNode)
		if !ok || !isName || n.Optional || n.Method {
			return "", false
		}
		return head + "." + tail.Value, true
	}
	return "", false
}

// name compiles a field or a label.
func (c *compiler) name(n ast.Node) *operand {
	name, ok := dotted(n)
	if !ok {
		c.unsupported(n)
		return nil
	}
	if c.alerts {
		if o := alertOperand(n, name); o != nil {
			c.modes = c.modes || name == "liveward.alert.mode"
			return o
		}
	}
	head, tail, deep := strings.Cut(name, ".")
	switch head {
	case "labels":
		if !deep {
			c.fail(n, "write labels.<name>", "labels is a group of fields")
			return nil
		}
		return labelOperand(n, tail)
	case "lists":
		c.fail(n, "write field in "+name+", or inNet(field, "+name+")", "a list is not a value")
		return nil
	case "macros":
		c.fail(n, "write macros.<name>, which is a condition by itself", "macros is a group of conditions")
		return nil
	case "$env":
		c.fail(n, "", "$env is not part of the rule language")
		return nil
	}
	id, ok := event.Lookup(name)
	if !ok {
		c.unknownName(n, name)
		return nil
	}
	if event.FieldOf(id).Class == event.Transient {
		c.fail(n, "what privacy found in it stands in liveward.privacy.dropped", "%s is dropped before rules see the event", id)
		return nil
	}
	c.refs[n] = id
	c.fields[id] = true
	return fieldOperand(n, id)
}

func (c *compiler) unknownName(n ast.Node, name string) {
	var group []string
	for _, f := range c.names() {
		if strings.HasPrefix(f, name+".") {
			group = append(group, f)
		}
	}
	if len(group) > 0 {
		c.fail(n, "its fields are "+hintNames(group), "%s is a group of fields", name)
		return
	}
	hint := strict.Suggest(name, c.names())
	if _, ok := alertFields()[name]; ok {
		hint = "alerts have it: it is for rules of kind chain"
	}
	if !strings.Contains(name, ".") {
		for _, id := range event.Fields() {
			if slices.Contains(event.FieldOf(id).Enum, name) {
				hint = "texts stand in quotes: \"" + name + "\""
			}
		}
	}
	c.fail(n, hint, "unknown field %s", name)
}

// names are the names a condition may use.
func (c *compiler) names() []string {
	names := fieldNames()
	if c.alerts {
		for name := range alertFields() {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	return names
}

// listOf finds the list that a node names. ok tells whether it names one at all; the list is nil
// where there is none of that name, which is reported.
func (c *compiler) listOf(n ast.Node) (list *compiledList, ok bool) {
	name, isPath := dotted(n)
	if !isPath {
		return nil, false
	}
	head, tail, _ := strings.Cut(name, ".")
	if head != "lists" {
		return nil, false
	}
	list = c.lists[tail]
	if list == nil {
		names := make([]string, 0, len(c.lists))
		for have := range c.lists {
			names = append(names, have)
		}
		slices.Sort(names)
		c.fail(n, strict.Suggest(tail, names), "unknown list %s", name)
		return nil, true
	}
	c.used[tail] = true
	return list, true
}

// inNet compiles inNet(address, lists.<name>) and inNet(address, "192.0.2.0/24").
func (c *compiler) inNet(n *ast.CallNode) condition {
	o := c.argument(n, 2)
	if o == nil {
		return nil
	}
	if o.constant || !o.textual() {
		c.fail(n.Arguments[0], "such as client.ip", "inNet wants an address field, %s is %s", o.name(), o.kind)
		return nil
	}
	str := o.str
	parse := func(s *scope) (netip.Addr, bool) {
		v, ok := str(s)
		if !ok {
			return netip.Addr{}, false
		}
		a, err := netip.ParseAddr(v)
		return a.Unmap().WithZone(""), err == nil
	}
	if text, ok := n.Arguments[1].(*ast.StringNode); ok {
		p, err := parsePrefix(text.Value)
		if err != nil {
			c.fail(text, "", "%s", err)
			return nil
		}
		text.Value = p.String()
		return func(s *scope) bool {
			a, ok := parse(s)
			return ok && p.Contains(a)
		}
	}
	list, ok := c.listOf(n.Arguments[1])
	if !ok {
		c.fail(n.Arguments[1], `write lists.<name> or "192.0.2.0/24"`, "inNet wants a list or a network")
		return nil
	}
	if list == nil {
		return nil
	}
	if list.Type != ListCIDR && list.Type != ListIP {
		c.fail(n.Arguments[1], "its file should say type: cidr", "lists.%s holds values of type %s, not networks", list.name, list.Type)
		return nil
	}
	nets := list.nets
	return func(s *scope) bool {
		a, ok := parse(s)
		return ok && nets.contains(a)
	}
}

// collect finds the conjuncts of the whole condition: what must hold for it to hold.
func (c *compiler) collect(n ast.Node, e *expression) {
	if b, ok := n.(*ast.BinaryNode); ok && b.Operator == "and" {
		c.collect(b.Left, e)
		c.collect(b.Right, e)
		return
	}
	out, ok := c.equal[n]
	if !ok {
		out = conjunct{}
	}
	out.node = n
	out.needs = c.needs(n)
	e.conjuncts = append(e.conjuncts, out)
}

// needs are the fields without which a conjunct is false.
func (c *compiler) needs(n ast.Node) []event.ID {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if n.Operator == "or" {
			return nil
		}
	case *ast.UnaryNode:
		if n.Operator == "not" {
			return nil
		}
	case *ast.ConditionalNode:
		return nil
	case *ast.CallNode:
		if callee(n) == "missing" {
			return nil
		}
	case *ast.BuiltinNode:
		if n.Name == "any" || n.Name == "all" {
			return c.mentioned(n.Arguments[0])
		}
	}
	return c.mentioned(n)
}

// mentioned are the fields named anywhere below a node, sorted.
func (c *compiler) mentioned(n ast.Node) []event.ID {
	v := &mention{refs: c.refs}
	ast.Walk(&n, v)
	slices.Sort(v.found)
	return slices.Compact(v.found)
}

type mention struct {
	refs  map[ast.Node]event.ID
	found []event.ID
}

// Visit implements ast.Visitor.
func (v *mention) Visit(n *ast.Node) {
	if id, ok := v.refs[*n]; ok {
		v.found = append(v.found, id)
	}
	if call, ok := (*n).(*ast.CallNode); ok && callee(call) == "age" {
		v.found = append(v.found, event.Timestamp)
	}
}

// contradictions reports conjuncts that cannot hold together.
func (c *compiler) contradictions(e *expression) {
	absent := map[event.ID]bool{}
	for _, j := range e.conjuncts {
		if call, ok := j.node.(*ast.CallNode); ok && callee(call) == "missing" {
			for _, id := range c.mentioned(call.Arguments[0]) {
				absent[id] = true
			}
		}
	}
	allowed := map[event.ID]conjunct{}
	for _, j := range e.conjuncts {
		for _, id := range j.needs {
			if absent[id] {
				c.fail(j.node, "", "condition never holds: %s cannot be missing and have a value", id)
				return
			}
		}
		if !j.equal || j.list {
			continue
		}
		before, ok := allowed[j.field]
		if !ok {
			allowed[j.field] = j
			continue
		}
		both := conjunct{field: j.field, equal: true}
		for _, t := range j.texts {
			if slices.Contains(before.texts, t) {
				both.texts = append(both.texts, t)
			}
		}
		for _, w := range j.wholes {
			if slices.Contains(before.wholes, w) {
				both.wholes = append(both.wholes, w)
			}
		}
		if len(both.texts)+len(both.wholes) == 0 {
			c.fail(j.node, "", "condition never holds: %s cannot have both values", j.field)
			return
		}
		allowed[j.field] = both
	}
}

// compiledList is a list as conditions look values up in it.
type compiledList struct {
	List
	name   string
	texts  map[string]struct{}
	wholes map[int64]struct{}
	nets   *networks

	numbers  map[string]float64 // of a table of numbers
	fallback float64
}

func compileList(name string, l List) *compiledList {
	out := &compiledList{List: l, name: name}
	switch l.Type {
	case ListTable:
		out.compileRows()
	case ListLong:
		out.wholes = make(map[int64]struct{}, len(l.Entries))
		for _, w := range out.wholeList() {
			out.wholes[w] = struct{}{}
		}
	case ListKeyword, ListIP, ListCIDR:
		values := l.all()
		out.texts = make(map[string]struct{}, len(values))
		for _, t := range values {
			out.texts[t] = struct{}{}
		}
		if l.Type != ListKeyword {
			out.nets = newNetworks(l.Entries)
		}
	}
	return out
}
