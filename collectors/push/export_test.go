package push

// Budget returns what is left of the memory for bodies.
func (c *Collector) Budget() int64 { return c.budget.left.Load() }

// Working returns how many requests were let in and are not answered.
func (c *Collector) Working() int { return int(c.working.Load()) }
