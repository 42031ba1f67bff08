package formats

import (
	"errors"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
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
	marks  []mark
	keyBuf []byte
	found  findings
	mute   bool // the span was inspected before
	seen   *members
}

// mark says of 64 slots which are set, and which of them have a value that says something: no null,
// no object, and neither of the texts that absent knows.
type mark struct{ set, full uint64 }

// findings counts what unmapped values looked like. The values themselves are not kept.
type findings struct {
	image, base64, template, secret int
}

func newScanner(slots int) scanner {
	return scanner{slots: make([]slot, slots), marks: make([]mark, (slots+63)/64), seen: newMembers()}
}

// scan reads one object into the slots of root's tree.
func (s *scanner) scan(line []byte, root *node) error {
	s.src, s.found, s.mute = line, findings{}, false
	s.seen.quota = min(s.seen.quota+perLine, maxMembers)
	clear(s.marks)
	i := s.space(0)
	if i == len(line) || line[i] != '{' {
		return errNotObject
	}
	i, err := s.object(i+1, root, 1, 0)
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
	if !isSet(s.marks, i) {
		return slot{}
	}
	return s.slots[i]
}

// put sets a slot. It writes the parts where they belong: a slot made first and then copied waits for
// its parts, which took a third of a scan.
func (s *scanner) put(i uint, start, end int, k kind, escaped, high, full bool) {
	v := &s.slots[i]
	v.start, v.end, v.kind, v.escaped, v.high = uint32(start), uint32(end), k, escaped, high
	var one uint64
	if full {
		one = 1
	}
	m := &s.marks[i/64]
	m.set |= 1 << (i % 64)
	m.full = m.full&^(1<<(i%64)) | one<<(i%64)
}

