package rules

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/liveward/liveward/internal/event"
)

// Frozen is the state of windows at one moment. Another goroutine may write it into a snapshot while the
// windows go on.
//
// Nothing of the keys is copied when it is made: tables share their chunks with it, and copy a chunk
// before they first touch it. So the windows pause for no longer than it takes to copy what is small.
type Frozen struct {
	windows Windows
	done    atomic.Bool
}

// Freeze holds the state fast. Release gives it up; until then windows copy what they touch.
func (w *Windows) Freeze() *Frozen {
	f := new(Frozen)
	f.windows = Windows{cfg: w.cfg, ruleset: w.ruleset, mark: w.mark.clone(), seen: w.seen.clone()}
	states := make(map[*ruleState]*ruleState, len(w.sorted))
	for _, rs := range w.sorted {
		c := &ruleState{rule: rs.rule, rank: rs.rank, last: rs.last, warm: rs.warm, shows: rs.shows.freeze()}
		c.tally = rs.tally.freeze(&f.done, c.shows)
		c.held.table = rs.held.table.freeze(&f.done)
		if rs.early != nil {
			c.early = rs.early.freeze(&f.done, c.shows)
		}
		states[rs] = c
		f.windows.sorted = append(f.windows.sorted, c)
	}
	f.windows.buffer.queue = w.buffer.clone(states, f.windows.mark.tails)
	return f
}

// AppendSnapshot is that of the windows at the moment of Freeze.
func (f *Frozen) AppendSnapshot(dst []byte) []byte { return f.windows.AppendSnapshot(dst) }

// Release tells the windows that nobody looks at the state any more.
func (f *Frozen) Release() { f.done.Store(true) }

// sharedChunks says which chunks of a table are its own again.
type sharedChunks struct {
	readers []*atomic.Bool // whether they are done with the frozen tables
	owned   []bool
}

// over tells whether nobody reads a frozen table any more.
func (s *sharedChunks) over() bool {
	return !slices.ContainsFunc(s.readers, func(done *atomic.Bool) bool { return !done.Load() })
}

// detacher is a value of a table that points at memory which it changes in place.
type detacher interface {
	// detach makes that memory the value's own.
	detach()
}

// freeze makes a table that stays as it is, and can only be walked through.
func (t *windowTable[T]) freeze(done *atomic.Bool) windowTable[T] {
	frozen := *t
	frozen.slots, frozen.shared = nil, nil
	frozen.chunks = slices.Clone(t.chunks)
	readers := []*atomic.Bool{done}
	if t.shared != nil {
		// Who reads an older one reads of the same chunks.
		readers = append(readers, t.shared.readers...)
	}
	t.shared = &sharedChunks{readers: readers, owned: make([]bool, len(t.chunks))}
	if t.shared.readers = slices.DeleteFunc(readers, (*atomic.Bool).Load); len(t.shared.readers) == 0 || len(t.chunks) == 0 {
		t.shared = nil
	}
	return frozen
}

// own makes a chunk the table's own before it is touched.
func (t *windowTable[T]) own(chunk int) {
	s := t.shared
	switch {
	case s.over():
		t.shared = nil
		return
	case chunk >= len(s.owned) || s.owned[chunk]:
		return
	}
	s.owned[chunk] = true
	nodes := slices.Clone(t.chunks[chunk])
	for i := range nodes {
		if d, ok := any(&nodes[i].val).(detacher); ok {
			d.detach()
		}
	}
	t.chunks[chunk] = nodes
}

func (r *queue[T]) detach()    { r.buf = slices.Clone(r.buf) }
func (k *seenValues) detach()  { k.list = slices.Clone(k.list) }
func (k *chainKey) detach()    { k.links = slices.Clone(k.links) }
func (k *earlyAlerts) detach() { k.list = slices.Clone(k.list) }
func (k *spikeKey) detach()    { k.history = slices.Clone(k.history); k.samples.detach() }
func (k *sequenceKey) detach() {
	k.rings = slices.Clone(k.rings)
	for i := range k.rings {
		k.rings[i].detach()
	}
	k.seen, k.waits, k.data = slices.Clone(k.seen), slices.Clone(k.waits), slices.Clone(k.data)
}

// freeze gives each tally's state for a snapshot: a copy with frozen tables.

func (t *thresholdTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.table, c.shows = t.table.freeze(done), shows
	return &c
}

func (t *distinctTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.table, c.shows = t.table.freeze(done), shows
	return &c
}

func (t *sequenceTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.table, c.shows = t.table.freeze(done), shows
	return &c
}

func (t *eachTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.table, c.shows = t.table.freeze(done), shows
	return &c
}

func (t *chainTally) freeze(done *atomic.Bool, _ *showTable) tally {
	c := *t
	c.table = t.table.freeze(done)
	return &c
}

func (t *spikeTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.table, c.seen, c.shows = t.table.freeze(done), t.seen.freeze(done), shows
	return &c
}

func (t *firstSeenTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.keyed, c.tuples, c.shows = t.keyed.freeze(done), t.tuples.freeze(done), shows
	return &c
}

func (t *absenceTally) freeze(done *atomic.Bool, shows *showTable) tally {
	c := *t
	c.waiting, c.gone, c.missing, c.shows = t.waiting.freeze(done), t.gone.freeze(done), t.missing.freeze(done), shows
	return &c
}

func (silentTally) freeze(*atomic.Bool, *showTable) tally { return silentTally{} }

func (e *early) freeze(done *atomic.Bool, shows *showTable) *early {
	c := &early{told: e.told.freeze(done), waiting: make(map[event.Hash]*earlyKey, len(e.waiting))}
	c.tally = e.tally.freeze(done, shows).(earlyTally)
	for key, k := range e.waiting {
		c.waiting[key] = &earlyKey{stale: k.stale}
	}
	return c
}

// freeze copies the references alone: texts never change.
func (t *showTable) freeze() *showTable { return &showTable{shows: slices.Clone(t.shows)} }

func (s *seenSet) clone() seenSet {
	c := *s
	c.young = generation{ids: slices.Clone(s.young.ids), newest: s.young.newest}
	c.old = generation{ids: slices.Clone(s.old.ids), newest: s.old.newest}
	return c
}

func (m *watermark) clone() watermark {
	c := *m
	c.agents = maps.Clone(m.agents)
	c.down = &downtime{slices.Clone(m.down.spans)}
	c.tails = make(map[tailKey]*tail, len(m.tails))
	for key, t := range m.tails {
		c.tails[key] = t.clone()
	}
	return c
}

func (t *tail) clone() *tail {
	c := *t
	c.files = slices.Clone(t.files)
	return &c
}

// clone copies what waits, for other rules and sources.
func (r *reorder) clone(states map[*ruleState]*ruleState, tails map[tailKey]*tail) []waitingSignal {
	waiting := r.all()
	all := make([]pending, len(waiting))
	size := 0
	for i := range waiting {
		size += len(waiting[i].p.data)
	}
	data := make([]byte, 0, size)
	gone := map[*tail]*tail{} // sources that are forgotten but for their signals
	for i, s := range waiting {
		p := &all[i]
		*p = *s.p
		start := len(data)
		data = append(data, s.p.data...)
		p.data = data[start:len(data):len(data)]
		p.former = slices.Clone(p.former)
		p.state = states[p.state]
		if t := tails[p.tail.key]; t != nil {
			p.tail = t
		} else {
			if gone[p.tail] == nil {
				gone[p.tail] = p.tail.clone()
			}
			p.tail = gone[p.tail]
		}
		waiting[i].p = p
	}
	return waiting
}
