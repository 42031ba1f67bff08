package alerting_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// bench is a manager with a store, one recording notifier and a clock moved by hand.
type bench struct {
	*alerting.Manager
	t     *testing.T
	cfg   alerting.Config
	store *alertingtest.Store
	rec   *alertingtest.Recorder
	now   time.Time
}

func newBench(t *testing.T, cfg alerting.Config) *bench {
	b := &bench{t: t, cfg: cfg, store: alertingtest.NewStore(), rec: &alertingtest.Recorder{}, now: alertingtest.Base()}
	b.restart()
	return b
}

// restart makes a new manager over the same store, as after a crash.
func (b *bench) restart() {
	b.Manager = alerting.New(b.cfg, b.store, map[string]alerting.Notifier{"rec": b.rec}, alerting.Deps{})
}

func (b *bench) handle(alerts ...*event.Alert) {
	b.t.Helper()
	if err := b.Handle(b.t.Context(), b.now, alerts); err != nil {
		b.t.Fatalf("Handle: %v", err)
	}
}

func (b *bench) flush() {
	b.t.Helper()
	if err := b.Flush(b.t.Context(), b.now); err != nil {
		b.t.Fatalf("Flush: %v", err)
	}
}

func (b *bench) after(d time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(d)
	if err := b.Tick(b.t.Context(), b.now); err != nil {
		b.t.Fatalf("Tick: %v", err)
	}
}

// said is what was delivered, as "reason alerts severity", with "quiet" where no follow-up was due.
func (b *bench) said() []string {
	var out []string
	for _, n := range b.rec.Notes() {
		s := fmt.Sprintf("%s %d %s", n.Reason, n.Incident.Alerts, n.Incident.Severity)
		if !n.FollowUp {
			s += " quiet"
		}
		out = append(out, s)
	}
	return out
}

func (b *bench) want(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.said()); diff != "" {
		b.t.Errorf("delivered (-want +got):\n%s", diff)
	}
}

func alert(n int, severity event.Severity) *event.Alert {
	return alertingtest.Alert("r.x", "203.0.113.7", n, severity)
}

func TestOneIncidentPerRuleAndKey(t *testing.T) {
	b := newBench(t, alerting.Config{})
	other := alertingtest.Alert("r.x", "203.0.113.8", 0, event.Low)
	third := alertingtest.Alert("r.y", "203.0.113.7", 0, event.Low)
	b.handle(alert(0, event.Low), other, alert(1, event.Low), third)
	got, err := b.Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("%d incidents, want 3: %+v", len(got), got)
	}
	// The newest first.
	want := alerting.Incident{
		ID:         event.HashStrings("incident", alert(0, event.Low).Group().String(), alert(0, event.Low).ID.String()),
		Group:      alert(0, event.Low).Group(),
		Opened:     alert(0, event.Low).Time,
		LastAlert:  alert(1, event.Low).Time,
		FirstEvent: alert(0, event.Low).First,
		LastEvent:  alert(1, event.Low).Last,
		Alerts:     2, Events: 212, Severity: event.Low, Rule: "r.x",
		Title: "Burst of refused API keys from 203.0.113.7", Key: "client.ip=203.0.113.7", Tenant: "banka", Changes: 2,
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("incident (-want +got):\n%s", diff)
	}
	b.flush()
	if got := len(b.rec.Notes()); got != 3 {
		t.Errorf("%d notifications, want 3", got)
	}
}

func TestRepeatedAlertsDoNothing(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.Low), alert(0, event.Low))
	b.flush()
	b.handle(alert(0, event.Low))
	b.restart()
	b.handle(alert(0, event.Low))
	b.now = b.now.Add(time.Hour / 2)
	b.flush()
	b.want("opened 1 low")
	// Not even after the incident is over: a repeat is no new incident.
	b.after(2 * time.Hour)
	b.handle(alert(0, event.Low))
	b.handle(alert(1, event.Low))
	b.handle(alert(0, event.Low))
	b.flush()
	b.want("opened 1 low", "resolved 1 low", "opened 1 low")
	if got := b.Stats(b.now); got.Repeats != 3 {
		t.Errorf("%d repeats since the restart, want 3", got.Repeats)
	}
}

