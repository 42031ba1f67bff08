package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	exprcompiler "github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// The oracle evaluates a condition with expr's own machine over maps. S9 is put into the tree: a
// part that reads fields holds only where all of them are present.

// oracleWrap guards each comparison of a checked tree by the presence of the fields in it.
func oracleWrap(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" {
			return &ast.UnaryNode{Operator: "not", Node: oracleWrap(n.Node)}
		}
	case *ast.ConditionalNode:
		return &ast.ConditionalNode{Cond: oracleWrap(n.Cond), Exp1: oracleWrap(n.Exp1), Exp2: oracleWrap(n.Exp2)}
	case *ast.BinaryNode:
		if n.Operator == "and" || n.Operator == "or" {
			return &ast.BinaryNode{Operator: n.Operator, Left: oracleWrap(n.Left), Right: oracleWrap(n.Right)}
		}
	case *ast.CallNode:
		switch callee(n) {
		case "has":
			return present(nameOf(n.Arguments[0]))
		case "missing":
			return &ast.UnaryNode{Operator: "not", Node: present(nameOf(n.Arguments[0]))}
		}
	case *ast.BuiltinNode:
		if n.Name == "any" || n.Name == "all" {
			body := n.Arguments[1].(*ast.PredicateNode)
			body.Node = oracleWrap(body.Node)
			return &ast.BinaryNode{Operator: "and", Left: present(nameOf(n.Arguments[0])), Right: n}
		}
	}
	out := n
	v := &oracleFields{}
	ast.Walk(&n, v)
	for _, d := range v.divisors {
		out = &ast.BinaryNode{Operator: "and", Left: &ast.BinaryNode{Operator: "!=", Left: d, Right: &ast.IntegerNode{}}, Right: out}
	}
	for _, name := range v.names {
		out = &ast.BinaryNode{Operator: "and", Left: present(name), Right: out}
	}
	return out
}

func present(name string) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: "present"}, Arguments: []ast.Node{&ast.StringNode{Value: name}}}
}

type oracleFields struct {
	names    []string
	divisors []ast.Node
}

func (v *oracleFields) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.MemberNode, *ast.IdentifierNode:
		if name := nameOf(n); name != "" {
			v.names = append(v.names, name)
		}
	case *ast.BinaryNode:
		if n.Operator == "/" || n.Operator == "%" {
			v.divisors = append([]ast.Node{n.Right}, v.divisors...)
		}
	}
}

// nameOf is the field or label that a node names; "" for any other.
func nameOf(n ast.Node) string {
	name, ok := dotted(n)
	if !ok {
		return ""
	}
	if _, ok := event.Lookup(name); ok || strings.HasPrefix(name, "labels.") {
		return name
	}
	return ""
}

// oracleProgram compiles a checked tree for expr's machine; it runs on the event e points at.
func oracleProgram(tree *parser.Tree, lists map[string]*compiledList, e **oracleEvent) (*vm.Program, error) {
	config := environment(lists, false)
	real := map[string]func(args ...any) (any, error){
		"present": func(args ...any) (any, error) { return (*e).present[args[0].(string)], nil },
		"inNet": func(args ...any) (any, error) {
			a, err := netip.ParseAddr(args[0].(string))
			if err != nil {
				return false, nil
			}
			nets, ok := args[1].([]string)
			if !ok {
				nets = []string{args[1].(string)}
			}
			for _, n := range nets {
				if !strings.Contains(n, "/") {
					if netip.MustParseAddr(n) == a {
						return true, nil
					}
				} else if netip.MustParsePrefix(n).Contains(a) {
					return true, nil
				}
			}
			return false, nil
		},
		"net": func(args ...any) (any, error) {
			a, err := netip.ParseAddr(args[0].(string))
			if err != nil {
				return "", nil
			}
			p, _ := a.Prefix(args[1].(int))
			return p.String(), nil
		},
		"age": func(args ...any) (any, error) { return (*e).now.Sub(args[0].(time.Time)), nil },
	}
	for name, fn := range real {
		f := config.Functions[name]
		if f == nil {
			f = &builtin.Function{Name: name, Types: config.Functions["has"].Types}
			config.Functions[name] = f
		}
		f.Func = fn
	}
	tree.Node = oracleWrap(tree.Node)
	if _, err := checker.Check(tree, config); err != nil {
		return nil, err
	}
	return exprcompiler.Compile(tree, config)
}

