package pipeline_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

const quiet = `id: t.quiet
version: 1
description: for tests
title: "{liveward.source} is quiet"
severity: high
when: liveward.health.component == "input" and liveward.health.silent_seconds >= 600
by: [liveward.source]
suppress: 1h
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

// lacking is about calls that lack something; the agent's own events lack nearly everything.
const lacking = `id: t.lacking
version: 1
description: for tests
title: "a call without a status"
severity: low
when: missing(http.response.status_code)
by: [event.dataset]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s, set: {http.response.status_code: 200}}], alerts: []}]
`

// silence is a report of an input that has been silent for some seconds.
func silence(source string, seconds int64) func(*event.Event) {
	return func(ev *event.Event) {
		ev.SetString(event.LivewardSource, source)
		ev.SetString(event.LivewardHealthComponent, "input")
		ev.SetInt(event.LivewardHealthSilentSeconds, seconds)
	}
}

func (b *bench) health() *pipeline.Health {
	b.t.Helper()
	h, err := pipeline.NewHealth(b.t.Context(), b.j, "a", b.sets, pipeline.Identity{Agent: "a", Version: "v", Host: "h"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.Close)
	return h
}

func (b *bench) append(h *pipeline.Health, reports ...func(*event.Event)) {
	b.t.Helper()
	if err := h.Append(b.t.Context(), b.clock.Load(), reports); err != nil {
		b.t.Fatal(err)
	}
}

// The agent's health is an event like any other: journaled, matched by rules about it and by no other,
// alerted on once a key, also by rules that came while it was on its way.
func TestHealthIsMatchedAndAlerted(t *testing.T) {
	l := &log{path: "a.log"}
	l.add(line{ip: "192.0.2.1", status: 200})
	b := newBench(t, ruleset(t, quiet, lacking))
	b.open("gw")
	r := b.reader("gw", l)
	defer r.close()
	b.begin(r)
	r.all()
	h := b.health()
	b.append(h, silence("gw", 599), silence("other", 600))
	b.append(h) // nothing to report
	b.clock.Add(int64(time.Minute))
	b.append(h, silence("gw", 660), silence("other", 660))
	b.finish(r)

	got := b.alerts(false)
	if len(got) != 2 || !strings.Contains(got[0]+got[1], `"gw is quiet"`) || !strings.Contains(got[0]+got[1], `"other is quiet"`) {
		t.Errorf("alerts: %s", strings.Join(got, "\n"))
	}
	n := 0
	for id, d := range b.documents() {
		if strings.Contains(d, `"dataset":"liveward.health"`) {
			n++
			for _, want := range []string{`"kind":"metric"`, `"component":"input"`, `"agent":{"id":"a","version":"v"}`, id} {
				if !strings.Contains(d, want) {
					t.Errorf("no %s in %s", want, d)
				}
			}
		}
	}
	if n != 4 {
		t.Errorf("%d health events, want 4", n)
	}
}

// Health that is written between the batches of a backlog changes no alert of the backlog: nobody's
// event time depends on the agent's own.
func TestHealthDisturbsNoWatermark(t *testing.T) {
	set := ruleset(t, burst(5, "5m", "10m", "{client.ip}"), spread, quiet, lacking)
	l := &log{path: "a.log"}
	for i := range 60 {
		l.add(line{at: int64(i) * 20_000, ip: "192.0.2.1", status: 401, id: i, device: []string{"d1", ""}[i%2]})
	}
	b := newBench(t, set)
	b.open("gw")
	r := b.reader("gw", l)
	defer r.close()
	r.limit = 400
	b.begin(r)
	h := b.health()
	for !r.atEnd() {
		b.clock.Add(int64(time.Minute))
		b.append(h, silence("gw", 0), silence("gw", 599))
		r.mustPut(r.batch(0))
	}
	b.append(h, silence("gw", 0))
	b.finish(r)
	if diff := cmp.Diff(b.wanted(set, l), b.alerts(false)); diff != "" {
		t.Errorf("alerts beside health: %s", diff)
	}
	if len(b.alerts(false)) == 0 {
		t.Error("the test is about nothing")
	}
}

// Without any source there is no event time; the journal's own serves, so that an input that never had
// a line can be told of.
func TestHealthWithoutSources(t *testing.T) {
	b := newBench(t, ruleset(t, quiet))
	b.open()
	h := b.health()
	for range 3 {
		b.clock.Add(int64(time.Minute))
		b.append(h, silence("gw", 600))
	}
	b.settled()
	if got := b.alerts(false); len(got) != 1 || !strings.Contains(got[0], "gw is quiet") {
		t.Errorf("alerts: %v", got)
	}
}

// A rule set that comes after health was matched does not make other rules see it.
func TestHealthIsMatchedAgainWithItsOwnRules(t *testing.T) {
	l := &log{path: "a.log"}
	l.add(line{ip: "192.0.2.1", status: 200})
	b := newBench(t, ruleset(t, quiet))
	b.open("gw")
	r := b.reader("gw", l)
	defer r.close()
	b.begin(r)
	r.all()
	h := b.health()
	b.append(h, silence("gw", 0))
	more := strings.Replace(lacking, "by: [event.dataset]", "by: [event.dataset]\nwindow: 2h\nthreshold: 1", 1)
	if err := b.sets.Use(t.Context(), ruleset(t, quiet, more)); err != nil {
		t.Fatal(err)
	}
	b.append(h, silence("gw", 601))
	b.finish(r)
	got := b.alerts(false)
	if len(got) != 1 || !strings.Contains(got[0], "gw is quiet") {
		t.Errorf("alerts: %s", strings.Join(got, "\n"))
	}
}

// Rules about health are found by any field of it that they need.
func TestHealthFields(t *testing.T) {
	var got []string
	for _, id := range event.Fields() {
		if pipeline.IsHealthField(id) {
			got = append(got, id.String())
		}
	}
	if len(got) < 10 || slices.Contains(got, "liveward.source") || !slices.Contains(got, "liveward.health.state") {
		t.Errorf("fields of health: %v", got)
	}
}
