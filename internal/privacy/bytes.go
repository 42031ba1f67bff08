package privacy

import "unicode/utf8"

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
