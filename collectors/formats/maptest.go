package formats

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// mapTest is one embedded test.
type mapTest struct {
	name string
	line string
	want []wantField
	err  string // the reason the line must be refused with
	at   strict.Node
}

type wantField struct {
	name   string
	id     event.ID
	label  bool
	values []string // none: must be absent
	at     strict.Node
}

// Test runs the tests that stand in the map files, and reports each failure with its file and line.
// With names, only those of the named formats.
func (s *Set) Test(names ...string) error {
	var all []error
	for _, d := range s.tests {
		if len(names) > 0 && !slices.Contains(names, d.name) {
			continue
		}
		var failed strict.Problems
		f := newMapFormat(s.programs[d.name], nil)
		for i := range d.tests {
			failed = append(failed, d.tests[i].run(f)...)
		}
		all = append(all, failed.Err())
	}
	return errors.Join(all...)
}

// run returns what the test finds wrong.
func (t *mapTest) run(f *mapFormat) (failed strict.Problems) {
	fail := func(at strict.Node, format string, args ...any) {
		failed = append(failed, at.Problem("", "test %q: "+format, append([]any{t.name}, args...)...))
	}
	var ev event.Event
	err := f.Parse([]byte(t.line), &ev)
	switch {
	case err == nil && t.err != "":
		fail(t.at, "the line is not refused")
	case err != nil && err.Error() != t.err:
		fail(t.at, "the line is refused: %v", err)
	case err == nil:
		for _, w := range t.want {
			if got := w.get(&ev); !slices.Equal(got, w.values) && !sameValue(w, got) {
				fail(w.at, "%s is %s, want %s", w.name, show(got), show(w.values))
			}
		}
	}
	return failed
}

// get returns a field as a test writes it.
func (w *wantField) get(ev *event.Event) []string {
	if w.label {
		for _, l := range ev.Labels {
			if l.Key == w.name {
				return []string{l.Value}
			}
		}
		return nil
	}
	return FieldText(ev, w.id)
}

// FieldText returns the values of a field as text, the form in which tests of maps name them; nil
// where absent.
func FieldText(ev *event.Event, id event.ID) []string {
	if !ev.Has(id) {
		return nil
	}
	switch event.FieldOf(id).Type {
	case event.Keywords:
		return slices.Clone(ev.List(id))
	case event.Long:
		return []string{strconv.FormatInt(ev.Int(id), 10)}
	case event.Double:
		return []string{strconv.FormatFloat(ev.Float(id), 'g', -1, 64)}
	case event.Bool:
		return []string{strconv.FormatBool(ev.Bool(id))}
	case event.Date:
		return []string{event.FormatTime(ev.Time(id))}
	}
	return []string{ev.Str(id)}
}

// sameValue compares numbers and times by value: 0.50 is 0.5, and zones and digits do not matter.
func sameValue(w wantField, got []string) bool {
	if w.label || len(got) != 1 || len(w.values) != 1 {
		return false
	}
	switch event.FieldOf(w.id).Type {
	case event.Long, event.Double:
		a, okA := parseFloat(got[0])
		b, okB := parseFloat(w.values[0])
		return okA && okB && a == b
	case event.Date:
		a, okA := parseTime(got[0], epochAuto, nil)
		b, okB := parseTime(w.values[0], epochAuto, nil)
		return okA && okB && a == b
	}
	return false
}

func show(values []string) string {
	if len(values) == 0 {
		return "absent"
	}
	return fmt.Sprintf("%q", values)
}

// readTest reads one entry of tests:.
func readTest(n strict.Node) mapTest {
	t := mapTest{at: n}
	for _, e := range n.Entries("name", "line", "want", "error") {
		switch e.Key {
		case "name":
			t.name = e.Value.Text()
		case "line":
			t.line = strings.TrimRight(e.Value.Text(), "\n")
		case "want":
			readWant(e.Value, "", &t.want)
		case "error":
			t.err = e.Value.Text()
		}
	}
	if t.line == "" || (len(t.want) == 0) == (t.err == "") {
		n.Bad("", "a test has a line: and either want: or error:")
	}
	if t.name == "" {
		t.name = fmt.Sprintf("line %d", n.Line())
	}
	return t
}

// readWant reads expected fields, dotted or nested.
func readWant(n strict.Node, prefix string, out *[]wantField) {
	for _, e := range n.Entries() {
		name := prefix + e.Key
		if e.Value.IsMapping() {
			readWant(e.Value, name+".", out)
			continue
		}
		w := wantField{name: name, at: e.At}
		if !e.Value.IsNull() {
			w.values = e.Value.Texts()
		}
		if label, ok := strings.CutPrefix(name, "labels."); ok {
			w.name, w.label = label, true
		} else if id, ok := event.Lookup(name); ok {
			w.id = id
		} else {
			e.At.Bad(strict.Suggest(name, fieldNames()), "unknown field %q", name)
			continue
		}
		*out = append(*out, w)
	}
}

func fieldNames() []string {
	var names []string
	for _, id := range event.Fields() {
		names = append(names, id.String())
	}
	return names
}
