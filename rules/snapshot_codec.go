package rules

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// snapshotWriter appends the parts of a snapshot.
type snapshotWriter struct {
	b     []byte
	shows map[uint32]int // references written so far, with their number
	shown []uint32       // in the order of their numbers
}

func (s *snapshotWriter) uint(v uint64)     { s.b = binary.AppendUvarint(s.b, v) }
func (s *snapshotWriter) int(v int64)       { s.b = binary.AppendVarint(s.b, v) }
func (s *snapshotWriter) count(n int)       { s.uint(uint64(n)) }
func (s *snapshotWriter) hash(h event.Hash) { s.b = append(s.b, h[:]...) }
func (s *snapshotWriter) string(v string)   { s.count(len(v)); s.b = append(s.b, v...) }
func (s *snapshotWriter) bytes(v []byte)    { s.count(len(v)); s.b = append(s.b, v...) }

func (s *snapshotWriter) bool(v bool) {
	if v {
		s.b = append(s.b, 1)
	} else {
		s.b = append(s.b, 0)
	}
}

// block writes a part with its length before it, so that a reader can pass over it.
func (s *snapshotWriter) block(write func(*snapshotWriter)) {
	var part snapshotWriter
	write(&part)
	s.bytes(part.b)
}

// fields writes the names and types of all fields: their numbers are another version's business.
func (s *snapshotWriter) fields() {
	s.count(event.NumFields)
	for i := range event.NumFields {
		f := event.FieldOf(event.ID(i))
		s.string(f.Name)
		s.string(f.Type.String())
	}
}

// appendClocks writes how long agents have been heard.
func (m *watermark) appendClocks(s *snapshotWriter) {
	s.int(int64(m.alive))
	s.count(len(m.agents))
	for _, name := range slices.Sorted(maps.Keys(m.agents)) {
		s.string(name)
		s.int(m.agents[name].ingest)
		s.int(int64(m.agents[name].alive))
	}
	s.bool(m.begun)
	m.down.appendTo(s)
}

func (m *watermark) readClocks(r *snapshotReader) {
	m.alive = r.span()
	for range r.count(3) {
		m.agents[r.string()] = agentClock{r.int(), r.span()}
	}
	m.begun = r.bool()
	m.down.readFrom(r)
}

func (s *snapshotWriter) tail(t *tail, known bool) {
	s.string(t.key.agent)
	s.string(t.key.Source)
	s.string(t.key.Path)
	s.bool(known)
	s.int(t.max)
	s.int(int64(t.seen))
	s.count(len(t.files))
	for _, f := range t.files {
		s.uint(f.ordinal)
		s.bool(f.idle)
		s.int(int64(f.seen))
	}
}

func (s *snapshotWriter) hit(h *hit) {
	s.int(h.time)
	s.hash(h.event)
	n := 0
	if h.show != 0 {
		known := false
		if n, known = s.shows[h.show]; !known {
			s.shown = append(s.shown, h.show)
			n = len(s.shown)
			s.shows[h.show] = n
		}
	}
	s.count(n)
	s.bool(h.drill)
}

func (s *snapshotWriter) pending(p *pending, tail int) {
	s.hash(p.state.rule.State)
	s.hash(p.event)
	s.hash(p.key)
	s.hash(p.value)
	s.count(tail)
	s.int(p.time)
	s.uint(p.ordinal)
	s.int(p.offset)
	s.int(int64(p.index))
	s.uint(uint64(p.step))
	s.bool(p.late)
	s.bool(p.silent)
	s.bool(p.drill)
	s.bytes(p.data[:p.keyLen])
	s.bytes(p.data[p.keyLen:])
	s.count(len(p.former))
	for i := range p.former {
		s.hash(p.former[i].key)
		s.hash(p.former[i].value)
	}
}

// snapshotReader takes the parts of a snapshot apart. The first error stays, and everything read
// after it is zero: a caller looks once, before it relies on what it has read. Whatever the bytes
// are, no more is allocated than in proportion to them.
type snapshotReader struct {
	b      []byte
	err    error
	fields *[256]int16 // the snapshot's number of a field to ours, negative where we have none
	texts  *[256]bool  // whether the snapshot's field is text
	refs   []uint32    // the snapshot's number of show values to ours
}

