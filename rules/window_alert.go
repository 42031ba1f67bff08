package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// maxTopValues bounds the values of one field in an alert's top.
const maxTopValues = 5

// alert makes the alert of a firing of windows. Nothing in it points into them.
func (rs *ruleState) alert(t tally, p *pending, f *firing, held int64) *event.Alert {
	r := rs.rule
	hits := t.hits(p)
	a := &event.Alert{
		Time: p.time, Key: r.known(decodeValues(p.data[:p.keyLen])), Count: f.count, Suppressed: held,
		First: f.first, Last: p.time, Mode: string(cmp.Or(r.Mode, Live)), Late: p.late,
		Drill: true, Status: f.report.status(),
	}
	if r.Kind != Each {
		a.Threshold, a.Window = float64(r.Count), r.Window
	}
	if r.Kind == FirstSeen {
		a.Window = r.FirstSeen.History
	}
	for _, h := range hits {
		// An alert is a drill's only if nothing else had a part in it.
		a.Drill = a.Drill && h.drill
	}
	if n := len(hits); n > 0 {
		a.Last = hits[n-1].time // before a deadline, if the rule fired at one
	}
	for _, h := range hits[max(0, len(hits)-event.MaxEvidence):] {
		a.Evidence = append(a.Evidence, h.event)
	}
	seen := rs.tops(hits)
	if r.Kind == Each || r.Kind == FirstSeen {
		rs.shows.release(hits[0].show)
	}
	for i := range seen {
		a.Top = append(a.Top, seen[i].top())
		if v, ok := seen[i].agreed(len(hits)); ok {
			if v.Field == event.OrganizationID {
				a.Tenant = v.Str
			}
			if relatable(v.Field) {
				a.Related = append(a.Related, v)
			}
		}
	}
	for _, v := range a.Key {
		if v.Field == event.OrganizationID {
			a.Tenant = v.Str
		}
	}
	a.Rule = event.AlertRule{
		ID: r.ID, Version: r.Version, Description: r.Description, Reference: r.Reference, Playbook: r.Playbook,
		Severity: r.Severity, Risk: r.Risk.Score,
		Attack: slices.Concat(r.Tags.Attack, r.Tags.Atlas),
		Tags:   slices.Concat(r.Tags.OWASP, r.Tags.Reg),
	}
	if r.Tags.Concern != "" {
		a.Rule.Tags = append(a.Rule.Tags, r.Tags.Concern)
	}
	if d, ok := t.(dresser); ok {
		d.dress(a, f)
	}
	var tuple []event.Value
	if r.Kind == FirstSeen {
		tuple = decodeValues(p.data[p.keyLen:])
		tuple = tuple[:min(len(tuple), len(r.Of))] // fewer where a snapshot came without a field
	}
	more, _ := t.(describer)
	a.Rule.Name = r.Title.Render(func(name string) (string, bool) {
		if more != nil {
			if v, ok := more.placeholder(name); ok {
				return v, true
			}
		}
		return titleValue(a, f, p, name)
	})
	if a.Status != event.Firing {
		a.Rule.Name = strings.ToUpper(string(a.Status[:1])) + string(a.Status[1:]) + ": " + a.Rule.Name
	}
	a.ID = alertID(a, tuple, p.event)
	if more != nil {
		a.Explain = more.explain(r, a)
	} else {
		a.Explain = explain(r, a, f)
	}
	return a
}

// known are the values of a key that events have: a key of events without a value says nothing of it.
func (r *Rule) known(key []event.Value) []event.Value {
	if !r.GroupMissing {
		return key
	}
	return slices.DeleteFunc(key, func(v event.Value) bool { return v.Str == "" })
}

// alertID names an alert by its rule, its key, the tuple it is about, if any, and the event on which
// it fired.
func alertID(a *event.Alert, tuple []event.Value, firing event.Hash) event.Hash {
	parts := []string{"alert", a.Rule.ID}
	for _, v := range slices.Concat(a.Key, tuple) {
		parts = append(parts, v.String())
	}
	return event.HashStrings(append(parts, firing.String())...)
}

// relatable tells whether a field of the events may stand in an alert's document at its own place:
// the document's own description of itself must not be overwritten by what it is about.
func relatable(id event.ID) bool {
	switch id {
	case event.Timestamp, event.ECSVersion, event.EventKind, event.EventDataset, event.EventModule,
		event.EventID, event.EventOutcome, event.Message:
		return false
	}
	return true
}

