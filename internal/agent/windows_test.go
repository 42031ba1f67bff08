package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
)

const twiceRefused = `
id: x.refused
version: 1
title: "refused {client.ip}"
description: d
severity: high
playbook: x/y
when: gateway.auth == "refused"
by: [client.ip]
window: 1h
threshold: 2
tests:
  - {given: {gateway.auth: refused, client.ip: 1.2.3.4}, events: [{repeat: 2}], alerts: [{at: 0s}]}
  - {given: {gateway.auth: refused, client.ip: 1.2.3.4}, events: [{repeat: 1}], alerts: []}
`

const page = `---
title: A page
version: 1
owner: SOC on-call
rules: [x.refused]
attack: [T1110]
csf: [DE.CM-01]
tell:
  - {who: Owner of the key, within: 1h, why: they know}
---
What it is.

## Detection

1. Look.

## Containment

1. Stop it.

## Eradication

1. Remove it.

## Recovery

1. Go on.

## Post-incident

1. Learn.
`

// The bounds of windows are those of the configuration: a key that is seen again is still known where
// there is room for those that came between, and forgotten, and counted as that, where there is none.
func TestWindowLimits(t *testing.T) {
	dir := folder(t.TempDir())
	write := func(name, content string) string { return dir.write(t, name, content) }
	write("rules/x.refused.yaml", twiceRefused)
	write("rules/playbooks/x/y.md", page)
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	var log strings.Builder
	line := func(ip string) {
		at = at.Add(time.Millisecond)
		fmt.Fprintf(&log, `{"ts":%q,"fwd_ip":%q,"method":"POST","path":"/v1/liveness/check","status":401}`+"\n", at.Format(time.RFC3339Nano), ip)
	}
	const between = 60_000
	line("198.51.100.7")
	for i := range between {
		line(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	line("198.51.100.7")
	file := write("gateway.json", log.String())
	f := func(limits string, evicted bool, want ...string) {
		t.Helper()
		config := write("liveward.yaml", fmt.Sprintf("rules: {dir: %s, %s}\n", filepath.Join(string(dir), "rules"), limits))
		p, err := agent.LoadOffline(agent.Offline{Config: config, Format: "liveward_v1", NeedRules: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		r := p.Replay(agent.ReplayOptions{})
		r.Rules = p.Rules
		r.Alert = func(a *event.Alert) error {
			got = append(got, a.Key[0].String())
			return nil
		}
		res, err := r.Run(t.Context(), []string{file})
		if err != nil {
			t.Fatal(err)
		}
		if res.Events != between+2 {
			t.Fatalf("%d events", res.Events)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: alerts differ (-want +got):\n%s", limits, diff)
		}
		if n := res.Windows.Rules[0].Evicted; (n > 0) != evicted {
			t.Errorf("%s: %d keys were forgotten", limits, n)
		}
	}
	f("max_keys: 100000", false, "198.51.100.7")
	f("max_keys: 2000", true)
	f("max_memory: 8MiB", true)
}

// folder is a directory of files that a test writes.
type folder string

func (f folder) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(string(f), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A bad line has the time of its log, as far as that is known. Before the first good line it is not, and
// a replay has no time at which anything was read: such a line is kept, and counted in no window.
func TestReplayBeginsWithBadLines(t *testing.T) {
	dir := folder(t.TempDir())
	dir.write(t, "rules/x.bad.yaml", `
id: x.bad
version: 1
title: bad line
description: d
severity: low
playbook: x/y
when: event.kind == "pipeline_error"
tests:
  - {given: {event.kind: pipeline_error}, events: [{}], alerts: [{at: 0s}]}
  - {given: {event.kind: event}, events: [{}], alerts: []}
`)
	dir.write(t, "rules/playbooks/x/y.md", strings.Replace(page, "x.refused", "x.bad", 1))
	config := dir.write(t, "liveward.yaml", fmt.Sprintf("rules: {dir: %s}\n", filepath.Join(string(dir), "rules")))
	const good = `{"ts":"2026-03-01T10:00:00Z","fwd_ip":"203.0.113.9","method":"POST","path":"/v1/liveness/check","status":200}` + "\n"
	file := dir.write(t, "gateway.json", "no line\nnone either\n"+good+"nor this\n")
	p, err := agent.LoadOffline(agent.Offline{Config: config, Format: "liveward_v1", NeedRules: true})
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	r := p.Replay(agent.ReplayOptions{})
	r.Rules = p.Rules
	r.Alert = func(a *event.Alert) error {
		alerts = append(alerts, event.FormatTime(a.Time))
		return nil
	}
	res, err := r.Run(t.Context(), []string{file})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2026-03-01T10:00:00.000Z"}, alerts); diff != "" {
		t.Errorf("alerts differ (-want +got):\n%s", diff)
	}
	if res.Events != 1 || res.Quarantined != 3 {
		t.Errorf("%d events, %d quarantined, want 1 and 3", res.Events, res.Quarantined)
	}
}

func TestWindowLimitsThatMakeNoSense(t *testing.T) {
	f := func(want string, change func(c *agent.Config)) {
		t.Helper()
		cfg := agent.Default()
		change(&cfg)
		_, err := agent.Prepare(cfg)
		var got []string
		for line := range strings.SplitSeq(fmt.Sprint(err), "\n") {
			if line = strings.TrimPrefix(line, "configuration: "); !strings.HasPrefix(line, "no pseudonym key") && !strings.HasPrefix(line, "there is no log") {
				got = append(got, line)
			}
		}
		if text := strings.Join(got, "\n"); (text == "") != (want == "") || !strings.HasPrefix(text, want) {
			t.Errorf("Prepare returned %v, want %q", err, want)
		}
	}
	f("", func(*agent.Config) {})
	f("", func(c *agent.Config) { c.Agent.Memory = 128 << 20 })
	f("", func(c *agent.Config) { c.Agent.Memory, c.Rules.MaxMemory = 4<<30, 2<<30 })
	f("fewer than 1000 keys", func(c *agent.Config) { c.Rules.MaxKeys = 999 })
	f("less than 8MiB", func(c *agent.Config) { c.Rules.MaxMemory = 1 })
	f("is more than half of agent.memory", func(c *agent.Config) { c.Rules.MaxMemory = 300 << 20 })
}
