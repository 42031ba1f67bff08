package file

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLogs(t *testing.T) {
	alone := func(paths ...string) (logs []Log) {
		for _, p := range paths {
			logs = append(logs, Log{p, []string{p}})
		}
		return logs
	}
	for name, tc := range map[string]struct {
		in   string
		want []Log
	}{
		"one":      {"a.log", alone("a.log")},
		"rotated":  {"a.log.1", alone("a.log.1")},
		"numbers":  {"d/a.log d/a.log.1 d/a.log.10.gz d/a.log.2.gz", []Log{{"d/a.log", []string{"d/a.log.10.gz", "d/a.log.2.gz", "d/a.log.1", "d/a.log"}}}},
		"no live":  {"a.log.1 a.log.2", []Log{{"a.log", []string{"a.log.2", "a.log.1"}}}},
		"padded":   {"a.log.01 a.log.02 a.log.10", []Log{{"a.log", []string{"a.log.10", "a.log.02", "a.log.01"}}}},
		"a word":   {"a.log a.log.old", []Log{{"a.log", []string{"a.log.old", "a.log"}}}},
		"dates":    {"a-20260302.log a.log a-20260301.log", []Log{{"a.log", []string{"a-20260301.log", "a-20260302.log", "a.log"}}}},
		"hours":    {"a.log.2026-03-01-9 a.log.2026-03-01-10 a.log", []Log{{"a.log", []string{"a.log.2026-03-01-9", "a.log.2026-03-01-10", "a.log"}}}},
		"instants": {"a.log-20260301T100000Z a.log-20260301T090000Z", []Log{{"a.log", []string{"a.log-20260301T090000Z", "a.log-20260301T100000Z"}}}},
		"seconds":  {"a.log-1772323200 a.log-1772236800.gz", []Log{{"a.log", []string{"a.log-1772236800.gz", "a.log-1772323200"}}}},
		"months":   {"a.2026-10.log a.2026-09.log a.log", []Log{{"a.log", []string{"a.2026-09.log", "a.2026-10.log", "a.log"}}}},
		"indices of days": {"a.log.2026-03-01.10 a.log a.log.2026-03-02.1 a.log.2026-03-01.1 a.log.2026-03-01.2", []Log{{"a.log", []string{
			"a.log.2026-03-01.1", "a.log.2026-03-01.2", "a.log.2026-03-01.10", "a.log.2026-03-02.1", "a.log",
		}}}},
		"indices of days before the ending": {"a-2026-03-01.10.log.gz a.log a-2026-03-01.9.log.gz", []Log{{"a.log", []string{
			"a-2026-03-01.9.log.gz", "a-2026-03-01.10.log.gz", "a.log",
		}}}},
		"indices of months": {"a.log.2026-03.10 a.log.2026-03.9", []Log{{"a.log", []string{"a.log.2026-03.9", "a.log.2026-03.10"}}}},
		"indices of a day":  {"a.log.2026-03-01.2 a.log.2026-03-01.10", []Log{{"a.log", []string{"a.log.2026-03-01.2", "a.log.2026-03-01.10"}}}},
		"two logs": {"x/a.log y/a.log.1 x/a.log.1 y/a.log -", []Log{
			{"-", []string{"-"}}, {"x/a.log", []string{"x/a.log.1", "x/a.log"}}, {"y/a.log", []string{"y/a.log.1", "y/a.log"}},
		}},
		"instances":       {"gw-1.log gw-2.log gw.log", alone("gw-1.log", "gw-2.log", "gw.log")},
		"years":           {"a.2025.log a.2026.log a.log", alone("a.2025.log", "a.2026.log", "a.log")},
		"days of no year": {"a.log.0301 a.log.0302 a.log", alone("a.log", "a.log.0301", "a.log.0302")},
		"days first":      {"a.log-01032026 a.log-02032026", alone("a.log-01032026", "a.log-02032026")},
		"one age":         {"a.log a.log.01 a.log.1", alone("a.log", "a.log.01", "a.log.1")},
		"one age of many": {"a.log a.log.1 a.log.1.gz a.log.2", append([]Log{{"a.log", []string{"a.log.2", "a.log"}}}, alone("a.log.1", "a.log.1.gz")...)},
		"two ways": {"a.log a.log.1 a.log-20260301 a.log-20260302", append([]Log{{"a.log", []string{"a.log-20260301", "a.log-20260302", "a.log"}}},
			alone("a.log.1")...)},
		"twice":         {"a.log a.log", alone("a.log")},
		"written twice": {"./a.log x/../a.log a.log.1", []Log{{"a.log", []string{"a.log.1", "a.log"}}}},
	} {
		if diff := cmp.Diff(byPath(tc.want), byPath(Logs(strings.Fields(tc.in)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// byPath is for a table, which has no order of logs.
func byPath(logs []Log) map[string][]string {
	m := map[string][]string{}
	for _, l := range logs {
		m[l.Path] = l.Files
	}
	return m
}

// drawNames draws names as rotation makes them, of few logs.
func drawNames(t *rapid.T) []string {
	number := rapid.SampledFrom([]string{"0", "1", "2", "9", "10", "01", "11", "100", "1000", "0301", "2025", "99999"})
	date := rapid.SampledFrom([]string{
		"20260301", "20260302", "2026-03-01", "2026-03-02", "2026.03.01", "2026-03", "2026-3-1", "202603", "260301", "1772323200", "1772323201",
		"20260301T1200", "20260301T0900", "2026030112", "31122026", "old", "bak",
	})
	token := rapid.OneOf(number, date, rapid.Custom(func(t *rapid.T) string {
		return date.Draw(t, "date") + rapid.SampledFrom([]string{".", "-", "_"}).Draw(t, "by") + number.Draw(t, "index")
	}))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		sep := rapid.SampledFrom([]string{".", "-", "_"}).Draw(t, "separator")
		base, ext, _ := strings.Cut(rapid.SampledFrom([]string{"a.log", "b.log", "a", "d/a.log"}).Draw(t, "log"), ".")
		if ext != "" {
			ext = "." + ext
		}
		name := rapid.SampledFrom([]string{base + ext, base + sep + token.Draw(t, "token") + ext, base + ext + sep + token.Draw(t, "token")}).Draw(t, "name")
		return rapid.SampledFrom([]string{"", "./"}).Draw(t, "here") + name + rapid.SampledFrom([]string{"", ".gz"}).Draw(t, "compressed")
	}), 0, 14).Draw(t, "names")
}

// TestLogsOfAnyNames: whatever the names and their order, each file is of one log, and no two logs have a path.
func TestLogsOfAnyNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := drawNames(t)
		logs := Logs(names)
		if diff := cmp.Diff(logs, Logs(rapid.Permutation(names).Draw(t, "shuffled"))); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
		var files, paths []string
		for _, l := range logs {
			files, paths = append(files, l.Files...), append(paths, l.Path)
			if len(l.Files) == 1 && l.Files[0] != l.Path {
				t.Fatalf("%s is said to be of %s", l.Files[0], l.Path)
			}
		}
		slices.Sort(files)
		if diff := cmp.Diff(Distinct(names), files); len(names) > 0 && diff != "" {
			t.Fatalf("files (-given +taken):\n%s", diff)
		}
		if !slices.IsSorted(paths) || len(slices.Compact(paths)) != len(logs) {
			t.Fatalf("paths of logs: %v", paths)
		}

		// Which of two files is older does not depend on what stands beside them.
		for _, l := range logs {
			for i, older := range l.Files {
				for _, newer := range l.Files[i+1:] {
					for _, two := range Logs([]string{newer, older}) {
						if two.Path == l.Path && !slices.Equal(two.Files, []string{older, newer}) {
							t.Fatalf("%v, but alone %v", l.Files, two.Files)
						}
					}
				}
			}
		}
	})
}

// TestAgesAreInOrder: of ages of one form one is older, unless they are the same numbers; and an order it is.
func TestAgesAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		forms := map[string][]age{}
		for _, name := range drawNames(t) {
			rotatedFrom(name, func(_, token string) bool {
				if a, ok := ageOf(token); ok {
					forms[a.form] = append(forms[a.form], a)
				}
				return true
			})
		}
		for _, ages := range forms {
			for _, a := range ages {
				for _, b := range ages {
					if a.compare(b) != -b.compare(a) || a.compare(b) == 0 && !slices.Equal(a.numbers, b.numbers) {
						t.Fatalf("%v and %v", a, b)
					}
					for _, c := range ages {
						if a.compare(b) < 0 && b.compare(c) < 0 && a.compare(c) >= 0 {
							t.Fatalf("%v before %v before %v", a, b, c)
						}
					}
				}
			}
		}
	})
}
