package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// base is the instant from which tests count.
var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// at is an instant in seconds after base.
func at(seconds float64) int64 { return base + int64(math.Round(seconds*1e9)) }

// seconds is the inverse of at.
func seconds(ns int64) string { return strconv.FormatFloat(float64(ns-base)/1e9, 'f', -1, 64) }

// burst is the rule of the published cases: 5 in 60 s for one client.ip, suppressed for 60 s.
func burst(mods ...func(*Rule)) *Rule {
	r := &Rule{
		ID: "lw.test.burst", Version: 1, Severity: event.High, Mode: Live, Kind: Threshold,
		By: []event.ID{event.ClientIP}, Window: time.Minute, Count: 5,
		Suppress: Suppress{For: time.Minute},
	}
	for _, m := range mods {
		m(r)
	}
	r.State = event.HashStrings("state", r.ID, string(r.Kind), fmt.Sprint(r.By, r.Of, r.Once, r.Count, r.Window)+r.parameters())
	return r
}

// parameters are those of some kinds, for the state key.
func (r *Rule) parameters() string {
	switch r.Kind {
	case Sequence:
		return fmt.Sprint(r.Steps)
	case FirstSeen:
		return fmt.Sprint(r.FirstSeen)
	}
	return ""
}

// distinctUsers is the rule of the published cases for different values: 4 users in 60 s.
func distinctUsers(r *Rule) {
	r.ID, r.Kind, r.Count, r.Of = "lw.test.distinct", Distinct, 4, []event.ID{event.UserID}
}

// line is one event on its way to the windows, in order of arrival.
type line struct {
	t      int64
	ingest int64 // when it is read; 0 for its own time
	key    string
	of     []string // values of the rule's of, then once
	show   map[event.ID]string
	id     string // what distinguishes it; its place in the log where empty
	path   string
	drill  bool
	steps  []uint8 // of sequences: those that it matches, and resets
}

// gateway stands for what comes before the journal: it gives every line its place, says which are
// late or from the future, and packs them into steps.
type gateway struct {
	rules    []*Rule
	lateness time.Duration
	max      map[string]int64
	offsets  map[string]int64
	ingest   int64
}

func newGateway(lateness time.Duration, rules ...*Rule) *gateway {
	return &gateway{rules: rules, lateness: lateness, max: map[string]int64{}, offsets: map[string]int64{}}
}

// step packs lines into one batch.
func (g *gateway) step(lines ...line) Step {
	s := Step{Agent: "agent-1"}
	files := map[string]int{}
	for _, l := range lines {
		file, ok := files[l.path]
		if !ok {
			file = len(s.Positions)
			files[l.path] = file
			s.Positions = append(s.Positions, event.Position{Source: "gw", Path: l.path, Ordinal: 1, Start: g.offsets[l.path]})
		}
		g.offsets[l.path]++
		p := &s.Positions[file]
		p.End = g.offsets[l.path]
		ingest := l.ingest
		if ingest == 0 {
			ingest = l.t
		}
		g.ingest = max(g.ingest, ingest)
		sig := event.Signal{Time: l.t, File: file, Offset: p.End - 1, Drill: l.drill}
		sig.Event = event.HashStrings("event", l.path, strconv.FormatInt(sig.Offset, 10))
		if l.id != "" {
			sig.Event = event.HashStrings("event", l.id)
		}
		if l.t > ingest+int64(time.Minute) {
			sig.Skewed, sig.Time = true, ingest
		} else {
			seen, ok := g.max[l.path]
			sig.Late = ok && l.t < seen-int64(g.lateness)
			g.max[l.path] = max(seen, l.t)
		}
		p.MaxTime = g.max[l.path]
		for _, r := range g.rules {
			if r.Kind != Sequence {
				s.Signals = append(s.Signals, g.signal(r, sig, l))
				continue
			}
			for _, step := range l.steps {
				sig.Step = step
				s.Signals = append(s.Signals, g.signal(r, sig, l))
			}
			sig.Step = 0
		}
	}
	s.Ingest = g.ingest
	return s
}

func (g *gateway) signal(r *Rule, sig event.Signal, l line) event.Signal {
	sig.State = r.State
	if len(r.By) > 0 && l.key != "" {
		key := l.key
		if ip, ok := event.CanonicalIP(key); ok {
			key = ip
		}
		sig.Key = []event.Value{{Field: r.By[0], Str: key}}
	}
	for i, id := range append(append([]event.ID{}, r.Of...), r.Once...) {
		if i < len(l.of) && l.of[i] != "" {
			sig.Of = append(sig.Of, event.Value{Field: id, Str: l.of[i]})
		}
	}
	for _, id := range r.Show {
		if v, ok := l.show[id]; ok {
			sig.Show = append(sig.Show, event.Value{Field: id, Str: v})
		}
	}
	return sig
}

