package privacy

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// appendClean appends s without what could hide a value from the detectors or from people: control
// characters, marks that turn the direction of text, characters that are not seen, broken UTF-8. White
// space becomes a space, and full-width characters and other scripts' digits become ASCII.
func appendClean(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		size, as := clean(s[i:])
		switch as {
		case stays:
			dst = append(dst, s[i:i+size]...)
		case goes:
		default:
			dst = append(dst, as)
		}
		i += size
	}
	return dst
}

// What clean says of a character that no other byte stands for.
const (
	goes  byte = 0
	stays byte = 0x7f
)

// clean returns the size of the character at the beginning of s, and what it becomes.
func clean(s string) (size int, as byte) {
	c := s[0]
	if c < utf8.RuneSelf {
		switch {
		case c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f':
			return 1, ' '
		case c < 0x20 || c == 0x7f:
			return 1, goes
		}
		return 1, c
	}
	r, size := utf8.DecodeRuneInString(s)
	switch as := fold(r); {
	case as != 0:
		return size, as
	case hidden(r, size):
		return size, goes
	}
	return size, stays
}

// fold returns the ASCII character that r is another form of: full-width characters, those of mathematics, the digits
// of other scripts, and the spaces and hyphens of typography, in which a number would pass unseen.
func fold(r rune) byte {
	switch {
	case r < 0xa0: // C1 controls
		return 0
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!')
	case r == 0x2800, unicode.Is(unicode.Zs, r): // a pattern of Braille without dots, spaces
		return ' '
	case r >= 0x2010 && r <= 0x2015, r == 0x2043, r == 0x2212, r == 0xfe58, r == 0xfe63: // hyphens, dashes, minus
		return '-'
	case r == 0xfe6b:
		return '@'
	case r == 0x2024, r == 0xfe52: // dots
		return '.'
	case r >= 0x1d400 && r <= 0x1d6a3: // letters of mathematics: thirteen alphabets, upper and lower case
		n := byte((r - 0x1d400) % 52)
		return n%26 + 'A' + n/26*('a'-'A')
	}
	i, found := slices.BinarySearch(zeros, r)
	if !found && i > 0 {
		i--
	}
	if n := r - zeros[i]; n >= 0 && n <= 9 {
		return byte(n) + '0'
	}
	return 0
}

// zeros are the characters for zero of all scripts; those for one to nine follow each.
//
//nolint:gochecknoglobals // constant
var zeros = func() (out []rune) {
	add := func(from, to rune) {
		for r := from; r <= to; r += 10 {
			out = append(out, r)
		}
	}
	for _, block := range unicode.Nd.R16 {
		add(rune(block.Lo), rune(block.Hi))
	}
	for _, block := range unicode.Nd.R32 {
		add(rune(block.Lo), rune(block.Hi))
	}
	return out
}()

// hidden tells whether nothing is seen of r, or of the broken character of this size: controls, joiners, marks of
// direction, selectors of a variant, fillers, separators of lines.
func hidden(r rune, size int) bool {
	switch {
	case r == utf8.RuneError:
		return size == 1
	case r < 0x300:
		return r < 0xa0 || r == 0xad // C1 controls, soft hyphen
	}
	return r == 0x2028 || r == 0x2029 ||
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}
