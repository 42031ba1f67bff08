package push_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newCollector(t testing.TB, cfg push.Config, resume []event.Position, now func() time.Time) *push.Collector {
	t.Helper()
	cfg.Source = "pushed"
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	cfg.Tick = 50 * time.Millisecond
	c, err := push.New(cfg, resume, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestContract(t *testing.T) {
	collectorstest.RunPushed(t, func(t *testing.T, resume []event.Position, now func() time.Time) (collectors.Collector, func() net.Addr) {
		c := newCollector(t, push.Config{}, resume, now)
		return c, c.Addr
	}, func(lines []string) (path, kind, body string) {
		return "/", "text/plain", strings.Join(lines, "\n") + "\n"
	})
}

func TestListener(t *testing.T) {
	collectorstest.RunListener(t, collectorstest.Listener{
		New: func(t *testing.T, with collectorstest.Listening) collectors.Collector {
			return newCollector(t, push.Config{
				TLS: with.TLS, Allow: with.Allow, MaxConns: with.Conns, HeaderTime: with.Slow, BodyTime: with.Slow, IdleTime: with.Slow,
			}, nil, time.Now)
		},
		Addr: func(c collectors.Collector) net.Addr { return c.(*push.Collector).Addr() },
		Send: collectorstest.Post("/", "text/plain"),
		Begin: []string{
			"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
			"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		},
	})
}

func TestRequests(t *testing.T) {
	collectorstest.RunRequests(t, collectorstest.Requests{
		New: func(t *testing.T, resume []event.Position, patience time.Duration) (collectors.Collector, func() net.Addr) {
			c := newCollector(t, push.Config{MaxBody: 64 << 10, Patience: patience}, resume, time.Now)
			return c, c.Addr
		},
		Body: func(line string) (string, map[string]string) {
			return line, map[string]string{"Content-Type": "text/plain", push.IdempotencyHeader: "delivery"}
		},
	})
}

// Others can reach an address with no more than a client CA.
func TestClientCertificatesAreEnough(t *testing.T) {
	ca := collectorstest.NewAuthority(t)
	certificate, key := ca.Issue(t, "listener")
	id, err := listen.NewIdentity(listen.TLS{Certificate: certificate, Key: key, ClientCA: ca.PEM})
	if err != nil {
		t.Fatal(err)
	}
	newCollector(t, push.Config{Address: "0.0.0.0:0", TLS: id}, nil, time.Now)
}

type request struct {
	method, body, encoding, kind string
	header                       map[string]string
}

func do(t *testing.T, c *push.Collector, r request) (int, string, http.Header) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+c.Addr().String()+"/in", strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.encoding != "" {
		req.Header.Set("Content-Encoding", r.encoding)
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func zip(s string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return buf.String()
}

func zst(s string) string {
	w, _ := zstd.NewWriter(nil)
	defer func() { _ = w.Close() }()
	return string(w.EncodeAll([]byte(s), nil))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestBodies(t *testing.T) {
	const js = "application/json"
	f := func(name string, r request, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			sink := collectorstest.NewSink(t)
			c := newCollector(t, push.Config{MaxLine: 200}, nil, time.Now)
			run := collectorstest.Start(t, c, sink)
			code, body, _ := do(t, c, r)
			if code != http.StatusOK {
				t.Fatalf("answered %d %s", code, body)
			}
			if diff := cmp.Diff(want, sink.Texts()); diff != "" && len(want)+len(sink.Texts()) > 0 {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
			run.Stop(t)
			if left := c.Budget(); left != 256<<20 {
				t.Errorf("%d bytes of memory were not given back", 256<<20-left)
			}
		})
	}
	f("empty", request{})
	f("spaces", request{body: " \n\n"})
	f("text", request{body: "one\r\n\ntwo", kind: "text/plain; charset=utf-8"}, "one", "two")
	f("text in brackets", request{body: "[one] two\n[three", kind: "text/plain"}, "[one] two", "[three")
	f("ndjson", request{body: `{"a":1}` + "\n" + `{"a":2}` + "\n"}, `{"a":1}`, `{"a":2}`)
	f("ndjson with a broken line", request{body: `{"a":` + "\n" + `{"a":2}` + "\n", kind: js}, `{"a":`, `{"a":2}`)
	f("ndjson with a broken second line", request{body: `{"a":1}` + "\n" + `{"a":` + "\n", kind: js}, `{"a":1}`, `{"a":`)
	f("object", request{body: "{\n \"a\": [1,\r\n 2]\n}", kind: js}, `{  "a": [1,   2] }`)
	f("array", request{body: "[{\"a\":\"],\\\"\"} , {\"b\":\n2},3,\"x\", true, [ ]]", kind: js}, `{"a":"],\""}`, "{\"b\": 2}", "3", `"x"`, "true", "[ ]")
	f("empty array", request{body: "[ ]", kind: js})
	f("kong batch", request{body: `[{"request":{"id":"1"},"entries":[1]},{"request":{"id":"2"}}]`, kind: js}, `{"request":{"id":"1"},"entries":[1]}`, `{"request":{"id":"2"}}`)
	f("logpush", request{body: zip(`{"RayID":"1"}` + "\n" + `{"RayID":"2"}`), encoding: "gzip", kind: "text/plain"}, `{"RayID":"1"}`, `{"RayID":"2"}`)
	f("zstd", request{body: zst("a\nb"), encoding: "zstd"}, "a", "b")
	f("members of gzip", request{body: zip("a\n") + zip("b\n"), encoding: "gzip"}, "a", "b")
	f("event hub", request{body: `{"records": [ {"time":"1"}, {"time":"2"} ]}`, kind: js}, `{"time":"1"}`, `{"time":"2"}`)
	f("event hub, relayed in an array", request{body: `[{"records":[{"time":"1"}]},{"records":[{"time":"2"}]}]`, kind: js}, `{"time":"1"}`, `{"time":"2"}`)
	f("log entries", request{body: `{"logName":"l","entries":[{"insertId":"1"},{"insertId":"2"}]}`, kind: js}, `{"insertId":"1"}`, `{"insertId":"2"}`)
	f("a line that has records of its own", request{body: `{"records":[1,2]}`, kind: js}, `{"records":[1,2]}`)
	f("pub/sub", request{body: `{"message":{"data":"` + b64(`{"insertId":"1"}`) + `","messageId":"7"},"subscription":"s"}`, kind: js}, `{"insertId":"1"}`)
	f("firehose", request{
		body:   `{"requestId":"r-1","timestamp":1,"records":[{"data":"` + b64("a\nb\n") + `"},{"data":"` + b64("{\"c\":\n1}") + `"}]}`,
		header: map[string]string{"X-Amz-Firehose-Request-Id": "r-1"}, kind: js,
	}, "a", "b", "{\"c\": 1}")
	watch := `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","message":"one\n"},{"id":"2","message":"t\nwo"}]}`
	f("firehose of cloudwatch", request{
		body: `{"requestId":"r-1","timestamp":1,"records":[{"data":"` + b64(zip(watch)) + `"},{"data":"` + b64(zip(`{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"x"}]}`)) + `"}]}`, kind: js,
	}, "one", "t wo")
	f("oversize", request{body: strings.Repeat("x", 201) + "\ny"}, strings.Repeat("x", 200), "y")
}

func TestFirehoseGetsItsAnswer(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{Auth: push.Auth{Tokens: []string{"0123456789abcdef"}}}, nil, time.Now)
	collectorstest.Start(t, c, sink)
	f := func(want int, key, body string) {
		t.Helper()
		code, text, _ := do(t, c, request{body: body, header: map[string]string{
			"X-Amz-Firehose-Request-Id": "r-1", "X-Amz-Firehose-Access-Key": key,
		}})
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Errorf("answered %d %s, want %d", code, text, want)
		}
		if code == 200 && (got["requestId"] != "r-1" || got["timestamp"] == nil || len(got) != 2) {
			t.Errorf("answered %s", text)
		}
		if code == 400 && (got["requestId"] != "r-1" || got["errorMessage"] == nil) {
			t.Errorf("answered %s", text)
		}
	}
	f(200, "0123456789abcdef", `{"requestId":"r-1","timestamp":1,"records":[{"data":"YQ=="}]}`)
	f(400, "0123456789abcdef", `{"requestId":"r-2","timestamp":1,"records":[{"data":"YQ=="}]}`)
	f(400, "0123456789abcdef", `{"requestId":"r-1","records":[{"data":"*"}]}`)
	f(400, "0123456789abcdef", `{"a":1}`)
	f(401, "another", `{"requestId":"r-1","timestamp":1,"records":[]}`)
}

func TestRefusals(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{Path: "/in", MaxBody: 1 << 20, MaxLines: 100}, nil, time.Now)
	collectorstest.Start(t, c, sink)
	f := func(name string, want int, r request) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			code, text, h := do(t, c, r)
			if code != want {
				t.Errorf("answered %d %s, want %d", code, text, want)
			}
			var got struct{ Error string }
			if err := json.Unmarshal([]byte(text), &got); err != nil || got.Error == "" || strings.Count(text, "\n") != 1 {
				t.Errorf("answer %q is not an error on one line", text)
			}
			if strings.Contains(text, "CANARY") {
				t.Errorf("answer quotes the request: %s", text)
			}
			if h.Get("Content-Type") != "application/json" {
				t.Errorf("answer is %s", h.Get("Content-Type"))
			}
		})
	}
	f("method", 405, request{method: http.MethodGet})
	f("cross-origin", 403, request{body: "x", header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
	f("other origin", 403, request{body: "x", header: map[string]string{"Origin": "https://CANARY.example"}})
	f("content type", 415, request{body: "x", kind: "multipart/form-data; boundary=CANARY"})
	f("form", 415, request{body: "x", kind: "application/x-www-form-urlencoded"})
	f("protobuf", 415, request{body: "x", kind: "application/x-protobuf"})
	f("encoding", 415, request{body: "x", encoding: "CANARY"})
	f("two encodings", 415, request{body: "x", encoding: "gzip, gzip"})
	f("not gzip", 400, request{body: "CANARY", encoding: "gzip"})
	f("cut gzip", 400, request{body: zip("CANARY CANARY")[:20], encoding: "gzip"})
	f("not zstd", 400, request{body: "CANARY", encoding: "zstd"})
	f("not JSON", 400, request{body: `[{"CANARY":`, kind: "application/json"})
	f("no object", 400, request{body: "{\nCANARY\n", kind: "application/json"})
	f("no base64", 400, request{body: `{"requestId":"1","records":[{"data":"CANARY*"}]}`})
	f("large", 413, request{body: strings.Repeat("x", 1<<20+1)})
	f("gzip bomb", 413, request{body: zip(strings.Repeat("\x00", 64<<20)), encoding: "gzip"})
	f("zstd bomb", 413, request{body: zst(strings.Repeat("\x00", 64<<20)), encoding: "zstd"})
	f("bomb in a record", 413, request{body: `{"requestId":"1","records":[{"data":"` + b64(zip(strings.Repeat("x", 8<<20))) + `"}]}`})
	f("lines", 413, request{body: strings.Repeat("x\n", 101)})
	f("elements", 413, request{body: "[" + strings.Repeat("1,", 101) + "1]"})
	f("long id", 400, request{body: "x", header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}})
	if n := len(sink.Lines()); n != 0 {
		t.Errorf("%d lines of refused requests were stored", n)
	}
	if left := c.Budget(); left != 256<<20 {
		t.Errorf("%d bytes of memory were not given back", 256<<20-left)
	}
}

