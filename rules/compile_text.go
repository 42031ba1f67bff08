package rules

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Bounds of a pattern: its text, and the program it compiles to.
const (
	maxPatternBytes = 500
	maxPatternInsts = 2000
)

func (c *compiler) matches(n *ast.BinaryNode) condition {
	l := c.operand(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		c.fail(n.Right, "write it as a text", "the pattern of matches must be a constant")
		return nil
	}
	if l == nil {
		return nil
	}
	if !l.textual() || l.constant {
		c.fail(n.Left, "", "matches wants a text field, %s is %s", l.name(), l.kind)
		return nil
	}
	re, err := compilePattern(pattern.Value)
	if err != nil {
		c.fail(pattern, "patterns are RE2: no look-around, no back references", "%s", err)
		return nil
	}
	if re.MatchString("") && re.NumSubexp() == 0 && (pattern.Value == "" || pattern.Value == ".*") {
		c.fail(pattern, "test has("+l.name()+")", "pattern matches every text")
		return nil
	}
	str := l.str
	return func(s *scope) bool {
		v, ok := str(s)
		return ok && re.MatchString(v)
	}
}

func compilePattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxPatternBytes {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPatternBytes)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	if len(prog.Inst) > maxPatternInsts {
		return nil, fmt.Errorf("pattern is too large: %d steps, at most %d", len(prog.Inst), maxPatternInsts)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	return re, nil
}

func (c *compiler) substring(n *ast.BinaryNode) condition {
	l, r := c.operand(n.Left), c.operand(n.Right)
	if l == nil || r == nil {
		return nil
	}
	if l.kind == kindStrings {
		c.fail(n, `write any(`+l.name()+`, # `+n.Operator+` …), or "value" in `+l.name(), "%s is %s", l.name(), l.kind)
		return nil
	}
	if !l.textual() || !r.textual() {
		c.fail(n, "", "%s works on texts; here are %s and %s", n.Operator, l.kind, r.kind)
		return nil
	}
	if l.constant && r.constant {
		c.fail(n, "", "two constants are compared")
		return nil
	}
	if r.constant && r.text == "" {
		c.fail(n.Right, "", "every text %s the empty text", n.Operator)
		return nil
	}
	if l.kind == kindIP {
		c.warn(n, "write inNet("+l.name()+`, "192.0.2.0/24") or inNet(`+l.name()+", lists.<name>)", "an address is tested as text")
	}
	a, b := l.str, r.str
	test := strings.Contains
	switch n.Operator {
	case "startsWith":
		test = strings.HasPrefix
	case "endsWith":
		test = strings.HasSuffix
	}
	return func(s *scope) bool {
		x, okX := a(s)
		y, okY := b(s)
		return okX && okY && test(x, y)
	}
}