// oracleEvent is an event in both forms.
type oracleEvent struct {
	event   event.Event
	env     map[string]any
	present map[string]bool
	now     time.Time
}

func (e *oracleEvent) put(name string, v any) {
	m := e.env
	for {
		head, rest, deep := strings.Cut(name, ".")
		if !deep {
			m[head] = v
			return
		}
		sub, ok := m[head].(map[string]any)
		if !ok {
			sub = map[string]any{}
			m[head] = sub
		}
		m, name = sub, rest
	}
}

func newOracleEvent(lists map[string]*compiledList) *oracleEvent {
	e := &oracleEvent{env: map[string]any{}, present: map[string]bool{}, now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	for _, id := range event.Fields() {
		if id == event.Timestamp {
			continue
		}
		var zero any = ""
		switch event.FieldOf(id).Type {
		case event.Long:
			zero = 0
		case event.Double:
			zero = 0.0
		case event.Bool:
			zero = false
		case event.Date:
			zero = time.Time{}
		case event.Keywords:
			zero = []string{}
		case event.Keyword, event.Text, event.IP:
		}
		e.put(id.String(), zero)
	}
	e.env["labels"] = map[string]string{}
	named := map[string]any{}
	for name, l := range lists {
		if l.Type == ListLong {
			var ints []int
			for _, w := range l.wholeList() {
				ints = append(ints, int(w))
			}
			named[name] = ints
		} else {
			named[name] = l.Entries
		}
	}
	e.env["lists"] = named
	e.event.SetTime(event.Timestamp, e.now.UnixNano())
	return e
}

// Pools of fields and values, small so that they meet.
var (
	oracleTexts  = []event.ID{event.LivenessVendor, event.AppVersion, event.ErrorCode, event.GatewayAuth}
	oracleIPs    = []event.ID{event.ClientIP, event.SourceIP}
	oracleWholes = []event.ID{event.HTTPResponseStatusCode, event.LivenessAttempt, event.HTTPRequestBytes}
	oracleReals  = []event.ID{event.LivenessScore, event.LivenessMargin}
	oracleBools  = []event.ID{event.ClientAllowListed, event.LivenessCaptureRooted}
	oracleDates  = []event.ID{event.APIKeyCreated, event.ConsentGrantedAt}
	oracleArrays = []event.ID{event.Tags, event.APIKeyScope}
	textValues   = []string{"a", "b", "ab", "Äb", "xyz"}
	ipValues     = []string{"203.0.113.7", "198.51.100.7", "2001:db8::1", "192.0.2.1"}
	wholeValues  = []int64{-1, 0, 1, 200, 401, 403}
	realValues   = []float64{-0.5, 0, 0.25, 1, 401}
)

func textsOf(id event.ID) []string {
	if enum := event.FieldOf(id).Enum; enum != nil {
		return enum
	}
	return textValues
}

func drawEvent(t *rapid.T, lists map[string]*compiledList) *oracleEvent {
	e := newOracleEvent(lists)
	pick := func(id event.ID) bool {
		has := rapid.IntRange(0, 3).Draw(t, "has "+id.String()) > 0
		e.present[id.String()] = has
		return has
	}
	for _, id := range oracleTexts {
		if pick(id) {
			v := rapid.SampledFrom(textsOf(id)).Draw(t, id.String())
			e.event.SetString(id, v)
			e.put(id.String(), v)
		}
	}
	for _, id := range oracleIPs {
		if pick(id) {
			v := rapid.SampledFrom(ipValues).Draw(t, id.String())
			e.event.SetString(id, v)
			e.put(id.String(), v)
		}
	}
	for _, id := range oracleWholes {
		if pick(id) {
			v := rapid.SampledFrom(wholeValues).Draw(t, id.String())
			e.event.SetInt(id, v)
			e.put(id.String(), int(v))
		}
	}
	for _, id := range oracleReals {
		if pick(id) {
			v := rapid.SampledFrom(realValues).Draw(t, id.String())
			e.event.SetFloat(id, v)
			e.put(id.String(), v)
		}
	}
	for _, id := range oracleBools {
		if pick(id) {
			v := rapid.Bool().Draw(t, id.String())
			e.event.SetBool(id, v)
			e.put(id.String(), v)
		}
	}
	for _, id := range oracleDates {
		if pick(id) {
			v := e.now.Add(-time.Duration(rapid.IntRange(0, 4).Draw(t, id.String())) * 24 * time.Hour)
			e.event.SetTime(id, v.UnixNano())
			e.put(id.String(), v)
		}
	}
	for _, id := range oracleArrays {
		if pick(id) {
			v := rapid.SliceOfNDistinct(rapid.SampledFrom(textValues), 1, 3, rapid.ID[string]).Draw(t, id.String())
			for _, s := range v {
				e.event.Append(id, s)
			}
			e.put(id.String(), v)
		}
	}
	if rapid.Bool().Draw(t, "label") {
		e.event.SetLabel("x", "a")
		e.env["labels"].(map[string]string)["x"] = "a"
		e.present["labels.x"] = true
	}
	return e
}

// drawCondition makes the text of a condition.
func drawCondition(t *rapid.T, depth int) string {
	n := 16
	if depth <= 0 {
		n = 12
	}
	pickText := func() (string, []string) {
		if rapid.IntRange(0, 6).Draw(t, "label?") == 0 {
			return "labels.x", textValues
		}
		id := rapid.SampledFrom(oracleTexts).Draw(t, "text")
		return id.String(), textsOf(id)
	}
	equality := func() string { return rapid.SampledFrom([]string{"==", "!="}).Draw(t, "eq") }
	order := func() string { return rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "op") }
	switch rapid.IntRange(0, n).Draw(t, "form") {
	case 0:
		f, values := pickText()
		return fmt.Sprintf("%s %s %q", f, equality(), rapid.SampledFrom(values).Draw(t, "value"))
	case 1:
		f, values := pickText()
		some := rapid.SliceOfN(rapid.SampledFrom(values), 1, 8).Draw(t, "values")
		quoted := make([]string, len(some))
		for i, s := range some {
			quoted[i] = fmt.Sprintf("%q", s)
		}
		return f + rapid.SampledFrom([]string{" in [", " not in ["}).Draw(t, "in") + strings.Join(quoted, ", ") + "]"
	case 2:
		return drawNumber(t, 2) + " " + order() + " " + drawNumber(t, 1) + " + " + rapid.SampledFrom(oracleWholes).Draw(t, "n").String()
	case 3:
		f := rapid.SampledFrom(oracleWholes).Draw(t, "whole").String()
		return f + rapid.SampledFrom([]string{" in [401, 403]", " in 0..401", " not in lists.codes", " in lists.codes", " == 401", " != 200"}).Draw(t, "in")
	case 4:
		f := rapid.SampledFrom(oracleBools).Draw(t, "bool").String()
		return f + rapid.SampledFrom([]string{"", " == true", " == false", " != true"}).Draw(t, "as")
	case 5:
		f, _ := pickText()
		fold := rapid.SampledFrom([]string{"%s", "lower(%s)", "upper(%s)"}).Draw(t, "fold")
		return fmt.Sprintf(fold, f) + " " + rapid.SampledFrom([]string{"contains", "startsWith", "endsWith", "not contains"}).Draw(t, "sub") + ` "` +
			rapid.SampledFrom([]string{"a", "B", "ä", "Äb"}).Draw(t, "part") + `"`
	case 6:
		f, _ := pickText()
		return f + ` matches "` + rapid.SampledFrom([]string{"^a", "b$", "[xy]z", "^.{2}$"}).Draw(t, "pattern") + `"`
	case 7:
		f := rapid.SampledFrom(oracleIPs).Draw(t, "ip").String()
		return fmt.Sprintf(rapid.SampledFrom([]string{
			"inNet(%s, lists.probes)", `inNet(%s, "203.0.113.0/24")`, "%s in lists.bad_ips", `%s == "::ffff:203.0.113.7"`,
			`net(%s, 24) == "203.0.113.0/24"`, `%s in ["192.0.2.1", "2001:db8:0::1"]`, "inNet(%s, lists.bad_ips)",
		}).Draw(t, "net"), f)
	case 8:
		f := rapid.SampledFrom(oracleDates).Draw(t, "date").String()
		return rapid.SampledFrom([]string{
			"age(" + f + ") " + order() + ` "2d"`, f + " " + order() + ` "2026-05-30"`, "api_key.created " + order() + " consent.granted_at",
		}).Draw(t, "time")
	case 9:
		f := rapid.SampledFrom(oracleArrays).Draw(t, "array").String()
		return fmt.Sprintf(rapid.SampledFrom([]string{
			`"a" in %s`, `any(%s, # == "a")`, `all(%s, # startsWith "a")`, `len(%s) >= 2`, `any(%s, # in lists.words and liveness.vendor == "a")`,
			`all(%s, not (# == liveness.vendor))`, `"xyz" not in %s`,
		}).Draw(t, "quantifier"), f)
	case 10:
		all := slices.Concat(oracleTexts, oracleIPs, oracleWholes, oracleReals, oracleBools, oracleDates, oracleArrays)
		f := rapid.SampledFrom(all).Draw(t, "field").String()
		return rapid.SampledFrom([]string{"has", "missing"}).Draw(t, "presence") + "(" + f + ")"
	case 11:
		return "len(" + rapid.SampledFrom(oracleTexts).Draw(t, "len").String() + ") " + order() + " 2"
	case 12:
		return "liveness.vendor " + equality() + " app.version"
	case 13:
		return "not (" + drawCondition(t, depth-1) + ")"
	case 14:
		return "(" + drawCondition(t, depth-1) + " or " + drawCondition(t, depth-1) + ")"
	case 15:
		return "((" + drawCondition(t, depth-1) + ") ? (" + drawCondition(t, depth-1) + ") : (" + drawCondition(t, depth-1) + "))"
	}
	return drawCondition(t, depth-1) + " and " + drawCondition(t, depth-1)
}

