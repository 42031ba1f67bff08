package rules

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// everyKind is a rule set with each kind that is counted.
func everyKind() []*Rule {
	show := []event.ID{event.UserAgentClass, event.OrganizationID}
	return []*Rule{
		burst(func(r *Rule) { r.ID, r.Count, r.Show, r.Suppress.EscalateAt = "lw.test.a", 3, show, 9 }),
		burst(func(r *Rule) { distinctUsers(r); r.ID, r.Count, r.Show = "lw.test.b", 3, show }),
		burst(func(r *Rule) { r.ID, r.Kind, r.Show, r.Suppress.For = "lw.test.c", Each, show, 3*time.Second }),
		burst(func(r *Rule) { r.ID, r.Kind, r.Once = "lw.test.d", Each, []event.ID{event.LivenessSessionID} }),
		burst(func(r *Rule) { r.ID, r.Once, r.Count = "lw.test.e", []event.ID{event.LivenessSessionID}, 2 }),
		burst(func(r *Rule) { r.ID, r.By, r.Suppress.For = "lw.test.f", nil, 0 }),
		burst(func(r *Rule) {
			failThenPass(r)
			r.ID, r.Window, r.Show, r.Once, r.Suppress.For = "lw.test.h", 20*time.Second, show, []event.ID{event.LivenessSessionID}, 0
			r.Steps[0].AtLeast = 2
		}),
		burst(func(r *Rule) {
			unanswered(r)
			r.ID, r.Window, r.Show, r.Suppress.For = "lw.test.i", 20*time.Second, show, 0
		}),
		burst(func(r *Rule) {
			newUser(r)
			r.ID, r.FirstSeen, r.Show = "lw.test.j", FirstSeenSpec{History: 30 * time.Second, Learn: 5 * time.Second, Again: time.Minute}, show
		}),
		burst(func(r *Rule) { r.ID, r.Count, r.Show, r.Eager = "lw.test.k", 3, show, true }),
		burst(func(r *Rule) { distinctUsers(r); r.ID, r.Count, r.Show, r.Eager = "lw.test.l", 3, show, true }),
	}
}

// drawSteps draws a history with everything in it that steps can hold: several agents and files,
// rotation, idleness, late, skewed and repeated events, jumps of the ingest time.
func drawSteps(t *rapid.T, rules []*Rule) []Step {
	var steps []Step
	now, ingest := base, base
	var sent []event.Signal
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		now += rapid.SampledFrom([]int64{0, 1, 3, 20, 700}).Draw(t, "gap") * 1e9
		ingest = max(ingest, now) + rapid.Int64Range(-2, 3).Draw(t, "ingest")*1e9
		s := Step{Agent: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "agent"), Ingest: ingest}
		for i := range rapid.IntRange(1, 2).Draw(t, "files") {
			p := event.Position{
				Source: "gw", Path: fmt.Sprint("/", i), Ordinal: uint64(rapid.IntRange(1, 2).Draw(t, "ordinal")),
				Idle: rapid.Bool().Draw(t, "idle"), Done: rapid.IntRange(0, 5).Draw(t, "done") == 0,
			}
			if rapid.IntRange(0, 5).Draw(t, "time") > 0 {
				p.MaxTime = now
			}
			s.Positions = append(s.Positions, p)
		}
		for range rapid.IntRange(0, 8).Draw(t, "signals") {
			r := rules[rapid.IntRange(0, len(rules)-1).Draw(t, "rule")]
			sig := event.Signal{
				State: r.State, File: rapid.IntRange(0, len(s.Positions)-1).Draw(t, "file"),
				Time:   now - rapid.Int64Range(0, 8).Draw(t, "ago")*1e9,
				Offset: rapid.Int64Range(0, 1000).Draw(t, "offset"),
				Late:   rapid.IntRange(0, 9).Draw(t, "late") == 0,
				Skewed: rapid.IntRange(0, 9).Draw(t, "skewed") == 0,
				Drill:  rapid.Bool().Draw(t, "drill"),
			}
			if r.Kind == Sequence {
				sig.Step = rapid.SampledFrom([]uint8{1, 1, 2, 2, StepReset + 1, StepReset + 2, 3}).Draw(t, "step")
			}
			sig.Event = event.HashStrings(fmt.Sprint(len(sent)))
			for _, id := range r.By {
				sig.Key = append(sig.Key, event.Value{Field: id, Str: fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "key"))})
			}
			for _, id := range append(append([]event.ID{}, r.Of...), r.Once...) {
				sig.Of = append(sig.Of, event.Value{Field: id, Str: fmt.Sprint(rapid.IntRange(1, 5).Draw(t, "of"))})
			}
			for _, id := range r.Show {
				sig.Show = append(sig.Show, event.Value{Field: id, Str: strings.Repeat("x", rapid.IntRange(1, 3).Draw(t, "show"))})
			}
			if len(sent) > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
				old := sent[rapid.IntRange(0, len(sent)-1).Draw(t, "old")]
				old.File = sig.File
				sig = old
			}
			sent = append(sent, sig)
			s.Signals = append(s.Signals, sig)
		}
		steps = append(steps, s)
	}
	return steps
}

