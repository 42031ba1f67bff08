package join

import (
	"bytes"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
)

// snapshotVersion changes when what is stored no longer means the same.
const snapshotVersion = 2

// snapshot is an engine's state, as it is stored.
type snapshot struct {
	Version int
	Now     int64
	Buffer  []*Item
	Queue   []*half
	Calls   []string
	Results []string
	Records []*record
}

// AppendSnapshot appends the engine's state to dst, counts aside: they begin with the process.
func (e *Engine) AppendSnapshot(dst []byte) ([]byte, error) {
	s := snapshot{Version: snapshotVersion, Now: e.now, Buffer: e.buffer, Queue: e.halves.queue}
	for t := range e.halves.calls {
		s.Calls = append(s.Calls, t)
	}
	for t := range e.halves.results {
		s.Results = append(s.Results, t)
	}
	for el := e.past.order.Front(); el != nil; el = el.Next() {
		s.Records = append(s.Records, el.Value.(*record))
	}
	b := bytes.NewBuffer(dst)
	if err := gob.NewEncoder(b).Encode(&s); err != nil {
		return dst, fmt.Errorf("snapshot of joins: %w", err)
	}
	return b.Bytes(), nil
}

// Restore puts the state of a snapshot in the place of the engine's own. With an error the engine is
// empty.
func (e *Engine) Restore(data []byte) error {
	*e = *New(e.cfg)
	var s snapshot
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&s); err != nil {
		return fmt.Errorf("snapshot of joins: %w", err)
	}
	if s.Version != snapshotVersion {
		return errors.New("snapshot of joins: of another version")
	}
	e.now, e.buffer = s.Now, s.Buffer
	heap.Init(&e.buffer)
	for _, it := range e.buffer {
		e.bytes += it.cost()
	}
	for _, h := range s.Queue {
		e.halves.add(h, !h.Done)
		e.bytes += h.cost()
	}
	for _, t := range s.Calls {
		note(e.halves.calls, t)
	}
	for _, t := range s.Results {
		note(e.halves.results, t)
	}
	for _, r := range s.Records {
		e.past.byKey[r.Key] = e.past.order.PushBack(r)
		e.past.bytes += r.cost()
	}
	return nil
}
