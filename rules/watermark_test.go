package rules

import (
	"math"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// marks feeds steps of positions alone and reads the watermark, in seconds after base.
type marks struct {
	t *testing.T
	w *Windows
}

func newMarks(t *testing.T, cfg WindowConfig) marks {
	return marks{t, NewWindows([]*Rule{burst()}, event.Hash{}, cfg)}
}

type posOption func(*event.Position)

func idle(p *event.Position)       { p.Idle = true }
func done(p *event.Position)       { p.Done = true }
func ordinal2(p *event.Position)   { p.Ordinal = 2 }
func from(source string) posOption { return func(p *event.Position) { p.Source = source } }
func (m marks) none()              { m.t.Helper(); m.want(math.Inf(-1)) }
func (m marks) tick(agent string, ingest float64, ps ...event.Position) {
	m.w.Apply(Step{Agent: agent, Ingest: at(ingest), Positions: ps})
}

// pos is a position of a path; max is in seconds, NaN for no event yet.
func pos(path string, max float64, opts ...posOption) event.Position {
	p := event.Position{Source: "gw", Path: path, Ordinal: 1}
	if !math.IsNaN(max) {
		p.MaxTime = at(max)
	}
	for _, o := range opts {
		o(&p)
	}
	return p
}

func (m marks) want(seconds float64) {
	m.t.Helper()
	want := int64(noTime)
	if !math.IsInf(seconds, -1) {
		want = at(seconds)
	}
	if got := m.w.Stats().Watermark; got != want {
		m.t.Errorf("watermark is %v s, want %v s", float64(got-base)/1e9, seconds)
	}
}

func TestWatermarkIsLargestTimeLessLateness(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.none()
	m.tick("a", 101, pos("/1", 100))
	m.want(95)
	m.tick("a", 102, pos("/1", 90)) // a smaller time moves nothing
	m.want(95)
}

func TestWatermarkIsTheLeastOfSources(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 100), pos("/2", 50))
	m.want(45)
	m.tick("a", 102, pos("/2", 200))
	m.want(95)
}

func TestWatermarkLatenessIsPerSource(t *testing.T) {
	m := newMarks(t, WindowConfig{LatenessOf: func(source string) time.Duration {
		if source == "slow" {
			return time.Minute
		}
		return time.Second
	}})
	m.tick("a", 101, pos("/1", 100), pos("/2", 100, from("slow")))
	m.want(40)
	m.tick("a", 102, pos("/1", 100, idle), pos("/2", 100, from("slow"), idle))
	m.want(42) // ingest time less the largest lateness
}

func TestWatermarkPathWithoutTimeHoldsBack(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 100), pos("/new", math.NaN()))
	m.none()
	m.tick("a", 102, pos("/new", 99))
	m.want(94)
}

func TestWatermarkIdleOnlyByDeclaration(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 100), pos("/2", 50))
	for i := range 50 { // ten minutes less ten seconds of silence about nothing new
		m.tick("a", 110+float64(i)*10, pos("/1", 100+float64(i)*10), pos("/2", 50))
	}
	m.want(45)
	m.tick("a", 700, pos("/1", 690), pos("/2", 50, idle))
	m.want(685)
	m.tick("a", 701, pos("/1", 695), pos("/2", 688)) // it leaves idleness, and does not pull back
	m.want(685)
	m.tick("a", 702, pos("/1", 702), pos("/2", 692))
	m.want(687)
}

func TestWatermarkAllIdleFollowsIngest(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 100, idle))
	m.want(96)
	m.tick("a", 300, pos("/1", 100, idle))
	m.want(295)
	m.tick("a", 200, pos("/1", 100, idle)) // ingest time of another agent, behind
	m.want(295)
	m.tick("a", 301, pos("/1", 299.5))
	m.want(295)
}

func TestWatermarkDoneFilesDoNotHold(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 50), pos("/2", 100))
	m.want(45)
	m.tick("a", 102, pos("/1", 60, done), pos("/2", 100))
	m.want(95)
	m.tick("a", 103, pos("/1", 98, ordinal2), pos("/2", 110)) // the next file at the path holds again
	m.want(95)
	m.tick("a", 104, pos("/1", 107, ordinal2), pos("/2", 110))
	m.want(102)
}

func TestWatermarkRotatedFileStillReadHoldsItsPath(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 101, pos("/1", 50))
	m.tick("a", 102, pos("/1", 60), pos("/1", math.NaN(), ordinal2, idle))
	m.want(55) // the new file is idle, the old one is not
	m.tick("a", 103, pos("/1", 60, done), pos("/1", math.NaN(), ordinal2, idle))
	m.want(98)
}

