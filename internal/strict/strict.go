// Package strict decodes YAML files that people write into Go structs and reports everything that is
// wrong with a file at once: unknown keys with the nearest known one, wrong types, duplicate keys,
// each with file, line and column.
//
// It never guesses, never ignores a key, and never expands anything: a value is what is written.
package strict

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string
	Line, Column int // from 1
	Message      string
	Hint         string // what to do; may be empty
}

// Error gives "file:line:column: message; hint".
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Problems is all that is wrong, in the order of the file.
type Problems []Problem

// Error gives one line a problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one file can report.
const maxProblems = 100

// File is a decoded file: it knows where each value stands, so that checks of meaning can name the
// place too.
type File struct {
	name     string
	places   map[string]*token.Position // by path: inputs[0].format
	problems Problems
	unread   bool
}

// Parsed tells whether the file is YAML at all; where it is not, checks of meaning say nothing.
func (f *File) Parsed() bool { return !f.unread }

// Decode decodes src into out, a pointer to a struct whose fields have yaml tags. What out held
// before stays where the file has no key for it: defaults are set before. All problems are in
// File.Err; out is then not to be used.
//
// Types with UnmarshalText take any scalar. Anchors and merge keys are refused: a configuration is
// read by people who review it.
func Decode(name string, src []byte, out any) *File {
	f := &File{name: name, places: make(map[string]*token.Position)}
	doc, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := Problem{File: name, Line: 1, Column: 1, Message: "not YAML"}
		var ye yaml.Error
		if errors.As(err, &ye) {
			p.Message = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, t.Position.Column
			}
		}
		f.problems = append(f.problems, p)
		f.unread = true
		return f
	}
	var bodies []ast.Node
	for _, d := range doc.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			bodies = append(bodies, d.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return f // an empty file changes nothing
	case 1:
		f.decode("", bodies[0], reflect.ValueOf(out).Elem())
	default:
		f.report(position(bodies[1]), fmt.Sprintf("%d YAML documents", len(bodies)), "a file holds one")
	}
	return f
}

// Problem adds a problem with the value at a path such as inputs[0].format. Where the file does not
// have that value, the place is that of the nearest value around it.
func (f *File) Problem(path, message, hint string) {
	at := &token.Position{Line: 1, Column: 1}
	for p := path; ; {
		if pos, ok := f.places[p]; ok {
			at = pos
			break
		}
		cut := strings.LastIndexAny(p, ".[")
		if cut < 0 {
			break
		}
		p = p[:cut]
	}
	f.report(at, message, hint)
}

// Has tells whether the file has a value at a path.
func (f *File) Has(path string) bool { _, ok := f.places[path]; return ok }

// Err returns the problems as Problems, nil when there are none.
func (f *File) Err() error {
	if len(f.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return f.problems
}

func (f *File) report(at *token.Position, message, hint string) {
	if len(f.problems) < maxProblems {
		f.problems = append(f.problems, Problem{f.name, at.Line, at.Column, message, hint})
	}
}

func position(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position
	}
	return &token.Position{Line: 1, Column: 1}
}

func (f *File) decode(path string, n ast.Node, v reflect.Value) {
	if _, seen := f.places[path]; !seen {
		f.places[path] = position(n)
	}
	switch t := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		f.report(position(n), "anchors and aliases are not supported here", "write the value out")
		return
	case *ast.TagNode:
		f.report(position(n), "tags are not supported", "write the plain value")
		return
	case *ast.NullNode:
		return // "key:" with nothing behind it leaves the default
	case *ast.MappingValueNode:
		n = &ast.MappingNode{BaseNode: t.BaseNode, Start: t.Start, Values: []*ast.MappingValueNode{t}}
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		f.text(path, n, u)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		f.decode(path, n, v.Elem())
	case reflect.Struct:
		f.structure(path, n, v)
	case reflect.Map:
		f.mapping(path, n, v)
	case reflect.Slice:
		f.sequence(path, n, v)
	default:
		f.scalar(path, n, v)
	}
}

func (f *File) text(path string, n ast.Node, u encoding.TextUnmarshaler) {
	s, ok := scalarText(n)
	if !ok {
		f.wrong(path, n, "a single value")
		return
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		f.report(position(n), path+": "+err.Error(), "")
	}
}

