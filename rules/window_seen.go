package rules

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// seenSet remembers which events have been taken in lately, so that one that is sent again counts
// once. It has two generations: when the watermark has left the events of the older one behind by
// span, they are forgotten, and the younger one becomes the older. An id is therefore remembered at
// least until the watermark is so far beyond its event, unless the set is full.
type seenSet struct {
	span       time.Duration
	max        int // ids of one generation
	young, old generation
	overflow   int64 // generations that ended early
}

type generation struct {
	ids    map[event.Hash]struct{}
	newest int64 // largest time of its events
}

func newSeenSet(span time.Duration, size int) seenSet {
	return seenSet{span: span, max: max(size/2, 1), young: generation{newest: noTime}, old: generation{newest: noTime}}
}

// add remembers the id of an event, with its time or the watermark where that is later, and tells
// whether it is new.
func (s *seenSet) add(id event.Hash, t int64) bool {
	if _, ok := s.young.ids[id]; ok {
		return false
	}
	if _, ok := s.old.ids[id]; ok {
		return false
	}
	if len(s.young.ids) >= s.max {
		s.overflow++
		s.turn()
	}
	if s.young.ids == nil {
		s.young.ids = make(map[event.Hash]struct{})
	}
	s.young.ids[id] = struct{}{}
	s.young.newest = max(s.young.newest, t)
	return true
}

// advance takes the watermark.
func (s *seenSet) advance(now int64) {
	if len(s.young.ids) > 0 && (len(s.old.ids) == 0 || now >= timeAdd(s.old.newest, s.span)) {
		s.turn()
	}
}

func (s *seenSet) turn() {
	s.old, s.young = s.young, s.old
	clear(s.young.ids)
	s.young.newest = noTime
}

func (s *seenSet) appendTo(w *snapshotWriter) {
	for _, g := range []*generation{&s.young, &s.old} {
		w.int(g.newest)
		w.count(len(g.ids))
		ids := slices.SortedFunc(maps.Keys(g.ids), func(a, b event.Hash) int { return bytes.Compare(a[:], b[:]) })
		for _, id := range ids {
			w.hash(id)
		}
	}
}

func (s *seenSet) readFrom(r *snapshotReader) {
	for _, g := range []*generation{&s.young, &s.old} {
		g.newest = r.int()
		n := r.count(len(event.Hash{}))
		g.ids = make(map[event.Hash]struct{}, n)
		for range n {
			g.ids[r.hash()] = struct{}{}
		}
	}
}
