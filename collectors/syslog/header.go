package syslog

import "bytes"

// Message returns the MSG part of a syslog message: what follows the header of RFC 5424 or RFC 3164,
// with the year, the zone and the missing host that senders write in the place of the latter. It is
// false for what has no such header; then the whole is the message, less the priority if there is one.
// The result is a part of b.
func Message(b []byte) ([]byte, bool) {
	rest, ok := priority(b)
	if !ok {
		return b, false
	}
	if after, ok := bytes.CutPrefix(rest, []byte("1 ")); ok {
		if msg, ok := structured(after); ok {
			return msg, true
		}
		return rest, false
	}
	after, ok := stamp(rest)
	if !ok {
		return rest, false
	}
	first, behind := word(after)
	if tag(first) {
		return behind, true
	}
	if second, end := word(behind); tag(second) {
		return end, true
	}
	return behind, true // no program's name: the text follows the host
}

// priority takes <0> to <191> off.
func priority(b []byte) ([]byte, bool) {
	if len(b) < 3 || b[0] != '<' {
		return nil, false
	}
	n := 0
	for i := 1; i < len(b) && i < 5; i++ {
		switch c := b[i]; {
		case c == '>' && i > 1 && n <= 191:
			return b[i+1:], true
		case c < '0' || c > '9':
			return nil, false
		default:
			n = 10*n + int(c-'0')
		}
	}
	return nil, false
}

// structured takes off what follows the version in RFC 5424: time, host, program, process, message
// id and structured data.
func structured(b []byte) ([]byte, bool) {
	for range 5 {
		n := bytes.IndexByte(b, ' ')
		if n < 1 {
			return nil, false
		}
		b = b[n+1:]
	}
	switch {
	case len(b) > 0 && b[0] == '-':
		b = b[1:]
	case len(b) > 0 && b[0] == '[':
		for len(b) > 0 && b[0] == '[' {
			end := element(b)
			if end < 0 {
				return nil, false
			}
			b = b[end:]
		}
	default:
		return nil, false
	}
	if len(b) > 0 && b[0] != ' ' {
		return nil, false
	}
	return bytes.TrimPrefix(bytes.TrimLeft(b, " "), []byte("\ufeff")), true
}

// element returns the index behind the ] that ends an element of structured data, -1 without one.
func element(b []byte) int {
	quoted := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted:
			return i + 1
		}
	}
	return -1
}

// stamp takes a time off: Mmm dd hh:mm:ss, or that of RFC 3339.
func stamp(b []byte) ([]byte, bool) {
	if len(b) < 16 {
		return nil, false
	}
	if '0' <= b[0] && b[0] <= '9' {
		n := bytes.IndexByte(b[:min(len(b), 40)], ' ')
		if n < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' {
			return nil, false
		}
		return b[n:], true
	}
	if !bytes.Contains([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), b[:3]) ||
		b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' || b[15] != ' ' {
		return nil, false
	}
	for _, i := range []int{5, 7, 8, 10, 11, 13, 14} {
		if b[i] < '0' || b[i] > '9' {
			return nil, false
		}
	}
	return b[15:], true
}

// word returns the next word of b and what follows it, without the space between.
func word(b []byte) (w, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	n := bytes.IndexByte(b, ' ')
	if n < 0 {
		return b, nil
	}
	return b[:n], bytes.TrimLeft(b[n:], " ")
}

// tag tells whether a word is a program's name: haproxy[912]: or nginx:
func tag(b []byte) bool {
	return len(b) > 1 && len(b) <= 64 && b[len(b)-1] == ':' && !bytes.ContainsAny(b[:len(b)-1], "\"{=|")
}
