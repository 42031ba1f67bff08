package stdin_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/collectors/stdin"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newCollector(r io.Reader) *stdin.Collector {
	return stdin.New("piped", r, time.Now, slog.New(slog.DiscardHandler))
}

func TestContract(t *testing.T) {
	collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = w.Close()
			_ = r.Close()
		})
		return collectorstest.Input{
			New: func(_ *testing.T, _ []event.Position, now func() time.Time) collectors.Collector {
				return stdin.New("piped", r, now, slog.New(slog.DiscardHandler))
			},
			Write: func(t *testing.T, lines ...string) {
				if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
					t.Fatal(err)
				}
			},
			End: func(*testing.T) { _ = w.Close() },
		}
	})
}

// A reader without deadlines cannot be interrupted; Collect must return all the same.
func TestStopsWhileTheReaderBlocks(t *testing.T) {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(r), sink)
	if _, err := io.WriteString(w, "one\ntwo\nhalf"); err != nil {
		t.Fatal(err)
	}
	sink.WaitLines(2)
	run.Stop(t)
	if got := sink.Positions()[0]; got.End != 8 || got.Idle || got.Done {
		t.Errorf("position %+v, want End 8 before the half line, neither idle nor done", got)
	}
}

func TestStreams(t *testing.T) {
	const limit = 1 << 20
	long := strings.Repeat("x", limit)
	f := func(name, in string, want ...collectorstest.Line) {
		t.Helper()
		for _, r := range []struct {
			name string
			io.Reader
		}{
			{"at once", strings.NewReader(in)},
			{"halves", iotest.HalfReader(strings.NewReader(in))},
			{"with its end", iotest.DataErrReader(strings.NewReader(in))},
		} {
			t.Run(name+"/"+r.name, func(t *testing.T) {
				sink := collectorstest.NewSink(t)
				if err := newCollector(r).Collect(t.Context(), sink); err != nil {
					t.Fatal(err)
				}
				for i := range want {
					want[i].Path, want[i].Ordinal = "-", 1
				}
				if diff := cmp.Diff(want, sink.Lines()); diff != "" {
					t.Fatalf("lines differ (-want +got):\n%.2000s", diff)
				}
				p := sink.Positions()[0]
				if p.End != int64(len(in)) || !p.Done || !p.Idle {
					t.Errorf("last position %+v, want End %d, done and idle", p, len(in))
				}
				first, _, _ := strings.Cut(in, "\n")
				if fp := split.WholeFingerprint([]byte(first)); in != "" && p.Fingerprint != fp {
					t.Errorf("fingerprint %s, want %s", p.Fingerprint, fp)
				}
			})
		}
	}
	type line = collectorstest.Line
	f("empty", "")
	f("lines", "a\nbc\n", line{Offset: 0, Text: "a"}, line{Offset: 2, Text: "bc"})
	f("no last line feed", "a\nbc", line{Offset: 0, Text: "a"}, line{Offset: 2, Text: "bc"})
	f("carriage returns", "a\r\nb\r\r\nc\r", line{Offset: 0, Text: "a"}, line{Offset: 3, Text: "b\r"}, line{Offset: 7, Text: "c"})
	f("empty lines", "\n\r\n\na\n\n", line{Offset: 4, Text: "a"})
	f("zero bytes", "a\n\x00\x00\x00b\n\x00\x00", line{Offset: 0, Text: "a"}, line{Offset: 5, Text: "b"})
	f("longest line", long+"\nb\n", line{Text: long}, line{Offset: limit + 1, Text: "b"})
	f("longest line, carriage return", long+"\r\nb\n", line{Text: long}, line{Offset: limit + 2, Text: "b"})
	f("one too long", long+"y\nb\n", line{Text: long, Oversize: true}, line{Offset: limit + 2, Text: "b"})
	f("far too long", "a\n"+long+long+long+long+long+"\nb\n",
		line{Text: "a"}, line{Offset: 2, Text: long, Oversize: true}, line{Offset: 5*limit + 3, Text: "b"})
	f("far too long, without an end", "a\n"+long+long+long, line{Text: "a"}, line{Offset: 2, Text: long, Oversize: true})
	zeros := strings.Repeat("\x00", 5*limit)
	f("a long gap", "a\n"+zeros+"b\n", line{Text: "a"}, line{Offset: 5*limit + 2, Text: "b"})
}

func TestManyLines(t *testing.T) {
	var in bytes.Buffer
	var want []string
	for i := range 200_000 {
		want = append(want, fmt.Sprint(i))
		fmt.Fprintln(&in, i)
	}
	sink := collectorstest.NewSink(t)
	if err := newCollector(&in).Collect(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sink.Texts()); diff != "" {
		t.Fatalf("lines differ (-want +got):\n%.2000s", diff)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken pipe")
	sink := collectorstest.NewSink(t)
	r := io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(broken))
	if err := newCollector(r).Collect(t.Context(), sink); !errors.Is(err, broken) {
		t.Fatalf("Collect returned %v, want the read error", err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, sink.Texts()); diff != "" {
		t.Fatalf("what came before the error (-want +got):\n%s", diff)
	}
}
