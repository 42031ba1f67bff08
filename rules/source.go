package rules

import (
	"strings"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/strict"
)

// position is a place in a file, from 1, columns in characters.
type position struct{ line, column int }

// source is a file with its problems.
type source struct {
	name     string
	text     string
	lines    []string
	problems Problems
}

func newSource(name string, data []byte) *source {
	s := &source{name: name, text: string(data)}
	s.lines = strings.Split(s.text, "\n")
	return s
}

// maxProblems bounds what one file can report.
const maxProblems = 50

func (s *source) report(level Level, at position, message, hint string) {
	if len(s.problems) >= maxProblems {
		return
	}
	at.line = min(at.line, len(s.lines)) // the library counts a carriage return as a line
	s.problems = append(s.problems, Problem{
		File: s.name, Line: at.line, Column: at.column, Level: level, Message: message, Hint: hint,
		Excerpt: s.excerpt(at),
	})
}

// failed tells whether the file has an error.
func (s *source) failed() bool {
	for i := range s.problems {
		if s.problems[i].Level == LevelError {
			return true
		}
	}
	return false
}

// excerpt is the line with a caret below the column.
func (s *source) excerpt(at position) string {
	if at.line < 1 || at.line > len(s.lines) {
		return ""
	}
	const width = 120
	runes := []rune(strings.TrimRight(s.lines[at.line-1], "\r"))
	caret := min(max(at.column-1, 0), len(runes))
	start := 0
	if caret > width-20 {
		start = caret - (width - 20)
	}
	runes = runes[start:min(start+width, len(runes))]
	for i, r := range runes {
		if r < ' ' || r == 0x7f {
			runes[i] = ' '
		}
	}
	return "  | " + string(runes) + "\n  | " + strings.Repeat(" ", caret-start) + "^"
}

// offsetOf is the byte offset of a position.
func (s *source) offsetOf(at position) int {
	n := 0
	for i := 0; i < at.line-1 && i < len(s.lines); i++ {
		n += len(s.lines[i]) + 1
	}
	if at.line < 1 || at.line > len(s.lines) {
		return min(n, len(s.text))
	}
	line := s.lines[at.line-1]
	for c := 1; c < at.column && line != ""; c++ {
		_, size := utf8.DecodeRuneInString(line)
		n += size
		line = line[size:]
	}
	return n
}

// positionOf is the position of a byte offset.
func (s *source) positionOf(offset int) position {
	offset = min(offset, len(s.text))
	before := s.text[:offset]
	line := strings.Count(before, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return position{line + 1, utf8.RuneCountInString(before[start:]) + 1}
}

// within maps a character of a scalar's decoded text to the place in the file where it is written.
// It walks text and file side by side: quotes, escapes, folded lines and indentation are in the
// file alone. Where the two cannot be matched, the place is that of the scalar.
func (s *source) within(n *node, char int) position {
	raw := s.text
	j := s.offsetOf(n.at)
	switch n.style {
	case strict.SingleQuoted, strict.DoubleQuoted:
		j++
	case strict.Block:
		nl := strings.IndexByte(raw[min(j, len(raw)):], '\n')
		if nl < 0 {
			return n.at
		}
		j += nl + 1
	}
	count := 0
	for _, r := range n.text {
		start, next, ok := alignRune(raw, j, r, n.style)
		if !ok {
			return n.at
		}
		if count == char {
			return s.positionOf(start)
		}
		j = next
		count++
	}
	return s.positionOf(j)
}

// alignRune finds where r, the next character of the decoded text, stands in raw from j on.
func alignRune(raw string, j int, r rune, st strict.Style) (start, next int, ok bool) {
	for j < len(raw) {
		c, size := utf8.DecodeRuneInString(raw[j:])
		switch {
		case st == strict.DoubleQuoted && c == '\\':
			if strings.HasPrefix(raw[j+1:], "\n") {
				j = skipBlank(raw, j+2)
				continue
			}
			return j, min(j+escapeLen(raw[j+1:]), len(raw)), true
		case st == strict.SingleQuoted && strings.HasPrefix(raw[j:], "''"):
			return j, j + 2, r == '\''
		case r == ' ' && c == '\n' && st != strict.Block:
			return j, skipBlank(raw, j+1), true
		case c == r:
			return j, j + size, true
		case r == ' ' && c == '\n':
			return j, j + 1, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			j += size
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// escapeLen is the length of a double-quoted escape, given what follows the backslash.
func escapeLen(rest string) int {
	if rest == "" {
		return 1
	}
	switch rest[0] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	_, size := utf8.DecodeRuneInString(rest)
	return 1 + size
}

// skipBlank skips white space from j on.
func skipBlank(raw string, j int) int {
	for j < len(raw) && strings.IndexByte(" \t\r\n", raw[j]) >= 0 {
		j++
	}
	return j
}
