package rules

import (
	"math"

	"github.com/liveward/liveward/internal/event"
)

// maxIndexValues bounds the values under which one rule stands in the index.
const maxIndexValues = 256

// index finds the rules that an event can match at all: by a value that the rule's condition demands
// of one field. It may offer too many rules, never too few. Rules that demand nothing are scanned.
type index struct {
	fields []indexedField
	scan   []int32
}

// indexedField holds, for one field, the rules that demand a value of it.
type indexedField struct {
	id     event.ID
	texts  map[string][]int32
	wholes map[int64][]int32
}

// newIndex places each rule under the rarest value it demands. The numbers are positions in rules.
func newIndex(rules []*Rule) *index {
	x := &index{}
	at := map[event.ID]int{}
	var order []event.ID
	chosen := make([]*conjunct, len(rules))
	for i, r := range rules {
		if r.Kind == Chain {
			continue // no event matches it
		}
		best := math.Inf(1)
		for j := range r.matcher.conjuncts {
			c := &r.matcher.conjuncts[j]
			if !c.equal || len(c.texts)+len(c.wholes) > maxIndexValues {
				continue
			}
			if w := frequency(c); w < best {
				best, chosen[i] = w, c
			}
		}
		if chosen[i] == nil {
			x.scan = append(x.scan, int32(i))
			continue
		}
		if _, ok := at[chosen[i].field]; !ok {
			at[chosen[i].field] = len(order)
			order = append(order, chosen[i].field)
		}
	}
	x.fields = make([]indexedField, len(order))
	for id, i := range at {
		x.fields[i] = indexedField{id: id, texts: map[string][]int32{}, wholes: map[int64][]int32{}}
	}
	for i, c := range chosen {
		if c == nil {
			continue
		}
		f := &x.fields[at[c.field]]
		for _, t := range c.texts {
			f.texts[t] = append(f.texts[t], int32(i))
		}
		for _, w := range c.wholes {
			f.wholes[w] = append(f.wholes[w], int32(i))
		}
	}
	return x
}

// frequency estimates in what share of events a demanded value occurs. It only has to rank: what is
// nearly always true is a poor choice, an open field a good one.
func frequency(c *conjunct) float64 {
	const (
		open    = 0.01 // one value of a field with many
		usual   = 0.9  // the value nearly every event has
		unusual = 0.05
	)
	sum := 0.0
	for _, t := range c.texts {
		switch {
		case usualValue(c.field, t):
			sum += usual
		case event.FieldOf(c.field).Enum != nil:
			sum += unusual
		default:
			sum += open
		}
	}
	for _, w := range c.wholes {
		switch {
		case event.FieldOf(c.field).Type == event.Bool:
			sum += 2 * unusual
		case w == 200:
			sum += usual
		default:
			sum += open
		}
	}
	return sum
}

// usualValue tells whether most events have the value.
func usualValue(id event.ID, v string) bool {
	switch id {
	case event.EventDataset:
		return v == "liveward.event"
	case event.EventKind:
		return v == "event"
	case event.EventOutcome:
		return v == "success"
	case event.EventAction:
		return v == "liveness-check" || v == "gateway-call"
	case event.GatewayAuth:
		return v == "accepted"
	case event.LivenessDecision:
		return v == "live"
	case event.URLScheme:
		return v == "https"
	case event.TLSVersionProtocol:
		return v == "tls"
	case event.TLSVersion:
		return v == "1.2" || v == "1.3"
	case event.UserAgentClass:
		return v == "backend"
	case event.HTTPRequestMethod:
		return v == "POST" || v == "GET"
	case event.EventModule, event.GatewayProduct, event.ObserverProduct, event.ObserverType,
		event.NetworkProtocol, event.LivewardSource, event.EventProvider, event.ServiceEnvironment:
		return true
	}
	return false
}

// rules returns the rules that demand the value which the event has in the field.
func (f *indexedField) rules(e *event.Event) []int32 {
	if !e.Has(f.id) {
		return nil
	}
	switch event.FieldOf(f.id).Type {
	case event.Keyword, event.Text, event.IP:
		return f.texts[e.Str(f.id)]
	case event.Bool, event.Long:
		return f.wholes[e.Int(f.id)]
	case event.Date, event.Double, event.Keywords:
		// Never indexed.
	}
	return nil
}
