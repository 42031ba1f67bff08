package rules

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// TestResult is the outcome of one test of one rule.
type TestResult struct {
	Rule     string
	Name     string
	File     string
	Line     int
	Failures []string // what was not as expected; none where the test passed
}

// Passed tells whether all was as expected.
func (r *TestResult) Passed() bool { return len(r.Failures) == 0 }

// TestResults are the outcomes of a set's tests, in order of rule and test.
type TestResults []TestResult

// Count returns how many tests passed and how many failed.
func (r TestResults) Count() (passed, failed int) {
	for i := range r {
		if r[i].Passed() {
			passed++
		} else {
			failed++
		}
	}
	return passed, failed
}

// Print writes one line a case, what was wrong below it, and "N passed, N failed" at the end.
func (r TestResults) Print(w io.Writer) error {
	var b strings.Builder
	for i := range r {
		word := "ok  "
		if !r[i].Passed() {
			word = "FAIL"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", word, r[i].Rule, r[i].Name)
		for _, f := range r[i].Failures {
			fmt.Fprintf(&b, "     %s:%d: %s\n", r[i].File, r[i].Line, f)
		}
	}
	passed, failed := r.Count()
	fmt.Fprintf(&b, "%d passed, %d failed\n", passed, failed)
	_, err := io.WriteString(w, b.String())
	return err
}

// Test runs the tests that stand in the rules, each on its rule alone, through the same matching and
// the same windows as the agent. Lists that a test gives no fixture for are empty, so that a test
// does not depend on a site's lists.
func (s *Set) Test() TestResults {
	var out TestResults
	for _, r := range s.rules {
		if r.matcher == nil {
			continue
		}
		sp := r.matcher.spec
		if sp.shipped != nil {
			for i, t := range sp.shipped.tests {
				out = append(out, s.result(r, sp.shipped, t, i, r.matcher.source.name))
			}
			for i, t := range sp.tests {
				out = append(out, s.result(r, sp, t, len(sp.shipped.tests)+i, sp.overlay.source.name))
			}
			continue
		}
		for i, t := range sp.tests {
			out = append(out, s.result(r, sp, t, i, r.matcher.source.name))
		}
	}
	return out
}

// result runs one test, on the rule as its file or an overlay has it.
func (s *Set) result(r *Rule, sp *spec, t *testCase, number int, file string) TestResult {
	res := TestResult{Rule: r.ID, Name: t.name, File: file, Line: t.at.at.line}
	if rule, err := s.forTest(r, sp, t); err != nil {
		res.Failures = []string{err.Error()}
	} else {
		res.Failures = runTest(rule, t, number)
	}
	return res
}

// runTest runs one test and returns what was not as expected.
func runTest(rule *Rule, t *testCase, number int) []string {
	fired := fire(rule, t, number)
	var failures []string
	matched := make([]bool, len(fired))
	for _, x := range t.alerts {
		found, near := -1, ""
		for i, a := range fired {
			if matched[i] || offsetOf(a) != x.at || a.Status != x.status {
				continue
			}
			if near = differs(a, x.want); near == "" {
				found = i
				break
			}
		}
		switch {
		case found >= 0:
			matched[found] = true
		case near != "":
			failures = append(failures, fmt.Sprintf("alert at %s: %s", formatOffset(x.at), near))
			for i, a := range fired {
				if !matched[i] && offsetOf(a) == x.at && a.Status == x.status {
					matched[i] = true
					break
				}
			}
		default:
			failures = append(failures, fmt.Sprintf("no %s at %s", statusWord(x.status), formatOffset(x.at)))
		}
	}
	for i, a := range fired {
		if !matched[i] {
			failures = append(failures, fmt.Sprintf("%s at %s was not expected: %s", statusWord(a.Status), formatOffset(offsetOf(a)), a.Rule.Name))
		}
	}
	return failures
}

// forTest is the rule with the test's lists: compiled again where it uses any, or where the test is
// one of the rule as it was shipped.
func (s *Set) forTest(r *Rule, sp *spec, t *testCase) (*Rule, error) {
	if sp == r.matcher.spec && len(r.matcher.uses()) == 0 {
		return r, nil
	}
	lists, err := s.fixtures(t)
	if err != nil {
		return nil, err
	}
	src := newSource(r.matcher.source.name, []byte(r.matcher.source.text))
	again := compileRule(sp, src, s.compiler(lists))
	if again == nil {
		return nil, src.problems.Errors()
	}
	again.Reference = r.Reference
	return again, nil
}

// fixtures are the set's lists with the entries that a test gives them.
func (s *Set) fixtures(t *testCase) (map[string]*compiledList, error) {
	lists := map[string]*compiledList{}
	for name, l := range s.lists {
		l.Entries, l.Former, l.Oldest, l.Rows, l.Default = nil, nil, nil, nil, ""
		if n := t.lists[name]; n != nil && l.Type == ListTable {
			l.fixture(n)
		} else if n != nil {
			for _, item := range n.items {
				l.Entries = append(l.Entries, item.text)
			}
		}
		l, err := l.normalize()
		if err != nil {
			return nil, fmt.Errorf("lists.%s: %w", name, err)
		}
		lists[name] = compileList(name, l)
	}
	return lists, nil
}

// compiler makes a compiler with the set's macros.
func (s *Set) compiler(lists map[string]*compiledList) *compiler {
	c := newCompiler(lists)
	if s.macros != "" {
		parseMacros(newSource(macroFile, []byte(s.macros)), c, newForms())
	}
	return c
}

func offsetOf(a testAlert) time.Duration { return time.Duration(a.Time - testBase().UnixNano()) }

func formatOffset(d time.Duration) string {
	if d < 0 {
		return "-" + event.FormatDuration(-d)
	}
	return event.FormatDuration(d)
}

// statusWord is what a document is called in messages.
func statusWord(s event.Status) string {
	switch s {
	case event.Recovered:
		return "recovery"
	case event.Updated:
		return "update"
	case event.Firing:
	}
	return "alert"
}

// differs says which stated property an alert does not have; "" where it has all.
func differs(a testAlert, want []wanted) string {
	for _, x := range want {
		var got string
		switch x.name {
		case "count", "distinct.count":
			got = strconv.FormatInt(a.Count, 10)
		case "suppressed":
			got = strconv.FormatInt(a.Suppressed, 10)
		case "threshold":
			got = strconv.FormatFloat(a.Threshold, 'f', -1, 64)
		case "title":
			got = a.Rule.Name
		default:
			got = "absent"
			if v, ok := a.counters[x.name]; ok {
				got = v
			}
			for _, v := range a.Key {
				if v.Field.String() == x.name {
					got = v.String()
				}
			}
		}
		if got != x.text {
			return fmt.Sprintf("%s is %s, not %s", x.name, got, x.text)
		}
	}
	return ""
}
