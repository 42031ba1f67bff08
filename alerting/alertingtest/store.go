package alertingtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/liveward/liveward/alerting"
)

// ErrStore is what a Store returns when it is told to fail, and on a wrong revision.
var ErrStore = errors.New("store does not answer")

// Fault is how an operation of a Store fails.
type Fault uint8

// The faults.
const (
	None   Fault = iota
	Lost         // nothing is stored
	Silent       // it is stored, but the caller is told that it failed
)

// Store is an alerting.Store in memory. Faults decide what fails.
type Store struct {
	// Faults, if set, is asked before every write.
	Faults func(op, key string) Fault

	mu       sync.Mutex
	values   map[string][]byte
	revision map[string]uint64
	sequence uint64
	writes   int
}

var _ alerting.Store = (*Store)(nil)

// NewStore makes an empty Store.
func NewStore() *Store {
	return &Store{values: make(map[string][]byte), revision: make(map[string]uint64)}
}

// Load implements alerting.Store.
func (s *Store) Load(ctx context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	return slices.Clone(s.values[key]), s.revision[key], nil
}

// Save implements alerting.Store.
func (s *Store) Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	fault := s.fault("save", key)
	if fault == Lost || s.revision[key] != revision {
		return 0, ErrStore
	}
	s.sequence++
	s.writes++
	s.values[key], s.revision[key] = slices.Clone(value), s.sequence
	if fault == Silent {
		return 0, ErrStore
	}
	return s.sequence, nil
}

// Keys implements alerting.Store.
func (s *Store) Keys(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.values)), ctx.Err()
}

// Delete implements alerting.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	fault := s.fault("delete", key)
	if fault == Lost {
		return ErrStore
	}
	s.writes++
	delete(s.values, key)
	delete(s.revision, key)
	if fault == Silent {
		return ErrStore
	}
	return nil
}

// Writes is how many writes were stored.
func (s *Store) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Put stores a value whatever its revision, as another writer would.
func (s *Store) Put(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	s.values[key], s.revision[key] = slices.Clone(value), s.sequence
}

func (s *Store) fault(op, key string) Fault {
	if s.Faults == nil {
		return None
	}
	return s.Faults(op, key)
}

// Recorder is a Notifier that keeps what it is told.
type Recorder struct {
	// Fail, if set, is asked before each delivery; an error is returned and nothing is kept.
	Fail func(alerting.Notification) error

	mu    sync.Mutex
	notes []alerting.Notification
}

// Notify implements alerting.Notifier.
func (r *Recorder) Notify(ctx context.Context, n alerting.Notification) (alerting.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.Fail != nil {
		if err := r.Fail(n); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, n)
	if id := n.Receipt["id"]; id != "" {
		return alerting.Receipt{"id": id}, nil
	}
	return alerting.Receipt{"id": n.Incident.ID.String()}, nil
}

// Notes returns what was delivered.
func (r *Recorder) Notes() []alerting.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}
