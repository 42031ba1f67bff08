package formats

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// errNoTime refuses a line that says not when it happened: it has no place in any window.
var errNoTime = errors.New("no usable timestamp")

// conversion says how a raw value becomes a field.
type conversion uint8

const (
	asText conversion = iota
	asLower
	asUpper
	asEnum
	asInt
	asFloat
	asBool
	asTime
	asDuration
	asAddress
	asURI
	asHost
	asTLS
	asHTTPVersion
	asAttempts
	asTrace
	asMethod
	asMediaType
)

// program is a compiled map: the tree of paths, and the operations on what was found there. It is
// shared by all formats made from it and never changes.
type program struct {
	name    string
	product string
	root    *node
	slots   int
	ops     []op
	require []int    // slots a line of this format must have
	weights []weight // slots that speak for this format
}

type weight struct{ slot, points int }

// op fills one field from the first of its slots that has a usable value.
type op struct {
	to       event.ID
	label    string // key under labels.; then `to` is not used
	from     []int
	as       conversion
	epoch    epochUnit
	unit     int64 // nanoseconds of one unit, for durations
	scale    float64
	plus     int // slot of a duration to add to a time, or -1
	plusUnit int64
	constant string
	words    *wordMap
	when     []condition
}

// condition holds if a slot has one of the words; no words: if it has any value. The word "-" is a
// slot's without one.
type condition struct {
	slot  int
	words []string
}

// wordMap translates a gateway's words. Keys are compared without regard to case; a key that ends in
// * matches what begins with it.
type wordMap struct {
	exact    map[string]string
	prefixes [][2]string
	other    string // for words that are not there; "" leaves the field absent

	firsts [4]uint64 // the first letters of its keys
}