func (f *File) structure(path string, n ast.Node, v reflect.Value) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		f.wrong(path, n, "a mapping")
		return
	}
	known := make(map[string]int)
	var names []string
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
			known[name] = i
			names = append(names, name)
		}
	}
	seen := make(map[string]bool)
	for _, kv := range m.Values {
		key := keyText(kv)
		i, ok := known[key]
		if !ok {
			hint := "known keys: " + strings.Join(names, ", ")
			if near := Nearest(key, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			f.report(position(kv.Key), fmt.Sprintf("unknown key %q", key), hint)
			continue
		}
		if seen[key] {
			f.report(position(kv.Key), fmt.Sprintf("key %q stands here twice", key), "remove one")
			continue
		}
		seen[key] = true
		f.decode(join(path, key), kv.Value, v.Field(i))
	}
}

func (f *File) mapping(path string, n ast.Node, v reflect.Value) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		f.wrong(path, n, "a mapping")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, kv := range m.Values {
		key := keyText(kv)
		if out.MapIndex(reflect.ValueOf(key)).IsValid() {
			f.report(position(kv.Key), fmt.Sprintf("key %q stands here twice", key), "remove one")
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		f.decode(join(path, key), kv.Value, item)
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(out)
}

func (f *File) sequence(path string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		f.wrong(path, n, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, item := range s.Values {
		f.decode(fmt.Sprintf("%s[%d]", path, i), item, out.Index(i))
	}
	v.Set(out)
}

func (f *File) scalar(path string, n ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		s, ok := scalarText(n)
		if !ok {
			f.wrong(path, n, "a string")
			return
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			f.wrong(path, n, "true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.Int, reflect.Int64:
		i, ok := n.(*ast.IntegerNode)
		num, err := int64(0), error(nil)
		if ok {
			num, err = strconv.ParseInt(fmt.Sprint(i.Value), 10, 64)
		}
		if !ok || err != nil || v.OverflowInt(num) {
			f.wrong(path, n, "a whole number")
			return
		}
		v.SetInt(num)
	case reflect.Float64:
		s, ok := scalarText(n)
		num, err := strconv.ParseFloat(s, 64)
		if !ok || err != nil || math.IsNaN(num) || math.IsInf(num, 0) {
			f.wrong(path, n, "a number")
			return
		}
		v.SetFloat(num)
	default:
		panic(fmt.Sprintf("strict: field %s has type %s, which no configuration has", path, v.Type()))
	}
}

func (f *File) wrong(path string, n ast.Node, want string) {
	f.report(position(n), fmt.Sprintf("%s must be %s, not %s", path, want, kind(n)), "")
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	}
	return "text"
}

func keyText(kv *ast.MappingValueNode) string {
	if s, ok := scalarText(kv.Key); ok {
		return s
	}
	return kv.Key.String()
}

// scalarText is a scalar as it is written, quotes removed.
func scalarText(n ast.Node) (string, bool) {
	switch t := n.(type) {
	case *ast.StringNode:
		return t.Value, true
	case *ast.LiteralNode:
		return t.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.MappingNode:
		if len(t.Values) == 1 {
			return colonText(t.Values[0])
		}
	case *ast.MappingValueNode:
		return colonText(t)
	}
	return "", false
}

// colonText is the text of a plain scalar with a colon in it, such as https://es1:9200, which the
// parser takes for a mapping where it stands in a list in braces. Only a colon with a space behind it
// makes a mapping.
func colonText(kv *ast.MappingValueNode) (string, bool) {
	key, ok := kv.Key.(*ast.StringNode)
	if !ok {
		return "", false
	}
	value, ok := scalarText(kv.Value)
	k, v := key.GetToken(), kv.Value.GetToken()
	if !ok || k.Position == nil || v.Position == nil || k.Type != token.StringType ||
		v.Position.Line != k.Position.Line || v.Position.Column != k.Position.Column+len([]rune(key.Value))+1 {
		return "", false
	}
	return key.Value + ":" + value, true
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Nearest returns the name that is closest to s, or "" when none is close.
func Nearest(s string, names []string) string {
	best, at := "", 1+len(s)/3
	for _, n := range names {
		if d := distance(s, n); d <= at && (best == "" || d < at) {
			best, at = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove, change or swap between a and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 20
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
