// Package alertingtest is what tests of alerting and of its notifiers share: notifications to try,
// the contract that every notifier keeps, a store that fails on demand, and a notifier that records.
//
// It is for tests only.
package alertingtest

import (
	"strings"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/internal/event"
)

// Base is the time of the sample alerts: 2026-01-01 10:02:00 UTC.
func Base() time.Time { return time.Date(2026, 1, 1, 10, 2, 0, 0, time.UTC) }

// Alert is an alert of a rule about an address, the n-th second after Base.
func Alert(rule, ip string, n int, severity event.Severity) *event.Alert {
	t := Base().Add(time.Duration(n) * time.Second).UnixNano()
	a := &event.Alert{
		ID:   event.HashStrings("test alert", rule, ip, time.Unix(0, t).UTC().String()),
		Time: t,
		Rule: event.AlertRule{
			ID: rule, Version: 3, Name: "Burst of refused API keys from " + ip,
			Description: "Many calls with bad credentials.",
			Playbook:    "auth/bad-credentials-burst", Severity: severity, Risk: 60,
			Attack: []string{"T1110.003"},
		},
		Key:       []event.Value{{Field: event.ClientIP, Str: ip}},
		Count:     212,
		Threshold: 20,
		Window:    5 * time.Minute,
		First:     t - int64(4*time.Minute+52*time.Second),
		Last:      t,
		Top: []event.Top{
			{Field: event.GatewayAuthReason, Values: []string{"unknown_key", "revoked"}},
			{Field: event.UserAgentOriginal, Values: []string{"python-requests/2.31"}},
		},
		Explain: "212 refused calls in 5m from " + ip + " (threshold 20)",
		Mode:    "live",
		Tenant:  "banka",
	}
	for i := range 7 {
		a.Evidence = append(a.Evidence, event.HashStrings("test event", ip, string(rune('a'+i))))
	}
	return a
}

// Playbook is a page as LoadLibrary makes it.
func Playbook() *alerting.Playbook {
	return &alerting.Playbook{
		Name: "auth/bad-credentials-burst", Title: "Burst of bad credentials", Version: 2, Owner: "SOC lead",
		Rules:     []string{"lw.auth.burst-per-ip"},
		Tell:      []alerting.Tell{{Who: "the data protection officer", Within: 72 * time.Hour, Why: "GDPR 33"}},
		FirstStep: "Open the query and see whether any call from this address was accepted after the refusals: an accepted one means that a key was found.",
		URL:       "https://wiki.bank.example/playbooks/auth/bad-credentials-burst.md",
	}
}

// Samples are evidence events.
func Samples(n int) []event.Document {
	var out []event.Document
	for i := range n {
		id := event.HashStrings("test event", string(rune('a'+i)))
		t := event.FormatTime(Base().Add(time.Duration(i) * time.Second).UnixNano())
		out = append(out, event.Document{ID: id, Dataset: "liveward.event", JSON: []byte(`{"@timestamp":"` + t +
			`","client":{"ip":"203.0.113.7"},"gateway":{"auth":"refused","auth_reason":"unknown_key"},` +
			`"http":{"request":{"method":"POST"},"response":{"status_code":401}},"url":{"path":"/v1/liveness/check"},` +
			`"user_agent":{"original":"python-requests/2.31"}}`)})
	}
	return out
}

// Notification makes a notification of an alert as the manager would.
func Notification(reason alerting.Reason, a *event.Alert) alerting.Notification {
	n := alerting.Notification{
		Reason: reason, Alert: a, Playbook: Playbook(), Samples: Samples(3), FollowUp: true,
		Incident: alerting.Incident{
			ID: event.HashStrings("test incident", a.ID.String()), Group: a.Group(), Opened: a.Time, LastAlert: a.Time,
			FirstEvent: a.First, LastEvent: a.Last, Alerts: 1, Events: a.Count, Severity: a.Rule.Severity,
			Rule: a.Rule.ID, Title: a.Rule.Name, Key: a.KeyText(), Tenant: a.Tenant, Changes: 1,
		},
		Links: alerting.Links{
			Playbook: Playbook().URL,
			Discover: alerting.LinkBuilder{Kibana: "https://kibana.bank.example", Space: "soc"}.Discover(a),
		},
	}
	if reason == alerting.Resolved {
		n.Incident.Resolved = a.Time + int64(time.Hour)
		n.Incident.Changes++
	}
	return n
}

