package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// rename makes of signals those of another pseudonym key: whom and what they count has a new name, and
// brings the former ones along.
func rename(sig event.Signal, r *Rule, to string, former ...string) event.Signal {
	var out []event.Value
	named := func(values []event.Value) []event.Value {
		values = slices.Clone(values)
		for i := range values {
			v := &values[i]
			for _, key := range former {
				out = append(out, event.Value{Field: v.Field, Str: key + v.Str})
			}
			v.Str = to + v.Str
		}
		return values
	}
	sig.Key = named(sig.Key)
	n := min(len(r.Of), len(sig.Of))
	sig.Of = append(named(sig.Of[:n]), sig.Of[n:]...) // what makes an event count once is nobody
	sig.Former = out
	return sig
}

// withFormer gives some signals the names of another pseudonym key, with or without those of the former.
func withFormer(t *rapid.T, rules []*Rule, steps []Step) []Step {
	byState := map[event.Hash]*Rule{}
	for _, r := range rules {
		byState[r.State] = r
	}
	for i := range steps {
		for j := range steps[i].Signals {
			sig := &steps[i].Signals[j]
			if n := rapid.IntRange(0, 5).Draw(t, "key"); n < 3 && sig.Former == nil {
				*sig = rename(*sig, byState[sig.State], "y-", []string{"", "x-"}[:n]...)
			}
		}
	}
	return steps
}

// account is what an alert says, whatever the key under which it was said.
func account(a *event.Alert) string {
	var key []string
	for _, v := range a.Key {
		key = append(key, strings.TrimLeft(v.Str, "xyz-"))
	}
	return fmt.Sprint(a.Rule.ID, " ", a.Status, " @", seconds(a.Time), " ", key, " count ", a.Count, " suppressed ", a.Suppressed,
		" first ", a.First-base, " last ", a.Last-base, " ", a.Evidence)
}

// TestKeyChangesAnywhere: whenever the pseudonym key changes, once or twice, and whatever restarts lie
// between, all kinds fire as if it had not.
func TestKeyChangesAnywhere(t *testing.T) {
	fired, carried := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		rules := everyKind()
		if rapid.Bool().Draw(t, "timed") {
			rules = timedKinds()[:3]
			rules[2].Absence.Expect, rules[2].Absence.Unless = nil, nil // lists name nobody under two keys here
		}
		byState := map[event.Hash]*Rule{}
		for _, r := range rules {
			byState[r.State] = r
		}
		cfg := WindowConfig{MaxKeys: rapid.SampledFrom([]int{3, 1000}).Draw(t, "keys"), Hold: time.Minute}
		steps := drawSteps(t, rules)
		if rules[0].Kind == Spike {
			steps = withSteps(steps)
		}
		// A key changes while the agent is down: what it reads before is not later than what it reads after.
		changes := []int{rapid.IntRange(0, len(steps)).Draw(t, "change"), rapid.IntRange(0, len(steps)).Draw(t, "second change")}
		slices.Sort(changes)
		newest := int64(noTime)
		for i := range steps {
			edge := int64(noTime)
			if i >= changes[0] {
				edge = newest
			}
			if i < changes[0] || i >= changes[0] && i < changes[1] {
				for _, s := range steps[i].Signals {
					newest = max(newest, s.Time)
				}
			}
			if i >= changes[1] {
				edge = newest
			}
			steps[i].Signals = slices.DeleteFunc(steps[i].Signals, func(s event.Signal) bool { return s.Time <= edge })
		}
		run := func(changing bool) (out []string) {
			w := NewWindows(rules, event.Hash{}, cfg)
			for i, s := range steps {
				if changing && (i == changes[0] || i == changes[1]) {
					snapshot := w.AppendSnapshot(nil)
					w = NewWindows(rules, event.Hash{}, cfg)
					if err := w.Restore(snapshot); err != nil {
						t.Fatal(err)
					}
				}
				s.Signals = slices.Clone(s.Signals)
				for j := range s.Signals {
					sig := &s.Signals[j]
					r := byState[sig.State]
					switch {
					case !changing || i < changes[0]:
						*sig = rename(*sig, r, "x-")
					case i < changes[1]:
						*sig = rename(*sig, r, "y-", "x-")
					default:
						*sig = rename(*sig, r, "z-", "y-", "x-")
						carried++
					}
				}
				for _, f := range w.Apply(s) {
					out = append(out, account(f.Alert))
				}
			}
			for _, f := range w.End() {
				out = append(out, account(f.Alert))
			}
			slices.Sort(out) // of what fires at one time, the hash of the key decides on the order
			return out
		}
		want, got := run(false), run(true)
		fired += len(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("alerts of one key (-) and of three (+), changed before steps %v:\n%s", changes, diff)
		}
	})
	if fired == 0 || carried == 0 {
		t.Errorf("%d alerts, %d signals after a change: the test shows nothing", fired, carried)
	}
}
