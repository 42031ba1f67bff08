package pipeline_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

// Run again with the same rules, the journal gives the alerts that the detector made of it, also where
// the rules were others when it was written.
func TestRerunIsTheDetector(t *testing.T) {
	set := ruleset(t, burst(5, "5m", "10m", "{client.ip}"), single, spread, quiet)
	l := &log{path: "a.log"}
	for i := range 200 {
		l.add(line{at: int64(i) * 7_000, ip: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}[i%3], status: []int{401, 401, 418, 200}[i%4], id: i, device: []string{"d1", "d2", ""}[i%3]})
	}
	l.text = append(l.text, "not a line\n"...)
	for name, journaled := range map[string]*rules.Set{"the same rules": set, "other rules": ruleset(t, single)} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, journaled)
			b.open("gw")
			r := b.reader("gw", l)
			defer r.close()
			b.begin(r)
			h := b.health()
			b.append(h, silence("gw", 0))
			r.all()
			b.append(h, silence("gw", 700))
			b.finish(r)
			b.append(h) // the last message is not a tick
			got, events := b.rerun(set)
			want := b.alerts(false)
			if name == "other rules" {
				want = b.wanted(set, l) // which has no health
				got = slices.DeleteFunc(got, func(a string) bool { return strings.Contains(a, `"t.quiet"`) })
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("alerts: %s", diff)
			}
			if len(got) < 5 || events != 200 {
				t.Errorf("%d alerts over %d events", len(got), events)
			}
		})
	}
}

// rerun runs a set over the journal and returns the alerts, sorted, and the number of events.
func (b *bench) rerun(set *rules.Set) (alerts []string, events int) {
	b.t.Helper()
	r, err := pipeline.NewRerun(set, rules.WindowConfig{}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Close()
	r.Alert = func(a *event.Alert) { alerts = append(alerts, string(a.AppendJSON(nil))) }
	r.Event = func(*event.Event) { events++ }
	b.each(journal.Events, func(e *journal.Entry) {
		if err := r.Take(e); err != nil {
			b.t.Fatal(err)
		}
	})
	if err := r.End(); err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(alerts)
	return alerts, events
}
