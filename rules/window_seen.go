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
	seed       maphash.Seed
	touched    uint32 // so that touch is not optimised away
}

// seenID is what is remembered of a signal: which event matched which rule, in which step.
type seenID struct {
	id   event.Hash
	hash uint64
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
}

func newSeenSet(span time.Duration, size int) seenSet {
	g := generation{newest: noTime}
	return seenSet{span: span, max: min(max(size/2, 1), 1<<29), young: g, old: g, seed: maphash.MakeSeed()}
}

// id is what stands for a signal.
func (s *seenSet) id(sig *event.Signal) seenID {
	id := sig.Event
	for i := range id {
		id[i] ^= sig.State[i]
	}
	id[0] ^= sig.Step
	return seenID{id, maphash.Bytes(s.seed, id[:])}
}

// touch brings what add will look at into the processor's reach.
func (s *seenSet) touch(ids []seenID) {
	for _, g := range [...]*generation{&s.young, &s.old} {
		if len(g.table) == 0 {
			continue
		}
		for i := range ids {
			_, place := g.entry(ids[i].hash)
			s.touched += g.table[place]
		}
	}
}

// add remembers an id, with the time of its event or the watermark where that is later, and tells
// whether it is new.
func (s *seenSet) add(id event.Hash, t int64) bool {
	return s.addID(&seenID{id, maphash.Bytes(s.seed, id[:])}, t)
}

func (s *seenSet) addID(id *seenID, t int64) bool {
	if s.young.has(id) || s.old.has(id) {
		return false
	}
	if len(s.young.ids) >= s.max {
		s.overflow++
		s.turn()
	}
	s.young.add(id, s.seed)
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

// entry is what stands in the table for an id but for its number, and the first place to look at.
func (g *generation) entry(h uint64) (tag uint32, place int) {
	return uint32(h) &^ (1<<g.width - 1), int(h >> (64 - g.width))
}

func (g *generation) has(id *seenID) bool {
	if len(g.ids) == 0 {
		return false
	}
	tag, i := g.entry(id.hash)
	for ; g.table[i] != 0; i = (i + 1) & (len(g.table) - 1) {
		if e := g.table[i]; (e^tag)>>g.width == 0 && g.ids[e&(1<<g.width-1)-1] == id.id {
			return true
		}
	}
	return false
}

// add adds an id that is not there.
func (g *generation) add(id *seenID, seed maphash.Seed) {
	g.ids = append(g.ids, id.id)
	if 2*len(g.ids) > len(g.table) {
		g.grow(seed)
		return
	}
	g.place(id.hash, len(g.ids))
}

func (g *generation) place(h uint64, number int) {
	tag, i := g.entry(h)
	for g.table[i] != 0 {
		i = (i + 1) & (len(g.table) - 1)
	}
	g.table[i] = tag | uint32(number)
}

// grow makes the table anew, twice as large.
func (g *generation) grow(seed maphash.Seed) {
	g.width = max(g.width+1, 6)
	g.table = make([]uint32, 1<<g.width)
	for i := range g.ids {
		g.place(maphash.Bytes(seed, g.ids[i][:]), i+1)
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
			if id := (seenID{id, maphash.Bytes(s.seed, id[:])}); !g.has(&id) {
				g.add(&id, s.seed)
			}
		}
	}
}
