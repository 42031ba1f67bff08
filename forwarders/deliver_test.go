package forwarders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// fake is a store that does what act says for each Forward.
type fake struct {
	calls  [][]string
	act    func(call int, docs []event.Document) error
	stored map[string]int
}

func (f *fake) Forward(_ context.Context, docs []event.Document) error {
	f.calls = append(f.calls, names(docs))
	err := f.act(len(f.calls), docs)
	if f.stored == nil {
		f.stored = map[string]int{}
	}
	var p *PartialError
	for i, d := range docs {
		if err == nil || errors.As(err, &p) && !slices.Contains(p.Retry, i) &&
			!slices.ContainsFunc(p.Reject, func(r Rejected) bool { return r.Index == i }) {
			f.stored[name(d)]++
		}
	}
	return err
}

func name(d event.Document) string { return string(bytes.TrimRight(d.JSON, " ")) }

func names(docs []event.Document) []string {
	var out []string
	for _, d := range docs {
		out = append(out, name(d))
	}
	return out
}

// docs makes documents a, b, c … of the given size.
func docs(n, size int) []event.Document {
	out := make([]event.Document, n)
	for i := range out {
		b := bytes.Repeat([]byte{' '}, max(size, 3))
		copy(b, fmt.Sprintf("%c%d", 'a'+i%26, i/26))
		out[i] = event.Document{ID: event.HashStrings(fmt.Sprint(i)), JSON: b}
	}
	return out
}

// rig is a Delivery with a clock of its own.
type rig struct {
	*Delivery
	waits  []time.Duration
	health []string
	dead   []string
}

func newRig(f Forwarder) *rig {
	r := &rig{}
	r.Delivery = &Delivery{
		Forwarder: f,
		Rand:      func() float64 { return 0 },
		Now:       func() time.Time { return time.Unix(1_767_225_600, 0) },
		Wait: func(ctx context.Context, d time.Duration) error {
			r.waits = append(r.waits, d)
			return ctx.Err()
		},
		OnHealth: func(h Health) { r.health = append(r.health, string(h.State)+string(h.Kind)) },
		DeadLetter: func(_ context.Context, d event.Document, why Rejected) error {
			r.dead = append(r.dead, fmt.Sprintf("%s %d %s", name(d), why.Status, why.Reason))
			return nil
		},
	}
	return r
}

