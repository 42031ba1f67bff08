package syslog

import (
	"sync"

	"github.com/liveward/liveward/internal/event"
)

// lineCost is what a line takes beside its bytes.
const lineCost = 64

// mailbox holds the datagrams that wait for the journal. There are two halves: one is filled while
// the journal has the other.
type mailbox struct {
	room int // bytes of a half
	news chan struct{}

	mu    sync.Mutex
	end   int64 // offset behind the last line, as if each had a line end
	half  half
	spare half
}

type half struct {
	bytes []byte
	lines []event.Line
}

// put copies a line into the box; false if there is no room.
func (m *mailbox) put(l event.Line) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := &m.half
	if h.bytes == nil {
		h.bytes = make([]byte, 0, m.room)
	}
	if len(h.bytes)+len(l.Data)+(len(h.lines)+1)*lineCost > m.room {
		return false
	}
	at := len(h.bytes)
	h.bytes = append(h.bytes, l.Data...)
	l.Data, l.Offset = h.bytes[at:len(h.bytes):len(h.bytes)], m.end
	h.lines = append(h.lines, l)
	m.end += int64(len(l.Data)) + 1
	select {
	case m.news <- struct{}{}:
	default:
	}
	return true
}

// take returns the lines of the box and the offset behind them. They are valid until the next take.
func (m *mailbox) take() ([]event.Line, int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full := m.half
	m.half = half{m.spare.bytes[:0], m.spare.lines[:0]}
	m.spare = full
	return full.lines, m.end
}
