package journald

import "time"

// SetTick makes the collector tick, and be idle, sooner.
func (c *Collector) SetTick(every time.Duration) { c.tick, c.quiet = every, every/2 }
