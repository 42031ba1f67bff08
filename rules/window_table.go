package rules

import "github.com/liveward/liveward/internal/event"

// windowTable holds the state of a rule's keys in the order in which they were last touched. The
// order is part of the state: which key goes when the table is full must be a function of the
// signals alone, also after a restart.
//
// Nodes live in chunks that are found by number: the map and the list have no pointers for the
// garbage collector to follow, and a node does not move while its key is there.
type windowTable[T any] struct {
	slots          map[event.Hash]int32 // nil in a frozen table
	n              int                  // keys
	chunks         [][]tableNode[T]
	shared         *sharedChunks // with a frozen table; else nil
	used           int32         // nodes ever given out
	free           int32         // head of the list of free nodes, 0 where empty
	oldest, newest int32         // 0 where empty
}

type tableNode[T any] struct {
	key        event.Hash
	prev, next int32 // towards oldest, towards newest
	val        T
}

const chunkBits = 8

func (t *windowTable[T]) len() int { return t.n }

// node finds a node by its number; numbers begin with 1. The caller may write to it.
func (t *windowTable[T]) node(n int32) *tableNode[T] {
	n--
	if t.shared != nil {
		t.own(int(n >> chunkBits))
	}
	return &t.chunks[n>>chunkBits][n&(1<<chunkBits-1)]
}

// get finds a key's state without touching it; nil where there is none.
func (t *windowTable[T]) get(key event.Hash) *T {
	if n := t.slots[key]; n != 0 {
		return &t.node(n).val
	}
	return nil
}

// touch makes a key the newest, and adds it with a zero state where it is not there.
func (t *windowTable[T]) touch(key event.Hash) (val *T, added bool) {
	_, val, added = t.touchNode(key)
	return val, added
}

// touchNode is touch, with the number of the key's node.
func (t *windowTable[T]) touchNode(key event.Hash) (n int32, val *T, added bool) {
	if n := t.slots[key]; n != 0 {
		nd := t.node(n)
		if t.newest != n {
			t.unlink(nd)
			t.link(n, nd)
		}
		return n, &nd.val, false
	}
	if t.slots == nil {
		t.slots = make(map[event.Hash]int32)
	}
	n = t.free
	if n != 0 {
		t.free = t.node(n).next
	} else {
		if int(t.used)>>chunkBits == len(t.chunks) {
			t.chunks = append(t.chunks, make([]tableNode[T], 1<<chunkBits))
		}
		t.used++
		n = t.used
	}
	nd := t.node(n)
	nd.key = key
	t.slots[key] = n
	t.n++
	t.link(n, nd)
	return n, &nd.val, true
}

func (t *windowTable[T]) link(n int32, nd *tableNode[T]) {
	nd.prev, nd.next = t.newest, 0
	if t.newest != 0 {
		t.node(t.newest).next = n
	} else {
		t.oldest = n
	}
	t.newest = n
}

func (t *windowTable[T]) unlink(nd *tableNode[T]) {
	if nd.prev != 0 {
		t.node(nd.prev).next = nd.next
	} else {
		t.oldest = nd.next
	}
	if nd.next != 0 {
		t.node(nd.next).prev = nd.prev
	} else {
		t.newest = nd.prev
	}
}

// rename gives the state of one key to another, which has none, at its place in the order. It returns nil
// where there is no such state, or the other key has its own.
func (t *windowTable[T]) rename(from, to event.Hash) *T {
	n := t.slots[from]
	if n == 0 || t.slots[to] != 0 {
		return nil
	}
	nd := t.node(n)
	delete(t.slots, from)
	nd.key, t.slots[to] = to, n
	return &nd.val
}

// first is the state of the key touched longest ago; nil where the table is empty.
func (t *windowTable[T]) first() *T {
	if t.oldest == 0 {
		return nil
	}
	return &t.node(t.oldest).val
}

// dropFirst forgets the key touched longest ago.
func (t *windowTable[T]) dropFirst() { t.drop(t.oldest) }

// drop forgets the key of a node.
func (t *windowTable[T]) drop(n int32) {
	nd := t.node(n)
	t.unlink(nd)
	delete(t.slots, nd.key)
	t.n--
	*nd = tableNode[T]{next: t.free}
	t.free = n
}

// remove forgets a key.
func (t *windowTable[T]) remove(key event.Hash) {
	if n := t.slots[key]; n != 0 {
		t.drop(n)
	}
}

// backwards calls f for each key, newest first, until it returns false.
func (t *windowTable[T]) backwards(f func(key event.Hash, val *T) bool) {
	for n := t.newest; n != 0; {
		nd := t.node(n)
		prev := nd.prev
		if !f(nd.key, &nd.val) {
			return
		}
		n = prev
	}
}

// forwards calls f for each key, oldest first, until it returns false.
func (t *windowTable[T]) forwards(f func(key event.Hash, val *T) bool) {
	for n := t.oldest; n != 0; {
		nd := t.node(n)
		if !f(nd.key, &nd.val) {
			return
		}
		n = nd.next
	}
}

// all calls f for each key, oldest first.
func (t *windowTable[T]) all(f func(key event.Hash, val *T)) {
	for n := t.oldest; n != 0; {
		nd := t.node(n)
		f(nd.key, &nd.val)
		n = nd.next
	}
}
