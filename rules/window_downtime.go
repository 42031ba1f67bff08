package rules

import (
	"slices"
	"time"
)

// downtime is when no agent was heard: nothing that was pushed then could be taken. What it knows is
// in the journal, as the gaps between steps; a gap is known when it is over, before the watermark can
// pass it.
type downtime struct{ spans []span }

// span is a time from and until, exclusive.
type span struct{ from, until int64 }

// maxDowntimes bounds the gaps remembered. Of more, the oldest is forgotten.
const maxDowntimes = 64

// add remembers a gap.
func (d *downtime) add(from, until int64) {
	if from >= until {
		return
	}
	d.spans = append(d.spans, span{from, until})
	slices.SortStableFunc(d.spans, func(a, b span) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	if len(d.spans) > maxDowntimes {
		d.spans = append(d.spans[:0], d.spans[1:]...)
	}
}

// overlaps tells whether there was a gap within [from, until).
func (d *downtime) overlaps(from, until int64) bool {
	return slices.ContainsFunc(d.spans, func(s span) bool { return s.from < until && s.until > from })
}

// standstill is the time that is d after from, where clocks stand still within spans. They are in
// order of their beginnings.
func standstill(from int64, d time.Duration, spans []span) int64 {
	end, passed := timeAdd(from, d), from
	for _, s := range spans {
		if s.from >= end {
			break
		}
		if begin := max(s.from, passed); s.until > begin {
			end = timeAdd(end, time.Duration(s.until-begin))
			passed = s.until
		}
	}
	return end
}

func (d *downtime) appendTo(w *snapshotWriter) {
	w.count(len(d.spans))
	for _, s := range d.spans {
		w.int(s.from)
		w.int(s.until)
	}
}

func (d *downtime) readFrom(r *snapshotReader) {
	n := r.count(2)
	if n > maxDowntimes {
		r.fail()
	}
	last := int64(noTime)
	for range n {
		s := span{r.int(), r.int()}
		if s.from >= s.until || s.from < last {
			r.fail()
		}
		if r.err != nil {
			return
		}
		last = s.from
		d.spans = append(d.spans, s)
	}
}
