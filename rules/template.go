package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Template is an alert's title: text with {name} placeholders. A name is a field or one of the
// counters that windows know, such as count, window, distinct.count, spike.ratio or steps[0].count. "{{" is a brace.
type Template struct {
	source string
	parts  []templatePart
}

// templatePart is literal text, or a placeholder where name is set.
type templatePart struct{ text, name string }

// maxTitleValue bounds one value in a title, in bytes.
const maxTitleValue = 200

// counters are the placeholders that are not fields. steps[0].count, the events of the first step of a
// sequence, and so on are placeholders too.
func counters() []string {
	return []string{
		"chain.distinct", "chain.risk", "chain.rules", "count", "distinct.count", "ratio", "spike.baseline", "spike.count",
		"spike.ratio", "spike.total", "threshold", "window",
	}
}

// stepCounter is the number of the step, from 0, whose count a placeholder names; -1 for others.
func stepCounter(name string) int {
	rest, ok := strings.CutPrefix(name, "steps[")
	rest, ok2 := strings.CutSuffix(rest, "].count")
	i, err := strconv.Atoi(rest)
	if !ok || !ok2 || err != nil || i < 0 {
		return -1
	}
	return i
}

// ParseTemplate reads a template. Its error is about the form and the first unknown name.
func ParseTemplate(text string) (Template, error) {
	t := Template{source: text}
	var lit strings.Builder
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			lit.WriteString(rest)
			break
		}
		lit.WriteString(rest[:i])
		brace := rest[i]
		rest = rest[i+1:]
		if rest != "" && rest[0] == brace {
			lit.WriteByte(brace)
			rest = rest[1:]
			continue
		}
		if brace == '}' {
			return Template{}, templateError{len(text) - len(rest) - 1, "} without {"}
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return Template{}, templateError{len(text) - len(rest) - 1, "{ without }"}
		}
		if _, field := event.Lookup(name); !field && !slices.Contains(counters(), name) && stepCounter(name) < 0 {
			return Template{}, templateError{len(text) - len(rest), fmt.Sprintf("unknown placeholder {%s}", name)}
		}
		if lit.Len() > 0 {
			t.parts = append(t.parts, templatePart{text: lit.String()})
			lit.Reset()
		}
		t.parts = append(t.parts, templatePart{name: name})
		rest = after
	}
	if lit.Len() > 0 {
		t.parts = append(t.parts, templatePart{text: lit.String()})
	}
	return t, nil
}

// templateError is a problem at a byte offset of a template.
type templateError struct {
	offset int
	text   string
}

func (e templateError) Error() string { return e.text }

// Render fills the placeholders in. A value that is not known is written as "unknown"; a long one is
// cut. Values are the caller's text: whoever shows the title escapes it for the place.
func (t Template) Render(values func(name string) (string, bool)) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		v, ok := values(p.name)
		switch {
		case !ok || v == "":
			b.WriteString("unknown")
		case len(v) > maxTitleValue:
			b.WriteString(strings.ToValidUTF8(v[:maxTitleValue], "") + "…")
		default:
			b.WriteString(v)
		}
	}
	return b.String()
}

// String is the template as it was written.
func (t Template) String() string { return t.source }

// Fields returns the fields among the placeholders, in their order, each once.
func (t Template) Fields() []event.ID {
	var ids []event.ID
	for _, p := range t.parts {
		if p.name == "" {
			continue
		}
		if id, ok := event.Lookup(p.name); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
