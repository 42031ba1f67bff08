package file

import (
	"compress/gzip"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

func TestAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.log")
	text := func(first string) string {
		var b strings.Builder
		b.WriteString(first + "\n")
		for i := range 2000 {
			fmt.Fprintf(&b, "line %d of %s\r\n", i, first)
		}
		return b.String()
	}
	write := func(name, s string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("gateway.log", text("now"))
	write("gateway.log.1", text("before"))
	zipped := func(name, s string) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		if _, err := z.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	zipped("gateway.log.2.gz", text("long ago"))
	zipped("gateway.log.3.gz", strings.Replace(text("long ago"), "line 7 ", "line x ", 1)) // the same first line
	write("gateway.log.4", "alone")                                                        // no line feed
	write("other.log", text("other"))

	a, err := NewAgain(1<<10, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	f := func(first, want string, outcome Outcome) {
		t.Helper()
		whole := text(first)
		if first == "alone" {
			whole = first
		}
		at := strings.Index(strings.Replace(whole, "line 7 ", want[:min(7, len(want))], 1), want)
		if at < 0 {
			at = 12
		}
		got := a.Line(path, split.WholeFingerprint([]byte(first)), int64(at), func(line, head []byte, oversize bool) bool {
			if !strings.HasPrefix(string(head), first) || oversize {
				t.Errorf("head %.20q, oversize %v", head, oversize)
			}
			return string(line) == want
		})
		if got != outcome {
			t.Errorf("%q of %q: outcome %d, want %d", want, first, got, outcome)
		}
	}
	f("now", "line 3 of now", Found)
	f("now", "now", Found)
	f("before", "line 1999 of before", Found)
	f("long ago", "line 1999 of long ago", Found)
	f("long ago", "line 3 of long ago", Found) // back in a compressed file
	f("long ago", "line 7 of long ago", Found)
	f("long ago", "line x of long ago", Found) // of the other file with that first line
	f("alone", "alone", Found)
	f("now", "something else", Changed)
	f("never", "line 3 of never", Gone)
	f("other", "line 3 of other", Gone) // another log's

	// The middle of a line is no line, and one that is too long comes cut.
	if got := a.Line(path, split.WholeFingerprint([]byte("now")), 1, func([]byte, []byte, bool) bool { return true }); got != Changed {
		t.Errorf("the middle of a line: %d", got)
	}
	write("gateway.log", "now\n"+strings.Repeat("x", 5000)+"\nshort\n")
	a.Close()
	ok := false
	a.Line(path, split.WholeFingerprint([]byte("now")), 4, func(line, _ []byte, oversize bool) bool {
		ok = len(line) == 1<<10 && oversize
		return ok
	})
	if !ok {
		t.Error("a line that is too long was not cut")
	}
	if got := a.Line(path, event.Hash{}, 0, func([]byte, []byte, bool) bool { return true }); got != Gone {
		t.Errorf("no fingerprint: %d", got)
	}
}
