package strict

import (
	"strings"
)

// Suggest says what was probably meant by a word that is not known: the nearest of the known words,
// or all of them where they are few. It is a hint, empty where there is nothing to say.
func Suggest(word string, known []string) string {
	const few = 50
	if near := nearest(word, known); near != "" {
		return `did you mean "` + near + `"?`
	}
	if len(known) > 0 && len(known) <= few {
		return "known are " + strings.Join(known, ", ")
	}
	return ""
}

// nearest returns the name that was probably meant by s, or "" when none is close.
func nearest(s string, names []string) string {
	const near = 2 // letters
	best, at := "", max(1, (len(s)+1)/3)
	for _, n := range names {
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d <= at && (best == "" || d < at) {
			best, at = n, d
		}
	}
	// A last segment that is right says more than spelling: status_code for http.response.status_code.
	if tail := s[strings.LastIndexByte(s, '.')+1:]; tail != "" && (best == "" || at > near) {
		for _, n := range names {
			if strings.HasSuffix(n, "."+tail) {
				return n
			}
		}
	}
	return best
}

// distance is the number of letters to insert, remove, change or swap between a and b.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return 2 * longest
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
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
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
