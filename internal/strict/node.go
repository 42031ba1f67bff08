package strict

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Node is a value of a file that knows where it stands. The zero Node is a value that is not there:
// its accessors return zero values and report nothing.
type Node struct {
	value *value
	file  *File
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	At    Node // where the key stands
	Value Node
}

// IsZero tells whether there is no value.
func (n Node) IsZero() bool { return n.value == nil }

// IsMapping tells whether the value is a mapping.
func (n Node) IsMapping() bool { return n.is(mapping) }

// IsList tells whether the value is a list.
func (n Node) IsList() bool { return n.is(list) }

// IsNull tells whether the value is null: key: with nothing behind it.
func (n Node) IsNull() bool { return n.is(null) }

// IsBlank tells whether the value is a text without a letter in it.
func (n Node) IsBlank() bool { return n.is(text) && strings.TrimSpace(n.value.text) == "" }

func (n Node) is(k kind) bool { return n.value != nil && n.value.kind == k }

// Line is the line where the value stands, from 1.
func (n Node) Line() int {
	line, _ := n.value.place()
	return line
}

// Column is the column where the value stands, from 1, in characters.
func (n Node) Column() int {
	_, column := n.value.place()
	return column
}

// Style is how a scalar is written.
func (n Node) Style() Style {
	if n.IsZero() {
		return Plain
	}
	return n.value.style
}

// Problem makes a problem with this value, without adding it to the file's.
func (n Node) Problem(hint, format string, args ...any) Problem {
	f := n.file
	if f == nil {
		f = new(File)
	}
	return f.problem(n.value, fmt.Sprintf(format, args...), hint)
}

// Bad adds a problem with this value to the file's. Of a value that is not there nothing is said,
// unless it is the root: an empty file.
func (n Node) Bad(hint, format string, args ...any) {
	if n.file != nil {
		n.file.report(n.value, fmt.Sprintf(format, args...), hint)
	}
}

// wrong adds a problem with the kind of this value, once: what was refused is reported already. Of a value
// that an alias brings here it is the alias that is wrong.
func (n Node) wrong(hint, want string) {
	if n.IsZero() || n.is(refused) {
		return
	}
	at := n
	if n.value.use != nil {
		at.value = n.value.use
	}
	at.Bad(hint, "%swant %s, not %s", n.value.label(), want, n.value.kind)
}

// label is the start of a problem that names the value.
func (v *value) label() string {
	if v.name == "" {
		return ""
	}
	return v.name + ": "
}

// Entries returns the keys of a mapping in order; null has none. If known keys are given, others are
// problems.
func (n Node) Entries(known ...string) []Entry {
	if n.IsZero() || n.IsNull() {
		return nil
	}
	if !n.IsMapping() {
		n.wrong("write key: value", "a mapping")
		return nil
	}
	entries := make([]Entry, 0, len(n.value.pairs))
	for _, p := range n.value.pairs {
		at := Node{p.key, n.file}
		if len(known) > 0 && !slices.Contains(known, p.key.text) {
			at.Bad(Suggest(p.key.text, known), "unknown key %q", p.key.text)
			continue
		}
		entries = append(entries, Entry{p.key.text, at, Node{p.value, n.file}})
	}
	return entries
}

// Items returns the elements of a list; a single value counts as a list of one.
func (n Node) Items() []Node {
	if n.IsZero() {
		return nil
	}
	if !n.IsList() {
		return []Node{n}
	}
	items := make([]Node, len(n.value.items))
	for i, v := range n.value.items {
		items[i] = Node{v, n.file}
	}
	return items
}

// Text returns a scalar as it is written, quotes taken off; anything else is a problem.
func (n Node) Text() string {
	if n.IsZero() {
		return ""
	}
	s, ok := n.value.scalar()
	if !ok {
		n.wrong("", "a text")
	}
	return s
}

// Texts returns one scalar or a list of them.
func (n Node) Texts() []string {
	var out []string
	for _, item := range n.Items() {
		out = append(out, item.Text())
	}
	return out
}

// Int returns a whole number between two bounds; anything else is a problem.
func (n Node) Int(low, high int64) int64 {
	if n.IsZero() {
		return 0
	}
	i, err := strconv.ParseInt(n.value.text, 10, 64)
	switch {
	case !n.is(whole):
		n.wrong("", fmt.Sprintf("a whole number from %d to %d", low, high))
		return 0
	case err != nil || i < low || i > high:
		n.Bad("", "%swant a whole number from %d to %d", n.value.label(), low, high)
		return 0
	}
	return i
}

// Number returns a number; anything else is a problem.
func (n Node) Number() float64 {
	if n.IsZero() {
		return 0
	}
	f, ok := n.value.float()
	if !ok {
		n.wrong("", "a number")
	}
	return f
}

// Bool returns true or false; anything else is a problem.
func (n Node) Bool() bool {
	if n.IsZero() {
		return false
	}
	if !n.is(truth) {
		n.wrong("", "true or false")
		return false
	}
	return n.value.truth()
}

// float is the number a scalar stands for. Not a number and infinity are none.
func (v *value) float() (float64, bool) {
	if v.kind != whole && v.kind != number {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func (v *value) truth() bool { return v.text[0] == 't' || v.text[0] == 'T' }
