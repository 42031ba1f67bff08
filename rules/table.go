package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// TableValues is the type of what a table has for its keys.
type TableValues string

// The types of a table's values.
const (
	TableKeyword TableValues = "keyword"
	TableNumber  TableValues = "number"
)

func tableValues() []string { return []string{string(TableKeyword), string(TableNumber)} }

// canonicalValue checks one value of a table and gives it its one form.
func canonicalValue(v TableValues, text string) (string, error) {
	if text == "" || len(text) > maxEntryBytes {
		return "", fmt.Errorf("a value has 1 to %d bytes", maxEntryBytes)
	}
	if v != TableNumber {
		return text, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return "", fmt.Errorf("%q is not a number", text)
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// normalizeTable checks the rows of a table and brings them into their canonical form.
func (l List) normalizeTable() (List, error) {
	if l.Values == "" {
		l.Values = TableKeyword
	}
	if !slices.Contains(tableValues(), string(l.Values)) {
		return l, fmt.Errorf("values %q: want keyword or number", l.Values)
	}
	if len(l.Rows) > maxListEntries {
		return l, fmt.Errorf("more than %d entries", maxListEntries)
	}
	rows := make(map[string]string, len(l.Rows))
	var err error
	for key, value := range l.Rows {
		if key, err = canonicalEntry(ListKeyword, key); err != nil {
			return l, err
		}
		if rows[key], err = canonicalValue(l.Values, value); err != nil {
			return l, err
		}
	}
	l.Rows = rows
	slices.Sort(l.Oldest)
	if l.Default != "" {
		if l.Default, err = canonicalValue(l.Values, l.Default); err != nil {
			return l, err
		}
	}
	return l, nil
}

// fixture takes the rows of a test; default among them is what keys without a row have.
func (l *List) fixture(n *node) {
	l.Rows = map[string]string{}
	for _, p := range n.pairs {
		if p.key.text == "default" {
			l.Default = p.value.text
			continue
		}
		l.Rows[p.key.text] = p.value.text
	}
}

// tableParts is what a table decides, for its hash.
func (l List) tableParts() []string {
	parts := []string{string(l.Values), l.Default}
	keys := slices.Sorted(maps.Keys(l.Rows))
	if len(l.Oldest) > 0 {
		keys = l.Oldest
	}
	for _, key := range keys {
		parts = append(parts, key, l.Rows[key])
	}
	return parts
}

// table reads what a table's file has beside type and field.
func (d decoder) table(m map[string]*node, l List, pseudonyms func(string) []string) (List, bool) {
	l.Values = TableKeyword
	if n := m["values"]; n != nil {
		l.Values = TableValues(d.word(n, "values", tableValues()))
	}
	if n := m["default"]; n != nil && d.scalar(n, "default") {
		value, err := canonicalValue(l.Values, n.text)
		if err != nil {
			d.errorf(n, "", "%s", err)
		}
		l.Default = value
	}
	d.rows(m["entries"], &l, pseudonyms)
	out, err := l.normalize()
	if err != nil {
		d.errorf(m["entries"], "", "%s", err)
	}
	return out, !d.source.failed()
}

// rows reads the rows of a table: {acme: 0.85, other: 0.9}. A key that identifies somebody is kept as its
// pseudonyms.
func (d decoder) rows(n *node, l *List, pseudonyms func(string) []string) {
	l.Rows = map[string]string{}
	if n.shape != shapeMap {
		d.errorf(n, "want {acme: 0.85, other: 0.9}", "the entries of a table are keys with values")
		return
	}
	for _, p := range n.pairs {
		key, err := canonicalEntry(ListKeyword, p.key.text)
		if err != nil {
			d.errorf(p.key, "", "%s", err)
			continue
		}
		if !d.scalar(p.value, "value") {
			continue
		}
		value, err := canonicalValue(l.Values, p.value.text)
		if err != nil {
			d.errorf(p.value, "", "%s", err)
			continue
		}
		names := pseudonyms(key)
		for _, k := range names {
			l.Rows[k] = value
		}
		l.grewOld(names)
	}
}

// lookup compiles lists.<table>[<field>]: what the table has for the field's value, or else its default.
func (c *compiler) lookup(n *ast.MemberNode, list *compiledList) *operand {
	key := c.operand(n.Property)
	if key == nil {
		return nil
	}
	if list.Type != ListTable {
		c.fail(n, "its file should say type: table", "lists.%s holds values, and has none for a key", list.name)
		return nil
	}
	if key.kind != kindString || key.constant {
		c.fail(n.Property, "such as lists."+list.name+"[liveness.vendor]", "a table is looked up by a field that is a text")
		return nil
	}
	if key.ref == refField {
		name, pseudonym := key.field.String(), event.FieldOf(key.field).Class == event.Pseudonym
		if list.Field != "" && list.Field != name || list.Field == "" && pseudonym {
			c.fail(n.Property, "its file should say field: "+name, "lists.%s is not looked up by %s", list.name, name)
			return nil
		}
	}
	str, rows := key.str, list.Rows
	if list.Values != TableNumber {
		return &operand{kind: kindString, node: n, str: func(s *scope) (string, bool) {
			k, ok := str(s)
			if !ok {
				return "", false
			}
			if v, ok := rows[k]; ok {
				return v, true
			}
			return list.Default, list.Default != ""
		}}
	}
	numbers, fallback := list.numbers, list.fallback
	return &operand{kind: kindFloat, node: n, float: func(s *scope) (float64, bool) {
		k, ok := str(s)
		if !ok {
			return 0, false
		}
		if v, ok := numbers[k]; ok {
			return v, true
		}
		return fallback, list.Default != ""
	}}
}

// compileRows prepares a table of numbers.
func (l *compiledList) compileRows() {
	if l.Values != TableNumber {
		return
	}
	number := func(text string) float64 {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0 // values are canonical
		}
		return f
	}
	l.numbers = make(map[string]float64, len(l.Rows))
	for key, value := range l.Rows {
		l.numbers[key] = number(value)
	}
	if l.Default != "" {
		l.fallback = number(l.Default)
	}
}
