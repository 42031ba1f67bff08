package event

import "math/bits"

// A layout is how an event with certain fields is written as JSON: for each field the bytes that stand
// before its value, from the end of the value before it. The events of one log have few sets of fields,
// so an encoder learns their layouts and then copies, instead of nesting names anew for every event.
type layout struct {
	present [presentWords]uint64
	steps   []step
	text    []byte // what the steps copy, and a block of zeros
	depth   int    // objects open after the last value
}

// step writes one field.
type step struct {
	id       ID
	from, to uint16 // in the layout's text
}

// block is how much is copied at once where less is wanted: a copy of fixed size needs no call.
const block = 32

// layouts is how many sets of fields an event's encoder keeps. Whoever makes up more has each of his
// learned anew, which costs about what one event does.
const layouts = 64

// layout returns the layout of the event's fields.
func (e *Event) layout() *layout {
	var want [presentWords]uint64
	h := uint64(0)
	for w := range e.present {
		want[w] = e.present[w] &^ transientFields[w]
		h = (h ^ want[w]) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	if e.layouts == nil {
		e.layouts = new([layouts]layout)
	}
	l := &e.layouts[h%layouts]
	if l.present != want || l.text == nil {
		l.learn(want)
	}
	return l
}

func (l *layout) learn(present [presentWords]uint64) {
	l.present, l.steps, l.text, l.depth = present, l.steps[:0], l.text[:0], 0
	prev := -1
	for w, word := range present {
		for ; word != 0; word &= word - 1 {
			id := ID(w*64 + bits.TrailingZeros64(word))
			from := len(l.text)
			common := 0
			if prev >= 0 {
				common = sharedObjects(ID(prev), id)
				for ; l.depth > common; l.depth-- {
					l.text = append(l.text, '}')
				}
				l.text = append(l.text, ',')
			}
			l.text = append(l.text, plans[id].opening[common]...)
			l.depth = plans[id].depth
			l.steps = append(l.steps, step{id, uint16(from), uint16(len(l.text))})
			prev = int(id)
		}
	}
	l.text = append(l.text, make([]byte, block)...)
}

// sharedObjects is how many of the objects around two fields are the same.
func sharedObjects(a, b ID) int {
	n := min(plans[a].depth, plans[b].depth)
	for i := range n {
		if plans[a].path[i] != plans[b].path[i] {
			return i
		}
	}
	return n
}

// appendBlock appends text[from:to], which may be followed by anything for a block.
func appendBlock(dst, text []byte, from, to uint16) []byte {
	n := len(dst)
	if to-from > block || cap(dst)-n < block {
		return append(dst, text[from:to]...)
	}
	*(*[block]byte)(dst[n : n+block]) = *(*[block]byte)(text[from : int(from)+block])
	return dst[:n+int(to-from)]
}
