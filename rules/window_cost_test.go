package rules

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// TestReorderNearAndFar: signals that come a little behind others, those that come far behind, and those
// of another file leave in one order, however pushing and popping take turns.
func TestReorderNearAndFar(t *testing.T) {
	tails := []*tail{{key: tailKey{agent: "a"}}, {key: tailKey{agent: "b"}}}
	states := []*ruleState{{rule: burst(), rank: 0}, {rule: burst(), rank: 1}, {rule: burst(), rank: 2}}
	heaped := 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		lead := rapid.IntRange(0, 2*maxShift).Draw(t, "lead") // how far one file is ahead of the other
		rnd := rand.New(rand.NewPCG(seed, 0))
		var r reorder
		var model []*pending
		now := int64(0)
		for i := range int64(300) {
			for n := range int64(1 + lead/100) {
				for range 1 + rnd.IntN(3) { // an event's signals, in any order of their rules
					p := r.blank()
					p.time, p.tail, p.offset = 1000*i+n, tails[0], 1000*i+n
					switch rnd.IntN(10) {
					case 0:
						p.time = max(p.time-rnd.Int64N(30), now) // a little behind
					case 1:
						p.time, p.tail = now+rnd.Int64N(1000), tails[1]
					}
					p.state, p.step = states[rnd.IntN(len(states))], uint8(rnd.IntN(3))
					p.data = append(p.data, "data"...)
					r.push(p)
					model = append(model, p)
				}
			}
			heaped = max(heaped, len(r.heap))
			if rnd.IntN(3) > 0 && i*1000 < int64(lead)*100 {
				continue
			}
			slices.SortStableFunc(model, (*pending).compare)
			for range rnd.IntN(1 + 2*lead/100 + 4) {
				if len(model) == 0 {
					break
				}
				if next := r.next(); next != model[0].time {
					t.Fatalf("next is of %d, want %d", next, model[0].time)
				}
				p := r.pop()
				if p.compare(model[0]) != 0 {
					t.Fatalf("popped %+v, want %+v", *p, *model[0])
				}
				now, model = p.time, slices.Delete(model, 0, 1)
			}
			if r.len() != len(model) {
				t.Fatalf("%d wait, want %d", r.len(), len(model))
			}
		}
		r.keep(func(p *pending) bool { return p.step != 1 })
		model = slices.DeleteFunc(model, func(p *pending) bool { return p.step == 1 })
		slices.SortStableFunc(model, (*pending).compare)
		for _, want := range model {
			if p := r.pop(); p.compare(want) != 0 {
				t.Fatalf("kept %+v, want %+v", *p, *want)
			}
		}
		if r.len() != 0 || r.bytes != 0 {
			t.Fatalf("%d signals, %d bytes are left", r.len(), r.bytes)
		}
	})
	if heaped == 0 {
		t.Error("no signal came far behind others")
	}
}

// TestSeenSetAgainstMaps: the set answers as two maps do, with ids of any likeness.
func TestSeenSetAgainstMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const span = 10
		size := rapid.IntRange(1, 300).Draw(t, "size")
		s := newSeenSet(span, size)
		young, old := map[event.Hash]bool{}, map[event.Hash]bool{}
		youngest, oldest := int64(noTime), int64(noTime)
		now := int64(0)
		turn := func() { young, old, youngest, oldest = map[event.Hash]bool{}, young, noTime, youngest }
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range rapid.IntRange(0, 600).Draw(t, "n") {
			switch rnd.IntN(50) {
			case 0:
				now += rnd.Int64N(8)
				s.advance(now)
				if len(young) > 0 && (len(old) == 0 || now >= oldest+span) {
					turn()
				}
			case 1:
				w := &snapshotWriter{}
				s.appendTo(w)
				again := newSeenSet(span, size)
				r := &snapshotReader{b: w.b}
				again.readFrom(r)
				if r.err != nil || len(r.b) > 0 {
					t.Fatalf("snapshot: %v, %d bytes are left", r.err, len(r.b))
				}
				s = again
			default:
				id := event.Hash{15: byte(rnd.IntN(256)), 7: byte(rnd.IntN(2))}
				want := !young[id] && !old[id]
				if want {
					if len(young) >= max(size/2, 1) {
						turn()
					}
					young[id], youngest = true, max(youngest, now)
				}
				if got := s.add(id, now); got != want {
					t.Fatalf("new: %v, want %v", got, want)
				}
			}
			if len(s.young.ids) != len(young) || len(s.old.ids) != len(old) {
				t.Fatalf("%d and %d ids, want %d and %d", len(s.young.ids), len(s.old.ids), len(young), len(old))
			}
		}
	})
}