func sign(secret string, at time.Time, key, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%d.%s.%s", at.Unix(), key, body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

func TestCredentials(t *testing.T) {
	const token, secret = "0123456789abcdef", "fedcba9876543210"
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{Auth: push.Auth{
		Tokens: []string{token}, Users: []push.User{{Name: "kong", Password: token}}, Secrets: []string{secret, "an older secret too"},
	}}, nil, func() time.Time { return now })
	collectorstest.Start(t, c, sink)
	f := func(name string, want int, header ...string) {
		t.Helper()
		h := map[string]string{}
		for i := 0; i < len(header); i += 2 {
			h[header[i]] = header[i+1]
		}
		if code, text, _ := do(t, c, request{body: "x", header: h}); code != want {
			t.Errorf("%s: answered %d %s, want %d", name, code, text, want)
		}
	}
	const auth, sig = "Authorization", push.SignatureHeader
	f("none", 401)
	f("bearer", 200, auth, "Bearer "+token)
	f("wrong bearer", 401, auth, "Bearer "+token+"0")
	f("empty bearer", 401, auth, "Bearer ")
	f("basic", 200, auth, "Basic "+b64("kong:"+token))
	f("wrong password", 401, auth, "Basic "+b64("kong:"+secret))
	f("token as a scheme", 401, auth, token)
	f("signed", 200, sig, sign(secret, now, "", "x"))
	f("replayed", 401, sig, sign(secret, now, "", "x"))
	f("replayed, written otherwise", 401, sig, strings.ToUpper(sign(secret, now, "", "x")[15:])+","+sign(secret, now, "", "x"))
	f("signed with the older secret", 200, sig, sign("an older secret too", now, "", "x"))
	f("wrong secret", 401, sig, sign(token, now, "", "x"))
	f("another body", 401, sig, sign(secret, now, "", "y"))
	f("another id", 401, sig, sign(secret, now, "", "x"), push.IdempotencyHeader, "k")
	f("signed with its id", 200, sig, sign(secret, now, "k", "x"), push.IdempotencyHeader, "k")
	f("too old", 401, sig, sign(secret, now.Add(-301*time.Second), "", "x"))
	f("old", 200, sig, sign(secret, now.Add(-299*time.Second), "", "x"))
	f("too new", 401, sig, sign(secret, now.Add(301*time.Second), "", "x"))
	f("nonsense", 401, sig, "t=,v1=")
	if s := c.Stats(); s.Denied != 13 || s.Deliveries != 6 {
		t.Errorf("counted %+v", s)
	}
}

