package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// shape is what a YAML node is.
type shape uint8

const (
	shapeNull shape = iota
	shapeScalar
	shapeMap
	shapeList
)

// style is how a scalar is written.
type style uint8

const (
	stylePlain style = iota
	styleSingle
	styleDouble
	styleBlock
)

// node is a YAML value with its place: aliases resolved, merge keys applied. Nodes reached through
// an alias are shared.
type node struct {
	shape shape
	style style
	text  string // of a scalar
	at    position
	pairs []pair // of a map, in order
	items []*node
	size  int // nodes below and with this one, aliases counted each time
}

type pair struct {
	key, value *node
	merged     bool // brought by a merge key; a key of the map itself takes its place
}

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
	maxNodes     = 50_000
	maxListNodes = 200_000
	maxDepth     = 32
	maxKeys      = 500
	maxKeyMarks  = 3_000
)

// parseYAML reads one document. It reports what is wrong to s and returns nil where nothing can be
// made of the file.
func parseYAML(s *source, maxBytes, maxLines, limit int) *node {
	start := position{1, 1}
	if len(s.text) > maxBytes {
		s.report(LevelError, start, fmt.Sprintf("file of %d bytes is larger than %d", len(s.text), maxBytes), "")
		return nil
	}
	if !utf8.ValidString(s.text) {
		s.report(LevelError, start, "file is not UTF-8", "")
		return nil
	}
	if wrong := overgrown(s.text, maxLines); wrong != "" {
		s.report(LevelError, start, wrong, "")
		return nil
	}
	file, err := parser.ParseBytes([]byte(s.text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
			s.report(LevelError, tokenPosition(syntax.Token), "yaml: "+syntax.Message, "")
		} else {
			s.report(LevelError, start, "yaml: "+firstLine(err.Error()), "")
		}
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentGroupType {
			continue
		}
		if body != nil {
			s.report(LevelError, tokenPosition(doc.Body.GetToken()), "more than one document in a file", "one file holds one rule")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		s.report(LevelError, start, "file is empty", "")
		return nil
	}
	c := converter{source: s, anchors: map[string]*node{}, limit: limit}
	n := c.convert(body, 0)
	if c.failed {
		return nil
	}
	return n
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// overgrown finds, before the library sees a file, what would make it recurse deep or take a time
// that grows with the square of the size. It returns what is wrong, or "".
func overgrown(text string, maxLines int) string {
	deep := fmt.Sprintf("nested deeper than %d", maxDepth)
	flow, lines, keys, marks := 0, 0, 0, 0
	for line := range strings.Lines(text) {
		if lines++; lines > maxLines {
			return fmt.Sprintf("more than %d lines", maxLines)
		}
		rest := strings.TrimLeft(line, " \t")
		if len(line)-len(rest) > 8*maxDepth {
			return deep
		}
		for block := 0; len(rest) > 1 && strings.IndexByte("-?:", rest[0]) >= 0 && strings.IndexByte(" \t", rest[1]) >= 0; {
			if block++; block > maxDepth {
				return deep
			}
			rest = strings.TrimLeft(rest[1:], " \t")
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '{':
				if flow++; flow > 4*maxDepth {
					return deep
				}
			case ']', '}':
				flow = max(flow-1, 0)
			case ':':
				if i+1 == len(line) || strings.IndexByte(" \t\r\n", line[i+1]) >= 0 {
					keys++
				}
			case '&', '!', '*', '\r':
				marks++
			}
		}
		if keys > maxKeyMarks || marks > maxKeyMarks+lines {
			return fmt.Sprintf("more than %d keys, anchors or tags", maxKeyMarks)
		}
	}
	return ""
}

func tokenPosition(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// converter makes nodes of the library's tree.
type converter struct {
	source  *source
	anchors map[string]*node
	limit   int
	total   int
	failed  bool
}

func (c *converter) fail(at position, message, hint string) *node {
	c.source.report(LevelError, at, message, hint)
	c.failed = true
	return &node{at: at, size: 1}
}

func (c *converter) convert(n ast.Node, depth int) *node {
	if c.failed || n == nil {
		return &node{at: position{1, 1}, size: 1}
	}
	at := tokenPosition(n.GetToken())
	if depth > maxDepth {
		return c.fail(at, fmt.Sprintf("nested deeper than %d", maxDepth), "")
	}
	if c.total++; c.total > c.limit {
		return c.fail(at, fmt.Sprintf("more than %d values in a file", c.limit), "")
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		out := &node{shape: shapeMap, at: at, size: 1}
		for _, v := range n.Values {
			c.pair(out, v, depth)
		}
		if len(out.pairs) > 0 && !n.IsFlowStyle {
			out.at = out.pairs[0].key.at
		}
		return out
	case *ast.MappingValueNode:
		out := &node{shape: shapeMap, at: at, size: 1}
		c.pair(out, n, depth)
		return out
	case *ast.SequenceNode:
		out := &node{shape: shapeList, at: at, size: 1}
		for _, v := range n.Values {
			item := c.convert(v, depth+1)
			out.items = append(out.items, item)
			out.size += item.size
		}
		return out
	case *ast.AnchorNode:
		out := c.convert(n.Value, depth+1)
		if n.Name != nil {
			c.anchors[n.Name.GetToken().Value] = out
		}
		return out
	case *ast.AliasNode:
		name := ""
		if n.Value != nil {
			name = n.Value.GetToken().Value
		}
		target, ok := c.anchors[name]
		if !ok {
			return c.fail(at, fmt.Sprintf("alias *%s without its anchor", name), "an anchor &name stands before its aliases")
		}
		if c.total += target.size; c.total > c.limit {
			return c.fail(at, fmt.Sprintf("more than %d values in a file", c.limit), "")
		}
		return target
	case *ast.LiteralNode:
		text := ""
		if n.Value != nil {
			text = n.Value.Value
		}
		return &node{shape: shapeScalar, style: styleBlock, text: text, at: at, size: 1}
	case *ast.NullNode:
		return &node{shape: shapeNull, at: at, size: 1}
	case *ast.TagNode:
		return c.fail(at, "tags are not used here", "write the value without its "+n.GetToken().Value)
	case ast.ScalarNode:
		out := &node{shape: shapeScalar, text: n.GetToken().Value, at: at, size: 1}
		switch n.GetToken().Type {
		case token.SingleQuoteType:
			out.style = styleSingle
		case token.DoubleQuoteType:
			out.style = styleDouble
		}
		return out
	default:
		return c.fail(at, "this kind of YAML is not used here", "")
	}
}

// pair adds a key and its value; a merge key adds those of its map that are not there already.
func (c *converter) pair(out *node, n *ast.MappingValueNode, depth int) {
	if c.failed || n.Key == nil {
		return
	}
	if n.Key.IsMergeKey() {
		value := c.convert(n.Value, depth+1)
		out.size += value.size
		maps := []*node{value}
		if value.shape == shapeList {
			maps = value.items
		}
		for _, m := range maps {
			if m.shape != shapeMap {
				c.fail(tokenPosition(n.Key.GetToken()), "<< wants a map", "")
				return
			}
			for _, p := range m.pairs {
				if out.get(p.key.text) == nil {
					out.pairs = append(out.pairs, pair{p.key, p.value, true})
				}
			}
		}
		return
	}
	key := c.convert(keyNode(n.Key), depth+1)
	if key.shape != shapeScalar {
		c.fail(key.at, "a key must be a word", "")
		return
	}
	value := c.convert(n.Value, depth+1)
	out.size += key.size + value.size
	for i := range out.pairs {
		if out.pairs[i].key.text != key.text {
			continue
		}
		if !out.pairs[i].merged {
			c.fail(key.at, "key "+strconv.Quote(key.text)+" stands here twice", "")
			return
		}
		out.pairs[i] = pair{key, value, false}
		return
	}
	if len(out.pairs) >= maxKeys {
		c.fail(key.at, fmt.Sprintf("more than %d keys in a map", maxKeys), "")
		return
	}
	out.pairs = append(out.pairs, pair{key, value, false})
}

func keyNode(k ast.MapKeyNode) ast.Node {
	if m, ok := k.(*ast.MappingKeyNode); ok {
		return m.Value
	}
	return k
}