// TestHashesAreRemembered: what a memo says of values is their hash, whatever it was asked before.
func TestHashesAreRemembered(t *testing.T) {
	var m hashMemo
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		seed := event.Hash{byte(rnd.IntN(3))}
		values := []event.Value{
			{Field: event.UserID, Str: strings.Repeat("u", rnd.IntN(90)) + fmt.Sprint(rnd.IntN(2000))},
			{Field: event.ClientASNumber, Num: rnd.Uint64N(2)},
		}[:rnd.IntN(3)]
		want, _ := valuesHash(nil, seed, values)
		if got := m.of(&seed, values); got != want {
			t.Fatalf("hash of %v is %v, want %v", values, got, want)
		}
	}
}

// TestStatesAreFoundByTheirWholeKey: keys that begin alike are told apart, and those of no rule found
// nowhere.
func TestStatesAreFoundByTheirWholeKey(t *testing.T) {
	var states []*ruleState
	for i := range 100 {
		states = append(states, &ruleState{rule: &Rule{State: event.Hash{byte(i % 3), 15: byte(i)}}})
	}
	l := newStateLookup(states)
	for _, rs := range states {
		if key := rs.rule.State; l.find(&key) != rs {
			t.Errorf("%v is not found", key)
		}
	}
	for i := range 256 {
		if key := (event.Hash{byte(i), 14: 1}); l.find(&key) != nil {
			t.Errorf("%v is found", key)
		}
	}
}

