package event

import (
	"strconv"
	"unicode/utf8"
)

// reader reads a document as AppendJSON writes it: in one pass, straight into the slots. What AppendJSON
// writes rarely (escapes, labels) or never (names with dots, other types) it leaves to encoding/json.
type reader struct {
	e   *Event
	doc []byte
	at  int
}

// branch is a part of a field's name, with the parts that can follow, in the order in which AppendJSON
// writes them.
type branch struct {
	key  string // the part as a key: "part":
	next []*branch
	id   ID
	leaf bool
}

// find returns the branch whose key doc begins with, and where it is; nil for none. It is mostly that from or
// one of those behind it.
func (b *branch) find(doc []byte, from int) (next *branch, at int) {
	for i := from; i < len(b.next); i++ {
		if n := b.next[i]; len(n.key) <= len(doc) && string(doc[:len(n.key)]) == n.key {
			return n, i
		}
	}
	if from > 0 { // AppendJSON did not write this
		return b.find(doc, 0)
	}
	return nil, 0
}

//nolint:gochecknoglobals // constant after start
var names = makeNames()

func makeNames() *branch {
	root := new(branch)
	for _, id := range Fields() {
		b := root
		for _, part := range plans[id].path {
			key := `"` + part + `":`
			next, _ := b.find([]byte(key), 0)
			if next == nil {
				next = &branch{key: key}
				b.next = append(b.next, next)
			}
			b = next
		}
		b.id, b.leaf = id, true
	}
	return root
}

// read tells whether the whole document was read.
func (r *reader) read() bool { return r.object(names) && r.at == len(r.doc) }

// is passes a byte over.
func (r *reader) is(c byte) bool {
	if r.at < len(r.doc) && r.doc[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) object(b *branch) bool {
	if !r.is('{') {
		return false
	}
	if r.is('}') {
		return true
	}
	for i := 0; ; i++ {
		var next *branch
		if next, i = b.find(r.doc[r.at:], i); next == nil {
			return false
		}
		if r.at += len(next.key); !r.value(next) {
			return false
		}
		if r.is('}') {
			return true
		}
		if !r.is(',') {
			return false
		}
	}
}

// text reads a string without escapes.
func (r *reader) text() ([]byte, bool) {
	if !r.is('"') {
		return nil, false
	}
	start, doc := r.at, r.doc
	i, quote := SkipPlain(doc, start)
	high := byte(0)
	for ; !quote; i++ {
		if i >= len(doc) {
			return nil, false
		}
		c := doc[i]
		if quote = c == '"'; quote {
			break
		}
		if c == '\\' || c < 0x20 {
			return nil, false
		}
		high |= c
	}
	r.at = i + 1
	s := doc[start:i]
	return s, high < utf8.RuneSelf || utf8.Valid(s)
}

func (r *reader) value(b *branch) bool {
	if !b.leaf {
		return r.object(b)
	}
	switch fields[b.id].Type {
	case Keyword, Text, IP:
		s, ok := r.text()
		if ok {
			r.e.SetString(b.id, r.e.Keep(s))
		}
		return ok
	case Date:
		s, ok := r.text()
		if !ok {
			return false
		}
		ns, err := ParseTime(Slot(s))
		r.e.SetTime(b.id, ns)
		return err == nil
	case Long:
		n, err := strconv.ParseInt(Slot(r.number()), 10, 64)
		r.e.SetInt(b.id, n)
		return err == nil
	case Double:
		f, err := strconv.ParseFloat(Slot(r.number()), 64)
		r.e.SetFloat(b.id, f)
		return err == nil
	case Bool:
		return r.truth(b.id)
	case Keywords:
		return r.list(b.id)
	}
	return false
}

// number reads a number of JSON; none where there is none.
func (r *reader) number() []byte {
	start := r.at
	r.is('-')
	if !r.is('0') && !r.digits() {
		return nil
	}
	if r.is('.') && !r.digits() {
		return nil
	}
	if r.is('e') || r.is('E') {
		if !r.is('-') {
			r.is('+')
		}
		if !r.digits() {
			return nil
		}
	}
	return r.doc[start:r.at]
}

// digits passes digits over, one at least.
func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.doc) && r.doc[r.at] >= '0' && r.doc[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

func (r *reader) truth(id ID) bool {
	for _, word := range [...]string{"true", "false"} {
		if rest := r.doc[r.at:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			r.at += len(word)
			r.e.SetBool(id, word == "true")
			return true
		}
	}
	return false
}

func (r *reader) list(id ID) bool {
	if !r.is('[') {
		return false
	}
	if r.is(']') {
		return true
	}
	for {
		s, ok := r.text()
		if !ok {
			return false
		}
		r.e.Append(id, r.e.Keep(s))
		if r.is(']') {
			return true
		}
		if !r.is(',') {
			return false
		}
	}
}
