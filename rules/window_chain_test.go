package rules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// chained is a rule on alerts: a risk of 100 of one user within a day.
func chained(mods ...func(*Rule)) *Rule {
	r := &Rule{
		ID: "lw.chain.risk", Version: 1, Severity: event.Critical, Mode: Live, Kind: Chain,
		By: []event.ID{event.UserID}, Window: 24 * time.Hour, Suppress: Suppress{For: 24 * time.Hour},
		Chain: ChainSpec{As: ChainRisk, AtLeast: 100},
	}
	for _, m := range mods {
		m(r)
	}
	r.alertMatch = func(a *event.Alert) (key, of []event.Value, ok bool) {
		for _, v := range a.Key {
			if v.Field == event.UserID {
				key = append(key, v)
			}
		}
		for _, t := range a.Rule.Attack {
			of = append(of, event.Value{Field: event.Tags, Str: t})
		}
		return key, of, len(key) == len(r.By)
	}
	r.State = event.HashStrings("state", r.ID, fmt.Sprint(r.By, r.Window, r.Chain))
	return r
}

// risky is a rule per event of one user, with a risk and techniques.
func risky(id string, score float64, techniques ...string) *Rule {
	return burst(func(r *Rule) {
		r.ID, r.Kind, r.By, r.Suppress.For = id, Each, []event.ID{event.UserID}, 0
		r.Risk.Score, r.Tags.Attack = score, techniques
	})
}

func ids(alerts []*event.Alert) []string {
	out := make([]string, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, a.Rule.ID+"@"+seconds(a.Time))
	}
	return out
}

func TestChainAddsRiskUp(t *testing.T) {
	a, b, c := risky("lw.test.a", 40), risky("lw.test.b", 35), chained()
	s := newStream(t, WindowConfig{}, a, b, c)
	s.send(a, 0, "u1", 1)
	s.send(b, 10, "u1", 1)
	s.send(a, 20, "u2", 1)
	s.send(b, 30, "u1", 1)
	s.send(b, 40, "u1", 1)
	s.take(s.w.End())
	want := []string{"lw.test.a@0", "lw.test.b@10", "lw.test.a@20", "lw.test.b@30", "lw.chain.risk@30", "lw.test.b@40"}
	if diff := cmp.Diff(want, ids(s.alerts)); diff != "" {
		t.Fatal(diff)
	}
	got := s.alerts[4]
	if got.Count != 3 || got.Threshold != 100 || got.First != at(0) || got.Last != at(30) || got.Key[0].Str != "u1" {
		t.Errorf("count %d, threshold %v, first %s, last %s, key %v", got.Count, got.Threshold, seconds(got.First), seconds(got.Last), got.Key)
	}
	if diff := cmp.Diff([]event.Hash{s.alerts[0].ID, s.alerts[1].ID, s.alerts[3].ID}, got.Evidence); diff != "" {
		t.Errorf("evidence: %s", diff)
	}
	if want := "risk 110 of user.id=u1 from 3 alerts within 1d where 100 is enough, the last at 00:00:30.000Z (UTC): lw.test.a, lw.test.b"; got.Explain != want {
		t.Errorf("explain\n%s\nwant\n%s", got.Explain, want)
	}
}

// TestChainWindow: an alert exactly a window old has no part; with a half-life its risk wears off.
func TestChainWindow(t *testing.T) {
	tests := []struct {
		name string
		mod  func(*Rule)
		gap  float64
		want bool
	}{
		{"within", func(*Rule) {}, 86399, true},
		{"a window old", func(*Rule) {}, 86400, false},
		{"halved once", func(r *Rule) { r.Chain.HalfLife = time.Hour }, 3600, false},
		{"halved once, and enough", func(r *Rule) { r.Chain.HalfLife, r.Chain.AtLeast = time.Hour, 90 }, 3600, true},
		{"a little less than enough", func(r *Rule) { r.Chain.HalfLife, r.Chain.AtLeast = time.Hour, 90 }, 3601, false},
		{"two alerts", func(r *Rule) { r.Chain = ChainSpec{As: ChainCount, AtLeast: 2} }, 3600, true},
		{"three alerts", func(r *Rule) { r.Chain = ChainSpec{As: ChainCount, AtLeast: 3} }, 3600, false},
	}
	for _, tt := range tests {
		a, c := risky("lw.test.a", 60), chained(tt.mod)
		s := newStream(t, WindowConfig{}, a, c)
		s.send(a, 0, "u1", 1)
		s.restart()
		s.send(a, tt.gap, "u1", 1)
		s.take(s.w.End())
		if got := slices.Contains(ids(s.alerts), "lw.chain.risk@"+fmt.Sprint(tt.gap)); got != tt.want {
			t.Errorf("%s: %v, want %v: %v", tt.name, got, tt.want, ids(s.alerts))
		}
	}
}

