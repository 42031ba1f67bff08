package file_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/collectors/file/split"
)

type line = collectorstest.Line

// What stands in a file, and what comes out of it, whatever the sizes of batches.
func TestContent(t *testing.T) {
	long := strings.Repeat("x", 3000)
	zeros := strings.Repeat("\x00", 200_000)
	cases := []struct {
		name, in string
		want     []line
	}{
		{"lines", "a\nbc\n", []line{{Offset: 0, Text: "a"}, {Offset: 2, Text: "bc"}}},
		{"carriage returns", "a\r\nb\r\r\n", []line{{Offset: 0, Text: "a"}, {Offset: 3, Text: "b\r"}}},
		{"empty lines", "\n\r\n\na\n\n", []line{{Offset: 4, Text: "a"}}},
		{"zero bytes", "a\n\x00\x00\x00b\n", []line{{Offset: 0, Text: "a"}, {Offset: 5, Text: "b"}}},
		{"zero bytes first", "\x00\x00a\n", []line{{Offset: 2, Text: "a"}}},
		{"a long gap", "a\n" + zeros + "b\nc\n", []line{{Text: "a"}, {Offset: 200_002, Text: "b"}, {Offset: 200_004, Text: "c"}}},
		{"longest", long[:1000] + "\nb\n", []line{{Text: long[:1000]}, {Offset: 1001, Text: "b"}}},
		{"longest, carriage return", long[:1000] + "\r\nb\n", []line{{Text: long[:1000]}, {Offset: 1002, Text: "b"}}},
		{"too long by one", long[:1001] + "\nb\n", []line{{Text: long[:1000], Oversize: true}, {Offset: 1002, Text: "b"}}},
		{"too long", "a\n" + long + "\nb\n", []line{{Text: "a"}, {Offset: 2, Text: long[:1000], Oversize: true}, {Offset: 3003, Text: "b"}}},
		{
			"far too long", "a\n" + strings.Repeat(long, 100) + "\nb\n",
			[]line{{Text: "a"}, {Offset: 2, Text: long[:1000], Oversize: true}, {Offset: 300_003, Text: "b"}},
		},
		{"only a long one", long + "\n", []line{{Text: long[:1000], Oversize: true}}},
		{"a half one", "a\nhalf", []line{{Text: "a"}}},
		{"a half long one", "a\n" + strings.Repeat(long, 100), []line{{Text: "a"}}},
	}
	for _, tt := range cases {
		for _, batch := range []int{1, 100, 5000, 1 << 20} {
			for _, grow := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/batch %d/grow %v", tt.name, batch, grow), func(t *testing.T) {
					t.Parallel()
					path := logPath(t)
					cfg := config(path)
					cfg.MaxLine, cfg.BatchBytes = 1000, batch
					sink := collectorstest.NewSink(t)
					if !grow {
						appendFile(t, path, tt.in)
					}
					run := collectorstest.Start(t, newCollector(t, cfg, nil), sink)
					for in := tt.in; grow && in != ""; {
						n := min(len(in), len(tt.in)/7+1)
						appendFile(t, path, in[:n])
						in = in[n:]
						_, ticks := sink.Counts()
						sink.Wait("a tick", func() bool { _, n := sink.Counts(); return n > ticks })
					}
					sink.WaitLines(len(tt.want))
					sink.Wait("the end", sink.AllIdle)
					run.Stop(t)
					got := sink.Lines()
					for i := range got {
						got[i].Path, got[i].Ordinal = "", 0
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Fatalf("lines differ (-want +got):\n%.2000s", diff)
					}
					first, _, _ := strings.Cut(tt.in, "\n")
					if p := sink.Positions()[0]; p.Fingerprint != split.WholeFingerprint([]byte(first)) {
						t.Errorf("the fingerprint is not that of the first line: %+v", p)
					}
				})
			}
		}
	}
}

func TestStartAtEnd(t *testing.T) {
	path := logPath(t)
	appendFile(t, path, "old 1\nold 2\nha")
	cfg := config(path, filepath.Join(filepath.Dir(path), "*.later"))
	cfg.StartAtEnd = true
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(t, cfg, nil), sink)
	sink.Wait("registration", func() bool { return len(sink.Positions()) == 1 })
	if p := sink.Positions()[0]; p.Start != 12 || p.End != 12 {
		t.Errorf("starts at %+v, want 12, where the half line begins", p)
	}
	appendFile(t, path, "lf\nnew\n")
	sink.WaitLines(2)
	appendFile(t, filepath.Join(filepath.Dir(path), "a.later"), "from its beginning\n")
	sink.WaitLines(3)
	run.Stop(t)
	appendFile(t, filepath.Join(filepath.Dir(path), "b.later"), "came while down\n")
	sink.Restart()
	run = collectorstest.Start(t, newCollector(t, cfg, sink.Positions()), sink)
	sink.WaitLines(4)
	run.Stop(t)
	if diff := cmp.Diff([]string{"half", "new", "from its beginning", "came while down"}, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
}

