package slack

import (
	"strings"
	"unicode/utf16"

	"github.com/liveward/liveward/alerting"
)

// place is where a text of the log is shown. Slack has no way to escape its marks, so each place
// takes those out that have a meaning there.
type place uint8

const (
	plain place = iota // a plain_text object
	prose              // mrkdwn between our own words
	code               // mrkdwn between backticks, where no mark but the backtick has a meaning
)

// cut marks what was left out.
const cut = "…"

// escape makes a text of the log fit for a place, in at most limit characters as Slack counts them:
// after escaping. It is cut between characters, so never within an entity.
func escape(s string, at place, limit int) string {
	// Every character gives one at least, so what lies far behind the limit needs no work; some of it
	// is looked at, so that an address is recognised where it is cut.
	s = first(strings.TrimSpace(s), limit+64)
	s = strings.TrimSpace(alerting.Defang(alerting.Clean(s)))
	var sb strings.Builder
	length, fits := 0, 0 // characters written, and bytes written when there was room for cut
	runes := []rune(s)
	for i, r := range runes {
		token := glyph(runes, i, r, at)
		n := width(token)
		if length+n > limit {
			if limit < 1 {
				return ""
			}
			return sb.String()[:fits] + cut
		}
		sb.WriteString(token)
		length += n
		if length <= limit-1 {
			fits = sb.Len()
		}
	}
	return sb.String()
}

// glyph is what is written for a character.
func glyph(text []rune, i int, r rune, at place) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	switch at {
	case code:
		if r == '`' {
			return "ˋ"
		}
	case prose:
		switch r {
		case '`':
			return "ˋ"
		case '*':
			return "∗"
		case '~':
			return "∼"
		case '_':
			// Within a word it has no meaning, and names such as unknown_key stay as they are.
			if i > 0 && i+1 < len(text) && wordy(text[i-1]) && wordy(text[i+1]) {
				return "_"
			}
			return "ˍ"
		case ':':
			if emoji(text[i+1:]) {
				return "∶"
			}
		}
	}
	return string(r)
}

func wordy(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// emoji tells whether what follows a colon makes it the name of an emoji. Times and addresses are
// none: those have digits and the letters a to f only.
func emoji(rest []rune) bool {
	word := false
	for i, r := range rest {
		switch {
		case r == ':':
			return word && i > 0
		case i > 60:
			return false
		case r >= 'g' && r <= 'z', r == '+', r == '_':
			word = true
		case r >= 'a' && r <= 'f', r >= '0' && r <= '9', r == '-':
		default:
			return false
		}
	}
	return false
}

// width counts characters as Slack's clients do, in UTF-16: never fewer than any other way.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// first is the beginning of s, in characters.
func first(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
