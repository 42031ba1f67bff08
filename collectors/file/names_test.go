package file

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogs(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []string
		want []Log
	}{
		"one":     {[]string{"a.log"}, []Log{{"a.log", []string{"a.log"}}}},
		"rotated": {[]string{"a.log.1"}, []Log{{"a.log.1", []string{"a.log.1"}}}},
		"numbers": {[]string{"d/a.log", "d/a.log.1", "d/a.log.10.gz", "d/a.log.2.gz"}, []Log{{"d/a.log", []string{"d/a.log.10.gz", "d/a.log.2.gz", "d/a.log.1", "d/a.log"}}}},
		"no live": {[]string{"a.log.1", "a.log.2"}, []Log{{"a.log", []string{"a.log.2", "a.log.1"}}}},
		"dates":   {[]string{"a-20260302.log", "a.log", "a-20260301.log"}, []Log{{"a.log", []string{"a-20260301.log", "a-20260302.log", "a.log"}}}},
		"two logs": {[]string{"x/a.log", "y/a.log.1", "x/a.log.1", "y/a.log", "-"}, []Log{
			{"x/a.log", []string{"x/a.log.1", "x/a.log"}}, {"y/a.log", []string{"y/a.log.1", "y/a.log"}}, {"-", []string{"-"}},
		}},
		"instances": {[]string{"gw-1.log", "gw-2.log", "gw.log"}, []Log{{"gw-1.log", []string{"gw-1.log"}}, {"gw-2.log", []string{"gw-2.log"}}, {"gw.log", []string{"gw.log"}}}},
		"twice":     {[]string{"a.log", "a.log"}, []Log{{"a.log", []string{"a.log"}}, {"a.log", []string{"a.log"}}}},
	} {
		if diff := cmp.Diff(tc.want, Logs(tc.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