func TestChainCountsDifferentValues(t *testing.T) {
	a, b := risky("lw.test.a", 0, "T1110", "T1078"), risky("lw.test.b", 0, "T1078", "T1656")
	c := chained(func(r *Rule) { r.Chain = ChainSpec{As: ChainDistinct, AtLeast: 3} })
	s := newStream(t, WindowConfig{}, a, b, c)
	s.send(a, 0, "u1", 1)
	s.send(a, 1, "u1", 1)
	s.send(b, 2, "u1", 1)
	s.take(s.w.End())
	if diff := cmp.Diff([]string{"lw.test.a@0", "lw.test.a@1", "lw.test.b@2", "lw.chain.risk@2"}, ids(s.alerts)); diff != "" {
		t.Fatal(diff)
	}
	if want := "3 different values of user.id=u1 in 3 alerts within 1d where 3 is enough, the last at 00:00:02.000Z (UTC): lw.test.a, lw.test.b"; s.alerts[3].Explain != want {
		t.Errorf("explain %q", s.alerts[3].Explain)
	}
}

// TestChainTakesAlertsOnly: not what was held back, not what came late, not what is no firing, and
// nothing from a chain.
func TestChainTakesAlertsOnly(t *testing.T) {
	held := risky("lw.test.held", 60)
	held.Suppress.For = time.Minute
	other := chained(func(r *Rule) { r.ID, r.Chain.AtLeast, r.Risk.Score = "lw.chain.other", 60, 1000 })
	c := chained()
	s := newStream(t, WindowConfig{}, held, other, c)
	s.send(held, 0, "u1", 1)
	s.send(held, 30, "u1", 1)
	s.send(held, 50, "u1", 1, func(sig *event.Signal) { sig.Late = true })
	s.send(held, 65, "u1", 1)
	s.take(s.w.End())
	want := []string{"lw.test.held@0", "lw.chain.other@0", "lw.test.held@65", "lw.chain.risk@65"}
	if diff := cmp.Diff(want, ids(s.alerts)); diff != "" {
		t.Error(diff)
	}
	late := risky("lw.test.late", 60)
	s = newStream(t, WindowConfig{}, late, c)
	s.send(late, 0, "u1", 1, func(sig *event.Signal) { sig.Late = true })
	s.send(late, 10, "u1", 1)
	s.take(s.w.End())
	if diff := cmp.Diff([]string{"lw.test.late@0", "lw.test.late@10"}, ids(s.alerts)); diff != "" {
		t.Error(diff)
	}
}

// TestChainOfDrillAndTenant: an alert on alerts is a drill's, or a tenant's, if all of them are.
func TestChainOfDrillAndTenant(t *testing.T) {
	for _, same := range []bool{true, false} {
		a, c := risky("lw.test.a", 60), chained()
		a.Show = []event.ID{event.OrganizationID}
		s := newStream(t, WindowConfig{}, a, c)
		for i := range 2 {
			s.send(a, float64(i), "u1", 1, func(sig *event.Signal) {
				sig.Drill = same || i == 0
				sig.Show = []event.Value{{Field: event.OrganizationID, Str: "bank-a"}}
				if !same && i == 1 {
					sig.Show[0].Str = "bank-b"
				}
			})
		}
		s.take(s.w.End())
		if len(s.alerts) != 3 {
			t.Fatalf("alerts %v", ids(s.alerts))
		}
		last := s.alerts[2]
		if last.Drill != same || (last.Tenant == "bank-a") != same || !same && last.Tenant != "" {
			t.Errorf("same %v: drill %v, tenant %q", same, last.Drill, last.Tenant)
		}
	}
}

// TestChainMemoryIsBounded: a key holds so many alerts and no more, and none when all is over.
func TestChainMemoryIsBounded(t *testing.T) {
	a := risky("lw.test.a", 1, "T1110")
	c := chained(func(r *Rule) { r.Chain.AtLeast = 1e6 })
	s := newStream(t, WindowConfig{MaxKeys: 20}, a, c)
	for i := range 2000 {
		s.send(a, float64(i)/10, fmt.Sprint("u", i%2*i), 1)
	}
	s.take(s.w.End())
	tl := s.w.states[c.State].tally.(*chainTally)
	if tl.keys() > 20 || tl.links > 20*maxLinks || tl.evicted() == 0 {
		t.Errorf("%d keys, %d alerts, %d evicted", tl.keys(), tl.links, tl.evicted())
	}
	tl.table.all(func(_ event.Hash, k *chainKey) {
		if len(k.links) > maxLinks {
			t.Errorf("%d alerts of one key", len(k.links))
		}
	})
	tl.expire(at(2 * day))
	if tl.keys() != 0 || tl.size() != 0 {
		t.Errorf("%d keys and %d bytes when all is over", tl.keys(), tl.size())
	}
}

func (t *chainTally) evicted() int64 { return t.limits.evicted }
