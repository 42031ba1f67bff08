package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/collectors/listen"
	"github.com/liveward/liveward/internal/journal"
)

// silentNotifier takes everything and tells nobody.
type silentNotifier struct{}

func (silentNotifier) Notify(context.Context, alerting.Notification) (alerting.Receipt, error) {
	return alerting.Receipt{}, nil
}

// running is an agent over one log, until the test ends.
func running(t *testing.T, lines int) *Agent {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "access.json")
	var log strings.Builder
	for i := range lines {
		fmt.Fprintf(&log, `{"msec":"%d.000","remote_addr":"203.0.113.7","method":"POST","uri":"/v1/liveness/check","status":401,"request_id":"r%d"}`+"\n", 1772416800+i, i)
	}
	log.WriteString("not a line\n")
	if err := os.WriteFile(path, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.Agent.ID, cfg.Agent.Data = "gw-1", filepath.Join(dir, "data")
	cfg.Inputs = []InputConfig{{Name: "gateway", Paths: []string{path}, Format: "nginx_json"}}
	cfg.NDJSON.Path = filepath.Join(dir, "out.ndjson")
	plan, err := PrepareDemo(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	plan.Config.Agent.Health = cfg.Agent.Health
	hooks := Hooks{
		Version: "1.2.3", Notifiers: map[string]alerting.Notifier{"test": silentNotifier{}},
		Journal: func(c *journal.Config) { c.NoSync = true },
	}
	ctx, stop := context.WithCancel(context.Background())
	a, err := Start(ctx, plan, hooks, slog.New(slog.DiscardHandler))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		behind, err := a.Behind(t.Context())
		if err == nil && behind == 0 && a.Totals().Lines > int64(lines) {
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("after three minutes: behind %d, %v, %+v", behind, err, a.Totals())
		}
	}
}

// Everything in the table is exposed, and nothing else.
func TestMetricsAreTheTable(t *testing.T) {
	a := running(t, 40)
	families, err := a.registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "liveward_") {
			for _, m := range f.GetMetric() {
				got[f.GetName()] += fmt.Sprintln(m)
			}
		}
	}
	// What has no value before the first of its kind.
	optional := []string{"liveward_input_decisions_total", "liveward_input_privacy_lines_total"}
	// What a file does not count.
	optional = append(optional, "liveward_input_turned_away_total", "liveward_input_repeated_total")
	for _, m := range Metrics() {
		if got[m.Name] == "" && !slices.Contains(optional, m.Name) {
			t.Errorf("%s is not exposed", m.Name)
		}
		delete(got, m.Name)
	}
	for name := range got {
		t.Errorf("%s is not in the table", name)
	}
}

func TestMetricsOverTheSocket(t *testing.T) {
	a := running(t, 40)
	c, err := Connect(t.Context(), a.plan.Config.Agent.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wanted := []string{
		`liveward_build_info{agent="gw-1",version="1.2.3"} 1`,
		`liveward_input_lines_total{input="gateway"} 41`,
		`liveward_input_events_total{input="gateway"} 40`,
		`liveward_input_quarantined_total{input="gateway"} 1`,
		`liveward_input_last_event_timestamp_seconds{input="gateway"} 1.772416839e+09`,
		`liveward_reader_behind_messages{reader="windows"} 0`,
		`liveward_reader_behind_messages{reader="forwarder.ndjson"} 0`,
		`liveward_forwarder_state{forwarder="ndjson",state="healthy"} 1`,
		`liveward_journal_full 0`,
		`liveward_notifications_failed_total{notifier="test"} 0`,
		`go_goroutines`,
	}
	lacks := func(text string) string {
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				return want
			}
		}
		return ""
	}
	var text string
	// A tick that was journaled just now is read a moment later.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if text, err = c.Metrics(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := lacks(text)
		if want == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", want)
		}
	}
	if strings.Contains(text, "203.0.113.7") {
		t.Error("an address of the log is in the metrics")
	}
}

// Who breaks a rule's file sees it in the metrics until it is mended.
func TestMetricsTellOfBrokenRules(t *testing.T) {
	a := running(t, 1)
	broken := func() float64 {
		families, err := a.registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "liveward_rules_broken_files" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	whole := a.plan.rulesFS
	for _, step := range []struct {
		files fs.FS
		want  float64
	}{
		{whole, 0},
		{fstest.MapFS{"x.a.yaml": {Data: []byte("id: x.a\n")}, "x.b.yaml": {Data: []byte("id: [")}}, 2},
		{whole, 0},
	} {
		a.plan.rulesFS = step.files
		a.reload(t.Context())
		if got := broken(); got != step.want {
			t.Errorf("%v files are broken, want %v", got, step.want)
		}
	}
}

// Over the network metrics are for who shows a token, and never for a page in a browser.
func TestMetricsGuard(t *testing.T) {
	const token = "0123456789abcdef0123"
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, tc := range []struct {
		tokens        []string
		authorization string
		origin        string
		want          int
	}{
		{nil, "", "", http.StatusOK},
		{nil, "", "https://evil.example", http.StatusForbidden},
		{[]string{"another-token-00000", token}, "Bearer " + token, "", http.StatusOK},
		{[]string{token}, "Bearer " + token, "https://evil.example", http.StatusForbidden},
		{[]string{token}, "", "", http.StatusUnauthorized},
		{[]string{token}, token, "", http.StatusUnauthorized},
		{[]string{token}, "Bearer " + token[1:], "", http.StatusUnauthorized},
		{[]string{token}, "Bearer " + hex.EncodeToString(sha256.New().Sum(nil)), "", http.StatusUnauthorized},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		if tc.authorization != "" {
			r.Header.Set("Authorization", tc.authorization)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		p := metricsPlan{tokens: tc.tokens}
		p.guard(metrics).ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%+v: %d", tc, w.Code)
		}
	}
}

// What is listened on serves metrics and nothing else, to those on the allow list.
func TestMetricsListener(t *testing.T) {
	a := running(t, 1)
	for _, tc := range []struct {
		allow string
		path  string
		want  int // 0: not even a connection
	}{
		{"127.0.0.0/8", "/metrics", http.StatusOK},
		{"127.0.0.0/8", "/", http.StatusNotFound},
		{"192.0.2.0/24", "/metrics", 0},
	} {
		p := metricsPlan{allow: []netip.Prefix{netip.MustParsePrefix(tc.allow)}}
		ctx, stop := context.WithCancel(t.Context())
		ln, err := listen.Open(ctx, listen.Config{Address: "127.0.0.1:0", Allow: p.allow, Conns: 4})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			p.serve(ctx, ln, a.metricsHandler(), slog.New(slog.DiscardHandler))
		}()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ln.Addr().String()+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		got := 0
		if answer, err := client.Do(r); err == nil {
			got = answer.StatusCode
			_ = answer.Body.Close()
		}
		if got != tc.want {
			t.Errorf("%+v: %d", tc, got)
		}
		stop()
		<-served
	}
}
