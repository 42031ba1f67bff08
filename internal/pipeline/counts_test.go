package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

func TestCountsByInput(t *testing.T) {
	c := NewCounts()
	a := newTotals()
	a.Lines, a.Events, a.Bytes, a.LastIngest, a.Delay, a.NewestEvent = 3, 2, 100, 50, 7, 43
	a.Kinds["image"] = 1
	c.Add("a", &a)
	b := newTotals()
	b.Lines, b.Events, b.Quarantined, b.LastIngest, b.Delay = 1, 0, 1, 40, 9
	c.Add("b", &b)
	a.LastIngest, a.Lines, a.Delay = 60, 0, 99 // a tick without lines says nothing of delay
	c.Add("a", &a)
	if got := c.Input("a"); got.Lines != 3 || got.Events != 4 || got.LastIngest != 50 || got.Delay != 7 || got.Kinds["image"] != 2 {
		t.Errorf("input a: %+v", got)
	}
	if got := c.Input("c"); got.Lines != 0 || got.Kinds == nil {
		t.Errorf("input without anything: %+v", got)
	}
	if got := c.Totals(); got.Lines != 4 || got.Quarantined != 1 || got.NewestEvent != 43 || got.LastIngest != 50 {
		t.Errorf("total: %+v", got)
	}
}

// What matching did with a rule is told once, over changes of the rule set.
func TestTellMatches(t *testing.T) {
	c := NewCounts()
	p := NewProcessor(Stages{Clock: func() time.Duration { return 0 }}, Identity{})
	p.tellMatches(c.addRule) // no rules yet
	for range 2 {
		p.SetRules(rules.NewSet())
		p.tellMatches(c.addRule)
	}
	p.set = rules.NewSet(&rules.Rule{ID: "r", State: event.HashStrings("r")})
	p.matcher = p.set.NewMatcher()
	p.told = make([]rules.MatchStats, 1)
	for range 3 {
		p.matcher.Stats()[0].Matches += 2
		p.matcher.Stats()[0].Tried += 5
		p.tellMatches(c.addRule)
		p.tellMatches(c.addRule)
	}
	if diff := cmp.Diff(rules.MatchStats{Matches: 6, Tried: 15}, c.Rule("r")); diff != "" {
		t.Error(diff)
	}
}