// A signature is used up by what is durable only: a request that was told to come again may.
func TestSignatureOfARequestThatWasPushedBack(t *testing.T) {
	const secret = "fedcba9876543210"
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var refuse sync.Mutex
	refused := true
	sink := collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		refuse.Lock()
		defer refuse.Unlock()
		if refused && len(b.Lines) > 0 {
			return collectors.ErrPushback
		}
		return nil
	})
	c := newCollector(t, push.Config{Patience: 100 * time.Millisecond, Auth: push.Auth{Secrets: []string{secret}}}, nil, func() time.Time { return now })
	collectorstest.Start(t, c, sink)
	r := request{body: "x", header: map[string]string{push.SignatureHeader: sign(secret, now, "", "x")}}
	code, _, h := do(t, c, r)
	if code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Fatalf("answered %d, Retry-After %q; want 503 with one", code, h.Get("Retry-After"))
	}
	refuse.Lock()
	refused = false
	refuse.Unlock()
	// So little patience may end before the journal has answered: then it comes again, as it is told to.
	code = http.StatusServiceUnavailable
	for deadline := time.Now().Add(3 * time.Minute); code == http.StatusServiceUnavailable && time.Now().Before(deadline); {
		code, _, _ = do(t, c, r)
	}
	if code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	if code, _, _ := do(t, c, r); code != http.StatusUnauthorized {
		t.Fatalf("a replay is answered %d", code)
	}
}

