package file_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// config is quick enough for tests; nothing in them depends on how quick.
func config(paths ...string) file.Config {
	return file.Config{
		Name: "test", Paths: paths, Linger: 5 * time.Millisecond, Poll: 10 * time.Millisecond,
		Tick: 50 * time.Millisecond, Drain: 40 * time.Millisecond, Keep: time.Minute,
	}
}

func newCollector(t *testing.T, cfg file.Config, resume []event.Position) *file.Collector {
	t.Helper()
	c, err := file.New(cfg, resume, time.Now, slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testLog shows what a collector logs beside the test that it belongs to.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func appendFile(t *testing.T, path string, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	for _, pollOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("poll only %v", pollOnly), func(t *testing.T) {
			collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
				path := filepath.Join(t.TempDir(), "access.log")
				return collectorstest.Input{
					New: func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
						cfg := config(path)
						cfg.PollOnly = pollOnly
						c, err := file.New(cfg, resume, now, slog.New(slog.DiscardHandler))
						if err != nil {
							t.Fatal(err)
						}
						return c
					},
					Write:   func(t *testing.T, lines ...string) { appendFile(t, path, strings.Join(lines, "\n")+"\n") },
					Resumes: true,
				}
			})
		})
	}
}

var errPushback = fmt.Errorf("journal is full: %w", collectors.ErrPushback)
