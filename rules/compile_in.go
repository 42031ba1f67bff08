package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// in compiles membership: in an array of constants, a list, a range of numbers, or an array field.
func (c *compiler) in(n *ast.BinaryNode) condition {
	l := c.operand(n.Left)
	if l == nil {
		c.resolveRight(n.Right)
		return nil
	}
	if array, ok := n.Right.(*ast.ArrayNode); ok {
		return c.inArray(n, l, array)
	}
	if r, ok := n.Right.(*ast.BinaryNode); ok && r.Operator == ".." {
		return c.inRange(n, l, r)
	}
	if list, ok := c.listOf(n.Right); ok {
		if list == nil {
			return nil
		}
		return c.inList(n, l, list)
	}
	r := c.operand(n.Right)
	if r == nil {
		return nil
	}
	if r.kind != kindStrings {
		c.fail(n.Right, `write in ["a", "b"], in lists.<name>, or "a" in <array field>`, "%s holds no values to be in", r.name())
		return nil
	}
	if !l.textual() {
		c.fail(n.Left, "", "%s holds texts, %s is %s", r.name(), l.name(), l.kind)
		return nil
	}
	if l.constant && !c.enumHas(n.Left, r.field, l.text) {
		return nil
	}
	str, values := l.str, r.list
	return func(s *scope) bool {
		v, ok := str(s)
		return ok && slices.Contains(values(s), v)
	}
}

// resolveRight reports what is wrong on the right of an operator whose left is wrong already.
func (c *compiler) resolveRight(n ast.Node) {
	switch n.(type) {
	case *ast.MemberNode, *ast.IdentifierNode:
		if _, ok := c.listOf(n); !ok {
			c.operand(n)
		}
	}
}

func (c *compiler) inArray(n *ast.BinaryNode, l *operand, array *ast.ArrayNode) condition {
	if len(array.Nodes) == 0 {
		c.fail(array, "", "nothing is in an empty array")
		return nil
	}
	var texts []string
	var wholes []int64
	var reals []float64
	ok := true
	for i := range array.Nodes {
		r := c.operand(array.Nodes[i])
		if r == nil {
			ok = false
			continue
		}
		if !r.constant {
			c.fail(array.Nodes[i], "compare fields with ==", "an array holds constants only")
			ok = false
			continue
		}
		r, fits := c.fit(l, r, &array.Nodes[i])
		if !fits {
			ok = false
			continue
		}
		switch {
		case l.textual():
			texts = append(texts, r.text)
		case l.kind == kindFloat:
			reals = append(reals, r.real)
		case l.kind == kindInt && r.kind == kindFloat:
			c.fail(array.Nodes[i], "", "%s is a whole number and never %s", l.name(), array.Nodes[i])
			ok = false
		case l.kind == kindInt:
			wholes = append(wholes, r.whole)
		default:
			c.fail(n, "use ==", "in does not work with %s", l.kind)
			return nil
		}
	}
	if !ok {
		return nil
	}
	if l.constant {
		c.fail(n.Left, "", "a constant on the left of in makes it always true or always false")
		return nil
	}
	slices.Sort(texts)
	slices.Sort(wholes)
	texts, wholes = slices.Compact(texts), slices.Compact(wholes)
	if l.ref == refField {
		c.equal[n] = conjunct{field: l.field, equal: l.kind != kindFloat, texts: texts, wholes: wholes}
	}
	switch {
	case l.textual():
		return inTexts(l.str, texts)
	case l.kind == kindFloat:
		float := l.float
		return func(s *scope) bool {
			v, ok := float(s)
			return ok && slices.Contains(reals, v)
		}
	}
	num := l.num
	return func(s *scope) bool {
		v, ok := num(s)
		return ok && slices.Contains(wholes, v)
	}
}

// inTexts tests membership among texts: one by one where they are few, by a set where not.
func inTexts(str func(*scope) (string, bool), texts []string) condition {
	const few = 6
	if len(texts) <= few {
		return func(s *scope) bool {
			v, ok := str(s)
			return ok && slices.Contains(texts, v)
		}
	}
	set := make(map[string]struct{}, len(texts))
	for _, t := range texts {
		set[t] = struct{}{}
	}
	return func(s *scope) bool {
		v, ok := str(s)
		if !ok {
			return false
		}
		_, ok = set[v]
		return ok
	}
}

func (c *compiler) inRange(n *ast.BinaryNode, l *operand, r *ast.BinaryNode) condition {
	from, to := c.operand(r.Left), c.operand(r.Right)
	if from == nil || to == nil {
		return nil
	}
	if !from.constant || !to.constant || from.kind != kindInt || to.kind != kindInt {
		c.fail(r, "", "a range goes from one whole number to another, such as 400..499")
		return nil
	}
	if l.kind != kindInt || l.constant {
		c.fail(n.Left, "use < and >", "%s is not a whole-number field", l.name())
		return nil
	}
	if from.whole > to.whole {
		c.fail(r, "", "range is empty")
		return nil
	}
	const longest = 100_000 // expr's machine would build it
	if to.whole-from.whole > longest || to.whole-from.whole < 0 {
		c.fail(r, "use < and >", "range is longer than %d", longest)
		return nil
	}
	num, a, b := l.num, from.whole, to.whole
	return func(s *scope) bool {
		v, ok := num(s)
		return ok && v >= a && v <= b
	}
}

func (c *compiler) inList(n *ast.BinaryNode, l *operand, list *compiledList) condition {
	if l.constant {
		c.fail(n.Left, "", "a constant on the left of in makes it always true or always false")
		return nil
	}
	if list.Type == ListTable {
		c.fail(n, "compare with lists."+list.name+"["+l.name()+"]", "lists.%s is a table", list.name)
		return nil
	}
	if list.Type == ListCIDR {
		c.fail(n, "write inNet("+l.name()+", lists."+list.name+")", "lists.%s holds networks", list.name)
		return nil
	}
	want := kindString
	if list.Type == ListLong {
		want = kindInt
	}
	if list.Type == ListIP && l.kind == kindString {
		c.fail(n.Left, "", "lists.%s holds IP addresses, %s is %s", list.name, l.name(), l.kind)
		return nil
	}
	if l.kind != want && (want != kindString || l.kind != kindIP) {
		c.fail(n.Left, "", "lists.%s holds values of type %s, %s is %s", list.name, list.Type, l.name(), l.kind)
		return nil
	}
	if l.ref == refField || l.ref == refElem {
		name, pseudonym := l.field.String(), event.FieldOf(l.field).Class == event.Pseudonym
		if list.Field != "" && list.Field != name || list.Field == "" && pseudonym {
			c.fail(n.Right, "its file should say field: "+name, "lists.%s does not hold values of %s", list.name, name)
			return nil
		}
	}
	if list.Type == ListLong {
		num, set := l.num, list.wholes
		if l.ref == refField && len(list.Entries) <= maxIndexValues {
			c.equal[n] = conjunct{field: l.field, equal: true, list: true, wholes: list.wholeList()}
		}
		return func(s *scope) bool {
			v, ok := num(s)
			if !ok {
				return false
			}
			_, ok = set[v]
			return ok
		}
	}
	if l.ref == refField && len(list.texts) <= maxIndexValues {
		c.equal[n] = conjunct{field: l.field, equal: true, list: true, texts: list.all()}
	}
	str, set := l.str, list.texts
	return func(s *scope) bool {
		v, ok := str(s)
		if !ok {
			return false
		}
		_, ok = set[v]
		return ok
	}
}
