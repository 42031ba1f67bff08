package syslog

import "time"

// SetTick shortens the time between ticks.
func (c *Collector) SetTick(d time.Duration) { c.tick = d }