// TestOnlyWhatCanBeShownIsKept: an event that no alert can tell of leaves nothing to be shown, neither in
// its signal nor in the windows.
func TestOnlyWhatCanBeShownIsKept(t *testing.T) {
	steps := []SequenceStep{{Name: "one"}, {Name: "two"}}
	negative := []SequenceStep{{Name: "one"}, {Name: "two", Negative: true}}
	for _, tc := range []struct {
		rule *Rule
		want string // of the steps 0, 1, 2 and 1 and 2 reset
	}{
		{&Rule{Kind: Each}, "yyyyy"},
		{&Rule{Kind: Threshold}, "yyyyy"},
		{&Rule{Kind: FirstSeen}, "yyyyy"},
		{&Rule{Kind: Spike}, "nynnn"},
		{&Rule{Kind: Sequence, Steps: steps}, "yyynn"},
		{&Rule{Kind: Sequence, Steps: negative}, "yynnn"},
		{&Rule{Kind: Sequence}, "yyynn"},
	} {
		got := ""
		for _, step := range []uint8{0, 1, 2, StepReset + 1, StepReset + 2} {
			rs := &ruleState{rule: tc.rule}
			rs.prepare()
			sig := &event.Signal{Step: step, Show: []event.Value{{Field: event.UserID, Str: "u"}}}
			p := new(pending)
			rs.keepValues(p, sig)
			if len(p.data) > p.keyLen {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != tc.want {
			t.Errorf("%s of %d steps: %s, want %s", tc.rule.Kind, len(tc.rule.Steps), got, tc.want)
		}
	}
}

// TestValuesAreKeptOnce: the key's values and those that are new stand where the alert looks for them, and
// not once more among those to be shown; long ones are clipped, and different keys stay different.
func TestValuesAreKeptOnce(t *testing.T) {
	long := strings.Repeat("x", 2*maxWindowValue)
	rs := &ruleState{rule: &Rule{Kind: FirstSeen, By: []event.ID{event.APIKeyID}, Of: []event.ID{event.UserID}}}
	rs.prepare()
	keep := func(key, of string) (k, more []event.Value) {
		p := new(pending)
		rs.keepValues(p, &event.Signal{
			Key:  []event.Value{{Field: event.APIKeyID, Str: key}},
			Of:   []event.Value{{Field: event.UserID, Str: of}},
			Show: []event.Value{{Field: event.APIKeyID, Str: key}, {Field: event.UserID, Str: of}, {Field: event.URLPath, Str: long}},
		})
		return decodeValues(p.data[:p.keyLen]), decodeValues(p.data[p.keyLen:])
	}
	key, more := keep("k", "u")
	want := []event.Value{{Field: event.UserID, Str: "u"}, {Field: event.URLPath, Str: clipText(long)}}
	if diff := cmp.Diff([]event.Value{{Field: event.APIKeyID, Str: "k"}}, key); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, more); diff != "" {
		t.Error(diff)
	}
	a, _ := keep(long+"a", "u")
	b, _ := keep(long+"b", "u")
	if a[0].Str == b[0].Str || len(a[0].Str) > maxWindowValue {
		t.Errorf("%d and %d bytes of long keys are the same", len(a[0].Str), len(b[0].Str))
	}
}

// TestSignalsAllocateNothing: once the keys are known, a signal costs no allocation on its way through
// the windows, of whatever kind its rule is.
func TestSignalsAllocateNothing(t *testing.T) {
	kinds := []*Rule{
		burst(func(r *Rule) { r.Count = 1000 }),
		burst(distinctUsers, func(r *Rule) { r.Count = 1000 }),
		burst(newUser),
		wave(),
		burst(func(r *Rule) { r.ID, r.Once = "lw.test.once", []event.ID{event.UserID} }),
	}
	for _, rule := range kinds {
		t.Run(rule.ID, func(t *testing.T) {
			w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
			const many = 2000
			step := Step{Agent: "a", Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1}}}
			for i := range many {
				sig := event.Signal{State: rule.State, Event: event.HashStrings(fmt.Sprint(i)), Offset: int64(i), Step: uint8(i % 2)}
				for _, id := range rule.By {
					sig.Key = append(sig.Key, event.Value{Field: id, Str: fmt.Sprint("k", i%7)})
				}
				for range max(len(rule.Of), len(rule.Once)) {
					sig.Of = append(sig.Of, event.Value{Field: event.UserID, Str: fmt.Sprint("u", i%5)})
				}
				sig.Show = []event.Value{{Field: event.UserAgentClass, Str: "script"}}
				step.Signals = append(step.Signals, sig)
			}
			now := int64(0)
			apply := func() {
				for i := range step.Signals {
					sig := &step.Signals[i]
					sig.Time = base + now + int64(i)*int64(time.Millisecond)
					sig.Event[15]++
					sig.Event[14] ^= byte(now >> 32)
				}
				now += int64(many * time.Millisecond)
				step.Ingest, step.Positions[0].MaxTime = base+now, base+now
				w.Apply(step)
			}
			for range 200 {
				apply()
			}
			if n := testing.AllocsPerRun(50, apply); n > many/100 {
				t.Errorf("%v allocations for %d signals", n, many)
			}
		})
	}
}

// TestSpareSignalsAreBounded: after a backlog the memory of its signals is given back, above all that of
// large ones.
func TestSpareSignalsAreBounded(t *testing.T) {
	var r reorder
	var all []*pending
	for i := range 2 * maxFree {
		p := r.blank()
		p.state, p.time = &ruleState{rule: burst()}, int64(i)
		if i%4 == 0 {
			p.data = bytes.Repeat([]byte{1}, 2*maxFreeData)
		}
		all = append(all, p)
	}
	for _, p := range all {
		r.recycle(p)
	}
	if len(r.free) != maxFree {
		t.Errorf("%d signals are kept", len(r.free))
	}
	for _, p := range r.free {
		if cap(p.data) > maxFreeData {
			t.Fatalf("a signal with %d bytes is kept", cap(p.data))
		}
	}
}
