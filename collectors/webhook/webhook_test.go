package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/collectors/webhook"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const secret = "a-secret-of-the-vendor"

func newCollector(t *testing.T, cfg push.Config, resume []event.Position, now func() time.Time) *push.Collector {
	t.Helper()
	cfg.Source, cfg.Address, cfg.Tick = "outcomes", "127.0.0.1:0", 50*time.Millisecond
	if cfg.Auth.Secrets == nil {
		cfg.Auth.Secrets = []string{secret}
	}
	c, err := webhook.New(cfg, resume, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mac(h func() hash.Hash, text string) []byte {
	m := hmac.New(h, []byte(secret))
	_, _ = io.WriteString(m, text)
	return m.Sum(nil)
}

func post(t *testing.T, c *push.Collector, body string, header ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr().String()+"/hook", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(answer), "CANARY") {
		t.Errorf("answer %q, %v", answer, err)
	}
	return resp.StatusCode
}

// Each vendor's scheme: the right signature, another secret's, another body's, one of another time,
// none; and the same again, which is answered as before and not stored twice.
func TestSchemes(t *testing.T) {
	now := time.Unix(1773454364, 0)
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	type signer func(body string, skew time.Duration) []string
	plain := func(header string) signer {
		return func(body string, _ time.Duration) []string {
			return []string{header, hex.EncodeToString(mac(sha256.New, body))}
		}
	}
	custom := webhook.Signature{Header: "X-Sign", Prefix: "sha512=", Encoding: "base64", Hash: "sha512", TimestampHeader: "X-Time", Signed: true}
	if err := custom.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		vendor string
		scheme push.Scheme
		timed  bool
		sign   signer
	}{
		{"veriff", nil, false, plain("X-Hmac-Signature")},
		{"onfido", nil, false, plain("X-Sha2-Signature")},
		{"sumsub", nil, false, func(body string, _ time.Duration) []string {
			return []string{"X-Payload-Digest", hex.EncodeToString(mac(sha512.New, body)), "X-Payload-Digest-Alg", "HMAC_SHA512_HEX"}
		}},
		{"didit", nil, true, func(body string, skew time.Duration) []string {
			return []string{"X-Signature", hex.EncodeToString(mac(sha256.New, body)), "X-Timestamp", at(skew)}
		}},
		{"persona", nil, true, func(body string, skew time.Duration) []string {
			sum := hex.EncodeToString(mac(sha256.New, at(skew)+"."+body))
			return []string{"Persona-Signature", fmt.Sprintf("t=%s,v1=%s t=%s,v1=%s", at(skew), strings.Repeat("0", 64), at(skew), sum)}
		}},
		{"custom", custom, true, func(body string, skew time.Duration) []string {
			return []string{"X-Sign", "sha512=" + base64.StdEncoding.EncodeToString(mac(sha512.New, at(skew)+"."+body)), "X-Time", at(skew)}
		}},
	} {
		t.Run(tc.vendor, func(t *testing.T) {
			if tc.scheme == nil {
				var ok bool
				if tc.scheme, ok = webhook.Scheme(tc.vendor); !ok {
					t.Fatal("no scheme")
				}
			}
			sink := collectorstest.NewSink(t)
			c := newCollector(t, push.Config{Auth: push.Auth{Scheme: tc.scheme}}, nil, func() time.Time { return now })
			run := collectorstest.Start(t, c, sink)
			const body = "{\"id\":\"1\",\n \"decision\":\"approved\"}"
			f := func(name string, want int, body string, header []string) {
				t.Helper()
				if code := post(t, c, body, header...); code != want {
					t.Errorf("%s: answered %d, want %d", name, code, want)
				}
			}
			good := tc.sign(body, 0)
			f("good", 200, body, good)
			f("posted again", 200, body, good)
			f("another body", 401, body+" ", good)
			f("none", 401, body, nil)
			broken := append([]string(nil), good...)
			broken[1] = "zz" + broken[1][2:]
			f("not hex", 401, body, broken)
			f("a little old", 200, `{"id":"2"}`, tc.sign(`{"id":"2"}`, -4*time.Minute))
			if tc.timed {
				f("too old", 401, `{"id":"3"}`, tc.sign(`{"id":"3"}`, -6*time.Minute))
				f("too new", 401, `{"id":"3"}`, tc.sign(`{"id":"3"}`, 6*time.Minute))
				f("posted again, signed anew", 200, body, tc.sign(body, time.Minute))
			}
			f("not JSON", 400, "CANARY", tc.sign("CANARY", 0))
			f("a list", 400, "[1]", tc.sign("[1]", 0))
			run.Stop(t)
			if got := sink.Texts(); len(got) != 2 || got[0] != `{"id":"1",  "decision":"approved"}` {
				t.Errorf("lines %q", got)
			}
			if n := c.Stats().Repeated; n == 0 {
				t.Error("repeats are not counted")
			}
		})
	}
}

