package alerting_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
)

// silence begins a silence of the bench's rule.
func (b *bench) silence(key string, length time.Duration) alerting.Silence {
	b.t.Helper()
	s, err := b.Silence(b.t.Context(), b.now, alerting.Silence{
		Rule: "r.x", Key: key, Until: b.now.Add(length).UnixNano(), By: "ana", Reason: "load test",
	})
	if err != nil {
		b.t.Fatalf("Silence: %v", err)
	}
	return s
}

func (b *bench) end(s alerting.Silence) {
	b.t.Helper()
	if _, ok, err := b.EndSilence(b.t.Context(), b.now, s.ID); !ok || err != nil {
		b.t.Fatalf("EndSilence: %v, %v", ok, err)
	}
}

const silencedKey = "client.ip=203.0.113.7"

// What a silence holds back, and what is told when it is over.
func TestSilence(t *testing.T) {
	other := alertingtest.Alert("r.y", "203.0.113.7", 0, event.Low)
	for name, tt := range map[string]struct {
		do   func(b *bench)
		want []string
	}{
		"an opening waits for the end": {func(b *bench) {
			b.silence(silencedKey, 30*time.Minute)
			b.handle(alert(0, event.Low))
			b.flush()
			b.after(29 * time.Minute)
			b.handle(alert(1740, event.Low))
			b.flush()
			b.want()
			b.after(time.Minute)
		}, []string{"opened 2 low"}},
		"also over a restart": {func(b *bench) {
			b.silence(silencedKey, 30*time.Minute)
			b.restart()
			b.handle(alert(0, event.Low))
			b.flush()
			b.want()
			b.after(30 * time.Minute)
			b.restart()
		}, []string{"opened 1 low"}},
		"an update waits": {func(b *bench) {
			b.handle(alert(0, event.Low))
			b.flush()
			b.silence("", 30*time.Minute)
			b.after(10 * time.Minute)
			b.handle(alert(600, event.Low))
			b.flush()
			b.want("opened 1 low")
			b.after(20 * time.Minute)
		}, []string{"opened 1 low", "updated 2 low"}},
		"ended early": {func(b *bench) {
			s := b.silence("", time.Hour)
			b.handle(alert(0, event.Low))
			b.after(time.Minute)
			b.flush()
			b.want()
			b.end(s)
		}, []string{"opened 1 low"}},
		"the longer of two": {func(b *bench) {
			s := b.silence("", 10*time.Minute)
			b.silence(silencedKey, 20*time.Minute)
			b.handle(alert(0, event.Low))
			b.end(s)
			b.after(10 * time.Minute)
			b.flush()
			b.want()
			b.after(10 * time.Minute)
		}, []string{"opened 1 low"}},
		"a higher severity is told": {func(b *bench) {
			b.handle(alert(0, event.Low))
			b.flush()
			b.silence("", time.Hour)
			b.handle(alert(1, event.Critical))
		}, []string{"opened 1 low", "escalated 2 critical"}},
		"the end of what is known is told": {func(b *bench) {
			b.handle(alert(0, event.Low))
			b.flush()
			b.silence("", 3*time.Hour)
			b.after(2 * time.Hour)
		}, []string{"opened 1 low", "resolved 1 low"}},
		"the end of what is not known never is": {func(b *bench) {
			b.silence("", 3*time.Hour)
			b.handle(alert(0, event.Low))
			b.after(2 * time.Hour)
			b.flush()
			b.restart()
			b.after(2 * time.Hour)
		}, nil},
		"what was over before it began": {func(b *bench) {
			b.handle(alert(0, event.Low)) // and nobody is reached
			b.after(2 * time.Hour)
			b.silence("", time.Hour)
		}, []string{"resolved 1 low"}},
		"another key":  {func(b *bench) { b.silence("client.ip=203.0.113.8", time.Hour); b.handle(alert(0, event.Low)) }, []string{"opened 1 low"}},
		"another rule": {func(b *bench) { b.silence("", time.Hour); b.handle(other) }, []string{"opened 1 low"}},
		"one that is over": {func(b *bench) {
			b.silence("", time.Minute)
			b.after(time.Minute)
			b.handle(alert(0, event.Low))
		}, []string{"opened 1 low"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, alerting.Config{UpdateInterval: -1, RepeatInterval: -1})
			tt.do(b)
			b.flush()
			b.want(tt.want...)
		})
	}
}

// The incident that many keys share is held back by a silence of the rule, and by no key's.
func TestSilenceOfASharedIncident(t *testing.T) {
	b := newBench(t, alerting.Config{MaxOpen: 1})
	b.handle(alertingtest.Alert("r.x", "203.0.113.6", 0, event.Low), alert(0, event.Low))
	b.silence(silencedKey, time.Hour)
	b.flush()
	b.want("opened 1 low", "opened 1 low")
	b = newBench(t, alerting.Config{MaxOpen: 1})
	b.handle(alertingtest.Alert("r.x", "203.0.113.6", 0, event.Low), alert(0, event.Low))
	b.silence("", time.Hour)
	b.flush()
	b.want()
	if got := b.Stats(b.now).Notifier["rec"]; got.Pending != 2 || got.Silenced != 2 {
		t.Errorf("%d pending, %d of them silenced; want 2 and 2", got.Pending, got.Silenced)
	}
}

