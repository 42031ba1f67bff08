package privacy

import (
	"strings"
	"unicode/utf8"
)

// Classes of bytes.
const (
	isDigit uint8 = 1 << iota
	isUpper
	isLower
	isMark    // + / _ . ~ -
	isAt      // @
	isAssign  // = :
	isPercent // %
	isOdd     // control characters and everything beyond ASCII
)

const (
	isAlpha = isUpper | isLower
	isAlnum = isAlpha | isDigit
	isToken = isAlnum | isMark
)

//nolint:gochecknoglobals // constant
var class = makeClass()

func makeClass() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = isDigit
		case c >= 'A' && c <= 'Z':
			t[c] = isUpper
		case c >= 'a' && c <= 'z':
			t[c] = isLower
		case c < 0x20 || c >= 0x7f:
			t[c] = isOdd
		}
	}
	for _, c := range "+/_.~-" {
		t[c] = isMark
	}
	t['@'], t['='], t[':'], t['%'] = isAt, isAssign, isAssign, isPercent
	return t
}

// survey tells which classes of bytes a string has, how many digits, and its longest run of token
// characters. Most strings of a log end here.
func survey(s string) (seen uint8, digits, longest int) {
	run := 0
	for i := range len(s) {
		c := class[s[i]]
		seen |= c
		digits += int(c & isDigit)
		if c&isToken != 0 {
			run++
			continue
		}
		longest = max(longest, run)
		run = 0
	}
	return seen, digits, max(longest, run)
}

func lower(c byte) byte {
	if class[c]&isUpper != 0 {
		return c + 'a' - 'A'
	}
	return c
}

// hasFoldPrefix tells whether s begins with prefix, which is lower case.
func hasFoldPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// containsFold tells whether s contains sub, which is lower case.
func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if hasFoldPrefix(s[i:], sub) {
			return true
		}
	}
	return false
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func allHex(s string) bool {
	for i := range len(s) {
		if _, ok := unhex(s[i]); !ok {
			return false
		}
	}
	return s != ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if class[s[i]] != isDigit {
			return false
		}
	}
	return s != ""
}

// isUUID tells whether s is 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	return allHex(s[:8]) && allHex(s[9:13]) && allHex(s[14:18]) && allHex(s[19:23]) && allHex(s[24:])
}

// appendClean appends s without what could hide a value from the detectors or from people: control
// characters, marks that turn the direction of text, characters without width, broken UTF-8. White
// space becomes a space.
func appendClean(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f':
				dst = append(dst, ' ')
			case c >= 0x20 && c != 0x7f:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !hidden(r, size) {
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return dst
}

func hidden(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1:
		return true
	case r < 0xa0: // C1 controls
		return true
	case r == 0xad, r == 0x61c, r == 0x180e, r == 0xfeff: // soft hyphen, Arabic mark, vowel separator, BOM
		return true
	case r >= 0x200b && r <= 0x200f: // no width, direction marks
		return true
	case r >= 0x2028 && r <= 0x202e: // separators, embeddings
		return true
	case r >= 0x2060 && r <= 0x206f: // joiners, isolates
		return true
	case r >= 0xe0000 && r <= 0xe007f: // tags
		return true
	}
	return false
}

// cut shortens s to at most n bytes, never within a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// unescaped is a string with its percent escapes resolved, and where each byte came from.
type unescaped struct {
	text []byte
	back []int // index in the original of each byte, and of the end
}

// escaped tells whether s has percent escapes.
func escaped(s string) bool {
	for i := strings.IndexByte(s, '%'); i >= 0 && i+2 < len(s); {
		_, ok1 := unhex(s[i+1])
		_, ok2 := unhex(s[i+2])
		if ok1 && ok2 {
			return true
		}
		next := strings.IndexByte(s[i+1:], '%')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// decode resolves the escapes of s, which is the original, or what from holds.
func (u *unescaped) decode(s string, from *unescaped) {
	u.text, u.back = u.text[:0], u.back[:0]
	at := func(i int) int {
		if from == nil {
			return i
		}
		return from.back[i]
	}
	for i := 0; i < len(s); {
		c, n := s[i], 1
		if c == '%' && i+2 < len(s) {
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				c, n = hi<<4|lo, 3
			}
		}
		u.text = append(u.text, c)
		u.back = append(u.back, at(i))
		i += n
	}
	u.back = append(u.back, at(len(s)))
}
