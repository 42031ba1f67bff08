package rules

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"math"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// maxWindowValue bounds the text of one value that windows keep for titles and alerts. Keys are told
// apart by a hash of the whole value, whatever its length.
const maxWindowValue = 256

// knownFields tells whether every value is of a field that exists.
func knownFields(values []event.Value) bool {
	for i := range values {
		if int(values[i].Field) >= event.NumFields {
			return false
		}
	}
	return true
}

// isText tells whether values of a field are text.
func isText(id event.ID) bool {
	switch event.FieldOf(id).Type {
	case event.Long, event.Double, event.Bool, event.Date:
		return false
	}
	return true
}

// valuesHash tells tuples of values of the same fields apart. Fields have no part in it: their
// numbers change when the table of fields grows, and the seed stands for them.
func valuesHash(scratch []byte, seed event.Hash, values []event.Value) (event.Hash, []byte) {
	b := appendHashed(append(scratch[:0], seed[:]...), values)
	return hashed(b), b
}

func hashed(b []byte) event.Hash {
	sum := sha256.Sum256(b)
	return event.Hash(sum[:len(event.Hash{})])
}

// appendHashed appends what valuesHash hashes of values.
func appendHashed(b []byte, values []event.Value) []byte {
	for i := range values {
		if v := &values[i]; isText(v.Field) {
			b = binary.AppendUvarint(b, uint64(len(v.Str)))
			b = append(b, v.Str...)
		} else {
			b = binary.BigEndian.AppendUint64(b, v.Num)
		}
	}
	return b
}

// hashMemo is valuesHash with a memory of hashes asked for lately: most of a stream has few keys.
type hashMemo struct {
	seed    maphash.Seed
	entries []memoEntry // none before the first
	scratch []byte
}

// memoEntry is a hash with what it is of; that is of no length where there is none.
type memoEntry struct {
	n    uint8
	text [memoText]byte
	sum  event.Hash
}

const (
	memoEntries = 1 << 11
	memoText    = 79
)

func (m *hashMemo) of(seed *event.Hash, values []event.Value) event.Hash {
	m.scratch = appendHashed(append(m.scratch[:0], seed[:]...), values)
	b := m.scratch
	if len(b) > memoText {
		return hashed(b)
	}
	if m.entries == nil {
		m.seed, m.entries = maphash.MakeSeed(), make([]memoEntry, memoEntries)
	}
	e := &m.entries[maphash.Bytes(m.seed, b)%memoEntries]
	if string(e.text[:e.n]) == string(b) {
		return e.sum
	}
	e.n, e.sum = uint8(copy(e.text[:], b)), hashed(b)
	return e.sum
}

// appendKeyValue and appendShownValue append what is kept of a value: different keys stay different.

func appendKeyValue(dst []byte, v *event.Value) []byte {
	if len(v.Str) > maxWindowValue {
		return appendValue(dst, event.Value{Field: v.Field, Str: clipKey(v.Str), Num: v.Num})
	}
	return appendValue(dst, *v)
}

func appendShownValue(dst []byte, v *event.Value) []byte {
	if len(v.Str) > maxWindowValue {
		return appendValue(dst, event.Value{Field: v.Field, Str: clipText(v.Str), Num: v.Num})
	}
	return appendValue(dst, *v)
}

// appendValue appends a value as windows keep it: field, then text with its length, or number.
func appendValue(dst []byte, v event.Value) []byte {
	dst = append(dst, byte(v.Field))
	if !isText(v.Field) {
		return binary.BigEndian.AppendUint64(dst, v.Num)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Str)))
	return append(dst, v.Str...)
}

// takeValue is the inverse of appendValue. The text is a slot into b.
func takeValue(b []byte) (v event.Value, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) >= event.NumFields {
		return v, nil, false
	}
	v.Field, b = event.ID(b[0]), b[1:]
	if !isText(v.Field) {
		if len(b) < 8 {
			return v, nil, false
		}
		v.Num = binary.BigEndian.Uint64(b)
		return v, b[8:], true
	}
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return v, nil, false
	}
	b = b[size:]
	v.Str = event.Slot(b[:n])
	return v, b[n:], true
}

// decodeValues decodes what appendValue wrote, with text of its own.
func decodeValues(b []byte) []event.Value {
	var vs []event.Value
	for len(b) > 0 {
		v, rest, ok := takeValue(b)
		if !ok {
			return vs
		}
		v.Str = strings.Clone(v.Str)
		vs = append(vs, v)
		b = rest
	}
	return vs
}

// clipText bounds a text for display.
func clipText(s string) string {
	if len(s) <= maxWindowValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxWindowValue-len("…")], "") + "…"
}

// clipKey bounds the text of a key value for display and keeps different keys different.
func clipKey(s string) string {
	if len(s) <= maxWindowValue {
		return s
	}
	tag := "…" + event.HashStrings(s).String()
	return strings.ToValidUTF8(s[:maxWindowValue-len(tag)], "") + tag
}

// showTable holds the show values of a rule's events, each combination once: events of an attack
// mostly agree. Reference 0 stands for no values.
type showTable struct {
	refs  map[string]uint32
	shows []shownValues
	free  []uint32
	bytes int64
}

type shownValues struct {
	data string
	uses uint32
}

// showCost is what one combination costs beside its bytes.
const showCost = 64

// intern returns the reference of encoded values and counts one use.
func (t *showTable) intern(data []byte) uint32 {
	if len(data) == 0 {
		return 0
	}
	ref, ok := t.refs[string(data)]
	if !ok {
		if t.refs == nil {
			t.refs = make(map[string]uint32)
			t.shows = make([]shownValues, 1) // 0 is taken
		}
		if n := len(t.free); n > 0 {
			ref = t.free[n-1]
			t.free = t.free[:n-1]
		} else if len(t.shows) == math.MaxUint32 {
			return 0
		} else {
			ref = uint32(len(t.shows))
			t.shows = append(t.shows, shownValues{})
		}
		s := string(data)
		t.shows[ref] = shownValues{data: s}
		t.refs[s] = ref
		t.bytes += int64(len(s)) + showCost
	}
	t.shows[ref].uses++
	return ref
}

// use counts one more use of a reference.
func (t *showTable) use(ref uint32) {
	if ref != 0 {
		t.shows[ref].uses++
	}
}

// release takes one use back.
func (t *showTable) release(ref uint32) {
	if ref == 0 {
		return
	}
	s := &t.shows[ref]
	s.uses--
	if s.uses > 0 {
		return
	}
	delete(t.refs, s.data)
	t.bytes -= int64(len(s.data)) + showCost
	*s = shownValues{}
	t.free = append(t.free, ref)
}

// get returns the encoded values of a reference.
func (t *showTable) get(ref uint32) []byte {
	if ref == 0 {
		return nil
	}
	return event.Bytes(t.shows[ref].data)
}
