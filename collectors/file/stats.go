package file

// Stats counts what the collector has done since it was made.
type Stats struct {
	Files       int   // tailed paths
	Open        int   // open files
	Lag         int64 // bytes of uncompressed files that wait to be read, at the last look
	Bytes       int64 // handed over, line endings included
	Lines       int64 // handed over
	Oversize    int64 // of them cut
	Batches     int64
	Pushbacks   int64
	Rotations   int64
	Truncations int64
	Strays      int64 // bytes that came to a rotated file after it was taken to be finished
	Lost        int64 // bytes known to be gone before they could be read
	Missing     int64 // files that were not found again, or not whole
	Errors      int64 // failed attempts to look at or read a file
	Refused     int64 // paths that were not tailed because there are too many, at the last scan
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats { return c.stats.Now() }

// measure brings the gauges up to date.
func (c *Collector) measure() {
	var open int
	var lag int64
	for _, t := range c.tails {
		for _, g := range t.gens {
			if g.src != nil {
				open++
			}
			if !g.closed() && g.size > g.read {
				lag += g.size - g.read
			}
		}
	}
	c.stats.Add(func(s *Stats) { s.Files, s.Open, s.Lag = len(c.tails), open, lag })
}
