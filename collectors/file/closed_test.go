package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/event"
)

// closing is a collector that may hold one file open, with the writers of four.
type closing struct {
	t       *testing.T
	dir     string
	writers []*writer
	sink    *collectorstest.Sink
	c       *file.Collector
	run     *collectorstest.Running

	full    atomic.Bool
	refused chan struct{}
}

func newClosing(t *testing.T, change func(*file.Config)) *closing {
	x := &closing{t: t, dir: filepath.Join(t.TempDir(), "logs"), sink: collectorstest.NewSink(t), refused: make(chan struct{}, 1)}
	if err := os.Mkdir(x.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	x.sink.Before = func(int, *event.Batch) error {
		if !x.full.Load() {
			return nil
		}
		select {
		case x.refused <- struct{}{}:
		default:
		}
		return errPushback
	}
	for i := range 4 {
		x.writers = append(x.writers, newWriter(t, filepath.Join(x.dir, fmt.Sprintf("%d.log", i))))
		x.writers[i].lines(5)
	}
	cfg := config(filepath.Join(x.dir, "*.log"))
	cfg.MaxOpenFiles = 1
	if change != nil {
		change(&cfg)
	}
	x.c = newCollector(t, cfg, nil)
	x.run = collectorstest.Start(t, x.c, x.sink)
	x.sink.WaitLines(20)
	x.sink.Wait("one open file", func() bool { return x.c.Stats().Open == 1 }) // none is, before they are counted first
	return x
}

// unseen calls f while the collector hands over a batch, and looks at nothing.
func (x *closing) unseen(f func()) {
	x.full.Store(true)
	x.writers[0].lines(1)
	<-x.refused
	f()
	x.full.Store(false)
}

// polled waits until the collector has looked again.
func (x *closing) polled() {
	_, ticks := x.sink.Counts()
	x.sink.Wait("two ticks", func() bool { _, n := x.sink.Counts(); return n >= ticks+2 })
}

// want waits for n lines, and holds that they are whole and nothing is missed.
func (x *closing) want(n int) {
	x.t.Helper()
	x.sink.WaitLines(n)
	x.polled()
	x.run.Stop(x.t)
	if s := x.c.Stats(); len(x.sink.Lines()) != n || s.Missing != 0 || s.Lost != 0 {
		x.t.Errorf("%d lines, stats %+v, want %d and nothing missing", len(x.sink.Lines()), s, n)
	}
	next := map[string]int{}
	for _, l := range x.sink.Lines() {
		if n := 0; strings.HasPrefix(l.Text, "line ") {
			if _, err := fmt.Sscanf(l.Text, "line %d", &n); err != nil || n != next[l.Path] {
				x.t.Fatalf("%s: line %q where %d was due", filepath.Base(l.Path), l.Text, next[l.Path])
			}
			next[l.Path]++
		}
	}
}

// Files that are closed at their end to save descriptors, and what may become of them before anybody looks
// again: every line comes.
func TestClosedFiles(t *testing.T) {
	cases := map[string]func(x *closing) (lines int){
		"renamed": func(x *closing) int {
			x.unseen(func() {
				for _, w := range x.writers[1:] {
					w.lines(5)
					w.rename()
				}
			})
			return 20 + 1 + 15
		},
		"compressed": func(x *closing) int {
			x.unseen(func() {
				for _, w := range x.writers[1:] {
					w.lines(5)
					w.rename()
					compress(x.t, w.path+".1")
				}
			})
			x.sink.WaitLines(36)
			for _, w := range x.writers[1:] {
				w.reopen()
				w.lines(1)
			}
			return 20 + 1 + 15 + 3
		},
		"compressed, with a successor": func(x *closing) int {
			x.unseen(func() {
				for _, w := range x.writers[1:] {
					w.lines(5)
					w.rename()
					compress(x.t, w.path+".1")
					w.reopen()
					w.lines(1)
				}
			})
			return 20 + 1 + 15 + 3
		},
		"away and back": func(x *closing) int {
			for _, w := range x.writers {
				move(x.t, w.path, w.path+"~")
			}
			x.polled()
			for _, w := range x.writers {
				move(x.t, w.path+"~", w.path)
			}
			x.polled()
			for _, w := range x.writers {
				w.lines(5)
			}
			return 20 + 20
		},
		"the directory away and back": func(x *closing) int {
			move(x.t, x.dir, x.dir+"~")
			x.polled()
			move(x.t, x.dir+"~", x.dir)
			x.polled()
			for _, w := range x.writers {
				w.lines(5)
			}
			return 20 + 20
		},
		"copied, truncated, filled to the same size": func(x *closing) int {
			x.unseen(func() {
				for _, w := range x.writers[1:] {
					w.refill()
				}
			})
			return 20 + 1 + 3
		},
		"copied, truncated, filled to the same size, renamed": func(x *closing) int {
			x.unseen(func() {
				for _, w := range x.writers[1:] {
					w.refill()
					w.rename()
					w.reopen()
					w.lines(1)
				}
			})
			return 20 + 1 + 3 + 3
		},
		"renamed under a busy writer": func(x *closing) int {
			w := x.writers[3]
			w.rename()
			appendFile(x.t, w.path, "next\n")
			for range 60 { // longer than a busy writer holds up its successor
				w.lines(1)
				time.Sleep(20 * time.Millisecond)
			}
			return 20 + 60 + 1
		},
	}
	for name, happens := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newClosing(t, func(cfg *file.Config) { cfg.PollOnly = strings.Contains(name, "directory") })
			x.want(happens(x))
		})
	}
}

// A file that was deleted while it was closed is given up in the end, and its place is free.
func TestClosedAndDeleted(t *testing.T) {
	x := newClosing(t, func(cfg *file.Config) { cfg.Keep = 50 * time.Millisecond })
	for _, w := range x.writers {
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
	}
	x.sink.Wait("the end", func() bool {
		done := 0
		for _, p := range x.sink.Positions() {
			if p.Done {
				done++
			}
		}
		return done == 4
	})
	x.run.Stop(t)
	if diff := cmp.Diff(20, len(x.sink.Lines())); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// refill copies and truncates a log, and writes one line that is as long as all that stood there.
func (w *writer) refill() {
	w.t.Helper()
	st, err := w.f.Stat()
	if err != nil {
		w.t.Fatal(err)
	}
	w.copyTruncate()
	w.raw(strings.Repeat("f", int(st.Size())-1) + "\n")
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