// A silence without an end, a reason or an owner is none, and there is room for so many.
func TestSilenceIsRefused(t *testing.T) {
	b := newBench(t, alerting.Config{})
	good := alerting.Silence{Rule: "r.x", Key: silencedKey, Until: b.now.Add(alerting.MaxSilence).UnixNano(), By: "ana", Reason: "load test"}
	for name, tt := range map[string]struct {
		change func(s *alerting.Silence)
		want   string
	}{
		"no rule":    {func(s *alerting.Silence) { s.Rule = "" }, "names a rule"},
		"no reason":  {func(s *alerting.Silence) { s.Reason = " " }, "says why"},
		"no owner":   {func(s *alerting.Silence) { s.By = "" }, "says why, and who"},
		"two lines":  {func(s *alerting.Silence) { s.Reason = "a\nb" }, "one line each"},
		"escapes":    {func(s *alerting.Silence) { s.By = "\x1b[31m" }, "one line each"},
		"no UTF-8":   {func(s *alerting.Silence) { s.By = "\xff" }, "one line each"},
		"long":       {func(s *alerting.Silence) { s.Reason = strings.Repeat("x", 513) }, "at most 512 bytes"},
		"no end":     {func(s *alerting.Silence) { s.Until = 0 }, "ends after it began"},
		"too late":   {func(s *alerting.Silence) { s.Until = b.now.UnixNano() }, "ends after it began"},
		"for good":   {func(s *alerting.Silence) { s.Until++ }, "at most 168h0m0s: for longer, write an exception"},
		"overflowed": {func(s *alerting.Silence) { s.Until = -1 << 63 }, "silence"},
	} {
		s := good
		tt.change(&s)
		if _, err := b.Silence(t.Context(), b.now, s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
	if all, err := b.Silences(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("refused silences are kept: %v, %v", all, err)
	}
	for i := range alerting.MaxSilences {
		if _, err := b.Silence(t.Context(), b.now.Add(time.Duration(i)), good); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Silence(t.Context(), b.now.Add(time.Hour), good); err == nil || !strings.Contains(err.Error(), "there are 1000 silences") {
		t.Errorf("one more: %v", err)
	}
	// They are forgotten a day after their end.
	b.after(alerting.MaxSilence + 23*time.Hour)
	if all, err := b.Silences(t.Context()); len(all) != alerting.MaxSilences || err != nil {
		t.Errorf("%d silences after 23 hours, error %v", len(all), err)
	}
	b.after(time.Hour)
	b.restart()
	if all, err := b.Silences(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("%d silences after 24 hours, error %v", len(all), err)
	}
	if _, ok, err := b.EndSilence(t.Context(), b.now, event.HashStrings("none")); ok || err != nil {
		t.Errorf("a silence that is not there was ended: %v, %v", ok, err)
	}
}

// Silences and incidents stand in one bucket, and neither is taken for the other; what cannot be read
// silences nothing.
func TestStoredSilence(t *testing.T) {
	b := newBench(t, alerting.Config{})
	want := b.silence(silencedKey, time.Hour)
	if _, err := b.store.Save(t.Context(), "silence.broken", []byte(`{"v":1,"silence":{"rule":"r.x"}}`), 0); err != nil {
		t.Fatal(err)
	}
	b.restart()
	got, err := b.Silences(t.Context())
	if diff := cmp.Diff([]alerting.Silence{want}, got); diff != "" || err != nil {
		t.Errorf("silences (-want +got): %s, error %v", diff, err)
	}
	if incidents, err := b.Incidents(t.Context()); len(incidents) != 0 || err != nil || b.Stats(b.now).Corrupt != 0 {
		t.Errorf("incidents %v, error %v, %d corrupt", incidents, err, b.Stats(b.now).Corrupt)
	}
}

// A running manager wakes when a silence ends.
func TestRunTellsWhenASilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, alerting.Config{})
		b.now = time.Now()
		b.silence(silencedKey, 20*time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx, time.Now) }()
		b.handle(alert(0, event.Low))
		time.Sleep(20*time.Minute - time.Second)
		synctest.Wait()
		b.want()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.want("opened 1 low")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// quiet checks each notification against what silences hold back, told by the plain list of them.
type quiet struct {
	t    *rapid.T
	m    *alerting.Manager
	now  time.Time
	list []alerting.Silence
	told map[event.Hash]alerting.Incident
}

func (q *quiet) Notify(_ context.Context, n alerting.Notification) (alerting.Receipt, error) {
	if n.Reason == alerting.Opened || n.Reason == alerting.Updated {
		for i := range q.list {
			if s := &q.list[i]; s.Rule == n.Incident.Rule && (s.Key == "" || s.Key == n.Incident.Key) && q.now.UnixNano() < s.Until {
				q.t.Fatalf("%s of %s is told in a silence of %q", n.Reason, n.Incident.Key, s.Key)
			}
		}
	}
	q.told[n.Incident.ID] = n.Incident
	return alerting.Receipt{}, nil
}

// TestSilencesAtRandom drives alerts, time, silences and their ends, failing writes and restarts in any
// order: nothing is told that a silence holds back, and what it held back is told in the end as it
// stands, but for what was opened and resolved in it.
func TestSilencesAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		store := alertingtest.NewStore()
		q := &quiet{t: t, now: alertingtest.Base(), told: make(map[event.Hash]alerting.Incident)}
		start := func() {
			q.m = alerting.New(alerting.Config{UpdateInterval: -1, ResolveAfter: time.Hour, Retain: 1000 * time.Hour},
				store, map[string]alerting.Notifier{"n": q}, alerting.Deps{})
		}
		start()
		var faults []alertingtest.Fault
		store.Faults = func(string, string) alertingtest.Fault {
			if len(faults) == 0 {
				return alertingtest.None
			}
			f := faults[0]
			faults = faults[1:]
			return f
		}
		// change makes a change of the silences that may fail, and takes what the manager then says of them.
		change := func(t *rapid.T, f func() error) {
			faults = rapid.SliceOfN(rapid.SampledFrom([]alertingtest.Fault{alertingtest.None, alertingtest.Lost, alertingtest.Silent}), 0, 1).Draw(t, "fault")
			err := f()
			faults = nil
			before := len(q.list)
			list, lerr := q.m.Silences(ctx)
			if lerr != nil || err == nil && len(list) < before {
				t.Fatalf("%d silences after %d, errors %v, %v", len(list), before, err, lerr)
			}
			q.list = list
		}
		held := make(map[event.Hash]bool) // resolved in a silence, and not known
		tick := func() {
			if err := q.m.Tick(ctx, q.now); err != nil {
				t.Fatal(err)
			}
			all, err := q.m.Incidents(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range all {
				inc := &all[i]
				if _, told := q.told[inc.ID]; told || inc.Resolved != q.now.UnixNano() {
					continue
				}
				for j := range q.list {
					s := &q.list[j]
					held[inc.ID] = held[inc.ID] || (s.Key == "" || s.Key == inc.Key) && q.now.UnixNano() < s.Until
				}
			}
		}
		key := func(t *rapid.T) string { return fmt.Sprintf("198.51.100.%d", rapid.IntRange(0, 2).Draw(t, "key")) }
		t.Repeat(map[string]func(*rapid.T){
			"alert": func(t *rapid.T) {
				at := int(q.now.Sub(alertingtest.Base()) / time.Second)
				a := alertingtest.Alert("r.x", key(t), at, rapid.SampledFrom(event.Severities()).Draw(t, "severity"))
				if err := q.m.Handle(ctx, q.now, []*event.Alert{a}); err != nil {
					t.Fatal(err)
				}
			},
			"silence": func(t *rapid.T) {
				s := alerting.Silence{Rule: "r.x", By: "ana", Reason: "why"}
				if rapid.Bool().Draw(t, "of a key") {
					s.Key = "client.ip=" + key(t)
				}
				s.Until = q.now.Add(time.Duration(rapid.IntRange(1, 10000).Draw(t, "seconds")) * time.Second).UnixNano()
				change(t, func() error { _, err := q.m.Silence(ctx, q.now, s); return err })
			},
			"end": func(t *rapid.T) {
				if len(q.list) == 0 {
					t.Skip("no silence")
				}
				id := rapid.SampledFrom(q.list).Draw(t, "silence").ID
				change(t, func() error { _, _, err := q.m.EndSilence(ctx, q.now, id); return err })
			},
			"time passes": func(t *rapid.T) {
				q.now = q.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second)
				tick()
			},
			"deliver": func(t *rapid.T) {
				if err := q.m.Flush(ctx, q.now); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				start()
				if list, err := q.m.Silences(ctx); err != nil || !slices.Equal(list, q.list) {
					t.Fatalf("silences after a restart: %v (error %v), before it: %v", list, err, q.list)
				}
			},
		})
		q.now = q.now.Add(3 * time.Hour) // all silences are over
		if err := q.m.Flush(ctx, q.now); err != nil {
			t.Fatal(err)
		}
		incidents, err := q.m.Incidents(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, inc := range incidents {
			if _, told := q.told[inc.ID]; !told && held[inc.ID] {
				continue
			}
			if held[inc.ID] {
				t.Fatalf("incident %+v was told of, though a silence kept it until its end", inc)
			}
			if q.told[inc.ID] != inc {
				t.Fatalf("incident %+v was last told of as %+v", inc, q.told[inc.ID])
			}
		}
	})
}