func TestUpdatesAreSpaced(t *testing.T) {
	b := newBench(t, alerting.Config{UpdateInterval: time.Minute, RepeatInterval: 10 * time.Minute})
	b.handle(alert(0, event.Medium))
	b.flush()
	for i := range 60 { // an alert every 10 seconds for 10 minutes
		b.now = b.now.Add(10 * time.Second)
		b.handle(alert(i+1, event.Medium))
		b.flush()
	}
	b.want("opened 1 medium", "updated 7 medium quiet", "updated 13 medium quiet", "updated 19 medium quiet",
		"updated 25 medium quiet", "updated 31 medium quiet", "updated 37 medium quiet", "updated 43 medium quiet",
		"updated 49 medium quiet", "updated 55 medium quiet", "updated 61 medium")
}

func TestEscalationDoesNotWait(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.Low))
	b.flush()
	b.handle(alert(1, event.Low))
	b.flush()
	b.handle(alert(2, event.Critical))
	b.flush()
	b.handle(alert(3, event.Low)) // it stays critical, and that is no news
	b.flush()
	b.want("opened 1 low", "escalated 3 critical")
}

func TestQuietIncidentsAreResolved(t *testing.T) {
	b := newBench(t, alerting.Config{ResolveAfter: time.Hour})
	b.handle(alert(0, event.Low))
	b.flush()
	b.after(59 * time.Minute)
	b.handle(alert(1, event.Low))
	b.flush()
	b.after(59 * time.Minute)
	b.flush()
	b.want("opened 1 low", "updated 2 low")
	b.after(time.Minute)
	b.flush()
	b.want("opened 1 low", "updated 2 low", "resolved 2 low")
	b.handle(alert(2, event.Low))
	b.flush()
	b.want("opened 1 low", "updated 2 low", "resolved 2 low", "opened 1 low")
	if notes := b.rec.Notes(); notes[2].Receipt["id"] == "" || notes[3].Receipt != nil {
		t.Errorf("receipts %v and %v: want that of its message for the resolution, none for the new incident",
			notes[2].Receipt, notes[3].Receipt)
	}
}

func TestLongWindowsAreNotQuietEarly(t *testing.T) {
	b := newBench(t, alerting.Config{ResolveAfter: time.Hour})
	a := alert(0, event.Low)
	a.Window = 24 * time.Hour
	b.handle(a)
	b.flush()
	b.after(23 * time.Hour)
	b.flush()
	b.want("opened 1 low")
	b.after(time.Hour)
	b.flush()
	b.want("opened 1 low", "resolved 1 low")
}

func TestResolvedBeforeItCouldBeTold(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.High))
	b.after(2 * time.Hour)
	b.flush()
	b.want("resolved 1 high")
}

func TestShadowIsNotNotified(t *testing.T) {
	a := alert(0, event.Critical)
	a.Mode = "shadow"
	b := newBench(t, alerting.Config{})
	b.handle(a)
	b.flush()
	b.want()
	if got := b.store.Writes(); got != 0 {
		t.Errorf("%d writes for an alert of a shadow rule", got)
	}
	b = newBench(t, alerting.Config{NotifyShadow: true})
	b.handle(a)
	b.flush()
	b.want("opened 1 critical")
}

func TestOpenIncidentsAreBounded(t *testing.T) {
	b := newBench(t, alerting.Config{MaxOpen: 3})
	flood := func() {
		for i := range 100 {
			b.handle(alertingtest.Alert("r.x", fmt.Sprintf("198.51.100.%d", i), 0, event.Low))
		}
	}
	flood()
	flood() // repeats: each is known, wherever it went
	incidents, err := b.Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, inc := range incidents {
		alerts += inc.Alerts
	}
	overflow := slices.IndexFunc(incidents, func(i alerting.Incident) bool { return i.Overflow })
	if len(incidents) != 4 || overflow < 0 || incidents[overflow].Alerts != 97 || alerts != 100 {
		t.Errorf("%d incidents with %d alerts: %+v", len(incidents), alerts, incidents)
	}
	b.flush()
	if got := len(b.rec.Notes()); got != 4 {
		t.Errorf("%d notifications, want 4", got)
	}
	b.after(2 * time.Hour)
	b.flush()
	b.after(48 * time.Hour)
	if keys, _ := b.store.Keys(t.Context()); len(keys) != 0 {
		t.Errorf("%d incidents are kept for ever", len(keys))
	}
}

