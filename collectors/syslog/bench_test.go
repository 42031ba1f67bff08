package syslog_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/syslog"
	"github.com/liveward/liveward/internal/event"
)

// One TCP stream of messages of 450 bytes, into a journal that takes a millisecond to sync.
func BenchmarkTCP(b *testing.B) {
	c := newCollector(b, syslog.Config{TCP: "127.0.0.1:0"}, nil, time.Now)
	ctx, stop := context.WithCancel(b.Context())
	var lines atomic.Int64
	all := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- c.Collect(ctx, collectorstest.SinkFunc(func(_ context.Context, batch *event.Batch) error {
			time.Sleep(time.Millisecond)
			if n := lines.Add(int64(len(batch.Lines))); n == int64(b.N) && len(batch.Lines) > 0 {
				close(all)
			}
			return nil
		}))
	}()
	conn, err := net.Dial("tcp", c.Addr("tcp").String())
	if err != nil {
		b.Fatal(err)
	}
	message := head + strings.Repeat("x", 449-len(head)) + "\n"
	const some = 64
	block := []byte(strings.Repeat(message, some))
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	b.ResetTimer()
	for n := b.N; n > 0; n -= some {
		if _, err := conn.Write(block[:min(n, some)*len(message)]); err != nil {
			b.Fatal(err)
		}
	}
	<-all
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	_ = conn.Close()
	stop()
	<-done
}
