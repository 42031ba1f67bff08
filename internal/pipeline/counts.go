package pipeline

import (
	"maps"
	"strings"
	"sync"

	"github.com/liveward/liveward/internal/event"
)

// Counts counts what went through, for status lines, summaries and metrics. It is safe for
// concurrent use.
type Counts struct {
	mu    sync.Mutex
	total Totals
}

// Totals are counts since the start.
type Totals struct {
	Events      int64 // documents of parsed lines
	Quarantined int64 // documents of lines that could not be parsed
	Skipped     int64 // directives of formats, which give no document
	Late        int64
	Skewed      int64
	MappingGaps int64            // values a vendor map does not know
	Dropped     int64            // values privacy dropped or masked
	Kinds       map[string]int64 // lines by kind of what privacy dropped
	Decisions   map[string]int64 // liveness answers by decision
	Refused     int64            // calls with refused credentials
	NewestEvent int64            // largest event time, nanoseconds
	Batches     int64            // journal messages
}

func newTotals() Totals {
	return Totals{Kinds: map[string]int64{}, Decisions: map[string]int64{}}
}

// NewCounts makes counts at zero.
func NewCounts() *Counts { return &Counts{total: newTotals()} }

// Totals returns a copy.
func (c *Counts) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.total
	t.Kinds = maps.Clone(t.Kinds)
	t.Decisions = maps.Clone(t.Decisions)
	return t
}

// Add adds a processor's tally.
func (c *Counts) Add(t *Totals) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.addTotals(t)
}

func (t *Totals) addTotals(o *Totals) {
	t.Events += o.Events
	t.Quarantined += o.Quarantined
	t.Skipped += o.Skipped
	t.Late += o.Late
	t.Skewed += o.Skewed
	t.MappingGaps += o.MappingGaps
	t.Dropped += o.Dropped
	t.Refused += o.Refused
	t.Batches += o.Batches
	t.NewestEvent = max(t.NewestEvent, o.NewestEvent)
	for k, n := range o.Kinds {
		t.Kinds[k] += n
	}
	for k, n := range o.Decisions {
		t.Decisions[k] += n
	}
}

// reset sets the counts to zero and keeps the maps' memory.
func (t *Totals) reset() {
	clear(t.Kinds)
	clear(t.Decisions)
	*t = Totals{Kinds: t.Kinds, Decisions: t.Decisions}
}

func (t *Totals) add(ev *event.Event, quarantined bool) {
	if quarantined {
		t.Quarantined++
		return
	}
	t.Events++
	if ev.Bool(event.LivewardLate) {
		t.Late++
	}
	if ev.Bool(event.LivewardSkewed) {
		t.Skewed++
	} else {
		t.NewestEvent = max(t.NewestEvent, ev.Time(event.Timestamp))
	}
	t.MappingGaps += int64(len(ev.List(event.LivewardMappingGap)))
	t.Dropped += ev.Int(event.LivewardPrivacyCount)
	for _, k := range ev.List(event.LivewardPrivacyDropped) {
		count(t.Kinds, k)
	}
	if d := ev.Str(event.LivenessDecision); d != "" {
		count(t.Decisions, d)
	}
	if ev.Str(event.GatewayAuth) == "refused" {
		t.Refused++
	}
}

// count adds one under a key that may be a slot: only a new key is copied.
func count(m map[string]int64, key string) {
	if n, ok := m[key]; ok {
		m[key] = n + 1
		return
	}
	if len(m) < 64 { // kinds and decisions come from fixed tables; this is the guard behind them
		m[strings.Clone(key)] = 1
	}
}
