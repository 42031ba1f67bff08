package rules

import (
	"github.com/expr-lang/expr/ast"

	"github.com/liveward/liveward/internal/event"
)

// Coverage finds the parts of conditions that no test of their rule makes true, or none makes false:
// they could be written otherwise and no test would tell. Overlays' tests count as well.
func (s *Set) Coverage() Problems {
	var out Problems
	for _, r := range s.rules {
		if r.matcher == nil {
			continue
		}
		src := newSource(r.matcher.source.name, []byte(r.matcher.source.text))
		s.cover(r, src)
		out = append(out, src.problems...)
	}
	out.Sort()
	return out
}

// part is a part of a condition with what the tests made of it.
type part struct {
	at      position
	yes, no bool
	text    string
}

func (s *Set) cover(r *Rule, src *source) {
	sp := r.matcher.spec
	conditions := []*node{sp.when, sp.hit}
	for _, st := range sp.steps {
		conditions = append(conditions, st.when, st.until)
	}
	tests := sp.tests
	if sp.shipped != nil {
		tests = append(append([]*testCase(nil), sp.shipped.tests...), sp.tests...)
	}
	for _, n := range conditions {
		if n == nil {
			continue
		}
		var parts []part
		for _, t := range tests {
			parts = s.coverTest(r, n, t, src, parts)
		}
		for _, p := range parts {
			switch {
			case !p.yes:
				src.report(LevelWarning, p.at, "no test makes this part true: "+p.text, "write one with an event for which it holds")
			case !p.no:
				src.report(LevelWarning, p.at, "no test makes this part false: "+p.text, "write one in which it alone is what makes the rule silent")
			}
		}
	}
}

// coverTest holds the parts of a condition against the events of a test.
func (s *Set) coverTest(r *Rule, n *node, t *testCase, src *source, parts []part) []part {
	lists, err := s.fixtures(t)
	if err != nil {
		return parts
	}
	c := s.compiler(lists)
	if r.Kind == Chain {
		c = c.forAlerts()
	}
	c.trace = map[ast.Node]condition{}
	e, _ := c.compile(n.text)
	if e == nil {
		return parts
	}
	leaves := leavesOf(e.tree)
	if parts == nil {
		for _, l := range leaves {
			parts = append(parts, part{at: src.within(n, l.Location().From), text: l.String()})
		}
	}
	var ev event.Event
	for i := range t.moves {
		mv := &t.moves[i]
		if mv.clock {
			continue
		}
		at := &scope{event: &ev}
		if r.Kind == Chain {
			at.alert = mv.alert(testBase().UnixNano(), event.Hash{})
			ev.Reset()
			alertEvent(at.alert, &ev)
		} else {
			mv.event(t, &ev)
		}
		for j, l := range leaves {
			if test := c.trace[l]; test != nil && test(at) {
				parts[j].yes = true
			} else {
				parts[j].no = true
			}
		}
	}
	return parts
}

// leavesOf are the parts that and, or, not and ?: join, from left to right.
func leavesOf(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if n.Operator == "and" || n.Operator == "or" {
			return append(leavesOf(n.Left), leavesOf(n.Right)...)
		}
	case *ast.UnaryNode:
		if n.Operator == "not" {
			return leavesOf(n.Node)
		}
	case *ast.ConditionalNode:
		return append(append(leavesOf(n.Cond), leavesOf(n.Exp1)...), leavesOf(n.Exp2)...)
	}
	return []ast.Node{n}
}