func deliver(t *testing.T, r *rig, docs []event.Document) {
	t.Helper()
	if err := r.Deliver(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestDeliverRetriesOnlyWhatFailed(t *testing.T) {
	f := &fake{act: func(call int, docs []event.Document) error {
		switch call {
		case 1:
			return errors.New("connection reset")
		case 2:
			return &PartialError{Retry: []int{1, 3}, Reject: []Rejected{{Index: 2, Status: 400, Reason: "no ip"}}, Cause: &OverloadError{Err: errors.New("429")}}
		}
		return nil
	}}
	r := newRig(f)
	deliver(t, r, docs(4, 3))
	equal(t, "calls", [][]string{{"a0", "b0", "c0", "d0"}, {"a0", "b0", "c0", "d0"}, {"b0", "d0"}}, f.calls)
	equal(t, "dead letters", []string{"c0 400 no ip"}, r.dead)
	equal(t, "health", []string{"retrying", "healthy"}, r.health)
	s := r.Stats()
	s.Health = Health{}
	equal(t, "stats", Stats{Stored: 3, Retried: 6, Rejected: 1, Attempts: 3, Failures: 2}, s)
}

func TestDeliverBacksOff(t *testing.T) {
	f := &fake{act: func(call int, docs []event.Document) error {
		switch {
		case call <= 12:
			return errors.New("down")
		case call == 13:
			return &PartialError{Retry: []int{0}} // progress
		case call == 14:
			return &OverloadError{Err: errors.New("429"), After: 90 * time.Second}
		case call == 15:
			return &OverloadError{Err: errors.New("429"), After: 1000 * time.Hour}
		}
		return nil
	}}
	r := newRig(f)
	deliver(t, r, docs(2, 3))
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 15000 * ms, 15000 * ms, 15000 * ms, 15000 * ms, 100 * ms, 90 * time.Second, maxRetryAfter}
	equal(t, "pauses", want, r.waits)
}

func TestBackoffJitter(t *testing.T) {
	b := Backoff{Min: time.Second, Max: time.Minute}
	equal(t, "least", 500*time.Millisecond, b.pause(1, 0))
	if p := b.pause(1, 0.999); p <= 900*time.Millisecond || p > time.Second {
		t.Errorf("pause %s", p)
	}
	equal(t, "bounded", 30*time.Second, b.pause(1<<30, 0))
}

func TestDeliverKeepsWhatSomebodyHasToMend(t *testing.T) {
	f := &fake{act: func(call int, docs []event.Document) error {
		if call <= 200 {
			return &ConfigError{Kind: Credentials, Status: 401, Err: errors.New("refused")}
		}
		return nil
	}}
	r := newRig(f)
	deliver(t, r, docs(2, 3))
	equal(t, "dead letters", []string(nil), r.dead)
	equal(t, "health", []string{"stuckcredentials", "healthy"}, r.health)
	equal(t, "first pause", 2500*time.Millisecond, r.waits[0])
	equal(t, "last pause", 30*time.Second, r.waits[len(r.waits)-1])
}

// One tenant's missing privilege holds up neither the others' documents of the same call nor those of
// later pieces.
func TestDeliverGoesPastAFaultOfOthers(t *testing.T) {
	f := &fake{}
	f.act = func(call int, docs []event.Document) error {
		var p PartialError
		for i, d := range docs {
			if name(d)[0] == 'a' && call < 5 {
				p.Retry = append(p.Retry, i)
				p.Cause = &ConfigError{Kind: Privilege, Status: 403, Err: errors.New("no")}
			}
		}
		if p.Retry == nil {
			return nil
		}
		return &p
	}
	r := newRig(f)
	r.MaxBytes = 9
	deliver(t, r, docs(6, 3))
	equal(t, "calls", [][]string{{"a0", "b0", "c0"}, {"d0", "e0", "f0"}, {"a0"}, {"a0"}, {"a0"}}, f.calls)
}

func TestDeliverSplitsWhatIsTooLarge(t *testing.T) {
	const limit = 250 // bytes the store takes at once
	f := &fake{act: func(_ int, docs []event.Document) error {
		size := 0
		for _, d := range docs {
			size += len(d.JSON)
		}
		if size > limit {
			return &TooLargeError{Status: 413, Err: errors.New("413")}
		}
		return nil
	}}
	r := newRig(f)
	all := append(docs(20, 50), event.Document{JSON: append([]byte("big"), bytes.Repeat([]byte{' '}, 300)...)})
	deliver(t, r, all)
	if len(f.stored) != 20 {
		t.Errorf("%d documents stored, want 20", len(f.stored))
	}
	equal(t, "dead letters", []string{"big 413 store refuses a document of this size"}, r.dead)
	equal(t, "pauses", []time.Duration(nil), r.waits)
	equal(t, "health", []string{"healthy"}, r.health)
	// What was learned stays learned.
	before := len(f.calls)
	deliver(t, r, docs(20, 50))
	if refused := r.Stats().Failures; refused > 6 {
		t.Errorf("%d calls refused, %d of the second delivery", refused, len(f.calls)-before)
	}
}

func TestDeliverHalvesOnOverload(t *testing.T) {
	f := &fake{act: func(_ int, docs []event.Document) error {
		if len(docs) > 3 {
			return &OverloadError{Err: errors.New("429")}
		}
		return nil
	}}
	r := newRig(f)
	deliver(t, r, docs(12, 10))
	if len(f.stored) != 12 {
		t.Errorf("%d documents stored", len(f.stored))
	}
	if len(r.waits) == 0 {
		t.Error("no pause after an overload")
	}
}

func TestDeliverRejectsOversize(t *testing.T) {
	f := &fake{act: func(int, []event.Document) error { return nil }}
	r := newRig(f)
	r.MaxDocument = 10
	deliver(t, r, append(docs(1, 11), docs(2, 3)...))
	equal(t, "dead letters", []string{"a0 413 document larger than the configured limit"}, r.dead)
	equal(t, "calls", [][]string{{"a0", "b0"}}, f.calls)
}

func TestDeliverWaitsForDeadLetters(t *testing.T) {
	f := &fake{act: func(_ int, docs []event.Document) error {
		return &PartialError{Reject: []Rejected{{Index: 0, Status: 400, Reason: "x"}}}
	}}
	r := newRig(f)
	tries := 0
	r.DeadLetter = func(context.Context, event.Document, Rejected) error {
		if tries++; tries < 4 {
			return errors.New("journal full")
		}
		return nil
	}
	deliver(t, r, docs(2, 3))
	equal(t, "attempts at the store", [][]string{{"a0", "b0"}}, f.calls)
	equal(t, "pauses", 3, len(r.waits))
	equal(t, "rejected", uint64(1), r.Stats().Rejected)

	r.DeadLetter = nil
	if err := r.Deliver(t.Context(), docs(1, 3)); !errors.Is(err, errNoDeadLetter) {
		t.Errorf("Deliver without dead letters: %v", err)
	}
}

func TestDeliverEndsWithContext(t *testing.T) {
	down := errors.New("down")
	f := &fake{act: func(int, []event.Document) error { return down }}
	r := newRig(f)
	ctx, cancel := context.WithCancel(t.Context())
	r.Wait = func(context.Context, time.Duration) error { cancel(); return ctx.Err() }
	err := r.Deliver(ctx, docs(2, 3))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, down) {
		t.Errorf("Deliver: %v", err)
	}
	if err := r.Deliver(t.Context(), nil); err != nil {
		t.Errorf("Deliver of nothing: %v", err)
	}
}

