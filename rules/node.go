package rules

import (
	"fmt"
	"strings"

	"github.com/liveward/liveward/internal/strict"
)

// shape is what a YAML node is.
type shape uint8

const (
	shapeNull shape = iota
	shapeScalar
	shapeMap
	shapeList
)

// node is a YAML value with its place; one that is shared has the place of its anchor.
type node struct {
	shape shape
	style strict.Style
	text  string // of a scalar
	at    position
	pairs []pair // of a map, in order
	items []*node
}

type pair struct{ key, value *node }

// get finds a value of a map.
func (n *node) get(key string) *node {
	for _, p := range n.pairs {
		if p.key.text == key {
			return p.value
		}
	}
	return nil
}

// Bounds of a YAML file.
const (
	maxRuleBytes = 128 << 10
	maxRuleLines = 5_000
	maxListBytes = 4 << 20
	maxListLines = 60_000
)

// parseYAML reads one document. It reports what is wrong to s and returns nil where nothing can be
// made of the file, and where YAML is not what it should be: what a rule means by it is a guess then.
func parseYAML(s *source, maxBytes, maxLines int) *node {
	start := position{1, 1}
	if len(s.text) > maxBytes {
		s.report(LevelError, start, fmt.Sprintf("file of %d bytes is larger than %d", len(s.text), maxBytes), "")
		return nil
	}
	if strings.Count(s.text, "\n") > maxLines {
		s.report(LevelError, start, fmt.Sprintf("more than %d lines", maxLines), "")
		return nil
	}
	file := strict.ReadShared(s.name, []byte(s.text))
	if problems := file.Problems(); len(problems) > 0 {
		for _, p := range problems {
			s.report(LevelError, position{p.Line, p.Column}, p.Message, p.Hint)
		}
		return nil
	}
	if file.Root().IsZero() {
		s.report(LevelError, start, "file is empty", "")
		return nil
	}
	return nodeOf(file.Root())
}

func nodeOf(v strict.Node) *node {
	n := &node{shape: shapeScalar, style: v.Style(), at: position{v.Line(), v.Column()}}
	switch {
	case v.IsNull():
		n.shape = shapeNull
	case v.IsMapping():
		n.shape = shapeMap
		for _, e := range v.Entries() {
			n.pairs = append(n.pairs, pair{nodeOf(e.At), nodeOf(e.Value)})
		}
	case v.IsList():
		n.shape = shapeList
		for _, item := range v.Items() {
			n.items = append(n.items, nodeOf(item))
		}
	default:
		n.text = v.Text()
	}
	return n
}
