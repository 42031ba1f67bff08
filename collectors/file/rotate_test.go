package file_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/internal/event"
)

// compress does what logrotate's compress does: the archive keeps the time of the last write.
func compress(t *testing.T, path string) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	st, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	if _, err := io.Copy(z, in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), out.Close(), os.Chtimes(path+".gz", st.ModTime(), st.ModTime()), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
}

// stage is a collector that can be stopped and started, with the writer of its log.
type stage struct {
	t    *testing.T
	w    *writer
	sink *collectorstest.Sink
	run  *collectorstest.Running
	path string

	copied bool // rotation is by copying and truncating
}

func newStage(t *testing.T) *stage {
	path := logPath(t)
	return &stage{t: t, path: path, w: newWriter(t, path), sink: collectorstest.NewSink(t)}
}

func (s *stage) start() {
	s.t.Helper()
	s.sink.Restart()
	s.run = collectorstest.Start(s.t, newCollector(s.t, config(s.path), s.sink.Positions()), s.sink)
}

func (s *stage) stop() { s.t.Helper(); s.run.Stop(s.t) }

func (s *stage) read() { s.t.Helper(); s.sink.WaitLines(s.w.n) }

// settle waits until what is read is journaled as such, and then stops.
func (s *stage) settle() {
	s.t.Helper()
	s.read()
	_, before := s.sink.Counts()
	s.sink.Wait("two ticks", func() bool { _, n := s.sink.Counts(); return n >= before+2 })
	s.stop()
}

// Each case brings the files into a state while the collector is down; what comes then must be
// exactly the lines that were not read yet.
func TestResume(t *testing.T) {
	cases := []struct {
		name string
		head string
		down func(t *testing.T, w *writer) (headers int)
	}{
		{name: "nothing happened", down: func(*testing.T, *writer) int { return 0 }},
		{name: "lines came", down: func(_ *testing.T, w *writer) int { w.lines(10); return 0 }},
		{name: "rotated", down: func(_ *testing.T, w *writer) int {
			w.lines(10)
			w.rename()
			w.lines(10)
			w.reopen()
			w.lines(10)
			return 0
		}},
		{name: "rotated, nothing new", down: func(_ *testing.T, w *writer) int { w.rename(); w.reopen(); w.lines(5); return 0 }},
		{name: "rotated, no new file yet", down: func(_ *testing.T, w *writer) int { w.lines(5); w.rename(); w.lines(5); return 0 }},
		{name: "rotated three times", down: func(_ *testing.T, w *writer) int {
			for range 3 {
				w.lines(10)
				w.rename()
				w.reopen()
			}
			w.lines(10)
			return 0
		}},
		{name: "rotated and compressed", down: func(t *testing.T, w *writer) int {
			for range 3 {
				w.lines(10)
				w.rename()
				w.reopen()
				compress(t, w.path+".1")
			}
			w.lines(10)
			return 0
		}},
		{name: "rotated, compressed later", down: func(t *testing.T, w *writer) int {
			for range 4 {
				w.lines(10)
				w.rename()
				w.reopen()
				if _, err := os.Stat(w.path + ".2"); err == nil {
					compress(t, w.path+".2")
				}
			}
			return 0
		}},
		{name: "rotated, compressed later by what keeps no time", down: func(t *testing.T, w *writer) int {
			for range 2 {
				w.lines(10)
				w.rename()
				w.reopen()
			}
			w.lines(10)
			compress(t, w.path+".2")
			late := time.Now().Add(time.Hour)
			if err := os.Chtimes(w.path+".2.gz", late, late); err != nil {
				t.Fatal(err)
			}
			return 0
		}},
		{name: "copied and truncated", down: func(_ *testing.T, w *writer) int {
			w.lines(10)
			w.copyTruncate()
			w.lines(3)
			return 0
		}},
		{name: "copied and truncated, grown past the offset", down: func(_ *testing.T, w *writer) int {
			w.lines(10)
			w.copyTruncate()
			w.lines(500)
			return 0
		}},
		{name: "copied and truncated three times", down: func(t *testing.T, w *writer) int {
			for range 3 {
				w.lines(200)
				w.copyTruncate()
				compress(t, w.path+".1")
			}
			w.lines(3)
			return 0
		}},
		{name: "one header in all files", head: "#fields a b c\n", down: func(_ *testing.T, w *writer) int {
			for range 3 {
				w.lines(200)
				w.rename()
				w.reopen()
			}
			w.lines(200)
			return 3
		}},
		{name: "one header, copied and truncated, grown past the offset", head: "#fields a b c\n", down: func(t *testing.T, w *writer) int {
			w.lines(10)
			w.copyTruncate()
			compress(t, w.path+".1")
			w.lines(500)
			return 1
		}},
		{name: "replaced by a copy of itself", down: func(t *testing.T, w *writer) int {
			w.lines(10)
			data, err := os.ReadFile(w.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(w.path+".tmp", data, 0o600), os.Rename(w.path+".tmp", w.path)); err != nil {
				t.Fatal(err)
			}
			w.reopen()
			w.lines(10)
			return 0
		}},
	}
	for _, tt := range cases {
		for _, history := range []string{"none", "rotated before"} {
			t.Run(tt.name+"/history "+history, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				headers := 0
				s.w.head = tt.head
				s.w.header()
				if tt.head != "" {
					headers++
				}
				s.w.lines(100)
				s.start()
				if history != "none" {
					s.read()
					s.w.rename()
					s.w.reopen()
					if tt.head != "" {
						headers++
					}
					s.w.lines(100)
				}
				s.sink.WaitLines(s.w.n + headers)
				s.settle()
				headers += tt.down(t, s.w)
				s.start()
				s.sink.WaitLines(s.w.n + headers)
				s.w.lines(1)
				s.sink.WaitLines(s.w.n + headers)
				s.settle()
				complete(t, s.sink, s.w.n, headers)
			})
		}
	}
}

