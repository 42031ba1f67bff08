package rules

import (
	"math"

	"github.com/liveward/liveward/internal/event"
)

// spikeHistoryVersion is the form of what a spike rule has learnt. Forms before it are to be read as
// well: it takes weeks to learn anew.
const spikeHistoryVersion = 1

func (t *spikeTally) historyVersion() uint64 { return spikeHistoryVersion }

// appendHistory writes what keys have learnt.
func (t *spikeTally) appendHistory(w *snapshotWriter) {
	w.int(t.began)
	w.int(t.block)
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *spikeKey) {
		w.hash(key)
		w.bytes(k.data)
		w.int(k.first)
		w.int(k.last)
		w.count(len(k.history))
		for _, b := range k.history {
			w.int(b.n)
			w.uint(uint64(b.total))
			w.uint(uint64(b.hits))
		}
	})
}

func (t *spikeTally) readHistory(r *snapshotReader) {
	t.began = r.int()
	same := r.int() == t.block // else only since when a key is known is of use
	for range r.count(20) {
		key := r.hash()
		k, added := t.table.touch(key)
		k.data, k.first, k.last = r.values(), r.int(), r.int()
		if !added || k.first < -spikeHorizon || k.last > spikeHorizon || k.first > k.last || k.last < t.last {
			r.fail()
		}
		before := int64(math.MinInt64)
		for range r.count(3) {
			n, total, hits := r.int(), r.uint(), r.uint()
			if n <= before || total > math.MaxUint32 || hits > math.MaxUint32 {
				r.fail()
			}
			if r.err != nil {
				return
			}
			before = n
			if same {
				k.history = append(k.history, spikeBlock{n, uint32(total), uint32(hits)})
				t.blocks++
			}
		}
		if r.err != nil {
			return
		}
		t.last = k.last
	}
	if t.last != noTime {
		t.done = floorDiv(t.last, t.grid) * t.grid
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}

// appendTo writes what can be rebuilt from the journal: the events of the last window.
func (t *spikeTally) appendTo(w *snapshotWriter) {
	w.int(t.done)
	w.int(t.last)
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *spikeKey) {
		w.hash(key)
		for _, c := range k.cells {
			w.int(c.n)
			w.int(c.total)
			w.int(c.hits)
			w.int(c.drill)
		}
		w.count(int(k.samples.n))
		for i := range int(k.samples.n) {
			w.hit(k.samples.at(i))
		}
	})
	w.count(t.seen.len())
	t.seen.all(func(value event.Hash, v *spikeSeen) {
		w.hash(value)
		w.int(v.last)
		w.bool(v.hit)
	})
}

// readFrom reads the last window of the keys whose history was read. Where the history was of another
// form there are none: what they had is passed over, and the rule is warming.
func (t *spikeTally) readFrom(r *snapshotReader) {
	done, last := r.int(), r.int()
	if done != noTime && done%t.grid != 0 || last < t.last || last != noTime && (last > spikeHorizon || last < -spikeHorizon || done < floorDiv(last, t.grid)*t.grid) {
		r.fail() // there would be no end of grid points to decide
	}
	if r.err != nil {
		return
	}
	t.done, t.last = done, last
	read := map[event.Hash]bool{}
	for range r.count(16) {
		key := r.hash()
		k := t.table.get(key)
		if k == nil {
			k = new(spikeKey)
		}
		for i := range k.cells {
			c := spikeCell{r.int(), r.int(), r.int(), r.int()}
			if c.total < 0 || c.hits < 0 || c.drill < 0 || c.hits > math.MaxInt32 || c.total > math.MaxInt32 {
				r.fail()
			}
			k.cells[i] = c
		}
		n := r.count(19)
		if read[key] || n > maxSamples {
			r.fail()
		}
		read[key] = true
		for range n {
			h := r.hit(t.shows)
			if r.err != nil {
				return
			}
			k.samples.push(h)
			t.kept++
		}
		if r.err != nil {
			return
		}
		if t.table.get(key) == nil {
			for k.samples.n > 0 {
				t.dropSample(k)
			}
		}
	}
	for range r.count(18) {
		v, added := t.seen.touch(r.hash())
		*v = spikeSeen{r.int(), r.bool()}
		if !added {
			r.fail()
		}
		if r.err != nil {
			return
		}
	}
}
