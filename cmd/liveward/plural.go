package main

import "strconv"

// plural is a number with its noun: 1 rule, 2 rules.
func plural[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatInt(int64(n), 10) + " " + noun
}
