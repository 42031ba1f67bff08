package strict

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// This file makes values of the YAML library's tree, and shared.go those of its aliases. No other file of
// the package, and no other package, knows the library.

// kind is what a value is.
type kind uint8

const (
	refused kind = iota // reported already, so whoever meets it says nothing
	null
	text
	whole // a whole number
	number
	truth // true or false
	mapping
	list
)

// String is the kind as a problem names it.
func (k kind) String() string {
	switch k { //exhaustive:enforce
	case null:
		return "nothing"
	case whole, number:
		return "a number"
	case truth:
		return "true or false"
	case mapping:
		return "a mapping"
	case list:
		return "a list"
	case refused, text:
	}
	return "text"
}

// Style is how a scalar is written.
type Style uint8

// The styles.
const (
	Plain        Style = iota
	SingleQuoted       // '…'
	DoubleQuoted       // "…"
	Block              // behind | or >
)

// value is a YAML value with its place.
type value struct {
	kind  kind
	style Style  // of a scalar
	name  string // the key it stands behind, itself or in a list; empty for the file itself
	// text is a scalar as it is written, quotes and escapes taken off. Of a mapping it is the text of
	// a scalar that the library takes for one, see colonText.
	text         string
	line, column int
	pairs        []pair // of a mapping, in order, each key once
	items        []*value
	size         int    // values in it, itself too, those of aliases counted each time
	height       int    // of what is nested in it; 0 for a scalar
	use          *value // the alias by which it stands here, itself or in a list; nil where it is written here
}

type pair struct{ key, value *value }

// holds notes that a value is in v.
func (v *value) holds(inner *value) {
	v.size += inner.size
	v.height = max(v.height, inner.height+1)
}

// place is where a value stands; the start of the file for none.
func (v *value) place() (line, column int) {
	if v == nil {
		return 1, 1
	}
	return v.line, v.column
}

// Bounds of a file. The library goes deep for what is nested, in a time that grows with the square of
// the depth, and with the square of the keys of one mapping.
const (
	maxBytes  = 16 << 20
	maxDepth  = 32
	maxIndent = 8 * maxDepth
	maxFlow   = 4 * maxDepth // brackets that are open, counted in texts and comments too
	maxKeys   = 4_000
	maxShared = 50_000 // values that aliases bring in
)

// parse reads the only document. It returns nil where there is none, and where nothing can be made of
// the file.
func (f *File) parse(src []byte) *value {
	fail := func(at *value, message, hint string) *value {
		f.unread = true
		f.report(at, message, hint)
		return nil
	}
	if len(src) > maxBytes {
		return fail(nil, fmt.Sprintf("larger than %d bytes", maxBytes), "")
	}
	if !utf8.Valid(src) {
		return fail(nil, "not UTF-8", "save the file in this encoding")
	}
	s := strings.ReplaceAll(string(src), "\r\n", "\n")
	if i := strings.IndexByte(s, '\r'); i >= 0 { // a line to the library, and none to an editor
		at := &value{line: 1 + strings.Count(s[:i], "\n"), column: 1 + utf8.RuneCountInString(s[strings.LastIndexByte(s[:i], '\n')+1:i])}
		return fail(at, "a carriage return without a line feed", "end lines with a line feed")
	}
	if line, wrong := overgrown(s); wrong != "" {
		return fail(&value{line: line, column: 1}, wrong, "")
	}
	file, err := parser.ParseBytes([]byte(s), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := (*value)(nil), "not YAML"
		if ye, ok := errors.AsType[yaml.Error](err); ok { // the error's own text would quote the file
			at, message = scalarAt(ye.GetToken()), "not YAML: "+ye.GetMessage()
		}
		return fail(at, message, "")
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.CommentGroupType {
			continue
		}
		if body != nil {
			return fail(scalarAt(d.Body.GetToken()), "more than one YAML document", "a file holds one")
		}
		body = d.Body
	}
	if body == nil {
		return nil
	}
	return f.convert(body, 0)
}

// overgrown finds what would make the library go too deep or take too long, before it sees the file.
func overgrown(s string) (line int, wrong string) {
	flow := 0
	var keys [maxIndent + 1]int // lines of the mapping at this indentation
	for text := range strings.Lines(s) {
		line++
		rest := strings.TrimLeft(text, " ")
		if rest == "\n" || rest == "" {
			continue
		}
		indent := len(text) - len(rest)
		for block := 0; len(rest) > 1 && strings.IndexByte("-?:", rest[0]) >= 0 && (rest[1] == ' ' || rest[1] == '\t'); block++ {
			if block == maxDepth {
				return line, fmt.Sprintf("nested deeper than %d", maxDepth)
			}
			if indent < maxIndent {
				clear(keys[indent+1:]) // what stood there belongs to the item before
			}
			rest = strings.TrimLeft(rest[1:], " \t")
			indent = len(text) - len(rest)
		}
		if indent > maxIndent {
			return line, fmt.Sprintf("nested deeper than %d", maxDepth)
		}
		clear(keys[indent+1:])
		if keys[indent]++; keys[indent] > maxKeys {
			return line, fmt.Sprintf("more than %d lines in one mapping", maxKeys)
		}
		for i := range len(rest) {
			switch rest[i] {
			case '[', '{':
				if flow++; flow > maxFlow {
					return line, fmt.Sprintf("more than %d brackets are open", maxFlow)
				}
			case ']', '}':
				flow = max(flow-1, 0)
			}
		}
	}
	return 0, ""
}

