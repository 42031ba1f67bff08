package enrich

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
)

// prefixTable finds every network of a set that holds an address. Networks lie in one another or apart,
// so the narrowest that can hold an address is the last that begins before it or at it, and all others
// that do lie around that one. It is immutable once built.
type prefixTable struct {
	nodes []prefixNode // in the order of start and width, wider ones first
	items []prefixItem
}

// prefixNode is one network.
type prefixNode struct {
	start  prefixKey
	first  uint32 // its items end where those of the next node begin
	around int32  // the narrowest network around it, or -1
	bits   uint8
}

// prefixItem says that a list has a network, and which of the list's details it carries.
type prefixItem struct {
	list   uint16
	detail uint32
}

// prefixKey is an address of one family, its bits from the left.
type prefixKey struct{ hi, lo uint64 }

func keyOf(a netip.Addr) prefixKey {
	if a.Is4() {
		b := a.As4()
		return prefixKey{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	}
	b := a.As16()
	return prefixKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (k prefixKey) compare(o prefixKey) int {
	return cmp.Or(cmp.Compare(k.hi, o.hi), cmp.Compare(k.lo, o.lo))
}

func (n *prefixNode) holds(k prefixKey) bool {
	if n.bits <= 64 {
		return (n.start.hi^k.hi)>>(64-n.bits) == 0
	}
	return n.start.hi == k.hi && (n.start.lo^k.lo)>>(128-n.bits) == 0
}

// prefixEntry is an item on its way into a table.
type prefixEntry struct {
	start prefixKey
	item  prefixItem
	bits  uint8
}

func entryOf(p netip.Prefix, item prefixItem) prefixEntry {
	return prefixEntry{start: keyOf(p.Masked().Addr()), item: item, bits: uint8(p.Bits())}
}

// buildPrefixes makes a table of networks of one family. It sorts the entries.
func buildPrefixes(entries []prefixEntry) prefixTable {
	slices.SortFunc(entries, func(a, b prefixEntry) int {
		return cmp.Or(a.start.compare(b.start), cmp.Compare(a.bits, b.bits),
			cmp.Compare(a.item.list, b.item.list), cmp.Compare(a.item.detail, b.item.detail))
	})
	entries = slices.Compact(entries)
	var t prefixTable
	t.items = make([]prefixItem, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		if last := len(t.nodes) - 1; last < 0 || t.nodes[last].start != e.start || t.nodes[last].bits != e.bits {
			around := int32(last)
			for around >= 0 && !t.nodes[around].holds(e.start) {
				around = t.nodes[around].around
			}
			t.nodes = append(t.nodes, prefixNode{start: e.start, first: uint32(len(t.items)), around: around, bits: e.bits})
		}
		t.items = append(t.items, e.item)
	}
	t.nodes = slices.Clip(t.nodes)
	return t
}

// each calls f for every item of a network that holds an address, narrow networks first.
func (t *prefixTable) each(a netip.Addr, f func(prefixItem)) {
	k := keyOf(a)
	at := sort.Search(len(t.nodes), func(i int) bool { return t.nodes[i].start.compare(k) > 0 })
	for i := int32(at) - 1; i >= 0; i = t.nodes[i].around {
		n := &t.nodes[i]
		if !n.holds(k) {
			continue
		}
		end := len(t.items)
		if int(i)+1 < len(t.nodes) {
			end = int(t.nodes[i+1].first)
		}
		for _, item := range t.items[n.first:end] {
			f(item)
		}
	}
}