// What is stored and not answered comes again with the same fingerprint and offsets, so with the same
// event ids, where the delivery has a name.
func TestRedelivery(t *testing.T) {
	sink := collectorstest.NewSink(t)
	crash := errors.New("crash")
	var seen []event.Hash
	fail := true
	sink.After = func(_ int, b *event.Batch) error {
		if len(b.Lines) == 0 {
			return nil
		}
		for _, p := range b.Positions[1:] {
			seen = append(seen, p.Fingerprint)
		}
		if fail {
			return crash
		}
		return nil
	}
	c := newCollector(t, push.Config{}, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	r := request{body: "a\nb", header: map[string]string{push.IdempotencyHeader: "delivery 1"}}
	if code, _, _ := do(t, c, r); code != http.StatusServiceUnavailable {
		t.Fatalf("answered %d though nobody knows whether it is durable", code)
	}
	if err := run.Wait(t); !errors.Is(err, crash) {
		t.Fatalf("Collect returned %v", err)
	}
	fail = false
	sink.Restart()
	c = newCollector(t, push.Config{}, sink.Positions(), time.Now)
	run = collectorstest.Start(t, c, sink)
	for range 2 {
		if code, text, _ := do(t, c, r); code != http.StatusOK {
			t.Fatalf("answered %d %s", code, text)
		}
	}
	r.header = nil
	for range 2 {
		if code, text, _ := do(t, c, r); code != http.StatusOK {
			t.Fatalf("answered %d %s", code, text)
		}
	}
	run.Stop(t)
	if len(seen) != 5 || seen[0] != seen[1] || seen[1] != seen[2] || seen[2] == seen[3] || seen[3] == seen[4] {
		t.Errorf("fingerprints %v, want three of the named delivery and two of their own", seen)
	}
	lines := sink.Lines()
	for i, l := range lines {
		if want := uint64(i/2 + 2); l.Ordinal != want {
			t.Errorf("line %d has ordinal %d, want %d", i, l.Ordinal, want)
		}
		if l.Offset != int64(i%2*2) {
			t.Errorf("line %d has offset %d", i, l.Offset)
		}
	}
	if p := sink.Positions(); len(p) != 1 && len(p) != 5 && !p[0].Idle {
		t.Errorf("positions %+v", p)
	}
}

// A crash between the two messages of a batch leaves a request half stored: the first tick ends it.
func TestHalfStoredRequestIsEnded(t *testing.T) {
	id := event.HashStrings("id")
	resume := []event.Position{
		{Source: "pushed", Path: push.Path, Ordinal: 1, End: 4},
		{Source: "pushed", Path: push.Path, Ordinal: 7, Fingerprint: id, Start: 3, End: 9},
	}
	var first event.Batch
	got := make(chan struct{})
	var once sync.Once
	c := newCollector(t, push.Config{}, resume, time.Now)
	collectorstest.Start(t, c, collectorstest.SinkFunc(func(_ context.Context, b *event.Batch) error {
		once.Do(func() {
			first.Positions = append(first.Positions, b.Positions...)
			first.Tick = b.Tick
			close(got)
		})
		return nil
	}))
	<-got
	want := []event.Position{
		{Source: "pushed", Path: push.Path, Ordinal: 1, Start: 4, End: 6, Idle: true},
		{Source: "pushed", Path: push.Path, Ordinal: 7, Fingerprint: id, Start: 9, End: 9, Done: true, Idle: true},
	}
	if diff := cmp.Diff(want, first.Positions); diff != "" || !first.Tick {
		t.Errorf("first tick (-want +got):\n%s", diff)
	}
}

// Many senders share a Put: while one runs, the others gather.
func TestGroupCommit(t *testing.T) {
	sink := collectorstest.NewSink(t)
	const senders = 64
	c := newCollector(t, push.Config{Patience: 3 * time.Minute}, nil, time.Now)
	first := true
	sink.Before = func(_ int, b *event.Batch) error {
		if len(b.Lines) > 0 && first {
			first = false
			// The first batch takes as long as the others need to come.
			for deadline := time.Now().Add(3 * time.Minute); c.Working() < senders && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	}
	run := collectorstest.Start(t, c, sink)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			if code, text, _ := do(t, c, request{body: fmt.Sprint(i)}); code != 200 {
				t.Errorf("answered %d %s", code, text)
			}
		})
	}
	all.Wait()
	run.Stop(t)
	s := c.Stats()
	if s.Lines != senders || s.Batches > senders/2 {
		t.Errorf("%d lines in %d batches", s.Lines, s.Batches)
	}
}

