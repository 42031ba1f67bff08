package pipeline

import (
	"time"

	"github.com/liveward/liveward/internal/event"
)

// foldStep is how far a line without a zone must step back, behind its source's newest event, to be of the
// second pass of an hour that comes twice; a source's lateness where that is longer. Lines of the first
// pass that came out of order step back by seconds.
const foldStep = time.Minute

// settle decides which of two instants a time means that was written without a zone, in the hour that comes
// twice when clocks go back: the first one, until the lines step back by more than can be disorder. From
// there on the newest event is of the second pass, and so are the lines that follow. Like lateness it is a
// function of the source's lines, and goes on after a restart where it was; when a line was read decides
// nothing, except that what would lie in the future is no second pass.
//
// Other times of the event are the later of their two instants, unless that lies after the event.
func (p *Processor) settle(ev *event.Event, pos *event.Position, ingest int64) {
	for _, f := range ev.Folds {
		if f.ID == event.Timestamp && ev.Time(f.ID) == f.First {
			ev.SetBool(event.LivewardAmbiguous, true)
			if p.secondPass(f, p.clock(pos).max, ingest) {
				ev.SetTime(f.ID, f.Second)
			}
		}
	}
	t := ev.Time(event.Timestamp)
	for _, f := range ev.Folds {
		if f.ID != event.Timestamp && ev.Time(f.ID) == f.First && f.Second <= t {
			ev.SetTime(f.ID, f.Second)
		}
	}
}

// secondPass tells whether a line is of the second pass; newest is its source's newest event time, 0 where
// there is none: then nothing steps back.
func (p *Processor) secondPass(f event.Fold, newest, ingest int64) bool {
	if p.JudgeSkew && f.Second > ingest+int64(SkewLimit) {
		return false
	}
	step := min(max(int64(p.Lateness), int64(foldStep)), (f.Second-f.First)/2)
	return newest-f.First > step
}