// drawBounds draws bounds, most of them so tight that things are evicted.
func drawBounds(t *rapid.T) WindowConfig {
	return WindowConfig{
		MaxKeys:    rapid.SampledFrom([]int{2, 5, 1000}).Draw(t, "keys"),
		MaxBytes:   rapid.SampledFrom([]int64{1000, 4000, 1 << 20}).Draw(t, "bytes"),
		MaxPending: rapid.SampledFrom([]int{4, 1000}).Draw(t, "pending"),
		MaxSeen:    rapid.SampledFrom([]int{8, 1000}).Draw(t, "seen"),
		Hold:       time.Minute,
	}
}

// TestSnapshotAtAnyStep: cutting a history by a restart, wherever, changes nothing: neither the
// alerts, byte for byte and in order, nor the state at the end.
func TestSnapshotAtAnyStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, cfg := everyKind(), drawBounds(t)
		steps := withFormer(t, rules, drawSteps(t, rules))
		swap := rapid.IntRange(0, 2*len(steps)).Draw(t, "swap")
		next := append(everyKind()[1:], burst(func(r *Rule) { r.ID, r.Count = "lw.test.g", 2 }))
		run := func(cut int) (out []string, state []byte) {
			w, in := NewWindows(rules, event.Hash{1}, cfg), rules
			for i, s := range steps {
				if i == swap {
					w.Swap(next, event.Hash{2})
					in = next
				}
				if i == cut {
					snapshot, before := w.AppendSnapshot([]byte("before")), w.Stats()
					w = NewWindows(in, w.ruleset, cfg)
					if err := w.Restore(snapshot[len("before"):]); err != nil {
						t.Fatalf("Restore at step %d: %v", i, err)
					}
					sameSizes(t, before, w.Stats())
				}
				for _, f := range w.Apply(s) {
					out = append(out, fmt.Sprint(i, f.Partition, string(f.Alert.AppendJSON(nil))))
				}
			}
			state = w.AppendSnapshot(nil)
			for _, f := range w.End() {
				out = append(out, fmt.Sprint("end", f.Partition, string(f.Alert.AppendJSON(nil))))
			}
			return out, state
		}
		want, wantState := run(-1)
		for cut := range steps {
			got, state := run(cut)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("cut at step %d of %d changes the alerts (-whole +cut):\n%s", cut, len(steps), diff)
			}
			if !bytes.Equal(wantState, state) {
				t.Fatalf("cut at step %d of %d changes the state at the end", cut, len(steps))
			}
		}
	})
}

func filled(t testing.TB, cfg WindowConfig) *Windows {
	t.Helper()
	return filledWith(200, cfg)
}

func filledWith(lines int, cfg WindowConfig) *Windows {
	rules := everyKind()
	w := NewWindows(rules, event.Hash{}, cfg)
	g := newGateway(5*time.Second, rules...)
	for i := range lines {
		w.Apply(g.step(line{
			t: at(float64(i) / 5), key: fmt.Sprintf("10.0.0.%d", i%9), of: []string{fmt.Sprint(i % 6)},
			show: map[event.ID]string{event.UserAgentClass: fmt.Sprint(i % 4)}, path: fmt.Sprint("/", i%2),
			steps: []uint8{uint8(1 + i%4/3)},
		}))
	}
	return w
}

func TestSnapshotIsCanonical(t *testing.T) {
	w := filled(t, WindowConfig{})
	snapshot := w.AppendSnapshot(nil)
	again := NewWindows(everyKind(), event.Hash{}, WindowConfig{})
	if err := again.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(snapshot, again.AppendSnapshot(nil)) {
		t.Error("a restored state gives another snapshot")
	}
	if a, b := w.Stats().Bytes, again.Stats().Bytes; a != b {
		t.Errorf("estimated memory is %d, after a restart %d: evictions would differ", a, b)
	}
}

