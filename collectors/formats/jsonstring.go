package formats

import (
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// This file reads the strings of a JSON line.

// str reads a string whose first byte is at i and returns the index of the closing quote.
func (s *scanner) str(i int) (end int, escaped, high bool, err error) {
	src := s.src
	for {
		i, _ = event.SkipPlain(src, i)
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
