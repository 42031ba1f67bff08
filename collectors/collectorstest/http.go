package collectorstest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
)

// Post sends a line over a connection as the body of a request, and returns an error unless it is
// answered 200.
func Post(path, contentType string) func(conn net.Conn, line string) error {
	return func(conn net.Conn, line string) error {
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, contentType, len(line), line); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
		return nil
	}
}

// RunPushed holds a collector that takes requests against the contract. body makes the request of some
// lines.
func RunPushed(t *testing.T, open func(t *testing.T, resume []event.Position, now func() time.Time) (collectors.Collector, func() net.Addr), body func(lines []string) (path, kind, body string)) {
	Run(t, func(t *testing.T) Input {
		ctx, cancel := context.WithCancel(t.Context())
		queue := make(chan []string, 1024)
		var sender sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(func() { cancel(); sender.Wait(); client.CloseIdleConnections() })
		return Input{
			New: func(t *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
				c, addr := open(t, resume, now)
				sender.Go(func() { deliver(ctx, client, addr, queue, body) })
				return c
			},
			Write: func(_ *testing.T, lines ...string) {
				for part := range slices.Chunk(lines, 7) {
					queue <- part
				}
			},
		}
	})
}

// deliver sends each part until it is answered 200.
func deliver(ctx context.Context, client *http.Client, addr func() net.Addr, queue <-chan []string, body func([]string) (path, kind, body string)) {
	at := addr()
	if at == nil {
		return // the collector is gone before it was there
	}
	for {
		select {
		case <-ctx.Done():
			return
		case part := <-queue:
			path, kind, text := body(part)
			for code := 0; code != http.StatusOK; {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.String()+path, strings.NewReader(text))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", kind)
				resp, err := client.Do(req)
				if err != nil {
					return // the collector is gone
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				code = resp.StatusCode
			}
		}
	}
}

// Requests is a collector that takes requests, with what the suite has to know of it.
type Requests struct {
	// New makes a collector on a port of 127.0.0.1: bodies of 64 KiB at most, a journal that is waited
	// for as long as told.
	New func(t *testing.T, resume []event.Position, patience time.Duration) (collectors.Collector, func() net.Addr)
	// Body makes a body of a line, with the header it is sent with.
	Body func(line string) (body string, header map[string]string)
}

// RunRequests holds a collector that takes requests against hostile bodies, and against a journal that
// does not take what comes.
func RunRequests(t *testing.T, r Requests) {
	t.Run("refuses bombs, broken compression and what is too large", r.hostile)
	t.Run("tells senders to come again while the journal pushes back", func(t *testing.T) {
		var refused atomic.Bool
		refused.Store(true)
		stored := make(map[event.Hash]int)
		c, addr := r.New(t, nil, 50*time.Millisecond)
		run := Start(t, c, SinkFunc(func(_ context.Context, b *event.Batch) error {
			if refused.Load() && len(b.Lines) > 0 {
				return collectors.ErrPushback
			}
			for _, p := range b.Positions {
				if p.End > 0 && p.Ordinal > 1 {
					stored[p.Fingerprint]++
				}
			}
			return nil
		}))
		body, header := r.Body("line")
		if code, h := r.post(t, addr, body, header, ""); code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
			t.Errorf("answered %d, Retry-After %q; want 503 with one", code, h.Get("Retry-After"))
		}
		refused.Store(false)
		// It comes again as often as it is told to: so little patience may end before the journal has answered.
		for deadline := time.Now().Add(patience); ; { //nolint:forbidigo // of a test that waits
			code, _ := r.post(t, addr, body, header, "")
			if code == http.StatusOK {
				break
			}
			if code != http.StatusServiceUnavailable || time.Now().After(deadline) { //nolint:forbidigo // as above
				t.Fatalf("answered %d", code)
			}
		}
		run.Stop(t)
		if len(stored) != 1 {
			t.Errorf("%d deliveries are stored, want 1", len(stored))
		}
	})
	t.Run("acknowledges nothing that it did not make durable", func(t *testing.T) {
		crash := errors.New("crash")
		sink := NewSink(t)
		sink.Before = func(_ int, b *event.Batch) error {
			if len(b.Lines) > 0 {
				return crash
			}
			return nil
		}
		c, addr := r.New(t, nil, patience)
		run := Start(t, c, sink)
		body, header := r.Body("line")
		if code, _ := r.post(t, addr, body, header, ""); code == http.StatusOK {
			t.Error("answered 200")
		}
		if err := run.Wait(t); !errors.Is(err, crash) {
			t.Fatalf("Collect returned %v, want the crash", err)
		}
		sink.Before = nil
		sink.Restart()
		c, addr = r.New(t, sink.Positions(), patience)
		run = Start(t, c, sink)
		if code, _ := r.post(t, addr, body, header, ""); code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
		run.Stop(t)
		if n := len(sink.Lines()); n != 1 {
			t.Errorf("%d lines, want 1", n)
		}
	})
}

func (r *Requests) hostile(t *testing.T) {
	sink := NewSink(t)
	c, addr := r.New(t, nil, patience)
	run := Start(t, c, sink)
	gzipped := func(s string) string {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return buf.String()
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("\x00", 16<<20)
	zstdBomb := string(encoder.EncodeAll([]byte(zeros), nil))
	_ = encoder.Close()
	large, _ := r.Body(strings.Repeat("x", 65<<10))
	for _, tc := range []struct {
		name, body, encoding string
	}{
		{"gzip bomb", gzipped(zeros), "gzip"},
		{"zstd bomb", zstdBomb, "zstd"},
		{"no gzip", "CANARY", "gzip"},
		{"half of gzip", gzipped("CANARY CANARY")[:20], "gzip"},
		{"no zstd", "CANARY", "zstd"},
		{"unknown encoding", "CANARY", "br"},
		{"two encodings", "CANARY", "gzip, gzip"},
		{"too large", large, ""},
		{"too large, packed", gzipped(large), "gzip"},
	} {
		_, header := r.Body("line")
		if code, _ := r.post(t, addr, tc.body, header, tc.encoding); code < 400 || code >= 500 || code == http.StatusTooManyRequests {
			t.Errorf("%s: answered %d, want a refusal for good", tc.name, code)
		}
	}
	body, header := r.Body("line")
	if code, _ := r.post(t, addr, body, header, ""); code != http.StatusOK {
		t.Errorf("after all that a good one is answered %d", code)
	}
	run.Stop(t)
	if n := len(sink.Lines()); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

func (r *Requests) post(t *testing.T, addr func() net.Addr, body string, header map[string]string, encoding string) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr().String()+header[":path"], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k != ":path" {
			req.Header.Set(k, v)
		}
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(answer), "CANARY") {
		t.Errorf("answer %q, %v", answer, err)
	}
	return resp.StatusCode, resp.Header
}
