package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/internal/estest"
)

// Every request to a real nginx is exactly one document in a real Elasticsearch; each attack raises
// its alert once; each alert is one Slack message, within Slack's limits, with its link.
func TestEndToEnd(t *testing.T) {
	w := newWorld(t, estest.Shared(t))
	a := w.startAgent()
	var calls []call
	for n := range 300 {
		calls = append(calls, genuine(n))
	}
	calls = slices.Insert(calls, 50, badKeys(30)...)
	calls = slices.Insert(calls, 120, spoofs(40)...)
	calls = slices.Insert(calls, 200, farm(9)...)
	calls = slices.Insert(calls, 250, stolen()...)
	for i, c := range calls {
		if i == len(calls)/2 {
			w.registered()
			w.rotate()
		}
		if err := w.send(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"lw.auth.burst-per-ip", "lw.inject.farm-device", "lw.key.off-allow-list", "lw.spoof.wave-count"}
	await(t, "all documents", func() bool { return w.es.Count(t, w.stream("event")) >= len(calls) })
	await(t, "the alerts", func() bool { return w.es.Count(t, w.stream("alert")) >= len(want) })
	await(t, "the Slack messages", func() bool { return len(w.slack.Channel()) >= len(want) })
	w.stop(a)

	requests := map[string]bool{}
	events := w.documents("event")
	for _, d := range events {
		requests[d.HTTP.Request.ID] = true
	}
	if len(events) != len(calls) || len(requests) != len(calls) {
		t.Errorf("%d requests, %d documents, %d different requests in them", len(calls), len(events), len(requests))
	}
	var rules []string
	for _, d := range w.documents("alert") {
		rules = append(rules, d.Rule.ID)
	}
	slices.Sort(rules)
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("alerts: %s", diff)
	}
	if v := w.slack.Violations(); len(v) > 0 {
		t.Errorf("Slack: %s", strings.Join(v, "; "))
	}
	messages := w.slack.Channel()
	if len(messages) != len(want) {
		t.Errorf("%d Slack messages, want %d", len(messages), len(want))
	}
	for _, m := range messages {
		body := everything(m)
		for _, part := range []string{"https://kibana.bank.example/app/discover#/", "/rules.d/playbooks/", "lw."} {
			if !strings.Contains(body, part) {
				t.Errorf("message %q has no %s", m.Text, part)
			}
		}
	}
}

// everything is all text and all addresses of a message.
func everything(m slackfake.Message) string {
	var b strings.Builder
	for _, block := range m.Blocks {
		if block.Text != nil {
			fmt.Fprintln(&b, block.Text.Text)
		}
		for _, e := range block.Elements {
			fmt.Fprintln(&b, e.URL)
			if e.Context != nil {
				fmt.Fprintln(&b, e.Context.Text)
			}
		}
	}
	return b.String()
}

// The agent is killed at random moments while traffic runs and the log rotates, and Elasticsearch
// goes away for a while: the same documents, the same alerts by id, none missing, none twice; Slack
// repeats at most the message in flight of each kill.
func TestKilledAgainAndAgain(t *testing.T) {
	w := newWorld(t, estest.Start(t, estest.Options{}))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const kills = 10

	traffic, stop := context.WithCancel(t.Context())
	defer stop()
	var senders sync.WaitGroup
	attacks := slices.Concat(badKeys(40), spoofs(45), farm(9), stolen())
	senders.Go(func() {
		for n := 0; traffic.Err() == nil || n < 4*len(attacks); n++ { // all attacks, however slow the calls are
			c := genuine(n)
			if i := n / 4; n%4 == 0 && i < len(attacks) {
				c = attacks[i]
			}
			if err := w.send(context.WithoutCancel(traffic), c); err != nil {
				t.Errorf("request: %v", err)
				return
			}
			time.Sleep(4 * time.Millisecond)
		}
	})
	for i := range kills {
		a := w.startAgent()
		if i == 0 {
			w.registered()
		}
		time.Sleep(time.Duration(200+random.IntN(2300)) * time.Millisecond)
		if i == 2 {
			w.es.Kill()
		}
		if i%3 == 1 {
			w.rotate()
		}
		time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
		a.kill()
		if i == 5 {
			if err := w.es.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	senders.Wait()
	a := w.startAgent()
	w.awaitLog()
	lines := w.logLines()
	if int64(lines) != w.sent.Load() {
		t.Fatalf("the gateway logged %d lines of %d requests", lines, w.sent.Load())
	}
	await(t, "all documents", func() bool { return w.es.Count(t, w.stream("event")) >= lines })

	// What one run over the same lines gives is what the cut-up runs must have given.
	replayArgs := append([]string{"replay", "-c", w.path("liveward.yaml"), "--events", w.path("events.ndjson")}, w.logs()...)
	wantAlerts := ids(t, w.run(replayArgs...))
	await(t, fmt.Sprintf("%d alerts", len(wantAlerts)), func() bool { return w.es.Count(t, w.stream("alert")) >= len(wantAlerts) })
	await(t, "the Slack messages", func() bool { return len(w.slack.Channel()) >= len(wantAlerts) })
	w.stop(a)

	compare(t, "events", ids(t, w.read("events.ndjson")), storedIDs(w.documents("event")))
	compare(t, "alerts", wantAlerts, storedIDs(w.documents("alert")))
	if len(wantAlerts) < 4 {
		t.Errorf("%d alerts: the attacks were not seen", len(wantAlerts))
	}
	if n := len(w.slack.Channel()); n < len(wantAlerts) || n > len(wantAlerts)+kills {
		t.Errorf("%d Slack messages for %d alerts and %d kills", n, len(wantAlerts), kills)
	}
	t.Logf("%d lines, %d rotations, %d kills, %d alerts, %d Slack messages", lines, w.rotations, kills, len(wantAlerts), len(w.slack.Channel()))
}

// ids returns the sorted event.id of NDJSON documents.
func ids(t *testing.T, ndjson string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(ndjson) {
		var d stored
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Event.ID)
	}
	slices.Sort(out)
	return out
}

func storedIDs(docs []stored) []string {
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = d.Event.ID
	}
	slices.Sort(out)
	return out
}

// compare compares sorted ids and says how many are missing, too many or double.
func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	missing, extra := 0, 0
	for _, id := range want {
		if _, ok := slices.BinarySearch(got, id); !ok {
			missing++
		}
	}
	for i, id := range got {
		if _, ok := slices.BinarySearch(want, id); !ok || (i > 0 && got[i-1] == id) {
			extra++
		}
	}
	t.Errorf("%s: want %d, got %d: %d missing, %d too many or double", what, len(want), len(got), missing, extra)
}