func TestResolvedIncidentsAreBounded(t *testing.T) {
	b := newBench(t, alerting.Config{MaxOpen: 5})
	for i := range 40 {
		b.handle(alertingtest.Alert("r.x", fmt.Sprintf("198.51.100.%d", i), 0, event.Low))
		b.after(2 * time.Hour)
	}
	if keys, _ := b.store.Keys(t.Context()); len(keys) > 5 {
		t.Errorf("%d incidents are kept, want at most 5", len(keys))
	}
	if got := b.Stats(b.now).Expired; got == 0 {
		t.Error("what was never told is not counted")
	}
}

func TestManyAlertsOfOneIncidentStayBounded(t *testing.T) {
	b := newBench(t, alerting.Config{})
	var alerts []*event.Alert
	for i := range 5000 {
		alerts = append(alerts, alert(i, event.Low))
	}
	b.handle(alerts...)
	b.handle(alerts[4200:]...)
	keys, _ := b.store.Keys(t.Context())
	value, _, err := b.store.Load(t.Context(), keys[0])
	if err != nil || len(keys) != 1 || len(value) > 32<<10 {
		t.Errorf("%d records, the first of %d bytes, %v", len(keys), len(value), err)
	}
	if got, _ := b.Incidents(t.Context()); got[0].Alerts != 5000 {
		t.Errorf("%d alerts, want 5000", got[0].Alerts)
	}
}

func TestFailedDeliveriesAreTriedAgain(t *testing.T) {
	b := newBench(t, alerting.Config{})
	down := true
	attempts := 0
	b.rec.Fail = func(alerting.Notification) error {
		attempts++
		if down {
			return errors.New("down")
		}
		return nil
	}
	b.handle(alert(0, event.Low))
	for range 120 { // a minute in steps of half a second
		_ = b.Flush(t.Context(), b.now)
		b.now = b.now.Add(500 * time.Millisecond)
	}
	if attempts != 6 { // at 0, 1, 3, 7, 15 and 31 seconds
		t.Errorf("%d attempts in a minute, want 6", attempts)
	}
	down = false
	b.now = b.now.Add(5 * time.Minute)
	b.flush()
	b.want("opened 1 low")
}

type later struct{ time.Duration }

func (l later) Error() string             { return "slow down" }
func (l later) RetryAfter() time.Duration { return l.Duration }

func TestRetryAfterIsRespected(t *testing.T) {
	b := newBench(t, alerting.Config{})
	attempts := 0
	b.rec.Fail = func(alerting.Notification) error {
		if attempts++; attempts == 1 {
			return fmt.Errorf("wrapped: %w", later{42 * time.Second})
		}
		return nil
	}
	b.handle(alert(0, event.Low), alertingtest.Alert("r.y", "203.0.113.7", 0, event.Low))
	if err := b.Flush(t.Context(), b.now); err == nil {
		t.Error("Flush hides the failure")
	}
	b.now = b.now.Add(41 * time.Second)
	b.flush()
	if attempts != 1 {
		t.Fatalf("%d attempts before the time asked for", attempts)
	}
	b.now = b.now.Add(time.Second)
	b.flush()
	b.want("opened 1 low", "opened 1 low")
}

func TestOnePoisonousMessageDoesNotHoldUpOthers(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.rec.Fail = func(n alerting.Notification) error {
		if n.Incident.Rule == "r.poison" {
			return errors.New("refused")
		}
		return nil
	}
	b.handle(alertingtest.Alert("r.poison", "203.0.113.7", 0, event.Critical), alert(0, event.Low), alert(1, event.Low))
	_ = b.Flush(t.Context(), b.now)
	b.now = b.now.Add(time.Second)
	_ = b.Flush(t.Context(), b.now)
	b.want("opened 2 low")
}

