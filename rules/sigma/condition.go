package sigma

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/strict"
)

// A tree is what a rule tests: joins of tests. Joins with nothing in them never stand in one.
type tree struct {
	op    op
	kids  []*tree
	test  test
	cause string // of what cannot be expressed
	at    strict.Node
}

type op uint8

const (
	opTest   op = iota
	opAnd       // all of kids
	opOr        // one of kids at least
	opNot       // not the only kid
	opCannot    // what cannot be expressed, by cause
)

func cannot(at strict.Node, format string, args ...any) *tree {
	return &tree{op: opCannot, cause: oneLine(fmt.Sprintf(format, args...), maxNote), at: at}
}

// join joins trees; one is itself.
func join(o op, at strict.Node, kids []*tree) *tree {
	if len(kids) == 1 {
		return kids[0]
	}
	return &tree{op: o, kids: kids, at: at}
}

// condition reads the language of Sigma's conditions: and, or, not, parentheses, names, "1 of name*",
// "all of them".
type condition struct {
	words  []string
	at     strict.Node
	search map[string]*tree
	names  []string // in the order of the file
	depth  int
	used   int
}

// Bounds of a condition.
const (
	maxWords  = 500
	maxNested = 40
	maxUses   = 2000
)

func parseCondition(text string, at strict.Node, names []string, search map[string]*tree) (*tree, error) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	c := &condition{words: strings.Fields(text), at: at, search: search, names: names}
	if len(c.words) > maxWords {
		return nil, fmt.Errorf("its condition has more than %d words", maxWords)
	}
	if slices.Contains(c.words, "|") {
		return nil, fmt.Errorf("its condition has an aggregation (|) of Sigma 1; correlations have taken its place")
	}
	t, err := c.or()
	if err == nil && len(c.words) > 0 {
		err = fmt.Errorf("its condition goes on after its end, with %q", c.words[0])
	}
	return t, err
}

func (c *condition) peek() string {
	if len(c.words) == 0 {
		return ""
	}
	return strings.ToLower(c.words[0])
}

func (c *condition) next() string {
	w := c.words[0]
	c.words = c.words[1:]
	return w
}

func (c *condition) or() (*tree, error)  { return c.chain("or", opOr, c.and) }
func (c *condition) and() (*tree, error) { return c.chain("and", opAnd, c.not) }

func (c *condition) chain(word string, o op, part func() (*tree, error)) (*tree, error) {
	if c.depth++; c.depth > maxNested*3 {
		return nil, fmt.Errorf("its condition is nested deeper than %d", maxNested)
	}
	defer func() { c.depth-- }()
	var kids []*tree
	for {
		t, err := part()
		if err != nil {
			return nil, err
		}
		kids = append(kids, t)
		if c.peek() != word {
			return join(o, c.at, kids), nil
		}
		c.next()
	}
}

func (c *condition) not() (*tree, error) {
	if c.peek() != "not" {
		return c.term()
	}
	c.next()
	if c.depth++; c.depth > maxNested*3 {
		return nil, fmt.Errorf("its condition is nested deeper than %d", maxNested)
	}
	defer func() { c.depth-- }()
	t, err := c.not()
	if err != nil {
		return nil, err
	}
	return &tree{op: opNot, kids: []*tree{t}, at: c.at}, nil
}

func (c *condition) term() (*tree, error) {
	switch w := c.peek(); w {
	case "":
		return nil, fmt.Errorf("its condition ends too early")
	case "(":
		c.next()
		t, err := c.or()
		if err != nil {
			return nil, err
		}
		if c.peek() != ")" {
			return nil, fmt.Errorf("a parenthesis in its condition is not closed")
		}
		c.next()
		return t, nil
	case ")", "and", "or":
		return nil, fmt.Errorf("its condition has %q where a name should stand", w)
	}
	word := c.next()
	if c.peek() != "of" {
		return c.one(word)
	}
	c.next()
	if len(c.words) == 0 {
		return nil, fmt.Errorf("its condition ends after of")
	}
	return c.some(strings.ToLower(word), c.next())
}

func (c *condition) one(name string) (*tree, error) {
	t, ok := c.search[name]
	if !ok {
		return nil, fmt.Errorf("its condition names %q, which it does not have", name)
	}
	return t, c.use(1)
}

// use counts what names stand for: a condition can name a long list many times.
func (c *condition) use(n int) error {
	if c.used += n; c.used > maxUses {
		return fmt.Errorf("its condition names more than %d searches", maxUses)
	}
	return nil
}

// some is "1 of selection_*" and "all of them".
func (c *condition) some(count, pattern string) (*tree, error) {
	var kids []*tree
	for _, name := range c.names {
		ok := pattern == "them" && !strings.HasPrefix(name, "_")
		if !ok && pattern != "them" {
			matched, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("its condition has %q, which is no pattern of names", pattern)
			}
			ok = matched
		}
		if ok {
			kids = append(kids, c.search[name])
		}
	}
	if len(kids) == 0 {
		return nil, fmt.Errorf("its condition names %q, and nothing is named so", pattern)
	}
	if err := c.use(len(kids)); err != nil {
		return nil, err
	}
	switch n, err := strconv.Atoi(count); {
	case count == "all" || err == nil && n == len(kids):
		return join(opAnd, c.at, kids), nil
	case count == "any" || err == nil && n == 1:
		return join(opOr, c.at, kids), nil
	}
	return cannot(c.at, "%q: only \"1 of\" and \"all of\" can be expressed", count+" of "+pattern), nil
}

// express takes out what cannot be expressed where the rule matches less without it: one of several
// alternatives, or, behind a not, one of several demands. What was left out is told to left. It
// returns nil and the cause where the rest would match more than the rule.
func (t *tree) express(narrow bool, left func(*tree)) (*tree, *tree) {
	switch t.op {
	case opTest:
		if t.test.narrower && !narrow {
			return nil, cannot(t.at, "%s stands behind a not, and of it only the path is known", t.test.name)
		}
		return t, nil
	case opCannot:
		return nil, t
	case opNot:
		kid, cause := t.kids[0].express(!narrow, left)
		if kid == nil {
			return nil, cause
		}
		return &tree{op: opNot, kids: []*tree{kid}, at: t.at}, nil
	}
	droppable := (t.op == opOr) == narrow
	var kids, dropped []*tree
	for _, k := range t.kids {
		kid, cause := k.express(narrow, left)
		switch {
		case kid != nil:
			kids = append(kids, kid)
		case !droppable:
			return nil, cause
		default:
			dropped = append(dropped, cause)
		}
	}
	if len(kids) == 0 {
		return nil, dropped[0]
	}
	for _, d := range dropped {
		left(d)
	}
	return join(t.op, t.at, kids), nil
}
