package rules

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// wave is spoof verdicts four times normal in ten minutes.
func wave(mods ...func(*Rule)) *Rule {
	r := &Rule{
		ID: "lw.test.wave", Version: 1, Severity: event.High, Mode: Live, Kind: Spike,
		By: []event.ID{event.OrganizationID}, Window: 10 * time.Minute, Suppress: Suppress{For: time.Hour},
		Spike: SpikeSpec{As: SpikeRatio, Factor: 4, MinHits: 8, MinTotal: 20, Baseline: 140 * time.Minute},
	}
	for _, m := range mods {
		m(r)
	}
	r.State = event.HashStrings("state", r.ID, fmt.Sprint(r.By, r.Once, r.Window, r.Spike))
	return r
}

func counts(r *Rule) { r.Spike.As, r.Spike.MinTotal = SpikeCount, 0 }

// stream feeds windows with signals made by hand, one step each, and collects what fires.
type stream struct {
	t      reporter
	w      *Windows
	cfg    WindowConfig
	rules  []*Rule
	n      int64
	max    int64
	ingest int64 // of the last step
	alerts []*event.Alert
}

// reporter is what a stream needs of a test, be it one of package testing or of rapid.
type reporter interface {
	Helper()
	Log(args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func newStream(t reporter, cfg WindowConfig, rules ...*Rule) *stream {
	return &stream{t: t, cfg: cfg, rules: rules, w: NewWindows(rules, event.Hash{}, cfg)}
}

func (s *stream) take(fired []Fired) {
	for _, f := range fired {
		s.alerts = append(s.alerts, f.Alert)
	}
}

// send sends an event of one rule.
func (s *stream) send(r *Rule, when float64, key string, step uint8, mods ...func(*event.Signal)) {
	s.n++
	sig := event.Signal{State: r.State, Time: at(when), Event: event.HashStrings("event", fmt.Sprint(s.n)), Offset: s.n, Step: step}
	if len(r.By) > 0 {
		sig.Key = []event.Value{{Field: r.By[0], Str: key}}
	}
	for _, m := range mods {
		m(&sig)
	}
	s.max = max(s.max, sig.Time)
	s.beat(sig.Time)
	s.take(s.w.Apply(Step{
		Agent: "agent-1", Ingest: s.ingest, Signals: []event.Signal{sig},
		Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1, MaxTime: s.max}},
	}))
}

// beat lets the agent be heard up to a time, every half minute.
func (s *stream) beat(until int64) {
	if s.ingest == 0 {
		s.ingest = until
	}
	for s.ingest < until {
		s.ingest = min(until, s.ingest+30e9)
		s.take(s.w.Apply(Step{Agent: "agent-1", Ingest: s.ingest}))
	}
}

// down lets the agent be silent up to a time.
func (s *stream) down(until float64) { s.ingest = at(until) }

// idle is a tick at which every source stands at its end.
func (s *stream) idle(when float64) {
	s.ingest = at(when) + int64(s.cfg.withDefaults().Lateness)
	s.take(s.w.Apply(Step{
		Agent: "agent-1", Ingest: s.ingest,
		Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1, Idle: true, MaxTime: s.max}},
	}))
}

// clock ticks every half minute, as an agent does.
func (s *stream) clock(from, to float64) {
	for t := from; t < to; t += 30 {
		s.idle(t)
	}
	s.idle(to)
}

func (s *stream) restart() {
	s.t.Helper()
	snapshot := s.w.AppendSnapshot(nil)
	s.w = NewWindows(s.rules, event.Hash{}, s.cfg)
	if err := s.w.Restore(snapshot); err != nil {
		s.t.Fatalf("Restore: %v", err)
	}
}

// spread sends total events evenly over [from, from+span), hits of them evenly among them.
func (s *stream) spread(r *Rule, from, span float64, key string, total, hits int) {
	for i := range total {
		step := uint8(0)
		if hits > 0 && i*hits/total != (i+1)*hits/total {
			step = 1
		}
		s.send(r, from+span*float64(i)/float64(total), key, step)
	}
}

