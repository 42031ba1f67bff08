package rules

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

const million = 1_000_000

// crowd gives windows one event of each of n keys within their window.
func crowd(tb testing.TB, rule *Rule, n int) *Windows {
	tb.Helper()
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{MaxKeys: million, MaxBytes: 1 << 30, MaxSeen: 1 << 18})
	step := Step{Agent: "a", Positions: []event.Position{{Source: "gw", Path: "/", Ordinal: 1}}}
	for i := range n {
		var address [16]byte
		binary.BigEndian.PutUint64(address[8:], uint64(i))
		sig := event.Signal{
			State: rule.State, Time: base + int64(i)*1000, Offset: int64(i),
			Key: []event.Value{{Field: event.ClientIP, Str: string(address[:])}},
			Of:  []event.Value{{Field: event.UserID, Str: string(address[:])}},
		}
		binary.BigEndian.PutUint64(sig.Event[:], uint64(i))
		step.Signals = append(step.Signals, sig)
		step.Ingest, step.Positions[0].MaxTime = sig.Time, sig.Time
		if len(step.Signals) == 4096 {
			w.Apply(step)
			step.Signals = step.Signals[:0]
		}
	}
	w.Apply(step)
	w.End()
	return w
}

func allocated() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMillionKeysFit: a million live keys of one rule take less than 300 MiB, and each less than 200
// bytes beside its events.
func TestMillionKeysFit(t *testing.T) {
	for name, rule := range map[string]*Rule{"threshold": burst(), "distinct": burst(distinctUsers)} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			w := crowd(t, rule, million)
			grown := allocated() - before
			if n := w.Stats().Rules[0].Keys; n != million {
				t.Fatalf("%d keys, want a million", n)
			}
			event := int64(hitCost)
			if rule.Kind == Distinct {
				event = valueCost
			}
			t.Logf("%d MiB, %d bytes a key beside its event", grown>>20, grown/million-event)
			if grown > 300<<20 || grown/million-event > 200 {
				t.Errorf("%d MiB, %d bytes a key beside its event; want 300 and 200 at most", grown>>20, grown/million-event)
			}
			runtime.KeepAlive(w)
		})
	}
}

// BenchmarkMillionKeys is what a snapshot of a million live keys of one rule costs: the time for which
// the windows stand still, what the snapshot takes beside them, and what a start takes.
func BenchmarkMillionKeys(b *testing.B) {
	rule := burst()
	w := crowd(b, rule, million)
	snapshot := w.AppendSnapshot(nil)
	b.Run("freeze", func(b *testing.B) {
		longest := time.Duration(0)
		for b.Loop() {
			start := time.Now()
			f := w.Freeze()
			longest = max(longest, time.Since(start))
			f.Release()
		}
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
	})
	b.Run("snapshot", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		for b.Loop() {
			f := w.Freeze()
			snapshot = f.AppendSnapshot(snapshot[:0])
			f.Release()
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		for b.Loop() {
			n := NewWindows([]*Rule{rule}, event.Hash{}, w.cfg)
			if err := n.Restore(snapshot); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The worst of going on: each event touches a chunk that a snapshot reads.
	b.Run("touch", func(b *testing.B) {
		t := w.sorted[0].tally.(*thresholdTally)
		longest, f := time.Duration(0), w.Freeze()
		i := 0
		for b.Loop() {
			start := time.Now()
			t.table.node(int32(i%million/256*256 + 1))
			longest = max(longest, time.Since(start))
			if i += 256; i > million {
				f.Release()
				f, i = w.Freeze(), 0
			}
		}
		f.Release()
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
	})
}
