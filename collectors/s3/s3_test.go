package s3_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/klauspost/compress/zstd"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/s3"
	"github.com/liveward/liveward/collectors/s3/sqsfake"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const bucket = "liveness-logs"

// store is an S3-compatible server with one bucket.
type store struct {
	t       *testing.T
	backend gofakes3.Backend
	inner   http.Handler
	server  *httptest.Server

	mu sync.Mutex
	// before may answer a request itself, and then returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, backend: s3mem.New()}
	if err := s.backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	s.inner = gofakes3.New(s.backend).Server()
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before == nil || !before(w, r) {
			s.inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *store) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

func (s *store) put(key string, content []byte) {
	s.t.Helper()
	if _, err := s.backend.PutObject(bucket, key, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		s.t.Fatal(err)
	}
}

// world is a queue, a store, and what a collector needs to know of them.
type world struct {
	t *testing.T
	q *sqsfake.Queue
	s *store
	n int
	// log is what collectors say.
	log *syncBuffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", sqsfake.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-access-key")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return &world{t: t, q: sqsfake.New(t), s: newStore(t), log: new(syncBuffer)}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *world) config() s3.Config {
	return s3.Config{Source: "alb", Queue: w.q.URL(), Endpoint: w.s.server.URL, Objects: 1, Wait: time.Second}
}

func (w *world) collector(cfg s3.Config, resume []event.Position, now func() time.Time) *s3.Collector {
	w.t.Helper()
	c, err := s3.New(cfg, resume, now, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetTick(100 * time.Millisecond)
	return c
}

// write puts an object and tells the queue.
func (w *world) write(key string, content []byte) {
	w.t.Helper()
	w.s.put(key, content)
	w.q.Send(created(key))
}

// created is S3's own notification.
func created(keys ...string) string {
	var records []any
	for _, key := range keys {
		records = append(records, map[string]any{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1", "eventName": "ObjectCreated:Put",
			"s3": map[string]any{
				"s3SchemaVersion": "1.0", "bucket": map[string]any{"name": bucket, "arn": "arn:aws:s3:::" + bucket},
				"object": map[string]any{"key": url.QueryEscape(key), "size": 1, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "00"},
			},
		})
	}
	return toJSON(map[string]any{"Records": records})
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestContract(t *testing.T) {
	pack := []func(*testing.T, []byte) []byte{func(_ *testing.T, b []byte) []byte { return b }, gzipped, zstandard}
	collectorstest.Run(t, func(t *testing.T) collectorstest.Input {
		w := newWorld(t)
		return collectorstest.Input{
			New: func(_ *testing.T, resume []event.Position, now func() time.Time) collectors.Collector {
				w.q.Expire()
				return w.collector(w.config(), resume, now)
			},
			Write: func(t *testing.T, lines ...string) {
				w.n++
				w.write(fmt.Sprintf("AWSLogs/1/%06d.log", w.n), pack[w.n%len(pack)](t, []byte(strings.Join(lines, "\n")+"\n")))
			},
			Resumes: true,
		}
	})
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstandard(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	return z.EncodeAll(b, nil)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// wait polls until a condition holds.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
