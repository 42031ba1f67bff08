package sigma

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// correlation is the part of a rule that counts or orders what other rules find.
type correlation struct {
	kind, span string
	rules      []strict.Node
	by         []string
	condition  strict.Node
	generate   bool
}

// partsOf are the names of the rules that are only parts of correlations: they raise no alert of their
// own unless a correlation says so.
func partsOf(docs []*document) map[string]bool {
	parts := make(map[string]bool)
	for _, d := range docs {
		if d.rule == nil || d.rule.correlation.IsZero() {
			continue
		}
		c := readCorrelation(d.rule.correlation, func(strict.Node, string, ...any) {})
		for _, n := range c.rules {
			if !c.generate {
				parts[n.Text()] = true
			}
		}
	}
	delete(parts, "")
	return parts
}

func readCorrelation(n strict.Node, refuse func(strict.Node, string, ...any)) (c correlation) {
	for _, e := range n.Entries() {
		switch e.Key {
		case "type":
			c.kind = e.Value.Text()
		case "rules":
			c.rules = e.Value.Items()
		case "group-by":
			c.by = e.Value.Texts()
		case "timespan":
			c.span = e.Value.Text()
		case "condition":
			c.condition = e.Value
		case "generate":
			c.generate = e.Value.Bool()
		case "aliases":
			refuse(e.At, "aliases of fields cannot be expressed")
		default:
			refuse(e.At, "%s of a correlation cannot be expressed", oneLine(e.Key, 40))
		}
	}
	return c
}

// correlated carries a correlation.
func (d *document) correlated(o Options, known map[string]*document) *writer {
	c := readCorrelation(d.rule.correlation, d.refuse)
	var found []*tree
	for _, n := range c.rules {
		of := known[n.Text()]
		if of == nil || of.rule == nil || of.rule.detection.IsZero() {
			d.refuse(n, "its rule %s is not a detection in the same file", oneLine(n.Text(), 80))
			continue
		}
		part := &document{root: of.root, rule: of.rule}
		t := part.matching()
		d.notes, d.refused = append(d.notes, part.notes...), append(d.refused, part.refused...)
		if t != nil {
			found = append(found, t)
		}
	}
	span, err := timespan(c.span)
	if err != nil {
		d.refuse(d.rule.correlation, "%s", err)
	}
	w := writer{doc: d, o: o, by: d.keys(c.by)}
	if len(d.refused) > 0 || len(found) == 0 {
		return nil
	}
	switch c.kind {
	case "event_count", "value_count":
		d.counted(&w, c, found, span)
	case "temporal_ordered":
		d.ordered(&w, c, found, span)
	default:
		d.refuse(d.rule.correlation, "its type %s cannot be expressed: event_count, value_count and temporal_ordered can", oneLine(c.kind, 40))
	}
	return &w
}

// keys are the fields of the key.
func (d *document) keys(names []string) []string {
	var out []string
	for _, name := range names {
		tg, ok := taxonomy(name)
		switch {
		case !ok:
			d.refuse(d.rule.correlation, "it groups by %s, which is no field of a gateway's log", oneLine(name, 60))
		case tg.gone != "":
			d.refuse(d.rule.correlation, "it groups by %s: %s", name, tg.gone)
		default:
			out = append(out, tg.id.String())
		}
	}
	return out
}

// counted is a threshold, or a number of different values.
func (d *document) counted(w *writer, c correlation, found []*tree, span time.Duration) {
	at, field := int64(0), ""
	for _, e := range c.condition.Entries() {
		switch e.Key {
		case "gte":
			at = max(at, e.Value.Int(0, math.MaxInt32))
		case "gt":
			at = max(at, e.Value.Int(0, math.MaxInt32-1)+1)
		case "field":
			field = e.Value.Text()
		default:
			d.refuse(e.At, "it fires on %s of a count, and here rules fire on many alone", oneLine(e.Key, 20))
			return
		}
	}
	if at < 1 {
		d.refuse(c.condition, "it does not say from which count on it fires (gte)")
		return
	}
	all := join(opOr, d.root, found)
	w.when = expression(all)
	w.sample = sampleOf(found[0])
	w.body = fmt.Sprintf("window: %s\nthreshold: %d\n", event.FormatDuration(span), at)
	if c.kind == "event_count" {
		if time.Duration(at)*time.Second < span && at <= 5000 {
			w.firing = w.fires(int(at))
		}
		return
	}
	keys := d.keys([]string{field})
	if len(keys) == 0 {
		return
	}
	w.body = fmt.Sprintf("window: %s\ndistinct: {of: %s, at_least: %d}\n", event.FormatDuration(span), keys[0], at)
	if given, ok := w.sample.given(w.by); ok && at <= 200 && time.Duration(at)*time.Second < span {
		id, _ := event.Lookup(keys[0])
		value := "v{i}"
		if event.FieldOf(id).Type == event.IP {
			value = "198.51.100.{i}"
		}
		w.firing = fmt.Sprintf("  - name: %d values\n    given: {%s}\n    events: [{repeat: %d, every: 1s, set: {%s: %q}}]\n    alerts: [{at: %ds}]\n", at, given, at, keys[0], value, at-1)
	}
}

// ordered is a sequence.
func (d *document) ordered(w *writer, c correlation, found []*tree, span time.Duration) {
	if len(found) < 2 {
		d.refuse(d.rule.correlation, "a sequence of one rule")
		return
	}
	if !c.condition.IsZero() {
		d.refuse(c.condition, "a condition on the number of rules of a sequence cannot be expressed")
		return
	}
	var body, events strings.Builder
	_, _ = fmt.Fprintf(&body, "window: %s\nsequence:\n", event.FormatDuration(span))
	ok := true
	for i, t := range found {
		_, _ = fmt.Fprintf(&body, "  - {name: step-%d, when: %s}\n", i+1, single(expression(t)))
		given, made := sampleOf(t).given(w.by)
		ok = ok && made
		_, _ = fmt.Fprintf(&events, "      - {at: %ds, set: {%s}}\n", i, given)
	}
	w.body = body.String()
	if ok {
		w.firing = fmt.Sprintf("  - name: one after the other\n    events:\n%s    alerts: [{at: %ds}]\n", events.String(), len(found)-1)
	}
}

// timespan reads a number and one of s, m, h, d and w. Months and years have no length.
func timespan(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s != "" {
		n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
		if unit, ok := units[s[len(s)-1]]; ok && err == nil && n > 0 && n <= int64(366*24*time.Hour/unit) {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, fmt.Errorf("its timespan %q is no number with s, m, h, d or w", oneLine(s, 20))
}