func TestSnapshotDamagedLeavesWindowsAsTheyWere(t *testing.T) {
	w := filled(t, WindowConfig{})
	snapshot := w.AppendSnapshot(nil)
	other := filled(t, WindowConfig{Lateness: time.Second})
	before := other.AppendSnapshot(nil)
	bad := map[string][]byte{
		"empty":     nil,
		"short":     snapshot[:len(snapshot)-1],
		"foreign":   []byte("liveward journal\n................"),
		"magic":     []byte(snapshotMagic),
		"version":   reseal([]byte(snapshotMagic+"\x02"), nil),
		"truncated": reseal(snapshot[:len(snapshot)/2], nil),
		"longer":    reseal(snapshot[:len(snapshot)-16], []byte{0}),
	}
	for i := 0; i < len(snapshot); i += 997 {
		b := bytes.Clone(snapshot)
		b[i] ^= 0x40
		bad[fmt.Sprint("bit in byte ", i)] = b
	}
	for name, b := range bad {
		if err := other.Restore(b); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(before, other.AppendSnapshot(nil)) {
			t.Fatalf("%s: the error changed the windows", name)
		}
	}
}

// reseal puts the right checksum under a body.
func reseal(body, more []byte) []byte {
	b := append(bytes.Clone(body), more...)
	sum := event.HashOf(b)
	return append(b, sum[:]...)
}

func TestSnapshotUnderOtherRulesKeepsWhatIsUnchanged(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(), burst(func(r *Rule) { r.ID = "lw.test.gone" }))
	s.run("0 1 2")
	snapshot := s.w.AppendSnapshot(nil)
	s.rules = []*Rule{burst(), burst(func(r *Rule) { r.ID, r.Count = "lw.test.new", 2 })}
	s.g.rules = s.rules
	s.restore(snapshot)
	s.run("3 4")
	s.take(s.w.End())
	var got []string
	for _, a := range s.alerts {
		got = append(got, a.Rule.ID+"@"+seconds(a.Time))
	}
	// The new rule has seen nothing before its second event.
	if diff := cmp.Diff([]string{"lw.test.burst@4", "lw.test.new@4"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotSurvivesAnotherTableOfFields(t *testing.T) {
	// The snapshot of a version that had one more field, before all others.
	w := filled(t, WindowConfig{})
	s := &snapshotWriter{}
	s.fields()
	table := s.b
	snapshot := w.AppendSnapshot(nil)
	body := snapshot[len(snapshotMagic)+1+len(table) : len(snapshot)-16]
	var names snapshotWriter
	names.count(event.NumFields)
	for i := range event.NumFields {
		f := event.FieldOf(event.ID(i))
		name := f.Name
		if event.ID(i) == event.UserAgentClass {
			name = "a.field.we.do.not.have"
		}
		names.string(name)
		names.string(f.Type.String())
	}
	b := append([]byte(snapshotMagic), snapshotVersion)
	b = reseal(append(append(b, names.b...), body...), nil)
	again := NewWindows(everyKind(), event.Hash{}, WindowConfig{})
	if err := again.Restore(b); err != nil {
		t.Fatal(err)
	}
	fired := again.End()
	if len(fired) == 0 {
		t.Fatal("nothing fires")
	}
	for _, f := range fired {
		if len(f.Alert.Top) > 0 {
			t.Errorf("alert shows %v of a field that is gone", f.Alert.Top)
		}
	}
	if a, b := len(fired), len(w.End()); a != b {
		t.Errorf("%d alerts, want %d", a, b)
	}
}

// FuzzRestore: whatever a snapshot holds, reading it does not panic, what was read can go on, and
// its own snapshot reads back as the same.
func FuzzRestore(f *testing.F) {
	snapshot := filledWith(20, WindowConfig{Lateness: time.Second}).AppendSnapshot(nil)
	f.Add(snapshot[:len(snapshot)-16])
	f.Add(NewWindows(everyKind(), event.Hash{}, WindowConfig{}).AppendSnapshot(nil))
	rules := everyKind()
	f.Fuzz(func(t *testing.T, body []byte) {
		w := NewWindows(rules, event.Hash{}, WindowConfig{MaxKeys: 10})
		if err := w.Restore(reseal(body, nil)); err != nil {
			return
		}
		first := w.AppendSnapshot(nil)
		again := NewWindows(rules, event.Hash{}, WindowConfig{MaxKeys: 10})
		if err := again.Restore(first); err != nil {
			t.Fatalf("own snapshot: %v", err)
		}
		if !bytes.Equal(first, again.AppendSnapshot(nil)) {
			t.Fatal("own snapshot reads back as another state")
		}
		g := newGateway(5*time.Second, rules...)
		for i := range 20 {
			for _, fired := range w.Apply(g.step(line{t: at(float64(i)), key: "10.0.0.1", of: []string{"u"}, steps: []uint8{1, 2}})) {
				fired.Alert.AppendJSON(nil)
			}
		}
		w.Apply(Step{Ingest: math.MaxInt64})
		for _, fired := range w.End() {
			fired.Alert.AppendJSON(nil)
		}
	})
}
