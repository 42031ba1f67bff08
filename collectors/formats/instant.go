package formats

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// instant is what the text of a time means: nanoseconds since the epoch. A time without a zone means two
// of them in the hour that comes twice, when clocks go back. Which one it is does not stand in the line,
// so a format says both.
type instant struct {
	ns   int64
	fold int64 // from ns to the second one; 0 where there is one
}

// plus is the instant d nanoseconds later; the same one where there is no such time.
func (t instant) plus(d int64) instant {
	if d > 0 && t.ns <= 1<<63-1-d-t.fold {
		t.ns += d
	}
	return t
}

// set sets a field of an event.
func (t instant) set(ev *event.Event, id event.ID) {
	if t.fold != 0 {
		ev.SetFold(id, t.ns, t.ns+t.fold)
		return
	}
	ev.SetTime(id, t.ns)
}

// localSeconds returns when clocks in loc show a time, and after how many seconds they show it again: 0 but
// in the hour that comes twice. Both are in seconds; local is the time were the zone UTC. What clocks
// skip as they go forward is read as if they had not yet: 02:30 is when they show 03:30.
func localSeconds(local int64, loc *time.Location) (at, fold int64) {
	const day = 24 * 60 * 60 // no zone is so far from UTC, and none changes twice in two days
	before, after := offsetAt(local-day, loc), offsetAt(local+day, loc)
	first, second := local-before, local-after
	switch {
	case before == after || offsetAt(second, loc) != after: // not changed yet, or skipped
		return first, 0
	case offsetAt(first, loc) != before:
		return second, 0
	}
	return first, second - first
}

// offsetAt is how many seconds east of Greenwich clocks in loc stand.
func offsetAt(unix int64, loc *time.Location) int64 {
	_, offset := time.Unix(unix, 0).In(loc).Zone()
	return int64(offset)
}
