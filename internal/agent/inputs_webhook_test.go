package agent

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/strict"
)

// A vendor who posts again what was journaled before a restart is answered, and nothing is journaled
// twice: not by the collector's own positions, which a tick has forgotten, but by what the journal holds.
func TestWebhookIsKnownAfterARestart(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("a-token-of-the-vendor"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.Agent.ID, cfg.Agent.Data = "gw-1", filepath.Join(dir, "data")
	hook := InputConfig{Name: "outcomes", Webhook: &WebhookConfig{Listen: "127.0.0.1:0", Tokens: []SecretRef{{"file", token}}, Remember: strict.Duration(time.Hour)}}
	cfg.Inputs = []InputConfig{hook}
	// session posts bodies to an agent, and returns how many lines it has journaled.
	session := func(bodies ...string) (lines, repeats int64) {
		t.Helper()
		plan, err := PrepareDemo(cfg, "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		a, err := Start(ctx, plan, Hooks{Journal: func(c *journal.Config) { c.NoSync = true }}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- a.Serve(ctx, nil) }()
		var c *push.Collector
		for deadline := time.Now().Add(time.Minute); c == nil; time.Sleep(5 * time.Millisecond) {
			if v, ok := a.collectors.Load("outcomes"); ok {
				c = v.(*push.Collector)
			} else if time.Now().After(deadline) {
				t.Fatal("the collector does not start")
			}
		}
		for _, body := range bodies {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Addr().String(), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer a-token-of-the-vendor")
			transport := &http.Transport{}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			transport.CloseIdleConnections()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: answered %s", body, resp.Status)
			}
		}
		// A tick says where the collector stands, and forgets what was done before it.
		repeats = c.Stats().Repeated
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		lines = a.Totals().Lines
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		return lines, repeats
	}
	f := func(wantLines, wantRepeats int64, bodies ...string) {
		t.Helper()
		if lines, repeats := session(bodies...); lines != wantLines || repeats != wantRepeats {
			t.Errorf("%d lines and %d repeats, want %d and %d", lines, repeats, wantLines, wantRepeats)
		}
	}
	f(2, 0, `{"a":1}`, `{"a":2}`)
	f(0, 1, `{"a":1}`)
	f(1, 2, `{"a":2}`, `{"a":3}`, `{"a":1}`) // two starts ago
}