// forget clears the slots of a subtree: of a key that stands twice in an object the last one counts,
// with all that is below it.
func (s *scanner) forget(n *node) {
	for i := n.lo; i < n.hi; {
		w, b := i/64, i%64
		span := min(64-b, n.hi-i)
		bits := ^uint64(0) >> (64 - span) << b
		s.marks[w].set &^= bits
		s.marks[w].full &^= bits
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

// object reads the members after '{' and returns the index after '}'. The object is the value of the
// remembered member of, or a part of it.
func (s *scanner) object(i int, n *node, depth int, of uint8) (int, error) {
	if depth > maxDepth {
		return i, errTooDeep
	}
	src, seen := s.src, s.seen
	list := &seen.inner[of]
	for first := true; ; first = false {
		x := list[0] // nearly always right
		if m := &seen.all[x]; len(src)-i < maxLiteral+8 || m.in != n || m.opens != first || m.length > 24 ||
			!m.stands((*[maxLiteral + 8]byte)(src[i:])) {
			x = seen.follow(list, src, i, n, first)
		}
		if x != 0 {
			i += int(seen.all[x].length)
		} else {
			var end bool
			var err error
			if x, i, end, err = s.member(list, i, n, first); err != nil || end {
				return i, err
			}
		}
		m := &seen.all[x]
		list = &m.next
		switch {
		case !m.text:
			if end := whole(src, i); end > 0 && m.leaf >= 0 {
				s.put(uint(m.leaf), i, end, kindNumber, false, false, true)
				i = end
				break
			}
			var err error
			if i, err = s.other(i, depth, x); err != nil {
				return i, err
			}
		default:
			start := i
			var escaped, high, quote bool
			if i, quote = event.SkipPlain(src, i); !quote {
				var err error
				if i, escaped, high, err = s.str(i); err != nil {
					return i, err
				}
			}
			switch {
			case m.leaf >= 0:
				s.put(uint(m.leaf), start, i, kindString, escaped, high, i-start > 1 || i > start && src[start] != '-')
			case m.child != nil:
				s.putText(m.child, start, i, escaped, high)
			case !s.mute:
				if i-start >= minInspect {
					s.found.inspect(src[start:i])
				}
				if m.secret && secretValue(src[start-1:i+1]) {
					s.found.secret++
				}
			}
			i++
		}
		if i < len(src) && src[i] == '}' {
			return i + 1, nil
		}
	}
}

// member reads what stands before a member's value and learns it. end says that the object ended.
func (s *scanner) member(list *[4]uint8, from int, n *node, first bool) (x uint8, i int, end bool, err error) {
	key, i, err := s.key(from, first)
	if err != nil || key == nil {
		return 0, i, true, err
	}
	var child *node
	if n != nil {
		child = n.keys.find(key)
	}
	if i < len(s.src) && s.src[i] == '"' {
		i++
	}
	return s.seen.learn(list, s.src[from:i], n, child, first, child == nil && secretName(key)), i, false, nil
}

// other reads the value of member x if it is no string.
func (s *scanner) other(i, depth int, x uint8) (int, error) {
	if i < len(s.src) && s.src[i] <= ' ' {
		i = s.space(i)
	}
	m := &s.seen.all[x]
	start, secret := i, m.secret
	i, err := s.value(i, m.child, depth, x) // what it learns may take the place of m
	if err == nil && secret && !s.mute && secretValue(s.src[start:i]) {
		s.found.secret++
	}
	return i, err
}

// key reads what stands before a member's value: a comma unless the member is the first, the key and
// the colon. It returns the key and the index of the value, or nil and the index after '}' where the
// object ends.
func (s *scanner) key(i int, first bool) (key []byte, next int, err error) {
	src := s.src
	if i = s.space(i); i >= len(src) {
		return nil, i, errTruncated
	}
	if src[i] == '}' {
		return nil, i + 1, nil
	}
	if !first {
		if src[i] != ',' {
			return nil, i, errSyntax
		}
		if i = s.space(i + 1); i >= len(src) {
			return nil, i, errTruncated
		}
	}
	if src[i] != '"' {
		return nil, i, errSyntax
	}
	start := i + 1
	end, escaped, high, err := s.str(start)
	if err != nil {
		return nil, i, err
	}
	key = src[start:end:end]
	if escaped || high && !utf8.Valid(key) {
		s.keyBuf = append(unescape(s.keyBuf[:0], key), 0)
		key = s.keyBuf[:len(s.keyBuf)-1]
	}
	if i = s.space(end + 1); i >= len(src) {
		return nil, i, errTruncated
	}
	if src[i] != ':' {
		return nil, i, errSyntax
	}
	return key, s.space(i + 1), nil
}

// putText sets the slot of a node whose value is a string.
func (s *scanner) putText(n *node, start, end int, escaped, high bool) {
	if n.slot < 0 || n.hi != n.lo+1 {
		s.forget(n)
		if n.slot < 0 {
			if end-start >= minInspect && !s.mute {
				s.found.inspect(s.src[start:end])
			}
			return
		}
	}
	full := end-start > 1 || end > start && s.src[start] != '-'
	s.put(uint(n.slot), start, end, kindString, escaped, high, full)
}

// value reads one value and returns the index after it. n is nil where no map asks for it.
func (s *scanner) value(i int, n *node, depth int, of uint8) (int, error) {
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
		if n != nil {
			s.putText(n, i+1, end, escaped, high)
		} else if end-i > minInspect && !s.mute {
			s.found.inspect(src[i+1 : end])
		}
		return end + 1, nil
	case '{':
		end, err := s.object(i+1, n, depth+1, of)
		if err == nil && wanted {
			s.put(uint(n.slot), i, end, kindObject, false, false, false)
		}
		return end, err
	case '[':
		end, err := s.array(i+1, n, depth+1, of)
		if err == nil && wanted {
			s.put(uint(n.slot), i, end, kindArray, false, false, true)
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
			s.put(uint(n.slot), i, end, kindNumber, false, false, true)
		}
		return end, err
	}
}

// array reads the elements after '[' and returns the index after ']'.
func (s *scanner) array(i int, n *node, depth int, of uint8) (int, error) {
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
		if i, err = s.value(i, child, depth, of); err != nil {
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
		if _, err := s.value(lastStart, n.last, depth, of); err != nil {
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
		s.put(uint(n.slot), i, end, k, false, false, k != kindNull)
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

// whole returns the index after a whole number that ends with its member, else 0.
func whole(src []byte, i int) int {
	if i >= len(src) || src[i] < '1' || src[i] > '9' {
		return 0
	}
	if i = digits(src, i); i < len(src) && (src[i] == ',' || src[i] == '}') {
		return i
	}
	return 0
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
