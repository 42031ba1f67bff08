package rules

import (
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// TestRebuiltWarmsWhatTheJournalCannotFill: a rule that looks back further than what it was given says
// so, until that is as long ago as it looks.
func TestRebuiltWarmsWhatTheJournalCannotFill(t *testing.T) {
	for _, tt := range []struct {
		name  string
		known int64
		want  bool
	}{
		{"all there ever was", noTime, false},
		{"further back than the rule looks", at(-400), false},
		{"less", at(0), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t, WindowConfig{}, burst())
			next := burst(newUser, func(r *Rule) { r.FirstSeen = FirstSeenSpec{History: 5 * time.Minute} })
			s.reload = func(string) []*Rule { return []*Rule{next} }
			s.run("0 1 2 idle=100 reload=x")
			warming := func() bool { return s.w.Stats().Rules[0].Warming }
			if !warming() {
				t.Error("not warming before it was filled")
			}
			s.w.Rebuild(newGateway(s.g.lateness, next).step(s.lines...))
			s.w.Rebuilt(tt.known)
			if got := warming(); got != tt.want {
				t.Errorf("warming is %v, want %v", got, tt.want)
			}
			s.run("restart")
			if got := warming(); got != tt.want {
				t.Errorf("after a restart warming is %v, want %v", got, tt.want)
			}
			s.run("idle=306")
			if warming() {
				t.Error("warming though five minutes are known")
			}
		})
	}
}

// TestRebuildChains: alerts of before a reload count for a new rule on alerts, and fire nothing.
func TestRebuildChains(t *testing.T) {
	feeder := risky("lw.test.a", 30)
	s := newStream(t, WindowConfig{}, feeder)
	s.send(feeder, 1, "u1", 0)
	s.send(feeder, 2, "u1", 0)
	s.send(feeder, 100, "u2", 0)
	chain := chained(func(r *Rule) { r.Chain, r.Suppress.For = ChainSpec{As: ChainCount, AtLeast: 3}, 0 })
	before := s.alerts
	s.w.Swap([]*Rule{feeder, chain}, event.Hash{2})
	recovered := *before[0]
	recovered.Status = event.Recovered
	own := *before[0]
	own.Rule.ID = chain.ID
	s.w.RebuildChains(append([]*event.Alert{&recovered, &own}, before...))
	s.w.Rebuilt(noTime)
	s.send(feeder, 101, "u1", 0)
	s.take(s.w.End())
	got := ids(s.alerts)
	if len(got) != 5 || got[4] != chain.ID+"@101" {
		t.Errorf("alerts %v, want the chain's at the third alert of u1", got)
	}
	if w := s.w.Stats(); w.Rules[0].Warming || w.Rules[1].Warming {
		t.Error("warming though all alerts are known")
	}
}

// TestRebuildForgetsNoLateDuplicates: what a rebuild brings does not push out the ids of events that may
// be sent again.
func TestRebuildForgetsNoLateDuplicates(t *testing.T) {
	s := newStory(t, WindowConfig{MaxSeen: 100}, burst())
	s.reload = func(string) []*Rule {
		return []*Rule{burst(func(r *Rule) { r.ID = "lw.test.kept" }), burst(func(r *Rule) { r.Count = 3 })}
	}
	s.rules = s.reload("")[:1]
	s.g.rules = s.rules
	s.w = NewWindows(s.rules, event.Hash{}, s.cfg)
	for i := range 400 {
		s.event(line{t: at(float64(i)), key: "k"})
	}
	s.run("400#x reload=x rebuild 400#x idle=500")
	if got := s.w.Stats().Duplicates; got != 1+1 {
		t.Errorf("%d duplicates, want the line sent again, for each rule", got)
	}
}

// TestWarmingAfterAChangeOfLogic: a rule with new logic says so until its window has passed.
func TestWarmingAfterAChangeOfLogic(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.reload = func(string) []*Rule { return []*Rule{burst(func(r *Rule) { r.Count = 3 })} }
	warming := func() bool { return s.w.Stats().Rules[0].Warming }
	s.run("0 1 2 idle=20")
	if warming() {
		t.Error("warming at the start")
	}
	s.run("reload=three idle=30")
	if !warming() {
		t.Error("not warming after a change of logic")
	}
	s.run("restart idle=40")
	if !warming() {
		t.Error("not warming after a restart")
	}
	s.run("idle=81")
	if warming() {
		t.Error("warming when the window has passed")
	}
	s.reload = func(string) []*Rule { return []*Rule{burst(func(r *Rule) { r.Count = 4 })} }
	s.run("reload=four rebuild")
	if warming() {
		t.Error("warming though its windows were filled")
	}
}
