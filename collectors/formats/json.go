package formats

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"unicode/utf8"
)

// This file is the one JSON scanner. It reads a line once, from its first byte to its last, accepts
// what encoding/json accepts as an object (but for nesting deeper than maxDepth), and leaves in slots
// the values whose paths a map asked for. A parser that differed from encoding/json would be a way
// round detection, so FuzzScanner holds the two against each other.

// maxDepth bounds nesting; the object itself is depth 1.
const maxDepth = 64

// The reasons a line is refused. They are constant: an error never holds a value of the line.
var (
	errNotObject  = errors.New("not a JSON object")
	errTruncated  = errors.New("JSON ends too early")
	errSyntax     = errors.New("JSON syntax error")
	errControl    = errors.New("control character in a JSON string")
	errEscape     = errors.New("bad escape in a JSON string")
	errNumber     = errors.New("bad JSON number")
	errTrailing   = errors.New("text after the JSON object")
	errTooDeep    = errors.New("JSON nested deeper than 64 levels")
	errNotAddress = errors.New("not an address")
)

type kind uint8

const (
	kindNone kind = iota
	kindString
	kindNumber
	kindTrue
	kindFalse
	kindNull
	kindObject
	kindArray
)

// slot is a value the map asked for: a span of the line. For strings the quotes are left out.
type slot struct {
	start, end uint32
	kind       kind
	escaped    bool // the span has escapes
	high       bool // the span has bytes beyond ASCII, not yet known to be UTF-8
}

// node is a place in the tree of paths a map asks for. Nodes never change after compilation.
type node struct {
	slot   int // slot of the value at this path, -1 if only its parts are wanted
	lo, hi int // slots of this path and everything below it
	keys   keyTable
	items  []itemNode // elements of an array that are wanted
	last   *node      // the array's last element
}

type itemNode struct {
	index int
	node  *node
}

func (n *node) item(index int) *node {
	for i := range n.items {
		if n.items[i].index == index {
			return n.items[i].node
		}
	}
	return nil
}

// scanner holds the state of one scan. It is used again for each line.
type scanner struct {
	src    []byte
	slots  []slot
	set    []uint64 // which slots are set
	keyBuf []byte
	found  findings
	mute   bool // the span was inspected before
}

// findings counts what unmapped values looked like. The values themselves are not kept.
type findings struct {
	image, base64, template, secret int
}

func newScanner(slots int) scanner {
	return scanner{slots: make([]slot, slots), set: make([]uint64, (slots+63)/64)}
}

// scan reads one object into the slots of root's tree.
func (s *scanner) scan(line []byte, root *node) error {
	s.src, s.found, s.mute = line, findings{}, false
	clear(s.set)
	i := s.space(0)
	if i == len(line) || line[i] != '{' {
		return errNotObject
	}
	i, err := s.object(i+1, root, 1)
	if err != nil {
		return err
	}
	if s.space(i) != len(line) {
		return errTrailing
	}
	return nil
}

// get returns a slot's value; kindNone where the line had none.
func (s *scanner) get(i int) slot {
	if s.set[i/64]&(1<<(i%64)) == 0 {
		return slot{}
	}
	return s.slots[i]
}

func (s *scanner) put(i int, v slot) {
	s.slots[i] = v
	s.set[i/64] |= 1 << (i % 64)
}

// forget clears the slots of a subtree: of a key that stands twice in an object the last one counts,
// with all that is below it.
func (s *scanner) forget(n *node) {
	for i := n.lo; i < n.hi; {
		w, b := i/64, i%64
		span := min(64-b, n.hi-i)
		s.set[w] &^= (^uint64(0) >> (64 - span)) << b
		i += span
	}
}

