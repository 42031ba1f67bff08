package alerting

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks bounds combining marks on one character: more of them run over the lines around.
const maxMarks = 3

// Clean makes a text of the log fit to be read on one line: line breaks and tabs become spaces;
// control characters, and those that are invisible or turn the direction of writing, are shown by
// their number, such as \u202e. What remains is printable, and what was hidden is seen.
func Clean(s string) string {
	clean := true
	marks := 0
	for _, r := range s {
		if keep(r, &marks) != r || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var sb strings.Builder
	marks = 0
	for _, r := range s {
		switch k := keep(r, &marks); {
		case k >= 0:
			sb.WriteRune(k)
		case r < 0x100:
			sb.WriteString(`\x` + pad(r, 2))
		case r < 0x10000:
			sb.WriteString(`\u` + pad(r, 4))
		default:
			sb.WriteString(`\U` + pad(r, 8))
		}
	}
	return sb.String()
}

// keep is what stands for a character: itself, a space, or -1 where it must be written by number.
func keep(r rune, marks *int) rune {
	if unicode.Is(unicode.M, r) {
		*marks++
	} else {
		*marks = 0
	}
	switch {
	case r == '\n', r == '\r', r == '\t':
		return ' '
	case r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0,
		r >= 0x180b && r <= 0x180f, r >= 0xe0100 && r <= 0xe01ef: // print as nothing
		return -1
	case r >= 0xfe00 && r <= 0xfe0f: // choose between forms of a character
		return -1
	case *marks > maxMarks:
		return -1
	case unicode.Is(unicode.Zs, r):
		return ' '
	case !unicode.IsPrint(r):
		return -1
	}
	return r
}

func pad(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(width-len(s), 0)) + s
}

var (
	webScheme = regexp.MustCompile(`(?i)h(tt)(ps?://)`)
	anyScheme = regexp.MustCompile(`(?i)([a-z0-9+.-])://`)
	webHost   = regexp.MustCompile(`(?i)\b(www)\.`)
	mailTo    = regexp.MustCompile(`(?i)\b(mailto|tel|javascript|data):`)
)

// Defang takes the life out of addresses in a text of the log: nobody can follow them by a click,
// and everybody can still read them.
func Defang(s string) string {
	if !strings.ContainsAny(s, ":.") {
		return s
	}
	s = webScheme.ReplaceAllString(s, "hxx$2")
	s = anyScheme.ReplaceAllString(s, "$1[:]//")
	s = webHost.ReplaceAllString(s, "$1[.]")
	return mailTo.ReplaceAllString(s, "$1[:]")
}
