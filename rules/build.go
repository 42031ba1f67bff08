package rules

import (
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// compileRule compiles a rule's conditions; nil where the file has an error.
func compileRule(sp *spec, s *source, c *compiler) *Rule {
	r := sp.rule
	if r.Kind == Chain {
		c = c.forAlerts()
	}
	b := builder{rule: &r, m: &matcher{spec: sp, source: s}, c: c}
	r.matcher = b.m
	var when *expression
	if sp.when != nil {
		when = b.compile(sp.when, s)
	}
	for _, x := range sp.except {
		file := s
		if x.source != nil {
			file = x.source
		}
		if e := b.compile(x.when, file); e != nil {
			b.m.except = append(b.m.except, exception{test: e.test, until: x.until})
			b.except = append(b.except, e)
			if when != nil && e.swallows(when, r.By) {
				decoder{source: file}.errorf(x.when, "narrow it, or switch the rule to mode: shadow", "exception takes away all that the rule matches")
			}
		}
	}
	hit := b.hits(s)
	steps := b.steps(s)
	if s.failed() || when == nil && sp.when != nil || len(b.except) < len(sp.except) {
		return nil
	}
	b.m.test = always
	if when != nil {
		b.m.test, b.m.conjuncts = when.test, when.conjuncts
	}
	if j, ok := common(steps); ok {
		b.m.conjuncts = append(slices.Clip(b.m.conjuncts), j)
	}
	slices.Sort(b.m.lists)
	b.m.lists = slices.Compact(b.m.lists)
	b.m.needs = needsOf(sp, when, hit, steps)
	b.rosters(s)
	b.state(when, hit, steps)
	if r.Kind == Chain {
		b.m.shadows = c.modes
		r.alertMatch = b.m.alertMatch(&r)
	}
	if s.failed() {
		return nil
	}
	return &r
}

// always is the condition of a sequence whose steps say all.
func always(*scope) bool { return true }

// builder compiles one rule.
type builder struct {
	rule   *Rule
	m      *matcher
	c      *compiler
	except []*expression
}

func (b *builder) compile(n *node, s *source) *expression {
	e := compileNode(n, s, b.c)
	if e != nil {
		b.m.lists = append(b.m.lists, e.lists...)
		b.m.reads = append(b.m.reads, e.references...)
		for _, x := range e.rules {
			b.m.rules = append(b.m.rules, ruleRef{x.text, s.within(n, x.char), s})
		}
	}
	return e
}

// hits compiles what makes a matching event a hit.
func (b *builder) hits(s *source) *expression {
	if b.m.spec.hit == nil {
		return nil
	}
	e := b.compile(b.m.spec.hit, s)
	if e != nil {
		b.m.hit = e.test
	}
	return e
}

// stepExpressions are the compiled conditions of a step.
type stepExpressions struct{ when, until *expression }

func (b *builder) steps(s *source) []stepExpressions {
	var out []stepExpressions
	for _, x := range b.m.spec.steps {
		e := stepExpressions{when: b.compile(x.when, s)}
		test := stepTest{}
		if e.when != nil {
			test.when = e.when.test
		}
		if x.until != nil {
			if e.until = b.compile(x.until, s); e.until != nil {
				test.until = e.until.test
			}
		}
		b.m.steps = append(b.m.steps, test)
		out = append(out, e)
	}
	return out
}

// common is what all conditions of a sequence demand: one of the values that any of them demands of
// a field of which each demands one. By it the index finds the rule.
func common(steps []stepExpressions) (conjunct, bool) {
	var all []*expression
	for _, e := range steps {
		all = append(all, e.when)
		if e.until != nil {
			all = append(all, e.until)
		}
	}
	if len(all) == 0 {
		return conjunct{}, false
	}
	for _, first := range all[0].conjuncts {
		if !first.equal {
			continue
		}
		union := conjunct{field: first.field, equal: true, list: true}
		found := 0
		for _, e := range all {
			i := slices.IndexFunc(e.conjuncts, func(j conjunct) bool { return j.equal && j.field == first.field })
			if i < 0 {
				break
			}
			found++
			union.texts = append(union.texts, e.conjuncts[i].texts...)
			union.wholes = append(union.wholes, e.conjuncts[i].wholes...)
		}
		if found < len(all) {
			continue
		}
		slices.Sort(union.texts)
		slices.Sort(union.wholes)
		union.texts, union.wholes = slices.Compact(union.texts), slices.Compact(union.wholes)
		return union, true
	}
	return conjunct{}, false
}

// needsOf are the fields without which the rule cannot fire: those stated, or those of the conjuncts
// of all that must match, with by and of.
func needsOf(sp *spec, when, hit *expression, steps []stepExpressions) []event.ID {
	if sp.needs != nil || sp.rule.Kind == Chain {
		return sp.needs // what alerts have is not a matter of formats
	}
	demanded := []*expression{when, hit}
	for i, e := range steps {
		if !sp.rule.Steps[i].Negative {
			demanded = append(demanded, e.when)
		}
	}
	var out []event.ID
	for _, e := range demanded {
		if e == nil {
			continue
		}
		for _, j := range e.conjuncts {
			out = append(out, j.needs...)
		}
	}
	if !sp.rule.GroupMissing {
		out = append(out, sp.rule.By...)
	}
	out = append(out, sp.rule.Of...)
	slices.Sort(out)
	return slices.Compact(out)
}

// state makes the rule's state key.
func (b *builder) state(when, hit *expression, steps []stepExpressions) {
	k := stateText{rule: b.rule, used: b.m.lists, lists: b.c.lists}
	if when != nil {
		k.when = when.normal
	}
	for i, e := range b.except {
		k.except = append(k.except, e.normal)
		k.until = append(k.until, b.m.except[i].until)
	}
	if hit != nil {
		k.more = append(k.more, "hit", hit.normal)
	}
	for _, e := range steps {
		k.more = append(k.more, "step", e.when.normal)
		if e.until != nil {
			k.more = append(k.more, "until", e.until.normal)
		}
	}
	k.more = append(k.more, b.rule.parts()...)
	b.rule.State = k.key()
}