// index notes the first letters of the keys.
func (m *wordMap) index() {
	note := func(key string) {
		if key == "" { // the prefix of all words
			m.firsts = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
			return
		}
		for _, c := range []byte{key[0], upper(key[0])} {
			m.firsts[c/64] |= 1 << (c % 64)
		}
	}
	for k := range m.exact {
		note(k)
	}
	for _, p := range m.prefixes {
		note(p[0])
	}
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// may tells whether find could find s, which is not empty.
func (m *wordMap) may(s string) bool { return m.firsts[s[0]/64]>>(s[0]%64)&1 != 0 }

func (m *wordMap) find(s string) (string, bool) {
	var buf [64]byte
	if len(s) <= len(buf) {
		b := appendLower(buf[:0], s)
		if v, ok := m.exact[string(b)]; ok {
			return v, v != ""
		}
		for _, p := range m.prefixes {
			if len(b) >= len(p[0]) && string(b[:len(p[0])]) == p[0] {
				return p[1], p[1] != ""
			}
		}
	}
	return m.other, m.other != ""
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// mapFormat runs a program. It holds the scanner's state, so it belongs to one goroutine.
type mapFormat struct {
	prog  *program
	scan  scanner
	plans *plans
	text  []byte
	loc   *time.Location
	clock clock
}

func newMapFormat(p *program, loc *time.Location) *mapFormat {
	return &mapFormat{prog: p, scan: newScanner(p.slots), plans: new(plans), loc: loc}
}

// Parse implements Format.
func (f *mapFormat) Parse(line []byte, ev *event.Event) error {
	p := f.prog
	if err := f.scan.scan(line, p.root); err != nil {
		return err
	}
	f.runAll(f.plans.of(p, f.scan.marks), ev)
	if !ev.Has(event.Timestamp) {
		return errNoTime
	}
	finish(ev, p.name, p.product)
	f.scan.found.note(ev)
	return nil
}

// fits tells whether the line last parsed has what every line of this format has.
func (f *mapFormat) fits() bool {
	for _, s := range f.prog.require {
		if f.scan.get(s).kind == kindNone {
			return false
		}
	}
	return true
}

// finish sets what every line of a format has in common.
func finish(ev *event.Event, format, product string) {
	ev.SetString(event.EventProvider, format)
	ev.SetString(event.GatewayProduct, product)
	ev.SetString(event.ObserverProduct, product)
}

func (f *mapFormat) run(o *op, ev *event.Event) {
	list := o.label == "" && event.FieldOf(o.to).Type == event.Keywords
	if o.label == "" && !list && ev.Has(o.to) {
		return
	}
	for i := range o.when {
		if !f.holds(&o.when[i]) {
			return
		}
	}
	if o.constant != "" {
		f.assign(ev, o, o.constant)
		return
	}
	for _, i := range o.from {
		s := f.scan.get(i)
		if s.kind == kindNone {
			continue
		}
		text := f.value(s, ev)
		if absent(text) {
			if o.as == asTLS && s.kind == kindString && !ev.Has(event.TLSEstablished) {
				ev.SetBool(event.TLSEstablished, false) // the gateway names the version, and there is none
			}
			continue
		}
		if o.words != nil {
			word, ok := o.words.find(text)
			if !ok {
				continue
			}
			text = word
		}
		if o.plus >= 0 {
			if f.setSum(ev, o, text) {
				return
			}
			continue
		}
		if f.assign(ev, o, text) {
			return
		}
	}
}

// setSum sets a time that the log gives as start and duration.
func (f *mapFormat) setSum(ev *event.Event, o *op, text string) bool {
	at, ok := f.clock.parse(text, o.epoch, f.loc)
	if !ok {
		return false
	}
	if s := f.scan.get(o.plus); s.kind == kindNumber || s.kind == kindString {
		if d, ok := scaleDecimal(f.value(s, ev), o.plusUnit); ok {
			at = at.plus(d)
		}
	}
	at.set(ev, o.to)
	return true
}

func (f *mapFormat) holds(c *condition) bool {
	s := f.scan.get(c.slot)
	if s.kind == kindNone || s.kind == kindNull || s.kind == kindString && absent(f.raw(s)) {
		return slices.Contains(c.words, "-")
	}
	if len(c.words) == 0 {
		return true
	}
	raw := f.raw(s)
	for _, w := range c.words {
		if strings.EqualFold(raw, w) {
			return true
		}
	}
	return false
}

// raw is a slot's span as it stands in the line.
func (f *mapFormat) raw(s slot) string { return event.Slot(f.scan.src[s.start:s.end]) }

// value returns a slot as text: a slot of the line where it stands there as it is, else a copy in the
// event's scratch. An array of scalars, as gateways write a header that came twice, is joined.
func (f *mapFormat) value(s slot, ev *event.Event) string {
	switch s.kind {
	case kindString:
		b := f.scan.src[s.start:s.end]
		if !s.escaped && (!s.high || utf8.Valid(b)) {
			return event.Slot(b)
		}
		f.text = unescape(f.text[:0], b)
		return ev.Keep(f.text)
	case kindNumber, kindTrue, kindFalse:
		return f.raw(s)
	case kindArray:
		f.text = f.join(f.text[:0], s)
		return ev.Keep(f.text)
	}
	return ""
}

// join appends the scalars of an array that the scanner has accepted.
func (f *mapFormat) join(dst []byte, s slot) []byte {
	src := f.scan.src[:s.end]
	depth := 0
	for i := int(s.start); i < len(src); i++ {
		switch c := src[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',', ':', ' ', '\t', '\n', '\r':
		case '"':
			start := i + 1
			for i = start; src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			if depth == 1 {
				dst = unescape(separate(dst), src[start:i])
			}
		default:
			start := i
			for i+1 < len(src) && strings.IndexByte(",]} \t\r\n", src[i+1]) < 0 {
				i++
			}
			if depth == 1 && c != 'n' {
				dst = append(separate(dst), src[start:i+1]...)
			}
		}
		if len(dst) > 2*maxValue {
			break
		}
	}
	return dst
}

func separate(dst []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	return dst
}

// assign converts text and sets the field.
func (f *mapFormat) assign(ev *event.Event, o *op, text string) bool {
	if o.label != "" {
		if len(text) > maxValue {
			oversize(ev, event.Message, text)
			return false
		}
		return ev.SetLabel(o.label, text)
	}
	switch o.as {
	case asLower:
		return setCase(ev, o.to, text, 'A', 'a')
	case asUpper:
		return setCase(ev, o.to, text, 'a', 'A')
	case asEnum:
		return setEnum(ev, o.to, text)
	case asInt:
		return setInt(ev, o.to, text)
	case asFloat:
		return setFloat(ev, o.to, text, o.scale)
	case asBool:
		return setBool(ev, o.to, text)
	case asTime:
		at, ok := f.clock.parse(text, o.epoch, f.loc)
		if ok {
			at.set(ev, o.to)
		}
		return ok
	case asDuration:
		return setDuration(ev, o.to, text, o.unit)
	case asAddress:
		return setAddress(ev, o.to, text)
	case asURI:
		return setURI(ev, text)
	case asHost:
		return setHost(ev, o.to, text)
	case asTLS:
		return setTLS(ev, text)
	case asHTTPVersion:
		return setHTTPVersion(ev, text)
	case asAttempts:
		return setAttempts(ev, o.to, text)
	case asTrace:
		return setTrace(ev, o.to, text)
	case asMethod:
		return setMethod(ev, o.to, text)
	case asMediaType:
		return setMediaType(ev, o.to, text)
	default:
		return setText(ev, o.to, text)
	}
}
