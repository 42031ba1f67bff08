package nats

// Stats counts what the collector has done since it was made.
type Stats struct {
	Messages    int64 // that came
	Redelivered int64 // of these, such that came before
	Lines       int64 // that are durable
	Batches     int64
	Pushbacks   int64
	Returned    int64 // messages that were given back to come again
	Interrupted int64 // times a server did not answer
	Lost        int64 // messages of a core subject that could not be made durable
	Dropped     int64 // of these, those that found no room
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats { return c.stats.Now() }