// Only logs of their own are tailed.
func TestGlobs(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) { appendFile(t, filepath.Join(dir, name), name+"\n") }
	for _, name := range []string{
		"access.log", "access.log.1", "access.log.2.gz", "access.log-20260101", "access-20260101.log", "access.1.log",
		"gateway.log", "gateway-1.log", "gateway-2.log", "left-out.log", "other.txt",
	} {
		put(name)
	}
	for name, make := range map[string]func(string) error{
		"dir.log":    func(p string) error { return os.Mkdir(p, 0o700) },
		"fifo.log":   func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"link.log":   func(p string) error { return os.Symlink(filepath.Join(dir, "access.log"), p) },
		"hard.log":   func(p string) error { return os.Link(filepath.Join(dir, "gateway.log"), p) },
		"broken.log": func(p string) error { return os.Symlink(filepath.Join(dir, "nowhere"), p) },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config(filepath.Join(dir, "*.log*"), filepath.Join(dir, "access.log"))
	cfg.Exclude = []string{"left-*"}
	sink := collectorstest.NewSink(t)
	c := newCollector(t, cfg, nil)
	run := collectorstest.Start(t, c, sink)
	sink.WaitLines(4)
	put("late.log")
	sink.WaitLines(5)
	sink.Wait("the end", sink.AllIdle)
	run.Stop(t)
	got := map[string]bool{}
	for _, l := range sink.Lines() {
		got[filepath.Base(l.Path)+": "+l.Text] = true
	}
	want := map[string]bool{}
	for _, name := range []string{"access.log", "gateway.log", "gateway-1.log", "gateway-2.log", "late.log"} {
		want[name+": "+name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files differ (-want +got):\n%s", diff)
	}
}

func TestTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		appendFile(t, filepath.Join(dir, fmt.Sprintf("%d.log", i)), "x\n")
	}
	cfg := config(filepath.Join(dir, "*.log"))
	cfg.MaxFiles = 4
	sink := collectorstest.NewSink(t)
	c := newCollector(t, cfg, nil)
	run := collectorstest.Start(t, c, sink)
	sink.WaitLines(4)
	sink.Wait("the end", sink.AllIdle)
	run.Stop(t)
	if s := c.Stats(); s.Files != 4 || s.Refused != 6 || len(sink.Lines()) != 4 {
		t.Errorf("stats %+v, want 4 files and 6 refused", s)
	}
}

// More files than descriptors: those at their end are closed, and found again when they have grown
// or were rotated.
func TestFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "*.log"))
	cfg.MaxOpenFiles = 2
	sink := collectorstest.NewSink(t)
	c := newCollector(t, cfg, nil)
	writers := make([]*writer, 8)
	for i := range writers {
		writers[i] = newWriter(t, filepath.Join(dir, fmt.Sprintf("%d.log", i)))
		writers[i].lines(5)
	}
	run := collectorstest.Start(t, c, sink)
	total := 40
	for round := range 6 {
		sink.WaitLines(total)
		sink.Wait("few open files", func() bool { return c.Stats().Open <= 2 })
		for i, w := range writers {
			w.lines(5)
			total += 5
			switch {
			case round == 2 && i%2 == 0:
				w.rename()
				w.reopen()
				w.lines(1) // before that the old file could still be written to, and stays open
				total++
			case round == 3 && i%2 == 1:
				w.copyTruncate()
			}
		}
	}
	sink.WaitLines(total)
	run.Stop(t)
	next := map[string]int{}
	for _, l := range sink.Lines() {
		var n int
		if _, err := fmt.Sscanf(l.Text, "line %d", &n); err != nil || n != next[l.Path] {
			t.Fatalf("%s: line %q where %d was due", filepath.Base(l.Path), l.Text, next[l.Path])
		}
		next[l.Path]++
	}
	if s := c.Stats(); s.Missing != 0 || s.Lost != 0 {
		t.Errorf("stats %+v, want nothing missing", s)
	}
}

// Kubernetes names a log by a symbolic link, and a new log by pointing the link at it.
func TestLinkPointsElsewhere(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "app.log")
	point := func(to string) {
		if err := os.Symlink(filepath.Join(dir, to), link+".tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	appendFile(t, filepath.Join(dir, "0.data"), "a\nb\n")
	point("0.data")
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(t, config(link), nil), sink)
	sink.WaitLines(2)
	appendFile(t, filepath.Join(dir, "0.data"), "c\n")
	appendFile(t, filepath.Join(dir, "1.data"), "d\n")
	point("1.data")
	sink.WaitLines(4)
	run.Stop(t)
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	if last := sink.Lines()[3]; last.Ordinal != 2 || last.Path != link {
		t.Errorf("got %+v, want ordinal 2 of the link", last)
	}
}

// A file that goes away and comes back, and a directory that does.
func TestVanishing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "a.log")
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(t, config(path), nil), sink)
	for i := range 3 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		appendFile(t, path, fmt.Sprintf("life %d\n", i))
		sink.WaitLines(i + 1)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	run.Stop(t)
	if diff := cmp.Diff([]string{"life 0", "life 1", "life 2"}, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	if last := sink.Lines()[2]; last.Ordinal != 3 {
		t.Errorf("got %+v, want ordinal 3", last)
	}
}

// One busy file must not hold up the others.
func TestFairness(t *testing.T) {
	dir := t.TempDir()
	appendFile(t, filepath.Join(dir, "busy.log"), strings.Repeat(strings.Repeat("b", 99)+"\n", 300_000))
	for i := range 5 {
		appendFile(t, filepath.Join(dir, fmt.Sprintf("small%d.log", i)), "s\n")
	}
	sink := collectorstest.NewSink(t)
	run := collectorstest.Start(t, newCollector(t, config(filepath.Join(dir, "*.log")), nil), sink)
	sink.WaitLines(300_005)
	run.Stop(t)
	small := 0
	for _, l := range sink.Lines()[:40_000] {
		if l.Text == "s" {
			small++
		}
	}
	if small != 5 {
		t.Errorf("%d of 5 small files came with the first lines of the busy one", small)
	}
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []file.Config{
		{}, {Name: "x"}, {Paths: []string{"/a"}}, {Name: "x", Paths: []string{"/a["}}, {Name: "x", Paths: []string{"/a"}, Exclude: []string{"["}},
	} {
		if _, err := file.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}