func TestMostSevereFirst(t *testing.T) {
	b := newBench(t, alerting.Config{})
	for i, s := range []event.Severity{event.Medium, event.Critical, event.Low, event.High} {
		b.handle(alertingtest.Alert(fmt.Sprintf("r.x%d", i), "203.0.113.7", 0, s))
	}
	b.flush()
	b.want("opened 1 critical", "opened 1 high", "opened 1 medium", "opened 1 low")
}

// digester is a Recorder that can digest.
type digester struct {
	alertingtest.Recorder
	digests []int
}

func (d *digester) Digest(_ context.Context, in alerting.Digest) (alerting.Receipt, error) {
	d.digests = append(d.digests, len(in.Incidents))
	return alerting.Receipt{"digest": "1"}, nil
}

func TestManyNewIncidentsAreDigested(t *testing.T) {
	store, rec := alertingtest.NewStore(), &digester{}
	m := alerting.New(alerting.Config{DigestOver: 4}, store, map[string]alerting.Notifier{"rec": rec}, alerting.Deps{})
	var alerts []*event.Alert
	for i := range 30 {
		severity := event.Low
		if i == 17 {
			severity = event.Critical
		}
		alerts = append(alerts, alertingtest.Alert("r.x", fmt.Sprintf("198.51.100.%d", i), 0, severity))
	}
	now := alertingtest.Base()
	if err := m.Handle(t.Context(), now, alerts); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := m.Flush(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	notes := rec.Notes()
	if len(rec.digests) != 1 || rec.digests[0] != 26 || len(notes) != 4 || notes[0].Incident.Severity != event.Critical {
		t.Errorf("digests of %v, %d messages of their own", rec.digests, len(notes))
	}
	if got := m.Stats(time.Now()).Notifier["rec"]; got.Digested != 26 || got.Delivered != 5 || got.Pending != 0 {
		t.Errorf("stats %+v", got)
	}
}

func TestNewNotifierIsToldWhatIsOpen(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.Low), alertingtest.Alert("r.y", "203.0.113.7", 0, event.Low))
	b.flush()
	b.after(2 * time.Hour)
	b.handle(alert(1, event.Low))
	b.flush()
	second := &alertingtest.Recorder{}
	b.Manager = alerting.New(b.cfg, b.store, map[string]alerting.Notifier{"rec": b.rec, "new": second}, alerting.Deps{})
	b.flush()
	if notes := second.Notes(); len(notes) != 1 || notes[0].Reason != alerting.Opened || notes[0].Incident.Rule != "r.x" {
		t.Errorf("the new notifier is told %+v, want the one open incident", notes)
	}
}

func TestWhatIsShown(t *testing.T) {
	files := pageFS(goodPage)
	lib, err := alerting.LoadLibrary(files, "https://wiki.bank.example/pb")
	if err != nil {
		t.Fatal(err)
	}
	var asked [][]event.Hash
	rec := &alertingtest.Recorder{}
	m := alerting.New(alerting.Config{}, alertingtest.NewStore(), map[string]alerting.Notifier{"rec": rec}, alerting.Deps{
		Playbooks: lib,
		Links:     alerting.LinkBuilder{Kibana: "https://kibana.bank.example"},
		Samples: func(_ context.Context, ids []event.Hash) []event.Document {
			asked = append(asked, ids)
			return alertingtest.Samples(9)
		},
	})
	a := alert(0, event.Low)
	if err := m.Handle(t.Context(), alertingtest.Base(), []*event.Alert{a}); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(t.Context(), alertingtest.Base()); err != nil {
		t.Fatal(err)
	}
	n := rec.Notes()[0]
	if n.Playbook == nil || n.Links.Playbook != "https://wiki.bank.example/pb/auth/bad-credentials-burst.md" {
		t.Errorf("playbook %v, links %+v", n.Playbook, n.Links)
	}
	if !strings.HasPrefix(n.Links.Discover, "https://kibana.bank.example/app/discover#/?_g=") {
		t.Errorf("discover %q", n.Links.Discover)
	}
	if len(n.Samples) != alerting.MaxSamples {
		t.Errorf("%d samples, want %d", len(n.Samples), alerting.MaxSamples)
	}
	if diff := cmp.Diff([][]event.Hash{a.Evidence[2:]}, asked); diff != "" {
		t.Errorf("asked for evidence (-want +got):\n%s", diff)
	}
	if n.Alert.ID != a.ID || n.Alert.Rule.Name != a.Rule.Name || n.Alert.KeyText() != a.KeyText() {
		t.Errorf("alert %+v", n.Alert)
	}
}

