package push

import (
	"net/http"
	"sync"
)

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

type counters struct {
	mu sync.Mutex
	s  Stats
}

func (c *counters) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

// count counts a request by its answer.
func (c *counters) count(o *Outcome) {
	c.add(func(s *Stats) {
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
	c.stats.mu.Lock()
	s := c.stats.s
	c.stats.mu.Unlock()
	select {
	case <-c.listening:
		if c.listener != nil {
			s.Forbidden, s.Crowded = c.listener.Refused()
		}
	default:
	}
	return s
}
