package alerting_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
)

// world is what the model knows: what reached the notifier, and what must have reached it.
type world struct {
	store *alertingtest.Store
	m     *alerting.Manager
	now   time.Time

	given     map[event.Hash]*event.Alert // alerts whose Handle returned nil
	delivered map[string]int              // "reason changes incident" -> times
	told      map[event.Hash]alerting.Incident
	inFlight  int // deliveries that may be repeated: one for each crash
}

func (w *world) Notify(ctx context.Context, n alerting.Notification) (alerting.Receipt, error) {
	w.delivered[fmt.Sprintf("%s %d %s", n.Reason, n.Incident.Changes, n.Incident.ID)]++
	w.told[n.Incident.ID] = n.Incident
	return alerting.Receipt{"id": n.Incident.ID.String()}, ctx.Err()
}

func (w *world) start() {
	w.m = alerting.New(alerting.Config{MaxOpen: 3, UpdateInterval: -1, ResolveAfter: time.Hour, Retain: 1000 * time.Hour},
		w.store, map[string]alerting.Notifier{"n": w}, alerting.Deps{})
}

// TestCrashAtEveryWrite drives the manager with alerts, repeats, time, failing writes and crashes in
// any order, and then holds it to its promises: each alert is applied once, each incident's last
// state is told, and no notification is repeated but the one in flight when the process died.
func TestCrashAtEveryWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			store: alertingtest.NewStore(), now: alertingtest.Base(),
			given: make(map[event.Hash]*event.Alert), delivered: make(map[string]int), told: make(map[event.Hash]alerting.Incident),
		}
		w.start()
		var faults []alertingtest.Fault
		removed := false
		w.store.Faults = func(op, _ string) alertingtest.Fault {
			removed = removed || op == "delete"
			if len(faults) == 0 {
				return alertingtest.None
			}
			f := faults[0]
			faults = faults[1:]
			return f
		}
		// kill is the end of the process at the n-th write from here on: that write and all after it
		// fail, and nobody lives to see it.
		kill := func(t *rapid.T) {
			n := rapid.IntRange(0, 3).Draw(t, "writes before the crash")
			last := rapid.SampledFrom([]alertingtest.Fault{alertingtest.Lost, alertingtest.Silent}).Draw(t, "last write")
			faults = append(make([]alertingtest.Fault, n), last)
			for range 50 {
				faults = append(faults, alertingtest.Lost)
			}
		}
		born := func() {
			faults = nil
			w.inFlight++ // one delivery may have been made and not stored
			w.start()
		}
		draw := func(t *rapid.T) []*event.Alert {
			var out []*event.Alert
			for range rapid.IntRange(1, 4).Draw(t, "alerts") {
				key := rapid.IntRange(0, 5).Draw(t, "key")
				severity := rapid.SampledFrom(event.Severities()).Draw(t, "severity")
				at := int(w.now.Sub(alertingtest.Base())/time.Second) + rapid.IntRange(0, 2).Draw(t, "second")
				out = append(out, alertingtest.Alert("r.x", fmt.Sprintf("198.51.100.%d", key), at, severity))
			}
			return out
		}
		given := func(alerts []*event.Alert) {
			for _, a := range alerts {
				w.given[a.ID] = a
			}
		}
		handle := func(t *rapid.T, alerts []*event.Alert) {
			for range 20 {
				if err := w.m.Handle(context.Background(), w.now, alerts); err == nil {
					given(alerts)
					return
				}
			}
			t.Fatal("Handle does not succeed")
		}
		t.Repeat(map[string]func(*rapid.T){
			"alerts": func(t *rapid.T) { handle(t, draw(t)) },
			"alerts while writes fail": func(t *rapid.T) {
				faults = rapid.SliceOfN(rapid.SampledFrom([]alertingtest.Fault{alertingtest.None, alertingtest.Lost, alertingtest.Silent}), 1, 6).Draw(t, "faults")
				handle(t, draw(t))
			},
			"crash in Handle": func(t *rapid.T) {
				alerts := draw(t)
				kill(t)
				_ = w.m.Handle(context.Background(), w.now, alerts)
				born()
				handle(t, alerts) // the reader's cursor has not moved
			},
			"deliver": func(*rapid.T) { _ = w.m.Flush(context.Background(), w.now) },
			"deliver while writes fail": func(t *rapid.T) {
				faults = rapid.SliceOfN(rapid.SampledFrom([]alertingtest.Fault{alertingtest.None, alertingtest.Lost, alertingtest.Silent}), 1, 6).Draw(t, "faults")
				_ = w.m.Flush(context.Background(), w.now)
			},
			"crash in Flush": func(t *rapid.T) {
				kill(t)
				_ = w.m.Flush(context.Background(), w.now)
				born()
			},
			"time passes": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second)
				_ = w.m.Tick(context.Background(), w.now)
			},
			"crash in Tick": func(t *rapid.T) {
				w.now = w.now.Add(time.Hour)
				kill(t)
				_ = w.m.Tick(context.Background(), w.now)
				born()
			},
			"": func(t *rapid.T) {
				repeats := 0
				for _, n := range w.delivered {
					repeats += n - 1
				}
				if repeats > w.inFlight {
					t.Fatalf("%d notifications were repeated, %d crashes allow for", repeats, w.inFlight)
				}
			},
		})
		// In the end all is well again.
		faults = nil
		for range 10 {
			w.now = w.now.Add(10 * time.Minute)
			if err := w.m.Flush(context.Background(), w.now); err == nil {
				break
			} else if errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		incidents, err := w.m.Incidents(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		alerts := 0
		for _, inc := range incidents {
			alerts += inc.Alerts
			if told := w.told[inc.ID]; told != inc {
				t.Fatalf("incident %+v was last told of as %+v", inc, told)
			}
		}
		if alerts != len(w.given) && !removed {
			t.Fatalf("%d alerts are in incidents, %d were given", alerts, len(w.given))
		}
	})
}
