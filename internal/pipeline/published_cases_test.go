package pipeline_test

import (
	"fmt"
	"slices"
	"testing"
)

// publishedCase is one of the fifty cases that say what rules mean: where the engines of the field answer
// differently, or wrongly, what liveward answers. A case is streams of events with the alerts that are wanted
// of them, or, where it is about more than a stream, a function.
type publishedCase struct {
	number  int
	says    string
	streams []stream
	run     func(*testing.T)
}

// The rest of the table stands beside this file, by theme:
//
//	published_burst_test.go      1 to 24   windows, time, restarts, suppression, keys, different values
//	published_sequence_test.go  25 to 35   sequences, silence
//	published_spike_test.go     36 to 43   spikes, the hour that comes twice, what is new
//	published_contract_test.go  44 to 50   missing values, reloads, replay, exceptions, floods
func publishedCases() []publishedCase {
	return slices.Concat(windowCases(), sequenceCases(), spikeCases(), contractCases())
}

// numberOfCases is how many there are.
const numberOfCases = 50

// TestPublishedCases runs all of them: from lines of a log, through the stages of an agent and the rule as it
// is written, to alerts.
func TestPublishedCases(t *testing.T) {
	cases := publishedCases()
	for i := range max(len(cases), numberOfCases) {
		if i >= len(cases) || cases[i].number != i+1 {
			t.Fatalf("case %d is missing, double or not in its place", i+1)
		}
	}
	if len(cases) != numberOfCases {
		t.Fatalf("%d cases, want %d", len(cases), numberOfCases)
	}
	b := newBenchOf(t, nil, "liveward_v1", "UTC")
	for _, c := range cases {
		t.Run(fmt.Sprintf("case %d: %s", c.number, c.says), func(t *testing.T) {
			if (c.run == nil) == (len(c.streams) == 0) {
				t.Fatal("a case is streams or a function")
			}
			if c.run != nil {
				c.run(t)
			}
			for _, s := range c.streams {
				s.check(t, b)
			}
		})
	}
}
