package nats

import (
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/internal/event"
)

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

type counters struct {
	mu sync.Mutex
	s  Stats
}

func (c *counters) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

// Stats returns the counts; it may be called at any time.
func (c *Collector) Stats() Stats {
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	return c.stats.s
}

// remembered bounds the messages that are known to be durable.
const remembered = 1 << 16

// memory knows the messages that are durable and may come again: their acknowledgement may be lost.
type memory struct {
	seen *lru.Cache[event.Hash, struct{}]
}

func newMemory(durable []event.Hash) (*memory, error) {
	seen, err := lru.New[event.Hash, struct{}](remembered)
	if err != nil {
		return nil, fmt.Errorf("memory of messages: %w", err)
	}
	m := &memory{seen}
	for _, id := range durable {
		m.add(id)
	}
	return m, nil
}

func (m *memory) add(id event.Hash) { m.seen.Add(id, struct{}{}) }

func (m *memory) has(id event.Hash) bool { return m.seen.Contains(id) }
