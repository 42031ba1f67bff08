package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// burst is an agent of its own process with rules of its own, whose log is written line by line.
type burst struct {
	*receiver
	n int // lines written
}

// alertDoc is what the tests look at of an alert.
type alertDoc struct {
	Event struct {
		Kind     string `json:"kind"`
		Severity int    `json:"severity"`
	} `json:"event"`
	Rule struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	} `json:"rule"`
	Liveward struct {
		Alert struct {
			ID       string            `json:"id"`
			Key      map[string]string `json:"key"`
			Count    int               `json:"count"`
			Evidence []string          `json:"evidence"`
		} `json:"alert"`
	} `json:"liveward"`
}

// burstRule is five refusals of an address within ten minutes, or another number; severe as stated.
func burstRule(severity string, threshold int) string {
	return fmt.Sprintf(`id: t.burst
version: 1
title: "{count} refused calls from {client.ip}"
description: for tests
severity: %s
when: http.response.status_code == 401
by: [client.ip]
window: 10m
threshold: %d
playbook: t/p
tests: [{events: [{at: 0s}], alerts: []}]
`, severity, threshold)
}

// markRule fires on each teapot: when it has, all that came before was counted.
const markRule = `id: t.mark
version: 1
title: a mark
description: for tests
severity: low
when: http.response.status_code == 418
by: [client.ip]
playbook: t/p
tests: [{events: [{at: 0s}], alerts: []}]
`

