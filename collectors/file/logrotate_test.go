package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/internal/event"
)

// logrotate is the real one, with a configuration of its own.
type logrotate struct {
	t          *testing.T
	dir        string
	conf       string
	state      string
	ask, leave string // flag files by which it and the writer wait for each other
	pause      time.Duration
	looked     func() // waits until the collector has seen a rotation; nil while it is down
}

func newLogrotate(t *testing.T, path, directives string) *logrotate {
	t.Helper()
	if _, err := exec.LookPath("logrotate"); err != nil {
		t.Fatal("logrotate is needed for this test: install the package of that name")
	}
	dir := t.TempDir()
	r := &logrotate{
		t: t, dir: dir, conf: filepath.Join(dir, "conf"), state: filepath.Join(dir, "state"),
		ask: filepath.Join(dir, "ask"), leave: filepath.Join(dir, "leave"),
	}
	if strings.Contains(directives, "%s") {
		r.pause = time.Second // the seconds in the names must differ
	}
	// Before: the writer holds still (a copy would lose what it writes meanwhile). After: it is told,
	// and logrotate goes on when it has done what it does then.
	script := "\n%s\n touch %s\n while [ -e %s ]; do sleep 0.005; done\nendscript\n"
	text := fmt.Sprintf("%s {\n rotate 1000\n missingok\n su root root\n%s", path, directives)
	text += fmt.Sprintf(script, "prerotate", r.ask, r.ask)
	text += fmt.Sprintf(script, "postrotate", r.leave, r.leave)
	if err := os.WriteFile(r.conf, []byte(text+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *logrotate) run() error {
	var out bytes.Buffer
	cmd := exec.CommandContext(r.t.Context(), "logrotate", "-f", "-s", r.state, r.conf)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("logrotate: %w: %s", err, out.String())
	}
	return nil
}

// take removes a flag file and reports whether it was there.
func take(path string) bool { return os.Remove(path) == nil }

var rotations = []struct {
	name       string
	directives string
	copied     bool
}{
	{"rename", " create\n", false},
	{"rename, nocreate", " nocreate\n", false},
	{"rename, compressed", " create\n compress\n", false},
	{"rename, compressed later", " create\n compress\n delaycompress\n", false},
	{"rename, dates", " create\n dateext\n dateformat -%Y%m%d-%s\n", false},
	{"copytruncate", " copytruncate\n", true},
	{"copytruncate, compressed", " copytruncate\n compress\n", true},
}

// traffic writes lines while logrotate works, until the rotations are done.
func traffic(t *testing.T, w *writer, r *logrotate, copied bool, times int, late int) {
	t.Helper()
	done := make(chan error, 1)
	var finished atomic.Bool
	go func() {
		defer finished.Store(true)
		for range times {
			if err := r.run(); err != nil {
				done <- err
				return
			}
			if r.looked != nil {
				r.looked()
			}
			time.Sleep(r.pause)
		}
		done <- nil
	}()
	paused := false
	for !finished.Load() {
		if take(r.ask) {
			paused = copied
		}
		if !paused {
			w.lines(1 + rand.IntN(5))
		}
		if _, err := os.Stat(r.leave); err == nil {
			if !copied {
				w.lines(late) // the old file is written on until the signal is handled
				w.reopen()
			}
			paused = false
			take(r.leave)
		}
		time.Sleep(time.Millisecond)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.lines(10)
}

func TestLogrotate(t *testing.T) {
	for _, tt := range rotations {
		for _, pollOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/poll only %v", tt.name, pollOnly), func(t *testing.T) {
				t.Parallel()
				path := logPath(t)
				w := newWriter(t, path)
				w.lines(10)
				cfg := config(path)
				cfg.PollOnly = pollOnly
				c := newCollector(t, cfg, nil)
				sink := collectorstest.NewSink(t)
				run := collectorstest.Start(t, c, sink)
				r := newLogrotate(t, path, tt.directives)
				r.looked = func() { looked(t, sink, func() bool { return false }) }
				traffic(t, w, r, tt.copied, 6, 20)
				drained(sink, w.n)
				run.Stop(t)
				complete(t, sink, w.n, 0)
				s := c.Stats()
				if s.Rotations+s.Truncations != 6 || s.Missing != 0 || s.Lost != 0 {
					t.Errorf("stats %+v, want 6 rotations and nothing missing", s)
				}
			})
		}
	}
}

// The collector is killed over and over while lines are written and files rotate; sometimes it stays
// down over several rotations.
func TestLogrotateAndKill(t *testing.T) {
	for _, tt := range rotations {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := logPath(t)
			w := newWriter(t, path)
			w.lines(10)
			r := newLogrotate(t, path, tt.directives)
			sink := collectorstest.NewSink(t)
			seed := rand.Uint64()
			t.Log("seed", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			crash := errors.New("crash")
			// What is rotated away before the very first batch is history that nobody asked for.
			run := collectorstest.Start(t, newCollector(t, config(path), nil), sink)
			sink.WaitLines(w.n)
			run.Stop(t)
			for range 6 {
				var left atomic.Int64
				left.Store(1 + rng.Int64N(12))
				kill := func(int, *event.Batch) error {
					if left.Add(-1) <= 0 {
						return crash
					}
					return nil
				}
				sink.Before, sink.After = nil, nil
				if rng.IntN(2) == 0 {
					sink.Before = kill
				} else {
					sink.After = kill
				}
				sink.Restart()
				run := collectorstest.Start(t, newCollector(t, config(path), sink.Positions()), sink)
				r.looked = func() { looked(t, sink, func() bool { return left.Load() <= 0 }) }
				traffic(t, w, r, tt.copied, rng.IntN(3), 20)
				for left.Load() > 0 {
					w.lines(3)
					time.Sleep(time.Millisecond)
				}
				if err := run.Wait(t); !errors.Is(err, crash) {
					t.Fatalf("Collect returned %v, want the crash", err)
				}
				r.looked = nil
				traffic(t, w, r, tt.copied, rng.IntN(3), 20) // while it is down
			}
			sink.Before, sink.After = nil, nil
			sink.Restart()
			run = collectorstest.Start(t, newCollector(t, config(path), sink.Positions()), sink)
			drained(sink, w.n)
			run.Stop(t)
			t.Cleanup(func() {
				if t.Failed() {
					files(t, sink, path)
				}
			})
			complete(t, sink, w.n, 0)
		})
	}
}

// files shows where each file begins, as it was read and as it stands.
func files(t *testing.T, sink *collectorstest.Sink, path string) {
	lines := sink.Lines()
	for i, l := range lines {
		if i == 0 || l.Ordinal != lines[i-1].Ordinal {
			t.Logf("read: ordinal %d offset %d: %.12s", l.Ordinal, l.Offset, l.Text)
		}
	}
	names, _ := filepath.Glob(path + "*")
	for _, name := range names {
		head, _ := os.ReadFile(name)
		st, _ := os.Stat(name)
		t.Logf("stands: %s %d bytes, %s: %.12s", filepath.Base(name), len(head), st.ModTime().Format("05.000000"), head)
	}
}