// told is the alerts as @seconds, with the status where it is another than firing.
func (s *stream) told() string {
	var words []string
	for _, a := range s.alerts {
		word := string(a.Status) + "@" + seconds(a.Time)
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (s *stream) want(want string) {
	s.t.Helper()
	if got := s.told(); got != want {
		s.t.Errorf("alerts %q, want %q", got, want)
		for _, a := range s.alerts {
			s.t.Log(a.Explain)
		}
	}
}

const minute, hour, day = 60.0, 3600.0, 86400.0

func TestSpikeFiresOnTheFirstGridPointThatSatisfiesTheTest(t *testing.T) {
	r := wave()
	s := newStream(t, WindowConfig{}, r)
	for i := range 14 {
		s.spread(r, float64(i)*10*minute, 10*minute, "bank-a", 200, 4)
	}
	s.spread(r, 140*minute, 10*minute, "bank-a", 200, 40)
	s.spread(r, 150*minute, 10*minute, "bank-a", 200, 4)
	// At 8520 there are 12 hits, of 16 that four times 4 asks for; at 8640 there are 19.
	s.want("@8640")
	a := s.alerts[0]
	if a.Count != 19 || a.Threshold != 16 || a.Baseline != 0.02 || a.Ratio != 4.75 {
		t.Errorf("count %d, threshold %v, baseline %v, ratio %v", a.Count, a.Threshold, a.Baseline, a.Ratio)
	}
	if want := "19 of 200 events of organization.id=bank-a in the 10m before 02:24:00.000Z (UTC) are hits, 9.5 %, where 2 % is normal (52 of 2600): 4.8 times the 4 expected, by chance less than once in 10,000"; a.Explain != want {
		t.Errorf("explain\n%s\nwant\n%s", a.Explain, want)
	}
}

// TestSpikeWarmsUp: a key fires nothing in its first days, whatever the others know.
func TestSpikeWarmsUp(t *testing.T) {
	r := wave(func(r *Rule) { r.Spike.Baseline, r.Spike.Warmup = 14*24*time.Hour, 3*24*time.Hour })
	s := newStream(t, WindowConfig{}, r)
	burst := func(when float64, key string) { s.spread(r, when, 5*minute, key, 60, 40); s.idle(when + 10*minute) }
	warming := func() bool { return s.w.Stats().Rules[0].Warming }
	for i := range 16 {
		s.spread(r, float64(i)*3*hour, minute, "bank-a", 20, 0)
	}
	burst(2*day, "bank-a")
	s.want("")
	if !warming() {
		t.Error("not warming after two days of three")
	}
	s.restart()
	if !warming() {
		t.Error("not warming after a restart")
	}
	s.spread(r, 2.5*day, minute, "bank-b", 20, 0)
	burst(3*day+minute, "bank-b")
	s.want("")
	if warming() {
		t.Error("warming after three days")
	}
	burst(3*day+hour, "bank-a")
	if len(s.alerts) != 1 {
		t.Errorf("alerts %s after the warm-up, want one", s.told())
	}
}

// TestSpikeSeasonOnTheLocalCalendar: nine in the morning after the clocks went back is held against
// nine in the morning before, 25 hours earlier.
func TestSpikeSeasonOnTheLocalCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	season := func(zone *time.Location, d time.Duration) *spikeTally {
		return newSpikeTally(wave(func(r *Rule) {
			r.Spike.Baseline, r.Spike.Season, r.Spike.Zone = 14*24*time.Hour, d, zone
		}), &keyLimit{max: 10}, new(showTable))
	}
	nine := time.Date(2026, 10, 25, 9, 0, 0, 0, berlin)
	tests := []struct {
		name string
		t    *spikeTally
		n    int64
		want string
	}{
		{"a day", season(berlin, 24*time.Hour), 1, "2026-10-24T07:00:00Z"},
		{"two days", season(berlin, 24*time.Hour), 2, "2026-10-23T07:00:00Z"},
		{"a week", season(berlin, 7*24*time.Hour), 1, "2026-10-18T07:00:00Z"},
		{"no zone", season(nil, 24*time.Hour), 1, "2026-10-24T08:00:00Z"},
		{"twelve hours are twelve hours", season(berlin, 12*time.Hour), 2, "2026-10-24T08:00:00Z"},
	}
	for _, tt := range tests {
		if got := time.Unix(0, tt.t.seasonBefore(nine.UnixNano(), tt.n)).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestSpikeOfRULES is the example that ships with the language: 24 of 144 against two in a hundred.
func TestSpikeOfRULES(t *testing.T) {
	r := wave(func(r *Rule) {
		r.Spike.Baseline, r.Spike.Season, r.Spike.Warmup = 14*24*time.Hour, 24*time.Hour, 3*24*time.Hour
		title, err := ParseTemplate("{organization.id}: {count} of {spike.total}, {spike.ratio}x the {spike.baseline} that is normal")
		if err != nil {
			t.Fatal(err)
		}
		r.Title = title
	})
	s := newStream(t, WindowConfig{}, r)
	if s.w.SetBaseline(event.Hash{1}, 200, 4) {
		t.Error("a rule that is not there has a baseline")
	}
	if !s.w.SetBaseline(r.State, 200, 4) {
		t.Fatal("no such rule")
	}
	for i := range 160 {
		if i%5 == 0 {
			s.send(r, float64(i), "bank-a", 1)
		}
		s.send(r, float64(i), "bank-a", 0)
	}
	for i := 160; i < 200; i += 5 {
		s.send(r, float64(i), "bank-a", 1)
	}
	s.take(s.w.End())
	s.want("@120")
	if got, want := s.alerts[0].Rule.Name, "bank-a: 24 of 144, 8.3x the 2 % that is normal"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
}

// TestSpikeWindowIsHalfOpen: an event at T stands in the window after T, one exactly a window old in
// the window of T.
func TestSpikeWindowIsHalfOpen(t *testing.T) {
	r := wave(counts, func(r *Rule) { r.Suppress.For = 0 })
	s := newStream(t, WindowConfig{}, r)
	if !s.w.SetBaseline(r.State, 0, 1) {
		t.Fatal("no such rule")
	}
	for range 8 {
		s.send(r, 1200, "k", 1)
	}
	s.idle(3600)
	s.want("@1320 @1440 @1560 @1680 @1800")
}

// TestSpikeFiresWhenTheWatermarkPassesTheGridPoint, and not before: more may come.
func TestSpikeFiresWhenTheWatermarkPassesTheGridPoint(t *testing.T) {
	r := wave(counts)
	s := newStream(t, WindowConfig{}, r)
	s.w.SetBaseline(r.State, 0, 1)
	s.spread(r, 0, 100, "k", 20, 20)
	s.idle(119.999)
	s.want("")
	s.idle(120)
	s.want("@120")
}

// TestSpikeSeasonForgivesTheAttackOfYesterday: of four seasons the one that would hide most is left
// out.
func TestSpikeSeasonForgivesTheAttackOfYesterday(t *testing.T) {
	for days, want := range map[int]int{3: 0, 4: 1} {
		r := wave(counts, func(r *Rule) {
			r.Spike.Baseline, r.Spike.Season = time.Duration(days)*24*time.Hour, 24*time.Hour
		})
		s := newStream(t, WindowConfig{}, r)
		s.send(r, -float64(days+1)*day, "k", 0)
		for d := -days; d < 0; d++ {
			n := 30
			if d == -1 {
				n = 3000
			}
			s.spread(r, float64(d)*day, hour, "k", n, n)
		}
		s.idle(0)
		s.alerts = nil
		s.spread(r, 50*minute, 10*minute, "k", 60, 60)
		s.idle(hour)
		if len(s.alerts) != want {
			t.Errorf("%d seasons: %d alerts, want %d", days, len(s.alerts), want)
		}
	}
}

// TestSpikeThinSeasonsFallBack: where the same hours had hardly an event, a share is held against all
// of the baseline.
func TestSpikeThinSeasonsFallBack(t *testing.T) {
	r := wave(func(r *Rule) { r.Spike.Baseline, r.Spike.Season = 2*24*time.Hour, 24*time.Hour })
	s := newStream(t, WindowConfig{}, r)
	for d := -2; d < 0; d++ {
		s.spread(r, float64(d)*day+30*minute, hour, "k", 18, 0)
		s.spread(r, float64(d)*day+12*hour, hour, "k", 100, 36)
	}
	s.spread(r, 50*minute, 10*minute, "k", 60, 20)
	s.idle(hour)
	s.want("")
	s.spread(r, 110*minute, 10*minute, "k", 60, 60)
	s.idle(2 * hour)
	s.want("") // 60 of 60 is three times 30 %: less than four times
}

func TestSpikeDrop(t *testing.T) {
	drop := func(r *Rule) { r.Spike.Drop = true; r.Suppress.For = 24 * time.Hour }
	t.Run("of a share", func(t *testing.T) {
		r := wave(drop)
		s := newStream(t, WindowConfig{}, r)
		s.spread(r, 0, 140*minute, "k", 2800, 280)
		s.spread(r, 140*minute, 10*minute, "k", 200, 0)
		s.want("@8880")
		if a := s.alerts[0]; a.Count != 4 || a.Baseline != 0.1 || a.Ratio != 0.2 || a.Threshold != 5 {
			t.Errorf("count %d, baseline %v, ratio %v, threshold %v", a.Count, a.Baseline, a.Ratio, a.Threshold)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		r := wave()
		s := newStream(t, WindowConfig{}, r)
		s.spread(r, 0, 140*minute, "k", 2800, 280)
		s.spread(r, 140*minute, 20*minute, "k", 400, 0)
		s.want("")
	})
	t.Run("to nothing", func(t *testing.T) {
		r := wave(counts, drop)
		s := newStream(t, WindowConfig{}, r)
		s.spread(r, 0, 140*minute, "k", 280, 280)
		s.clock(140*minute, 160*minute)
		s.want("@8880") // 4 of 20
		s.restart()
		s.clock(160*minute, 240*minute)
		s.want("@8880")
	})
	t.Run("long after the last event, when its season comes", func(t *testing.T) {
		r := wave(counts, drop, func(r *Rule) { r.Spike.Baseline, r.Spike.Season = 2*24*time.Hour, 24*time.Hour })
		s := newStream(t, WindowConfig{}, r)
		s.send(r, -13*hour, "k", 0)
		for d := range 2 {
			s.spread(r, float64(d)*day, hour, "k", 120, 120)
		}
		s.clock(day+hour, 2*day)
		s.alerts = nil
		s.clock(2*day, 2*day+30*minute)
		if len(s.alerts) != 1 || s.alerts[0].Baseline != 20 || s.alerts[0].Count != 0 {
			t.Errorf("alerts %q", s.told())
		}
	})
	t.Run("of few means nothing", func(t *testing.T) {
		r := wave(counts, drop)
		s := newStream(t, WindowConfig{}, r)
		s.spread(r, 0, 140*minute, "k", 98, 98) // 7 in a window
		s.clock(140*minute, 200*minute)
		s.want("")
	})
	t.Run("while no agent was heard", func(t *testing.T) {
		r := wave(counts, drop)
		s := newStream(t, WindowConfig{}, r)
		s.spread(r, 0, 140*minute, "k", 280, 280)
		s.clock(200*minute, 209*minute)
		s.want("")
	})
}

// TestSpikeOnce: polls repeat a verdict. A poll that turns a pending check into a spoof is a hit of the
// event that was counted.
func TestSpikeOnce(t *testing.T) {
	r := wave(func(r *Rule) { r.Once, r.Spike.MinTotal = []event.ID{event.LivenessSessionID}, 8 })
	session := func(id string) func(*event.Signal) {
		return func(s *event.Signal) { s.Of = []event.Value{{Field: event.LivenessSessionID, Str: id}} }
	}
	run := func(sessions int) *stream {
		s := newStream(t, WindowConfig{}, r)
		s.w.SetBaseline(r.State, 1000, 1)
		for i := range 100 {
			s.send(r, float64(i), "k", uint8(i/50), session(fmt.Sprint(i%sessions)))
		}
		s.idle(120)
		return s
	}
	run(7).want("")
	s := run(9)
	s.want("@120")
	if a := s.alerts[0]; a.Count != 9 || !strings.HasPrefix(a.Explain, "9 of 9 events") {
		t.Errorf("count %d: %s", a.Count, a.Explain)
	}
}

// TestSpikeAlertSpeaksOfAllOfItsEvents: what the newest hits agree on is said only where they are all.
func TestSpikeAlertSpeaksOfAllOfItsEvents(t *testing.T) {
	r := wave(counts, func(r *Rule) {
		r.By, r.Show = []event.ID{event.ClientIP}, []event.ID{event.OrganizationID, event.UserAgentClass}
	})
	run := func(hits int, drill bool) *event.Alert {
		s := newStream(t, WindowConfig{}, r)
		s.w.SetBaseline(r.State, 0, 1)
		for i := range hits {
			s.send(r, float64(i)/10, "203.0.113.7", 1, func(sig *event.Signal) {
				sig.Show = []event.Value{{Field: event.OrganizationID, Str: "bank-a"}, {Field: event.UserAgentClass, Str: "script"}}
				sig.Drill = drill || i > 0
			})
		}
		s.idle(120)
		if len(s.alerts) != 1 {
			t.Fatalf("alerts %s", s.told())
		}
		return s.alerts[0]
	}
	a := run(maxSamples, true)
	if a.Tenant != "bank-a" || len(a.Related) != 2 || !a.Drill || len(a.Evidence) != event.MaxEvidence || a.First != at(0) || a.Last != at(6.3) {
		t.Errorf("few hits: tenant %q, related %v, drill %v, %d in evidence, %s to %s", a.Tenant, a.Related, a.Drill, len(a.Evidence), seconds(a.First), seconds(a.Last))
	}
	a = run(maxSamples+1, false)
	if a.Tenant != "" || len(a.Related) != 0 || a.Drill || len(a.Top) != 2 || a.Count != maxSamples+1 {
		t.Errorf("many hits: tenant %q, related %v, drill %v, top %v, count %d", a.Tenant, a.Related, a.Drill, a.Top, a.Count)
	}
}

// TestSpikeHistoryOutlivesTheRestOfSnapshots: of a snapshot whose form is another, what was learnt
// is taken; where its own form is another, the rule learns anew and says so.
func TestSpikeHistoryOutlivesTheRestOfSnapshots(t *testing.T) {
	r := wave(counts, func(r *Rule) { r.Spike.Warmup = time.Hour })
	before := newStream(t, WindowConfig{}, r)
	before.spread(r, 0, 140*minute, "k", 280, 280)
	before.idle(140 * minute)
	snapshot := before.w.AppendSnapshot(nil)
	snapshot = snapshot[:len(snapshot)-len(event.Hash{})]
	snapshot[len(snapshotMagic)] = snapshotVersion + 1
	version := bytes.Index(snapshot, r.State[:]) + len(r.State)
	if snapshot[version] != spikeHistoryVersion {
		t.Fatal("the version of the history is not where it should be")
	}
	for _, form := range []byte{spikeHistoryVersion, spikeHistoryVersion + 1} {
		snapshot[version] = form
		s := newStream(t, WindowConfig{}, r)
		if err := s.w.Restore(reseal(snapshot, nil)); err == nil {
			t.Fatal("a snapshot of another version is restored")
		}
		if err := s.w.RestoreHistory(reseal(snapshot, nil)); err != nil {
			t.Fatal(err)
		}
		s.idle(140 * minute)
		known := form == spikeHistoryVersion
		if s.w.Stats().Rules[0].Warming == known {
			t.Errorf("form %d: warming %v", form, !known)
		}
		s.spread(r, 140*minute, 6*minute, "k", 90, 90)
		s.idle(150 * minute)
		if got := len(s.alerts) == 1 && s.alerts[0].Baseline == 20; got != known {
			t.Errorf("form %d: alerts %q", form, s.told())
		}
	}
	snapshot[len(snapshotMagic)] = snapshotVersion
	s := newStream(t, WindowConfig{}, r)
	if err := s.w.Restore(reseal(snapshot, nil)); err != nil {
		t.Fatal(err)
	}
	if stats := s.w.Stats().Rules[0]; stats.Keys != 0 || !stats.Warming || stats.Bytes != 0 {
		t.Errorf("a window without its history: %+v", stats)
	}
}

// TestSpikeMemoryIsBounded: a key's history is some hundred blocks whatever comes.
func TestSpikeMemoryIsBounded(t *testing.T) {
	r := wave(func(r *Rule) { r.Spike.Baseline = 14 * 24 * time.Hour })
	tl := newSpikeTally(r, &keyLimit{max: 10}, new(showTable))
	if tl.block != int64(time.Hour) || tl.baseline != 336 {
		t.Errorf("%d blocks of %s", tl.baseline, time.Duration(tl.block))
	}
	for i := range 60 * 24 * 4 {
		tl.count(&pending{time: at(float64(i) * 900), key: event.Hash{1}, step: 1})
	}
	k := tl.table.get(event.Hash{1})
	if int64(len(k.history)) > tl.keep+1 || int64(len(k.history)) != tl.blocks || k.samples.n > maxSamples {
		t.Errorf("%d blocks, %d counted, %d samples", len(k.history), tl.blocks, k.samples.n)
	}
	tl.expire(at(200 * day))
	if tl.keys() != 0 || tl.size() != 0 {
		t.Errorf("%d keys and %d bytes when all is over", tl.keys(), tl.size())
	}
}

// TestTails holds the chances against sums of exact fractions.
func TestTails(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))+1e-15 }
	for _, p := range []struct{ num, den int64 }{{1, 50}, {1, 3}, {1, 2}, {9, 10}} {
		for _, n := range []int64{1, 7, 30, 60} {
			chance := big.NewRat(p.num, p.den)
			other := new(big.Rat).Sub(big.NewRat(1, 1), chance)
			sum := new(big.Rat)
			for k := n; k >= 0; k-- {
				term := new(big.Rat).SetInt(new(big.Int).Binomial(n, k))
				for range k {
					term.Mul(term, chance)
				}
				for range n - k {
					term.Mul(term, other)
				}
				sum.Add(sum, term)
				want, _ := sum.Float64()
				x := float64(p.num) / float64(p.den)
				if got := binomialAtLeast(k, n, x); !near(got, want) {
					t.Errorf("at least %d of %d at %v: %v, want %v", k, n, x, got, want)
				}
				below, _ := new(big.Rat).Sub(big.NewRat(1, 1), sum).Float64()
				if got := binomialAtMost(k-1, n, x); !near(got, below) {
					t.Errorf("at most %d of %d at %v: %v, want %v", k-1, n, x, got, below)
				}
			}
		}
	}
	for _, mean := range []float64{0.5, 1, 8, 40} {
		term, sum := math.Exp(-mean), 0.0
		for k := range int64(150) {
			if got := poissonAtMost(k-1, mean); !near(got, sum) {
				t.Errorf("at most %d where %v are expected: %v, want %v", k-1, mean, got, sum)
			}
			if got := poissonAtLeast(k, mean); math.Abs(got-(1-sum)) > 1e-12 {
				t.Errorf("at least %d where %v are expected: %v, want %v", k, mean, got, 1-sum)
			}
			sum += term
			term *= mean / float64(k+1)
		}
	}
	// A binomial of many rare events is Poisson's; none of it may overflow or take long.
	if a, b := binomialAtLeast(30_000, 1_000_000_000, 2.5e-5), poissonAtLeast(30_000, 25_000); a > 1e-200 || b > 1e-200 {
		t.Errorf("far tails %v, %v", a, b)
	}
	if a, b := binomialAtLeast(1_050, 1_000_000_000, 1e-6), poissonAtLeast(1_050, 1_000); math.Abs(a-b)/b > 1e-3 {
		t.Errorf("%v and %v should be near", a, b)
	}
}

func FuzzTails(f *testing.F) {
	f.Add(int64(24), int64(144), 0.02)
	f.Add(int64(0), int64(1<<40), 1e-300)
	f.Add(int64(1<<40), int64(1<<41), 0.5)
	f.Fuzz(func(t *testing.T, k, n int64, p float64) {
		mean := math.Abs(p)
		if n < 0 || n > 1<<31 || math.IsNaN(p) || mean > 1e9 {
			return // no window has such numbers
		}
		for name, got := range map[string]float64{
			"binomial at least": binomialAtLeast(k, n, p), "binomial at most": binomialAtMost(k, n, p),
			"poisson at least": poissonAtLeast(k, mean), "poisson at most": poissonAtMost(k, mean),
		} {
			if !(got >= 0 && got <= 1) {
				t.Errorf("%s: chance %v of %d among %d at %v", name, got, k, n, p)
			}
		}
	})
}

// TestSpikeStatesWhatIsTheSame: rules with other parameters do not share a state.
func TestSpikeStatesWhatIsTheSame(t *testing.T) {
	a := wave().Spike
	b := a
	b.Zone = time.UTC
	if a.same(&b) || !a.same(&a) || !b.same(&b) {
		t.Error("zones are not told apart")
	}
	c := a
	c.Factor = 5
	if a.same(&c) {
		t.Error("factors are not told apart")
	}
	for _, mod := range []func(*Rule){func(r *Rule) { r.Spike.Factor++ }, func(r *Rule) { r.Chain.AtLeast++ }, func(r *Rule) { r.Absence.For++; r.Window++ }} {
		if sameLogic(wave(), wave(mod)) {
			t.Error("rules with other parameters have the same logic")
		}
	}
	if diff := cmp.Diff(int64(-2), floorDiv(-11, 10)); diff != "" {
		t.Error(diff)
	}
}