func newBurst(t *testing.T) *burst {
	t.Helper()
	b := &burst{receiver: &receiver{t: t, dir: t.TempDir()}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.bin = filepath.Join(b.dir, "liveward")
	if err := os.Symlink(self, b.bin); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"rules/playbooks/t", "log"} {
		if err := os.MkdirAll(filepath.Join(b.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../../rules.d/playbooks/auth/bad-credentials-burst.md")
	if err != nil {
		t.Fatal(err)
	}
	b.write("rules/playbooks/t/p.md", string(page))
	b.write("rules/t.burst.yaml", burstRule("high", 5))
	b.write("rules/t.mark.yaml", markRule)
	b.write("log/gw.json", "")
	b.write("pseudonym.keys", b.run("pseudonym", "new-key"))
	b.write("liveward.yaml", "agent: {id: gw-1, data: data, health: 0s}\nprivacy: {keys: '${file:pseudonym.keys}'}\nndjson: {path: out.ndjson}\nrules: {dir: rules}\n"+
		"inputs: [{name: gw, paths: [log/gw.json], format: nginx_json, start: beginning}]\n")
	return b
}

// call appends lines of calls to the log, as of now.
func (b *burst) call(status int, ip string, times int) {
	b.t.Helper()
	f, err := os.OpenFile(filepath.Join(b.dir, "log/gw.json"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for range times {
		b.n++
		b.line(w, time.Now(), status, ip)
	}
	if err := w.Flush(); err != nil {
		b.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *burst) line(w *bufio.Writer, at time.Time, status int, ip string) {
	ms := at.UnixMilli()
	fmt.Fprintf(w, `{"msec":"%d.%03d","request_id":"r-%d","remote_addr":%q,"method":"POST","uri":"/v1/liveness/check","status":%d}`+"\n", ms/1000, ms%1000, b.n, ip, status)
}

// stored waits until all lines are stored.
func (b *burst) stored() {
	b.t.Helper()
	await(b.t, fmt.Sprint(b.n, " documents"), func() bool { return len(b.requests()) >= b.n })
}

// alerts are those of a rule.
func (b *burst) alerts(rule string) []alertDoc {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "out.ndjson"))
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	var out []alertDoc
	for line := range strings.Lines(string(text)) {
		var d alertDoc
		if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &d) == nil && d.Event.Kind == "alert" && d.Rule.ID == rule {
			out = append(out, d)
		}
	}
	return out
}

// counted waits until the windows have counted all lines.
func (b *burst) counted() {
	b.t.Helper()
	marks := len(b.alerts("t.mark"))
	b.call(418, "198.51.100.77", 1)
	await(b.t, "the mark's alert", func() bool { return len(b.alerts("t.mark")) > marks })
}

// begin starts the agent.
func (b *burst) begin() *agentProcess {
	b.t.Helper()
	a := b.start(0)
	await(b.t, "the agent's start", func() bool {
		if log := a.log.tail(1 << 20); strings.HasPrefix(log, "liveward: ") {
			b.t.Fatalf("the agent does not start: %s", log)
		}
		_, err := os.Stat(filepath.Join(b.dir, "data", "lock"))
		return err == nil
	})
	return a
}

// fired waits for so many alerts of t.burst, and gives all there are.
func (b *burst) fired(n int) []alertDoc {
	b.t.Helper()
	await(b.t, fmt.Sprint(n, " alerts"), func() bool { return len(b.alerts("t.burst")) >= n })
	return b.alerts("t.burst")
}

// TestBurstOverRestarts: a burst with a stop and a kill in its middle is one alert, and its suppression
// outlives them as well.
func TestBurstOverRestarts(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	a := b.begin()
	b.call(401, "203.0.113.7", 2)
	b.stored()
	b.stop(a)
	a = b.begin()
	b.call(401, "203.0.113.7", 2)
	b.stored()
	a.kill()
	a = b.begin()
	b.call(401, "203.0.113.7", 1)
	b.counted()
	a.kill() // after the alert, before the next snapshot
	a = b.begin()
	b.call(401, "203.0.113.7", 6)
	b.counted()
	got := b.fired(1)
	b.stop(a)
	if len(got) != 1 || got[0].Liveward.Alert.Count != 5 || len(got[0].Liveward.Alert.Evidence) != 5 {
		t.Errorf("alerts %+v, want one of five events", got)
	}
}

// TestReloadOfRunningAgent: rules change in the middle of a burst, and one of them is broken.
func TestReloadOfRunningAgent(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	a := b.begin()
	reload := func(word string) {
		t.Helper()
		before := strings.Count(a.log.tail(1<<20), word)
		if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, word, func() bool { return strings.Count(a.log.tail(1<<20), word) > before })
	}
	b.call(401, "203.0.113.1", 3)
	b.call(401, "203.0.113.2", 3)
	b.counted()

	b.write("rules/t.burst.yaml", burstRule("critical", 5))
	reload("rules reloaded")
	b.call(401, "203.0.113.1", 2)
	b.counted()
	if got := b.fired(1); len(got) != 1 || got[0].Event.Severity != 99 || got[0].Liveward.Alert.Count != 5 {
		t.Fatalf("after a change of severity: alerts %+v, want one of five events with the new severity", got)
	}

	b.write("rules/t.burst.yaml", burstRule("critical", 3))
	reload("rules reloaded")
	b.counted()
	if got := b.alerts("t.burst"); len(got) != 1 {
		t.Fatalf("a reload fires for what was before: %+v", got)
	}
	b.call(401, "203.0.113.2", 1)
	b.counted()
	if got := b.fired(2); len(got) != 2 || got[1].Liveward.Alert.Key["client.ip"] != "203.0.113.2" || got[1].Liveward.Alert.Count != 4 {
		t.Fatalf("after a change of threshold: alerts %+v, want one more, which counts what was before", got)
	}

	b.write("rules/t.burst.yaml", "when: [")
	b.write("rules/t.mark.yaml", strings.Replace(markRule, "version: 1", "version: 2", 1))
	reload("rules have errors")
	if err := b.command("check", "-c", "liveward.yaml").Run(); err == nil {
		t.Error("check takes a broken rule for sound")
	}
	b.call(401, "203.0.113.3", 3)
	b.counted()
	marks := b.alerts("t.mark")
	if got := b.fired(3); len(got) != 3 || marks[len(marks)-1].Rule.Version != "2" {
		t.Errorf("%d alerts of the broken rule, version %s of the other; want 3, of the old version, and 2", len(got), marks[len(marks)-1].Rule.Version)
	}
	b.stop(a)
}

// TestFloodAroundAnAttacker: one address refused five times, and between two of these more addresses than
// half of what a rule remembers.
func TestFloodAroundAnAttacker(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	b.bin = buildCommand(t) // the race detector would make minutes of it
	f, err := os.Create(filepath.Join(b.dir, "log/gw.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	const hits, between = 5, 45_000
	at := time.Now().Add(-time.Minute)
	for hit := range hits {
		b.n++
		b.line(w, at, 401, "203.0.113.66")
		for i := range between {
			if hit == hits-1 {
				break
			}
			b.n++
			at = at.Add(200 * time.Microsecond)
			b.line(w, at, 401, fmt.Sprintf("10.%d.%d.%d", hit, i>>8, i&255))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	a := b.begin()
	await(t, "the attacker's alert", func() bool { return len(b.alerts("t.burst")) > 0 })
	b.stop(a)
	got := b.alerts("t.burst")
	if len(got) != 1 || got[0].Liveward.Alert.Key["client.ip"] != "203.0.113.66" || got[0].Liveward.Alert.Count != hits {
		t.Errorf("alerts %+v, want the attacker's", got)
	}
}
