package formats

import (
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// Which operations have something to do depends only on which slots have values. Lines of one log
// differ little in that, so what was found out for one line is kept for those that are like it: most
// fields of a map then cost nothing, because their keys are not there or say nothing.

// maxPlans is how many kinds of lines are told apart. A log with more costs more time, not more memory.
const maxPlans = 64

// task is an operation to run.
type task struct {
	op   *op
	from uint32   // its first slot with a value
	to   event.ID // the op's
	as   conversion
	// quick: the value alone decides, and a value that does not fit has no effect but that the
	// next slot is tried.
	quick bool
	// words: the only value must be one of the operation's words, or there is nothing to do.
	words bool
}

// plan is the tasks of all lines whose slots are marked alike.
type plan struct {
	marks []mark
	tasks []task
}

// plans is the memory of one format.
type plans struct {
	kept [maxPlans]plan
	made int // how often a plan was missing
}

// of returns the tasks for marks.
func (p *plans) of(prog *program, marks []mark) []task {
	var h uint64
	for i := range marks {
		h = (h ^ marks[i].set) * 0x9E3779B97F4A7C15
		h = (h ^ h>>32 ^ marks[i].full) * 0xD6E8FEB86659FD93
	}
	// A plan may stand in one of four places.
	at := h >> 32 % (maxPlans / 4) * 4
	for i := range p.kept[at : at+4] {
		if k := &p.kept[at+uint64(i)]; k.tasks != nil && slices.Equal(k.marks, marks) {
			return k.tasks
		}
	}
	found := &p.kept[at+uint64(p.made%4)]
	p.made++
	found.marks = append(found.marks[:0], marks...)
	found.tasks = appendTasks(slices.Grow(found.tasks[:0], len(prog.ops)), prog.ops, marks)
	return found.tasks
}

// appendTasks finds the operations with something to do: one with from: if one of its slots has a value
// (for the TLS version already if there is one that says that there is none), one with value: if its
// conditions have something to look at.
func appendTasks(dst []task, ops []op, marks []mark) []task {
	for i := range ops {
		o := &ops[i]
		t := task{op: o, to: o.to, as: o.as, quick: o.simple()}
		run := len(o.from)+len(o.when) == 0
		if len(o.from) == 0 {
			for _, c := range o.when {
				run = run || isSet(marks, c.slot)
			}
		}
		values := 0
		for _, s := range slices.Backward(o.from) {
			if isFull(marks, s) {
				run, t.from = true, uint32(s)
				values++
			} else if o.as == asTLS && isSet(marks, s) {
				run, t.quick = true, false
			}
		}
		t.quick = t.quick && values > 0
		t.words = values == 1 && o.words != nil && o.words.other == "" && o.as != asTLS
		if run {
			dst = append(dst, t)
		}
	}
	return dst
}

// simple tells whether an operation is no more than a conversion.
func (o *op) simple() bool {
	return o.label == "" && o.constant == "" && len(o.from) > 0 && len(o.when) == 0 && o.words == nil && o.plus < 0 &&
		event.FieldOf(o.to).Type != event.Keywords
}

func isSet(marks []mark, slot int) bool  { return marks[slot/64].set>>(slot%64)&1 != 0 }
func isFull(marks []mark, slot int) bool { return marks[slot/64].full>>(slot%64)&1 != 0 }

// runAll runs the tasks for the line that was scanned.
func (f *mapFormat) runAll(tasks []task, ev *event.Event) {
	src, slots := f.scan.src, f.scan.slots
	for i := range tasks {
		t := &tasks[i]
		switch {
		case t.quick && ev.Has(t.to):
			continue
		case !t.quick && !t.words:
			f.run(t.op, ev)
			continue
		}
		s := &slots[t.from]
		if s.escaped || s.high || s.kind == kindArray || s.end-s.start > maxValue {
			f.run(t.op, ev)
			continue
		}
		text := event.Slot(src[s.start:s.end])
		switch {
		case t.words:
			if t.op.words.may(text) {
				f.run(t.op, ev)
			}
		case t.as == asText:
			ev.SetString(t.to, text)
		case !f.assign(ev, t.op, text):
			f.run(t.op, ev)
		}
	}
}
