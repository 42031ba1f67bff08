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

// allHex looks at all bytes without a branch: in ids, what is a letter is not to be predicted.
func allHex(s string) bool {
	all := isHex
	for i := range len(s) {
		all &= looks[s[i]]
	}
	return all != 0 && s != ""
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
// space becomes a space, and full-width characters and other scripts' digits become ASCII.
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
		if c := fold(r); c != 0 {
			dst = append(dst, c)
		} else if !hidden(r, size) {
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return dst
}

// fold returns the ASCII character that r is another form of: full-width characters, those of mathematics, the digits
// of other scripts, and the spaces and hyphens of typography, in which a number would pass unseen.
func fold(r rune) byte {
	switch {
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!')
	case r == 0x3000, r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f: // spaces
		return ' '
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xfe63: // hyphens, dashes, minus
		return '-'
	case r == 0xfe6b:
		return '@'
	case r == 0x2024, r == 0xfe52: // dots
		return '.'
	case r >= 0x1d400 && r <= 0x1d6a3: // letters of mathematics: thirteen alphabets, upper and lower case
		n := byte((r - 0x1d400) % 52)
		return n%26 + 'A' + n/26*('a'-'A')
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return byte((r-0x1d7ce)%10) + '0'
	}
	for _, zero := range [...]rune{0x660, 0x6f0, 0x966, 0x9e6} { // Arabic, Persian, Devanagari, Bengali
		if r >= zero && r <= zero+9 {
			return byte(r - zero + '0')
		}
	}
	return 0
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

// unescaped is a string with its escapes resolved, and where each byte came from.
type unescaped struct {
	text []byte
	back []int // index in the original of each byte, and of the end
}

// escaped tells whether s has escapes.
func escaped(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '%', '\\', '&':
			if _, n := escape(s[i:]); n > 0 {
				return true
			}
		}
	}
	return false
}

// escape returns the character that an escape at the start of s stands for, and the escape's length: %41
// of URLs, \u0041 and \/ of JSON, \x41 of nginx, &#65;, &#x41; and &period; of HTML. The length is 0 where there is
// none. What %41 and \x41 give is a byte.
func escape(s string) (r rune, n int) {
	switch {
	case s[0] == '%':
		return hexDigits(s, 1, 2)
	case len(s) < 2:
	case s[0] == '\\' && s[1] == 'x':
		return hexDigits(s, 2, 2)
	case s[0] == '\\' && s[1] == 'u':
		return hexDigits(s, 2, 4)
	case s[0] == '\\' && (s[1] == '/' || s[1] == '"'):
		return rune(s[1]), 2
	case s[0] == '&' && s[1] == '#':
		return entity(s)
	case s[0] == '&':
		return named(s)
	}
	return 0, 0
}

// hexDigits reads count hexadecimal digits that begin at from.
func hexDigits(s string, from, count int) (r rune, n int) {
	if len(s) < from+count {
		return 0, 0
	}
	for i := from; i < from+count; i++ {
		d, ok := unhex(s[i])
		if !ok {
			return 0, 0
		}
		r = r<<4 | rune(d)
	}
	return r, from + count
}

// entity reads &#65; or &#x41; with any number of zeros, and without its semicolon, as browsers do.
func entity(s string) (r rune, n int) {
	base, i := rune(10), 2
	if i < len(s) && s[i]|0x20 == 'x' {
		base, i = 16, 3
	}
	from := i
	for ; i < len(s); i++ {
		d, ok := unhex(s[i])
		if !ok || rune(d) >= base {
			break
		}
		if r = r*base + rune(d); r > utf8.MaxRune {
			return 0, 0
		}
	}
	switch {
	case i == from:
		return 0, 0
	case i < len(s) && s[i] == ';':
		i++
	}
	return r, i
}

// named reads &period; and the like: what HTML calls the characters that values are made of or stand between.
func named(s string) (r rune, n int) {
	const longest = 8
	end := strings.IndexByte(s[:min(len(s), longest+2)], ';')
	if end < 0 {
		return 0, 0
	}
	r, ok := entities[s[1:end]]
	if !ok {
		return 0, 0
	}
	return r, end + 1
}

//nolint:gochecknoglobals // constant
var entities = map[string]rune{
	"amp": '&', "apos": '\'', "ast": '*', "bsol": '\\', "colon": ':', "comma": ',', "commat": '@', "dash": '-', "dollar": '$',
	"equals": '=', "excl": '!', "gt": '>', "hyphen": '-', "lowbar": '_', "lpar": '(', "lt": '<', "nbsp": ' ', "NewLine": '\n', "num": '#',
	"percnt": '%', "period": '.', "plus": '+', "quest": '?', "quot": '"', "rpar": ')', "semi": ';', "sol": '/', "Tab": '\t', "UnderBar": '_',
}

// decode resolves the escapes of s, which is the original, or what from holds.
func (u *unescaped) decode(s string, from *unescaped) {
	u.text, u.back = u.text[:0], u.back[:0]
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 0
		if c := s[i]; c == '%' || c == '\\' || c == '&' {
			r, n = escape(s[i:])
		}
		before := len(u.text)
		switch {
		case n == 0:
			u.text, n = append(u.text, s[i]), 1
		case r < 0x100 && s[i] != '&' && s[i+1] != 'u':
			u.text = append(u.text, byte(r))
		default:
			u.text = utf8.AppendRune(u.text, r)
		}
		at := i
		if from != nil {
			at = from.back[i]
		}
		for range len(u.text) - before {
			u.back = append(u.back, at)
		}
		i += n
	}
	end := len(s)
	if from != nil {
		end = from.back[end]
	}
	u.back = append(u.back, end)
}