// A file that is registered empty has no first line to know it by; it is found all the same.
func TestResumeAnEmptyFile(t *testing.T) {
	f := func(name string, history bool, down func(t *testing.T, w *writer)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if history {
				s.w.lines(10)
				s.start()
				s.read()
				s.w.rename()
				s.w.reopen()
				s.w.lines(0)
				s.settle()
			} else {
				s.start()
				s.settle()
			}
			down(t, s.w)
			s.start()
			s.read()
			s.settle()
			complete(t, s.sink, s.w.n, 0)
		})
	}
	for _, history := range []bool{false, true} {
		f(fmt.Sprintf("written to/%v", history), history, func(_ *testing.T, w *writer) { w.lines(10) })
		f(fmt.Sprintf("rotated/%v", history), history, func(_ *testing.T, w *writer) {
			w.lines(10)
			w.rename()
			w.reopen()
			w.lines(10)
		})
		f(fmt.Sprintf("rotated twice/%v", history), history, func(_ *testing.T, w *writer) {
			for range 2 {
				w.lines(10)
				w.rename()
				w.reopen()
			}
			w.lines(10)
		})
	}
	f("rotated twice and compressed", true, func(t *testing.T, w *writer) {
		for range 2 {
			w.lines(10)
			w.rename()
			w.reopen()
			compress(t, w.path+".1")
		}
		w.lines(10)
	})
}

// While the journal pushes back nothing is read; whatever happens to the files meanwhile must not
// matter.
func TestRotationDuringPushback(t *testing.T) {
	cases := map[string]func(t *testing.T, w *writer){
		"renamed": func(_ *testing.T, w *writer) { w.rename(); w.lines(20); w.reopen() },
		"renamed and compressed": func(t *testing.T, w *writer) {
			w.rename()
			w.reopen()
			compress(t, w.path+".1")
		},
		"copied and truncated": func(_ *testing.T, w *writer) { w.copyTruncate() },
		"copied, truncated and compressed": func(t *testing.T, w *writer) {
			w.copyTruncate()
			compress(t, w.path+".1")
		},
	}
	for name, rotate := range cases {
		for _, before := range []int{0, 50} {
			t.Run(fmt.Sprintf("%s/%d lines before", name, before), func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				s.w.lines(before)
				var full atomic.Bool
				refused := make(chan struct{}, 1)
				s.sink.Before = func(_ int, b *event.Batch) error {
					if !full.Load() {
						return nil
					}
					select {
					case refused <- struct{}{}:
					default:
					}
					return errPushback
				}
				s.start()
				s.sink.Wait("the first batch", func() bool { return len(s.sink.Positions()) > 0 })
				s.read()
				full.Store(true)
				<-refused
				for range 3 {
					s.w.lines(100)
					rotate(t, s.w)
					s.w.lines(10)
				}
				full.Store(false)
				s.read()
				s.w.lines(1)
				s.read()
				s.settle()
				complete(t, s.sink, s.w.n, 0)
			})
		}
	}
}

