package generator

// entry is something that happens at a time. Entries at the same time keep the order in which they
// were pushed, so that a seed always gives the same lines.
type entry struct {
	at    int64 // nanoseconds
	order uint64
	index int32 // of session, actor, ...
	kind  kind
}

// queue is a binary heap of entries.
type queue struct {
	heap  []entry
	order uint64
}

func before(a, b *entry) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

// push adds an entry.
func (q *queue) push(e entry) {
	e.order = q.order
	q.order++
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !before(&e, &q.heap[up]) {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

// pop takes the earliest entry.
func (q *queue) pop() (entry, bool) {
	if len(q.heap) == 0 {
		return entry{}, false
	}
	top := q.heap[0]
	n := len(q.heap) - 1
	last := q.heap[n]
	q.heap = q.heap[:n]
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && before(&q.heap[child+1], &q.heap[child]) {
			child++
		}
		if !before(&q.heap[child], &last) {
			break
		}
		q.heap[i] = q.heap[child]
		i = child
	}
	if n > 0 {
		q.heap[i] = last
	}
	return top, true
}
