package sigma

import (
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// sample is an event in which a condition holds, as far as one could be made up: what its fields
// begin with, contain and end with. The rule's own test says whether it holds.
type sample struct {
	order  []event.ID
	fields map[event.ID]*made
}

type made struct {
	whole                string
	prefix, suffix       string
	parts                []string
	fixed, number, array bool
}

// sampleOf makes an event in which t should hold.
func sampleOf(t *tree) *sample {
	s := &sample{fields: make(map[event.ID]*made)}
	s.satisfy(t, true)
	return s
}

// satisfy adds what makes t hold, or not hold. It tells whether that may have worked.
func (s *sample) satisfy(t *tree, want bool) bool {
	switch {
	case t.op == opNot:
		return s.satisfy(t.kids[0], !want)
	case t.op == opTest:
		return s.set(&t.test, want)
	case (t.op == opAnd) == want:
		ok := true
		for _, k := range t.kids {
			ok = s.satisfy(k, want) && ok
		}
		return ok
	}
	for _, k := range t.kids {
		if s.satisfy(k, want) {
			return true
		}
	}
	return false
}

// set notes what a test wants. What a test does not want is left absent, or as another test wants it.
func (s *sample) set(x *test, want bool) bool {
	if x.kind == testMissing || !want {
		return (x.kind == testMissing) == want
	}
	id := x.field.id
	m := s.fields[id]
	if m == nil {
		m = new(made)
		s.fields[id] = m
		s.order = append(s.order, id)
	}
	f := event.FieldOf(id)
	m.number = f.Type == event.Long || f.Type == event.Double || f.Type == event.Bool
	m.array = f.Type == event.Keywords
	switch x.kind {
	case testContains:
		m.parts = append(m.parts, x.text)
	case testPrefix:
		m.prefix = x.text
	case testSuffix:
		m.suffix = x.text
	case testHas:
		if !m.fixed {
			m.parts = append(m.parts, "x")
		}
	case testPattern:
		text, ok := matching(x.text)
		if !ok {
			return false
		}
		return m.fix(text)
	case testNet:
		addr, _, _ := strings.Cut(x.text, "/")
		return m.fix(addr)
	case testHundred:
		return m.fix(x.text + "00")
	case testCompare:
		n, _ := strconv.ParseInt(x.text, 10, 64)
		switch x.compare {
		case "<":
			n--
		case ">":
			n++
		}
		return m.fix(strconv.FormatInt(n, 10))
	default:
		return m.fix(x.literal(x.text))
	}
	return true
}

func (m *made) fix(text string) bool {
	if m.fixed && m.whole != text {
		return false
	}
	m.whole, m.fixed = text, true
	return true
}

// value is the field's value, as a test writes it.
func (m *made) value() string {
	if m.fixed {
		return m.whole
	}
	return m.prefix + strings.Join(m.parts, "") + m.suffix
}

// matching makes a text that a pattern matches.
func matching(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	ok := grow(&b, re.Simplify())
	return b.String(), ok
}

// grow appends the shortest of what re matches that is easily found.
func grow(b *strings.Builder, re *syntax.Regexp) bool {
	if b.Len() > 512 {
		return false
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return false
		}
		b.WriteRune(printable(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus:
		return grow(b, re.Sub[0])
	case syntax.OpAlternate:
		return grow(b, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !grow(b, sub) {
				return false
			}
		}
	case syntax.OpRepeat:
		for range re.Min {
			if !grow(b, re.Sub[0]) {
				return false
			}
		}
	case syntax.OpStar, syntax.OpQuest, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine,
		syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
	default:
		return false
	}
	return true
}

// printable is a character of a class that people can read, where it has one.
func printable(class []rune) rune {
	for i := 0; i+1 < len(class); i += 2 {
		for _, r := range "a0A-_/. " {
			if class[i] <= r && r <= class[i+1] {
				return r
			}
		}
	}
	return class[0]
}