// scalarAt is an empty value at a token.
func scalarAt(t *token.Token) *value {
	if t == nil || t.Position == nil {
		return nil
	}
	return &value{kind: text, line: max(t.Position.Line, 1), column: max(t.Position.Column, 1), size: 1}
}

func (f *File) convert(n ast.Node, depth int) *value {
	v := scalarAt(n.GetToken())
	if v == nil {
		v = &value{kind: text, line: 1, column: 1, size: 1}
	}
	refuse := func(message, hint string) *value {
		f.report(v, message, hint)
		v.kind = refused
		return v
	}
	if depth > maxDepth {
		return refuse(fmt.Sprintf("nested deeper than %d", maxDepth), "")
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return f.mapping(v, n.Values, n.IsFlowStyle, depth)
	case *ast.MappingValueNode:
		return f.mapping(v, []*ast.MappingValueNode{n}, false, depth)
	case *ast.SequenceNode:
		v.kind = list
		for _, item := range n.Values {
			i := f.convert(item, depth+1)
			v.items = append(v.items, i)
			v.holds(i)
		}
	case *ast.MappingKeyNode:
		if n.Value == nil {
			return refuse("this key is not a plain word", "")
		}
		return f.convert(n.Value, depth+1)
	case *ast.NullNode:
		v.kind = null
		if t := n.GetToken(); t != nil && t.Type == token.NullType {
			v.text = t.Value
		}
	case *ast.StringNode:
		v.text = n.Value
		switch n.GetToken().Type {
		case token.SingleQuoteType:
			v.style = SingleQuoted
		case token.DoubleQuoteType:
			v.style = DoubleQuoted
		}
	case *ast.LiteralNode:
		if v.style = Block; n.Value != nil {
			v.text = n.Value.Value
		}
	case *ast.IntegerNode:
		v.kind, v.text = whole, n.GetToken().Value
	case *ast.FloatNode:
		v.kind, v.text = number, n.GetToken().Value
	case *ast.BoolNode:
		v.kind, v.text = truth, n.GetToken().Value
	case *ast.InfinityNode, *ast.NanNode:
		v.text = n.GetToken().Value
	case *ast.AnchorNode:
		if f.shared == nil {
			return refuse(notShared, "write the value out")
		}
		v = f.convert(n.Value, depth+1)
		if n.Name != nil {
			f.shared.anchors[n.Name.GetToken().Value] = v
		}
		return v
	case *ast.AliasNode:
		if f.shared == nil {
			return refuse(notShared, "write the value out")
		}
		return f.alias(v, n, depth)
	case *ast.TagNode:
		return refuse("tags are not supported", "write the plain value")
	default:
		return refuse("this kind of YAML is not supported", "")
	}
	return v
}

func (f *File) mapping(v *value, entries []*ast.MappingValueNode, flow bool, depth int) *value {
	v.kind = mapping
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		if e.Key == nil || e.Value == nil {
			continue
		}
		if wrong, hint := f.noKey(e.Key); wrong != "" {
			f.report(scalarAt(e.Key.GetToken()), wrong, hint)
			continue
		}
		key := f.convert(e.Key, depth+1)
		if i == 0 && !flow {
			v.line, v.column = key.line, key.column // a block begins at its first key
		}
		switch {
		case key.kind == refused:
			continue
		case key.kind == mapping || key.kind == list || key.kind == null && key.text == "":
			f.report(key, "this key is not a plain word", "")
			continue
		case seen[key.text]:
			f.report(key, fmt.Sprintf("key %q stands here twice", key.text), "remove one")
			continue
		}
		seen[key.text] = true
		item := f.convert(e.Value, depth+1)
		item.name = key.text
		for _, i := range item.items {
			i.name = key.text
		}
		if item.kind == null && item.text == "" {
			item.line, item.column = key.line, key.column // nothing stands nowhere
		}
		v.pairs = append(v.pairs, pair{key, item})
		v.holds(item)
	}
	if len(v.pairs) == 1 {
		v.text = colonText(v.pairs[0])
	}
	return v
}

// colonText is the text of a plain scalar with a colon in it, such as https://es1:9200, which the
// library takes for a mapping where it stands in a list in brackets. Only a colon with a space behind
// it makes a mapping.
func colonText(p pair) string {
	rest, ok := p.value.scalar()
	if !ok || p.key.style != Plain || p.value.line != p.key.line || p.value.column != p.key.column+utf8.RuneCountInString(p.key.text)+1 {
		return ""
	}
	return p.key.text + ":" + rest
}

// scalar is a value as it is written, quotes taken off. A value that is not one has none.
func (v *value) scalar() (string, bool) {
	switch v.kind { //exhaustive:enforce
	case text, whole, number, truth:
		return v.text, true
	case mapping:
		return v.text, v.text != ""
	case refused, null, list:
	}
	return "", false
}
