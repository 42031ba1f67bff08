package formats

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Problem is one thing that is wrong in a map file.
type Problem struct {
	File         string
	Line, Column int
	What         string // what is wrong
	Hint         string // what to do about it; may be empty
}

// Error gives file:line:column: what; hint.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Problems collects all that is wrong in one file, so that its author sees it at once.
type Problems struct {
	file string
	list []error
}

// At adds a problem with a value.
func (p *Problems) At(n Node, hint, format string, args ...any) {
	line, column := n.position()
	p.list = append(p.list, &Problem{File: p.file, Line: line, Column: column, What: fmt.Sprintf(format, args...), Hint: hint})
}

// Err joins the problems; nil if there are none.
func (p *Problems) Err() error { return errors.Join(p.list...) }

// Any tells whether there are problems.
func (p *Problems) Any() bool { return len(p.list) > 0 }

// Node is a value of a map file that knows where it stands. The zero Node is a value that is not
// there: its accessors return zero values and report nothing.
type Node struct {
	node ast.Node
	p    *Problems
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	At    Node // where the key stands
	Value Node
}

// ReadYAML parses a file with one document. Anchors, aliases, tags and merge keys are refused: a map
// is read by people who review it.
func ReadYAML(file string, src []byte) (root Node, problems *Problems) {
	p := &Problems{file: file}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		problem := &Problem{File: file, Line: 1, Column: 1, What: "not YAML"}
		var ye yaml.Error
		if errors.As(err, &ye) {
			problem.What = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				problem.Line, problem.Column = t.Position.Line, t.Position.Column
			}
		}
		p.list = append(p.list, problem)
		return Node{}, p
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) != 1 {
		p.list = append(p.list, &Problem{File: file, Line: 1, Column: 1, What: fmt.Sprintf("%d YAML documents", len(docs)), Hint: "a file holds one map"})
		return Node{}, p
	}
	return Node{docs[0], p}, p
}

// IsZero tells whether there is no value.
func (n Node) IsZero() bool { return n.node == nil }

func (n Node) position() (line, column int) {
	if n.node == nil {
		return 1, 1
	}
	t := n.node.GetToken()
	switch v := n.node.(type) {
	case *ast.MappingNode:
		if len(v.Values) > 0 && v.Values[0].Key != nil && !v.IsFlowStyle {
			t = v.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		t = v.Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return t.Position.Line, t.Position.Column
}

// Bad adds a problem with this value.
func (n Node) Bad(hint, format string, args ...any) {
	if n.p != nil {
		n.p.At(n, hint, format, args...)
	}
}

// Entries returns the keys of a mapping in order. If known keys are given, others are problems.
func (n Node) Entries(known ...string) []Entry {
	if n.node == nil {
		return nil
	}
	var values []*ast.MappingValueNode
	switch v := n.node.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	case *ast.NullNode:
		return nil
	default:
		n.Bad("write key: value", "a mapping is expected here")
		return nil
	}
	entries := make([]Entry, 0, len(values))
	for _, v := range values {
		at := Node{v.Key, n.p}
		key, ok := at.scalar()
		if !ok {
			at.Bad("", "this key is not a plain word")
			continue
		}
		if len(known) > 0 {
			if i := indexOf(known, key); i < 0 {
				at.Bad(Suggest(key, known), "unknown key %q", key)
				continue
			}
		}
		entries = append(entries, Entry{key, at, Node{v.Value, n.p}})
	}
	return entries
}

// Items returns the elements of a sequence; a single value counts as a sequence of one.
func (n Node) Items() []Node {
	switch v := n.node.(type) {
	case nil:
		return nil
	case *ast.SequenceNode:
		items := make([]Node, len(v.Values))
		for i := range v.Values {
			items[i] = Node{v.Values[i], n.p}
		}
		return items
	default:
		return []Node{n}
	}
}

// IsMapping tells whether the value is a mapping.
func (n Node) IsMapping() bool {
	switch n.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// IsSequence tells whether the value is a sequence.
func (n Node) IsSequence() bool {
	_, ok := n.node.(*ast.SequenceNode)
	return ok
}

// IsNull tells whether the value is null.
func (n Node) IsNull() bool {
	_, ok := n.node.(*ast.NullNode)
	return ok
}

func (n Node) scalar() (string, bool) {
	switch v := n.node.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.MappingKeyNode:
		return Node{v.Value, n.p}.scalar()
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.GetToken().Value, true
	case *ast.NullNode:
		if t := v.GetToken(); t != nil && t.Type == token.NullType {
			return t.Value, true
		}
	}
	return "", false
}

// Text returns a scalar as it is written; anything else is a problem.
func (n Node) Text() string {
	if n.node == nil {
		return ""
	}
	s, ok := n.scalar()
	if !ok || n.IsNull() {
		n.Bad("", "a word is expected here")
		return ""
	}
	return s
}

// Texts returns one scalar or a sequence of them.
func (n Node) Texts() []string {
	var out []string
	for _, item := range n.Items() {
		out = append(out, item.Text())
	}
	return out
}

// Number returns a number; anything else is a problem.
func (n Node) Number() float64 {
	if n.node == nil {
		return 0
	}
	s, ok := n.scalar()
	if ok {
		if f, good := parseFloat(s); good {
			return f
		}
	}
	n.Bad("", "a number is expected here")
	return 0
}

// Bool returns true or false; anything else is a problem.
func (n Node) Bool() bool {
	if n.node == nil {
		return false
	}
	if v, ok := n.node.(*ast.BoolNode); ok {
		return v.Value
	}
	n.Bad("", "true or false is expected here")
	return false
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

// Suggest says which of the known words was probably meant, or lists them if they are few.
func Suggest(word string, known []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, k := range known {
		d := distance(strings.ToLower(word), k)
		if d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = k, d
		}
	}
	// A last segment that is right says more than spelling: status_code for http.response.status_code.
	if best == "" || bestDistance > 2 {
		tail := word[strings.LastIndexByte(word, '.')+1:]
		for _, k := range known {
			if tail != "" && strings.HasSuffix(k, "."+tail) {
				return "did you mean " + strconv.Quote(k) + "?"
			}
		}
	}
	switch {
	case best != "":
		return "did you mean " + strconv.Quote(best) + "?"
	case len(known) <= 12:
		return "known are " + strings.Join(known, ", ")
	}
	return ""
}

// distance is the number of letters to insert, delete, change or swap.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
