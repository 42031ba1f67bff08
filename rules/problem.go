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

// nearest returns the candidate that was probably meant, or "".
func nearest(name string, candidates []string) string {
	const longest = 100
	if name == "" || len(name) > longest {
		return ""
	}
	if head, tail, ok := cutLast(name); ok && len(tail) > 3 {
		for _, c := range candidates {
			if strings.HasPrefix(c, head+"."+tail) {
				return c
			}
		}
	}
	limit := max(1, min(4, len(name)/3))
	best, bestDistance := "", limit+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), c, bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	// The last part alone, or the whole under another head: ip, source.status_code.
	_, last, dotted := cutLast(name)
	for _, c := range candidates {
		if _, tail, ok := cutLast(c); ok && (tail == name || dotted && tail == last) {
			return c
		}
	}
	return ""
}

// cutLast cuts a dotted name before its last segment.
func cutLast(name string) (head, tail string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// editDistance is the number of insertions, deletions, replacements and swaps of neighbours between
// a and b; limit or more where it reaches that.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row := rows[(i+2)%3], rows[i%3], rows[(i+1)%3]
		if i == 1 {
			prev = rows[1]
		}
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}

// meant is a hint with the nearest candidate, or with all of them where they are few.
func meant(name string, candidates []string) string {
	if s := nearest(name, candidates); s != "" {
		return "did you mean " + s + "?"
	}
	const few = 12
	if len(candidates) > 0 && len(candidates) <= few {
		return "want one of: " + strings.Join(candidates, ", ")
	}
	return ""
}
