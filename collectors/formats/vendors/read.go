package vendors

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,63}$`)

// readVendor reads a map file. What is wrong with it is in the file.
func readVendor(name string, src []byte) (*vendor, *strict.File) {
	file := strict.Read(name, src)
	root := file.Root()
	v := &vendor{threshold: math.NaN(), decisions: map[string]verdict{}, reasons: map[string]reason{}, at: root}
	if !file.Parsed() {
		return v, file
	}
	for _, e := range root.Entries("vendor", "description", "aliases", "complete", "score", "no_decision", "decisions", "reasons", "tests") {
		switch e.Key {
		case "vendor":
			v.name, v.at = readName(e.Value), e.Value
		case "description":
			e.Value.Text()
		case "aliases":
			for _, item := range e.Value.Items() {
				v.aliases = append(v.aliases, readName(item))
			}
		case "complete":
			for _, item := range e.Value.Items() {
				switch oneOf(item, []string{"decisions", "reasons"}) {
				case "decisions":
					v.allWords = true
				case "reasons":
					v.allCodes = true
				}
			}
		case "score":
			v.readScore(e.Value)
		case "no_decision":
			if v.scoreOnly = e.Value.Text() == byScore; !v.scoreOnly {
				e.Value.Bad("leave it out otherwise", "no_decision: is by_score")
			}
		case "decisions":
			v.readDecisions(e.Value)
		case "reasons":
			v.readReasons(e.Value)
		case "tests":
			for _, item := range e.Value.Items() {
				v.tests = append(v.tests, readTest(item))
			}
		}
	}
	if v.name == "" {
		root.Bad("begin with vendor: name", "the map names no vendor")
	}
	if len(v.decisions) == 0 && !v.scoreOnly {
		v.at.Bad("add decisions:, or no_decision: by_score", "the map knows no decision")
	}
	if v.scoreOnly && !v.hasScore {
		v.at.Bad("add score: {min: 0, max: 1}", "no_decision: by_score needs a score")
	}
	return v, file
}

func readName(n strict.Node) string {
	name := n.Text()
	if name != "" && !nameForm.MatchString(name) {
		n.Bad("use lower-case letters, digits, dots, dashes and underscores", "%q cannot be the name of a vendor", name)
		return ""
	}
	return name
}

func (v *vendor) readScore(n strict.Node) {
	v.hasScore, v.max = true, 1
	for _, e := range n.Entries("min", "max", "inverted", "threshold") {
		switch e.Key {
		case "min":
			v.min = e.Value.Number()
		case "max":
			v.max = e.Value.Number()
		case "inverted":
			v.inverted = e.Value.Bool()
		case "threshold":
			v.threshold = e.Value.Number()
		}
	}
	if v.min >= v.max {
		n.Bad("a score where low is live has inverted: true", "min: must be below max:")
		return
	}
	if v.threshold < v.min || v.threshold > v.max {
		n.Bad("the threshold is on the vendor's scale", "threshold: must be between min: and max:")
	}
}

func (v *vendor) readDecisions(n strict.Node) {
	for _, e := range n.Entries() {
		var d verdict
		if e.Value.IsMapping() {
			for _, k := range e.Value.Entries("decision", "reason") {
				if k.Key == "decision" {
					d.decision = oneOf(k.Value, decisionWords())
				} else {
					d.category = oneOf(k.Value, event.FieldOf(event.LivenessReasonCategory).Enum)
				}
			}
			if d.decision == "" {
				e.Value.Bad("add decision:", "the entry has no decision")
			}
		} else {
			d.decision = oneOf(e.Value, decisionWords())
		}
		if d.decision == byScore && !v.hasScore {
			e.Value.Bad("put score: {min: 0, max: 1} before it", "by_score needs a score")
		}
		v.decisions[checkKey(e)] = d
	}
}

func (v *vendor) readReasons(n strict.Node) {
	for _, e := range n.Entries() {
		var r reason
		if e.Value.IsMapping() {
			for _, k := range e.Value.Entries("category", "attack_class", "attack_type") {
				switch k.Key {
				case "category":
					r.category = oneOf(k.Value, event.FieldOf(event.LivenessReasonCategory).Enum)
				case "attack_class":
					r.class = oneOf(k.Value, event.FieldOf(event.LivenessAttackClass).Enum)
				case "attack_type":
					r.kind = k.Value.Text()
				}
			}
			if r.category == "" {
				e.Value.Bad("add category:", "the entry has no category")
			}
		} else {
			r.category = oneOf(e.Value, event.FieldOf(event.LivenessReasonCategory).Enum)
		}
		key := checkKey(e)
		if head, ok := strings.CutSuffix(key, "*"); ok {
			v.prefixes = append(v.prefixes, prefixReason{head, r})
		} else {
			v.reasons[key] = r
		}
	}
}

func checkKey(e strict.Entry) string {
	if len(e.Key) > 64 {
		e.At.Bad("", "a word of the vendor has 64 characters at most")
	}
	return strings.ToLower(e.Key)
}

func decisionWords() []string {
	return append(slices.Clone(event.FieldOf(event.LivenessDecision).Enum), byScore)
}

func oneOf(n strict.Node, words []string) string {
	w := n.Text()
	if w != "" && !slices.Contains(words, w) {
		n.Bad("want one of "+strings.Join(words, ", "), "unknown word %q", w)
		return ""
	}
	return w
}

// mapTest is one embedded test: raw fields in, canonical fields out.
type mapTest struct {
	name        string
	given, want []value
	at          strict.Node
}

type value struct {
	id    event.ID
	texts []string
	at    strict.Node
}

func readTest(n strict.Node) mapTest {
	t := mapTest{at: n, name: "a test"}
	for _, e := range n.Entries("name", "given", "want") {
		switch e.Key {
		case "name":
			t.name = e.Value.Text()
		case "given":
			t.given = readValues(e.Value, "")
		case "want":
			t.want = readValues(e.Value, "")
		}
	}
	if len(t.given) == 0 || len(t.want) == 0 {
		n.Bad("", "a test has given: and want:")
	}
	return t
}

func readValues(n strict.Node, prefix string) []value {
	var out []value
	for _, e := range n.Entries() {
		name := prefix + e.Key
		if e.Value.IsMapping() {
			out = append(out, readValues(e.Value, name+".")...)
			continue
		}
		id, ok := event.Lookup(name)
		if !ok {
			id, ok = event.Lookup("liveness." + name)
		}
		if !ok {
			e.At.Bad(strict.Suggest(name, livenessNames()), "unknown field %q", name)
			continue
		}
		v := value{id: id, at: e.At}
		if !e.Value.IsNull() {
			v.texts = e.Value.Texts()
		}
		out = append(out, v)
	}
	return out
}

func livenessNames() []string {
	var names []string
	for _, id := range event.Fields() {
		if short, ok := strings.CutPrefix(id.String(), "liveness."); ok {
			names = append(names, short)
		} else if strings.HasPrefix(id.String(), "http.") {
			names = append(names, id.String())
		}
	}
	return names
}

// test runs the map's tests.
func (v *vendor) test(s *Set) error {
	var failed strict.Problems
	for _, t := range v.tests {
		fail := func(at strict.Node, format string, args ...any) {
			failed = append(failed, at.Problem("", "test %q: "+format, append([]any{t.name}, args...)...))
		}
		var ev event.Event
		for _, g := range t.given {
			if err := set(&ev, g); err != nil {
				fail(g.at, "%v", err)
			}
		}
		s.Apply(&ev, v.name)
		for _, w := range t.want {
			if got := formats.FieldText(&ev, w.id); !slices.Equal(got, w.texts) {
				fail(w.at, "%s is %q, want %q", w.id, got, w.texts)
			}
		}
	}
	return failed.Err()
}

func set(ev *event.Event, g value) error {
	for _, text := range g.texts {
		switch event.FieldOf(g.id).Type {
		case event.Double:
			var f float64
			if _, err := fmt.Sscan(text, &f); err != nil {
				return fmt.Errorf("%s is a number", g.id)
			}
			ev.SetFloat(g.id, f)
		case event.Long:
			var n int64
			if _, err := fmt.Sscan(text, &n); err != nil {
				return fmt.Errorf("%s is a whole number", g.id)
			}
			ev.SetInt(g.id, n)
		case event.Bool:
			ev.SetBool(g.id, text == "true")
		case event.Keywords:
			ev.Append(g.id, text)
		default:
			ev.SetString(g.id, text)
		}
	}
	return nil
}
