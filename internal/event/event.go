// Package event holds the nouns that flow through liveward: the event and its fields, the batch a
// collector hands over, positions, signals, alerts and stored documents. Everything may import it.
//
// It imports only the standard library, reads no clock and does no input or output.
package event

import (
	"math"
	"math/bits"
	"slices"
)

// places are as many as an ID can count: what an ID indexes needs no check of bounds.
const places = 1 << 8

// presentWords is the length of the presence set.
const presentWords = places / 64

// MaxLabels bounds the labels of one event; further ones are dropped.
const MaxLabels = 16

// Label is one entry of the open labels.* part of a document.
type Label struct{ Key, Value string }

// Fold is a time written without a zone, in the hour that comes twice when clocks go back. It means two
// instants, in nanoseconds since the epoch.
type Fold struct {
	ID            ID // the field
	First, Second int64
}

// Event is one call, as typed slots. Absent is not zero: a presence set says which slots hold a
// value. Strings are slots into the batch's block or into the event's own scratch; they are valid
// until Reset. An Event belongs to one goroutine.
type Event struct {
	present [presentWords]uint64
	str     [places]string
	num     [places]uint64
	list    [places][]string

	// Labels are the open part: labels.<key>.
	Labels []Label

	// Folds are the times that mean two instants. They are no part of the document: the pipeline settles
	// which of the two it was.
	Folds []Fold

	// Former are what the pseudonyms of this event were under the former keys that still live: of one field
	// after the other, the latest key first. They are no part of the document: windows know by them whom they
	// counted before the key changed.
	Former []Value

	scratch []byte
	layouts *[layouts]layout // what its encoder has learned
}

// Reset forgets all values. Slots given out before are no longer valid.
func (e *Event) Reset() {
	e.present = [presentWords]uint64{}
	e.Labels = e.Labels[:0]
	e.Folds = e.Folds[:0]
	e.Former = e.Former[:0]
	e.scratch = e.scratch[:0]
}

// Has tells whether a field holds a value.
func (e *Event) Has(id ID) bool { return e.present[id/64]&(1<<(id%64)) != 0 }

// Clear makes a field absent.
func (e *Event) Clear(id ID) { e.present[id/64] &^= 1 << (id % 64) }

func (e *Event) mark(id ID) { e.present[id/64] |= 1 << (id % 64) }

// SetString sets a Keyword, Text or IP field. Empty means absent, as ECS has it.
func (e *Event) SetString(id ID, v string) {
	if v == "" {
		e.Clear(id)
		return
	}
	e.str[id] = v
	e.mark(id)
}

// Str returns a string field, or "" where absent.
func (e *Event) Str(id ID) string {
	if !e.Has(id) {
		return ""
	}
	return e.str[id]
}

// SetInt sets a Long field.
func (e *Event) SetInt(id ID, v int64) { e.num[id] = uint64(v); e.mark(id) }

// Int returns a Long field, or 0 where absent.
func (e *Event) Int(id ID) int64 {
	if !e.Has(id) {
		return 0
	}
	return int64(e.num[id])
}

// SetFloat sets a Double field. NaN and infinities mean absent: no rule may be blinded by them.
func (e *Event) SetFloat(id ID, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.Clear(id)
		return
	}
	e.num[id] = math.Float64bits(v)
	e.mark(id)
}

// Float returns a Double field, or 0 where absent.
func (e *Event) Float(id ID) float64 {
	if !e.Has(id) {
		return 0
	}
	return math.Float64frombits(e.num[id])
}

// SetBool sets a Bool field.
func (e *Event) SetBool(id ID, v bool) {
	e.num[id] = 0
	if v {
		e.num[id] = 1
	}
	e.mark(id)
}

// Bool returns a Bool field; absent is false.
func (e *Event) Bool(id ID) bool { return e.Has(id) && e.num[id] == 1 }

// SetTime sets a Date field to nanoseconds since the epoch, UTC.
func (e *Event) SetTime(id ID, ns int64) { e.num[id] = uint64(ns); e.mark(id) }

// SetFold sets a Date field to the first of the two instants its text means.
func (e *Event) SetFold(id ID, first, second int64) {
	e.SetTime(id, first)
	e.Folds = append(e.Folds, Fold{id, first, second})
}

// Time returns a Date field in nanoseconds since the epoch, or 0 where absent.
func (e *Event) Time(id ID) int64 { return e.Int(id) }

// Append adds a value to a Keywords field unless it is there already.
func (e *Event) Append(id ID, v string) {
	if v == "" {
		return
	}
	if !e.Has(id) {
		e.list[id] = e.list[id][:0]
		e.mark(id)
	}
	if !slices.Contains(e.list[id], v) {
		e.list[id] = append(e.list[id], v)
	}
}

// List returns a Keywords field; nil where absent. The slice must not be written to.
func (e *Event) List(id ID) []string {
	if !e.Has(id) {
		return nil
	}
	return e.list[id]
}

// SetLabel sets labels.<key>; beyond MaxLabels it does nothing and reports false.
func (e *Event) SetLabel(key, value string) bool {
	for i := range e.Labels {
		if e.Labels[i].Key == key {
			e.Labels[i].Value = value
			return true
		}
	}
	if len(e.Labels) >= MaxLabels {
		return false
	}
	e.Labels = append(e.Labels, Label{key, value})
	return true
}

// Keep copies b into the event's scratch and returns it as a slot that lives until Reset.
func (e *Event) Keep(b []byte) string {
	if len(e.scratch)+len(b) > cap(e.scratch) {
		// Slots already given out keep the old block alive; a larger one serves from here on.
		e.scratch = make([]byte, 0, max(2*cap(e.scratch), len(b), 1024))
	}
	n := len(e.scratch)
	e.scratch = append(e.scratch, b...)
	return Slot(e.scratch[n:len(e.scratch):len(e.scratch)])
}

// Set is a set of fields.
type Set [presentWords]uint64

// Add adds a field.
func (s *Set) Add(id ID) { s[id/64] |= 1 << (id % 64) }

// AppendPresent appends the fields of a set that hold a value, in order of name.
func (e *Event) AppendPresent(dst []ID, of *Set) []ID {
	for w, word := range e.present {
		for word &= of[w]; word != 0; word &= word - 1 {
			dst = append(dst, ID(w*64+bits.TrailingZeros64(word)))
		}
	}
	return dst
}

// Present calls f for every field that holds a value, in order of name.
func (e *Event) Present(f func(ID)) {
	for w, word := range e.present {
		for word != 0 {
			b := bits.TrailingZeros64(word)
			f(ID(w*64 + b))
			word &^= 1 << b
		}
	}
}