func TestConfig(t *testing.T) {
	token := []string{"0123456789abcdef"}
	f := func(want string, cfg push.Config) {
		t.Helper()
		_, err := push.New(cfg, nil, time.Now, slog.New(slog.DiscardHandler))
		if err == nil && want == "" {
			return
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q", err, want)
		}
	}
	f("", push.Config{Source: "s", Address: "127.0.0.1:0"})
	f("", push.Config{Source: "s", Address: "[::1]:0"})
	f("source", push.Config{Address: "127.0.0.1:0"})
	f("address", push.Config{Source: "s", Address: "127.0.0.1"})
	f("certificate", push.Config{Source: "s", Address: ":8080", Auth: push.Auth{Tokens: token}})
	f("certificate", push.Config{Source: "s", Address: "0.0.0.0:8080", Auth: push.Auth{Tokens: token}})
	f("16 characters", push.Config{Source: "s", Address: "127.0.0.1:0", Auth: push.Auth{Tokens: []string{"short"}}})
	f("colon", push.Config{Source: "s", Address: "127.0.0.1:0", Auth: push.Auth{Users: []push.User{{Name: "a:b", Password: token[0]}}}})
	f("limits", push.Config{Source: "s", Address: "127.0.0.1:0", MaxBody: 1 << 40})
}