// idle is a tick in which all sources stand at the end of their files.
func (g *gateway) idle(ingest int64) Step {
	g.ingest = max(g.ingest, ingest)
	s := Step{Agent: "agent-1", Ingest: g.ingest}
	for path, t := range g.max {
		s.Positions = append(s.Positions, event.Position{Source: "gw", Path: path, Ordinal: 1, Idle: true, MaxTime: t})
	}
	return s
}

// story runs a case in the notation of the published cases. Words, in order of arrival:
//
//	12.5      an event at 12.5 s; 12.5/KEY of a key, 12.5/- of none; 12.5=VALUE with a value;
//	          12.5#ID with an id of its own; 500~9 claims 500 s and is read at 9 s
//	a..b      an event at every second from a to b
//	idle=20   a tick at 20 s, every source idle
//	restart   state goes through a snapshot
//	snap      a snapshot is made; crash goes back to it, and loses the alerts since
//	reload=R  another rule set, with the rules that reload gives for R
//	rebuild   the windows of new rules are filled from the events so far
type story struct {
	t      *testing.T
	w      *Windows
	cfg    WindowConfig
	rules  []*Rule
	reload func(name string) []*Rule
	g      *gateway

	lines  []line
	alerts []*event.Alert
	saved  []byte
	kept   int // alerts before the snapshot
}

func newStory(t *testing.T, cfg WindowConfig, rules ...*Rule) *story {
	lateness := cfg.withDefaults().Lateness
	return &story{t: t, cfg: cfg, rules: rules, w: NewWindows(rules, event.Hash{}, cfg), g: newGateway(lateness, rules...)}
}

func (s *story) take(fired []Fired) {
	for _, f := range fired {
		s.alerts = append(s.alerts, f.Alert)
	}
}

func (s *story) restore(snapshot []byte) {
	s.t.Helper()
	s.w = NewWindows(s.rules, event.Hash{}, s.cfg)
	if err := s.w.Restore(snapshot); err != nil {
		s.t.Fatalf("Restore: %v", err)
	}
}

func (s *story) event(l line) {
	s.lines = append(s.lines, l)
	s.take(s.w.Apply(s.g.step(l)))
}

func (s *story) run(words string) {
	s.t.Helper()
	for word := range strings.FieldsSeq(words) {
		name, arg, _ := strings.Cut(word, "=")
		switch {
		case word == "restart":
			s.restore(s.w.AppendSnapshot(nil))
		case word == "snap":
			s.saved, s.kept = s.w.AppendSnapshot(nil), len(s.alerts)
		case word == "crash":
			s.restore(s.saved)
			s.alerts = s.alerts[:s.kept]
		case word == "rebuild":
			g := newGateway(s.g.lateness, s.rules...)
			s.take(s.w.Rebuild(g.step(s.lines...)))
			s.w.Rebuilt(noTime)
		case name == "reload":
			s.rules = s.reload(arg)
			s.g.rules = s.rules
			s.w.Swap(s.rules, event.Hash{})
		case name == "idle":
			s.take(s.w.Apply(s.g.idle(at(s.number(arg)))))
		case strings.Contains(word, ".."):
			from, to, _ := strings.Cut(word, "..")
			for n := s.number(from); n <= s.number(to); n++ {
				s.event(line{t: at(n), key: "203.0.113.7"})
			}
		default:
			s.event(s.parse(word))
		}
	}
}

func (s *story) number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatalf("number %q: %v", text, err)
	}
	return n
}

func (s *story) parse(word string) line {
	l := line{key: "203.0.113.7"}
	word, l.id, _ = strings.Cut(word, "#")
	word, value, _ := strings.Cut(word, "=")
	if value != "" {
		l.of = []string{value}
	}
	word, key, found := strings.Cut(word, "/")
	if found {
		l.key = strings.TrimPrefix(key, "-")
	}
	word, ingest, found := strings.Cut(word, "~")
	if found {
		l.ingest = at(s.number(ingest))
	}
	l.t = at(s.number(word))
	return l
}

// told is the alerts in the notation of the published cases: "@64 suppressed=59".
func (s *story) told() string {
	var words []string
	for _, a := range s.alerts {
		words = append(words, "@"+seconds(a.Time))
		if a.Suppressed > 0 {
			words = append(words, fmt.Sprintf("suppressed=%d", a.Suppressed))
		}
	}
	return strings.Join(words, " ")
}
