package rules

import "slices"

// sweep forgets what can no longer matter, and then, if it is still too much, what matters least.
func (w *Windows) sweep() {
	w.seen.advance(w.mark.now)
	var total int64
	for _, rs := range w.sorted {
		if w.mark.now != noTime {
			rs.tally.expire(w.mark.now)
			suppress := rs.rule.suppression()
			rs.held.expire(&suppress, w.mark.now)
			if rs.early != nil {
				rs.early.expire(w.mark.now)
			}
		}
		total += rs.size()
	}
	for total > w.cfg.MaxBytes {
		rs := slices.MaxFunc(w.sorted, func(a, b *ruleState) int { return int(a.size() - b.size()) })
		before := rs.size()
		// A thousand at a time: choosing the rule costs more than a key.
		for range 1000 {
			if total-(before-rs.size()) <= w.cfg.MaxBytes || !rs.evict() {
				break
			}
		}
		if rs.size() == before {
			return
		}
		total -= before - rs.size()
	}
}

func (rs *ruleState) size() int64 {
	n := rs.tally.size() + rs.held.size() + rs.shows.bytes
	if rs.early != nil {
		n += rs.early.size()
	}
	return n
}

// evict forgets the key with the windows touched longest ago, or else a suppression. Suppressions
// outlive windows as long as they are the fewer: who floods a rule with keys shall not bring back
// alerts of keys that have had theirs.
func (rs *ruleState) evict() bool {
	if rs.early != nil && rs.early.tally.keys() >= rs.tally.keys() && rs.early.evict() {
		return true
	}
	if rs.held.table.len() > rs.tally.keys() {
		return rs.held.evict() || rs.tally.evict()
	}
	return rs.tally.evict() || rs.held.evict()
}
