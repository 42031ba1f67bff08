package rules

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// benchSteps makes steps of 256 signals for ten rules over so many keys in all, a second apart.
func benchSteps(keys int, count int64) ([]*Rule, []Step) {
	var rules []*Rule
	for i := range 10 {
		rules = append(rules, burst(func(r *Rule) {
			r.ID, r.Window, r.Count = fmt.Sprint("lw.bench.", i), time.Hour, count
			r.Show = []event.ID{event.UserAgentClass, event.OrganizationID}
			if i%3 == 2 {
				r.Kind, r.Of = Distinct, []event.ID{event.UserID}
			}
		}))
	}
	var steps []Step
	for n := 0; n < keys; {
		s := Step{
			Agent: "a", Ingest: at(float64(n) / 1000),
			Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1, MaxTime: at(float64(n+256) / 1000)}},
		}
		for i := range 256 {
			r := rules[n%len(rules)]
			s.Signals = append(s.Signals, event.Signal{
				State: r.State, Event: event.HashStrings(fmt.Sprint(n)), Time: at(float64(n) / 1000), Offset: int64(i),
				Key:  []event.Value{{Field: event.ClientIP, Str: fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)}},
				Of:   []event.Value{{Field: event.UserID, Str: "f3a9c2d4e5b60718"}},
				Show: []event.Value{{Field: event.UserAgentClass, Str: "script"}, {Field: event.OrganizationID, Str: fmt.Sprint("bank-", n%20)}},
			})
			n++
		}
		steps = append(steps, s)
	}
	return rules, steps
}

// again moves a round of steps on in time and makes its events new ones.
func again(steps []Step, by int64) {
	for i := range steps {
		s := &steps[i]
		s.Ingest += by
		s.Positions[0].MaxTime += by
		for j := range s.Signals {
			s.Signals[j].Time += by
			s.Signals[j].Event[0]++
		}
	}
}

// BenchmarkApply is the cost of one signal, from the step through reorder buffer and windows: where
// nothing fires, and in a flood in which every event fires and nearly all are held back.
func BenchmarkApply(b *testing.B) {
	for _, bm := range []struct {
		name  string
		keys  int
		count int64
	}{{"quiet", 1_000, 1_000_000}, {"quiet", 200_000, 1_000_000}, {"flood", 1_000, 5}} {
		b.Run(fmt.Sprintf("%s/rules=10/keys=%d", bm.name, bm.keys), func(b *testing.B) {
			rules, steps := benchSteps(bm.keys, bm.count)
			w := NewWindows(rules, event.Hash{}, WindowConfig{})
			for _, s := range steps {
				w.Apply(s)
			}
			b.ReportAllocs()
			n := 0
			i := 0
			again(steps, int64(len(steps))*256e6)
			for b.Loop() {
				w.Apply(steps[i])
				n += len(steps[i].Signals)
				if i++; i == len(steps) {
					b.StopTimer()
					i = 0
					again(steps, int64(len(steps))*256e6)
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/signal")
		})
	}
}

// BenchmarkMemory is the memory of 200,000 keys over ten rules with one event and with four, and the
// size of a snapshot of them.
func BenchmarkMemory(b *testing.B) {
	const keys = 200_000
	for _, rounds := range []int{1, 4} {
		b.Run(fmt.Sprintf("events=%d", rounds), func(b *testing.B) {
			for b.Loop() {
				rules, steps := benchSteps(keys, 5)
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				w := NewWindows(rules, event.Hash{}, WindowConfig{})
				for range rounds {
					for _, s := range steps {
						w.Apply(s)
					}
					again(steps, int64(len(steps))*256e6)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				st := w.Stats()
				kept := 0
				for _, r := range st.Rules {
					kept += r.Keys
				}
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(kept), "B/key")
				b.ReportMetric(float64(st.Bytes)/float64(kept), "estimated-B/key")
				b.ReportMetric(float64(kept), "keys")
				runtime.KeepAlive(w)
				runtime.KeepAlive(steps)
			}
		})
	}
}

// BenchmarkSnapshot is a snapshot of 200,000 keys, and its restoration.
func BenchmarkSnapshot(b *testing.B) {
	rules, steps := benchSteps(200_000, 5)
	w := NewWindows(rules, event.Hash{}, WindowConfig{})
	for _, s := range steps {
		w.Apply(s)
	}
	snapshot := w.AppendSnapshot(nil)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		b.ReportAllocs()
		for b.Loop() {
			snapshot = w.AppendSnapshot(snapshot[:0])
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		b.ReportAllocs()
		for b.Loop() {
			if err := NewWindows(rules, event.Hash{}, WindowConfig{}).Restore(snapshot); err != nil {
				b.Fatal(err)
			}
		}
	})
}
