package rules

import (
	"fmt"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// manyKeys are hashes that stand for so many keys.
func manyKeys(n int) []*pending {
	ps := make([]*pending, n)
	for i := range ps {
		ps[i] = &pending{key: event.HashStrings(fmt.Sprint(i)), event: event.HashStrings("event", fmt.Sprint(i)), data: []byte{0, 0}}
	}
	return ps
}

// learned is a spike rule's state after two weeks of keys.
func learned(keys []*pending, mods ...func(*Rule)) *spikeTally {
	r := wave(append([]func(*Rule){func(r *Rule) {
		r.Spike.Baseline, r.Spike.Season = 14*24*time.Hour, 24*time.Hour
	}}, mods...)...)
	t := newSpikeTally(r, &keyLimit{max: 1 << 20}, new(showTable))
	for h := range 14 * 24 {
		for i, p := range keys {
			p.time, p.step = base+int64(h)*int64(time.Hour)+int64(i), uint8(h&1)
			t.count(p)
		}
	}
	return t
}

// BenchmarkSpikeCount is the cost of one event of a rule that has learnt for two weeks.
func BenchmarkSpikeCount(b *testing.B) {
	keys := manyKeys(1000)
	t := learned(keys)
	at := base + 14*24*int64(time.Hour)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := keys[i%len(keys)]
		p.time, p.step = at, uint8(i&1)
		t.count(p)
		at += 1e6
		i++
	}
}

// BenchmarkSpikeGrid is the cost of one grid point with so many keys in its window: where none has
// enough hits, and where each is held against its reference.
func BenchmarkSpikeGrid(b *testing.B) {
	for _, hits := range []int{1, 30} {
		b.Run(fmt.Sprintf("keys=1000/hits=%d", hits), func(b *testing.B) {
			keys := manyKeys(1000)
			t := learned(keys, func(r *Rule) { r.Spike.MinTotal = 0 })
			at := base + 14*24*int64(time.Hour)
			for range hits {
				for _, p := range keys {
					p.time, p.step = at, 1
					t.count(p)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				t.decide(at + 600e9)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
		})
	}
}

// BenchmarkAbsenceCount is the cost of one event of a key that is waited for.
func BenchmarkAbsenceCount(b *testing.B) {
	keys := manyKeys(1000)
	t := newAbsenceTally(silent(), &keyLimit{max: 1 << 20}, new(showTable))
	at := base
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := keys[i%len(keys)]
		p.time = at
		if due, ok := t.due(); ok && due <= at {
			t.strike(new(pending))
		}
		t.count(p)
		at += 1e6
		i++
	}
}

// TestSpikesAndAbsencesCountWithoutAllocating: an event of a key that is known costs no memory.
func TestSpikesAndAbsencesCountWithoutAllocating(t *testing.T) {
	keys := manyKeys(10)
	for name, tl := range map[string]tally{
		"spike":   learned(keys),
		"absence": newAbsenceTally(silent(), &keyLimit{max: 100}, new(showTable)),
	} {
		at := base + 14*24*int64(time.Hour)
		count := func() {
			for _, p := range keys {
				p.time, p.step = at, 1
				tl.count(p)
			}
			at += 1e6
		}
		for range 100 {
			count()
		}
		if n := testing.AllocsPerRun(100, count); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestSpikeSizeIsStated: what two weeks of a key cost is what the estimate says, and it is little.
func TestSpikeSizeIsStated(t *testing.T) {
	tl := learned(manyKeys(100))
	if per := tl.size() / 100; per < 336*blockCost || per > 10_000 {
		t.Errorf("%d bytes a key", per)
	}
}
