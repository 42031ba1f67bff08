package rules

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// pending is a signal on its way to its rule: what windows need of it, in memory of its own.
type pending struct {
	state *ruleState
	tail  *tail

	time    int64
	ordinal uint64
	offset  int64
	index   int32

	step   uint8
	late   bool // behind its source or the watermark: for per-event rules only
	silent bool // brought by Rebuild: counted, but no reason to fire
	drill  bool

	event event.Hash
	key   event.Hash // of state key and key values
	value event.Hash // of the values of the rule's of, or else once

	keyLen int
	data   []byte // key values, then show values
}

// compare is the total order of events, (time, source, ordinal, offset, index), and below it enough
// to make the order of signals independent of their arrival.
func (p *pending) compare(q *pending) int {
	if c := cmp.Compare(p.time, q.time); c != 0 {
		return c
	}
	if p.tail != q.tail {
		if c := p.tail.key.compare(q.tail.key); c != 0 {
			return c
		}
	}
	if c := cmp.Or(cmp.Compare(p.ordinal, q.ordinal), cmp.Compare(p.offset, q.offset), cmp.Compare(p.index, q.index)); c != 0 {
		return c
	}
	if c := bytes.Compare(p.event[:], q.event[:]); c != 0 {
		return c
	}
	if p.state != q.state {
		if c := strings.Compare(p.state.rule.ID, q.state.rule.ID); c != 0 {
			return c
		}
	}
	return cmp.Compare(stepRank(p.step), stepRank(q.step))
}

// stepRank is the order of one event's signals of one sequence: the last step first, so that an event
// is never its own predecessor, and resets at the end, so that what ends a sequence may complete it.
func stepRank(step uint8) uint8 {
	if step < StepReset {
		return StepReset - 1 - step
	}
	return step
}

func (k tailKey) compare(l tailKey) int {
	return cmp.Or(strings.Compare(k.Source, l.Source), strings.Compare(k.Path, l.Path), strings.Compare(k.agent, l.agent))
}

// reorder is the buffer in which signals wait until the watermark has passed them: a binary heap
// with the smallest at the root. Arrivals are nearly in order, so that most pushes stay a leaf.
type reorder struct {
	heap  []waitingSignal
	bytes int64 // estimated, of all waiting
	free  []*pending
}

// cost estimates the memory of a waiting signal.
func (p *pending) cost() int64 { return 224 + int64(len(p.data)) }

// waitingSignal has the time beside the pointer, so that most comparisons need no second look.
type waitingSignal struct {
	time int64
	p    *pending
}

// maxFree bounds the recycled signals.
const maxFree = 4096

func (a waitingSignal) less(b waitingSignal) bool {
	if a.time != b.time {
		return a.time < b.time
	}
	return a.p.compare(b.p) < 0
}

func (r *reorder) len() int { return len(r.heap) }

// blank returns a signal to fill in.
func (r *reorder) blank() *pending {
	if n := len(r.free); n > 0 {
		p := r.free[n-1]
		r.free = r.free[:n-1]
		return p
	}
	return new(pending)
}

// recycle takes back a signal that nobody looks at any more.
func (r *reorder) recycle(p *pending) {
	if len(r.free) < maxFree {
		*p = pending{data: p.data[:0]}
		r.free = append(r.free, p)
	}
}

func (r *reorder) push(p *pending) {
	r.bytes += p.cost()
	r.heap = append(r.heap, waitingSignal{p.time, p})
	h := r.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].less(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// next is the time of the smallest; only where there is one.
func (r *reorder) next() int64 { return r.heap[0].time }

func (r *reorder) pop() *pending {
	h := r.heap
	p := h[0].p
	r.bytes -= p.cost()
	n := len(h) - 1
	h[0], h[n] = h[n], waitingSignal{}
	r.heap = h[:n]
	r.sink(0)
	return p
}

func (r *reorder) sink(i int) {
	h := r.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].less(h[child]) {
			child++
		}
		if !h[child].less(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// keep drops the signals for which f is false.
func (r *reorder) keep(f func(*pending) bool) {
	kept := r.heap[:0]
	for _, w := range r.heap {
		if f(w.p) {
			kept = append(kept, w)
		} else {
			r.bytes -= w.p.cost()
		}
	}
	clear(r.heap[len(kept):])
	r.heap = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		r.sink(i)
	}
}
