package collectorstest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
