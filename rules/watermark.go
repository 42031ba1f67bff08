package rules

import (
	"math"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// noTime is the watermark before any source has a time: nothing is behind it.
const noTime = math.MinInt64

const (
	// maxTails bounds the tailed paths that are remembered. Paths come from the configuration, not
	// from log content; the bound is against a glob gone wrong.
	maxTails = 1 << 16
	// maxTailFiles bounds the files of one path that are not read to their end.
	maxTailFiles = 256
	// maxAgents bounds the agents whose clocks are remembered.
	maxAgents = 1 << 12
)

// watermark is the event time that every source has passed. An event older than it is behind: its
// place in the order of events has been given out already.
//
// A source is one tailed path of one writer. It holds the watermark at its largest event time less
// its lateness, while it has a file that is neither idle nor done nor unheard of for hold. Only its
// collector declares it idle: silence of a source is no sign that it has nothing to say. When no
// source holds, the watermark follows the journal's ingest time. It never goes back.
type watermark struct {
	now        int64
	ingest     int64 // largest ingest time of any step
	alive      time.Duration
	agents     map[string]agentClock
	registered bool // a source was seen, ever
	begun      bool // Windows.begin was called, ever
	down       *downtime
	tails      map[tailKey]*tail

	lateness   time.Duration
	latenessOf func(source string) time.Duration
	hold       time.Duration
}

// agentClock is where an agent stood at its last step.
type agentClock struct {
	ingest int64
	alive  time.Duration
}

// tailKey names a source. Two agents may tail the same path on two hosts.
type tailKey struct {
	agent string
	event.SourceKey
}

// tail is one tailed path.
type tail struct {
	key      tailKey
	lateness time.Duration
	max      int64         // largest event time, noTime before the first
	seen     time.Duration // of alive, when a step last named the path
	files    []tailFile
}

// tailFile is a file of the path that is not read to its end.
type tailFile struct {
	ordinal uint64
	idle    bool
	seen    time.Duration
}

func newWatermark(cfg WindowConfig) watermark {
	return watermark{
		now: noTime, ingest: noTime, tails: map[tailKey]*tail{}, agents: map[string]agentClock{}, down: new(downtime),
		lateness: cfg.Lateness, latenessOf: cfg.LatenessOf, hold: cfg.Hold,
	}
}

// tick takes the ingest time of a step.
//
// Silence is measured by alive: the time for which some agent has been heard, by that agent's own
// clock. A gap between two steps of one agent counts for little, whatever its length: after an hour
// in which everything was down, nobody is the silent one, and neither is an agent whose clock differs
// from another's.
func (m *watermark) tick(agent string, ingest int64) {
	m.ingest = max(m.ingest, ingest)
	c, ok := m.agents[agent]
	switch {
	case ok && ingest > c.ingest:
		gap := max(m.hold/10, 1)
		if ingest < timeAdd(c.ingest, gap) {
			gap = time.Duration(ingest - c.ingest)
		} else if from := timeAdd(c.ingest, m.alive-c.alive); c.ingest > 0 && ingest >= timeAdd(from, gap) {
			m.down.add(from, ingest) // while others were heard in the meantime, not all was down
		}
		m.alive = max(m.alive, c.alive+gap)
		c.ingest = ingest
	case !ok && len(m.agents) == maxAgents:
		return
	case !ok:
		c.ingest = ingest
	}
	c.alive = m.alive
	m.agents[agent] = c
}

// tail finds the source of a position and registers it where it is new.
func (m *watermark) tail(agent string, p *event.Position) *tail {
	key := tailKey{agent, p.Key()}
	if t := m.tails[key]; t != nil {
		return t
	}
	t := &tail{key: key, lateness: m.latenessFor(key.Source), max: noTime, seen: m.alive}
	if len(m.tails) < maxTails {
		m.tails[key] = t
	}
	m.registered = true
	return t
}

func (m *watermark) latenessFor(source string) time.Duration {
	if m.latenessOf == nil {
		return m.lateness
	}
	return max(m.latenessOf(source), 0)
}

// observe takes what a position says of its source.
func (m *watermark) observe(t *tail, p *event.Position) {
	t.seen = m.alive
	if p.MaxTime != 0 {
		t.max = max(t.max, p.MaxTime)
	}
	i := 0
	for i < len(t.files) && t.files[i].ordinal != p.Ordinal {
		i++
	}
	switch {
	case p.Done && i < len(t.files):
		t.files = append(t.files[:i], t.files[i+1:]...)
	case p.Done:
	case i < len(t.files):
		t.files[i].idle, t.files[i].seen = p.Idle, m.alive
	default:
		if len(t.files) == maxTailFiles {
			t.files = append(t.files[:0], t.files[1:]...)
		}
		t.files = append(t.files, tailFile{p.Ordinal, p.Idle, m.alive})
	}
}

// advance moves the watermark to where the sources allow it, and forgets sources that are gone.
func (m *watermark) advance() {
	if !m.registered {
		return
	}
	least, held := int64(math.MaxInt64), false
	slack := m.lateness
	if m.latenessOf != nil {
		slack = 0
	}
	for key, t := range m.tails {
		if t.holds(m.alive - m.hold) {
			held = true
			least = min(least, timeSub(t.max, t.lateness))
		} else if t.seen < m.alive-m.hold {
			delete(m.tails, key)
			continue
		}
		slack = max(slack, t.lateness)
	}
	if !held {
		least = timeSub(m.ingest, slack)
	}
	m.now = max(m.now, least)
	for name, c := range m.agents {
		if c.alive < m.alive-m.hold {
			delete(m.agents, name)
		}
	}
}

// holds tells whether the source keeps the watermark back. Files that no step has named since are
// forgotten: their agent is silent, or they are no longer configured.
func (t *tail) holds(since time.Duration) bool {
	kept, holds := t.files[:0], false
	for _, f := range t.files {
		if f.seen < since {
			continue
		}
		kept = append(kept, f)
		holds = holds || !f.idle
	}
	t.files = kept
	return holds
}

// timeSub is t − d, at the edge of the scale instead of beyond it: log lines may carry any time.
func timeSub(t int64, d time.Duration) int64 {
	if t == noTime || t < math.MinInt64+int64(d) {
		return math.MinInt64
	}
	return t - int64(d)
}

// timeAdd is t + d, at the edge of the scale instead of beyond it.
func timeAdd(t int64, d time.Duration) int64 {
	if t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}
