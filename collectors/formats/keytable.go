package formats

// keyTable finds the child of an object's key. It is a small open hash over length and three bytes:
// a map of a few dozen keys has next to no collisions, and nothing is allocated to look one up.
type keyTable struct {
	entries []keyEntry
	fold    bool // keys are compared without regard to ASCII case
}

type keyEntry struct {
	key  string
	node *node
}

func keyHash(k []byte) uint32 {
	n := len(k)
	if n == 0 {
		return 0
	}
	return uint32(n)*0x9E3D + uint32(k[0]|0x20)*0x1F35 + uint32(k[n-1]|0x20)*0x83 + uint32(k[n/2]|0x20)*0x3C7
}

func newKeyTable(keys []string, nodes []*node, fold bool) keyTable {
	if len(keys) == 0 {
		return keyTable{}
	}
	size := 4
	for size < 4*len(keys) {
		size *= 2
	}
	t := keyTable{entries: make([]keyEntry, size), fold: fold}
	for i, k := range keys {
		h := keyHash([]byte(k))
		for t.entries[h&uint32(size-1)].node != nil {
			h++
		}
		t.entries[h&uint32(size-1)] = keyEntry{k, nodes[i]}
	}
	return t
}

func (t *keyTable) find(k []byte) *node {
	if len(t.entries) == 0 {
		return nil
	}
	mask := uint32(len(t.entries) - 1)
	for h := keyHash(k); ; h++ {
		e := &t.entries[h&mask]
		if e.node == nil {
			return nil
		}
		if string(k) == e.key || t.fold && equalFold(k, e.key) {
			return e.node
		}
	}
}

// equalFold compares k with a lower-case key without regard to ASCII case.
func equalFold(k []byte, lower string) bool {
	if len(k) != len(lower) {
		return false
	}
	for i, c := range k {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
