package rules

import (
	"math"

	"github.com/liveward/liveward/internal/event"
)

// historyVersion is the form of what a spike rule has learnt. It outlives the journal by far, so that
// a change of the rest of snapshots must not cost it. A form that is not known is passed over: keys
// then learn anew, and the rule is warming.
const historyVersion = 1

func (t *spikeTally) appendTo(w *snapshotWriter) {
	w.int(t.done)
	w.int(t.last)
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *spikeKey) {
		w.hash(key)
		w.bytes(k.data)
		w.int(k.last)
		for _, c := range k.cells {
			w.int(c.n)
			w.int(c.total)
			w.int(c.hits)
			w.int(c.drill)
		}
		w.count(int(k.samples.n))
		for i := range int(k.samples.n) {
			w.hit(k.samples.at(i), t.shows)
		}
	})
	w.count(t.seen.len())
	t.seen.all(func(value event.Hash, v *spikeSeen) {
		w.hash(value)
		w.int(v.last)
		w.bool(v.hit)
	})
	w.uint(historyVersion)
	w.block(t.appendHistory)
}

// appendHistory writes the blocks of all keys, in the order of keys.
func (t *spikeTally) appendHistory(w *snapshotWriter) {
	w.int(t.began)
	w.int(t.block)
	t.table.all(func(_ event.Hash, k *spikeKey) {
		w.int(k.first)
		w.count(len(k.history))
		for _, b := range k.history {
			w.int(b.n)
			w.uint(uint64(b.total))
			w.uint(uint64(b.hits))
		}
	})
}

func (t *spikeTally) readFrom(r *snapshotReader) {
	t.done, t.last = r.int(), r.int()
	if t.done != noTime && t.done%t.grid != 0 || t.last != noTime && (t.last < -spikeHorizon || t.last > spikeHorizon || t.done < floorDiv(t.last, t.grid)*t.grid) {
		r.fail() // there would be no end of grid points to decide
	}
	for range r.count(16) {
		k, added := t.table.touch(r.hash())
		k.data, k.last = r.values(), r.int()
		for i := range k.cells {
			c := spikeCell{r.int(), r.int(), r.int(), r.int()}
			if c.total < 0 || c.hits < 0 || c.drill < 0 || c.hits > math.MaxInt32 || c.total > math.MaxInt32 {
				r.fail()
			}
			k.cells[i] = c
		}
		n := r.count(19)
		if !added || n > maxSamples {
			r.fail()
		}
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
	version := r.uint()
	if b := r.block(); version == historyVersion {
		t.readHistory(b)
		if b.err != nil || len(b.b) > 0 {
			r.fail()
		}
	} else {
		t.began = t.last
		t.table.all(func(_ event.Hash, k *spikeKey) { k.first = k.last })
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}

func (t *spikeTally) readHistory(r *snapshotReader) {
	t.began = r.int()
	same := r.int() == t.block
	t.table.all(func(_ event.Hash, k *spikeKey) {
		k.first = r.int()
		last := int64(math.MinInt64)
		for range r.count(3) {
			n, total, hits := r.int(), r.uint(), r.uint()
			if n <= last || total > math.MaxUint32 || hits > math.MaxUint32 {
				r.fail()
			}
			b := spikeBlock{n, uint32(total), uint32(hits)}
			if r.err != nil {
				return
			}
			last = b.n
			if same {
				k.history = append(k.history, b)
				t.blocks++
			}
		}
	})
}
