package sigma_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// item is a field of a search with its values, and what it means by Sigma's specification.
type item struct {
	field    string
	modifier string
	all      bool
	values   []string
}

func (it item) yaml() string {
	key := it.field
	if it.modifier != "" {
		key += "|" + it.modifier
	}
	if it.all {
		key += "|all"
	}
	quoted := make([]string, len(it.values))
	for i, v := range it.values {
		quoted[i] = strconv.Quote(v)
	}
	return fmt.Sprintf("%q: [%s]", key, strings.Join(quoted, ", "))
}

func (it item) holds(ev map[string]string) bool {
	got, ok := ev[it.field]
	n := 0
	for _, v := range it.values {
		if ok && wild(shape(v, it.modifier), strings.ToLower(got)) {
			n++
		}
	}
	return n > 0 && (!it.all || n == len(it.values))
}

func shape(v, modifier string) string {
	v = strings.ToLower(v)
	switch modifier {
	case "contains":
		return "*" + v + "*"
	case "startswith":
		return v + "*"
	case "endswith":
		return "*" + v
	}
	return v
}

// wild matches by trying all there is to try.
func wild(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return wild(pattern[1:], s) || s != "" && wild(pattern, s[1:])
	case s == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == s[0]) && wild(pattern[1:], s[1:])
}

// A rule matches exactly what the Sigma rule it was made of does, by a model that knows nothing of how
// rules are compiled.
func TestMeaning(t *testing.T) {
	fields := map[string]event.ID{
		"cs-uri-stem": event.URLPath, "c-useragent": event.UserAgentOriginal,
	}
	names := []string{"cs-uri-stem", "c-useragent"}
	text := rapid.StringOfN(rapid.SampledFrom([]rune("aAb.")), 1, 4, -1)
	value := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("aAb.")), 1, 3, -1), rapid.StringOfN(rapid.SampledFrom([]rune("aAb.")), 1, 3, -1),
		rapid.StringOfN(rapid.SampledFrom([]rune("aAb.*?")), 1, 3, -1))
	one := rapid.Custom(func(t *rapid.T) item {
		return item{
			rapid.SampledFrom(names).Draw(t, "field"), rapid.SampledFrom([]string{"", "contains", "startswith", "endswith"}).Draw(t, "modifier"),
			rapid.Bool().Draw(t, "all"), rapid.SliceOfNDistinct(value, 1, 5, rapid.ID[string]).Draw(t, "values"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		searches := map[string][]item{}
		var src strings.Builder
		src.WriteString("title: One\nlogsource: {category: webserver}\ndetection:\n")
		for _, name := range []string{"a", "b", "c"} {
			items := rapid.SliceOfNDistinct(one, 1, 2, func(i item) string { return i.field + i.modifier + strconv.FormatBool(i.all) }).Draw(t, name)
			searches[name] = items
			_, _ = fmt.Fprintf(&src, "  %s:\n", name)
			for _, it := range items {
				src.WriteString("    " + it.yaml() + "\n")
			}
		}
		condition := rapid.SampledFrom([]string{"a", "a and not b", "a or b and c", "(a or b) and c", "not (a and b) and c", "1 of them", "all of *", "c or not 1 of b*"}).Draw(t, "condition")
		src.WriteString("  condition: " + condition + "\n")
		results, err := importer(t).Import("rule.yml", []byte(src.String()))
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if r.ID == "" {
			if why := r.Refused[0].Message; !strings.Contains(why, "does not load") {
				t.Fatalf("%s: refused: %s", src.String(), why)
			}
			return // it can never match, or matches everything
		}
		set, err := rules.Load(directory(map[string]string{r.ID + ".yaml": r.Text}), rules.Options{})
		if set == nil || set.Rule(r.ID) == nil {
			t.Fatal(err)
		}
		matcher := set.NewMatcher()
		for range 50 {
			values := map[string]string{}
			var ev event.Event
			for _, name := range names {
				if rapid.Bool().Draw(t, "has") {
					values[name] = text.Draw(t, "value")
					ev.SetString(fields[name], values[name])
				}
			}
			ev.SetString(event.ClientIP, "203.0.113.7")
			ev.SetTime(event.Timestamp, 1)
			var signals event.SignalBuffer
			matcher.Match(&ev, rules.Origin{Event: event.HashStrings("x")}, &signals)
			if got, want := len(signals.Signals) > 0, meant(condition, searches, values); got != want {
				t.Fatalf("%s\non %v: matches %v, want %v\n%s", src.String(), values, got, want, r.Text)
			}
		}
	})
}

func meant(condition string, searches map[string][]item, ev map[string]string) bool {
	is := func(name string) bool {
		for _, it := range searches[name] {
			if !it.holds(ev) {
				return false
			}
		}
		return true
	}
	a, b, c := is("a"), is("b"), is("c")
	switch condition {
	case "a":
		return a
	case "a and not b":
		return a && !b
	case "a or b and c":
		return a || b && c
	case "(a or b) and c":
		return (a || b) && c
	case "not (a and b) and c":
		return (!a || !b) && c
	case "1 of them":
		return a || b || c
	case "all of *":
		return a && b && c
	}
	return c || !b // c or not 1 of b*
}
