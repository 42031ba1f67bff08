package push

import (
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/internal/event"
)

// maxOnce bounds the deliveries that are remembered; the oldest are forgotten first.
const maxOnce = 1 << 16

// once remembers named deliveries, so that one which comes again is not stored again. A nil once
// remembers nothing.
type once struct {
	keep time.Duration
	now  func() time.Time

	mu   sync.Mutex
	seen *lru.Cache[event.Hash, seen]
}

type seen struct {
	durable bool
	until   time.Time
}

func newOnce(keep time.Duration, now func() time.Time) (*once, error) {
	if keep <= 0 {
		return nil, nil
	}
	cache, err := lru.New[event.Hash, seen](maxOnce)
	if err != nil {
		return nil, fmt.Errorf("memory of deliveries: %w", err)
	}
	return &once{keep: keep, now: now, seen: cache}, nil
}

// know remembers deliveries that were durable before there was a memory.
func (o *once) know(ids []event.Hash) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	until := o.now().Add(o.keep)
	for _, id := range ids {
		o.seen.Add(id, seen{durable: true, until: until})
	}
}

// begin tells whether a delivery is durable already. One that is on its way is busy: what becomes of
// it is not known yet.
func (o *once) begin(d *delivery) (known bool, err error) {
	if o == nil || !d.named {
		return false, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if s, ok := o.seen.Get(d.id); ok && now.Before(s.until) {
		if !s.durable {
			return false, errBusy
		}
		return true, nil
	}
	o.seen.Add(d.id, seen{until: now.Add(o.keep)})
	return false, nil
}

// end says what became of a delivery that had begun.
func (o *once) end(id event.Hash, durable bool) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !durable {
		o.seen.Remove(id)
		return
	}
	if s, ok := o.seen.Peek(id); ok {
		s.durable = true
		o.seen.Add(id, s)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
