package enrich

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Bounds and defaults of a Watch.
const (
	DefaultWatchWindow = 10 * time.Minute
	DefaultWatchCalls  = 5
	maxWatched         = 256
)

// Expects tells whether a call that Apply has seen should have yielded a liveness outcome: it
// succeeded, on a route or with an action that yields one.
func (e *Enricher) Expects(ev *event.Event) bool {
	status := ev.Int(event.HTTPResponseStatusCode)
	if status < 200 || status >= 300 {
		return false
	}
	i := actionIndex(ev.Str(event.EventAction))
	return i >= 0 && e.expect&(1<<i) != 0
}

// Watch counts, for each source, the liveness calls that should have yielded an outcome and the
// outcomes seen. HTTP status cannot see liveness: a gateway whose log has no outcomes would leave the
// spoof rules blind without a word. It belongs to one goroutine and lives on event time.
type Watch struct {
	window time.Duration
	calls  int64
	tally  map[string]*tally
}

type tally struct {
	since           int64
	calls, outcomes int64
}

// NewWatch returns a watch that judges windows of a length (0: DefaultWatchWindow) in which a source
// had at least so many calls (0: DefaultWatchCalls).
func NewWatch(window time.Duration, calls int) *Watch {
	if window <= 0 {
		window = DefaultWatchWindow
	}
	if calls <= 0 {
		calls = DefaultWatchCalls
	}
	return &Watch{window: window, calls: int64(calls), tally: map[string]*tally{}}
}

// Observe counts one event after its enricher's Apply; before or after privacy makes no difference.
func (w *Watch) Observe(e *Enricher, ev *event.Event) {
	outcome := ev.Has(event.LivenessDecision)
	if !outcome && !e.Expects(ev) {
		return
	}
	source := ev.Str(event.LivewardSource)
	t := w.tally[source]
	if t == nil {
		if len(w.tally) >= maxWatched {
			return
		}
		t = &tally{since: ev.Time(event.Timestamp)}
		w.tally[strings.Clone(source)] = t
	}
	t.calls++
	if outcome {
		t.outcomes++
	}
}

// Blind is a source that shows liveness calls and no outcome of any.
type Blind struct {
	Source string
	Calls  int64         // calls that should have yielded an outcome
	Window time.Duration // event time in which they came
}

// String is the message for people.
func (b Blind) String() string {
	return fmt.Sprintf("0 outcomes seen in %s on a liveness route: source %s logged %d successful liveness calls and no verdict; spoof rules are blind there until the gateway logs the outcome",
		event.FormatDuration(b.Window), b.Source, b.Calls)
}

// Report judges every source whose window is over at event time now (nanoseconds), and begins its next
// window. The result is in order of the source's name.
func (w *Watch) Report(now int64) []Blind {
	var blind []Blind
	for source, t := range w.tally {
		span := time.Duration(now - t.since)
		if span < w.window {
			continue
		}
		if t.outcomes == 0 && t.calls >= w.calls {
			blind = append(blind, Blind{Source: source, Calls: t.calls, Window: span.Truncate(time.Minute)})
		}
		delete(w.tally, source)
	}
	slices.SortFunc(blind, func(a, b Blind) int { return strings.Compare(a.Source, b.Source) })
	return blind
}
