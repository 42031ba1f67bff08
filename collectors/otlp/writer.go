package otlp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/collectors/push"
)

const (
	deepest   = 32       // of maps and lists in one another
	widest    = 1024     // members of a record's object
	chunkSize = 64 << 10 // of the memory that lines are copied to
)

var (
	errDeep = errors.New("nested too deeply")
	errLong = errors.New("longer than a line may be")
	errBad  = errors.New("not a value")
)

// writer makes lines of records. The object of a record is written to a buffer first, so that a line
// takes no more memory than it has bytes.
type writer struct {
	to    *push.Lines
	buf   []byte
	paid  int // bytes of the buffer that are borrowed
	chunk []byte
	keys  map[string]struct{} // of the object that is written
	wide  bool                // it has more than may be
}

// text adds a record whose body is a text.
func (w *writer) text(b []byte) error {
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 {
		w.to.Reject()
		return nil
	}
	return w.to.Value(b)
}

// begin begins the object of a record.
func (w *writer) begin() {
	w.buf = append(w.buf[:0], '{')
	if w.keys == nil {
		w.keys = make(map[string]struct{})
	}
	clear(w.keys)
	w.wide = false
}

// key begins a member of the record's object, and tells whether it is a new one. The name is a part of
// JSON in quotes.
func (w *writer) key(quoted []byte) bool {
	if _, ok := w.keys[string(quoted)]; ok {
		return false
	}
	if len(w.keys) == widest {
		w.wide = true
		return false
	}
	w.keys[string(quoted)] = struct{}{}
	if len(w.buf) > 1 {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, quoted...)
	w.buf = append(w.buf, ':')
	return true
}

// end adds what stands outside of body and attributes, and hands the line over. An error of the values
// is the record's: it is left out, or cut.
func (w *writer) end(err error, at uint64, trace []byte) error {
	switch {
	case w.wide, errors.Is(err, errDeep), errors.Is(err, errBad), err == nil && len(w.buf) == 1:
		w.to.Reject()
		return nil
	case err == nil:
		if at > 0 && at < 1<<63 && w.key([]byte(`"@timestamp"`)) {
			w.buf = append(w.buf, '"')
			w.buf = time.Unix(0, int64(at)).UTC().AppendFormat(w.buf, time.RFC3339Nano)
			w.buf = append(w.buf, '"')
		}
		if len(trace) == 16 && w.key([]byte(`"trace.id"`)) {
			w.buf = append(w.buf, '"')
			w.buf = hex.AppendEncode(w.buf, trace)
			w.buf = append(w.buf, '"')
		}
		w.buf = append(w.buf, '}')
	case !errors.Is(err, errLong):
		return err
	}
	if len(w.buf) > w.paid+chunkSize { // what is small is in what a request costs anyhow
		if err := w.to.Take(int64(cap(w.buf) - w.paid)); err != nil {
			return err
		}
		w.paid = cap(w.buf)
	}
	// A line that is cut needs no more than tells that it is longer.
	return w.add(w.buf[:min(len(w.buf), w.to.MaxLine()+1)])
}

// add hands over a copy of a line.
func (w *writer) add(line []byte) error {
	if err := w.to.Take(int64(len(line))); err != nil {
		return err
	}
	if len(w.chunk)+len(line) > cap(w.chunk) {
		w.chunk = make([]byte, 0, max(chunkSize, len(line)))
	}
	n := len(w.chunk)
	w.chunk = append(w.chunk, line...)
	return w.to.Add(w.chunk[n:len(w.chunk):len(w.chunk)])
}

// full tells that the line is long enough to be cut.
func (w *writer) full() bool { return len(w.buf) > w.to.MaxLine() }

// raw appends a part of JSON.
func (w *writer) raw(b []byte) error {
	w.buf = append(w.buf, b[:min(len(b), w.to.MaxLine()+1)]...)
	if w.full() {
		return errLong
	}
	return nil
}

// str appends a string.
func (w *writer) str(s []byte) error {
	w.buf = appendString(w.buf, s[:min(len(s), w.to.MaxLine()+1)])
	if w.full() {
		return errLong
	}
	return nil
}

func (w *writer) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) { // JSON has no word for them
		w.buf = append(w.buf, "null"...)
		return
	}
	w.buf = strconv.AppendFloat(w.buf, f, 'g', -1, 64)
}

// appendString appends a string of JSON. What is no UTF-8 becomes U+FFFD.
func appendString(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRune(s)
			dst = utf8.AppendRune(dst, r)
			s = s[n:]
			continue
		}
		s = s[1:]
	}
	return append(dst, '"')
}
