package formats

import (
	"math"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// This file turns a raw value into fields of an event. Maps and native parsers share it, so that a
// path, an address or a TLS version means the same whatever the gateway calls it. Each function
// reports whether it set its field; a value that does not fit leaves the field absent.

// maxValue bounds a string that is kept. Longer ones are dropped and counted.
const maxValue = 8 << 10

// absent tells whether a value is a gateway's way of writing nothing.
func absent(s string) bool { return s == "" || s == "-" }

// setText sets a string field, within maxValue.
func setText(ev *event.Event, id event.ID, s string) bool {
	if absent(s) {
		return false
	}
	if len(s) > maxValue {
		oversize(ev, id, s)
		return false
	}
	if event.FieldOf(id).Type == event.Keywords {
		ev.Append(id, s)
	} else {
		ev.SetString(id, s)
	}
	return true
}

func oversize(ev *event.Event, id event.ID, s string) {
	ev.Clear(id)
	ev.Append(event.LivewardPrivacyDropped, droppedOversize)
	ev.SetInt(event.LivewardPrivacyCount, ev.Int(event.LivewardPrivacyCount)+1)
	var f findings
	f.inspect(event.Bytes(s))
	f.note(ev)
}

// setCase sets a string field in lower or upper case, copying only where a letter changes.
func setCase(ev *event.Event, id event.ID, s string, from, to byte) bool {
	if absent(s) || len(s) > maxValue {
		return setText(ev, id, s)
	}
	for i := range len(s) {
		if c := s[i]; from <= c && c <= from+25 {
			kept := ev.Keep(event.Bytes(s))
			b := event.Bytes(kept) // the scratch is the event's own, and the slot is not yet given out
			for j := i; j < len(b); j++ {
				if from <= b[j] && b[j] <= from+25 {
					b[j] = b[j] - from + to
				}
			}
			return setText(ev, id, kept)
		}
	}
	return setText(ev, id, s)
}

// setEnum sets a field to the one of its own words that equals the value without regard to case.
func setEnum(ev *event.Event, id event.ID, s string) bool {
	for _, word := range event.FieldOf(id).Enum {
		if strings.EqualFold(s, word) {
			return setText(ev, id, word)
		}
	}
	return false
}

func setInt(ev *event.Event, id event.ID, s string) bool {
	n, ok := parseInt(s)
	if ok {
		ev.SetInt(id, n)
	}
	return ok
}

// parseInt reads a whole number, also where it is written as 200.0 or 2e2.
func parseInt(s string) (int64, bool) {
	if n, ok := shortInt(s); ok {
		return n, true
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, ok := parseFloat(s)
	if !ok || f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// shortInt reads what most whole numbers are: at most 18 digits and nothing else.
func shortInt(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

func setFloat(ev *event.Event, id event.ID, s string, scale float64) bool {
	f, ok := parseFloat(s)
	if ok {
		ev.SetFloat(id, f*scale)
	}
	return ok && ev.Has(id)
}

// parseFloat accepts decimal numbers only: the words and hexadecimal forms that strconv knows are no
// numbers in a gateway's log.
func parseFloat(s string) (float64, bool) {
	if len(s) == 0 || len(s) > 64 {
		return 0, false
	}
	if f, ok := shortFloat(s); ok {
		return f, true
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// shortFloat reads digits with a dot among them, 15 at most. Both the digits and the power of ten are
// then exact, so that the one division rounds as strconv would.
func shortFloat(s string) (float64, bool) {
	if len(s) == 0 || len(s) > 16 {
		return 0, false
	}
	var digits int64
	dot := -1
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			if s[i] != '.' || dot >= 0 || i == 0 {
				return 0, false
			}
			dot = i
			continue
		}
		digits = digits*10 + int64(d)
	}
	switch {
	case dot < 0:
		return float64(digits), len(s) <= 15
	case dot == len(s)-1:
		return 0, false
	}
	return float64(digits) / tens[len(s)-1-dot], true
}

//nolint:gochecknoglobals // constant; Go has no constant arrays
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

func setBool(ev *event.Event, id event.ID, s string) bool {
	switch s {
	case "true":
		ev.SetBool(id, true)
		return true
	case "false":
		ev.SetBool(id, false)
		return true
	}
	switch {
	case s == "1", strings.EqualFold(s, "true"), strings.EqualFold(s, "yes"), strings.EqualFold(s, "on"):
		ev.SetBool(id, true)
	case s == "0", strings.EqualFold(s, "false"), strings.EqualFold(s, "no"), strings.EqualFold(s, "off"):
		ev.SetBool(id, false)
	default:
		return false
	}
	return true
}

// setDuration sets a field in nanoseconds from a number of units; negative means not measured.
func setDuration(ev *event.Event, id event.ID, s string, unit int64) bool {
	n, ok := scaleDecimal(s, unit)
	if !ok || n < 0 {
		return false
	}
	ev.SetInt(id, n)
	return true
}
