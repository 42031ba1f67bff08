package tally_test

import (
	"sync"
	"testing"

	"github.com/liveward/liveward/collectors/internal/tally"
)

// Counts that belong together are seen together, whoever counts meanwhile.
func TestCountsAreSeenTogether(t *testing.T) {
	type counts struct{ lines, batches int }
	var c tally.Of[counts]
	var wg sync.WaitGroup
	const writers, rounds = 4, 500
	for range writers {
		wg.Go(func() {
			for range rounds {
				c.Add(func(s *counts) { s.lines += 3; s.batches++ })
			}
		})
	}
	for range rounds {
		if now := c.Now(); now.lines != 3*now.batches {
			t.Errorf("%+v", now)
			break
		}
	}
	wg.Wait()
	if got, want := c.Now(), (counts{3 * writers * rounds, writers * rounds}); got != want {
		t.Errorf("counted %+v, not %+v", got, want)
	}
}

// Counting allocates nothing.
func TestAddDoesNotAllocate(t *testing.T) {
	var c tally.Of[int64]
	n := int64(2)
	if got := testing.AllocsPerRun(100, func() { c.Add(func(s *int64) { *s += n }) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
