package rules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// TestSeenUntilTheHorizon: an event that is sent again is known until the watermark is a horizon
// beyond it, however far ahead of the watermark it came.
func TestSeenUntilTheHorizon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const span = 10
		s := newSeenSet(span, 1000)
		now := int64(0)
		type seen struct {
			id event.Hash
			t  int64
		}
		var all []seen
		for i := range rapid.IntRange(1, 100).Draw(t, "n") {
			now += rapid.Int64Range(0, 4).Draw(t, "step")
			s.advance(now)
			e := seen{event.HashStrings(fmt.Sprint(i)), now + rapid.Int64Range(0, 30).Draw(t, "ahead")}
			if !s.add(e.id, e.t) {
				t.Fatalf("event %d is new, and taken for a duplicate", i)
			}
			all = append(all, e)
			old := all[rapid.IntRange(0, i).Draw(t, "again")]
			if now < old.t+span && s.add(old.id, max(old.t, now)) {
				t.Fatalf("watermark %d: the event of %d was forgotten", now, old.t)
			}
		}
	})
}

func TestSeenIsBoundedAndForgets(t *testing.T) {
	s := newSeenSet(time.Second, 100)
	for i := range 1000 {
		s.add(event.HashStrings(fmt.Sprint(i)), 0)
		if n := len(s.young.ids) + len(s.old.ids); n > 100 {
			t.Fatalf("%d ids after %d", n, i)
		}
	}
	if s.overflow == 0 {
		t.Error("not told")
	}
	for range 3 {
		s.advance(int64(time.Minute))
		s.add(event.Hash{9, byte(s.overflow)}, int64(time.Minute))
	}
	if !s.add(event.HashStrings("999"), int64(time.Minute)) {
		t.Error("remembered for ever")
	}
}

// TestTableIsALeastRecentlyUsedList compares the table with a slice.
func TestTableIsALeastRecentlyUsedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table windowTable[int]
		var order []byte
		vals := map[byte]int{}
		for i := range rapid.IntRange(0, 1000).Draw(t, "n") {
			if k := byte(rapid.IntRange(0, 40).Draw(t, "key")); k < 30 {
				val, added := table.touch(event.Hash{k})
				_, known := vals[k]
				if added == known || *val != vals[k] {
					t.Fatalf("touch %d: added %v, known %v, %d, want %d", k, added, known, *val, vals[k])
				}
				*val, vals[k] = i+1, i+1
				order = append(slices.DeleteFunc(order, func(b byte) bool { return b == k }), k)
			} else if len(order) > 0 {
				if *table.first() != vals[order[0]] {
					t.Fatal("first is not the oldest")
				}
				table.dropFirst()
				delete(vals, order[0])
				order = order[1:]
			}
			var got []byte
			table.all(func(key event.Hash, val *int) {
				got = append(got, key[0])
				if *val != vals[key[0]] || *table.get(key) != *val {
					t.Fatalf("key %d has %d", key[0], *val)
				}
			})
			if !slices.Equal(got, order) || table.len() != len(order) {
				t.Fatalf("order %v, want %v", got, order)
			}
		}
	})
}

// TestShowsAreCountedByUse: what is shared is kept once and forgotten with its last use.
func TestShowsAreCountedByUse(t *testing.T) {
	var s showTable
	a, b, again := s.intern([]byte("a")), s.intern([]byte("b")), s.intern([]byte("a"))
	if a != again || a == b || s.intern(nil) != 0 {
		t.Fatalf("references %d %d %d", a, b, again)
	}
	s.release(a)
	if string(s.get(a)) != "a" {
		t.Error("forgotten with a use left")
	}
	s.release(a)
	s.release(b)
	s.release(0)
	if s.bytes != 0 || len(s.refs) != 0 {
		t.Errorf("%d bytes, %d values left", s.bytes, len(s.refs))
	}
	if c := s.intern([]byte("c")); int(c) >= len(s.shows) || len(s.shows) != 3 {
		t.Error("places are not used again")
	}
}
