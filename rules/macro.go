package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/liveward/liveward/internal/strict"
)

// macroFile holds conditions with names, for rules to share: macros.<name> in a condition stands for
// the condition of that name.
const macroFile = "_macros.yaml"

// maxMacros bounds them.
const maxMacros = 200

// macro is a condition with a name.
type macro struct {
	text   string
	at     *node
	broken bool // has an error, which was reported where it stands
	used   bool
}

// parseMacros reads the file. Each macro may use those above it; all problems are reported there, so
// that a rule only ever meets macros that are sound.
func parseMacros(s *source, c *compiler, f *forms) {
	root := parseYAML(s, maxRuleBytes, maxRuleLines)
	if root == nil {
		return
	}
	d := decoder{source: s}
	if root.shape != shapeMap {
		d.errorf(root, "want name: condition", "macros must be a map")
		return
	}
	for i, p := range root.pairs {
		if i >= maxMacros {
			d.errorf(p.key, "", "more than %d macros", maxMacros)
			return
		}
		m := &macro{at: p.key, broken: true}
		value := p.value
		if value.shape == shapeMap {
			x := d.mapping(value, "macro", "when", "description")
			d.text(x["description"], "description", maxTextBytes)
			if value = x["when"]; value == nil {
				d.errorf(p.key, "want {when: condition, description: text}", "macro has no when")
				continue
			}
		}
		switch {
		case !f.list.MatchString(p.key.text):
			d.errorf(p.key, "macros are called by letters, digits and underscores", "macro %q", p.key.text)
		case !d.scalar(value, "macro") || strings.TrimSpace(value.text) == "":
		default:
			m.text = value.text
			m.broken = compileNode(value, s, c) == nil
		}
		c.macros[p.key.text] = m
	}
}

// unusedMacros warns of what no rule uses.
func (c *compiler) unusedMacros(s *source) {
	for name, m := range c.macros {
		if !m.used && !m.broken {
			decoder{source: s}.warnf(m.at, "", "no rule uses macros.%s", name)
		}
	}
}

// expand puts the conditions of macros into the tree where their names stand. The places of what is
// put in are those of the name.
func (c *compiler) expand(tree *parser.Tree) {
	x := &expander{c: c}
	ast.Walk(&tree.Node, x)
	if x.nodes > maxExprNodes && !c.failed() {
		c.fail(tree.Node, "put values into a list", "condition has more than %d parts with its macros", maxExprNodes)
	}
}

type expander struct {
	c     *compiler
	nodes int
}

// Visit implements ast.Visitor. Children are visited before their parent.
func (x *expander) Visit(n *ast.Node) {
	x.nodes++
	name, ok := dotted(*n)
	if !ok {
		return
	}
	head, tail, deep := strings.Cut(name, ".")
	if head != "macros" || !deep || x.nodes > maxExprNodes {
		return
	}
	c := x.c
	m := c.macros[tail]
	if m == nil {
		c.fail(*n, strict.Suggest(tail, c.macroNames()), "unknown macro %s", name)
		return
	}
	m.used = true
	if m.broken {
		c.fail(*n, "see "+macroFile, "%s has an error", name)
		return
	}
	sub, err := parser.ParseWithConfig(m.text, c.config)
	if err != nil {
		c.fail(*n, "see "+macroFile, "%s has an error", name)
		return
	}
	inner := &expander{c: c}
	ast.Walk(&sub.Node, inner)
	x.nodes += inner.nodes
	if x.nodes > maxExprNodes {
		return // reported once, for the whole
	}
	ast.Walk(&sub.Node, &placer{*n})
	ast.Patch(n, sub.Node)
}

// placer gives every node the place of one.
type placer struct{ at ast.Node }

// Visit implements ast.Visitor.
func (p *placer) Visit(n *ast.Node) { (*n).SetLocation(p.at.Location()) }

func (c *compiler) macroNames() []string {
	names := make([]string, 0, len(c.macros))
	for name := range c.macros {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
