package event

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the event as one nested ECS document on one line, keys in order of name,
// labels last. Transient fields are never written, whatever they hold.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	l := e.layout()
	for i := range l.steps {
		st := &l.steps[i]
		dst = appendBlock(dst, l.text, st.from, st.to)
		dst = e.appendValue(dst, st.id)
	}
	for range l.depth {
		dst = append(dst, '}')
	}
	if len(e.Labels) > 0 {
		if len(l.steps) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"labels":{`...)
		for i, l := range e.Labels {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSONString(dst, l.Key)
			dst = append(dst, ':')
			dst = AppendJSONString(dst, l.Value)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func (e *Event) appendValue(dst []byte, id ID) []byte {
	switch types[id] {
	case Keywords:
		dst = append(dst, '[')
		for i, s := range e.list[id] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSONString(dst, s)
		}
		return append(dst, ']')
	case Long:
		return strconv.AppendInt(dst, int64(e.num[id]), 10)
	case Double:
		return strconv.AppendFloat(dst, math.Float64frombits(e.num[id]), 'g', -1, 64)
	case Bool:
		return strconv.AppendBool(dst, e.num[id] == 1)
	case Date:
		dst = append(dst, '"')
		dst = AppendTime(dst, int64(e.num[id]))
		return append(dst, '"')
	default:
		return AppendJSONString(dst, e.str[id])
	}
}

// plan is how a field's name is written: by how many objects are open already, the objects still to
// be opened and the key, as one literal.
type plan struct {
	path    []string
	depth   int // objects around the value
	opening []string
}

// What follows is computed once from the constant table of fields.
//
//nolint:gochecknoglobals // constant after start
var (
	plans           = makePlans()
	types           = makeTypes()
	transientFields = makeTransient()
)

func makePlans() [NumFields]plan {
	var out [NumFields]plan
	for id := range out {
		path := strings.Split(fields[id].Name, ".")
		p := plan{path: path, depth: len(path) - 1, opening: make([]string, len(path))}
		for open := range p.opening {
			var b strings.Builder
			for _, s := range path[open:p.depth] {
				b.WriteString(strconv.Quote(s) + ":{")
			}
			p.opening[open] = b.String() + strconv.Quote(path[p.depth]) + ":"
		}
		out[id] = p
	}
	return out
}

func makeTypes() [NumFields]Type {
	var out [NumFields]Type
	for id := range out {
		out[id] = fields[id].Type
	}
	return out
}

func makeTransient() [presentWords]uint64 {
	var out [presentWords]uint64
	for id := range NumFields {
		if fields[id].Class == Transient {
			out[id/64] |= 1 << (id % 64)
		}
	}
	return out
}

const hexDigits = "0123456789abcdef"

// plainASCII tells whether none of eight bytes is a control character, a quote, a backslash, DEL or
// not ASCII: then they stand in JSON as they are.
func plainASCII(v uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	zero := func(x uint64) uint64 { return (x - ones) &^ x }
	return (v|(v-ones*0x20)|zero(v^ones*'"')|zero(v^ones*'\\')|zero(v^ones*0x7f))&high == 0
}

// plainText tells whether s stands in JSON as it is.
func plainText(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
				return false
			}
		}
		return true
	}
	b := Bytes(s)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if !plainASCII(binary.LittleEndian.Uint64(b[i:])) {
			return false
		}
	}
	// The rest, with some of what was looked at.
	return i == len(b) || plainASCII(binary.LittleEndian.Uint64(b[len(b)-8:]))
}

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD, control
// characters are escaped: whatever the log held, the document is valid and on one line.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if plainText(s) {
		dst = append(dst, s...)
		return append(dst, '"')
	}
	start := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && plainASCII(binary.LittleEndian.Uint64(Bytes(s[i:i+8]))) {
			i += 8
		}
		if i >= len(s) {
			break
		}
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= 0x20 && b != '"' && b != '\\' && b != 0x7f {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, `\u00`...)
				dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			i++
			start = i
			continue
		}
		if r == '\u2028' || r == '\u2029' {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&15])
			i += size
			start = i
			continue
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
