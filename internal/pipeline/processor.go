// Package pipeline is the order of the stages. Before the journal, in Processor:
//
//	line → format → vendor map → enrich → privacy → match → encode
//
// and Intake puts what comes out into the journal, together with the positions it came from. After
// the journal, readers with a cursor of their own: Detector runs the windows and appends alerts,
// Delivery hands documents to a forwarder, Notifying hands alerts to the incidents.
//
// The stages themselves live elsewhere. This package never decides what a stage does, only when.
package pipeline

import (
	"errors"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/privacy"
	"github.com/liveward/liveward/rules"
)

// SkewLimit is how far an event's time may lie after the time it was read. Beyond it windows use the
// time it was read, and the watermark does not move.
const SkewLimit = time.Minute

// DefaultLateness is how far behind its own source's newest event an event may come and still count
// in windows.
const DefaultLateness = 5 * time.Second

// maxDocument bounds one encoded document. Fields are bounded each; this is the last guard.
const maxDocument = 1 << 20

// surelyFits is the length of a line that no document larger than maxDocument is made of: its bytes stand
// in four fields at most, and six bytes of JSON stand for one.
const surelyFits = 32 << 10

const reasonOversize = "line is longer than the collector's limit"

// Identity is what every document says of the agent that made it.
type Identity struct {
	Agent   string // agent.id
	Version string // agent.version
	Host    string // host.name
}

// Stages are the parts a Processor runs, in this order.
type Stages struct {
	Format  formats.Format
	Vendors *vendors.Set
	Vendor  string // fallback where the line names none
	Enrich  *enrich.Enricher
	Privacy *privacy.Worker
	// Lateness of the source; DefaultLateness where zero, none where negative.
	Lateness time.Duration
	// JudgeSkew is off only in replays of bare files, where there is no ingest time to judge from.
	JudgeSkew bool
	// Raw leaves out privacy, for debugging of maps on a terminal. Nothing raw is ever stored.
	Raw bool
	// Clock only goes forward, and measures what rules cost; nil measures nothing.
	Clock func() time.Duration
	// Joins are the roles of events that joins look at; none where nothing is joined.
	Joins join.Roles
	// Recovers is set for lines that stand in the journal already, in quarantine: what they become now has
	// an id of its own.
	Recovers bool
	// Undocumented leaves out documents, but for those that joins look at: nobody reads the others.
	Undocumented bool
	// Explain, where it is not nil, sees each event after each stage. Watch sets it.
	Explain *Explainer
}

// Processor turns lines of one source into documents and signals. It is for one goroutine.
type Processor struct {
	Stages
	who Identity

	// Tally counts what was processed since its owner last took it.
	Tally Totals

	ids     ids
	ev      event.Event
	doc     []byte
	sources map[event.SourceKey]*clock
	last    *clock // the one that was asked for last: lines of a source come one after another
	watch   *enrich.Watch
	newest  int64 // event time, over all sources
	set     *rules.Set
	unnamed bool // events have no id until a rule matches: nobody sees the others'
	matcher *rules.Matcher
	told    []rules.MatchStats // of the matcher, by an earlier tellMatches
}

// clock is a source's progress in event time.
type clock struct {
	key event.SourceKey
	max int64
}

// NewProcessor makes a processor.
func NewProcessor(s Stages, who Identity) *Processor {
	if s.Lateness == 0 {
		s.Lateness = DefaultLateness
	}
	s.Lateness = max(s.Lateness, 0)
	return &Processor{Stages: s, who: who, Tally: newTotals(), sources: make(map[event.SourceKey]*clock), watch: enrich.NewWatch(0, 0)}
}

// SetRules changes the rules that later lines are matched against; nil matches none.
func (p *Processor) SetRules(set *rules.Set) {
	p.set, p.matcher = set, nil
	p.unnamed = p.Undocumented && p.Joins == 0 && p.Explain == nil && (set == nil || !set.Reads(event.EventID))
	if set == nil {
		return
	}
	p.matcher = set.NewMatcher()
	p.told = make([]rules.MatchStats, len(set.Rules()))
	if p.Clock != nil {
		p.matcher.Measure(p.Clock)
	}
}

