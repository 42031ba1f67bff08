package rules

import (
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// lint adds advice on a rule that is sound.
func (l *loader) lint(r *Rule, s *source) {
	sp := r.matcher.spec
	d := decoder{source: s}
	for _, x := range sp.except {
		in := d
		if x.source != nil {
			in = decoder{source: x.source}
		}
		if now := l.opts.Now; !now.IsZero() && x.until <= now.UnixNano() {
			in.warnf(x.at, "take it out, or agree on a new date with "+x.owner,
				"exception ended on %s and has no effect", time.Unix(0, x.until).UTC().Format(time.DateOnly))
		}
	}
	if r.Kind == Each && r.Suppress.For == 0 && len(r.Once) == 0 {
		d.warnf(sp.root, "give it by and suppress, so that one offender is one alert an hour", "rule makes an alert of every matching event")
	}
	if r.Kind == Each && r.Suppress.For > 0 && len(r.By) == 0 {
		d.warnf(sp.root, "give it a key with by", "suppress without by: the first offender hides all others")
	}
	lintTests(r, d)
	if r.Tags.Concern == "" {
		d.warnf(sp.root, "such as tags: {concern: key-abuse}", "rule has no tags.concern")
	}
	l.lintSight(r, d)
	l.lintRetention(r, d)
}

// lintTests asks for a test of each sort.
func lintTests(r *Rule, d decoder) {
	sp := r.matcher.spec
	if sp.shipped != nil {
		sp = sp.shipped
	}
	firing, silent := 0, 0
	for _, t := range sp.tests {
		if len(t.alerts) > 0 {
			firing++
		} else {
			silent++
		}
	}
	tests := sp.root.get("tests")
	switch {
	case tests == nil:
	case firing == 0:
		d.warnf(tests, "write one with the events that should fire, and alerts: [{at: …}]",
			"tests should show the rule firing and not firing; none of %d shows it firing", silent)
	case silent == 0:
		d.warnf(tests, "write one with what looks alike but is harmless, and alerts: []",
			"tests should show the rule firing and not firing; each of %d shows it firing", firing)
	}
}

// lintSight warns of a rule that no configured source can make match.
func (l *loader) lintSight(r *Rule, d decoder) {
	if l.opts.Provided == nil {
		return
	}
	var dark []string
	for _, id := range r.Needs() {
		if !l.opts.Provided(id) {
			dark = append(dark, id.String())
		}
	}
	if len(dark) == 0 {
		return
	}
	sp := r.matcher.spec
	at := sp.root
	for _, key := range []string{"when", "needs", "sequence"} {
		if n := sp.root.get(key); n != nil {
			at = n
			break
		}
	}
	if sp.when != nil {
		// Where the condition itself names the field, the caret stands below it.
		if i := strings.Index(sp.when.text, dark[0]); i >= 0 {
			at = &node{at: d.source.within(sp.when, len([]rune(sp.when.text[:i])))}
		}
	}
	d.warnf(at, "log it, see the field reference for which formats carry it, or state needs",
		"rule is blind: no configured format provides %s", strings.Join(dark, ", "))
}

// lintRetention warns of a rule that looks back further than the journal does: when its logic changes,
// its windows cannot be filled again, and it warms up instead.
func (l *loader) lintRetention(r *Rule, d decoder) {
	keep := l.opts.Retention
	if keep <= 0 || r.Span() <= keep {
		return
	}
	sp := r.matcher.spec
	at, what := sp.root, "window"
	switch r.Kind {
	case FirstSeen:
		what = "first_seen.history"
	case Spike:
		what = "spike.baseline"
	case Absence:
		what = "absence.for"
	case Each, Threshold, Distinct, Sequence, Chain:
	}
	key, inner, _ := strings.Cut(what, ".")
	if n := sp.root.get(key); n != nil {
		at = n
		if v := n.get(inner); inner != "" && v != nil {
			at = v
		}
	}
	d.warnf(at, "after a change of its logic the rule warms up for so long; keep the journal longer where that matters",
		"%s of %s is longer than the journal keeps (%s)", what, event.FormatDuration(r.Span()), event.FormatDuration(keep))
}