// titleValue fills a title's placeholders: the key first, then what the firing event showed.
func titleValue(a *event.Alert, f *firing, p *pending, name string) (string, bool) {
	switch name {
	case "count":
		return strconv.FormatInt(f.count, 10), true
	case "distinct.count":
		return strconv.FormatInt(f.count, 10), f.different
	case "threshold":
		return strconv.FormatFloat(a.Threshold, 'f', -1, 64), a.Threshold != 0
	case "window":
		return event.FormatDuration(a.Window), a.Window != 0
	}
	for _, vs := range [][]event.Value{a.Key, decodeValues(p.data[p.keyLen:])} {
		for _, v := range vs {
			if v.Field.String() == name {
				return v.String(), true
			}
		}
	}
	return "", false
}

// topField counts the values of one show field over the events of a window.
type topField struct {
	field  event.ID
	events int
	counts map[event.Value]int
}

// tops counts the values of all show fields, in order of fields.
func (rs *ruleState) tops(hits []hit) []topField {
	uses := map[uint32]int{}
	for _, h := range hits {
		uses[h.show]++
	}
	var fields []topField
	for ref, n := range uses {
		for _, v := range decodeValues(rs.shows.get(ref)) {
			i := slices.IndexFunc(fields, func(t topField) bool { return t.field == v.Field })
			if i < 0 {
				i = len(fields)
				fields = append(fields, topField{field: v.Field, counts: map[event.Value]int{}})
			}
			fields[i].events += n
			fields[i].counts[v] += n
		}
	}
	slices.SortFunc(fields, func(a, b topField) int { return cmp.Compare(a.field, b.field) })
	return fields
}

// top is the most frequent values, the most frequent first.
func (t *topField) top() event.Top {
	type entry struct {
		text string
		n    int
	}
	var all []entry
	for v, n := range t.counts {
		all = append(all, entry{v.String(), n})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(b.n-a.n, strings.Compare(a.text, b.text)) })
	top := event.Top{Field: t.field}
	for _, e := range all[:min(len(all), maxTopValues)] {
		top.Values = append(top.Values, e.text)
	}
	return top
}

// agreed is the value that all of n events have.
func (t *topField) agreed(n int) (event.Value, bool) {
	if t.events != n || len(t.counts) != 1 {
		return event.Value{}, false
	}
	for v := range t.counts {
		return v, true
	}
	return event.Value{}, false
}

// explain says in one sentence why a rule fired.
func explain(r *Rule, a *event.Alert, f *firing) string {
	of := ""
	if key := a.KeyText(); key != "" {
		of = " of " + key
	}
	if r.Kind == Each {
		return fmt.Sprintf("1 matching event%s, at %s (UTC)", of, clock(a.Time))
	}
	what := "matching events"
	if a.Count == 1 && !f.atLeast {
		what = "matching event"
	}
	if r.Kind == Distinct {
		what = "different values of " + joinFields(r.Of)
		if of != "" {
			of = " for" + strings.TrimPrefix(of, " of")
		}
	}
	once := ""
	if r.Kind == Threshold && len(r.Once) > 0 {
		once = ", each " + joinFields(r.Once) + " counted once,"
	}
	n := strconv.FormatInt(a.Count, 10)
	if f.atLeast {
		n = "at least " + n
	}
	window := event.FormatDuration(a.Window)
	if a.Count == r.Count {
		return fmt.Sprintf("%s %s%s%s within %s, the %s at %s (UTC)", n, what, of, once, window, ordinal(a.Count), clock(a.Time))
	}
	return fmt.Sprintf("%s %s%s%s within %s where %d are enough, the last at %s (UTC)", n, what, of, once, window, r.Count, clock(a.Time))
}

// explainEscalation says why there is one more alert within the suppression of another.
func explainEscalation(a *event.Alert, last int64) string {
	of := ""
	if key := a.KeyText(); key != "" {
		of = " of " + key
	}
	return fmt.Sprintf("%d matching events%s by now, after the alert of %s, the last at %s (UTC)", a.Count, of, clock(last), clock(a.Time))
}

// clock is the time of day in UTC.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000Z") }

func joinFields(ids []event.ID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	return strings.Join(names, " and ")
}

// ordinal is 1st, 2nd, 3rd, 4th, 11th, 21st.
func ordinal(n int64) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.FormatInt(n, 10) + suffix
}