// tellMatches tells what matching did with each rule since it was last told.
func (p *Processor) tellMatches(tell func(rule string, s rules.MatchStats)) {
	if p.matcher == nil {
		return
	}
	for i, now := range p.matcher.Stats() {
		was := &p.told[i]
		if now == *was {
			continue
		}
		tell(p.set.Rules()[i].ID, rules.MatchStats{
			Matches: now.Matches - was.Matches, NoKey: now.NoKey - was.NoKey, Excepted: now.Excepted - was.Excepted,
			Errors: now.Errors - was.Errors, Tried: now.Tried - was.Tried, Nanoseconds: now.Nanoseconds - was.Nanoseconds,
		})
		*was = now
	}
}

// Resume restores the event time a source had reached, from a stored position.
func (p *Processor) Resume(pos event.Position) {
	c := p.clock(&pos)
	c.max = max(c.max, pos.MaxTime)
}

// mark notes the event time the sources of positions have reached, so that rewind can go back to it
// when what was processed since could not be stored and will come again.
func (p *Processor) mark(positions []event.Position, dst []int64) []int64 {
	dst = dst[:0]
	for i := range positions {
		dst = append(dst, p.clock(&positions[i]).max)
	}
	return dst
}

func (p *Processor) rewind(positions []event.Position, mark []int64) {
	for i := range positions {
		p.clock(&positions[i]).max = mark[i]
	}
	p.Tally.reset()
}

// forget forgets how far sources have come: the next line is judged by itself.
func (p *Processor) forget() {
	clear(p.sources)
	p.last = nil
}

func (p *Processor) clock(pos *event.Position) *clock {
	key := pos.Key()
	if p.last != nil && p.last.key == key {
		return p.last
	}
	c := p.sources[key]
	if c == nil {
		c = &clock{key: key}
		p.sources[key] = c
	}
	p.last = c
	return c
}

// Processed is what became of one line. Doc is valid until the next call.
type Processed struct {
	ID          event.Hash
	Doc         []byte       // empty where it was left out
	Event       *event.Event // what Doc encodes; valid until the next call; nil where Doc was joined of others
	Tenant      string       // valid until the next call
	Quarantined bool
	Skipped     bool // a directive of the format: no document
	Joins       bool // joins look at it
	Signals     int  // bytes its signals take in the journal, at most
}

// Process runs the stages over one line of the file at pos, and adds its signals to the buffer. It
// gives a document, of the event or of the quarantined line, except for a directive of the format. pos.MaxTime is moved forward.
func (p *Processor) Process(line *event.Line, pos *event.Position, ingest int64, signals *event.SignalBuffer) Processed {
	ev := &p.ev
	ev.Reset()
	var id event.Hash
	if !p.unnamed {
		id = p.idOf(line, pos)
	}
	before := len(signals.Signals)
	p.Tally.Lines++
	p.Tally.Bytes += int64(len(line.Data))

	reason := ""
	if line.Oversize {
		reason = reasonOversize
	} else if err := p.Format.Parse(line.Data, ev); errors.Is(err, formats.ErrSkip) {
		p.Tally.Skipped++
		return Processed{ID: id, Skipped: true}
	} else if err != nil {
		reason = err.Error()
	}
	if reason == "" {
		p.trace(stageFormat)
		if p.Recovers {
			ev.SetLabel("replay", "deadletter")
		}
		if len(ev.Folds) > 0 {
			p.settle(ev, pos, ingest)
			p.trace(stageAgent)
		}
		p.Vendors.Apply(ev, p.Vendor)
		p.trace(stageVendor)
		p.Enrich.Apply(ev)
		p.trace(stageEnrich)
		p.stamp(ev, pos, ingest)
		p.provenance(ev, id, line, pos, ingest)
		p.trace(stageAgent)
		p.watch.Observe(p.Enrich, ev)
		if !p.Raw {
			p.Privacy.Apply(ev)
		}
		p.trace(stagePrivacy)
	} else {
		p.quarantine(line, pos, ingest, id, reason)
	}
	p.encode(line)
	if len(p.doc) > maxDocument {
		reason = "document is larger than 1 MiB"
		p.quarantine(line, pos, ingest, id, reason)
		p.encode(line)
	}
	size := p.match(line, id, ingest, signals)
	if size > eventSignals {
		signals.Signals = signals.Signals[:before]
		reason = "signals of the event are larger than 1 MiB"
		p.quarantine(line, pos, ingest, id, reason)
		p.encode(line)
		size = p.match(line, id, ingest, signals)
	}
	if p.unnamed && len(signals.Signals) > before {
		id = p.idOf(line, pos)
		for i := before; i < len(signals.Signals); i++ {
			signals.Signals[i].Event = id
		}
	}
	p.Tally.add(ev, reason != "")
	return Processed{ID: id, Doc: p.doc, Event: ev, Tenant: ev.Str(event.OrganizationID), Quarantined: reason != "", Joins: p.joined(), Signals: size}
}