// Named is a notification with a name for its test.
type Named struct {
	Name string
	alerting.Notification
}

// Markup is text of a log that means something in some place where it may be shown.
func Markup() string {
	return "<!channel> <@U123> <https://evil.example|click> http://evil.example/x & *b* _i_ ~s~ `c` ```d``` :bomb: " +
		"\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07x \r\n\t\x00\x07\u202egnp.exe\u2066\u200b\ufeff \xff\xfe &amp; &lt;"
}

// Notifications are those every notifier must be able to show.
func Notifications() []Named {
	var out []Named
	for _, b := range builders() {
		out = append(out, Named{b.name, b.build()})
	}
	return out
}

// pick makes one of Notifications anew.
func pick(name string) alerting.Notification {
	for _, b := range builders() {
		if b.name == name {
			return b.build()
		}
	}
	panic("no notification " + name)
}

type builder struct {
	name  string
	build func() alerting.Notification
}

func builders() []builder {
	usual := func(reason alerting.Reason, severity event.Severity) func() alerting.Notification {
		return func() alerting.Notification {
			return Notification(reason, Alert("lw.auth.burst-per-ip", "203.0.113.7", 0, severity))
		}
	}
	text := func(s string) func() alerting.Notification {
		return func() alerting.Notification { return hostile(s) }
	}
	return []builder{
		{"opened", usual(alerting.Opened, event.High)},
		{"updated", usual(alerting.Updated, event.High)},
		{"escalated", usual(alerting.Escalated, event.Critical)},
		{"resolved", usual(alerting.Resolved, event.High)},
		{"empty", func() alerting.Notification {
			return alerting.Notification{Reason: alerting.Opened, Alert: &event.Alert{}}
		}},
		{"nothing configured", func() alerting.Notification {
			n := usual(alerting.Opened, event.Low)()
			n.Playbook, n.Links, n.Samples = nil, alerting.Links{}, nil
			return n
		}},
		{"drill", func() alerting.Notification {
			n := usual(alerting.Opened, event.Medium)()
			n.Incident.Drill, n.Alert.Drill = true, true
			return n
		}},
		{"hostile", text(Markup())},
		{"long", text(strings.Repeat(Markup(), 40))},
		{"long word", text(strings.Repeat("&", 5000))},
		{"wide", text(strings.Repeat("顔😀", 1500))},
	}
}

// hostile is a notification in which every text that can come from a log is s.
func hostile(s string) alerting.Notification {
	a := Alert("lw.auth.burst-per-ip", "203.0.113.7", 0, event.High)
	a.Rule.Name, a.Explain, a.Tenant = s, s, s
	a.Key = []event.Value{{Field: event.UserAgentOriginal, Str: s}, {Field: event.URLPath, Str: s}}
	a.Top = nil
	for _, id := range [event.MaxShow]event.ID{
		event.AgentID, event.APIKeyID, event.APIKeyOwner, event.AppVersion, event.DeviceID, event.ErrorMessage, event.GatewayConsumer, event.UserID,
	} {
		a.Top = append(a.Top, event.Top{Field: id, Values: []string{s, s, s, s}})
	}
	n := Notification(alerting.Opened, a)
	n.Playbook.Title, n.Playbook.FirstStep = s, s
	n.Playbook.Tell = []alerting.Tell{{Who: s, Within: time.Hour, Why: s}}
	n.Samples = nil
	for range alerting.MaxSamples {
		doc := []byte(`{"@timestamp":"2026-01-01T10:02:00.000Z","url":{"path":`)
		doc = event.AppendJSONString(doc, s)
		doc = append(doc, `},"user_agent":{"original":`...)
		doc = event.AppendJSONString(doc, s)
		n.Samples = append(n.Samples, event.Document{ID: event.HashStrings(s), JSON: append(doc, "}}"...)})
	}
	return n
}
