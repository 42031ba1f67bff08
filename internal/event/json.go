package event

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the event as one nested ECS document on one line, keys in order of name,
// labels last. Transient fields are never written, whatever they hold.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	prev := -1
	depth := 0
	e.Present(func(id ID) {
		p := &plans[id]
		if p.skip {
			return
		}
		common := 0
		if prev >= 0 {
			common = commonDepth(&plans[prev], p)
			for ; depth > common; depth-- {
				dst = append(dst, '}')
			}
			dst = append(dst, ',')
		}
		for ; depth < len(p.segments)-1; depth++ {
			dst = append(dst, p.segments[depth]...)
			dst = append(dst, '{')
		}
		dst = append(dst, p.segments[depth]...)
		dst = e.appendValue(dst, id)
		prev = int(id)
	})
	for ; depth > 0; depth-- {
		dst = append(dst, '}')
	}
	if len(e.Labels) > 0 {
		if prev >= 0 {
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
	switch fields[id].Type {
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

// plan is how a field's name is written: the segments of its path, quoted, with colon.
type plan struct {
	path     []string
	segments []string
	skip     bool
}

//nolint:gochecknoglobals // computed once from the constant table
var plans = makePlans()

func makePlans() [NumFields]plan {
	var out [NumFields]plan
	for id := range out {
		path := strings.Split(fields[id].Name, ".")
		segments := make([]string, len(path))
		for i, s := range path {
			segments[i] = strconv.Quote(s) + ":"
		}
		out[id] = plan{path: path, segments: segments, skip: fields[id].Class == Transient}
	}
	return out
}

// commonDepth is the number of objects two fields share.
func commonDepth(a, b *plan) int {
	n := min(len(a.path), len(b.path)) - 1
	for i := range n {
		if a.path[i] != b.path[i] {
			return i
		}
	}
	return n
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD, control
// characters are escaped: whatever the log held, the document is valid and on one line.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
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
