package rules

import (
	"bytes"
	"hash/maphash"
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

// generation holds ids in the order in which they came, and finds them by a table of their places. Every
// signal looks into it, nearly always for what is not there: then the table alone has the answer.
type generation struct {
	ids    []event.Hash
	newest int64 // largest time of its events

	// table holds for each id its number, from 1 on, in the low bits, and more of its hash in the others.
	// The length is a power of two, and no less than twice the ids; empty where there are none.
	table []uint32
	width int // bits of a place in the table
	seed  maphash.Seed
}

func newSeenSet(span time.Duration, size int) seenSet {
	g := generation{newest: noTime, seed: maphash.MakeSeed()}
	return seenSet{span: span, max: min(max(size/2, 1), 1<<29), young: g, old: g}
}

// add remembers the id of an event, with its time or the watermark where that is later, and tells
// whether it is new.
func (s *seenSet) add(id event.Hash, t int64) bool {
	h := s.young.hash(&id)
	if s.young.has(&id, h) || s.old.has(&id, h) {
		return false
	}
	if len(s.young.ids) >= s.max {
		s.overflow++
		s.turn()
	}
	s.young.add(&id, h)
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
	s.young.ids = s.young.ids[:0]
	clear(s.young.table)
	s.young.newest = noTime
}

func (g *generation) hash(id *event.Hash) uint64 { return maphash.Bytes(g.seed, id[:]) }

// entry is what stands in the table for an id but for its number, and the first place to look at.
func (g *generation) entry(h uint64) (tag uint32, place int) {
	return uint32(h) &^ (1<<g.width - 1), int(h >> (64 - g.width))
}

func (g *generation) has(id *event.Hash, h uint64) bool {
	if len(g.ids) == 0 {
		return false
	}
	tag, i := g.entry(h)
	for ; g.table[i] != 0; i = (i + 1) & (len(g.table) - 1) {
		if e := g.table[i]; (e^tag)>>g.width == 0 && g.ids[e&(1<<g.width-1)-1] == *id {
			return true
		}
	}
	return false
}

// add adds an id that is not there.
func (g *generation) add(id *event.Hash, h uint64) {
	g.ids = append(g.ids, *id)
	if 2*len(g.ids) > len(g.table) {
		g.grow()
		return
	}
	g.place(h, len(g.ids))
}

func (g *generation) place(h uint64, number int) {
	tag, i := g.entry(h)
	for g.table[i] != 0 {
		i = (i + 1) & (len(g.table) - 1)
	}
	g.table[i] = tag | uint32(number)
}

// grow makes the table anew, twice as large.
func (g *generation) grow() {
	g.width = max(g.width+1, 6)
	g.table = make([]uint32, 1<<g.width)
	for i := range g.ids {
		g.place(g.hash(&g.ids[i]), i+1)
	}
}

func (s *seenSet) appendTo(w *snapshotWriter) {
	for _, g := range []*generation{&s.young, &s.old} {
		w.int(g.newest)
		w.count(len(g.ids))
		ids := slices.SortedFunc(slices.Values(g.ids), func(a, b event.Hash) int { return bytes.Compare(a[:], b[:]) })
		for _, id := range ids {
			w.hash(id)
		}
	}
}

func (s *seenSet) readFrom(r *snapshotReader) {
	for _, g := range []*generation{&s.young, &s.old} {
		g.newest = r.int()
		for range r.count(len(event.Hash{})) {
			id := r.hash()
			if h := g.hash(&id); !g.has(&id, h) {
				g.add(&id, h)
			}
		}
	}
}