// Lines that a writer puts into the old file long after its successor was begun are late, not lost.
func TestStrayLines(t *testing.T) {
	s := newStage(t)
	s.w.lines(10)
	s.start()
	s.read()
	old := s.w.f
	s.w.f = nil
	s.w.rename()
	s.w.reopen()
	s.w.lines(10)
	s.read() // the old file is taken to be finished by now
	if _, err := old.WriteString("stray 1\nstray"); err != nil {
		t.Fatal(err)
	}
	s.sink.WaitLines(21)
	if _, err := old.WriteString(" 2\n"); err != nil {
		t.Fatal(err)
	}
	s.sink.WaitLines(22)
	got := s.sink.Lines()[20:]
	for i, want := range []string{"stray 1", "stray 2"} {
		if got[i].Text != want || got[i].Ordinal != 1 {
			t.Errorf("got %+v, want %q of ordinal 1", got[i], want)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
}

// A last line without a line feed belongs to nobody until its file is finished.
func TestHalfLines(t *testing.T) {
	t.Run("completed in the renamed file", func(t *testing.T) {
		s := newStage(t)
		s.start()
		s.w.lines(5)
		s.w.raw("line 00000")
		s.w.n++
		s.sink.WaitLines(5)
		s.w.rename()
		s.w.raw("05 xxxxx\n")
		s.w.reopen()
		s.w.lines(5)
		s.read()
		s.settle()
		complete(t, s.sink, s.w.n, 0)
	})
	t.Run("never completed", func(t *testing.T) {
		s := newStage(t)
		s.start()
		s.w.lines(5)
		s.w.raw("half")
		s.sink.WaitLines(5)
		s.w.rename()
		s.w.reopen()
		s.w.lines(5)
		s.sink.WaitLines(11)
		if got := s.sink.Lines()[5]; got.Text != "half" || got.Ordinal != 1 {
			t.Errorf("got %+v after the last complete line, want the half one", got)
		}
	})
	t.Run("over a restart", func(t *testing.T) {
		s := newStage(t)
		s.w.raw("line 000")
		s.start()
		s.settle()
		s.w.raw("0000 \n")
		s.w.n++
		s.start()
		s.read()
		s.settle()
		complete(t, s.sink, 1, 0)
	})
}

// Truncated without a copy: nobody can have the rest, but the loss is counted and reading goes on.
func TestTruncatedWithoutACopy(t *testing.T) {
	s := newStage(t)
	s.w.lines(100)
	c := newCollector(t, config(s.path), nil)
	s.run = collectorstest.Start(t, c, s.sink)
	s.read()
	s.w.raw("half a line")
	_, ticks := s.sink.Counts()
	s.sink.Wait("two ticks", func() bool { _, n := s.sink.Counts(); return n >= ticks+2 })
	if err := os.Truncate(s.path, 0); err != nil {
		t.Fatal(err)
	}
	s.w.lines(100) // more than there was, or less: it must be noticed
	s.read()
	s.stop()
	complete(t, s.sink, s.w.n, 0)
	if st := c.Stats(); st.Truncations != 1 {
		t.Errorf("stats %+v, want one truncation", st)
	}
	if last := s.sink.Lines()[s.w.n-1]; last.Ordinal != 2 {
		t.Errorf("after the truncation the ordinal is %d, want 2", last.Ordinal)
	}
}

// Random histories, with the collector killed at random Puts: each line once and in order.
func TestRandomHistories(t *testing.T) {
	for i := range 24 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			rng := rand.New(rand.NewPCG(seed, 1))
			s := newStage(t)
			s.copied = i%2 == 1
			crash := errors.New("crash")
			history := fmt.Sprintf("seed %d:", seed)
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(history)
					for i, l := range s.sink.Lines() {
						if i == 0 || l.Ordinal != s.sink.Lines()[i-1].Ordinal {
							t.Log(l.Ordinal, l.Offset, l.Text)
						}
					}
				}
			})
			// What is rotated away before the very first batch is history that nobody asked for.
			s.w.lines(1)
			s.start()
			s.read()
			s.stop()
			for range 5 {
				var left atomic.Int64
				left.Store(1 + rng.Int64N(8))
				kill := func(int, *event.Batch) error {
					if left.Add(-1) <= 0 {
						return crash
					}
					return nil
				}
				s.sink.Before, s.sink.After = kill, nil
				if rng.IntN(2) == 0 {
					s.sink.Before, s.sink.After = nil, kill
				}
				s.start()
				history += " start"
				for left.Load() > 0 {
					did := s.mutate(rng)
					history += did
					if strings.HasPrefix(did, " rename") || strings.HasPrefix(did, " copytruncate") {
						looked(t, s.sink, func() bool { return left.Load() <= 0 })
					}
					time.Sleep(time.Duration(rng.IntN(4)) * time.Millisecond)
				}
				if err := s.run.Wait(t); !errors.Is(err, crash) {
					t.Fatalf("Collect returned %v, want the crash", err)
				}
				history += " killed"
				for range rng.IntN(6) {
					history += s.mutate(rng)
				}
			}
			s.sink.Before, s.sink.After = nil, nil
			s.w.lines(1)
			s.start()
			drained(s.sink, s.w.n)
			s.stop()
			complete(t, s.sink, s.w.n, 0)
		})
	}
}

// mutate does one thing to the log. Lines are written before each rotation, so that no two files
// begin with the same line.
func (s *stage) mutate(rng *rand.Rand) string {
	s.t.Helper()
	at := s.w.n
	switch rng.IntN(6) {
	case 0:
		s.w.lines(1 + rng.IntN(30))
		if !s.copied {
			s.w.rename()
			s.w.lines(rng.IntN(20))
			s.w.reopen()
			return fmt.Sprintf(" rename(%d-%d)", at, s.w.n)
		}
		s.w.copyTruncate()
		return fmt.Sprintf(" copytruncate(%d-%d)", at, s.w.n)
	case 1:
		for i := range 3 {
			if _, err := os.Stat(fmt.Sprintf("%s.%d", s.path, i+1)); err == nil {
				compress(s.t, fmt.Sprintf("%s.%d", s.path, i+1))
				return fmt.Sprintf(" compress %d", i+1)
			}
		}
		return ""
	case 2:
		s.w.lines(500)
		return " many"
	default:
		s.w.lines(rng.IntN(30))
		return " lines"
	}
}