// SHA-1 is no proof.
func TestWeakDigest(t *testing.T) {
	scheme, _ := webhook.Scheme("sumsub")
	c := newCollector(t, push.Config{Auth: push.Auth{Scheme: scheme}}, nil, time.Now)
	collectorstest.Start(t, c, collectorstest.NewSink(t))
	if code := post(t, c, "{}", "X-Payload-Digest", hex.EncodeToString(mac(sha256.New, "{}")), "X-Payload-Digest-Alg", "HMAC_SHA1_HEX"); code != 401 {
		t.Errorf("answered %d", code)
	}
}

// What could not be made durable is not remembered: the vendor may come again, and has to.
func TestRequests(t *testing.T) {
	collectorstest.RunRequests(t, collectorstest.Requests{
		New: func(t *testing.T, resume []event.Position, patience time.Duration) (collectors.Collector, func() net.Addr) {
			scheme, _ := webhook.Scheme("veriff")
			c := newCollector(t, push.Config{MaxBody: 64 << 10, Patience: patience, Auth: push.Auth{Scheme: scheme}}, resume, time.Now)
			return c, c.Addr
		},
		Body: func(line string) (string, map[string]string) {
			body := fmt.Sprintf(`{"line":%q}`, line)
			return body, map[string]string{"Content-Type": "application/json", "X-Hmac-Signature": hex.EncodeToString(mac(sha256.New, body))}
		},
	})
}

func TestConfig(t *testing.T) {
	_, err := webhook.New(push.Config{Source: "s", Address: "127.0.0.1:0"}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "anybody") {
		t.Errorf("New returned %v", err)
	}
	for _, s := range []webhook.Signature{{}, {Header: "X", Encoding: "rot13"}, {Header: "X", Hash: "md5"}} {
		if s.Validate() == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// What the journal holds is known after a restart: it is answered as before, and not stored again.
func TestKnownAfterARestart(t *testing.T) {
	scheme, _ := webhook.Scheme("veriff")
	cfg := push.Config{Auth: push.Auth{Scheme: scheme}}
	sign := func(body string) []string {
		return []string{"X-Hmac-Signature", hex.EncodeToString(mac(sha256.New, body))}
	}
	sink := collectorstest.NewSink(t)
	var done []event.Position
	sink.After = func(_ int, b *event.Batch) error {
		for _, p := range b.Positions {
			if p.Done {
				done = append(done, p)
			}
		}
		return nil
	}
	c := newCollector(t, cfg, nil, time.Now)
	run := collectorstest.Start(t, c, sink)
	if code := post(t, c, `{"n":1}`, sign(`{"n":1}`)...); code != 200 {
		t.Fatalf("answered %d", code)
	}
	run.Stop(t)
	sink.Restart()
	c = newCollector(t, cfg, slices.Concat(done, sink.Positions()), time.Now)
	run = collectorstest.Start(t, c, sink)
	for _, body := range []string{`{"n":1}`, `{"n":2}`, `{"n":1}`} {
		if code := post(t, c, body, sign(body)...); code != 200 {
			t.Errorf("%s: answered %d", body, code)
		}
	}
	run.Stop(t)
	if got := strings.Join(sink.Texts(), " "); got != `{"n":1} {"n":2}` {
		t.Errorf("stored %s", got)
	}
	if n := c.Stats().Repeated; n != 2 {
		t.Errorf("%d repeats, want 2", n)
	}
}
