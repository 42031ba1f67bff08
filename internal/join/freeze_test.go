package join

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestFrozenStaysAsItIs: a snapshot is of the moment of Freeze, though it is written while the engine goes
// on and is frozen again, and what is restored from it goes on as the engine did from there.
func TestFrozenStaysAsItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		docs := random(t, rapid.Uint64().Draw(rt, "seed"), 60)
		cfg := Config{Window: time.Minute, MaxAge: time.Minute}
		e := New(cfg)
		cut, again := rapid.IntRange(0, len(docs)).Draw(rt, "cut"), rapid.IntRange(0, len(docs)).Draw(rt, "again")
		take := func(e *Engine, docs []doc) (out []string) {
			for i, d := range docs {
				e.Take(d.id, d.raw)
				if i%3 == 0 {
					out = append(out, ids(e.Advance((d.at-30)*1e9))...)
				}
			}
			return out
		}
		take(e, docs[:cut])
		want, err := e.AppendSnapshot(nil)
		if err != nil {
			rt.Fatal(err)
		}
		frozen := e.Freeze()
		got := make(chan []byte)
		go func() {
			data, _ := frozen.AppendSnapshot(nil)
			got <- data
		}()
		more := docs[cut:]
		split := min(again, len(more)) / 3 * 3
		rest := take(e, more[:split])
		e.Freeze()
		rest = append(rest, take(e, more[split:])...)
		rest = append(rest, ids(e.Advance(1e18))...)
		if !bytes.Equal(<-got, want) {
			rt.Fatal("what was written beside the engine is another state")
		}
		if late, _ := frozen.AppendSnapshot(nil); !bytes.Equal(late, want) {
			rt.Fatal("what was written after the engine had gone on is another state")
		}
		restored := New(cfg)
		if err := restored.Restore(want); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(rest, append(take(restored, more), ids(restored.Advance(1e18))...)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// BenchmarkSnapshot is how long a full engine stands still for a snapshot, and what is written beside it.
func BenchmarkSnapshot(b *testing.B) {
	e := New(Config{})
	for i := 0; e.past.bytes < e.cfg.MaxBytes*9/10; i++ {
		s := fmt.Sprint("s-", i)
		o := outcome(b, int64(i/100), "o"+s, "live", "liveness.session_id", s, "user.id", "u"+s, "device.id", "d"+s)
		c := call(b, int64(i/100), "c"+s, "http.request.id", "r"+s)
		e.Take(o.id, o.raw)
		e.Take(c.id, c.raw)
		e.Advance(int64(i/100) * 1e9)
	}
	b.Run("freeze", func(b *testing.B) {
		longest := time.Duration(0)
		for b.Loop() {
			start := time.Now()
			e.Freeze()
			longest = max(longest, time.Since(start))
		}
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
	})
	b.Run("write", func(b *testing.B) {
		var data []byte
		for b.Loop() {
			var err error
			if data, err = e.AppendSnapshot(data[:0]); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(data)))
	})
}