func TestCorruptRecordsAreLeftAlone(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.Low))
	for i, value := range []string{"", "{", "null", `{"v":99}`, `{"v":1,"applied":"AA=="}`} {
		b.store.Put(fmt.Sprintf("incident.broken%d", i), []byte(value))
	}
	b.restart()
	b.handle(alert(1, event.Low))
	b.flush()
	b.want("opened 2 low")
	if got := b.Stats(b.now).Corrupt; got != 5 {
		t.Errorf("%d corrupt records, want 5", got)
	}
	if keys, _ := b.store.Keys(t.Context()); len(keys) != 6 {
		t.Errorf("%d keys are left, want 6", len(keys))
	}
}

func TestStoreFailureAfterDeliveryRepeatsNothing(t *testing.T) {
	for _, fault := range []alertingtest.Fault{alertingtest.Lost, alertingtest.Silent} {
		b := newBench(t, alerting.Config{})
		b.handle(alert(0, event.Low))
		failing := 3
		b.store.Faults = func(string, string) alertingtest.Fault {
			if failing--; failing >= 0 {
				return fault
			}
			return alertingtest.None
		}
		for range 5 {
			_ = b.Flush(t.Context(), b.now)
			b.now = b.now.Add(time.Minute)
		}
		b.restart()
		b.flush()
		b.want("opened 1 low")
	}
}

func TestAnotherWriterIsNotOverwritten(t *testing.T) {
	b := newBench(t, alerting.Config{})
	b.handle(alert(0, event.Low))
	other := alerting.New(b.cfg, b.store, map[string]alerting.Notifier{"rec": b.rec}, alerting.Deps{})
	if err := other.Handle(t.Context(), b.now, []*event.Alert{alert(1, event.Low)}); err != nil {
		t.Fatal(err)
	}
	if err := b.Handle(t.Context(), b.now, []*event.Alert{alert(2, event.Low)}); err == nil {
		t.Fatal("a write over another one's succeeds")
	}
	b.handle(alert(2, event.Low)) // after loading what the other has written
	if got, _ := b.Incidents(t.Context()); got[0].Alerts != 3 {
		t.Errorf("%d alerts, want 3", got[0].Alerts)
	}
}

// stuck is a notifier that answers only when it is let go.
type stuck struct {
	alertingtest.Recorder
	free chan struct{}
}

