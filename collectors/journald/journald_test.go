package journald_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/journald"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// journal is a directory of real journal files, which systemd-journal-remote writes.
type journal struct {
	t       *testing.T
	dir     string
	remote  string
	entries int
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newJournal(t *testing.T) *journal {
	t.Helper()
	const remote = "/usr/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(remote); err != nil {
		t.Fatal("systemd-journal-remote is not installed: apt-get install systemd-journal-remote, or make deps")
	}
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Fatal("journalctl is not installed: apt-get install systemd, or make deps")
	}
	j := &journal{t: t, dir: filepath.Join(t.TempDir(), "journal"), remote: remote, log: new(logBuffer)}
	if err := os.Mkdir(j.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return j
}

// write appends an entry for each message, as a unit's.
func (j *journal) write(unit string, messages ...string) {
	j.t.Helper()
	var b bytes.Buffer
	for _, m := range messages {
		j.entries++
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n", 1773454364000000+j.entries*1000, 1000000+j.entries*1000)
		fmt.Fprintf(&b, "_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=fedcba9876543210fedcba9876543210\n")
		fmt.Fprintf(&b, "_SYSTEMD_UNIT=%s\nSYSLOG_IDENTIFIER=%s\nPRIORITY=6\nSECRET=canary\nMESSAGE\n", unit, strings.TrimSuffix(unit, ".service"))
		_ = binary.Write(&b, binary.LittleEndian, uint64(len(m)))
		b.WriteString(m + "\n\n")
	}
	cmd := exec.CommandContext(j.t.Context(), j.remote, "--output="+filepath.Join(j.dir, "system.journal"), "-")
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		j.t.Fatalf("systemd-journal-remote: %v\n%s", err, out)
	}
}

func (j *journal) config() journald.Config {
	return journald.Config{Source: "host", Directory: j.dir, Units: []string{"nginx"}}
}

func (j *journal) collector(cfg journald.Config, resume []event.Position, now func() time.Time) *journald.Collector {
	j.t.Helper()
	c, err := journald.New(cfg, resume, now, slog.New(slog.NewTextHandler(j.log, nil)))
	if err != nil {
		j.t.Fatal(err)
	}
	c.SetTick(100 * time.Millisecond)
	return c
}

// run starts a collector where the sink's positions say.
func (j *journal) run(sink *collectorstest.Sink, change func(*journald.Config)) (*journald.Collector, *collectorstest.Running) {
	j.t.Helper()
	cfg := j.config()
	if change != nil {
		change(&cfg)
	}
	sink.Restart()
	c := j.collector(cfg, sink.Positions(), time.Now)
	return c, collectorstest.Start(j.t, c, sink)
}

func idle(sink *collectorstest.Sink) {
	_, before := sink.Counts()
	sink.Wait("the source to be idle", func() bool {
		_, n := sink.Counts()
		return n > before+1 && sink.AllIdle()
	})
}

func TestContract(t *testing.T) {
	collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
		j := newJournal(t)
		j.write("other.service", "not this one")
		return collectorstest.Input{
			New: func(_ *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
				return j.collector(j.config(), resume, now)
			},
			Write: func(_ *testing.T, lines ...string) {
				j.write("other.service", "nor this")
				j.write("nginx.service", lines...)
			},
			Resumes: true,
		}
	})
}

// TestMessages reads messages of all kinds from a real journal.
func TestMessages(t *testing.T) {
	j, sink := newJournal(t), collectorstest.NewSink(t)
	long := strings.Repeat("é", 60_000)
	j.write("nginx.service", "plain", "two\r\nlines\n\n", "bin\x01\x00\xff", "", "MESSAGE=x\n\n__CURSOR=y", long, "last")
	_, run := j.run(sink, func(c *journald.Config) { c.MaxLine = 100_000 })
	sink.WaitLines(8)
	run.Stop(t)
	want := []string{"plain", "two", "lines", "bin\x01\x00\xff", "MESSAGE=x", "__CURSOR=y", long[:100_000], "last"}
	lines := sink.Lines()
	if diff := cmp.Diff(want, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff[:min(len(diff), 2000)])
	}
	for _, l := range lines {
		if l.Oversize != (len(l.Text) == 100_000) {
			t.Errorf("a line of %d bytes: oversize is %v", len(l.Text), l.Oversize)
		}
	}
}

