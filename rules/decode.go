package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// decoder reads nodes strictly: every problem is reported at its place, and decoding goes on.
type decoder struct {
	source *source
	alerts bool // tests are about alerts: their fields may be set
}

func (d decoder) errorf(n *node, hint, format string, args ...any) {
	d.source.report(LevelError, n.at, fmt.Sprintf(format, args...), hint)
}

func (d decoder) warnf(n *node, hint, format string, args ...any) {
	d.source.report(LevelWarning, n.at, fmt.Sprintf(format, args...), hint)
}

// mapping returns the values of a map by key; unknown keys are reported. It is nil for anything
// that is not a map.
func (d decoder) mapping(n *node, what string, known ...string) map[string]*node {
	if n.shape != shapeMap {
		d.errorf(n, strict.Suggest("", known), "%s must be a map of keys and values", what)
		return nil
	}
	out := make(map[string]*node, len(n.pairs))
	for _, p := range n.pairs {
		if !slices.Contains(known, p.key.text) {
			d.errorf(p.key, strict.Suggest(p.key.text, known), "unknown key %s in %s", strconv.Quote(p.key.text), what)
			continue
		}
		out[p.key.text] = p.value
	}
	return out
}

// scalar tells whether n is a single value, and reports it where not.
func (d decoder) scalar(n *node, what string) bool {
	if n.shape != shapeScalar {
		d.errorf(n, "", "%s must be a single value", what)
		return false
	}
	return true
}

// maxTextBytes bounds titles and descriptions.
const maxTextBytes = 2000

// text reads a text; "" for a nil node.
func (d decoder) text(n *node, what string, limit int) string {
	if n == nil || !d.scalar(n, what) {
		return ""
	}
	if len(n.text) > limit {
		d.errorf(n, "", "%s is longer than %d bytes", what, limit)
		return ""
	}
	return strings.TrimSpace(n.text)
}

// word reads one of a few words.
func (d decoder) word(n *node, what string, words []string) string {
	if !d.scalar(n, what) {
		return ""
	}
	if !slices.Contains(words, n.text) {
		d.errorf(n, strict.Suggest(n.text, words), "%s %q is not known", what, n.text)
		return ""
	}
	return n.text
}

// integer reads a whole number between two bounds.
func (d decoder) integer(n *node, what string, low, high int64) int64 {
	if !d.scalar(n, what) {
		return low
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || n.style != strict.Plain || v < low || v > high {
		d.errorf(n, "", "%s must be a whole number from %d to %d", what, low, high)
		return low
	}
	return v
}

// number reads a number between two bounds.
func (d decoder) number(n *node, what string, low, high float64) float64 {
	if !d.scalar(n, what) {
		return low
	}
	v, err := strconv.ParseFloat(n.text, 64)
	if err != nil || n.style != strict.Plain || !(v >= low && v <= high) {
		d.errorf(n, "", "%s must be a number from %v to %v", what, low, high)
		return low
	}
	return v
}

// truth reads true or false.
func (d decoder) truth(n *node, what string) bool {
	return d.word(n, what, []string{"false", "true"}) == "true"
}

// duration reads a duration between two bounds.
func (d decoder) duration(n *node, what string, low, high time.Duration) time.Duration {
	if !d.scalar(n, what) {
		return low
	}
	v, err := event.ParseDuration(n.text)
	if err != nil {
		d.errorf(n, "", "%s: %s", what, err)
		return low
	}
	if v < low || v > high {
		d.errorf(n, "", "%s must be from %s to %s", what, event.FormatDuration(low), event.FormatDuration(high))
		return low
	}
	return v
}

// field reads the name of a field that rules see.
func (d decoder) field(n *node, what string) (event.ID, bool) {
	if !d.scalar(n, what) {
		return 0, false
	}
	id, ok := event.Lookup(n.text)
	if !ok {
		d.errorf(n, strict.Suggest(n.text, fieldNames()), "unknown field %s in %s", strconv.Quote(n.text), what)
		return 0, false
	}
	if event.FieldOf(id).Class == event.Transient {
		d.errorf(n, "", "%s is dropped before rules see the event", id)
		return 0, false
	}
	return id, true
}

// valueField is a field with one value, so that it can be part of a key.
func (d decoder) valueField(n *node, what string) (event.ID, bool) {
	id, ok := d.field(n, what)
	if ok && event.FieldOf(id).Type == event.Keywords {
		d.errorf(n, "", "%s is an array and cannot stand in %s", id, what)
		return 0, false
	}
	return id, ok
}

// list returns the items of a list; a single value is a list of one.
func (d decoder) list(n *node, what string, limit int) []*node {
	switch {
	case n == nil || n.shape == shapeNull:
		return nil
	case n.shape == shapeScalar:
		return []*node{n}
	case n.shape != shapeList:
		d.errorf(n, "", "%s must be a list", what)
		return nil
	case len(n.items) > limit:
		d.errorf(n, "", "%s has more than %d entries", what, limit)
		return n.items[:limit]
	}
	return n.items
}

// valueFields reads a list of fields, each once.
func (d decoder) valueFields(n *node, what string, limit int) []event.ID {
	var out []event.ID
	for _, item := range d.list(n, what, limit) {
		id, ok := d.valueField(item, what)
		if !ok {
			continue
		}
		if slices.Contains(out, id) {
			d.errorf(item, "", "%s stands in %s twice", id, what)
			continue
		}
		out = append(out, id)
	}
	return out
}

// words reads a list of words of one form.
func (d decoder) words(n *node, what, form string, pattern *regexp.Regexp) []string {
	const limit = 20
	var out []string
	for _, item := range d.list(n, what, limit) {
		if item.shape == shapeMap {
			d.errorf(item, "a colon within {…} makes it a map: put it in quotes, as in [\""+form+"\"]", "%s must be a word", what)
			continue
		}
		if !d.scalar(item, what) {
			continue
		}
		if !pattern.MatchString(item.text) {
			d.errorf(item, "want a form like "+form, "%s %q", what, item.text)
			continue
		}
		out = append(out, item.text)
	}
	return out
}
