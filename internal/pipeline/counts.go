package pipeline

import (
	"strings"
	"sync"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// Counts counts what went through, by input and by rule, for status lines, summaries, health and
// metrics. It is safe for concurrent use.
type Counts struct {
	mu     sync.Mutex
	inputs map[string]*Totals
	rules  map[string]*rules.MatchStats // by id, of every set since the start
}

// Totals are counts since the start.
type Totals struct {
	Lines       int64 // read, skipped ones among them
	Bytes       int64 // of these lines, without what parts them
	Events      int64 // documents of parsed lines
	Quarantined int64 // documents of lines that could not be parsed
	Skipped     int64 // directives of formats, which give no document
	Late        int64
	Skewed      int64
	Ambiguous   int64            // of the hour that comes twice, without a zone
	MappingGaps int64            // values a vendor map does not know
	Dropped     int64            // values privacy dropped or masked
	Kinds       map[string]int64 // lines by kind of what privacy dropped
	Decisions   map[string]int64 // liveness answers by decision
	Refused     int64            // calls with refused credentials
	NewestEvent int64            // largest event time, nanoseconds
	Batches     int64            // journal messages
	Blind       int64            // liveness calls in windows in which no call had an outcome
	LastIngest  int64            // when the newest line was read, nanoseconds
	Delay       int64            // between the newest event and its reading, nanoseconds, in the last batch with lines
}

func newTotals() Totals {
	return Totals{Kinds: map[string]int64{}, Decisions: map[string]int64{}}
}

// NewCounts makes counts at zero.
func NewCounts() *Counts {
	return &Counts{inputs: map[string]*Totals{}, rules: map[string]*rules.MatchStats{}}
}

// Totals returns the sum over all inputs.
func (c *Counts) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := newTotals()
	for _, in := range c.inputs {
		t.addTotals(in)
	}
	return t
}

// Input returns a copy of what one input had; zero where it had nothing yet.
func (c *Counts) Input(name string) Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := newTotals()
	if in := c.inputs[name]; in != nil {
		t.addTotals(in)
	}
	return t
}

// Add adds a processor's tally to an input's. Names of inputs come from the configuration.
func (c *Counts) Add(input string, t *Totals) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inputs[input] == nil {
		in := newTotals()
		c.inputs[input] = &in
	}
	c.inputs[input].addTotals(t)
}

// Rule returns what matching did with a rule, over all inputs.
func (c *Counts) Rule(id string) rules.MatchStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rules[id]; r != nil {
		return *r
	}
	return rules.MatchStats{}
}

// maxRuleCounts bounds the rules that are counted over the life of a process, reloads included.
const maxRuleCounts = 10_000

// addRule adds what matching did with a rule since it was last told.
func (c *Counts) addRule(id string, s rules.MatchStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rules[id]
	if r == nil {
		if len(c.rules) >= maxRuleCounts {
			return
		}
		r = new(rules.MatchStats)
		c.rules[id] = r
	}
	r.Matches += s.Matches
	r.NoKey += s.NoKey
	r.Excepted += s.Excepted
	r.Errors += s.Errors
	r.Tried += s.Tried
	r.Nanoseconds += s.Nanoseconds
}

func (t *Totals) addTotals(o *Totals) {
	t.Lines += o.Lines
	t.Bytes += o.Bytes
	t.Blind += o.Blind
	if o.LastIngest >= t.LastIngest && o.Lines > 0 {
		t.LastIngest, t.Delay = o.LastIngest, o.Delay
	}
	t.Events += o.Events
	t.Quarantined += o.Quarantined
	t.Skipped += o.Skipped
	t.Late += o.Late
	t.Skewed += o.Skewed
	t.Ambiguous += o.Ambiguous
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
	if ev.Bool(event.LivewardAmbiguous) {
		t.Ambiguous++
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
