package formats

import "encoding/binary"

// This file is what makes the scanner fast: the lines of one log repeat their keys, in nearly the same
// order. The bytes from the end of one value to the beginning of the next are remembered with what
// they mean, and which such bytes followed which. Where a line goes on as a line before it did, one
// comparison stands for reading a comma, a key and a colon and for looking up the key.
//
// It cannot change what is accepted or found. What such bytes mean depends on them and on the object's
// node alone, both are compared in full, and everything else goes the way of the first line. What
// followed what is a hint: a wrong one costs a comparison. Values are never skipped: each is read by
// the grammar. So memory is bounded whatever the log holds: the oldest member makes room for a new one.

const (
	maxMembers = 256 // as many as a uint8 counts
	maxLiteral = 64  // longer ones, of keys or of white space, are read anew each time
	perLine    = 8   // what may be learned grows by so much a line: one whose keys are never the same costs little more
)

// member is a remembered beginning of an object's member: its bytes from after '{' or after the value
// before it, up to its value, with the quote if the value is a string.
type member struct {
	first, second, last uint64 // bytes 0–7, 8–15 and the last eight
	mask                uint64 // which bytes of first there are
	in                  *node  // the object's node
	child               *node  // the value's node, nil if it is unmapped
	leaf                int32  // its slot if nothing is below it, else -1
	next                [4]uint8
	length              uint8
	from                uint8 // where the last eight begin
	opens               bool  // it stands after '{', so there is no comma in it
	text                bool  // the value is a string
	secret              bool  // the key is unmapped and names a credential
}

// members is the memory of one scanner.
type members struct {
	all   [maxMembers]member
	inner [maxMembers][4]uint8 // which member an object that is this one's value begins with
	text  [maxMembers][maxLiteral]byte
	index [2 * maxMembers]uint8 // by hash, to find a member that stands in several places
	hand  uint8                 // the member that was stored last
	room  uint8                 // the last member there is room for
	quota int                   // how many more may be learned
}

// newMembers returns an empty memory. Member 0 is no member and no bytes match it; its inner are the
// beginnings of lines, its next what followed members that were not learned.
func newMembers() *members {
	m := &members{room: maxMembers - 1, quota: maxMembers}
	m.all[0].first = 1
	return m
}

// follow returns the member of list that stands at src[i:] in an object of node n, else 0; opens says
// that it would be the object's first. What was found moves to the front.
func (m *members) follow(list *[4]uint8, src []byte, i int, n *node, opens bool) uint8 {
	if len(src)-i < maxLiteral+8 {
		return m.followEnd(list, src, i, n, opens)
	}
	at := (*[maxLiteral + 8]byte)(src[i:])
	for k, x := range list {
		c := &m.all[x]
		if c.in != n || c.opens != opens || !c.stands(at) ||
			c.length > 24 && string(at[16:c.length-8]) != string(m.text[x][16:c.length-8]) {
			continue
		}
		if k > 0 {
			list[k], list[0] = list[0], x
		}
		return x
	}
	return 0
}

// stands tells whether the first 16 bytes and the last 8 stand at at.
func (c *member) stands(at *[maxLiteral + 8]byte) bool {
	return binary.LittleEndian.Uint64(at[:])&c.mask == c.first &&
		binary.LittleEndian.Uint64(at[c.from%maxLiteral:])&c.mask == c.last &&
		(c.length <= 16 || binary.LittleEndian.Uint64(at[8:]) == c.second)
}

// followEnd is follow where the line is about to end.
func (m *members) followEnd(list *[4]uint8, src []byte, i int, n *node, opens bool) uint8 {
	for _, x := range list {
		if c := &m.all[x]; x != 0 && c.in == n && c.opens == opens && i+int(c.length) <= len(src) &&
			string(src[i:i+int(c.length)]) == string(m.text[x][:c.length]) {
			return x
		}
	}
	return 0
}

// learn remembers a member that was read, and that it stands at list. If it cannot, it returns 0: the
// member is then in its place until the next one.
func (m *members) learn(list *[4]uint8, literal []byte, n, child *node, opens, secret bool) uint8 {
	leaf := int32(-1)
	if child != nil && child.slot >= 0 && child.hi == child.lo+1 {
		leaf = int32(child.slot)
	}
	isText := literal[len(literal)-1] == '"'
	if m.quota <= 0 || len(literal) > maxLiteral {
		m.all[0].child, m.all[0].leaf, m.all[0].text, m.all[0].secret = child, leaf, isText, secret
		return 0
	}
	m.quota--
	var text [maxLiteral]byte
	copy(text[:], literal)
	c := member{
		first: binary.LittleEndian.Uint64(text[:]), second: binary.LittleEndian.Uint64(text[8:]),
		last: binary.LittleEndian.Uint64(text[max(len(literal)-8, 0):]),
		mask: ^uint64(0), in: n, child: child, leaf: leaf, length: uint8(len(literal)),
		opens: opens, text: isText, secret: secret,
	}
	c.from = max(c.length, 8) - 8
	if c.length < 8 {
		c.mask >>= 64 - 8*c.length
	}
	h := c.first ^ c.last*0x9E3779B97F4A7C15 ^ c.second<<1
	if n != nil {
		h += uint64(n.lo)
	}
	h = h * 0xD6E8FEB86659FD93 >> 55
	x := m.index[h]
	if have := &m.all[x]; x == 0 || have.in != n || have.length != c.length || have.opens != opens || m.text[x] != text {
		if m.hand++; m.hand == 0 || m.hand > m.room {
			m.hand = 1
		}
		x = m.hand
		m.all[x], m.text[x], m.inner[x], m.index[h] = c, text, [4]uint8{}, x
	}
	copy(list[1:], list[:3])
	list[0] = x
	return x
}
