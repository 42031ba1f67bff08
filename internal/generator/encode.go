package generator

import (
	"strconv"
	"time"
)

// encoder writes calls as lines of one format. It keeps the text of the last second it has written,
// for thousands of lines share it.
type encoder struct {
	format string
	zone   *time.Location
	layout string
	second int64
	clock  []byte
	tmp    []byte
}

func newEncoder(format string, offset time.Duration) encoder {
	e := encoder{format: format, zone: time.FixedZone("", int(offset/time.Second)), second: -1 << 62}
	switch format {
	case NginxCombined:
		e.layout = "02/Jan/2006:15:04:05 -0700"
	case LivewardV1:
		e.layout, e.zone = "2006-01-02T15:04:05", time.UTC
	default:
		e.layout = "2006-01-02T15:04:05-07:00"
	}
	return e
}

// append appends one line.
func (e *encoder) append(b []byte, c *call) []byte {
	switch e.format {
	case NginxCombined:
		return e.combined(b, c)
	case LivewardV1:
		return e.livewardV1(b, c)
	case KongJSON:
		return e.kong(b, c)
	default:
		return e.nginx(b, c)
	}
}

// appendClock appends the second of t in the format's layout.
func (e *encoder) appendClock(b []byte, t int64) []byte {
	second := floorDiv(t, int64(time.Second))
	if second != e.second {
		e.second = second
		e.clock = time.Unix(second, 0).In(e.zone).AppendFormat(e.clock[:0], e.layout)
	}
	return append(b, e.clock...)
}

func floorDiv(a, b int64) int64 { return (a - mod(a, b)) / b }

// appendMillis appends the milliseconds of t within its second, in three digits.
func appendMillis(b []byte, t int64) []byte {
	return appendPadded(b, int(mod(t, int64(time.Second))/int64(time.Millisecond)), 3)
}

func appendPadded(b []byte, n, digits int) []byte {
	for p, i := pow10(digits-1), 0; i < digits; i++ {
		b = append(b, byte('0'+n/p%10))
		p = max(p/10, 1)
	}
	return b
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// appendSeconds appends a duration as nginx does: seconds with three digits.
func appendSeconds(b []byte, d int64) []byte {
	b = strconv.AppendInt(b, d/int64(time.Second), 10)
	b = append(b, '.')
	return appendMillis(b, d)
}

// appendScore appends a score with three digits.
func appendScore(b []byte, score float64) []byte {
	n := int(score*1000 + 0.5)
	b = strconv.AppendInt(b, int64(n/1000), 10)
	b = append(b, '.')
	return appendPadded(b, n%1000, 3)
}

// appendEscaped appends s as nginx's escape=json does, which is as JSON does.
func appendEscaped[T string | []byte](b []byte, s T) []byte {
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b = append(b, '\\', ch)
		case ch == '\n':
			b = append(b, '\\', 'n')
		case ch == '\t':
			b = append(b, '\\', 't')
		case ch < 0x20:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[ch>>4], hexDigits[ch&15])
		default:
			b = append(b, ch)
		}
	}
	return b
}

// members appends members of a JSON object.
type members struct {
	b     []byte
	start int // of the object's first member
}

func (m *members) open() {
	m.b = append(m.b, '{')
	m.start = len(m.b)
}

// object opens an object under a key and returns what closed needs.
func (m *members) object(key string) int {
	m.key(key)
	was := m.start
	m.open()
	return was
}

func (m *members) close(was int) {
	m.b = append(m.b, '}')
	m.start = was
}

func (m *members) key(key string) {
	if len(m.b) > m.start {
		m.b = append(m.b, ',')
	}
	m.b = append(m.b, '"')
	m.b = append(m.b, key...)
	m.b = append(m.b, '"', ':')
}

func (m *members) str(key, value string) {
	m.key(key)
	m.b = append(m.b, '"')
	m.b = appendEscaped(m.b, value)
	m.b = append(m.b, '"')
}

// some is str where there is a value.
func (m *members) some(key, value string) {
	if value != "" {
		m.str(key, value)
	}
}

func (m *members) int(key string, n int64) {
	m.key(key)
	m.b = strconv.AppendInt(m.b, n, 10)
}

func (m *members) bool(key string, v bool) {
	m.key(key)
	m.b = strconv.AppendBool(m.b, v)
}

// quote and unquote stand round a value that the caller appends to b.
func (m *members) quote(key string) {
	m.key(key)
	m.b = append(m.b, '"')
}

func (m *members) unquote() { m.b = append(m.b, '"') }