func (p *Processor) idOf(line *event.Line, pos *event.Position) event.Hash {
	id := p.ids.of(line, pos)
	if p.Recovers {
		id = recoveredID(id)
	}
	return id
}

// encode makes the document of the event, if anybody reads it, or its size is in doubt.
func (p *Processor) encode(line *event.Line) {
	p.doc = p.doc[:0]
	if !p.Undocumented || p.joined() || len(line.Data) > surelyFits {
		p.doc = p.ev.AppendJSON(p.doc)
	}
}

// joined tells whether joins look at the event.
func (p *Processor) joined() bool { return p.Joins != 0 && join.RolesOf(&p.ev)&p.Joins != 0 }

// The stages that an event goes through.
const (
	stageFormat  = "format"
	stageVendor  = "vendor map"
	stageEnrich  = "enrich"
	stageAgent   = "agent"
	stagePrivacy = "privacy"
)

func (p *Processor) trace(stage string) {
	if p.Explain != nil {
		p.Explain.trace(stage, &p.ev)
	}
}

// match adds the event's signals to the buffer and returns what they take in the journal, at most. What
// has no time has no place in any window: that is a bad line at the beginning of a replay, where nobody
// knows when it was read.
func (p *Processor) match(line *event.Line, id event.Hash, ingest int64, signals *event.SignalBuffer) int {
	if p.matcher == nil || !p.ev.Has(event.Timestamp) {
		return 0
	}
	before := len(signals.Signals)
	p.matcher.Match(&p.ev, rules.Origin{Event: id, File: line.File, Offset: line.Offset, Ingest: ingest}, signals)
	size := 0
	for i := before; i < len(signals.Signals); i++ {
		s := &signals.Signals[i]
		for k := range s.Show {
			if v := &s.Show[k]; len(v.Str) > showBytes {
				v.Str = v.Str[:showBytes]
			}
		}
		size += journal.SignalBytes(s)
	}
	return size
}

// stamp judges the event's time: skew against the time it was read, lateness against its own
// source, so that both are a function of the lines and not of what else runs.
func (p *Processor) stamp(ev *event.Event, pos *event.Position, ingest int64) {
	t := ev.Time(event.Timestamp)
	if p.JudgeSkew && t > ingest+int64(SkewLimit) {
		ev.SetBool(event.LivewardSkewed, true)
		return
	}
	c := p.clock(pos)
	if t < c.max-int64(p.Lateness) {
		ev.SetBool(event.LivewardLate, true)
	}
	c.max = max(c.max, t)
	pos.MaxTime = max(pos.MaxTime, c.max)
	p.newest = max(p.newest, t)
}

// Blind lists the sources that had liveness calls and no outcome of any in the window that is over.
func (p *Processor) Blind() []enrich.Blind { return p.watch.Report(p.newest) }

func (p *Processor) provenance(ev *event.Event, id event.Hash, line *event.Line, pos *event.Position, ingest int64) {
	if !p.unnamed {
		var text [event.HashTextLen]byte
		ev.SetString(event.EventID, ev.Keep(id.AppendText(text[:0])))
	}
	if p.JudgeSkew {
		ev.SetTime(event.EventCreated, ingest)
	}
	ev.SetString(event.LivewardSource, pos.Source)
	ev.SetInt(event.LivewardOffset, line.Offset)
	switch {
	case pos.Name != "":
		ev.SetString(event.LogFilePath, pos.Name)
	case !strings.HasPrefix(pos.Path, "-"):
		ev.SetString(event.LogFilePath, pos.Path)
	}
	ev.SetString(event.AgentID, p.who.Agent)
	ev.SetString(event.AgentVersion, p.who.Version)
	ev.SetString(event.HostName, p.who.Host)
}

// quarantine makes the event of a line that could not be read. Its time is that of its source, as
// far as it is known: the line has none that could be believed.
func (p *Processor) quarantine(line *event.Line, pos *event.Position, ingest int64, id event.Hash, reason string) {
	ev := &p.ev
	ev.Reset()
	p.Privacy.Quarantine(line.Data, ev, reason)
	p.Enrich.Stamp(ev)
	t := p.clock(pos).max
	if t == 0 {
		t = ingest
	}
	if t != 0 {
		ev.SetTime(event.Timestamp, t)
	}
	p.provenance(ev, id, line, pos, ingest)
}
