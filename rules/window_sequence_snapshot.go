package rules

import (
	"slices"

	"github.com/liveward/liveward/internal/event"
)

func (t *sequenceTally) appendTo(w *snapshotWriter) {
	w.int(t.muted)
	entry := func(h *sequenceHit) {
		w.hit(&h.hit)
		w.int(h.start)
		w.uint(h.number)
	}
	w.count(t.table.len())
	t.table.all(func(key event.Hash, k *sequenceKey) {
		w.hash(key)
		w.int(k.last)
		w.hash(k.event)
		w.uint(k.number)
		for i := range k.rings {
			r := &k.rings[i]
			w.count(int(r.n))
			for j := range int(r.n) {
				entry(r.at(j))
			}
		}
		w.count(len(k.seen))
		for _, s := range k.seen {
			w.hash(s.value)
			w.int(s.time)
		}
		w.count(len(k.waits))
		for i := range k.waits {
			entry(&k.waits[i].sequenceHit)
		}
		w.bytes(k.data)
	})
}

func (t *sequenceTally) readFrom(r *snapshotReader) {
	t.muted = r.int()
	for range r.count(32) {
		key := r.hash()
		k, added := t.table.touch(key)
		if !added {
			r.fail()
		}
		if r.err != nil {
			return
		}
		k.last, k.event, k.number = r.int(), r.hash(), r.uint()
		k.rings = make([]queue[sequenceHit], len(t.steps))
		for i := range k.rings {
			n := r.count(16)
			if n > t.steps[i].limit {
				r.fail()
			}
			last := sequenceHit{hit: hit{time: noTime}, start: noTime}
			for range n {
				last = t.readHit(r, k, &last)
				if r.err != nil {
					return
				}
				k.rings[i].push(last)
			}
		}
		t.readOnce(r, k)
		t.readWaits(r, key, k)
		if r.err != nil {
			return
		}
	}
	for t.table.len() > t.limits.max {
		t.evict()
	}
}

// readHit reads an event after the one before it.
func (t *sequenceTally) readHit(r *snapshotReader, k *sequenceKey, before *sequenceHit) sequenceHit {
	h := sequenceHit{hit: r.hit(t.shows), start: r.int(), number: r.uint()}
	if h.time < before.time || h.start < before.start || h.number < before.number ||
		h.start > h.time || h.time > k.last || h.number > k.number {
		r.fail()
	}
	t.bytes += stepHitCost
	return h
}

func (t *sequenceTally) readOnce(r *snapshotReader, k *sequenceKey) {
	n := r.count(17)
	if n > t.limit || n > 0 && !t.once {
		r.fail()
	}
	last := int64(noTime)
	for range n {
		s := seenOnce{r.hash(), r.int()}
		if s.time < last || s.time > k.last || slices.ContainsFunc(k.seen, func(o seenOnce) bool { return o.value == s.value }) {
			r.fail()
		}
		if r.err != nil {
			return
		}
		last = s.time
		k.seen = append(k.seen, s)
		t.bytes += onceCost
	}
}

func (t *sequenceTally) readWaits(r *snapshotReader, key event.Hash, k *sequenceKey) {
	n := r.count(16)
	if n > t.limit || n > 0 && !t.negative {
		r.fail()
	}
	last := sequenceHit{hit: hit{time: noTime}, start: noTime}
	for i := range n {
		h := t.readHit(r, k, &last)
		if i > 0 && h.start == last.start {
			r.fail()
		}
		if r.err != nil {
			return
		}
		k.waits = append(k.waits, sequenceWait{h})
		last = h
	}
	data := r.values()
	switch {
	case n > 0:
		k.data = data
		t.bytes += int64(len(data))
		t.setAlarm(key, k)
	case len(data) > 0:
		r.fail()
	}
}
