package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

const joinedSpoofs = `id: t.joined
version: 1
description: for tests
title: "{count} spoofs of {client.ip} by their outcomes"
severity: high
when: liveward.join.status == "joined" and liveness.decision == "spoof"
by: [client.ip]
window: 2m
threshold: 3
suppress: {for: 1m}
show: [liveness.session_id]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

const everyVerdict = `id: t.verdicts
version: 1
description: for tests
title: "{count} spoofs"
severity: high
when: liveness.decision == "spoof"
window: 2m
threshold: 4
suppress: {for: 1m}
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

const noOutcome = `id: t.alone
version: 1
description: for tests
title: "no outcome for {client.ip}"
severity: low
when: liveward.join.status == "no_outcome"
by: [client.ip]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

// checks fills two logs: of a gateway, whose lines of checks say no verdict, and of an application that
// tells the outcomes, some of them late, twice or never.
func checks(seed uint64, n int) (gateway, app *log) {
	r := rand.New(rand.NewPCG(seed, 3))
	gateway, app = &log{path: "/gw"}, &log{path: "/app"}
	var late []string // calls that the gateway writes long after those that came after them
	type told struct {
		at   int64
		text string
	}
	var outcomes []told
	for i := range n {
		at := int64(i) * 700
		ms := base.UnixMilli() + at
		call := fmt.Sprintf(`{"msec":"%d.%03d","remote_addr":"203.0.113.%d","method":"POST","uri":"/v1/liveness/check","status":200,"request_id":"r-%d-%d","lv_session":"s-%d-%d"}`,
			ms/1000, ms%1000, 1+r.IntN(4), seed, i, seed, i)
		if r.IntN(8) == 0 {
			late = append(late, call)
		} else {
			gateway.addText(call)
		}
		if i%20 == 19 {
			for _, call := range late {
				gateway.addText(call)
			}
			late = late[:0]
		}
		decision := []string{"live", "spoof"}[r.IntN(2)]
		for range []int{1, 1, 1, 0, 2}[r.IntN(5)] {
			later := at + int64(r.IntN(40_000))
			ms := base.UnixMilli() + later
			outcomes = append(outcomes, told{later, fmt.Sprintf(`{"msec":"%d.%03d","remote_addr":"10.0.0.9","status":200,"lv_session":"s-%d-%d","lv_decision":%q,"lv_score":"0.5"}`,
				ms/1000, ms%1000, seed, i, decision)})
		}
	}
	slices.SortStableFunc(outcomes, func(a, b told) int { return int(a.at - b.at) })
	for _, o := range outcomes {
		app.addText(o.text)
	}
	// Long after them, so that every window closes before the end of the logs.
	for _, l := range []*log{gateway, app} {
		l.add(line{at: int64(n)*700 + 600_000, ip: "203.0.113.200", status: 404, agent: "app/1"})
	}
	return gateway, app
}

func (l *log) addText(text string) { l.text = append(append(l.text, text...), '\n') }

func joinConfig() *join.Config {
	return &join.Config{Roles: join.Call | join.Outcome, Window: time.Minute}
}

// wantedJoins is what a replay derives and fires.
func (b *bench) wantedJoins(logs ...*log) (joined, alerts []string) {
	b.t.Helper()
	docs := map[string]string{}
	b.replay.Document = func(p pipeline.Processed) error { docs[p.ID.String()] = string(p.Doc); return nil }
	defer func() { b.replay.Document = nil }()
	alerts = b.wanted(b.set, logs...)
	return b.joinedIn(docs), alerts
}

// joinedIn lists the joined events among documents: their ids with what they say.
func (b *bench) joinedIn(docs map[string]string) []string {
	b.t.Helper()
	var out []string
	for _, d := range docs {
		if strings.Contains(d, `"join":{`) && strings.Contains(d, `"kind":"outcome"`) {
			var ev event.Event
			if err := ev.DecodeJSON([]byte(d)); err != nil {
				b.t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s %s %s %s", ev.Str(event.EventID), ev.Str(event.LivewardJoinStatus), ev.Str(event.LivenessSessionID), ev.Str(event.LivenessDecision)))
		}
	}
	slices.Sort(out)
	return out
}

// However an agent that joins is cut up by kills, halts and snapshots: the joined events are those of one
// replay, each once, and so are the alerts; and rules that do not ask for joined events do not see them.
func TestJoinsCutUpAtRandom(t *testing.T) {
	set := ruleset(t, joinedSpoofs, everyVerdict, noOutcome)
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t, set)
		b.joins = joinConfig()
		defer b.close()
		gateway, app := checks(rapid.Uint64().Draw(r, "seed"), 90)
		lost := false
		var one, two *reader
		start := func() {
			b.open("one", "two")
			one, two = b.reader("one", gateway), b.reader("two", app)
			b.begin(one, two)
		}
		stop := func() { one.close(); two.close() }
		start()
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"one", "two", "one", "two", "tick", "kill", "halt", "tail", "snapshot"}), 5, 25).Draw(r, "steps")
		for _, step := range steps {
			b.clock.Add(int64(time.Second))
			switch step {
			case "one", "two":
				x := map[string]*reader{"one": one, "two": two}[step]
				if !x.atEnd() {
					x.mustPut(x.batch(0))
				}
			case "tick":
				one.mustPut(one.batch(-1))
				two.mustPut(two.batch(-1))
			case "snapshot":
				b.settled()
				b.clock.Add(int64(20 * time.Second))
			case "halt":
				stop()
				b.close()
				start()
			case "kill":
				stop()
				b.crash()
				start()
			case "tail":
				lost = true
				stop()
				b.halt()
				b.close()
				cutTail(t, b.dir, "LIVEWARD_EVENTS", rapid.IntRange(1, 6000).Draw(r, "bytes"))
				start()
			}
		}
		one.all()
		two.all()
		b.finish(one, two)
		got, alerts := b.joinedIn(b.documents()), b.alerts(lost)
		stop()
		wantJoined, wantAlerts := b.wantedJoins(gateway, app)
		if len(wantJoined) < 40 || len(wantAlerts) < 3 {
			r.Fatalf("%d joined events and %d alerts are too few to tell anything", len(wantJoined), len(wantAlerts))
		}
		if diff := cmp.Diff(wantJoined, got); diff != "" {
			r.Fatalf("joined events of replay (-) and agent (+):\n%s", diff)
		}
		if diff := cmp.Diff(wantAlerts, alerts); diff != "" {
			r.Fatalf("alerts of replay (-) and agent (+):\n%s", diff)
		}
	})
}

// A verdict that came by another way is in two events, its own and the joined one: a rule that counts
// verdicts sees the first, one that asks for joined events the second, and none sees both.
func TestRulesCountAVerdictOnce(t *testing.T) {
	gateway, app := &log{path: "/gw"}, &log{path: "/app"}
	for i := range 3 {
		ms := base.UnixMilli() + int64(i)*1000
		gateway.addText(fmt.Sprintf(`{"msec":"%d.%03d","remote_addr":"203.0.113.1","method":"POST","uri":"/v1/liveness/check","status":200,"lv_session":"s-%d"}`, ms/1000, ms%1000, i))
		app.addText(fmt.Sprintf(`{"msec":"%d.%03d","remote_addr":"10.0.0.9","status":200,"lv_session":"s-%d","lv_decision":"spoof"}`, (ms+100)/1000, (ms+100)%1000, i))
	}
	f := func(wanted string, texts ...string) {
		t.Helper()
		b := newBench(t, ruleset(t, texts...))
		b.joins = joinConfig()
		joined, alerts := b.wantedJoins(gateway, app)
		var rules []string
		for _, text := range alerts {
			a, err := event.ParseAlert([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, fmt.Sprintf("%s %d", a.Rule.ID, a.Count))
		}
		if got := strings.Join(rules, ", "); got != wanted || len(joined) != 3 {
			t.Errorf("%q of %d joined events, want %q", got, len(joined), wanted)
		}
	}
	f("t.joined 3", joinedSpoofs)
	f("", everyVerdict) // which wants four
	f("t.verdicts 3", strings.Replace(everyVerdict, "threshold: 4", "threshold: 3", 1))
}

// What was joined before a kill is not joined again after it, though the detector reads the journal anew
// from its last snapshot, or from the beginning.
func TestJoinsKilledAgainAndAgain(t *testing.T) {
	for _, snapshots := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshots %v", snapshots), func(t *testing.T) {
			b := newBench(t, ruleset(t, joinedSpoofs, everyVerdict, noOutcome))
			b.joins = joinConfig()
			gateway, app := checks(7, 160)
			var one, two *reader
			start := func() {
				b.open("one", "two")
				one, two = b.reader("one", gateway), b.reader("two", app)
				b.begin(one, two)
			}
			start()
			before := 0
			for range 3 {
				for range 8 {
					for _, x := range []*reader{one, two} {
						if !x.atEnd() {
							x.mustPut(x.batch(0))
						}
					}
				}
				if snapshots {
					b.settled()
					b.clock.Add(int64(20 * time.Second))
				}
				b.settled()
				before = len(b.joinedIn(b.documents()))
				one.close()
				two.close()
				b.crash()
				start()
				b.settled()
				if n := len(b.joinedIn(b.documents())); n != before {
					t.Fatalf("%d joined events before the kill, %d after it", before, n)
				}
			}
			if before < 10 {
				t.Fatalf("only %d joined events before the last kill", before)
			}
			one.all()
			two.all()
			b.finish(one, two)
			got, alerts := b.joinedIn(b.documents()), b.alerts(false)
			one.close()
			two.close()
			wantJoined, wantAlerts := b.wantedJoins(gateway, app)
			if diff := cmp.Diff(wantJoined, got); diff != "" {
				t.Errorf("joined events of replay (-) and agent (+):\n%s", diff)
			}
			if diff := cmp.Diff(wantAlerts, alerts); diff != "" {
				t.Errorf("alerts of replay (-) and agent (+):\n%s", diff)
			}
		})
	}
}

// A rule set is changed while windows are behind: a new rule on joined events finds those that were derived
// from before the change, whether they were journaled before it or after.
func TestNewRuleOnJoinedEventsBehind(t *testing.T) {
	old, fresh := ruleset(t, everyVerdict), ruleset(t, everyVerdict, joinedSpoofs)
	gateway, app := checks(7, 200)
	run := func(behind bool) []string {
		b := newBench(t, old)
		b.joins = joinConfig()
		defer b.close()
		b.open("one", "two")
		one, two := b.reader("one", gateway), b.reader("two", app)
		defer one.close()
		defer two.close()
		b.begin(one, two)
		b.settled()
		if behind {
			b.halt()
		}
		for range 8 {
			one.mustPut(one.batch(0))
			two.mustPut(two.batch(0))
		}
		if !behind {
			b.settled()
		}
		if err := b.sets.Use(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		if behind {
			b.detect()
		}
		b.settled()
		one.all()
		two.all()
		b.finish(one, two)
		return b.alerts(false)
	}
	want, got := run(false), run(true)
	if len(want) < 10 {
		t.Fatalf("only %d alerts", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts with windows that are up to date (-) and behind (+):\n%s", diff)
	}
}

// A replay whose documents nobody reads leaves them out, and fires what it fires with them.
func TestReplayWithoutDocuments(t *testing.T) {
	for name, set := range map[string]*rules.Set{
		"joined":    ruleset(t, joinedSpoofs, everyVerdict, noOutcome),
		"nothing":   ruleset(t, everyVerdict),
		"condition": ruleset(t, strings.Replace(everyVerdict, "when: ", "when: has(event.id) and ", 1)),
		"exception": ruleset(t, strings.Replace(everyVerdict, "window:", "except: [{when: 'event.id endsWith \"a\" or event.id endsWith \"b\"', until: 2099-01-01, owner: soc, why: test}]\nwindow:", 1)),
		"key":       ruleset(t, strings.NewReplacer("threshold: 4", "threshold: 1", "window:", "by: [event.id]\nwindow:").Replace(everyVerdict)),
		"shown":     ruleset(t, strings.Replace(everyVerdict, "window:", "show: [event.id]\nwindow:", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, set)
			b.joins = joinConfig()
			defer b.close()
			gateway, app := checks(1, 90)
			_, with := b.wantedJoins(gateway, app)
			without := b.wanted(set, gateway, app)
			if len(with) == 0 || !slices.Equal(with, without) {
				t.Errorf("%d alerts with documents, %d without", len(with), len(without))
			}
		})
	}
}
