package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const insideMount = "LIVEWARD_TEST_MOUNT"

// A disk that is full: nothing acknowledged is lost, appends push back, and go on when there is room
// again, in the same process. The test runs itself with a small file system of its own.
func TestDiskFull(t *testing.T) {
	if os.Getenv(insideMount) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$")
		cmd.Env = append(os.Environ(), insideMount+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if uid := os.Getuid(); uid != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("in a mount namespace of its own: %v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if err := errors.Join(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("none", dir, "tmpfs", 0, "size=24m"),
	); err != nil {
		t.Fatalf("mount: %v", err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte{1}, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "journal")
	j, err := journal.Open(t.Context(), journal.Config{Dir: store, ReserveFree: 1, Answer: time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := writer(t, j, journal.BatchSubject("a", "c"))
	body := func(n int) []byte {
		b := make([]byte, 200<<10)
		r := rand.NewChaCha8([32]byte{byte(n)})
		_, _ = r.Read(b)
		return append(b, fmt.Sprintf(" %d", n)...)
	}
	var acked []string
	n := 0
	for ; n < 200; n++ {
		_, err := w.Append(t.Context(), journal.Cause{}, body(n))
		for errors.Is(err, journal.ErrPushback) && room(t, dir) {
			_, err = w.Append(t.Context(), journal.Cause{}, body(n)) // an answer that took its time
		}
		if errors.Is(err, journal.ErrPushback) {
			break
		}
		if err != nil {
			t.Fatalf("append %d: %v", n, err)
		}
		acked = append(acked, fmt.Sprint(n))
	}
	if n == 200 {
		t.Fatal("the disk was never full")
	}
	for range 2 { // and again and again
		if _, err := w.Append(t.Context(), journal.Cause{}, body(n)); !errors.Is(err, journal.ErrPushback) {
			t.Fatalf("append to a full disk: %v", err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := w.Append(t.Context(), journal.Cause{}, body(n))
		if err == nil {
			break
		}
		if !errors.Is(err, journal.ErrPushback) || time.Now().After(deadline) {
			t.Fatalf("append with room again: %v", err)
		}
	}
	acked = append(acked, fmt.Sprint(n))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, store)
	var got []string
	for _, b := range read(t, j, 0) {
		got = append(got, b[strings.LastIndexByte(b, ' ')+1:])
	}
	if diff := cmp.Diff(acked, got); diff != "" {
		t.Error(diff)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

// room tells whether a file system has room for more than a message.
func room(t *testing.T, dir string) bool {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Bavail*uint64(st.Bsize) > 1<<20
}

// Batches leave the reserve alone; what readers write does not, or they could never come on.
func TestReserveIsForReaders(t *testing.T) {
	free := int64(1 << 40)
	j, err := journal.Open(t.Context(), journal.Config{
		Dir: t.TempDir(), ReserveFree: 400, Free: func() (int64, error) { return free, nil },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	batches := writer(t, j, journal.BatchSubject("a", "c"))
	alerts, err := j.Writer(t.Context(), journal.Alerts, journal.AlertSubject(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		free         int64
		batch, alert bool
	}{{400, true, true}, {399, false, true}, {100, false, true}, {99, false, false}} {
		free = tt.free
		_, err := batches.Append(t.Context(), journal.Cause{}, []byte{1})
		if (err == nil) != tt.batch || (err != nil && !errors.Is(err, journal.ErrPushback)) {
			t.Errorf("batch with %d bytes free: %v", tt.free, err)
		}
		if _, err = alerts.Append(t.Context(), journal.Cause{}, []byte{1}); (err == nil) != tt.alert {
			t.Errorf("alerts with %d bytes free: %v", tt.free, err)
		}
	}
	free = 1 << 40
	if _, err := batches.Append(t.Context(), journal.Cause{}, make([]byte, j.MaxBody()+1)); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("a body that no message can have: %v", err)
	}
}

// A restart that could not bring the server up is tried again by the next append.
func TestRestartThatFailed(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	w := writer(t, j, journal.BatchSubject("a", "c"))
	mustAppend(t, w, "one")
	away := dir + ".away"
	j.StopForTest()
	if err := errors.Join(os.Rename(dir, away), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(t.Context(), journal.Cause{}, []byte("two")); !errors.Is(err, journal.ErrPushback) {
		t.Fatalf("append without a server: %v", err)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "two")
	if diff := cmp.Diff([]string{"one", "two"}, read(t, j, 0)); diff != "" {
		t.Error(diff)
	}
}

// What positions need is not purged, and what needs no message any more is.
func TestPositionsNeed(t *testing.T) {
	j := open(t, t.TempDir())
	subject, other := journal.BatchSubject("a", "c"), journal.BatchSubject("a", "d")
	w := writer(t, j, subject)
	first := mustAppend(t, w, "tick")
	need := func(want uint64) {
		t.Helper()
		got, err := j.PositionsNeed(t.Context(), []string{subject, other})
		if err != nil || got != want {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	need(0) // nothing was copied
	if err := j.SavePositions(t.Context(), subject, first, nil); err != nil {
		t.Fatal(err)
	}
	need(first.Seq)
	mustAppend(t, writer(t, j, journal.BatchSubject("a", "removed")), "batch")
	need(first.Seq + 1) // its copy says all
	mustAppend(t, w, "batch")
	need(first.Seq)
}
