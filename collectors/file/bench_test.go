package file_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/event"
)

var errEnough = errors.New("enough")

// counter takes batches and keeps nothing.
type counter struct{ lines, want int }

func (c *counter) Put(_ context.Context, b *event.Batch) error {
	if c.lines += len(b.Lines); c.lines >= c.want {
		return errEnough
	}
	return nil
}

// Reading and splitting a file of 64 MiB, from the page cache.
func BenchmarkCollect(b *testing.B) {
	row := append(bytes.Repeat([]byte("x"), 474), '\n')
	const size = 64 << 20
	path := filepath.Join(b.TempDir(), "access.log")
	if err := os.WriteFile(path, bytes.Repeat(row, size/len(row)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		c, err := file.New(file.Config{Name: "bench", Paths: []string{path}, PollOnly: true, Linger: time.Millisecond}, nil, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		sink := &counter{want: size / len(row)}
		if err := c.Collect(b.Context(), sink); !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size/len(row)), "ns/line")
}
