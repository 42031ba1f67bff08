package syslog

// Stats counts what the collector has done since it was made.
type Stats struct {
	Messages    int64 // that came whole or were cut
	Lines       int64 // that are durable
	Batches     int64
	Pushbacks   int64
	Headerless  int64 // messages without a header that is known; they are handed on as they are
	Empty       int64 // messages that are nothing but a header
	Oversize    int64 // messages that were cut
	Lost        int64 // messages that were read and could not be made durable
	Broken      int64 // streams that were closed because a length was missing
	Slow        int64 // streams that were closed because the rest of a message did not come, or nothing for long
	Handshakes  int64 // that failed
	Connections int64
	Forbidden   int64 // datagrams and connections of peers that are not allowed
	Crowded     int64 // connections closed because there were too many
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats {
	s := c.stats.Now()
	select {
	case <-c.listening:
	default:
		return s
	}
	if c.tcp != nil {
		forbidden, crowded := c.tcp.Refused()
		s.Forbidden, s.Crowded = s.Forbidden+forbidden, s.Crowded+crowded
	}
	if c.secure != nil {
		forbidden, crowded := c.secure.Refused()
		s.Forbidden, s.Crowded = s.Forbidden+forbidden, s.Crowded+crowded
	}
	return s
}
