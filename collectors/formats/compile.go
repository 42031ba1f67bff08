package formats

import "github.com/liveward/liveward/internal/event"

// compile makes the program of a definition and of those it extends.
func (d *definition) compile(base *definition) *program {
	fields, require, weights, fold, product := d.fields, d.require, d.weights, d.fold, d.product
	if base != nil {
		fields = append(append([]fieldDef(nil), d.fields...), base.fields...)
		fold = append(append([][]step(nil), base.fold...), d.fold...)
		if len(require) == 0 && len(weights) == 0 {
			require, weights = base.require, base.weights
		}
		if product == "" {
			product = base.product
		}
	}
	t := newTree()
	for _, steps := range fold {
		t.at(steps).fold = true
	}
	want := func(ref pathRef) *treeNode {
		n := t.at(ref.steps)
		n.wanted = true
		return n
	}
	type nodes struct {
		from []*treeNode
		when []*treeNode
		plus *treeNode
	}
	at := make([]nodes, len(fields))
	for i, f := range fields {
		for _, ref := range f.from {
			at[i].from = append(at[i].from, want(ref))
		}
		for _, c := range f.when {
			at[i].when = append(at[i].when, want(c.path))
		}
		if f.plus != nil {
			at[i].plus = want(*f.plus)
		}
	}
	var requireAt, weightAt []*treeNode
	for _, ref := range require {
		requireAt = append(requireAt, want(ref))
	}
	for _, w := range weights {
		weightAt = append(weightAt, want(w.path))
	}
	p := &program{name: d.name, product: product}
	p.root, p.slots = t.compile()
	for i, f := range fields {
		o := f.op
		if o.words != nil {
			o.words.index()
		}
		for _, n := range at[i].from {
			o.from = append(o.from, n.id)
		}
		for j, n := range at[i].when {
			o.when = append(o.when, condition{n.id, f.when[j].words})
		}
		if at[i].plus != nil {
			o.plus = at[i].plus.id
		}
		p.ops = append(p.ops, o)
	}
	for _, n := range requireAt {
		p.require = append(p.require, n.id)
	}
	for i, n := range weightAt {
		p.weights = append(p.weights, weight{n.id, weights[i].points})
	}
	return p
}

// provides are the fields a program can fill.
func (p *program) provides() []event.ID {
	ids := commonFields()
	for i := range p.ops {
		ids = append(ids, p.ops[i].fills()...)
	}
	return ids
}

func commonFields() []event.ID {
	return []event.ID{
		event.Timestamp, event.EventProvider, event.GatewayProduct, event.ObserverProduct,
		event.LivewardPrivacyDropped, event.LivewardPrivacyCount,
	}
}
