package rules

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// TestFrozenStaysAsItWas: what is frozen gives the snapshot of that moment, whatever the windows do
// meanwhile, and the windows do as if nobody looked.
func TestFrozenStaysAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := everyKind()
		if rapid.Bool().Draw(t, "timed") {
			rules = timedKinds()
		}
		cfg := drawBounds(t)
		signaled := rules
		if rules[0].Kind == Spike {
			signaled = rules[:4]
		}
		steps := withFormer(t, signaled, withSteps(drawSteps(t, signaled)))
		w, alone := NewWindows(rules, event.Hash{1}, cfg), NewWindows(rules, event.Hash{1}, cfg)
		var reading sync.WaitGroup
		defer reading.Wait()
		for i, s := range steps {
			got, want := tellAll(w.Apply(s)), tellAll(alone.Apply(s))
			if got != want {
				t.Fatalf("step %d fires %s, and alone %s", i, got, want)
			}
			if rapid.IntRange(0, 2).Draw(t, "freeze") > 0 {
				continue
			}
			whole := alone.AppendSnapshot(nil)
			frozen := w.Freeze()
			reading.Go(func() {
				defer frozen.Release()
				if !bytes.Equal(frozen.AppendSnapshot(nil), whole) {
					t.Errorf("what was frozen at step %d changes", i)
				}
			})
		}
		if !bytes.Equal(w.AppendSnapshot(nil), alone.AppendSnapshot(nil)) {
			t.Fatal("freezing changes the state")
		}
	})
}

func tellAll(fired []Fired) string {
	var out []byte
	for _, f := range fired {
		out = f.Alert.AppendJSON(append(out, fmt.Sprint(f.Partition)...))
	}
	return string(out)
}

// TestFrozenChunksAreCopiedOnce: a chunk is copied when it is first touched, and not once nobody reads.
func TestFrozenChunksAreCopiedOnce(t *testing.T) {
	var table windowTable[hitRing]
	key := func(i int) event.Hash { return event.HashStrings(fmt.Sprint(i)) }
	for i := range 3 << chunkBits {
		ring, _ := table.touch(key(i))
		ring.push(hit{time: int64(i)})
	}
	f := new(Frozen)
	frozen := table.freeze(&f.done)
	first := &table.chunks[0][0]
	ring, _ := table.touch(key(0))
	ring.push(hit{time: -1})
	if &table.chunks[0][0] == first || &frozen.chunks[0][0] != first {
		t.Error("a chunk that is read is not copied before it is touched")
	}
	if n := frozen.node(1).val.n; n != 1 {
		t.Errorf("the frozen key has %d hits, want 1", n)
	}
	second := &table.chunks[0][0]
	table.touch(key(1))
	if &table.chunks[0][0] != second {
		t.Error("copied twice")
	}
	f.Release()
	last := &table.chunks[1][0]
	table.touch(key(1<<chunkBits + 5))
	if &table.chunks[1][0] != last || table.shared != nil {
		t.Error("copied though nobody reads")
	}
}
