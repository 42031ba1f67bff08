package formats

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// This file reads the strings of a JSON line, eight bytes at a time where they are plain.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the top bit of each byte, the bytes that end a plain stretch of a string: quote,
// backslash, control characters and bytes beyond ASCII. The lowest mark is always right; marks above
// it need not be. Without bit 1 a quote stands right above the control characters, in the place of the
// blank, so that one subtraction finds both.
func special(w uint64) uint64 {
	quote := (w ^ ones*0x02) - ones*0x21
	slash := (w ^ ones*'\\') - ones
	return (quote | slash | w) & highs
}

// plain skips what is plain in a string, from i on, and tells whether it ends there: mostly it does.
func plain(src []byte, i int) (end int, quote bool) {
	for ; i+8 <= len(src); i += 8 {
		if m := special(binary.LittleEndian.Uint64(src[i:])); m != 0 {
			i += bits.TrailingZeros64(m) / 8
			return i, src[i] == '"'
		}
	}
	return i, false
}

// str reads a string whose first byte is at i and returns the index of the closing quote.
func (s *scanner) str(i int) (end int, escaped, high bool, err error) {
	src := s.src
	for {
		i, _ = plain(src, i)
		if i >= len(src) {
			return i, escaped, high, errTruncated
		}
		switch c := src[i]; {
		case c == '"':
			return i, escaped, high, nil
		case c == '\\':
			escaped = true
			if i, err = s.escape(i + 1); err != nil {
				return i, escaped, high, err
			}
		case c < 0x20:
			return i, escaped, high, errControl
		case c >= utf8.RuneSelf:
			high = true
			i++
		default:
			i++
		}
	}
}

// escape checks the escape whose letter is at i and returns the index after it.
func (s *scanner) escape(i int) (int, error) {
	if i >= len(s.src) {
		return i, errTruncated
	}
	switch s.src[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, nil
	case 'u':
		if i+5 > len(s.src) {
			return i, errTruncated
		}
		if hex4(s.src[i+1:]) < 0 {
			return i, errEscape
		}
		return i + 5, nil
	}
	return i, errEscape
}
