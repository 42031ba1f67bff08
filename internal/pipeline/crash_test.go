package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/collectors"
)

// However an agent is cut up by kills, pushback, cancelled appends, stale writers and lost tails of
// its journal: every line is one document, and the alerts are those of one replay, byte for byte.
func TestCutUpAtRandom(t *testing.T) {
	cutUp(t, func(seed uint64) []*log {
		return []*log{traffic(seed, "/a", 150, 0, 900), traffic(seed+1, "/b", 150, -400_000, 700)}
	})
}

// The same of gateways whose clocks jump.
func TestCutUpWhileClocksJump(t *testing.T) {
	cutUp(t, func(seed uint64) []*log {
		return []*log{jumpy(seed, "/a", 150), jumpy(seed+1, "/b", 150)}
	})
}

func cutUp(t *testing.T, written func(seed uint64) []*log) {
	t.Helper()
	set := ruleset(t, three()...)
	alerts := 0
	defer func() {
		if alerts == 0 {
			t.Error("nothing fired")
		}
	}()
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t, set)
		defer b.close()
		logs := written(rapid.Uint64().Draw(r, "seed"))
		lost := false
		var one, two *reader
		start := func() {
			b.open("one", "two")
			one, two = b.reader("one", logs[0]), b.reader("two", logs[1])
			b.begin(one, two)
		}
		stop := func() { one.close(); two.close() }
		start()
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"one", "two", "one", "two", "tick", "kill", "halt", "full", "cancel", "fence", "tail", "snapshot"}), 5, 25).Draw(r, "steps")
		for _, step := range steps {
			b.clock.Add(int64(time.Second))
			switch step {
			case "one", "two":
				x := map[string]*reader{"one": one, "two": two}[step]
				if !x.atEnd() {
					x.mustPut(x.batch(0))
				}
			case "tick":
				one.mustPut(one.batch(-1))
				two.mustPut(two.batch(-1))
			case "full":
				b.full.Store(true)
				if err := one.put(one.batch(0)); !errors.Is(err, collectors.ErrPushback) {
					r.Fatalf("put into a full journal: %v", err)
				}
				b.full.Store(false)
			case "cancel":
				// The append may or may not have got through; the collector starts anew.
				ctx, cancel := context.WithCancel(t.Context())
				errs := make(chan error, 1)
				batch := one.batch(0)
				go func() { errs <- one.sink.Put(ctx, batch) }()
				cancel()
				<-errs
				one.close()
				one = b.reader("one", logs[0])
				one.mustPut(one.batch(-1))
			case "fence":
				// A second agent of the same name goes on; the first one is told.
				other := b.reader("two", logs[1])
				other.mustPut(other.batch(0))
				if err := two.put(two.batch(-1)); !errors.Is(err, collectors.ErrFenced) {
					r.Fatalf("stale writer: %v, want fenced", err)
				}
				two.close()
				two = other
			case "snapshot":
				b.settled()
				b.clock.Add(int64(20 * time.Second))
			case "halt": // in good order: a last snapshot
				stop()
				b.close()
				start()
			case "kill":
				stop()
				b.crash()
				start()
			case "tail":
				lost = true
				stop()
				b.halt()
				b.close()
				cutTail(t, b.dir, rapid.SampledFrom([]string{"LIVEWARD_EVENTS", "LIVEWARD_ALERTS", "KV_LIVEWARD_POSITIONS"}).Draw(r, "stream"), rapid.IntRange(1, 6000).Draw(r, "bytes"))
				start()
			}
		}
		one.all()
		two.all()
		b.finish(one, two)
		docs := b.documents()
		want := b.wanted(set, logs...)
		got := b.alerts(lost)
		stop()
		alerts += len(want)
		if len(docs) != 300 {
			r.Fatalf("%d documents of 300 lines", len(docs))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("alerts of replay (-) and agent (+):\n%s", diff)
		}
	})
}

// cutTail takes bytes off the end of a stream's last block, as a disk that lied about its syncs does.
func cutTail(t *testing.T, dir, stream string, n int) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) == 0 {
		t.Fatalf("no blocks of %s", stream)
	}
	slices.Sort(blocks)
	last := blocks[len(blocks)-1]
	st, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(last, max(0, st.Size()-int64(n))); err != nil {
		t.Fatal(err)
	}
	// What the server knows of its files it reads from them again.
	for _, name := range []string{"index.db"} {
		if err := os.Remove(filepath.Join(filepath.Dir(last), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
