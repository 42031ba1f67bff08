package rules

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Level says how bad a problem is.
type Level string

// The levels. A rule with an error is not loaded; a warning is advice.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
)

// Problem is something wrong in a rule or a list, at the place where it stands.
type Problem struct {
	File    string // path within the rule directory
	Line    int    // from 1; 0 where the problem is the file itself
	Column  int    // from 1, in characters
	Level   Level
	Message string
	Hint    string // what to do, where there is something to say
	Excerpt string // the line, and a caret below the column
}

// Error is the problem on one line, "file:line:column: level: message; hint", and its excerpt.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column))
	}
	b.WriteString(": ")
	if p.Level == LevelWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	if p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	return b.String()
}

// Problems are all that is wrong with a rule set, in order of file and line.
type Problems []Problem

// Error joins the problems, one after the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each problem.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i := range p {
		errs[i] = p[i]
	}
	return errs
}

// Errors returns the problems that are not warnings.
func (p Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(x Problem) bool { return x.Level != LevelError })
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
