package journal

import (
	"encoding/binary"

	"github.com/liveward/liveward/internal/event"
)

// Signals are stored with two dictionaries of their own, of state keys and of field names: the
// numbers of fields change when the field table grows, their names do not.

const (
	flagLate   = 1
	flagSkewed = 2
	flagDrill  = 4
	flagFormer = 8 // pseudonyms under former keys follow
)

func appendSignals(dst []byte, signals []event.Signal) []byte {
	var states []event.Hash
	stateIndex := make(map[event.Hash]uint64)
	var names [event.NumFields]uint64 // 1-based index into used
	var used []event.ID
	note := func(values []event.Value) {
		for _, v := range values {
			if names[v.Field] == 0 {
				used = append(used, v.Field)
				names[v.Field] = uint64(len(used))
			}
		}
	}
	for i := range signals {
		s := &signals[i]
		if _, ok := stateIndex[s.State]; !ok {
			stateIndex[s.State] = uint64(len(states))
			states = append(states, s.State)
		}
		note(s.Key)
		note(s.Of)
		note(s.Show)
		note(s.Former)
	}
	dst = binary.AppendUvarint(dst, uint64(len(states)))
	for _, h := range states {
		dst = append(dst, h[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(used)))
	for _, id := range used {
		dst = appendString(dst, id.String())
	}
	dst = binary.AppendUvarint(dst, uint64(len(signals)))
	var prev int64
	for i := range signals {
		s := &signals[i]
		dst = binary.AppendUvarint(dst, stateIndex[s.State])
		dst = append(dst, s.Event[:]...)
		dst = binary.AppendVarint(dst, s.Time-prev)
		prev = s.Time
		dst = binary.AppendUvarint(dst, uint64(s.File))
		dst = binary.AppendVarint(dst, s.Offset)
		dst = binary.AppendUvarint(dst, uint64(s.Index))
		var flags byte
		if s.Late {
			flags |= flagLate
		}
		if s.Skewed {
			flags |= flagSkewed
		}
		if s.Drill {
			flags |= flagDrill
		}
		if len(s.Former) > 0 {
			flags |= flagFormer
		}
		dst = append(dst, flags, s.Step)
		for _, values := range [][]event.Value{s.Key, s.Of, s.Show} {
			dst = appendValues(dst, values, &names)
		}
		if len(s.Former) > 0 {
			dst = appendValues(dst, s.Former, &names)
		}
	}
	return dst
}

// appendValues appends values with the numbers of their names, from 1 on.
func appendValues(dst []byte, values []event.Value, names *[event.NumFields]uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	for _, v := range values {
		dst = binary.AppendUvarint(dst, names[v.Field]-1)
		if v.Str != "" {
			dst = append(dst, 's')
			dst = appendString(dst, v.Str)
		} else {
			dst = append(dst, 'n')
			dst = binary.AppendUvarint(dst, v.Num)
		}
	}
	return dst
}

// SignalBytes is the most that a signal takes in a batch.
func SignalBytes(s *event.Signal) int {
	n := 128 // state, id, time, place, flags and counts
	for _, values := range [][]event.Value{s.Key, s.Of, s.Show, s.Former} {
		for i := range values {
			n += 16 + len(values[i].Str)
		}
	}
	return n
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// reader walks a section; after a fault every read gives zero values.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) hash() (h event.Hash) {
	copy(h[:], r.bytes(uint64(len(h))))
	return h
}

// count reads a number of things of which each takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

// decodeSignals reads a section. Strings of the signals point into it.
func decodeSignals(section []byte, dst []event.Signal, files int) ([]event.Signal, error) {
	r := reader{b: section}
	states := make([]event.Hash, r.count(16))
	for i := range states {
		states[i] = r.hash()
	}
	type name struct {
		id    event.ID
		known bool
	}
	names := make([]name, r.count(1))
	for i := range names {
		id, ok := event.Lookup(string(r.bytes(r.uvarint())))
		names[i] = name{id, ok}
	}
	n := r.count(22)
	var prev int64
	var values []event.Value
	for range n {
		var s event.Signal
		if i := r.uvarint(); i < uint64(len(states)) {
			s.State = states[i]
		} else {
			r.bad = true
		}
		s.Event = r.hash()
		prev += r.varint()
		s.Time = prev
		s.File = int(r.uvarint())
		if s.File >= files || s.File < 0 {
			r.bad = true
		}
		s.Offset = r.varint()
		s.Index = int32(r.uvarint())
		lists := []*[]event.Value{&s.Key, &s.Of, &s.Show, &s.Former}
		if f := r.bytes(2); len(f) == 2 {
			if f[0]&flagFormer == 0 {
				lists = lists[:3]
			}
			s.Late, s.Skewed, s.Drill = f[0]&flagLate != 0, f[0]&flagSkewed != 0, f[0]&flagDrill != 0
			s.Step = f[1]
		}
		for _, out := range lists {
			count := r.count(3)
			if cap(values)-len(values) < count {
				values = make([]event.Value, 0, max(1024, count))
			}
			from := len(values)
			for range count {
				i := r.uvarint()
				kind := r.bytes(1)
				if r.bad {
					break
				}
				var v event.Value
				if kind[0] == 's' {
					v.Str = event.Slot(r.bytes(r.uvarint()))
				} else {
					v.Num = r.uvarint()
				}
				if i >= uint64(len(names)) {
					r.bad = true
					break
				}
				if names[i].known { // a field that a later version dropped is left out
					v.Field = names[i].id
					values = append(values, v)
				}
			}
			*out = values[from:len(values):len(values)]
		}
		if r.bad {
			return nil, errBatch
		}
		dst = append(dst, s)
	}
	if r.bad || len(r.b) != 0 {
		return nil, errBatch
	}
	return dst, nil
}