// What one sender has read holds memory until it is durable; another that finds none is told to come
// again, and may once it is given back.
func TestMemoryIsShared(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{MaxBody: 1 << 20, MaxMemory: 1 << 20}, nil, time.Now)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	sink.Before = func(_ int, b *event.Batch) error {
		if len(b.Lines) > 0 {
			once.Do(func() { close(entered); <-leave })
		}
		return nil
	}
	run := collectorstest.Start(t, c, sink)
	big := request{body: strings.Repeat("x", 500<<10)}
	first := make(chan int, 1)
	go func() { code, _, _ := do(t, c, big); first <- code }()
	<-entered
	if code, text, h := do(t, c, big); code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("answered %d %s", code, text)
	}
	close(leave)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first is answered %d", code)
	}
	if code, text, _ := do(t, c, big); code != http.StatusOK {
		t.Errorf("later answered %d %s", code, text)
	}
	run.Stop(t)
	if s := c.Stats(); s.Busy != 1 || s.Deliveries != 2 || c.Budget() != 1<<20 {
		t.Errorf("counted %+v, %d bytes left", s, c.Budget())
	}
}

// A peer has so many requests a second, and as many at once; then it waits.
func TestRate(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{MaxRate: 3}, nil, clock)
	collectorstest.Start(t, c, sink)
	send := func(want ...int) {
		t.Helper()
		for _, code := range want {
			got, text, h := do(t, c, request{body: "x"})
			if got != code {
				t.Errorf("answered %d %s, want %d", got, text, code)
			}
			if got == http.StatusTooManyRequests && h.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
	}
	send(200, 200, 200, 429, 429)
	mu.Lock()
	now = now.Add(700 * time.Millisecond)
	mu.Unlock()
	send(200, 200, 429)
	mu.Lock()
	now = now.Add(-time.Hour)
	mu.Unlock()
	send(429)
}