// drawNumber makes the text of a number.
func drawNumber(t *rapid.T, depth int) string {
	switch n := rapid.IntRange(0, 5).Draw(t, "number"); {
	case n <= 1:
		return rapid.SampledFrom(oracleWholes).Draw(t, "whole").String()
	case n == 2:
		return rapid.SampledFrom(oracleReals).Draw(t, "real").String()
	case n == 3:
		return rapid.SampledFrom([]string{"1", "2", "-3", "0.5", "100"}).Draw(t, "literal")
	case depth <= 0:
		return "-liveness.attempt"
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "arith")
	return "(" + drawNumber(t, depth-1) + " " + op + " " + drawNumber(t, depth-1) + ")"
}

// agree draws a condition and an event and holds closures against expr's machine.
func agree(t *rapid.T) {
	lists := testLists()
	c := newCompiler(lists)
	text := drawCondition(t, 3)
	tree, err := parser.ParseWithConfig(text, c.config)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	e, problems := c.compileTree(tree)
	if e == nil {
		// What never holds is refused; that is not what is tested here.
		for _, p := range problems {
			if !strings.Contains(p.message, "never holds") && !strings.Contains(p.message, "no result") && !strings.Contains(p.message, "and never") {
				t.Fatalf("%s: %+v", text, problems)
			}
		}
		t.Skip("refused")
	}
	var current *oracleEvent
	program, err := oracleProgram(tree, lists, &current)
	if err != nil {
		t.Fatalf("%s: oracle: %v", text, err)
	}
	for range 10 {
		current = drawEvent(t, lists)
		want, err := vm.Run(program, current.env)
		if err != nil {
			t.Fatalf("%s: oracle: %v", text, err)
		}
		if got := e.test(&scope{event: &current.event}); got != want {
			t.Fatalf("%s = %v, expr says %v\npresent: %v", text, got, want, current.present)
		}
	}
}

func TestClosuresAgreeWithExpr(t *testing.T) { rapid.Check(t, agree) }

func FuzzClosuresAgreeWithExpr(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree)) }
