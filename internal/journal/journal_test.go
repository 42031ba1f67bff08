package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

func open(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func writer(t testing.TB, j *journal.Journal, subject string) *journal.Writer {
	t.Helper()
	w, err := j.Writer(t.Context(), journal.Events, subject)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustAppend(t testing.TB, w *journal.Writer, body string) journal.Ref {
	t.Helper()
	ref, err := w.Append(t.Context(), journal.Cause{}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// read returns the bodies after seq up to the stream's end.
func read(t testing.TB, j *journal.Journal, seq uint64) []string {
	t.Helper()
	_, last, err := j.Bounds(t.Context(), journal.Events)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	err = j.ReadRange(t.Context(), journal.Events, seq, last, journal.All, func(e *journal.Entry) error {
		out = append(out, string(e.Body))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAppendAndReadOverRestart(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	w := writer(t, j, journal.BatchSubject("a", "c"))
	first := mustAppend(t, w, "one")
	mustAppend(t, w, "two")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir)
	w = writer(t, j, journal.BatchSubject("a", "c"))
	mustAppend(t, w, "three")
	if diff := cmp.Diff([]string{"one", "two", "three"}, read(t, j, 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"two", "three"}, read(t, j, first.Seq)); diff != "" {
		t.Error(diff)
	}
}

func TestStaleWriterIsFenced(t *testing.T) {
	j := open(t, t.TempDir())
	subject := journal.BatchSubject("a", "c")
	stale := writer(t, j, subject)
	mustAppend(t, stale, "one")
	fresh := writer(t, j, subject)
	mustAppend(t, fresh, "two")
	if _, err := stale.Append(t.Context(), journal.Cause{}, []byte("three")); !errors.Is(err, journal.ErrFenced) {
		t.Fatalf("stale writer: got %v, want ErrFenced", err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, read(t, j, 0)); diff != "" {
		t.Error(diff)
	}
}

// A writer whose answer was lost sends the same message again; it must be stored once.
func TestRepeatedAppendIsStoredOnce(t *testing.T) {
	j := open(t, t.TempDir())
	subject := journal.BatchSubject("a", "c")
	w, again := writer(t, j, subject), writer(t, j, subject)
	ref := mustAppend(t, w, "one")
	got, err := again.Append(t.Context(), journal.Cause{}, []byte("one"))
	if err != nil || got != ref {
		t.Fatalf("got %v, %v; want %v", got, err, ref)
	}
	if diff := cmp.Diff([]string{"one"}, read(t, j, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestWriterAfterPurge(t *testing.T) {
	j := open(t, t.TempDir())
	w := writer(t, j, journal.BatchSubject("a", "old"))
	ref := mustAppend(t, w, "one")
	mustAppend(t, writer(t, j, journal.BatchSubject("a", "new")), "two")
	swept, err := j.Sweep(t.Context(), journal.Events, time.Now().Add(8*24*time.Hour), []uint64{ref.Seq + 1})
	if err != nil || swept.Purged != 1 || swept.Expired != 0 {
		t.Fatalf("sweep: %+v, %v", swept, err)
	}
	mustAppend(t, w, "three")
	if diff := cmp.Diff([]string{"two", "three"}, read(t, j, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestSweepKeepsWhatReadersNeed(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name string
		age  time.Duration
		done []uint64
		want journal.Swept
	}{
		{"young", day, []uint64{10}, journal.Swept{}},
		{"old, all done", 8 * day, []uint64{10, 10}, journal.Swept{Purged: 9}},
		{"old, one reader behind", 8 * day, []uint64{10, 4}, journal.Swept{Purged: 4}},
		{"past the legal age, one reader behind", 31 * day, []uint64{10, 4}, journal.Swept{Purged: 10, Expired: 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := open(t, t.TempDir())
			w := writer(t, j, journal.BatchSubject("a", "c"))
			for i := range 10 {
				mustAppend(t, w, fmt.Sprint(i))
			}
			got, err := j.Sweep(t.Context(), journal.Events, time.Now().Add(tt.age), tt.done)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFollowSeesLaterAppendsAndSurvivesRestart(t *testing.T) {
	j := open(t, t.TempDir())
	w := writer(t, j, journal.BatchSubject("a", "c"))
	mustAppend(t, w, "0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	err := j.Follow(ctx, journal.Events, 0, journal.All, nil, func(e *journal.Entry) error {
		if string(e.Body) != fmt.Sprint(n) {
			return fmt.Errorf("message %d is %q", n, e.Body)
		}
		n++
		if n == 3 {
			if err := j.RestartForTest(ctx); err != nil {
				return err
			}
		}
		if n == 6 {
			return journal.ErrStop
		}
		mustAppend(t, w, fmt.Sprint(n))
		return nil
	})
	if err != nil || n != 6 {
		t.Fatalf("%d messages, %v", n, err)
	}
}

func TestCursorOfATruncatedTail(t *testing.T) {
	j := open(t, t.TempDir())
	w := writer(t, j, journal.BatchSubject("a", "c"))
	ref := mustAppend(t, w, "one")
	for _, tt := range []struct {
		name string
		ref  journal.Ref
		want journal.Ref
	}{
		{"held", ref, ref},
		{"other message at that sequence", journal.Ref{Seq: ref.Seq, Hash: event.HashStrings("other")}, journal.Ref{}},
		{"past the end", journal.Ref{Seq: ref.Seq + 5, Hash: ref.Hash}, journal.Ref{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := j.SaveCursor(t.Context(), journal.Events, "r", tt.ref); err != nil {
				t.Fatal(err)
			}
			got, err := j.Cursor(t.Context(), journal.Events, "r")
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestBucketComparesAndSets(t *testing.T) {
	b := open(t, t.TempDir()).Incidents()
	ctx := t.Context()
	rev, err := b.Save(ctx, "k", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Save(ctx, "k", []byte("x"), 0); !errors.Is(err, journal.ErrChanged) {
		t.Errorf("create over a value: %v", err)
	}
	rev2, err := b.Save(ctx, "k", []byte("2"), rev)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Save(ctx, "k", []byte("x"), rev); !errors.Is(err, journal.ErrChanged) {
		t.Errorf("stale save: %v", err)
	}
	if v, r, err := b.Load(ctx, "k"); err != nil || string(v) != "2" || r != rev2 {
		t.Errorf("load: %q %d %v", v, r, err)
	}
	if err := b.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if v, r, err := b.Load(ctx, "k"); err != nil || v != nil || r != 0 {
		t.Errorf("load after delete: %q %d %v", v, r, err)
	}
	if _, err := b.Save(ctx, "k", []byte("3"), 0); err != nil {
		t.Errorf("create after delete: %v", err)
	}
}

// A reader with nothing to read says so, and its consumer goes on: it is not made anew each second.
func TestFollowIsIdle(t *testing.T) {
	j := open(t, t.TempDir())
	w := writer(t, j, journal.BatchSubject("a", "c"))
	mustAppend(t, w, "0")
	n, idle := 0, 0
	err := j.Follow(t.Context(), journal.Events, 0, journal.All, func() error {
		idle++
		mustAppend(t, w, "1")
		return nil
	}, func(*journal.Entry) error {
		n++
		if n == 3 {
			return journal.ErrStop
		}
		return nil
	})
	if err != nil || idle != 2 {
		t.Errorf("idle %d times, %v", idle, err)
	}
}
