package rules

import (
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// scope is what a condition is evaluated in. It belongs to one Matcher.
type scope struct {
	event  *event.Event
	alert  *event.Alert // in conditions of chain rules
	elem   string       // the element under any or all
	buf    []byte       // texts made by lower, upper and net; lives for one event
	failed bool         // an operation had no result, such as a division by zero
}

// condition is a compiled boolean expression. Missing fields make comparisons false.
type condition func(*scope) bool

// kind is the type of an operand.
type kind uint8

const (
	kindString kind = iota
	kindIP
	kindInt
	kindFloat
	kindBool
	kindTime
	kindDuration
	kindStrings
)

// String is the kind's name in messages, with its article.
func (k kind) String() string {
	return [...]string{"a text", "an IP address", "a whole number", "a number", "a boolean", "a time", "a duration", "a list of texts"}[k]
}

// operand is a compiled value: one function of its kind, each telling whether there is a value.
type operand struct {
	kind  kind
	node  ast.Node
	field event.ID
	label string
	ref   refKind

	str   func(*scope) (string, bool)
	num   func(*scope) (int64, bool) // kindInt, kindTime, kindDuration
	float func(*scope) (float64, bool)
	truth func(*scope) (bool, bool)
	list  func(*scope) []string

	constant bool
	text     string // of a constant
	whole    int64
	real     float64
	yes      bool
}

// refKind says what a name refers to.
type refKind uint8

const (
	refNone refKind = iota
	refField
	refLabel
	refList
	refElem
	refAlert
)

// fieldOperand reads a field.
func fieldOperand(n ast.Node, id event.ID) *operand {
	o := &operand{node: n, field: id, ref: refField}
	switch event.FieldOf(id).Type {
	case event.Keyword, event.Text, event.IP:
		o.kind = kindString
		if event.FieldOf(id).Type == event.IP {
			o.kind = kindIP
		}
		o.str = func(s *scope) (string, bool) {
			v := s.event.Str(id)
			return v, v != ""
		}
	case event.Keywords:
		o.kind = kindStrings
		o.list = func(s *scope) []string { return s.event.List(id) }
	case event.Long:
		o.kind = kindInt
		o.num = func(s *scope) (int64, bool) { return s.event.Int(id), s.event.Has(id) }
	case event.Date:
		o.kind = kindTime
		o.num = func(s *scope) (int64, bool) { return s.event.Time(id), s.event.Has(id) }
	case event.Double:
		o.kind = kindFloat
		o.float = func(s *scope) (float64, bool) { return s.event.Float(id), s.event.Has(id) }
	case event.Bool:
		o.kind = kindBool
		o.truth = func(s *scope) (bool, bool) { return s.event.Bool(id), s.event.Has(id) }
	}
	return o
}

// labelOperand reads labels.<key>.
func labelOperand(n ast.Node, key string) *operand {
	return &operand{kind: kindString, node: n, label: key, ref: refLabel, str: func(s *scope) (string, bool) {
		for i := range s.event.Labels {
			if s.event.Labels[i].Key == key {
				v := s.event.Labels[i].Value
				return v, v != ""
			}
		}
		return "", false
	}}
}

// elemOperand is "#" under any and all.
func elemOperand(n ast.Node, id event.ID) *operand {
	return &operand{kind: kindString, node: n, field: id, ref: refElem, str: func(s *scope) (string, bool) {
		return s.elem, s.elem != ""
	}}
}

// name is how messages call the operand.
func (o *operand) name() string {
	switch o.ref {
	case refField:
		return o.field.String()
	case refLabel:
		return "labels." + o.label
	case refAlert:
		return o.label
	case refElem:
		return "#"
	case refNone, refList:
	}
	if o.constant && (o.kind == kindString || o.kind == kindIP) {
		return strconv.Quote(o.text)
	}
	return o.node.String()
}

func (o *operand) numeric() bool { return o.kind == kindInt || o.kind == kindFloat }
func (o *operand) textual() bool { return o.kind == kindString || o.kind == kindIP }

// asFloat reads a numeric operand as a double.
func (o *operand) asFloat() func(*scope) (float64, bool) {
	if o.kind == kindFloat {
		return o.float
	}
	num := o.num
	return func(s *scope) (float64, bool) {
		v, ok := num(s)
		return float64(v), ok
	}
}

func stringConstant(n ast.Node, v string) *operand {
	return &operand{
		kind: kindString, node: n, constant: true, text: v,
		str: func(*scope) (string, bool) { return v, true },
	}
}

func intConstant(n ast.Node, k kind, v int64) *operand {
	return &operand{
		kind: k, node: n, constant: true, whole: v, real: float64(v),
		num: func(*scope) (int64, bool) { return v, true },
	}
}

func floatConstant(n ast.Node, v float64) *operand {
	return &operand{
		kind: kindFloat, node: n, constant: true, real: v,
		float: func(*scope) (float64, bool) { return v, true },
	}
}

// arithmetic combines two numbers. An operation without a result gives no value.
func arithmetic(n ast.Node, op string, l, r *operand) *operand {
	out := &operand{node: n, constant: false}
	if l.kind == kindInt && r.kind == kindInt && op != "/" {
		out.kind = kindInt
		a, b := l.num, r.num
		out.num = func(s *scope) (int64, bool) {
			x, okX := a(s)
			y, okY := b(s)
			if !okX || !okY {
				return 0, false
			}
			switch op {
			case "+":
				return x + y, true
			case "-":
				return x - y, true
			case "*":
				return x * y, true
			}
			if y == 0 {
				s.failed = true
				return 0, false
			}
			return x % y, true
		}
		return out
	}
	out.kind = kindFloat
	a, b := l.asFloat(), r.asFloat()
	out.float = func(s *scope) (float64, bool) {
		x, okX := a(s)
		y, okY := b(s)
		if !okX || !okY {
			return 0, false
		}
		var v float64
		switch op {
		case "+":
			v = x + y
		case "-":
			v = x - y
		case "*":
			v = x * y
		default:
			v = x / y
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			s.failed = true
			return 0, false
		}
		return v, true
	}
	return out
}

// negated is unary minus.
func negated(n ast.Node, o *operand) *operand {
	if o.constant {
		if o.kind == kindInt {
			return intConstant(n, kindInt, -o.whole)
		}
		return floatConstant(n, -o.real)
	}
	out := &operand{kind: o.kind, node: n}
	if o.kind == kindInt {
		num := o.num
		out.num = func(s *scope) (int64, bool) {
			v, ok := num(s)
			return -v, ok
		}
		return out
	}
	float := o.float
	out.float = func(s *scope) (float64, bool) {
		v, ok := float(s)
		return -v, ok
	}
	return out
}

// folded is lower or upper. It writes into the scope's buffer, so that it does not allocate.
func folded(n ast.Node, o *operand, upper bool) *operand {
	str := o.str
	return &operand{kind: kindString, node: n, str: func(s *scope) (string, bool) {
		v, ok := str(s)
		if !ok {
			return "", false
		}
		start := len(s.buf)
		for _, r := range v {
			if upper {
				r = unicode.ToUpper(r)
			} else {
				r = unicode.ToLower(r)
			}
			s.buf = utf8.AppendRune(s.buf, r)
		}
		return event.Slot(s.buf[start:len(s.buf):len(s.buf)]), true
	}}
}

// length is len: characters of a text, entries of a list.
func length(n ast.Node, o *operand) *operand {
	out := &operand{kind: kindInt, node: n}
	if o.kind == kindStrings {
		list := o.list
		out.num = func(s *scope) (int64, bool) {
			v := list(s)
			return int64(len(v)), v != nil
		}
		return out
	}
	str := o.str
	out.num = func(s *scope) (int64, bool) {
		v, ok := str(s)
		return int64(utf8.RuneCountInString(v)), ok
	}
	return out
}

// network is net(ip, bits): the address with its last bits cut off, such as "192.0.2.0/24".
func network(n ast.Node, o *operand, bits int) *operand {
	str := o.str
	return &operand{kind: kindString, node: n, str: func(s *scope) (string, bool) {
		v, ok := str(s)
		if !ok {
			return "", false
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			return "", false
		}
		p, err := a.Unmap().WithZone("").Prefix(bits)
		if err != nil {
			return "", false
		}
		start := len(s.buf)
		s.buf = p.AppendTo(s.buf)
		return event.Slot(s.buf[start:len(s.buf):len(s.buf)]), true
	}}
}

// age is the time from a field to the event.
func age(n ast.Node, o *operand) *operand {
	num := o.num
	return &operand{kind: kindDuration, node: n, num: func(s *scope) (int64, bool) {
		v, ok := num(s)
		if !ok || !s.event.Has(event.Timestamp) {
			return 0, false
		}
		return s.event.Time(event.Timestamp) - v, true
	}}
}

// timeLayouts are the forms of a time constant.
func timeLayouts() []string { return []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} }

// parseInstant reads a time constant; without a zone it is UTC.
func parseInstant(text string) (int64, bool) {
	for _, layout := range timeLayouts() {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2262 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}
