package event

import "testing"

func TestOneLine(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		limit    int
	}{
		{"a b", "a b", 3},
		{"a\nb\x1b[31m\x7f\u009b", "a b [31m  ", 20},
		{"äöü", "äö…", 2},
		{"\xffx", "\ufffdx", 5},
		{"", "", 0},
	} {
		if got := OneLine(tc.in, tc.limit); got != tc.want {
			t.Errorf("OneLine(%q, %d) is %q, want %q", tc.in, tc.limit, got, tc.want)
		}
	}
}
