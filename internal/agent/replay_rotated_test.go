package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// TestReplayOfRotatedFiles: of one time, what stands in the older file was before what stands in the newer one,
// in whatever order they are named, and late is what is late in the log.
func TestReplayOfRotatedFiles(t *testing.T) {
	dir := folder(t.TempDir())
	line := func(n, at int) string {
		return fmt.Sprintf(`{"ts":"2026-03-01T10:00:%02d.%03dZ","request_id":"r%02d","client_ip":"203.0.113.9","method":"POST","path":"/v1/liveness/check","status":401}`+"\n", at/1000, at%1000, n)
	}
	var old strings.Builder
	for i := range 19 {
		old.WriteString(line(i, 10_000+i))
	}
	older := dir.write(t, "gw.log.1", old.String()+line(19, 10_500))
	newer := dir.write(t, "gw.log", line(20, 10_500)+line(21, 4_000)+line(22, 10_600))
	p, err := agent.LoadOffline(agent.Offline{Format: "liveward_v1", NeedRules: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{older, newer}, {newer, older}} {
		requests, late := map[event.Hash]string{}, ""
		r := p.Replay(agent.ReplayOptions{})
		r.Rules = p.Rules
		r.Document = func(d pipeline.Processed) error {
			if id := d.Event.Str(event.HTTPRequestID); id != "" {
				requests[d.ID] = strings.Clone(id)
				if d.Event.Bool(event.LivewardLate) {
					late += id
				}
			}
			if got := d.Event.Str(event.LogFilePath); got != newer {
				t.Errorf("log.file.path is %s, want the log's, %s", got, newer)
			}
			return nil
		}
		var burst *event.Alert
		r.Alert = func(a *event.Alert) error {
			if a.Rule.ID == "lw.auth.burst-per-ip" && burst == nil {
				burst = a
			}
			return nil
		}
		if _, err := r.Run(t.Context(), paths); err != nil {
			t.Fatal(err)
		}
		if burst == nil {
			t.Fatal("no alert")
		}
		var evidence []string
		for _, id := range burst.Evidence {
			evidence = append(evidence, requests[id])
		}
		if slices.Contains(evidence, "r20") || !slices.Contains(evidence, "r19") {
			t.Errorf("evidence of the alert is %v, want r19 as the last", evidence)
		}
		if late != "r21" {
			t.Errorf("late are %q, want r21", late)
		}
	}
}
