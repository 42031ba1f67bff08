package alerting_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/alerting/alertingtest"
	"github.com/liveward/liveward/internal/event"
)

// deaf is a notifier that hears nothing for a while.
type deaf struct{ hears bool }

func (d *deaf) Notify(context.Context, alerting.Notification) (alerting.Receipt, error) {
	if !d.hears {
		return nil, errors.New("unreachable")
	}
	return alerting.Receipt{"id": "1"}, nil
}

// A description says how the incident stands and how far each notifier is, and tells nobody.
func TestDescribe(t *testing.T) {
	ctx, base := context.Background(), alertingtest.Base()
	slack, pager := &deaf{}, &deaf{hears: true}
	m := alerting.New(alerting.Config{UpdateInterval: -1, ResolveAfter: time.Hour}, alertingtest.NewStore(),
		map[string]alerting.Notifier{"slack": slack, "pager": pager}, alerting.Deps{})
	if _, ok, err := m.Describe(ctx, event.HashStrings("nobody")); ok || err != nil {
		t.Errorf("an incident that is not there: %v, %v", ok, err)
	}
	handle := func(now time.Time, n int) {
		t.Helper()
		if err := m.Handle(ctx, now, []*event.Alert{alertingtest.Alert("r.x", "198.51.100.7", n, event.High)}); err != nil {
			t.Fatal(err)
		}
	}
	var id event.Hash
	describe := func(reason alerting.Reason, alerts int, want ...alerting.Telling) {
		t.Helper()
		incidents, err := m.Incidents(ctx)
		if err != nil || len(incidents) != 1 {
			t.Fatalf("incidents %v, error %v", incidents, err)
		}
		id = incidents[0].ID
		d, ok, err := m.Describe(ctx, id)
		if !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		n := d.Notification
		if n.Reason != reason || n.Incident.Alerts != alerts || n.Alert.KeyText() != "client.ip=198.51.100.7" || n.Receipt != nil {
			t.Errorf("described as %s with %d alerts of %s", n.Reason, n.Incident.Alerts, n.Alert.KeyText())
		}
		if diff := cmp.Diff(want, d.Tellings); diff != "" {
			t.Errorf("tellings (-want +got):\n%s", diff)
		}
	}
	handle(base, 0)
	describe(alerting.Opened, 1, alerting.Telling{Notifier: "pager", Pending: alerting.Opened}, alerting.Telling{Notifier: "slack", Pending: alerting.Opened})
	_ = m.Flush(ctx, base) // slack does not hear it
	sent := base.UnixNano()
	describe(alerting.Opened, 1, alerting.Telling{Notifier: "pager", Sent: sent}, alerting.Telling{Notifier: "slack", Pending: alerting.Opened})
	handle(base.Add(time.Minute), 60)
	describe(alerting.Updated, 2, alerting.Telling{Notifier: "pager", Sent: sent, Pending: alerting.Updated}, alerting.Telling{Notifier: "slack", Pending: alerting.Opened})
	slack.hears = true
	later := base.Add(2 * time.Hour)
	if err := errors.Join(m.Tick(ctx, later), m.Flush(ctx, later)); err != nil {
		t.Fatal(err)
	}
	sent = later.UnixNano()
	describe(alerting.Resolved, 2, alerting.Telling{Notifier: "pager", Sent: sent}, alerting.Telling{Notifier: "slack", Sent: sent})
}
