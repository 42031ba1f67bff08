package formats

import (
	"regexp"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// definition is a map file, read and checked, before it is compiled.
type definition struct {
	name        string
	product     string
	description string
	extends     string
	at          strict.Node // where the name stands
	extendsAt   strict.Node
	fold        [][]step
	require     []pathRef
	weights     []weightDef
	fields      []fieldDef
	tests       []mapTest
	file        *strict.File
	builtin     bool
}

type pathRef struct {
	text  string
	steps []step
	at    strict.Node
}

type weightDef struct {
	path   pathRef
	points int
}

// fieldDef is one entry of fields:.
type fieldDef struct {
	op   op // without slots
	from []pathRef
	plus *pathRef
	when []conditionDef
}

type conditionDef struct {
	path  pathRef
	words []string
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// readDefinition reads a map file. What is wrong with it is in the definition's file.
func readDefinition(file string, src []byte) *definition {
	d := &definition{file: strict.Read(file, src)}
	if !d.file.Parsed() {
		return d
	}
	root := d.file.Root()
	var fields, labels, tests, detect strict.Node
	for _, e := range root.Entries("format", "product", "description", "extends", "case_insensitive", "detect", "fields", "labels", "tests") {
		switch e.Key {
		case "format":
			d.name, d.at = e.Value.Text(), e.Value
			if d.name != "" && !nameForm.MatchString(d.name) {
				e.Value.Bad("use lower-case letters, digits and underscores", "%q cannot be the name of a format", d.name)
			}
		case "product":
			d.product = e.Value.Text()
		case "description":
			d.description = e.Value.Text()
		case "extends":
			d.extends, d.extendsAt = e.Value.Text(), e.Value
		case "case_insensitive":
			for _, item := range e.Value.Items() {
				if ref, ok := readPath(item); ok {
					d.fold = append(d.fold, ref.steps)
				}
			}
		case "detect":
			detect = e.Value
		case "fields":
			fields = e.Value
		case "labels":
			labels = e.Value
		case "tests":
			tests = e.Value
		}
	}
	if d.at.IsZero() {
		d.at = root
		root.Bad("begin with format: my_gateway", "the map has no name")
	}
	if d.product == "" && d.extends == "" {
		d.at.Bad("add product: and the name of what writes this log", "the map names no product")
	}
	for _, e := range detect.Entries("require", "keys") {
		if e.Key == "require" {
			for _, item := range e.Value.Items() {
				if ref, ok := readPath(item); ok {
					d.require = append(d.require, ref)
				}
			}
			continue
		}
		for _, k := range e.Value.Entries() {
			ref, ok := parseRef(k.Key, k.At)
			if n, number := parseInt(k.Value.Text()); !number || n < 1 || n > 10 {
				k.Value.Bad("", "a weight is a whole number from 1 to 10")
			} else if ok {
				d.weights = append(d.weights, weightDef{ref, int(n)})
			}
		}
	}
	if !fields.IsZero() && !fields.IsList() {
		fields.Bad("write each field as - {to: name, from: key}", "fields is a list")
	} else {
		for _, item := range fields.Items() {
			if f, ok := readField(item); ok {
				d.fields = append(d.fields, f)
			}
		}
	}
	for _, e := range labels.Entries() {
		if !nameForm.MatchString(e.Key) {
			e.At.Bad("use lower-case letters, digits and underscores", "%q cannot be the name of a label", e.Key)
			continue
		}
		f := fieldDef{op: op{label: e.Key, plus: -1, scale: 1}}
		for _, item := range e.Value.Items() {
			if ref, ok := readPath(item); ok {
				f.from = append(f.from, ref)
			}
		}
		d.fields = append(d.fields, f)
	}
	for _, item := range tests.Items() {
		d.tests = append(d.tests, readTest(item))
	}
	return d
}

func readPath(n strict.Node) (pathRef, bool) { return parseRef(n.Text(), n) }

func parseRef(text string, at strict.Node) (pathRef, bool) {
	if text == "" {
		return pathRef{}, false
	}
	steps, err := parsePath(text)
	if err != nil {
		at.Bad(`paths look like request.headers.host, tries[-1].code or a."key.with.dots"`, "path %q: %v", text, err)
		return pathRef{}, false
	}
	return pathRef{text, steps, at}, true
}

// readField reads one entry of fields:.
func readField(n strict.Node) (fieldDef, bool) {
	f := fieldDef{op: op{plus: -1, scale: 1}}
	var to, from, as, unit, words, other, value strict.Node
	for _, e := range n.Entries("to", "from", "as", "unit", "plus", "plus_unit", "map", "else", "value", "when") {
		switch e.Key {
		case "to":
			to = e.Value
		case "from":
			from = e.Value
			for _, item := range from.Items() {
				if ref, ok := readPath(item); ok {
					f.from = append(f.from, ref)
				}
			}
		case "as":
			as = e.Value
		case "unit":
			unit = e.Value
		case "plus":
			if ref, ok := readPath(e.Value); ok {
				f.plus = &ref
			}
		case "plus_unit":
			f.op.plusUnit = readUnit(e.Value)
		case "map":
			words = e.Value
		case "else":
			other = e.Value
		case "value":
			value = e.Value
		case "when":
			for _, w := range e.Value.Entries() {
				if ref, ok := parseRef(w.Key, w.At); ok {
					c := conditionDef{path: ref, words: w.Value.Texts()}
					if len(c.words) == 1 && c.words[0] == "*" {
						c.words = nil
					}
					f.when = append(f.when, c)
				}
			}
		}
	}
	if to.IsZero() {
		n.Bad("add to: and the ECS name", "the entry names no field")
		return f, false
	}
	id, ok := target(to)
	if !ok {
		return f, false
	}
	f.op.to = id
	if id == event.ClientIP && !slices.ContainsFunc(f.when, func(c conditionDef) bool { return slices.Contains(c.words, "-") }) {
		to.Bad("the peer goes to source.ip, the X-Forwarded-For chain to http.request.forwarded",
			`client.ip is filled by a map only where the line names no peer, as when: {remote_addr: "-"} says`)
		return f, false
	}
	if from.IsZero() == value.IsZero() {
		n.Bad("", "%s needs either from: or value:", id)
		return f, false
	}
	field := event.FieldOf(id)
	if !value.IsZero() {
		f.op.constant = value.Text()
		checkWord(value, field, f.op.constant)
	}
	if !words.IsZero() {
		f.op.words = readWords(words, other, field)
	} else if !other.IsZero() {
		other.Bad("", "else: needs a map:")
	}
	readConversion(&f, field, as, unit, to)
	if f.plus != nil && (f.op.as != asTime || f.op.plusUnit == 0) {
		n.Bad("write plus: latencies.request and plus_unit: ms", "plus: adds a duration of known unit to a time")
	}
	return f, true
}

// readWords reads map: and else:.
func readWords(n, other strict.Node, field *event.Field) *wordMap {
	m := &wordMap{exact: map[string]string{}}
	for _, e := range n.Entries() {
		word := ""
		if !e.Value.IsNull() {
			word = e.Value.Text()
			checkWord(e.Value, field, word)
		}
		key := strings.ToLower(e.Key)
		if len(key) > 64 {
			e.At.Bad("", "a word of the log has 64 characters at most")
		}
		if head, ok := strings.CutSuffix(key, "*"); ok {
			m.prefixes = append(m.prefixes, [2]string{head, word})
		} else {
			m.exact[key] = word
		}
	}
	if !other.IsZero() && !other.IsNull() {
		m.other = other.Text()
		checkWord(other, field, m.other)
	}
	return m
}

// checkWord checks a word that a map gives to a field.
func checkWord(at strict.Node, field *event.Field, word string) {
	if field.Enum == nil || slices.Contains(field.Enum, word) || word == "" {
		return
	}
	at.Bad(strict.Suggest(word, field.Enum), "%q is not a value of %s", word, field.Name)
}

func readUnit(n strict.Node) int64 {
	switch u := n.Text(); u {
	case "s":
		return 1e9
	case "ms":
		return 1e6
	case "us":
		return 1e3
	case "ns":
		return 1
	case "":
	default:
		n.Bad("units are s, ms, us and ns", "unknown unit %q", u)
	}
	return 0
}
