package strict

import "strings"

// Suggest says what was probably meant by a word that is not known: the nearest of the known words,
// or all of them where they are few. It is a hint, empty where there is nothing to say.
func Suggest(word string, known []string) string {
	const few = 50
	if near := Nearest(word, known); near != "" {
		return `did you mean "` + near + `"?`
	}
	if len(known) > 0 && len(known) <= few {
		return "want one of " + strings.Join(known, ", ")
	}
	return ""
}

// Nearest returns the candidate that was probably meant, or "".
func Nearest(name string, candidates []string) string {
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
	limit := max(1, min(4, (len(name)+1)/3))
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
