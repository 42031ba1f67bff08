package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// silent is no event of a source for ten minutes.
func silent(mods ...func(*Rule)) *Rule {
	r := &Rule{
		ID: "lw.test.silent", Version: 1, Severity: event.High, Mode: Live, Kind: Absence,
		By: []event.ID{event.LivewardSource}, Window: 10 * time.Minute, Absence: AbsenceSpec{For: 10 * time.Minute},
	}
	for _, m := range mods {
		m(r)
	}
	r.State = event.HashStrings("state", r.ID, fmt.Sprint(r.By, r.Window))
	return r
}

// roster expects sources by name.
func roster(names ...string) func(*Rule) {
	return func(r *Rule) {
		r.Absence.Expect = nil
		for _, n := range names {
			r.Absence.Expect = append(r.Absence.Expect, []event.Value{{Field: event.LivewardSource, Str: n}})
		}
	}
}

// maintenance of a source, or of all; in seconds.
func maintenance(name string, from, until float64) func(*Rule) {
	return func(r *Rule) {
		m := Maintenance{From: at(from), Until: at(until)}
		if name != "" {
			m.Key = []event.Value{{Field: event.LivewardSource, Str: name}}
		}
		r.Absence.Unless = append(r.Absence.Unless, m)
	}
}

func TestAbsenceOnceAndRecovered(t *testing.T) {
	r := silent()
	s := newStream(t, WindowConfig{}, r)
	s.send(r, 0, "gw-1", 1)
	s.clock(0, 600)
	s.want("") // an event at 600 may still come
	s.clock(600, 890)
	s.want("@600")
	s.send(r, 900, "gw-1", 1)
	s.send(r, 901, "gw-1", 1)
	s.clock(910, 1400)
	s.want("@600 recovered@900")
	s.clock(1400, 1600)
	s.want("@600 recovered@900 @1501")

	a, b := s.alerts[0], s.alerts[1]
	if got, want := a.Explain, "no event of liveward.source=gw-1 for 10m, since 00:00:00.000Z (UTC)"; got != want {
		t.Errorf("explain %q, want %q", got, want)
	}
	if got, want := b.Explain, "an event of liveward.source=gw-1 at 00:15:00.000Z (UTC), after the alert of 00:10:00.000Z: none had come since 00:00:00.000Z"; got != want {
		t.Errorf("explain %q, want %q", got, want)
	}
	if a.ID == b.ID || a.Group() != b.Group() || a.ID == s.alerts[2].ID {
		t.Error("documents of one absence must differ in their ids, and agree on their group")
	}
	if a.First != at(0) || a.Last != at(0) || len(a.Evidence) != 1 || a.Drill {
		t.Errorf("first %s, last %s, evidence %v, drill %v", seconds(a.First), seconds(a.Last), a.Evidence, a.Drill)
	}
	back, err := event.ParseAlert(b.AppendJSON(nil))
	if err != nil || back.Status != event.Recovered || !strings.HasPrefix(back.Rule.Name, "Recovered: ") {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

// TestAbsenceDowntimeIsNoSilence: what the agent did not hear may have been said, whether its backlog
// tells of it or not.
func TestAbsenceDowntimeIsNoSilence(t *testing.T) {
	backlog := func(s *stream, r *Rule) {
		for i := 100; i <= 900; i += 100 {
			s.send(r, float64(i), "gw-1", 1, func(*event.Signal) {})
		}
	}
	t.Run("backlog", func(t *testing.T) {
		r := silent()
		s := newStream(t, WindowConfig{}, r)
		s.idle(0)
		s.send(r, 0, "gw-1", 1)
		s.restart()
		s.down(905)
		backlog(s, r)
		s.clock(900, 1500)
		s.want("")
		s.clock(1500, 1600)
		s.want("@1505") // the agent was down for five seconds after the last of them
	})
	t.Run("nothing came", func(t *testing.T) {
		r := silent()
		s := newStream(t, WindowConfig{}, r)
		s.clock(-300, 0)
		s.send(r, 0, "gw-1", 1)
		s.clock(1, 90)
		s.restart()
		s.clock(990, 1490)
		s.want("") // down from 90 to 990: fifteen minutes that do not count
		s.clock(1500, 1600)
		s.want("@1500")
		if got, want := s.alerts[0].Explain, "no event of liveward.source=gw-1 for 10m, downtime and maintenance not counted, since 00:00:00.000Z (UTC)"; got != want {
			t.Errorf("explain %q, want %q", got, want)
		}
	})
	t.Run("another agent was up", func(t *testing.T) {
		r := silent()
		s := newStream(t, WindowConfig{}, r)
		s.send(r, 0, "gw-1", 1)
		s.idle(0)
		for i := 10.0; i < 500; i += 10 {
			s.take(s.w.Apply(Step{Agent: "agent-2", Ingest: at(i) + 5e9}))
		}
		s.clock(500, 960)
		s.want("@600") // somebody listened, and it is known who did not
		if s.w.mark.down.overlaps(at(10), at(400)) {
			t.Errorf("downtime %v while an agent was heard", s.w.mark.down.spans)
		}
	})
}

func TestAbsenceOfExpectedKeys(t *testing.T) {
	t.Run("from the first tick on", func(t *testing.T) {
		r := silent(roster("gw-1", "gw-2"))
		s := newStream(t, WindowConfig{}, r)
		s.clock(0, 390)
		s.send(r, 400, "gw-1", 1)
		s.clock(410, 700)
		s.want("@600")
		a := s.alerts[0]
		if a.Key[0].Str != "gw-2" || a.Drill || len(a.Evidence) != 0 || a.First != at(0) || a.Last != at(0) {
			t.Errorf("key %v, drill %v, evidence %v, first %s, last %s", a.Key, a.Drill, a.Evidence, seconds(a.First), seconds(a.Last))
		}
		if want := "no event of liveward.source=gw-2 for 10m, since it is expected, 00:00:00.000Z (UTC)"; a.Explain != want {
			t.Errorf("explain %q, want %q", a.Explain, want)
		}
		s.restart()
		s.clock(700, 950)
		s.want("@600")
	})
	t.Run("from the first event of any key on", func(t *testing.T) {
		r := silent(roster("gw-1"))
		s := newStream(t, WindowConfig{}, r)
		for i := 50; i < 1000; i += 50 {
			s.send(r, float64(i), "gw-2", 1)
		}
		s.want("@650")
	})
	t.Run("not past the end of the file", func(t *testing.T) {
		r := silent(roster("gw-1"))
		s := newStream(t, WindowConfig{}, r)
		s.send(r, 0, "gw-2", 1)
		s.send(r, 600, "gw-2", 1)
		s.take(s.w.End())
		s.want("")
	})
	t.Run("up to the end of the file", func(t *testing.T) {
		r := silent(roster("gw-1"))
		s := newStream(t, WindowConfig{}, r)
		s.send(r, 0, "gw-2", 1)
		s.send(r, 600.5, "gw-2", 1)
		s.want("")
		s.take(s.w.End())
		s.want("@600 @600 recovered@600.5") // gw-2 itself came half a second too late
	})
}

func TestAbsenceLateEventLeavesTheAlertAndUpdatesIt(t *testing.T) {
	r := silent()
	s := newStream(t, WindowConfig{}, r)
	s.send(r, 0, "gw-1", 1)
	s.clock(0, 700)
	late := func(when float64, flagged bool) {
		s.send(r, when, "gw-1", 1, func(sig *event.Signal) { sig.Late = flagged })
	}
	late(300, false)
	late(310, true)
	s.clock(701, 800)
	s.want("@600 updated@300")
	if n := s.w.Stats().Rules[0].Skipped; n != 2 {
		t.Errorf("%d late signals counted, want 2", n)
	}
	s.restart()
	late(320, true)
	s.send(r, 900, "gw-1", 1)
	s.clock(901, 950)
	s.want("@600 updated@300 recovered@900")
	if got, want := s.alerts[1].Explain, "late data: an event of liveward.source=gw-1 of 00:05:00.000Z (UTC) came after the alert of 00:10:00.000Z that had none"; got != want {
		t.Errorf("explain %q, want %q", got, want)
	}
}

func TestAbsenceMaintenance(t *testing.T) {
	tests := []struct {
		name string
		mods []func(*Rule)
		want string
	}{
		{"none", nil, "@600"},
		{"of another", []func(*Rule){maintenance("gw-2", 0, 9000)}, "@600"},
		{"of all", []func(*Rule){maintenance("", 300, 900)}, "@1200"},
		{"of the source", []func(*Rule){maintenance("gw-1", 300, 900)}, "@1200"},
		{"around the last event", []func(*Rule){maintenance("gw-1", -300, 60)}, "@660"},
		{"that begins at the deadline", []func(*Rule){maintenance("gw-1", 600, 900)}, "@600"},
		{"that overlaps", []func(*Rule){maintenance("gw-1", 300, 900), maintenance("", 100, 400), maintenance("", 350, 360)}, "@1400"},
		{"again", []func(*Rule){maintenance("gw-1", 300, 400), maintenance("gw-1", 650, 750)}, "@800"},
	}
	for _, tt := range tests {
		r := silent(tt.mods...)
		s := newStream(t, WindowConfig{}, r)
		s.send(r, 0, "gw-1", 1)
		s.clock(0, 2000)
		if got := s.told(); got != tt.want {
			t.Errorf("maintenance %s: alerts %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAbsenceTakesAnotherRoster: a list that changes costs nothing of what is known.
func TestAbsenceTakesAnotherRoster(t *testing.T) {
	before, after := silent(roster("gw-1", "gw-2", "gw-3")), silent(roster("gw-1", "gw-4"))
	for _, restart := range []bool{false, true} {
		s := newStream(t, WindowConfig{}, before)
		s.clock(0, 10)
		s.send(before, 10, "gw-3", 1)
		s.clock(20, 590)
		s.rules = []*Rule{after}
		if restart {
			s.restart()
		} else {
			s.w.Swap(s.rules, event.Hash{1})
		}
		s.clock(590, 1200)
		// gw-2 was never seen and is no longer expected; gw-3 was seen, and falls silent like any other;
		// gw-4 is expected from the change on.
		s.want("@600 @610 @1190")
		for i, want := range []string{"gw-1", "gw-3", "gw-4"} {
			if got := s.alerts[i].Key[0].Str; got != want {
				t.Errorf("restart %v: alert %d is of %s, want %s", restart, i, got, want)
			}
		}
	}
}

// TestAbsenceReportsNoReturnWithoutAnAlert: who heard nothing of the absence need not hear of its end.
func TestAbsenceReportsNoReturnWithoutAnAlert(t *testing.T) {
	r := silent(func(r *Rule) { r.Suppress.For = time.Hour })
	s := newStream(t, WindowConfig{}, r)
	for i := range 8 {
		s.send(r, float64(i)*700, "gw-1", 1)
	}
	s.clock(4901, 5000)
	s.want("@600 recovered@700 @4800 recovered@4900")
	if got := s.alerts[2].Suppressed; got != 5 {
		t.Errorf("%d firings held back, want 5", got)
	}
}

// TestAbsenceOfNewRuleIsNotRetroactive: deadlines that lie before a rule came stay silent.
func TestAbsenceOfNewRuleIsNotRetroactive(t *testing.T) {
	old := silent(func(r *Rule) { r.ID = "lw.test.old" })
	r := silent()
	s := newStream(t, WindowConfig{}, old)
	s.send(old, 0, "gw-1", 1)
	s.clock(0, 5000)
	s.alerts = nil
	s.rules = []*Rule{r}
	s.w.Swap(s.rules, event.Hash{1})
	step := Step{Agent: "agent-1", Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1}}}
	for i, when := range []float64{100, 4600} {
		step.Signals = append(step.Signals, event.Signal{
			State: r.State, Time: at(when), Event: event.Hash{byte(i)}, Offset: int64(i),
			Key: []event.Value{{Field: event.LivewardSource, Str: fmt.Sprint("gw-", i)}},
		})
	}
	s.take(s.w.Rebuild(step))
	s.clock(5000, 5100)
	s.want("")
	s.clock(5100, 5250)
	s.want("@5200")
}

// TestAbsenceForgetsStrangersFirst: a flood of keys makes a rule forget none of those it was told to
// expect, and what it keeps beside them is bounded.
func TestAbsenceForgetsStrangersFirst(t *testing.T) {
	r := silent(roster("gw-1", "gw-2"))
	s := newStream(t, WindowConfig{MaxKeys: 50}, r)
	s.send(r, 0, "gw-1", 1)
	for i := range 5000 {
		s.send(r, 1+float64(i)/10, fmt.Sprint("stranger-", i), 1)
	}
	tl := s.w.states[r.State].tally.(*absenceTally)
	if tl.keys() > 50 || len(tl.queue) > 1200 {
		t.Errorf("%d keys, %d deadlines", tl.keys(), len(tl.queue))
	}
	s.clock(502, 610)
	var keys []string
	for _, a := range s.alerts {
		if strings.HasPrefix(a.Key[0].Str, "gw-") {
			keys = append(keys, a.Key[0].Str)
		}
	}
	if len(keys) != 2 || s.w.Stats().Rules[0].Evicted < 4900 {
		t.Errorf("alerts of %v, %d evicted", keys, s.w.Stats().Rules[0].Evicted)
	}
	s.clock(610, 31*day)
	s.w.sweep()
	if n := s.w.Stats().Rules[0].Keys; n != 2 {
		t.Errorf("%d keys after a month, want those of the roster", n)
	}
}

func TestStandstill(t *testing.T) {
	tests := []struct {
		from  int64
		spans []span
		want  int64
	}{
		{0, nil, 10},
		{0, []span{{-5, 0}}, 10},
		{0, []span{{-5, 5}}, 15},
		{0, []span{{10, 20}}, 10},
		{0, []span{{9, 20}}, 21},
		{0, []span{{2, 4}, {3, 6}, {3, 5}}, 14},
		{0, []span{{2, 4}, {11, 13}, {14, 15}}, 14},
		{0, []span{{2, noTimeAtAll}}, noTimeAtAll},
	}
	for _, tt := range tests {
		if got := standstill(tt.from, 10, tt.spans); got != tt.want {
			t.Errorf("from %d over %v: %d, want %d", tt.from, tt.spans, got, tt.want)
		}
	}
}

// noTimeAtAll is the end of the scale.
const noTimeAtAll = 1<<63 - 1

// TestAbsenceLasts: the alert says that it goes on until its recovery, and the recovery that it does not.
func TestAbsenceLasts(t *testing.T) {
	s := newStream(t, WindowConfig{}, silent())
	rule := silent()
	s.send(rule, 0, "gw-1", 0)
	s.send(rule, 1000, "gw-1", 0)
	s.take(s.w.End())
	if len(s.alerts) != 2 || !s.alerts[0].Lasting || s.alerts[1].Lasting || s.alerts[1].Status != event.Recovered {
		t.Fatalf("alerts %v", s.alerts)
	}
	again, err := event.ParseAlert(s.alerts[0].AppendJSON(nil))
	if err != nil || !again.Lasting {
		t.Errorf("read back: lasting %v, %v", again.Lasting, err)
	}
}