// TestFilters reads what the configuration asks for.
func TestFilters(t *testing.T) {
	j := newJournal(t)
	j.write("a.service", "a")
	j.write("b.service", "b")
	j.write("c.socket", "c")
	for name, c := range map[string]struct {
		change func(*journald.Config)
		want   []string
	}{
		"all":         {func(c *journald.Config) { c.Units = nil }, []string{"a", "b", "c"}},
		"units":       {func(c *journald.Config) { c.Units = []string{"a", "c.socket"} }, []string{"a", "c"}},
		"identifiers": {func(c *journald.Config) { c.Units, c.Identifiers = nil, []string{"b"} }, []string{"b"}},
		"both":        {func(c *journald.Config) { c.Units, c.Identifiers = []string{"a", "b"}, []string{"b"} }, []string{"b"}},
		"none":        {func(c *journald.Config) { c.Units = []string{"--version"} }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			sink := collectorstest.NewSink(t)
			_, run := j.run(sink, c.change)
			idle(sink)
			run.Stop(t)
			if diff := cmp.Diff(c.want, sink.Texts()); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFromEnd begins with what is logged after the first start, and goes on there after another.
func TestFromEnd(t *testing.T) {
	j, sink := newJournal(t), collectorstest.NewSink(t)
	fromEnd := func(c *journald.Config) { c.FromEnd = true }
	j.write("nginx.service", "old", "older")
	_, run := j.run(sink, fromEnd)
	idle(sink)
	run.Stop(t)
	j.write("nginx.service", "while it was away")
	_, run = j.run(sink, fromEnd)
	sink.WaitLines(1)
	j.write("nginx.service", "new")
	sink.WaitLines(2)
	run.Stop(t)
	if diff := cmp.Diff([]string{"while it was away", "new"}, sink.Texts()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
}

// TestHalfABatch goes on within a batch of which only the first part was journaled.
func TestHalfABatch(t *testing.T) {
	j, sink := newJournal(t), collectorstest.NewSink(t)
	j.write("nginx.service", "one", "two\nthree", "four")
	_, run := j.run(sink, nil)
	sink.WaitLines(4)
	run.Stop(t)
	all := sink.Lines()
	for _, keep := range []int{1, 2, 3} {
		// What the pipeline journals of the batch when it cuts it before line keep.
		p := sink.Positions()[0]
		p.Start, p.End, p.Cursor, p.CheckAt = 0, all[keep].Offset, "", 0
		rest := collectorstest.NewSink(t)
		c := j.collector(j.config(), []event.Position{p}, time.Now)
		run := collectorstest.Start(t, c, rest)
		rest.WaitLines(4 - keep)
		run.Stop(t)
		if diff := cmp.Diff(all[keep:], rest.Lines()); diff != "" {
			t.Errorf("after %d lines (-want +got):\n%s", keep, diff)
		}
	}
}

// TestVacuumed goes on where the journal does, and says that something may be missing.
func TestVacuumed(t *testing.T) {
	for name, ticks := range map[string]bool{"after a tick": true, "after a batch": false} {
		t.Run(name, func(t *testing.T) {
			j, sink := newJournal(t), collectorstest.NewSink(t)
			j.write("nginx.service", "one", "two")
			_, run := j.run(sink, nil)
			sink.WaitLines(2)
			if ticks {
				idle(sink)
			}
			run.Stop(t)
			if err := os.RemoveAll(j.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(j.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			j.write("nginx.service", "three", "four")
			c, run := j.run(sink, nil)
			sink.WaitLines(4)
			run.Stop(t)
			if diff := cmp.Diff([]string{"one", "two", "three", "four"}, sink.Texts()); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
			if c.Stats().Vacuumed != 1 || !strings.Contains(j.log.String(), "may be lost") {
				t.Errorf("%+v, the log says:\n%s", c.Stats(), j.log)
			}
		})
	}
}

// fake writes a program that stands for journalctl.
func fake(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBrokenJournalctl holds that a program that fails is started again, and that what it prints of
// itself is one line.
func TestBrokenJournalctl(t *testing.T) {
	entry := `printf '__CURSOR=s=1;i=%d\nMESSAGE=line %d\n\n' `
	for name, c := range map[string]struct{ script, log string }{
		"fails":             {"echo 'No journal files\nwere opened' >&2; exit 1", "exit status 1: No journal files were opened"},
		"prints no entries": {"echo 'Hello, how are you?'; exec sleep 100", "does not print what its export format is"},
		"prints an odd cursor": {
			`printf '__CURSOR=--root=/ \nMESSAGE=canary\n\n'; exec sleep 100`, "does not print what its export format is",
		},
		"dies while it follows": {
			entry + `1 1; case "$*" in *--follow*) kill -9 $$ ;; esac`, "signal: killed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, sink := newJournal(t), collectorstest.NewSink(t)
			col, run := j.run(sink, func(cfg *journald.Config) { cfg.Program = fake(t, c.script) })
			sink.Wait("a restart", func() bool { return col.Stats().Restarts > 0 })
			run.Stop(t)
			if log := j.log.String(); !strings.Contains(log, c.log) || strings.Contains(log, "canary") {
				t.Errorf("the log says:\n%s", log)
			}
			if slices.Contains(sink.Texts(), "canary") {
				t.Error("an entry with an odd cursor is taken")
			}
		})
	}
}

// TestEntryThatIsPassedOver holds that an entry that a journalctl does not see, though it follows, is seen
// by the next one, and that this is no failure.
func TestEntryThatIsPassedOver(t *testing.T) {
	j, sink := newJournal(t), collectorstest.NewSink(t)
	asked := filepath.Join(t.TempDir(), "asked")
	cfg := j.config()
	cfg.Program = fake(t, `entry() { printf '__CURSOR=s=1;i=%d\nMESSAGE=line %d\n\n' "$1" "$1"; }
entry 1
case "$*" in *--follow*)
	if [ -e `+asked+` ]; then entry 2; fi
	touch `+asked+`
	exec sleep 100 ;;
esac`)
	c := j.collector(cfg, nil, time.Now)
	c.SetLookAgain(200 * time.Millisecond)
	run := collectorstest.Start(t, c, sink)
	sink.WaitLines(2)
	run.Stop(t)
	if diff := cmp.Diff([]string{"line 1", "line 2"}, sink.Texts()); diff != "" || c.Stats().Restarts > 0 {
		t.Errorf("%+v, lines differ (-want +got):\n%s", c.Stats(), diff)
	}
}

// TestStops holds that a journalctl that ignores signals does not outlive the collector.
func TestStops(t *testing.T) {
	j, sink := newJournal(t), collectorstest.NewSink(t)
	_, run := j.run(sink, func(cfg *journald.Config) {
		cfg.Program = fake(t, `trap '' TERM; printf '__CURSOR=s=1;i=1\nMESSAGE=x\n\n'; while :; do sleep 0.1; done`)
	})
	sink.WaitLines(1)
	run.Stop(t)
}

// TestNew holds what configurations are refused, each in one line.
func TestNew(t *testing.T) {
	for want, cfg := range map[string]journald.Config{
		"no source name":             {},
		"nowhere is not to be found": {Source: "x", Program: "nowhere"},
		"is no exact name":           {Source: "x", Units: []string{"nginx*"}},
		"limits must be":             {Source: "x", MaxLine: -1},
	} {
		_, err := journald.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

// A cursor stands with the place where its entry ended, also while entries are read again that are durable
// already: a run that goes on from such a position would else take lines for others, and read them twice.
func TestCursorsStandWhereTheirEntriesEnd(t *testing.T) {
	j := newJournal(t)
	cfg := j.config()
	cfg.Program = fake(t, `for i in 2 3 4 5 6; do
	printf '__CURSOR=s=1;i=%d\nMESSAGE=line %d\n\n' $i $i
	sleep 0.05
done
exec sleep 100`)
	const size = len("line 1\n")
	// Killed behind a batch of entries 3 and 4.
	resume := event.Position{Source: "host", Path: journald.Path, Ordinal: 1, Cursor: "s=1;i=2", CheckAt: 2 * int64(size), Start: 2 * int64(size), End: 4 * int64(size)}
	c := j.collector(cfg, []event.Position{resume}, time.Now)
	c.SetTick(10 * time.Millisecond)
	var mu sync.Mutex
	var positions []event.Position
	var lines []string
	run := collectorstest.Start(t, c, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		positions = append(positions, b.Positions...)
		for _, l := range b.Lines {
			lines = append(lines, string(l.Data))
		}
		return nil
	}))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		last := positions[max(len(positions)-1, 0):]
		done := len(last) > 0 && last[0].Cursor == "s=1;i=6"
		mu.Unlock()
		if done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the last entry is not read")
		}
	}
	run.Stop(t)
	for _, p := range positions {
		n, err := strconv.Atoi(strings.TrimPrefix(p.Cursor, "s=1;i="))
		if err != nil || p.CheckAt != int64(n*size) {
			t.Errorf("cursor %s stands at %d, its entry ended at %d", p.Cursor, p.CheckAt, n*size)
		}
	}
	if diff := cmp.Diff([]string{"line 5", "line 6"}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
