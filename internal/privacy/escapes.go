package privacy

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

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
// of URLs, \u0041, \/ and \t of JSON, \x41 of nginx, &#65;, &#x41; and &period; of HTML. The length is 0 where there
// is none. What %41 and \x41 give is a byte.
func escape(s string) (r rune, n int) {
	switch {
	case s[0] == '%':
		return hexDigits(s, 1, 2)
	case len(s) < 2:
	case s[0] == '\\' && s[1] == 'x':
		return hexDigits(s, 2, 2)
	case s[0] == '\\' && s[1] == 'u':
		return utf16Units(s)
	case s[0] == '\\' && (s[1] == '/' || s[1] == '"'):
		return rune(s[1]), 2
	case s[0] == '\\' && (s[1] == 'n' || s[1] == 'r' || s[1] == 't'):
		return ' ', 2
	case s[0] == '&' && s[1] == '#':
		return entity(s)
	case s[0] == '&':
		return named(s)
	}
	return 0, 0
}

// utf16Units reads \u0041, or two of them, where it takes both for one character.
func utf16Units(s string) (r rune, n int) {
	const unit = len(`\u0041`)
	if r, n = hexDigits(s, 2, 4); !utf16.IsSurrogate(r) || !strings.HasPrefix(s[unit:], `\u`) {
		return r, n
	}
	if low, m := hexDigits(s[unit:], 2, 4); m > 0 {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, n + m
		}
	}
	return r, n
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
	const longest = len("NonBreakingSpace")
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
	"equals": '=', "excl": '!', "gt": '>', "horbar": '-', "hyphen": '-', "lowbar": '_', "lpar": '(', "lt": '<', "mdash": '-', "minus": '-',
	"ndash": '-', "num": '#', "percnt": '%', "period": '.', "plus": '+', "quest": '?', "quot": '"', "rpar": ')', "semi": ';', "sol": '/',
	"UnderBar": '_',

	"emsp": ' ', "emsp13": ' ', "emsp14": ' ', "ensp": ' ', "hairsp": ' ', "MediumSpace": ' ', "nbsp": ' ', "NewLine": ' ',
	"NonBreakingSpace": ' ', "numsp": ' ', "puncsp": ' ', "Tab": ' ', "thinsp": ' ', "ThinSpace": ' ', "VeryThinSpace": ' ',

	"lrm": softHyphen, "NoBreak": softHyphen, "rlm": softHyphen, "shy": softHyphen, "ZeroWidthSpace": softHyphen, "zwj": softHyphen, "zwnj": softHyphen,
}

// softHyphen is one of the characters that are not seen: each of them stands for all.
const softHyphen = 0xad

// decode resolves the escapes of s, which is the original, or what from holds, and cleans what comes of it.
func (u *unescaped) decode(s string, from *unescaped) {
	u.text, u.back = u.text[:0], u.back[:0]
	odd := uint8(0)
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
		for _, c := range u.text[before:] {
			u.back = append(u.back, at)
			odd |= class[c]
		}
		i += n
	}
	end := len(s)
	if from != nil {
		end = from.back[end]
	}
	u.back = append(u.back, end)
	if odd&isOdd != 0 {
		u.clean()
	}
}

// clean is appendClean in place.
func (u *unescaped) clean() {
	n := 0
	for i := 0; i < len(u.text); {
		size, as := clean(slot(u.text[i:]))
		switch as {
		case stays:
			copy(u.text[n:], u.text[i:i+size])
			copy(u.back[n:], u.back[i:i+size])
			n += size
		case goes:
		default:
			u.text[n], u.back[n] = as, u.back[i]
			n++
		}
		i += size
	}
	u.back[n] = u.back[len(u.text)]
	u.text, u.back = u.text[:n], u.back[:n+1]
}
