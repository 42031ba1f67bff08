package strict

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

const (
	notShared = "anchors and aliases are not supported"
	noMerge   = "merge keys are not supported"
)

// shared are the values that aliases may stand for.
type shared struct {
	anchors map[string]*value
	total   int // values that aliases brought in
}

// alias is the value that an alias at v stands for. Its place is that of its anchor, where it is written.
func (f *File) alias(v *value, n *ast.AliasNode, depth int) *value {
	refuse := func(message, hint string) *value {
		f.report(v, message, hint)
		v.kind = refused
		return v
	}
	name := ""
	if n.Value != nil {
		name = n.Value.GetToken().Value
	}
	target := f.shared.anchors[name]
	switch {
	case target == nil:
		return refuse(fmt.Sprintf("alias *%s without its anchor", name), "an anchor &name stands before its aliases")
	case depth+target.height > maxDepth:
		return refuse(fmt.Sprintf("nested deeper than %d, with what alias *%s stands for", maxDepth, name), "")
	}
	if f.shared.total += target.size; f.shared.total > maxShared {
		if f.shared.total-target.size <= maxShared { // once
			return refuse(fmt.Sprintf("aliases bring in more than %d values", maxShared), "write fewer, or shorter ones")
		}
		v.kind = refused
		return v
	}
	// It may stand behind another key, and so do its items then: they have a name of their own here.
	same := target.usedBy(v)
	same.items = make([]*value, len(target.items))
	for i, item := range target.items {
		same.items[i] = item.usedBy(v)
	}
	return same
}

// usedBy is the value as it stands at an alias.
func (v *value) usedBy(alias *value) *value {
	same := *v
	same.name, same.use = "", alias
	return &same
}

// noKey tells what is wrong with a key that shares, or would share, something.
func (f *File) noKey(n ast.Node) (wrong, hint string) {
	for {
		explicit, ok := n.(*ast.MappingKeyNode) // ? key
		if !ok || explicit.Value == nil {
			break
		}
		n = explicit.Value
	}
	switch n := n.(type) {
	case *ast.MergeKeyNode:
		return noMerge, "write the keys out"
	case *ast.StringNode:
		if n.Value == "<<" && n.GetToken().Type == token.StringType {
			return noMerge, "write the keys out"
		}
	case *ast.AnchorNode, *ast.AliasNode:
		if f.shared != nil { // else convert refuses it
			return "a key is not shared", "write the key itself; an anchor stands behind it, before the value that is shared"
		}
	}
	return "", ""
}