func TestDeliverDistrustsBadIndexes(t *testing.T) {
	for _, bad := range []*PartialError{
		{Retry: []int{2}}, {Retry: []int{-1}}, {Retry: []int{0, 0}}, {Reject: []Rejected{{Index: 7}}}, {Retry: []int{1}, Reject: []Rejected{{Index: 1}}},
	} {
		f := &fake{act: func(call int, _ []event.Document) error {
			if call == 1 {
				return bad
			}
			return nil
		}}
		r := newRig(f)
		deliver(t, r, docs(2, 3))
		equal(t, "calls", [][]string{{"a0", "b0"}, {"a0", "b0"}}, f.calls)
		equal(t, "dead letters", []string(nil), r.dead)
	}
}

// TestDeliverProperty: whatever the store does, each document is stored or dead in the end, and none
// that is stored is sent again.
func TestDeliverProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "documents")
		trouble := rapid.IntRange(0, 40).Draw(t, "troubled calls")
		f := &fake{}
		f.act = func(call int, docs []event.Document) error {
			if call > trouble {
				return nil
			}
			causes := []error{
				nil, &OverloadError{Err: errors.New("429")}, &TooLargeError{Status: 413, Err: errors.New("413")},
				&ConfigError{Kind: Privilege, Err: errors.New("403")}, errors.New("reset"),
			}
			cause := rapid.SampledFrom(causes).Draw(t, "cause")
			if rapid.Bool().Draw(t, "whole") {
				return cause
			}
			p := &PartialError{Cause: cause}
			for i := range docs {
				switch rapid.IntRange(0, 3).Draw(t, "fate") {
				case 0:
					p.Retry = append(p.Retry, i)
				case 1:
					p.Reject = append(p.Reject, Rejected{Index: i})
				}
			}
			return p
		}
		r := newRig(f)
		r.MaxBytes = rapid.IntRange(1, 100).Draw(t, "bytes")
		dead := map[string]int{}
		r.DeadLetter = func(_ context.Context, d event.Document, _ Rejected) error {
			if rapid.IntRange(0, 5).Draw(t, "journal") == 0 {
				return errors.New("full")
			}
			dead[name(d)]++
			return nil
		}
		all := docs(n, 5)
		if err := r.Deliver(context.Background(), all); err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if got := f.stored[name(d)] + dead[name(d)]; got != 1 {
				t.Fatalf("document %s settled %d times", name(d), got)
			}
		}
	})
}
