package push_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
)

// Sixty-four senders, each with one request at a time, and a journal that takes a millisecond to
// sync: lines a second, and how many requests share a batch.
func BenchmarkPush(b *testing.B) {
	for _, lines := range []int{1, 100} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			c := newCollector(b, push.Config{MaxRate: 1 << 30}, nil, time.Now)
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() {
				done <- c.Collect(ctx, collectorstest.SinkFunc(func(context.Context, *event.Batch) error {
					time.Sleep(time.Millisecond)
					return nil
				}))
			}()
			url := "http://" + c.Addr().String()
			body := bytes.Repeat([]byte(strings.Repeat("x", 449)+"\n"), lines)
			const senders = 64
			tr := &http.Transport{MaxIdleConnsPerHost: senders}
			client := &http.Client{Transport: tr}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.ResetTimer()
			failed := make(chan error, senders)
			for range senders {
				go func() { failed <- send(ctx, client, url, body, &left) }()
			}
			for range senders {
				if err := <-failed; err != nil {
					b.Error(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N*lines)/b.Elapsed().Seconds(), "lines/s")
			if s := c.Stats(); s.Batches > 0 {
				b.ReportMetric(float64(s.Deliveries)/float64(s.Batches), "requests/batch")
			}
			tr.CloseIdleConnections()
			stop()
			<-done
		})
	}
}

func send(ctx context.Context, client *http.Client, url string, body []byte, left *atomic.Int64) error {
	for left.Add(-1) >= 0 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
	}
	return nil
}