func TestWatermarkSilentAgentLeaves(t *testing.T) {
	m := newMarks(t, WindowConfig{Hold: time.Minute})
	m.tick("b", 100, pos("/1", 50))
	for now := 100.0; now <= 160; now += 5 {
		m.tick("a", now, pos("/1", now)) // the same path on another host
	}
	m.want(45) // exactly hold: still there
	m.tick("a", 161, pos("/1", 161))
	m.want(156)
	if got := m.w.Stats().Sources; got != 1 {
		t.Errorf("%d sources, want 1", got)
	}
	m.tick("b", 162, pos("/1", 60)) // it comes back with a backlog
	m.want(156)
}

func TestWatermarkAfterDowntimeNobodyIsSilent(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.tick("a", 100, pos("/1", 100), pos("/2", 100))
	m.tick("a", 3700, pos("/1", 3690)) // the other collector comes back a moment later
	m.want(95)
	m.tick("a", 3701, pos("/2", 110))
	m.want(105)
}

func TestWatermarkPathNoLongerTailedLeaves(t *testing.T) {
	m := newMarks(t, WindowConfig{Hold: time.Minute})
	m.tick("a", 100, pos("/1", 100), pos("/removed", 50))
	for now := 100.0; now <= 161; now += 1 {
		m.tick("a", now, pos("/1", now))
	}
	m.want(156)
}

func TestWatermarkAgentWithASlowClockStays(t *testing.T) {
	m := newMarks(t, WindowConfig{Hold: time.Minute})
	m.tick("slow", 100, pos("/1", 100))
	for i := range 100 {
		m.tick("a", 1000+float64(i), pos("/1", 1000+float64(i)))
		m.tick("slow", 100+float64(i), pos("/1", 100+float64(i)))
	}
	m.want(194)
}

func TestWatermarkAtTheEndsOfTime(t *testing.T) {
	m := newMarks(t, WindowConfig{})
	m.w.Apply(Step{Positions: []event.Position{{MaxTime: math.MinInt64 + 1}}, Ingest: math.MinInt64})
	m.none()
	m.w.Apply(Step{Positions: []event.Position{{MaxTime: math.MaxInt64}}, Ingest: math.MaxInt64})
	if got := m.w.Stats().Watermark; got != math.MaxInt64-int64(5*time.Second) {
		t.Errorf("watermark %d", got)
	}
}

func TestWatermarkReleasesOnlyWhatIsOlder(t *testing.T) {
	// An event as old as the watermark is not late, so that another of its time may still come.
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Count = 1 }))
	s.run("10 15")
	if len(s.alerts) != 0 {
		t.Errorf("fired at the watermark: %s", s.told())
	}
	s.run("15.001")
	if got := s.told(); got != "@10" {
		t.Errorf("alerts %q, want @10", got)
	}
}

func TestWatermarkSignalsBehindItAreCounted(t *testing.T) {
	each := burst(func(r *Rule) { r.ID, r.Kind, r.Window, r.Suppress.For = "lw.test.each", Each, 0, 0 })
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Count = 1 }), each)
	s.event(line{t: at(100), path: "/1", key: "10.0.0.1"})
	s.event(line{t: at(101), path: "/1", key: "10.0.0.1"})
	s.alerts = nil
	s.event(line{t: at(50), path: "/2", key: "10.0.0.2"}) // registered late, not behind its own source
	s.event(line{t: at(40), path: "/1", key: "10.0.0.3"}) // late for its own source
	if len(s.alerts) != 2 || s.alerts[0].Time != at(50) || s.alerts[1].Time != at(40) {
		t.Fatalf("per-event rules fired %s, want @50 @40", s.told())
	}
	for _, a := range s.alerts {
		if a.Rule.ID != each.ID || !a.Late {
			t.Errorf("alert of %s, late %v", a.Rule.ID, a.Late)
		}
	}
	st := s.w.Stats()
	if st.Behind != 2 || st.Late != 2 || st.Rules[0].Skipped != 2 {
		t.Errorf("behind %d, late %d, skipped %d; want 2, 2, 2", st.Behind, st.Late, st.Rules[0].Skipped)
	}
	// Of the event that was late for no log of its own, two rules had a signal: it is missed once.
	var missed int64
	for _, n := range st.Missed {
		missed += n
	}
	if len(st.Missed) != 1 || missed != 1 {
		t.Errorf("missed %v, want one event", st.Missed)
	}
}
