package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/liveward/liveward/internal/event"
)

// expression is a compiled condition with what the index, needs and state keys want to know of it.
type expression struct {
	test       condition
	normal     string // the one text of the checked tree
	conjuncts  []conjunct
	lists      []string   // names of the lists used, sorted
	references []event.ID // every field it reads, sorted
	rules      []exprRule // rules that a chain names
	tree       ast.Node
}

// conjunct is a part of the condition that must hold for the whole to hold.
type conjunct struct {
	needs  []event.ID // fields without which it is false
	field  event.ID   // field of an equality
	equal  bool       // whether it is one
	texts  []string   // values the field may have, of a text field
	wholes []int64    // … of a number or boolean
	list   bool       // whether the values are those of a list
	node   ast.Node
}

// exprRule is the id of a rule at a character of the expression.
type exprRule struct {
	char int
	text string
}

// compiler turns an expression of expr into closures over the slots of an event. expr parses it and
// checks its types; what this language does not have is refused here, with a better word for what
// is wrong where there is one.
type compiler struct {
	lists    map[string]*compiledList
	macros   map[string]*macro
	config   *conf.Config
	problems []exprProblem

	alerts bool      // conditions are those of a chain, on alerts
	modes  bool      // a condition asks for the mode of an alert
	chains *compiler // for the conditions of chains, once there was one

	trace map[ast.Node]condition // each part's own test, where somebody asks for them

	elem   event.ID // field under any or all
	inElem bool     // whether a closure of any or all is being compiled
	used   map[string]bool
	fields map[event.ID]bool
	equal  map[ast.Node]conjunct
	refs   map[ast.Node]event.ID // field names as they stand in the tree
}

// exprProblem is a problem at a character of the expression.
type exprProblem struct {
	char    int
	level   Level
	message string
	hint    string
}

func newCompiler(lists map[string]*compiledList) *compiler {
	return &compiler{lists: lists, macros: map[string]*macro{}, config: environment(lists, false)}
}

// forAlerts is the compiler of conditions on alerts.
func (c *compiler) forAlerts() *compiler {
	if c.chains == nil {
		c.chains = &compiler{lists: c.lists, macros: c.macros, alerts: true, config: environment(c.lists, true)}
	}
	c.chains.modes = false
	return c.chains
}

func (c *compiler) fail(n ast.Node, hint, format string, args ...any) {
	c.problem(n.Location().From, LevelError, hint, format, args...)
}

func (c *compiler) warn(n ast.Node, hint, format string, args ...any) {
	c.problem(n.Location().From, LevelWarning, hint, format, args...)
}

func (c *compiler) problem(char int, level Level, hint, format string, args ...any) {
	c.problems = append(c.problems, exprProblem{char, level, fmt.Sprintf(format, args...), hint})
}

// compile compiles text; the expression is nil where there is an error among the problems.
func (c *compiler) compile(text string) (*expression, []exprProblem) {
	c.problems = nil
	if len(text) > maxExprBytes {
		c.problem(0, LevelError, "", "condition is longer than %d bytes", maxExprBytes)
		return nil, c.problems
	}
	tree, err := parser.ParseWithConfig(text, c.config)
	if err != nil {
		c.exprError(err)
		return nil, c.problems
	}
	if c.expand(tree); c.failed() {
		return nil, c.problems
	}
	return c.compileTree(tree)
}

// compileTree compiles a parsed condition. It writes constants into the tree in their one form:
// addresses, durations, times.
func (c *compiler) compileTree(tree *parser.Tree) (*expression, []exprProblem) {
	c.problems = nil
	c.used, c.fields = map[string]bool{}, map[event.ID]bool{}
	c.equal, c.refs = map[ast.Node]conjunct{}, map[ast.Node]event.ID{}
	test := c.condition(tree.Node)
	if c.failed() {
		return nil, c.problems
	}
	if _, err := checker.Check(tree, c.config); err != nil {
		c.exprError(err)
		return nil, c.problems
	}
	e := &expression{test: test, normal: tree.Node.String(), tree: tree.Node}
	c.collect(tree.Node, e)
	c.contradictions(e)
	if !c.failed() {
		c.dead(tree.Node)
	}
	if c.alerts {
		v := &ruleNames{}
		ast.Walk(&tree.Node, v)
		e.rules = v.found
	}
	for name := range c.used {
		e.lists = append(e.lists, name)
	}
	slices.Sort(e.lists)
	for id := range c.fields {
		e.references = append(e.references, id)
	}
	slices.Sort(e.references)
	if c.failed() {
		return nil, c.problems
	}
	return e, c.problems
}

func (c *compiler) failed() bool {
	return slices.ContainsFunc(c.problems, func(p exprProblem) bool { return p.level == LevelError })
}

