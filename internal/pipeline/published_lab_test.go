package pipeline_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

// lab runs streams.
type lab struct {
	t       testing.TB
	stream  stream
	bench   *bench
	opens   int64
	set     *rules.Set
	proc    *pipeline.Processor
	windows *rules.Windows
	cfg     rules.WindowConfig

	pos     event.Position
	named   map[string]int64 // offsets of lines with names
	journal []fed
	ingest  int64 // of the last step
	alerts  []*event.Alert

	saved  []byte // snapshot of the windows
	at     event.Position
	stored int            // alerts at that moment
	lost   []*event.Alert // of a killed agent, which must come again as they were
}

// fed is a line that was read.
type fed struct {
	text   string
	offset int64
	ingest int64
}

func newLab(t testing.TB, b *bench, s stream) *lab {
	t.Helper()
	if s.opens == "" {
		s.opens = "2026-01-01T00:00:00Z"
	}
	if s.unit == 0 {
		s.unit = time.Second
	}
	opens, err := time.Parse(time.RFC3339, s.opens)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{
		t: t, stream: s, bench: b, opens: opens.UnixNano(), named: map[string]int64{},
		cfg: rules.WindowConfig{Lateness: s.lateness},
		pos: event.Position{Source: "gw", Path: "/gw.log", Ordinal: 1, Fingerprint: event.HashStrings("first line")},
	}
	l.set = l.compile(s.rule)
	l.windows = rules.NewWindows(l.set.Rules(), l.set.Hash(), l.cfg)
	l.begin()
	return l
}

// compile makes the rule set of a rule's text, to which what no case is about is added.
func (l *lab) compile(body string) *rules.Set {
	l.t.Helper()
	fsys := fstest.MapFS{"playbooks/t/p.md": {Data: []byte("# p\n")}}
	for name, text := range l.stream.lists {
		fsys["lists/"+name+".yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	if body != "" {
		fsys["t.case.yaml"] = &fstest.MapFile{Data: []byte(ruleText("t.case", body))}
	}
	set, err := rules.Load(fsys, rules.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	return set
}

// ruleText is a whole rule.
func ruleText(id, body string) string {
	text := "id: " + id + "\ndescription: of a published case\nplaybook: t/p\ntests: [{name: quiet, events: [{at: 0s}], alerts: []}]\n" + strings.TrimSpace(body) + "\n"
	for _, key := range []string{"version: 1", "severity: high", "title: a case"} {
		name, _, _ := strings.Cut(key, ":")
		if !strings.Contains(text, "\n"+name+":") {
			text += key + "\n"
		}
	}
	return text
}

// begin makes the processor of an agent that starts, at the position that was stored.
func (l *lab) begin() {
	l.proc = l.bench.processor()
	l.proc.Lateness = l.stream.lateness
	if l.stream.lateness == 0 {
		l.proc.Lateness = pipeline.DefaultLateness
	}
	l.proc.SetRules(l.set)
	l.proc.Resume(l.pos)
}

// back is the agent that comes back with a snapshot.
func (l *lab) back(snapshot []byte) {
	l.t.Helper()
	l.windows = rules.NewWindows(l.set.Rules(), l.set.Hash(), l.cfg)
	if err := l.windows.Restore(snapshot); err != nil {
		l.t.Fatal(err)
	}
	l.begin()
}

// run runs the events, and what is left when the log has ended.
func (l *lab) run(words string) {
	l.t.Helper()
	for word := range strings.FieldsSeq(words) {
		l.word(word)
	}
}

// line reads a line of the log.
func (l *lab) line(text string, offset, ingest int64) {
	if l.ingest != 0 {
		l.quiet(ingest)
	}
	l.ingest = max(l.ingest, ingest)
	l.journal = append(l.journal, fed{text, offset, l.ingest})
	signals := l.process(l.proc, l.journal[len(l.journal)-1])
	l.pos.End = max(l.pos.End, offset+int64(len(text))+1)
	l.apply(signals)
}

// quiet lets the agent stand at the end of the log up to a time, and say so every half minute.
func (l *lab) quiet(until int64) {
	const tick = int64(30 * time.Second)
	for until-l.ingest < int64(24*time.Hour) && l.ingest+tick < until { // over days it makes no difference
		l.tick(l.ingest + tick)
	}
}

// tick is what an agent says every half minute: how far it has read, and that there is no more.
func (l *lab) tick(at int64) {
	l.ingest = max(l.ingest, at)
	l.pos.Idle = true
	l.apply(nil)
	l.pos.Idle = false
}

func (l *lab) process(p *pipeline.Processor, f fed) []event.Signal {
	var signals event.SignalBuffer
	line := event.Line{Offset: f.offset, Data: []byte(f.text)}
	if done := p.Process(&line, &l.pos, f.ingest, &signals); done.Quarantined {
		l.t.Fatalf("line is refused: %s", f.text)
	}
	return signals.Signals
}

// apply gives the windows one batch.
func (l *lab) apply(signals []event.Signal) {
	l.take(l.windows.Apply(rules.Step{Agent: "agent-1", Ingest: l.ingest, Signals: signals, Positions: []event.Position{l.pos}}))
}

func (l *lab) take(fired []rules.Fired) {
	for _, f := range fired {
		l.alerts = append(l.alerts, f.Alert)
	}
}

// reload changes the rule, and fills its windows from what was read, where that is still there.
func (l *lab) reload(next int, journaled bool) {
	l.t.Helper()
	l.set = l.compile(l.stream.next[next-1])
	l.windows.Swap(l.set.Rules(), l.set.Hash())
	l.proc.SetRules(l.set)
	if !journaled {
		l.windows.Rebuilt(l.ingest)
		return
	}
	again := l.bench.processor()
	again.Lateness = l.proc.Lateness
	again.SetRules(l.set)
	pos := l.pos
	l.pos.MaxTime = 0
	for _, f := range l.journal {
		l.take(l.windows.Rebuild(rules.Step{Agent: "agent-1", Ingest: f.ingest, Signals: l.process(again, f), Positions: []event.Position{l.pos}}))
	}
	l.pos = pos
	l.windows.Rebuilt(math.MinInt64)
}

// end is the end of the log. What a killed agent had fired must have come again, byte for byte.
func (l *lab) end() {
	l.t.Helper()
	l.take(l.windows.End())
	have := map[string]bool{}
	for _, a := range l.alerts {
		have[string(a.AppendJSON(nil))] = true
	}
	for _, a := range l.lost {
		if !have[string(a.AppendJSON(nil))] {
			l.t.Errorf("the alert @%s of the agent that was killed did not come again as it was", l.seconds(a.Time))
		}
	}
}