func (r *snapshotReader) fail() {
	if r.err == nil {
		r.err = errSnapshot
	}
	r.b = nil
}

func (r *snapshotReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *snapshotReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// span reads a time for which agents were heard: the journal of a century at most.
func (r *snapshotReader) span() time.Duration {
	v := r.int()
	if v < 0 || v > math.MaxInt64/2 {
		r.fail()
	}
	return time.Duration(v)
}

// count reads a number of things, each of which takes at least size bytes.
func (r *snapshotReader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *snapshotReader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *snapshotReader) bytes() []byte  { return r.take(r.count(1)) }
func (r *snapshotReader) string() string { return string(r.bytes()) }

func (r *snapshotReader) hash() event.Hash {
	var h event.Hash
	copy(h[:], r.take(len(h)))
	return h
}

func (r *snapshotReader) bool() bool {
	b := r.take(1)
	if len(b) == 1 && b[0] > 1 {
		r.fail()
	}
	return len(b) == 1 && b[0] == 1
}

// block returns a reader of a part that was written with its length.
func (r *snapshotReader) block() *snapshotReader {
	return &snapshotReader{b: r.bytes(), err: r.err, fields: r.fields, texts: r.texts}
}

// readFields reads the snapshot's table of fields.
func (r *snapshotReader) readFields() {
	r.fields, r.texts = new([256]int16), new([256]bool)
	for i := range r.fields {
		r.fields[i] = -1
	}
	n := r.count(2)
	if n > len(r.fields) {
		r.fail()
		return
	}
	for i := range n {
		name, kind := r.string(), r.string()
		switch kind {
		case event.Long.String(), event.Double.String(), event.Bool.String(), event.Date.String():
		default:
			r.texts[i] = true
		}
		if id, ok := event.Lookup(name); ok && event.FieldOf(id).Type.String() == kind {
			r.fields[i] = int16(id)
		}
	}
}

// values reads encoded values and writes them with our numbers of fields. Values of fields that we
// do not have are left out.
func (r *snapshotReader) values() []byte {
	in := snapshotReader{b: r.bytes()}
	var out []byte
	for len(in.b) > 0 {
		number := in.take(1)[0]
		var v event.Value
		if r.texts[number] {
			v.Str = event.Slot(in.bytes())
		} else if b := in.take(8); len(b) == 8 {
			v.Num = binary.BigEndian.Uint64(b)
		}
		if in.err != nil {
			r.fail()
			return nil
		}
		if id := r.fields[number]; id >= 0 {
			v.Field = event.ID(id)
			out = appendValue(out, v)
		}
	}
	return out
}

func (r *snapshotReader) tail() (t *tail, known bool) {
	t = &tail{}
	t.key = tailKey{r.string(), event.SourceKey{Source: r.string(), Path: r.string()}}
	known = r.bool()
	t.max, t.seen = r.int(), r.span()
	n := r.count(3)
	if n > maxTailFiles {
		r.fail()
	}
	for range n {
		t.files = append(t.files, tailFile{r.uint(), r.bool(), r.span()})
	}
	return t, known
}

func (r *snapshotReader) hit(shows *showTable) hit {
	h := hit{time: r.int(), event: r.hash()}
	n := r.uint()
	h.drill = r.bool()
	if n >= uint64(len(r.refs)) {
		r.fail()
	}
	if r.err != nil {
		return hit{}
	}
	h.show = shows.intern(shows.get(r.refs[n]))
	return h
}

func (r *snapshotReader) pending() (p *pending, state event.Hash, tail uint64) {
	p = new(pending)
	state, p.event, p.key, p.value = r.hash(), r.hash(), r.hash(), r.hash()
	tail = r.uint()
	p.time, p.ordinal, p.offset = r.int(), r.uint(), r.int()
	index, step := r.int(), r.uint()
	if index < math.MinInt32 || index > math.MaxInt32 || step > math.MaxUint8 {
		r.fail()
	}
	p.index, p.step = int32(index), uint8(step)
	p.late, p.silent, p.drill = r.bool(), r.bool(), r.bool()
	key := r.values()
	p.keyLen = len(key)
	p.data = append(key, r.values()...)
	for range r.count(2 * len(event.Hash{})) {
		p.former = append(p.former, former{key: r.hash(), value: r.hash()})
	}
	return p, state, tail
}