// exprError takes over an error of expr's parser or checker.
func (c *compiler) exprError(err error) {
	var fe *file.Error
	if !errors.As(err, &fe) {
		c.problem(0, LevelError, "", "%s", firstLine(err.Error()))
		return
	}
	message, hint := strings.TrimPrefix(fe.Message, "compilation failed: "), ""
	switch {
	case strings.Contains(message, `Operator("=")`), strings.Contains(message, `token Operator("=`):
		hint = "equality is =="
	case strings.Contains(message, "unrecognized character: U+0040"):
		hint = "@timestamp is reached by age(field) alone"
	case strings.Contains(message, "maximum allowed nodes"):
		message = fmt.Sprintf("condition has more than %d parts", maxExprNodes)
		hint = "put values into a list"
	case strings.Contains(message, "unexpected token Identifier"):
		hint = "join conditions with and, or; texts stand in quotes"
	}
	c.problem(fe.From, LevelError, hint, "%s", firstLine(message))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// condition compiles a node that must be true or false.
func (c *compiler) condition(n ast.Node) condition {
	test := c.conditionOf(n)
	if c.trace != nil && test != nil {
		c.trace[n] = test
	}
	return test
}

func (c *compiler) conditionOf(n ast.Node) condition {
	switch n := n.(type) {
	case *ast.BoolNode:
		c.fail(n, "", "condition is always %v", n.Value)
		return nil
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			break
		}
		n.Operator = "not"
		inner := c.condition(n.Node)
		if inner == nil {
			return nil
		}
		return func(s *scope) bool { return !inner(s) }
	case *ast.ConditionalNode:
		test, yes, no := c.condition(n.Cond), c.condition(n.Exp1), c.condition(n.Exp2)
		if test == nil || yes == nil || no == nil {
			return nil
		}
		return func(s *scope) bool {
			if test(s) {
				return yes(s)
			}
			return no(s)
		}
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.BuiltinNode:
		if n.Name == "any" || n.Name == "all" {
			return c.quantifier(n)
		}
	case *ast.CallNode:
		if test, ok := c.predicate(n); ok {
			return test
		}
	}
	o := c.operand(n)
	if o == nil {
		return nil
	}
	if o.kind != kindBool {
		c.fail(n, "compare it with a value, or test has("+o.name()+")", "%s is %s, not a condition", o.name(), o.kind)
		return nil
	}
	if o.ref == refField {
		c.equal[n] = conjunct{field: o.field, equal: true, wholes: []int64{1}}
	}
	truth := o.truth
	return func(s *scope) bool {
		v, ok := truth(s)
		return ok && v
	}
}

// binary compiles an operator with two sides that gives true or false.
func (c *compiler) binary(n *ast.BinaryNode) condition {
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, r := c.condition(n.Left), c.condition(n.Right)
		if l == nil || r == nil {
			return nil
		}
		if n.Operator == "and" || n.Operator == "&&" {
			n.Operator = "and"
			return func(s *scope) bool { return l(s) && r(s) }
		}
		n.Operator = "or"
		return func(s *scope) bool { return l(s) || r(s) }
	case "in":
		return c.in(n)
	case "matches":
		return c.matches(n)
	case "contains", "startsWith", "endsWith":
		return c.substring(n)
	case "==", "!=", "<", "<=", ">", ">=":
		return c.compare(n)
	}
	if slices.Contains([]string{"+", "-", "*", "/", "%"}, n.Operator) {
		c.fail(n, "compare it with a value", "a number is not a condition")
	} else {
		c.unsupported(n)
	}
	return nil
}

// unsupported refuses what expr has and this language has not.
func (c *compiler) unsupported(n ast.Node) {
	what, hint := "this", ""
	switch n := n.(type) {
	case *ast.NilNode:
		what, hint = "nil", "a field that may be absent is tested with missing(field)"
	case *ast.BinaryNode:
		what = "operator " + n.Operator
		if n.Operator == "??" {
			hint = "a comparison with a missing field is false"
		}
	case *ast.UnaryNode:
		what = "operator " + n.Operator
	case *ast.ChainNode:
		what, hint = "?.", "a comparison with a missing field is false; write a plain dot"
	case *ast.SliceNode:
		what, hint = "a slice", "use startsWith, endsWith or matches"
	case *ast.MemberNode:
		what, hint = "an index", "arrays are tested with any(field, # == …) or \"value\" in field"
	case *ast.MapNode, *ast.PairNode:
		what = "a map"
	case *ast.ArrayNode:
		what, hint = "an array", "arrays stand on the right of in"
	case *ast.BytesNode:
		what, hint = "a byte string", "write a text"
	case *ast.VariableDeclaratorNode:
		what = "let"
	case *ast.SequenceNode:
		what, hint = ";", "join conditions with and, or"
	case *ast.BuiltinNode:
		what, hint = "function "+n.Name, "the functions are "+strings.Join(functionNames(), ", ")
		if n.Name == "now" {
			hint = "rules know event time only: age(field) is the time from a field to the event"
		}
	case *ast.PointerNode:
		what = "#" + n.Name
	case *ast.ConditionalNode:
		what, hint = "?: of values", "it may choose between conditions"
	case *ast.PredicateNode:
		what = "a closure"
	}
	c.fail(n, hint, "%s is not part of the rule language", what)
}
