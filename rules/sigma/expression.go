package sigma

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// maxPattern bounds one pattern of an expression; rules take 500 bytes.
const maxPattern = 440

func quoteMeta(s string) string { return regexp.QuoteMeta(s) }

// expression writes a tree as a rule's condition.
func expression(t *tree) string { return write(t, 0) }

// Binding of what is written, from loose to tight.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
)

func write(t *tree, outer int) string {
	switch t.op {
	case opAnd:
		parts := make([]string, len(t.kids))
		for i, k := range t.kids {
			parts[i] = write(k, bindAnd)
		}
		return wrap(strings.Join(parts, " and "), bindAnd, outer)
	case opOr:
		return alternatives(t, outer)
	case opNot:
		return "not (" + write(t.kids[0], 0) + ")"
	}
	text, bind := t.test.write()
	return wrap(text, bind, outer)
}

func wrap(s string, bind, outer int) string {
	if bind < outer {
		return "(" + s + ")"
	}
	return s
}

// alternatives writes an or. Tests of one field with many values become one test with a list or a
// pattern: a condition is bounded in its parts.
func alternatives(t *tree, outer int) string {
	type group struct {
		field event.ID
		kind  testKind
		cased bool
	}
	var order []group
	groups := make(map[group][]*tree)
	var parts []string
	for _, k := range t.kids {
		g := group{field: k.test.field.id, kind: k.test.kind, cased: k.test.cased}
		if k.op != opTest || !k.test.groups() {
			parts = append(parts, write(k, bindOr))
			continue
		}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], k)
	}
	for _, g := range order {
		parts = append(parts, list(groups[g])...)
	}
	bind := bindOr
	if len(parts) == 1 {
		bind = bindNot
	}
	return wrap(strings.Join(parts, " or "), bind, outer)
}

// groups tells whether tests of this kind can be written as one.
func (x *test) groups() bool {
	switch x.kind {
	case testEquals, testNumber, testContains, testPrefix, testSuffix:
		return true
	}
	return false
}

// list writes tests of one field and kind that are joined by or.
func list(kids []*tree) []string {
	first := &kids[0].test
	var values []string
	for _, k := range kids {
		if !slices.Contains(values, k.test.text) {
			values = append(values, k.test.text)
		}
	}
	if len(values) < 3 {
		var out []string
		for _, v := range values {
			one := *first
			one.text = v
			text, _ := one.write()
			out = append(out, text)
		}
		return out
	}
	switch first.kind {
	case testNumber:
		return []string{first.field.id.String() + " in [" + strings.Join(values, ", ") + "]"}
	case testEquals:
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = strconv.Quote(first.literal(v))
		}
		return []string{first.operand() + " in [" + strings.Join(quoted, ", ") + "]"}
	}
	return patterns(first, values)
}

// patterns writes alternatives as patterns of a bounded size.
func patterns(x *test, values []string) []string {
	before, after := "", ""
	switch x.kind {
	case testPrefix:
		before = "^"
	case testSuffix:
		after = "$"
	}
	var out, chunk []string
	size := 0
	flush := func() {
		if len(chunk) > 0 {
			out = append(out, x.operand()+" matches "+strconv.Quote(before+"("+strings.Join(chunk, "|")+")"+after))
			chunk, size = nil, 0
		}
	}
	for _, v := range values {
		q := quoteMeta(v)
		if size += len(q) + 1; size > maxPattern {
			flush()
			size = len(q) + 1
		}
		chunk = append(chunk, q)
	}
	flush()
	return out
}

// operand is the field as it is compared: in lower case, but for what is compared with case or always
// has one.
func (x *test) operand() string {
	name := x.field.id.String()
	if x.cased || x.exact() {
		return name
	}
	return "lower(" + name + ")"
}

// exact tells whether the field's values always have one form.
func (x *test) exact() bool {
	f := event.FieldOf(x.field.id)
	return x.kind == testEquals && (x.field.id == event.HTTPRequestMethod || f.Enum != nil) || f.Type == event.IP
}

func (x *test) literal(v string) string {
	if x.kind == testEquals && x.field.id == event.HTTPRequestMethod {
		return strings.ToUpper(v)
	}
	return v
}

func (x *test) write() (text string, bind int) {
	name := x.field.id.String()
	switch x.kind {
	case testHas:
		return "has(" + name + ")", bindNot
	case testMissing:
		return "missing(" + name + ")", bindNot
	case testNumber:
		return name + " == " + x.text, bindNot
	case testBool:
		return name + " == " + x.text, bindNot
	case testCompare:
		return name + " " + x.compare + " " + x.text, bindNot
	case testHundred:
		return name + " >= " + x.text + "00 and " + name + " <= " + x.text + "99", bindAnd
	case testNet:
		return "inNet(" + name + ", " + strconv.Quote(x.text) + ")", bindNot
	case testElement:
		return strconv.Quote(x.text) + " in " + name, bindNot
	case testContains:
		return x.operand() + " contains " + strconv.Quote(x.text), bindNot
	case testPrefix:
		return x.operand() + " startsWith " + strconv.Quote(x.text), bindNot
	case testSuffix:
		return x.operand() + " endsWith " + strconv.Quote(x.text), bindNot
	case testPattern:
		return x.operand() + " matches " + strconv.Quote(x.text), bindNot
	}
	return x.operand() + " == " + strconv.Quote(x.literal(x.text)), bindNot
}
