package push

import "net/http"

// Stats counts what the collector has done since it was made.
type Stats struct {
	Requests   int64 // that came
	Deliveries int64 // that are durable
	Lines      int64 // that are durable
	Batches    int64
	Pushbacks  int64
	Denied     int64 // no credential, a wrong one, a signature that is too old or was used before
	Refused    int64 // answered 4xx for another reason
	Busy       int64 // answered 503
	Repeated   int64 // deliveries that came again and were durable already
	Rejected   int64 // records that make no line
	Forbidden  int64 // connections closed because their peer is not allowed
	Crowded    int64 // connections closed because there were too many
}

// count counts a request by its answer.
func (c *Collector) count(o *Outcome) {
	c.stats.Add(func(s *Stats) {
		s.Requests++
		s.Rejected += int64(o.Rejected)
		switch o.Status {
		case http.StatusOK:
		case http.StatusUnauthorized:
			s.Denied++
		case http.StatusServiceUnavailable:
			s.Busy++
		default:
			s.Refused++
		}
	})
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats {
	s := c.stats.Now()
	select {
	case <-c.listening:
		if c.listener != nil {
			s.Forbidden, s.Crowded = c.listener.Refused()
		}
	default:
	}
	return s
}
