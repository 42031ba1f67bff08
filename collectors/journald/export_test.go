package journald

import "time"

// SetTick makes the collector tick, and be idle, sooner.
func (c *Collector) SetTick(every time.Duration) { c.tick, c.quiet = every, every/2 }

// SetLookAgain makes the collector ask another journalctl sooner.
func (c *Collector) SetLookAgain(after time.Duration) { c.afresh = after }
