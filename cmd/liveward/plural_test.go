package main

import "testing"

func TestPlural(t *testing.T) {
	for n, want := range map[int64]string{0: "0 rules", 1: "1 rule", 2: "2 rules", -1: "-1 rules"} {
		if got := plural(n, "rule"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
