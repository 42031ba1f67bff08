package rules

import (
	"bytes"
	"cmp"
	"slices"
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

	former []former // of key and value, while a former pseudonym key lives

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
		if c := cmp.Compare(p.state.rank, q.state.rank); c != 0 {
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

// reorder is the buffer in which signals wait until the watermark has passed them. Arrivals are nearly
// in order: they stand in a sorted queue, into which one that comes a little behind is put at its place.
// One that comes far behind, as do those of another file, stands in a binary heap beside the queue.
type reorder struct {
	queue []waitingSignal // sorted from head on
	head  int
	heap  []waitingSignal // the smallest at the root
	bytes int64           // estimated, of all waiting
	free  []*pending
}

// cost estimates the memory of a waiting signal.
func (p *pending) cost() int64 { return 224 + int64(len(p.data)) + 32*int64(len(p.former)) }

// waitingSignal has the time beside the pointer, so that most comparisons need no second look.
type waitingSignal struct {
	time int64
	p    *pending
}

const (
	// maxFree bounds the recycled signals, maxFreeData the bytes that one of them keeps.
	maxFree     = 1 << 15
	maxFreeData = 1 << 12
	// signalsAtOnce are allocated together, each with room for so many bytes.
	signalsAtOnce = 64
	signalData    = 192
	// maxShift bounds the signals of the queue that one before them moves.
	maxShift = 1 << 10
)

func (a waitingSignal) less(b waitingSignal) bool {
	if a.time != b.time {
		return a.time < b.time
	}
	return a.p.compare(b.p) < 0
}

func (r *reorder) len() int { return len(r.queue) - r.head + len(r.heap) }

// all returns what waits, in no order.
func (r *reorder) all() []waitingSignal { return slices.Concat(r.queue[r.head:], r.heap) }

// blank returns a signal to fill in.
func (r *reorder) blank() *pending {
	if len(r.free) == 0 {
		block, data := make([]pending, signalsAtOnce), make([]byte, signalsAtOnce*signalData)
		for i := range block {
			block[i].data = data[i*signalData : i*signalData : (i+1)*signalData]
			r.free = append(r.free, &block[i])
		}
	}
	n := len(r.free) - 1
	p := r.free[n]
	r.free = r.free[:n]
	return p
}

// recycle takes back a signal that nobody looks at any more.
func (r *reorder) recycle(p *pending) {
	if len(r.free) < maxFree && cap(p.data) <= maxFreeData {
		*p = pending{data: p.data[:0], former: p.former[:0]}
		r.free = append(r.free, p)
	}
}

func (r *reorder) push(p *pending) {
	r.bytes += p.cost()
	w := waitingSignal{p.time, p}
	if n := len(r.queue); n > r.head && w.less(r.queue[n-1]) {
		r.pushBehind(w)
		return
	}
	r.compact()
	r.queue = append(r.queue, w)
}

// compact makes room in a full queue, most of which has left.
func (r *reorder) compact() {
	n := len(r.queue)
	if n < cap(r.queue) || r.head <= n/2 {
		return
	}
	r.queue = r.queue[:copy(r.queue, r.queue[r.head:])]
	clear(r.queue[len(r.queue):n])
	r.head = 0
}

// pushBehind pushes a signal that is smaller than the last of the queue.
func (r *reorder) pushBehind(w waitingSignal) {
	q := r.queue[r.head:]
	to, step := len(q)-1, 1 // w is smaller than that at to
	for to >= step && w.less(q[to-step]) {
		to -= step
		step *= 2
	}
	from := max(to-step+1, 0)
	for from < to {
		if mid := (from + to) / 2; w.less(q[mid]) {
			to = mid
		} else {
			from = mid + 1
		}
	}
	if len(q)-to > maxShift {
		r.pushHeap(w)
		return
	}
	r.compact()
	r.queue = slices.Insert(r.queue, r.head+to, w)
}

func (r *reorder) pushHeap(w waitingSignal) {
	r.heap = append(r.heap, w)
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

// heaped tells whether the smallest stands in the heap; only where something waits.
func (r *reorder) heaped() bool {
	return len(r.heap) > 0 && (r.head == len(r.queue) || r.heap[0].less(r.queue[r.head]))
}

// next is the time of the smallest; only where there is one.
func (r *reorder) next() int64 {
	if r.heaped() {
		return r.heap[0].time
	}
	return r.queue[r.head].time
}

func (r *reorder) pop() *pending {
	if r.heaped() {
		return r.popHeap()
	}
	p := r.queue[r.head].p
	r.bytes -= p.cost()
	r.queue[r.head].p = nil
	if r.head++; r.head == len(r.queue) {
		r.queue, r.head = r.queue[:0], 0
	}
	return p
}

func (r *reorder) popHeap() *pending {
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

// keep drops the signals for which f is false, and puts the others in order anew.
func (r *reorder) keep(f func(*pending) bool) {
	kept := r.all()
	r.bytes = 0
	kept = slices.DeleteFunc(kept, func(w waitingSignal) bool { return !f(w.p) })
	for _, w := range kept {
		r.bytes += w.p.cost()
	}
	r.take(kept)
}

// take makes signals in any order all that waits.
func (r *reorder) take(waiting []waitingSignal) {
	slices.SortFunc(waiting, func(a, b waitingSignal) int { return a.p.compare(b.p) })
	r.queue, r.head, r.heap = waiting, 0, nil
}
