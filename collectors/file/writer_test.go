package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
)

// writer is a program that logs numbered lines to a path.
type writer struct {
	t    *testing.T
	path string
	f    *os.File
	n    int
	head string // written first into every new file
}

func newWriter(t *testing.T, path string) *writer {
	w := &writer{t: t, path: path}
	w.reopen()
	t.Cleanup(func() { _ = w.f.Close() })
	return w
}

// reopen is what a server does after its log was renamed.
func (w *writer) reopen() {
	w.t.Helper()
	if w.f != nil {
		_ = w.f.Close()
	}
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	w.f = f
	w.header()
}

func (w *writer) header() {
	if st, err := w.f.Stat(); err == nil && st.Size() == 0 {
		w.raw(w.head)
	}
}

func (w *writer) raw(s string) {
	w.t.Helper()
	if _, err := w.f.WriteString(s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) lines(n int) {
	w.t.Helper()
	var sb strings.Builder
	for range n {
		fmt.Fprintf(&sb, "line %07d %s\n", w.n, strings.Repeat("x", w.n%40))
		w.n++
	}
	w.raw(sb.String())
}

// rename is logrotate's rotation: the files shift by one, and the writer does not know it yet.
func (w *writer) rename() {
	w.t.Helper()
	rotateNames(w.t, w.path)
	if err := os.Rename(w.path, w.path+".1"); err != nil {
		w.t.Fatal(err)
	}
}

// copyTruncate is logrotate's other rotation.
func (w *writer) copyTruncate() {
	w.t.Helper()
	rotateNames(w.t, w.path)
	data, err := os.ReadFile(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path+".1", data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Truncate(w.path, 0); err != nil {
		w.t.Fatal(err)
	}
	w.header()
}

func rotateNames(t *testing.T, path string) {
	t.Helper()
	for i := 50; i > 0; i-- {
		for _, gz := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", path, i, gz)
			if _, err := os.Stat(from); err != nil {
				continue
			}
			if err := os.Rename(from, fmt.Sprintf("%s.%d%s", path, i+1, gz)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// complete checks that each of n numbered lines came once and in order, and that header lines came
// once a file.
func complete(t *testing.T, sink *collectorstest.Sink, n, headers int) {
	t.Helper()
	got, heads := 0, 0
	for _, l := range sink.Lines() {
		if strings.HasPrefix(l.Text, "#") {
			heads++
			continue
		}
		var k int
		if _, err := fmt.Sscanf(l.Text, "line %d", &k); err != nil {
			t.Fatalf("ordinal %d offset %d: unexpected line %.60q", l.Ordinal, l.Offset, l.Text)
		}
		if k != got {
			t.Fatalf("ordinal %d offset %d: line %d came where %d was due", l.Ordinal, l.Offset, k, got)
		}
		if want := fmt.Sprintf("line %07d %s", k, strings.Repeat("x", k%40)); l.Text != want {
			t.Fatalf("line %d is %q", k, l.Text)
		}
		got++
	}
	if got != n || heads != headers {
		t.Fatalf("%d lines and %d headers came, want %d and %d", got, heads, n, headers)
	}
}

// drained waits for n lines, or until no more will come: complete then tells what is missing.
func drained(sink *collectorstest.Sink, n int) {
	_, before := sink.Counts()
	sink.Wait("the end of everything", func() bool {
		_, ticks := sink.Counts()
		return len(sink.Texts()) >= n || ticks > before+10 && sink.AllIdle()
	})
}

// looked waits until a collector has looked at its files since, or was killed. What happens to them between
// two looks is bounded in real life: by a rotation or two, not by how busy the machine is.
func looked(t *testing.T, sink *collectorstest.Sink, killed func() bool) {
	t.Helper()
	before, _ := sink.Counts()
	for deadline := time.Now().Add(3 * time.Minute); !killed(); time.Sleep(time.Millisecond) {
		// The first of two may have begun before.
		if now, _ := sink.Counts(); now >= before+2 {
			return
		}
		if time.Now().After(deadline) {
			t.Error("the collector does not look at its files")
			return
		}
	}
}

func logPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "access.log")
}
