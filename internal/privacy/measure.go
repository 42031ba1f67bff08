package privacy

import (
	"math"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// A number can hold a person's number as well as a string can: a card's in the field of the score, a
// telephone's in that of the size. So no number is kept with more digits than it has a use for.
const (
	maxBytes   = 9_999_999_999      // of a request or response
	maxSpan    = 86_400_000_000_000 // nanoseconds of a call: a day
	maxAttempt = 99_999
	maxReal    = 10_000_000 // scores and milliseconds
	decimals   = 1e9
)

// measure bounds a number. Where more is worse, the bound stands for what lies beyond it: who sends too
// much must not be seen to have sent nothing.
func (w *Worker) measure(id event.ID) {
	ev := w.ev
	if event.FieldOf(id).Type == event.Double {
		v := ev.Float(id)
		if math.Abs(v) > maxReal {
			w.found(kindNumber)
			ev.Clear(id)
			return
		}
		if short := math.Round(v*decimals) / decimals; short != v {
			ev.SetFloat(id, short)
		}
		return
	}
	v, limit := ev.Int(id), int64(maxBytes)
	switch id {
	case event.HTTPResponseStatusCode, event.GatewayUpstreamStatus:
		if v < 0 || v > 999 {
			w.found(kindNumber)
			ev.Clear(id)
		}
		return
	case event.SourcePort:
		limit = math.MaxUint16
	case event.ClientASNumber:
		limit = math.MaxUint32
	case event.LivenessAttempt:
		limit = maxAttempt
	case event.EventDuration:
		limit = maxSpan
	}
	if v > limit || v < -limit {
		w.found(kindNumber)
		ev.SetInt(id, limit)
	}
}

// date keeps the day alone of a time that is not near the call's: a telephone number that was taken for
// seconds since 1970 is one of 1989 or 2169, and can be read back from it.
func (w *Worker) date(id event.ID) {
	const day, earliest = int64(24 * time.Hour), 946_684_800 * int64(time.Second) // 2000
	at := w.ev.Time(id)
	if at < earliest || at > w.ev.Time(event.Timestamp)+366*day {
		w.ev.SetTime(id, at-(at%day+day)%day)
	}
}
