package rules

import (
	"github.com/liveward/liveward/internal/event"
)

// Rebuild fills the windows of rules that came with the last Swap from what was journaled before it:
// steps with signals matched with the new rules, in the order of the journal, before the next Apply.
// Events that the watermark has passed are counted and fire nothing; those that it has not passed
// take their place in the order and fire when their time comes. Positions move nothing. The result is
// empty but where too many signals wait.
func (w *Windows) Rebuild(step Step) []Fired {
	w.fired = w.fired[:0]
	for _, rs := range w.sorted {
		if t, ok := rs.tally.(timed); ok && rs.fresh {
			t.mute(w.mark.now)
		}
	}
	if w.past.max == 0 {
		w.past = newSeenSet(w.cfg.Horizon, w.cfg.MaxSeen)
		w.past.seed = w.seen.seed // the hash of an id serves both
	}
	w.take(&step, true)
	return w.fired
}

// RebuildChains is Rebuild for rules on alerts: it takes the alerts of before the Swap, in the order of
// their times. Nothing fires.
func (w *Windows) RebuildChains(alerts []*event.Alert) {
	for _, rs := range w.sorted {
		if _, ok := rs.tally.(*chainTally); !ok || !rs.fresh {
			continue
		}
		for _, a := range alerts {
			if a.Status == event.Firing && !w.chained(a) {
				w.link(rs, a)
			}
		}
	}
}

// chained tells whether an alert is that of a chain: these are no alerts for chains.
func (w *Windows) chained(a *event.Alert) bool {
	for _, rs := range w.sorted {
		if rs.rule.ID == a.Rule.ID {
			return rs.rule.Kind == Chain
		}
	}
	return false
}

// Rebuilt ends a rebuild that was given all that was journaled from a time on. Rules that look back
// further are warming until that time is as long ago as they look.
func (w *Windows) Rebuilt(known int64) {
	for _, rs := range w.sorted {
		if !rs.fresh {
			continue
		}
		rs.warm = noTime
		if known != noTime && timeSub(w.mark.now, rs.rule.Span()) < known {
			rs.warm = timeAdd(known, rs.rule.Span())
		}
	}
	w.settled()
}

// settled ends the time in which new rules can be filled.
func (w *Windows) settled() {
	for _, rs := range w.sorted {
		rs.fresh = false
	}
	w.past = seenSet{}
}
