package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// TestReorderIsTheTotalOrder: whatever the order of arrival, signals leave by time, source, ordinal,
// offset and index.
func TestReorderIsTheTotalOrder(t *testing.T) {
	tails := []*tail{
		{key: tailKey{"b", event.SourceKey{Source: "x", Path: "/1"}}},
		{key: tailKey{"a", event.SourceKey{Source: "x", Path: "/2"}}},
		{key: tailKey{"a", event.SourceKey{Source: "y", Path: "/1"}}},
	}
	rs := &ruleState{rule: burst()}
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 2)
		var r reorder
		n := rapid.IntRange(0, 60).Draw(t, "n")
		for range n {
			p := r.blank()
			p.state = rs
			p.time, p.ordinal, p.offset = small.Draw(t, "t"), uint64(small.Draw(t, "ordinal")), small.Draw(t, "offset")
			p.index, p.tail = int32(small.Draw(t, "index")), tails[small.Draw(t, "tail")]
			r.push(p)
		}
		if rapid.Bool().Draw(t, "drop") {
			r.keep(func(p *pending) bool { return p.index != 1 })
		}
		var last *pending
		for r.len() > 0 {
			next := r.next()
			p := r.pop()
			if p.time != next {
				t.Fatalf("next is %d, popped %d", next, p.time)
			}
			if last != nil && last.compare(p) > 0 {
				t.Fatalf("%+v came before %+v", *last, *p)
			}
			last = p
		}
	})
}

// TestReorderTieIsFileOrder is case 27 for windows: events of one second keep the order of the log.
func TestReorderTieIsFileOrder(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { r.Count = 3 }))
	s.run("7#a 7#b 7#c 7#d")
	s.take(s.w.End())
	want := []event.Hash{event.HashStrings("event", "a"), event.HashStrings("event", "b"), event.HashStrings("event", "c")}
	if diff := cmp.Diff(want, s.alerts[0].Evidence); diff != "" {
		t.Error(diff)
	}
}

// TestReorderIsBounded: a source that holds the watermark back costs order, not memory.
func TestReorderIsBounded(t *testing.T) {
	s := newStory(t, WindowConfig{MaxPending: 10}, burst())
	s.take(s.w.Apply(Step{Agent: "agent-1", Ingest: base, Positions: []event.Position{{Source: "gw", Path: "/stuck", Ordinal: 1}}}))
	s.run("0..19")
	st := s.w.Stats()
	if st.Pending != 10 || st.Forced != 10 {
		t.Errorf("pending %d, forced %d; want 10, 10", st.Pending, st.Forced)
	}
	if got := s.told(); got != "@4" {
		t.Errorf("alerts %q, want @4", got)
	}
	if st.Watermark != at(9) {
		t.Errorf("watermark %s, want 9", seconds(st.Watermark))
	}
	s.run("6") // older than what was counted already, though not late for its source
	if got := s.w.Stats(); got.Behind+got.Late != 1 {
		t.Errorf("behind %d, late %d", got.Behind, got.Late)
	}
}

// TestReorderIsBoundedInBytes: long values cost places in the buffer.
func TestReorderIsBoundedInBytes(t *testing.T) {
	rule := burst(func(r *Rule) { r.Show = []event.ID{event.URLPath, event.UserAgentOriginal, event.Message} })
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{MaxPending: 100})
	g := newGateway(5*time.Second, rule)
	long := strings.Repeat("x", 10_000)
	for i := range 100 {
		w.Apply(g.step(line{t: at(float64(i) / 100), key: "10.0.0.1", show: map[event.ID]string{
			event.URLPath: long, event.UserAgentOriginal: long, event.Message: long,
		}}))
	}
	if st := w.Stats(); st.Pending > 60 || st.Pending+int(st.Forced) != 100 {
		t.Errorf("pending %d, forced %d", st.Pending, st.Forced)
	}
}

// TestReorderForgetsWhatLeft: one signal that waits long, of a source that is ahead of the others, must not
// make the buffer keep a place for each that passes it.
func TestReorderForgetsWhatLeft(t *testing.T) {
	var r reorder
	push := func(at int64) {
		p := r.blank()
		p.state, p.tail, p.time = &ruleState{rule: burst()}, &tail{}, at
		r.push(p)
	}
	push(1 << 40)
	for at := range int64(10_000) {
		push(at)
		if p := r.pop(); p.time != at {
			t.Fatalf("popped %d, want %d", p.time, at)
		}
	}
	if n := cap(r.queue); n > 16 {
		t.Errorf("room for %d signals while one waits", n)
	}
}
