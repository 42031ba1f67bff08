package formats

import (
	"errors"
	"strconv"
	"strings"
)

// step is one part of a path: a key, or an index into an array.
type step struct {
	key   string
	index int // for steps into an array; lastItem for the last element
	array bool
}

const lastItem = -1

// parsePath reads a.b, a[0].b, a[-1].b, and a."b.c" for keys that hold dots.
func parsePath(s string) ([]step, error) {
	var steps []step
	i := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			steps = append(steps, step{key: s[i+1 : i+1+end]})
			i += end + 2
		case '[':
			end := strings.IndexByte(s[i:], ']')
			if end < 0 {
				return nil, errors.New("a bracket is not closed")
			}
			n, err := strconv.Atoi(s[i+1 : i+end])
			if err != nil || n < lastItem || n > 1000 {
				return nil, errors.New("an index is 0 to 1000, or -1 for the last element")
			}
			steps = append(steps, step{index: n, array: true})
			i += end + 1
		default:
			end := strings.IndexAny(s[i:], `.["`)
			if end < 0 {
				end = len(s) - i
			}
			if end == 0 {
				return nil, errors.New("a key is empty")
			}
			steps = append(steps, step{key: s[i : i+end]})
			i += end
		}
		if i < len(s) && s[i] == '.' {
			i++
			if i == len(s) {
				return nil, errors.New("it ends in a dot")
			}
		} else if i < len(s) && s[i] != '[' {
			return nil, errors.New("a dot is missing")
		}
	}
	if len(steps) == 0 || steps[0].array {
		return nil, errors.New("it must begin with a key")
	}
	if len(steps) > maxDepth/2 {
		return nil, errors.New("it is too deep")
	}
	return steps, nil
}

// tree builds the tree of paths of one map.
type tree struct {
	root *treeNode
}

type treeNode struct {
	wanted bool
	id     int // order of first use, the key by which operations name the path until slots exist
	keys   []string
	byKey  map[string]*treeNode
	items  map[int]*treeNode
	last   *treeNode
	fold   bool
}

func newTree() *tree { return &tree{root: &treeNode{}} }

// at finds or makes the node of a path.
func (t *tree) at(steps []step) *treeNode {
	n := t.root
	for _, s := range steps {
		switch {
		case s.array && s.index == lastItem:
			if n.last == nil {
				n.last = &treeNode{}
			}
			n = n.last
		case s.array:
			if n.items == nil {
				n.items = map[int]*treeNode{}
			}
			if n.items[s.index] == nil {
				n.items[s.index] = &treeNode{}
			}
			n = n.items[s.index]
		default:
			key := s.key
			if n.fold {
				key = strings.ToLower(key)
			}
			if n.byKey == nil {
				n.byKey = map[string]*treeNode{}
			}
			if n.byKey[key] == nil {
				n.byKey[key] = &treeNode{}
				n.keys = append(n.keys, key)
			}
			n = n.byKey[key]
		}
	}
	return n
}

// compile numbers the wanted nodes so that each subtree is a range, and makes the scanner's tree.
func (t *tree) compile() (root *node, slots int) {
	root = t.root.compile(&slots)
	return root, slots
}

func (n *treeNode) compile(next *int) *node {
	out := &node{slot: -1, lo: *next}
	if n.wanted {
		out.slot = *next
		n.id = *next
		*next++
	}
	nodes := make([]*node, len(n.keys))
	for i, k := range n.keys {
		nodes[i] = n.byKey[k].compile(next)
	}
	out.keys = newKeyTable(n.keys, nodes, n.fold)
	for i := 0; len(out.items) < len(n.items); i++ {
		if c := n.items[i]; c != nil {
			out.items = append(out.items, itemNode{i, c.compile(next)})
		}
	}
	if n.last != nil {
		out.last = n.last.compile(next)
	}
	out.hi = *next
	return out
}
