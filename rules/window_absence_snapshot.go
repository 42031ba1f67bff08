package rules

import (
	"github.com/liveward/liveward/internal/event"
)

func (t *absenceTally) appendTo(w *snapshotWriter) {
	w.int(t.began)
	w.int(t.muted)
	for _, table := range []*windowTable[absentKey]{&t.waiting, &t.gone, &t.missing} {
		w.count(table.len())
		table.all(func(key event.Hash, k *absentKey) {
			w.hash(key)
			w.bytes(k.data)
			w.hit(&k.last)
			w.bool(k.seen)
			w.int(k.fired)
			w.bool(k.raised)
			w.bool(k.updated)
		})
	}
}

func (t *absenceTally) readFrom(r *snapshotReader) {
	t.began, t.muted = r.int(), r.int()
	known := map[event.Hash]bool{}
	// The roster of a new start gives way to what is known.
	t.waiting, t.queue = windowTable[absentKey]{}, nil
	for _, table := range []*windowTable[absentKey]{&t.waiting, &t.gone, &t.missing} {
		for range r.count(16) {
			key := r.hash()
			k, _ := table.touch(key)
			k.data = r.values()
			k.last = r.hit(t.shows)
			k.seen, k.fired, k.raised, k.updated = r.bool(), r.int(), r.bool(), r.bool()
			if known[key] {
				r.fail()
			}
			if r.err != nil {
				return
			}
			known[key] = true
		}
	}
	t.requeue()
}