func (s *stuck) Notify(ctx context.Context, n alerting.Notification) (alerting.Receipt, error) {
	select {
	case <-s.free:
		return s.Recorder.Notify(ctx, n)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &stuck{free: make(chan struct{})}, &alertingtest.Recorder{}
		failures := 2
		quick.Fail = func(alerting.Notification) error {
			if failures--; failures >= 0 {
				return later{10 * time.Second}
			}
			return nil
		}
		m := alerting.New(alerting.Config{ResolveAfter: 10 * time.Minute}, alertingtest.NewStore(),
			map[string]alerting.Notifier{"slow": slow, "quick": quick}, alerting.Deps{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx, time.Now) }()
		start := time.Now()
		if err := m.Handle(ctx, start, []*event.Alert{alert(0, event.Low)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Second + time.Millisecond) // on the bubble's clock
		synctest.Wait()
		if got := len(quick.Notes()); got != 1 {
			t.Errorf("%d notifications 20 seconds after two answers asking for 10 each, want 1", got)
		}
		if got := len(slow.Notes()); got != 0 {
			t.Errorf("%d notifications of the notifier that is stuck", got)
		}
		close(slow.free)
		synctest.Wait()
		if got := len(slow.Notes()); got != 1 {
			t.Errorf("%d notifications of the notifier that was stuck, want 1", got)
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		for name, rec := range map[string]*alertingtest.Recorder{"slow": &slow.Recorder, "quick": quick} {
			notes := rec.Notes()
			if len(notes) != 2 || notes[1].Reason != alerting.Resolved {
				t.Errorf("%s: %d notifications, want that it is resolved too", name, len(notes))
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// Silence goes on however quiet it is: its incident is open until something is seen again, or until nobody
// would remember to tell of that.
func TestLastingIncidentsWaitForRecovery(t *testing.T) {
	b := newBench(t, alerting.Config{ResolveAfter: time.Hour})
	a := alert(0, event.High)
	a.Lasting = true
	b.handle(a)
	b.flush()
	b.after(29 * 24 * time.Hour)
	b.flush()
	b.want("opened 1 high")
	recovered := alert(1, event.High)
	recovered.Status, recovered.Time = event.Recovered, a.Time+int64(29*24*time.Hour)
	b.handle(recovered)
	b.flush()
	b.want("opened 1 high", "resolved 1 high")
	again := alert(2, event.High)
	again.Lasting, again.Time = true, recovered.Time+int64(time.Hour)
	b.handle(again)
	b.flush()
	b.after(30 * 24 * time.Hour)
	b.flush()
	b.want("opened 1 high", "resolved 1 high", "opened 1 high", "resolved 1 high")
}

// What was absent and has been seen again ends its incident; a remark on an alert pages nobody.
func TestRecoveredEndsItsIncident(t *testing.T) {
	b := newBench(t, alerting.Config{})
	fired := alertingtest.Alert("lw.source.silent", "203.0.113.7", 1, event.High)
	b.handle(fired)
	b.flush()
	updated := alertingtest.Alert("lw.source.silent", "203.0.113.7", 2, event.High)
	updated.Status = event.Updated
	recovered := alertingtest.Alert("lw.source.silent", "203.0.113.7", 3, event.High)
	recovered.Status, recovered.Time = event.Recovered, fired.Time+int64(time.Hour)
	b.handle(updated, recovered)
	b.flush()
	var reasons []alerting.Reason
	for _, n := range b.rec.Notes() {
		reasons = append(reasons, n.Reason)
	}
	if diff := cmp.Diff([]alerting.Reason{alerting.Opened, alerting.Resolved}, reasons); diff != "" {
		t.Error(diff)
	}
	again := alertingtest.Alert("lw.source.silent", "203.0.113.7", 4, event.High)
	again.Time = recovered.Time + int64(time.Hour)
	b.handle(again)
	b.handle(recovered) // comes again after a crash: it is older than what is open
	all, err := b.Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, i := range all {
		if i.Resolved == 0 {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d incidents open, want the new one", open)
	}
}

// An alert that went into the shared incident for want of room is given again when there is room: it
// is a repeat all the same.
func TestRepeatOfWhatOverflowTook(t *testing.T) {
	store := alertingtest.NewStore()
	m := alerting.New(alerting.Config{MaxOpen: 1, ResolveAfter: time.Hour}, store, nil, alerting.Deps{})
	at := func(key string, s int) *event.Alert { return alertingtest.Alert("r.x", key, s, event.High) }
	base, ctx := alertingtest.Base(), context.Background()
	handle := func(now time.Time, alerts ...*event.Alert) {
		t.Helper()
		if err := m.Handle(ctx, now, alerts); err != nil {
			t.Fatal(err)
		}
	}
	handle(base, at("198.51.100.1", 0))
	handle(base.Add(30*time.Minute), at("198.51.100.2", 1800))
	later := base.Add(61 * time.Minute) // the first is over, the shared one is not
	if err := m.Tick(ctx, later); err != nil {
		t.Fatal(err)
	}
	handle(later, at("198.51.100.2", 3660), at("198.51.100.2", 1800))
	incidents, err := m.Incidents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, inc := range incidents {
		alerts += inc.Alerts
	}
	if alerts != 3 || len(incidents) != 3 || m.Stats(time.Now()).Repeats != 1 {
		t.Errorf("%d alerts in %d incidents and %d repeats, want 3, 3 and 1", alerts, len(incidents), m.Stats(time.Now()).Repeats)
	}
}
