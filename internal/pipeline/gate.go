package pipeline

import (
	"context"
	"sync"
	"time"
)

// Gate holds the lines of all collectors back until each has told the journal what it reads: the
// watermark must not pass what a source that is not registered yet has to say.
type Gate struct {
	mu      sync.Mutex
	waiting map[string]bool
	open    chan struct{}
}

// NewGate makes a gate for collectors of these names.
func NewGate(collectors ...string) *Gate {
	g := &Gate{waiting: make(map[string]bool), open: make(chan struct{})}
	for _, c := range collectors {
		g.waiting[c] = true
	}
	if len(g.waiting) == 0 {
		close(g.open)
	}
	return g
}

// Arrive tells that a collector is registered, or cannot be: one that is broken holds up nobody.
func (g *Gate) Arrive(collector string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.waiting[collector] {
		return
	}
	delete(g.waiting, collector)
	if len(g.waiting) == 0 {
		close(g.open)
	}
}

// Open tells whether every collector is registered, or cannot be.
func (g *Gate) Open() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

// gatePatience is how long a collector that does not come forward holds up the others: its disk may
// hang.
const gatePatience = 30 * time.Second

func (g *Gate) wait(ctx context.Context) error {
	select {
	case <-g.open:
		return nil
	default:
	}
	patience := time.NewTimer(gatePatience)
	defer patience.Stop()
	select {
	case <-g.open:
		return nil
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
