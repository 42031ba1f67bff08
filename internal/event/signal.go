package event

import (
	"math"
	"net/netip"
	"strconv"
)

// Value is a typed value of a field, as windows and alerts keep it.
type Value struct {
	Field ID
	Str   string // Keyword, Text and IP
	Num   uint64 // Date and Long as they are, Double as its bits, Bool as 0 or 1
}

// ValueOf takes a field's value from an event; ok is false where it is absent or a list.
// The string is the event's slot: clone it before the event is reset.
func (e *Event) ValueOf(id ID) (v Value, ok bool) {
	if !e.Has(id) || fields[id].Type == Keywords {
		return Value{}, false
	}
	switch fields[id].Type {
	case Keyword, Text, IP:
		return Value{Field: id, Str: e.str[id]}, true
	default:
		return Value{Field: id, Num: e.num[id]}, true
	}
}

// AppendText appends the value as people read it.
func (v Value) AppendText(dst []byte) []byte {
	switch fields[v.Field].Type {
	case Long:
		return strconv.AppendInt(dst, int64(v.Num), 10)
	case Double:
		return strconv.AppendFloat(dst, math.Float64frombits(v.Num), 'g', -1, 64)
	case Bool:
		return strconv.AppendBool(dst, v.Num == 1)
	case Date:
		return AppendTime(dst, int64(v.Num))
	default:
		return append(dst, v.Str...)
	}
}

// String is the value as people read it.
func (v Value) String() string { return string(v.AppendText(nil)) }

// AppendJSON appends the value as JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch fields[v.Field].Type {
	case Long, Double, Bool:
		return v.AppendText(dst)
	case Date:
		dst = append(dst, '"')
		dst = AppendTime(dst, int64(v.Num))
		return append(dst, '"')
	default:
		return AppendJSONString(dst, v.Str)
	}
}

// CanonicalIP returns the one text form of an address: IPv4 dotted even where it came mapped into
// IPv6, no zone. ok is false for anything that is not an address. It allocates only where s is not
// canonical already.
func CanonicalIP(s string) (string, bool) {
	if _, ok := ParseIPv4(s); ok {
		return s, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", false
	}
	a = a.Unmap().WithZone("")
	var buf [48]byte
	if string(a.AppendTo(buf[:0])) == s {
		return s, true
	}
	return a.String(), true
}

// Order is an event's place in the total order of all events: (time, source, ordinal, offset,
// index). Windows release events in this order.
type Order struct {
	Time    int64     // window time, nanoseconds
	Source  SourceKey // tailed path
	Ordinal uint64    // file at that path
	Offset  int64     // line in that file
	Index   int32     // event within the line's envelope
}

// Signal says that an event matched a rule. It carries all that windows and alerts need, because
// those never parse an event.
type Signal struct {
	// State is the state key of the rule's logic: rules whose logic is the same share it over
	// reloads. CONTRACT: hash of kind, when, except, once, by, window, parameters and lists used.
	State Hash
	// Event is the event's id.
	Event Hash
	// Time is the window time in nanoseconds: the event's, or the ingest time where it is skewed.
	Time int64
	// File is the index of the event's file in the positions of its batch; with Offset and Index it
	// gives the event's place in the total order.
	File   int
	Offset int64
	Index  int32
	// Late events are seen by per-event rules only.
	Late bool
	// Skewed events stood in the future of the ingest time.
	Skewed bool
	// Drill marks an event of a drill (labels.drill).
	Drill bool
	// Step is the number of the sequence step that matched, from 1, or 128 more where the event resets
	// the step; or 1 for a hit of a ratio.
	Step uint8
	// Key holds the values of the rule's by fields, in the rule's order.
	Key []Value
	// Of holds the values of distinct.of or first_seen.of.
	Of []Value
	// Former holds what the pseudonyms in Key and Of were under former keys, as Event.Former does.
	Former []Value
	// Show holds at most 8 values of the rule's show fields, for title, top and evidence.
	Show []Value
}

// MaxShow bounds Signal.Show.
const MaxShow = 8

// SignalBuffer collects the signals of one batch without an allocation per signal: their value
// slices are cut from one block, their strings copied into another.
type SignalBuffer struct {
	Signals []Signal
	values  []Value
	text    []byte
}

// Reset forgets all signals.
func (b *SignalBuffer) Reset() {
	b.Signals = b.Signals[:0]
	b.values = b.values[:0]
	b.text = b.text[:0]
}

// Mark returns the place at which the next value will stand.
func (b *SignalBuffer) Mark() int { return len(b.values) }

// Add copies a value, with its string, into the buffer.
func (b *SignalBuffer) Add(v Value) {
	if v.Str != "" {
		if len(b.text)+len(v.Str) > cap(b.text) {
			b.text = make([]byte, 0, max(2*cap(b.text), len(v.Str), 4096))
		}
		n := len(b.text)
		b.text = append(b.text, v.Str...)
		v.Str = Slot(b.text[n:len(b.text):len(b.text)])
	}
	b.values = append(b.values, v)
}

// Since returns the values added since the mark.
func (b *SignalBuffer) Since(mark int) []Value { return b.values[mark:len(b.values):len(b.values)] }
