package join

import (
	"bytes"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// Frozen is the state of an engine at one moment. Another goroutine may write it into a snapshot while the
// engine goes on.
type Frozen struct{ state snapshot }

// Freeze holds the state fast. Events that wait are never changed, what is known of a session is copied
// before it is changed, and the little that is left is copied here.
func (e *Engine) Freeze() *Frozen {
	s := snapshot{
		Version: snapshotVersion, Now: e.now, Buffer: slices.Clone(e.buffer), Queue: make([]*half, len(e.halves.queue)),
		Calls: slices.Sorted(maps.Keys(e.halves.calls)), Results: slices.Sorted(maps.Keys(e.halves.results)),
		Records: make([]*record, 0, e.past.len()),
	}
	queue := make([]half, len(e.halves.queue))
	for i, h := range e.halves.queue {
		queue[i] = *h
		s.Queue[i] = &queue[i]
	}
	e.past.freezes++
	for el := e.past.order.Front(); el != nil; el = el.Next() {
		s.Records = append(s.Records, el.Value.(*record))
	}
	return &Frozen{s}
}

// AppendSnapshot appends the engine's state to dst, counts aside: they begin with the process.
func (e *Engine) AppendSnapshot(dst []byte) ([]byte, error) { return e.Freeze().AppendSnapshot(dst) }

// AppendSnapshot is that of the engine at the moment of Freeze.
func (f *Frozen) AppendSnapshot(dst []byte) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	if err := gob.NewEncoder(b).Encode(&f.state); err != nil {
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
