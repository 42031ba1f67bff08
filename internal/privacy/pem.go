package privacy

import "strings"

// pemLetters are the letters of what every PEM block has.
//
//nolint:gochecknoglobals // constant
var pemLetters = lettersOf("begin-")

// pems finds PEM blocks, whole or cut off, in any letter case: some fields are written in lower case.
func (sc *scanner) pems(s string) {
	for i := 0; ; {
		at := dashed(s, i, "begin")
		if at < 0 {
			return
		}
		stop := len(s)
		if end := dashed(s, at, "end"); end >= 0 {
			stop = end + len("-----end")
			if d := strings.Index(s[stop:], "-----"); d >= 0 && d < 64 {
				stop += d + 5
			}
		}
		sc.add(at, stop, kindPEM)
		i = stop
	}
}

// dashed finds five hyphens and a word after i.
func dashed(s string, i int, word string) int {
	for {
		at := strings.Index(s[i:], "-----")
		if at < 0 {
			return -1
		}
		i += at
		end := i + 5
		for end < len(s) && s[end] == '-' {
			end++
		}
		if hasFoldPrefix(s[end:], word) {
			return end - 5
		}
		i = end
	}
}
