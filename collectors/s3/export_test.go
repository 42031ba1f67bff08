package s3

import "time"

// SetTick makes the collector tick more often.
func (c *Collector) SetTick(every time.Duration) { c.tick = every }
