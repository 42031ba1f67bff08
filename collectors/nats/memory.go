package nats

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/internal/event"
)

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
