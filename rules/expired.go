package rules

// Expired counts the exceptions of the rule that are over at a time, in nanoseconds, and have no effect
// any more.
func (r *Rule) Expired(now int64) int {
	if r.matcher == nil {
		return 0
	}
	n := 0
	for i := range r.matcher.except {
		if r.matcher.except[i].until <= now {
			n++
		}
	}
	return n
}
