package rules

import (
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// tick is a clock that goes on by a microsecond with every look at it.
func tick() func() time.Duration {
	var now time.Duration
	return func() time.Duration {
		now += time.Microsecond
		return now
	}
}

// TestStatsMeasureCounting: a rule's share of the time is estimated from some of its signals.
func TestStatsMeasureCounting(t *testing.T) {
	s := newStory(t, WindowConfig{Clock: tick()}, burst())
	s.run("0..639 idle=700")
	got := s.w.Stats().Rules[0]
	if got.Matches != 640 || got.Nanoseconds != 640_000 {
		t.Errorf("%d matches in %d ns, want 640 in 640000", got.Matches, got.Nanoseconds)
	}
	s = newStory(t, WindowConfig{}, burst())
	s.run("0..639 idle=700")
	if got := s.w.Stats().Rules[0]; got.Nanoseconds != 0 {
		t.Errorf("%d ns without a clock", got.Nanoseconds)
	}
}

// TestStatsCountEventsOnce: what is sent again, and what has no key, is no match.
func TestStatsCountEventsOnce(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst())
	s.run("0#a 0#a 1#b 1/- 100 2 idle=200")
	if got := s.w.Stats().Rules[0]; got.Matches != 4 || got.Skipped != 1 {
		t.Errorf("matches %d, late %d; want 4 and 1", got.Matches, got.Skipped)
	}
}

// TestMatcherMeasures: matching is measured by rule, without an allocation.
func TestMatcherMeasures(t *testing.T) {
	set := loadText(t, map[string]string{"t.a": "when: gateway.auth == \"refused\""})
	m := set.NewMatcher()
	m.Measure(tick())
	ev := new(event.Event)
	ev.SetString(event.GatewayAuth, "refused")
	var buf event.SignalBuffer
	for range 640 {
		buf.Reset()
		m.Match(ev, Origin{}, &buf)
	}
	if got := m.Stats()[0]; got.Tried != 640 || got.Matches != 640 || got.Nanoseconds != 640_000 {
		t.Errorf("tried %d, matches %d, %d ns; want 640, 640 and 640000", got.Tried, got.Matches, got.Nanoseconds)
	}
}
