package s3

// Stats counts what the collector has done since it was made.
type Stats struct {
	Messages    int64 // notifications that were received
	Deleted     int64 // notifications that were deleted: all their lines are durable
	Ignored     int64 // of them, those that name no new object
	Poison      int64 // that are no notification, or name a bucket that may not be read
	Redelivered int64 // objects that had been read before
	Objects     int64 // that were read to their end
	Lines       int64 // that are durable
	Batches     int64
	Pushbacks   int64
	Gone        int64 // objects that are not there any more
	Denied      int64 // objects that may not be read
	Broken      int64 // objects whose compression is broken
	TooLarge    int64 // objects with more unpacked bytes than are allowed
	Failed      int64 // requests that failed for another reason
	Lost        int64 // notifications whose time ran out while they were worked on
	Resumed     int64 // answers that broke off and were asked for again
}

func (c *Collector) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
