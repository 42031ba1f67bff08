package rules

import (
	"bytes"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// seenSet remembers which events have been taken in lately, so that one that is sent again counts
// once. It has two generations: when the younger one has covered a span of event time, or is full,
// it becomes the older one, and what was the older one is forgotten. An id is therefore remembered
// for at least the span, unless the set is full.
type seenSet struct {
	span     time.Duration
	max      int
	start    int64 // watermark at which the younger generation began
	young    map[event.Hash]struct{}
	old      map[event.Hash]struct{}
	overflow int64 // generations that ended early
}

// add remembers an id and tells whether it is new.
func (s *seenSet) add(id event.Hash) bool {
	if _, ok := s.young[id]; ok {
		return false
	}
	if _, ok := s.old[id]; ok {
		return false
	}
	if len(s.young) >= s.max {
		s.overflow++
		s.turn()
	}
	if s.young == nil {
		s.young = make(map[event.Hash]struct{})
	}
	s.young[id] = struct{}{}
	return true
}

// advance takes the watermark.
func (s *seenSet) advance(now int64) {
	if now == noTime {
		return
	}
	if s.start == noTime {
		s.start = now
	}
	if now >= timeAdd(s.start, s.span) {
		s.turn()
		s.start = now
	}
}

func (s *seenSet) turn() {
	s.old, s.young = s.young, s.old
	clear(s.young)
}

func (s *seenSet) appendTo(w *snapshotWriter) {
	w.int(s.start)
	for _, m := range []map[event.Hash]struct{}{s.young, s.old} {
		ids := make([]event.Hash, 0, len(m))
		for id := range m {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b event.Hash) int { return bytes.Compare(a[:], b[:]) })
		w.count(len(ids))
		for _, id := range ids {
			w.hash(id)
		}
	}
}

func (s *seenSet) readFrom(r *snapshotReader) {
	s.start = r.int()
	for _, m := range []*map[event.Hash]struct{}{&s.young, &s.old} {
		n := r.count(len(event.Hash{}))
		*m = make(map[event.Hash]struct{}, n)
		for range n {
			(*m)[r.hash()] = struct{}{}
		}
	}
}
