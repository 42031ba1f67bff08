package rules

import (
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/types"

	"github.com/liveward/liveward/internal/event"
)

// maxExprNodes and maxExprBytes bound an expression.
const (
	maxExprNodes = 500
	maxExprBytes = 4096
)

// exprType is a field's type in expr's checker.
func exprType(t event.Type) types.Type {
	switch t {
	case event.Long:
		return types.Int
	case event.Double:
		return types.Float64
	case event.Bool:
		return types.Bool
	case event.Date:
		return types.TypeOf(time.Time{})
	case event.Keywords:
		return types.TypeOf([]string{})
	case event.Keyword, event.Text, event.IP:
	}
	return types.String
}

// environment is what expr's checker knows: the fields as nested maps, labels, lists, functions;
// and those of alerts, for rules of kind chain.
func environment(lists map[string]*compiledList, alerts bool) *conf.Config {
	root := types.Map{}
	for _, id := range event.Fields() {
		if name := id.String(); !strings.HasPrefix(name, "@") {
			declare(root, name, exprType(event.FieldOf(id).Type))
		}
	}
	if alerts {
		for name, f := range alertFields() {
			t := types.String
			switch f.kind {
			case kindInt:
				t = types.Int
			case kindFloat:
				t = types.Float64
			case kindStrings:
				t = types.TypeOf([]string{})
			case kindString, kindIP, kindBool, kindTime, kindDuration:
			}
			declare(root, name, t)
		}
	}
	root["labels"] = types.TypeOf(map[string]string{})
	named := types.Map{}
	for name, l := range lists {
		switch {
		case l.Type == ListTable && l.Values == TableNumber:
			named[name] = types.TypeOf(map[string]float64{})
		case l.Type == ListTable:
			named[name] = types.TypeOf(map[string]string{})
		case l.Type == ListLong:
			named[name] = types.TypeOf([]int{})
		default:
			named[name] = types.TypeOf([]string{})
		}
	}
	root["lists"] = named
	c := conf.New(root)
	c.MaxNodes = maxExprNodes
	c.Expect = reflect.Bool
	for _, option := range functions() {
		option(c)
	}
	return c
}

// declare puts a dotted name into nested maps.
func declare(m types.Map, name string, t types.Type) {
	for {
		head, rest, dotted := strings.Cut(name, ".")
		if !dotted {
			m[head] = t
			return
		}
		sub, ok := m[head].(types.Map)
		if !ok {
			sub = types.Map{}
			m[head] = sub
		}
		m, name = sub, rest
	}
}

// functions declares the functions of the language to expr's checker. They never run: conditions
// are compiled to closures, not for expr's machine.
func functions() []expr.Option {
	idle := func(...any) (any, error) { return false, nil }
	return []expr.Option{
		expr.Function("missing", idle, new(func(any) bool)),
		expr.Function("has", idle, new(func(any) bool)),
		expr.Function("inNet", idle, new(func(string, string) bool), new(func(string, []string) bool)),
		expr.Function("net", idle, new(func(string, int) string)),
		expr.Function("age", idle, new(func(time.Time) time.Duration)),
	}
}

// functionNames are the functions of the language.
func functionNames() []string {
	return []string{"age", "all", "any", "has", "inNet", "len", "lower", "missing", "net", "upper"}
}

// fieldNames are the names a rule may use.
func fieldNames() []string {
	ids := event.Fields()
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		if event.FieldOf(id).Class != event.Transient {
			names = append(names, id.String())
		}
	}
	return names
}
