package rules

import (
	"math"
	"strings"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// rosters reads the lists of an absence rule: the keys that are expected, and the times in which
// their absence is.
func (b *builder) rosters(s *source) {
	x := &b.rule.Absence
	if l := b.roster(b.m.spec.expect, s); l != nil {
		for _, text := range l.Entries {
			if key, ok := b.key(b.m.spec.expect, s, l.name, text); ok {
				x.Expect = append(x.Expect, key)
			}
		}
	}
	if l := b.roster(b.m.spec.unless, s); l != nil {
		for _, text := range l.all() {
			if w, ok := b.maintenance(s, l.name, text); ok {
				x.Unless = append(x.Unless, w)
			}
		}
	}
}

func (b *builder) roster(n *node, s *source) *compiledList {
	if n == nil {
		return nil
	}
	l := b.c.lists[n.text]
	if l == nil {
		names := make([]string, 0, len(b.c.lists))
		for name := range b.c.lists {
			names = append(names, name)
		}
		decoder{source: s}.errorf(n, strict.Suggest(n.text, names), "unknown list lists.%s", n.text)
		return nil
	}
	b.m.rosters = append(b.m.rosters, n.text)
	if l.Type == ListCIDR || l.Type == ListTable {
		what := map[ListType]string{ListCIDR: "holds networks", ListTable: "is a table"}[l.Type]
		decoder{source: s}.errorf(n, "its entries are keys of the rule", "lists.%s %s", n.text, what)
		return nil
	}
	return l
}

// key reads an entry as a key: the values of the rule's by, with commas between them.
func (b *builder) key(n *node, s *source, list, text string) ([]event.Value, bool) {
	parts := []string{text}
	if len(b.rule.By) > 1 {
		parts = strings.Split(text, ",")
	}
	if len(parts) != len(b.rule.By) {
		decoder{source: s}.errorf(n, "separate them by commas, in the order of by", "an entry of lists.%s has %d values, by has %d fields", list, len(parts), len(b.rule.By))
		return nil, false
	}
	var ev event.Event
	out := make([]event.Value, 0, len(parts))
	for i, id := range b.rule.By {
		x := setting{field: id}
		if err := x.parse(strings.TrimSpace(parts[i])); err != nil {
			decoder{source: s}.errorf(n, "", "an entry of lists.%s is no key of the rule: %s holds other values", list, id)
			return nil, false
		}
		x.apply(&ev)
		v, ok := ev.ValueOf(id)
		if !ok {
			decoder{source: s}.errorf(n, "", "an entry of lists.%s has no %s", list, id)
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}

// maintenance reads an entry "KEY", "KEY FROM/UNTIL" or "* FROM/UNTIL".
func (b *builder) maintenance(s *source, list, text string) (Maintenance, bool) {
	n := b.m.spec.unless
	w := Maintenance{From: math.MinInt64, Until: math.MaxInt64}
	if i := strings.LastIndexByte(text, ' '); i > 0 && strings.Contains(text[i:], "/") {
		from, until, _ := strings.Cut(text[i+1:], "/")
		var okFrom, okUntil bool
		w.From, okFrom = parseInstant(from)
		w.Until, okUntil = parseInstant(until)
		if !okFrom || !okUntil || w.From >= w.Until {
			decoder{source: s}.errorf(n, "want gw-1 2026-01-31T22:00:00Z/2026-02-01T02:00:00Z", "an entry of lists.%s has no span of time", list)
			return w, false
		}
		text = strings.TrimSpace(text[:i])
	}
	if text == "*" {
		return w, true
	}
	var ok bool
	w.Key, ok = b.key(n, s, list, text)
	return w, ok
}
