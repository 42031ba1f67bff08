package rules

import "time"

// Learning is how long the rule looks at events before it can fire on what it looks for: it learns
// what is normal or known, or its window fills.
func (r *Rule) Learning() time.Duration {
	return max(r.Window, r.FirstSeen.Learn, r.Spike.Warmup)
}
