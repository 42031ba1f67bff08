package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// TestReplayOfArchivesInAnyNames: a log in one file, and in thirteen as rotation names them, fires the same.
func TestReplayOfArchivesInAnyNames(t *testing.T) {
	const files, each = 13, 40
	start := time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)
	var parts [files]strings.Builder
	for i := range files * each {
		// Thirty calls of an address, then those of the next: bursts go over from one file into the next.
		_, _ = fmt.Fprintf(&parts[i/each], `{"ts":%q,"request_id":"r%d","client_ip":"203.0.113.%d","method":"POST","path":"/v1/liveness/check","status":401}`+"\n",
			start.Add(time.Duration(i)*2*time.Second).Format(time.RFC3339), i, i/30)
	}
	p, err := agent.LoadOffline(agent.Offline{Format: "liveward_v1", NeedRules: true})
	if err != nil {
		t.Fatal(err)
	}
	fired := func(paths []string) (out []string) {
		r := p.Replay(agent.ReplayOptions{})
		r.Rules = p.Rules
		r.Alert = func(a *event.Alert) error {
			b := *a
			b.ID, b.Evidence = event.Hash{}, nil // a line's id is of its file
			out = append(out, string(b.AppendJSON(nil)))
			return nil
		}
		res, err := r.Run(t.Context(), paths)
		if err != nil {
			t.Fatal(err)
		}
		if res.Lines != files*each || res.Late != 0 {
			t.Errorf("%d lines, %d of them late, want %d and none", res.Lines, res.Late, files*each)
		}
		return out
	}
	var whole strings.Builder
	for i := range parts {
		whole.WriteString(parts[i].String())
	}
	want := fired([]string{folder(t.TempDir()).write(t, "app.log", whole.String())})
	if len(want) < 5 {
		t.Fatalf("only %d alerts", len(want))
	}
	for name, archive := range map[string]func(i int) string{
		"a day's index":       func(i int) string { return fmt.Sprintf("app.log.2026-03-01.%d", i+1) },
		"indices of two days": func(i int) string { return fmt.Sprintf("app.log.2026-03-%02d.%d", 1+i/10, 1+i%10) },
		"before the ending":   func(i int) string { return fmt.Sprintf("app-2026-03-01.%d.log", i+1) },
		"hours":               func(i int) string { return fmt.Sprintf("app.log.2026-03-01-%02d", i) },
		"logrotate":           func(i int) string { return fmt.Sprintf("app.log.%d", files-1-i) },
		"days":                func(i int) string { return fmt.Sprintf("app.log-202603%02d", i+1) },
	} {
		dir := folder(t.TempDir())
		var paths []string
		for i := range parts {
			file := "app.log"
			if i < files-1 {
				file = archive(i)
			}
			paths = append(paths, dir.write(t, file, parts[i].String()))
		}
		slices.Sort(paths) // as a shell does
		got := fired(paths)
		slices.Reverse(paths)
		if diff := cmp.Diff(got, fired(paths)); diff != "" {
			t.Errorf("%s, in another order:\n%.2000s", name, diff)
		}
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
			t.Errorf("%s: in one file (-), in thirteen (+):\n%.2000s", name, diff)
		}
	}
}
