package journald

// Stats counts what the collector has done since it was made.
type Stats struct {
	Entries   int64 // of the journal that were read
	Lines     int64 // that are durable
	Oversize  int64 // lines that were cut
	Batches   int64
	Pushbacks int64
	Vacuumed  int64 // times the entry that was read last was gone from the journal
	Restarts  int64 // times journalctl ended by itself
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats { return c.stats.Now() }