func (s *scanner) space(i int) int {
	for i < len(s.src) {
		switch s.src[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// object reads the members after '{' and returns the index after '}'.
func (s *scanner) object(i int, n *node, depth int) (int, error) {
	if depth > maxDepth {
		return i, errTooDeep
	}
	src := s.src
	i = s.space(i)
	if i < len(src) && src[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(src) {
			return i, errTruncated
		}
		if src[i] != '"' {
			return i, errSyntax
		}
		start := i + 1
		end, escaped, high, err := s.str(start)
		if err != nil {
			return i, err
		}
		key := src[start:end]
		if escaped || high && !utf8.Valid(key) {
			s.keyBuf = unescape(s.keyBuf[:0], key)
			key = s.keyBuf
		}
		var child *node
		if n != nil {
			child = n.keys.find(key)
		}
		secret := child == nil && !s.mute && secretName(key)
		i = end + 1
		if i < len(src) && src[i] != ':' {
			i = s.space(i)
		}
		if i >= len(src) {
			return i, errTruncated
		}
		if src[i] != ':' {
			return i, errSyntax
		}
		i++
		if i < len(src) && src[i] <= ' ' {
			i = s.space(i)
		}
		valueStart := i
		if i, err = s.value(i, child, depth); err != nil {
			return i, err
		}
		if secret && secretValue(src[valueStart:i]) {
			s.found.secret++
		}
		if i < len(src) && src[i] <= ' ' {
			i = s.space(i)
		}
		if i >= len(src) {
			return i, errTruncated
		}
		switch src[i] {
		case ',':
			i++
			if i < len(src) && src[i] <= ' ' {
				i = s.space(i)
			}
		case '}':
			return i + 1, nil
		default:
			return i, errSyntax
		}
	}
}

// value reads one value and returns the index after it. n is nil where no map asks for it.
func (s *scanner) value(i int, n *node, depth int) (int, error) {
	src := s.src
	if i >= len(src) {
		return i, errTruncated
	}
	if n != nil {
		s.forget(n)
	}
	wanted := n != nil && n.slot >= 0
	switch c := src[i]; c {
	case '"':
		end, escaped, high, err := s.str(i + 1)
		if err != nil {
			return i, err
		}
		if wanted {
			s.put(n.slot, slot{uint32(i + 1), uint32(end), kindString, escaped, high})
		} else if end-i > minInspect && !s.mute {
			s.found.inspect(src[i+1 : end])
		}
		return end + 1, nil
	case '{':
		end, err := s.object(i+1, n, depth+1)
		if err == nil && wanted {
			s.put(n.slot, slot{start: uint32(i), end: uint32(end), kind: kindObject})
		}
		return end, err
	case '[':
		end, err := s.array(i+1, n, depth+1)
		if err == nil && wanted {
			s.put(n.slot, slot{start: uint32(i), end: uint32(end), kind: kindArray})
		}
		return end, err
	case 't':
		return s.literal(i, "true", kindTrue, n)
	case 'f':
		return s.literal(i, "false", kindFalse, n)
	case 'n':
		return s.literal(i, "null", kindNull, n)
	default:
		end, err := s.number(i)
		if err == nil && wanted {
			s.put(n.slot, slot{start: uint32(i), end: uint32(end), kind: kindNumber})
		}
		return end, err
	}
}

// array reads the elements after '[' and returns the index after ']'.
func (s *scanner) array(i int, n *node, depth int) (int, error) {
	if depth > maxDepth {
		return i, errTooDeep
	}
	src := s.src
	i = s.space(i)
	if i < len(src) && src[i] == ']' {
		return i + 1, nil
	}
	leaf := n != nil && n.slot >= 0 && len(n.items) == 0 && n.last == nil
	muted := s.mute
	// The strings of an array that is itself asked for are not unmapped.
	s.mute = muted || leaf
	defer func() { s.mute = muted }()
	numbers, index, lastStart := 0, 0, i
	for {
		if i >= len(src) {
			return i, errTruncated
		}
		var child *node
		if n != nil {
			child = n.item(index)
		}
		lastStart = i
		if c := src[i]; c == '-' || '0' <= c && c <= '9' {
			numbers++
		}
		var err error
		if i, err = s.value(i, child, depth); err != nil {
			return i, err
		}
		index++
		i = s.space(i)
		if i >= len(src) {
			return i, errTruncated
		}
		if src[i] == ']' {
			break
		}
		if src[i] != ',' {
			return i, errSyntax
		}
		i = s.space(i + 1)
	}
	if numbers >= minTemplate && !s.mute {
		s.found.template++
	}
	if n != nil && n.last != nil {
		s.mute = true // read before, as element `index`
		if _, err := s.value(lastStart, n.last, depth); err != nil {
			return i, err
		}
	}
	return i + 1, nil
}

func (s *scanner) literal(i int, word string, k kind, n *node) (int, error) {
	end := i + len(word)
	if end > len(s.src) {
		return i, errTruncated
	}
	if string(s.src[i:end]) != word {
		return i, errSyntax
	}
	if n != nil && n.slot >= 0 {
		s.put(n.slot, slot{start: uint32(i), end: uint32(end), kind: k})
	}
	return end, nil
}

// number reads a number by JSON's grammar and returns the index after it.
func (s *scanner) number(i int) (int, error) {
	src := s.src
	if i < len(src) && src[i] == '-' {
		i++
	}
	switch {
	case i >= len(src):
		return i, errTruncated
	case src[i] == '0':
		i++
	case '1' <= src[i] && src[i] <= '9':
		i = digits(src, i)
	default:
		return i, errSyntax
	}
	if i < len(src) && src[i] == '.' {
		from := i + 1
		if i = digits(src, from); i == from {
			return i, errNumber
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		from := i
		if i = digits(src, from); i == from {
			return i, errNumber
		}
	}
	return i, nil
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the top bit of each byte, the bytes that end a plain stretch of a string: quote,
// backslash, control characters and bytes beyond ASCII. The lowest mark is always right; marks above
// it need not be.
func special(w uint64) uint64 {
	quote := w ^ (ones * '"')
	slash := w ^ (ones * '\\')
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w | w) & highs
}

// str reads a string whose first byte is at i and returns the index of the closing quote.
func (s *scanner) str(i int) (end int, escaped, high bool, err error) {
	src := s.src
	for {
		for i+8 <= len(src) {
			m := special(binary.LittleEndian.Uint64(src[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i >= len(src) {
			return i, escaped, high, errTruncated
		}
		switch c := src[i]; {
		case c == '"':
			return i, escaped, high, nil
		case c == '\\':
			escaped = true
			if i, err = s.escape(i + 1); err != nil {
				return i, escaped, high, err
			}
		case c < 0x20:
			return i, escaped, high, errControl
		case c >= utf8.RuneSelf:
			high = true
			i++
		default:
			i++
		}
	}
}

// escape checks the escape whose letter is at i and returns the index after it.
func (s *scanner) escape(i int) (int, error) {
	if i >= len(s.src) {
		return i, errTruncated
	}
	switch s.src[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, nil
	case 'u':
		if i+5 > len(s.src) {
			return i, errTruncated
		}
		if hex4(s.src[i+1:]) < 0 {
			return i, errEscape
		}
		return i + 5, nil
	}
	return i, errEscape
}
