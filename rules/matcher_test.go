package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// loadText loads rules from bodies by id; what every rule has is added.
func loadText(tb testing.TB, bodies map[string]string) *Set {
	tb.Helper()
	set, err := Load(ruleFiles(bodies), Options{Playbooks: func(string) bool { return true }})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func ruleFiles(bodies map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for id, body := range bodies {
		text := fmt.Sprintf("id: %s\nversion: 1\ndescription: x\nseverity: low\nplaybook: a/b\n", id)
		if !strings.Contains(body, "title:") {
			text += "title: x\n"
		}
		if !strings.Contains(body, "tests:") {
			text += "tests: [{events: [{at: 0s}], alerts: []}]\n"
		}
		fsys[id+".yaml"] = &fstest.MapFile{Data: []byte(text + body)}
	}
	return fsys
}

// The index may offer too many rules, never too few: with it, the same rules match as when each is
// tried.
func indexNeverUnderSelects(t *rapid.T) {
	lists := testLists()
	c := newCompiler(lists)
	var rules []*Rule
	for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
		e, _ := c.compile(drawCondition(t, 3))
		if e == nil {
			continue
		}
		id := fmt.Sprintf("t.r%02d", i)
		rules = append(rules, &Rule{
			ID: id, Kind: Each, State: event.HashStrings(id),
			matcher: &matcher{test: e.test, conjuncts: e.conjuncts},
		})
	}
	set := NewSet(rules...)
	m := set.NewMatcher()
	for range 5 {
		ev := drawEvent(t, lists)
		var want []string
		for _, r := range set.Rules() {
			if r.matcher.test(&scope{event: &ev.event}) {
				want = append(want, r.ID)
			}
		}
		var buf event.SignalBuffer
		m.Match(&ev.event, Origin{}, &buf)
		var got []string
		for i := range buf.Signals {
			got = append(got, set.ByState(buf.Signals[i].State).ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("matched with the index (+) and without (-):\n%s", diff)
		}
	}
}

func TestIndexNeverUnderSelects(t *testing.T) { rapid.Check(t, indexNeverUnderSelects) }

func FuzzIndexNeverUnderSelects(f *testing.F) { f.Fuzz(rapid.MakeFuzz(indexNeverUnderSelects)) }

func TestIndexTakesTheRarestValue(t *testing.T) {
	set := loadText(t, map[string]string{
		"t.a": `when: event.outcome == "success" and organization.id == "bank-a" and gateway.auth == "accepted"`,
		"t.b": `when: gateway.auth == "refused"`,
		"t.c": `when: http.response.status_code in [401, 403] and event.outcome == "failure"`,
		"t.d": `when: client.allow_listed == false`,
		"t.e": `when: missing(app.version)`,
		"t.f": `when: organization.id in ["bank-a", "bank-b"] or gateway.auth == "absent"`,
	})
	got := map[string][]string{}
	for _, f := range set.index.fields {
		for _, rules := range f.texts {
			for _, r := range rules {
				got[f.id.String()] = append(got[f.id.String()], set.rules[r].ID)
			}
		}
		for _, rules := range f.wholes {
			for _, r := range rules {
				got[f.id.String()] = append(got[f.id.String()], set.rules[r].ID)
			}
		}
	}
	want := map[string][]string{
		"organization.id": {"t.a"}, "gateway.auth": {"t.b"}, "http.response.status_code": {"t.c", "t.c"}, "client.allow_listed": {"t.d"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
	if n := len(set.index.scan); n != 2 {
		t.Errorf("%d rules are scanned, want 2", n)
	}
}

func TestSignal(t *testing.T) {
	set := loadText(t, map[string]string{
		"t.each": `
title: "{liveness.vendor} {client.ip}"
when: gateway.auth == "refused"
by: [client.ip]
show: [http.response.status_code]`,
		"t.count": "when: gateway.auth == \"refused\"\nby: [organization.id]\nwindow: 1m\nthreshold: 3\nonce: [liveness.session_id, liveness.attempt]",
		"t.people": "when: gateway.auth == \"refused\"\nby: [organization.id, client.ip]\nwindow: 1m\n" +
			"distinct: {of: user.id, at_least: 3}",
	})
	var ev event.Event
	ev.SetTime(event.Timestamp, 1000)
	ev.SetString(event.GatewayAuth, "refused")
	ev.SetString(event.ClientIP, "203.0.113.7")
	ev.SetString(event.OrganizationID, "bank-a")
	ev.SetString(event.LivenessSessionID, "s1")
	ev.SetString(event.LivenessVendor, "acme")
	ev.SetInt(event.HTTPResponseStatusCode, 401)
	ev.SetString(event.UserID, "u1")
	ev.SetLabel("drill", "true")
	ev.Former = []event.Value{{Field: event.DeviceID, Str: "d0"}, {Field: event.UserID, Str: "u0"}, {Field: event.UserID, Str: "u00"}}

	m := set.NewMatcher()
	var buf event.SignalBuffer
	id := event.HashStrings("e")
	match := func() map[string]event.Signal {
		buf.Reset()
		m.Match(&ev, Origin{File: 2, Offset: 77, Index: 3, Ingest: 5000, Event: id}, &buf)
		out := map[string]event.Signal{}
		for _, s := range buf.Signals {
			out[set.ByState(s.State).ID] = s
		}
		return out
	}
	str := func(f event.ID, v string) event.Value { return event.Value{Field: f, Str: v} }
	base := event.Signal{Event: id, Time: 1000, File: 2, Offset: 77, Index: 3, Drill: true}
	each, count, people := base, base, base
	each.State, count.State, people.State = set.Rule("t.each").State, set.Rule("t.count").State, set.Rule("t.people").State
	each.Key = []event.Value{str(event.ClientIP, "203.0.113.7")}
	each.Show = []event.Value{
		str(event.LivenessVendor, "acme"), {Field: event.HTTPResponseStatusCode, Num: 401}, str(event.OrganizationID, "bank-a"),
	}
	count.Key = []event.Value{str(event.OrganizationID, "bank-a")}
	count.Of = []event.Value{str(event.LivenessSessionID, "s1"), {Field: event.LivenessAttempt}}
	count.Show = []event.Value{str(event.ClientIP, "203.0.113.7"), str(event.LivenessVendor, "acme")}
	people.Key = []event.Value{str(event.OrganizationID, "bank-a"), str(event.ClientIP, "203.0.113.7")}
	people.Of = []event.Value{str(event.UserID, "u1")}
	people.Former = []event.Value{str(event.UserID, "u0"), str(event.UserID, "u00")} // of those that it counts alone
	people.Show = []event.Value{str(event.LivenessVendor, "acme")}
	want := map[string]event.Signal{"t.each": each, "t.count": count, "t.people": people}
	// cmp sees a nil and an empty slice as different, and they are not.
	normal := cmp.Transformer("values", func(v []event.Value) string { return fmt.Sprint(v) })
	if diff := cmp.Diff(want, match(), normal); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}

	// A skewed event is known by the time it was read; a late one says so.
	ev.SetBool(event.LivewardSkewed, true)
	ev.SetBool(event.LivewardLate, true)
	if s := match()["t.each"]; s.Time != 5000 || !s.Skewed || !s.Late {
		t.Errorf("skewed and late signal is %+v", s)
	}
	ev.Clear(event.LivewardSkewed)

	// Without any value of once, the event counts by itself.
	ev.Clear(event.LivenessSessionID)
	if s := match()["t.count"]; len(s.Of) != 0 {
		t.Errorf("of is %v, want none", s.Of)
	}

	// No key, or nothing to count: no signal, and it is counted.
	ev.Clear(event.UserID)
	ev.SetString(event.OrganizationID, "")
	got := match()
	if len(got) != 1 || got["t.each"].State.IsZero() {
		t.Errorf("signals without a key: %v", got)
	}
	stats := m.Stats()
	for i, r := range set.Rules() {
		if r.ID != "t.each" && stats[i].NoKey != 1 {
			t.Errorf("%s: no_key is %d, want 1", r.ID, stats[i].NoKey)
		}
		if r.ID == "t.each" && stats[i].Matches != 4 {
			t.Errorf("%s: matches is %d, want 4", r.ID, stats[i].Matches)
		}
	}
}

// Exceptions end by event time: case 49.
func TestExceptUntil(t *testing.T) {
	set := loadText(t, map[string]string{"t.a": `
when: gateway.auth == "refused"
by: [client.ip]
except: [{when: 'client.ip == "203.0.113.7"', until: 2026-02-01, owner: soc, why: test}]`})
	until, err := event.ParseTime("2026-02-01T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	m := set.NewMatcher()
	f := func(ns int64, ip string, want int) {
		t.Helper()
		var ev event.Event
		var buf event.SignalBuffer
		ev.SetTime(event.Timestamp, ns)
		ev.SetString(event.GatewayAuth, "refused")
		ev.SetString(event.ClientIP, ip)
		m.Match(&ev, Origin{}, &buf)
		if len(buf.Signals) != want {
			t.Errorf("%d signals, want %d", len(buf.Signals), want)
		}
	}
	f(until-1, "203.0.113.7", 0)
	f(until-1, "203.0.113.8", 1)
	f(until, "203.0.113.7", 1)
	if s := m.Stats()[0]; s.Excepted != 1 {
		t.Errorf("excepted is %d, want 1", s.Excepted)
	}
}

// manyRules are n rules of the usual form, of which at most one matches an event.
func manyRules(tb testing.TB, n int) *Set {
	bodies := map[string]string{}
	for i := range n {
		bodies[fmt.Sprintf("t.r%04d", i)] = fmt.Sprintf(
			"when: organization.id == \"bank-%d\" and gateway.auth == \"refused\" and http.response.status_code in [401, 403]\nby: [client.ip]\nwindow: 5m\nthreshold: 20\n", i)
	}
	return loadText(tb, bodies)
}

func benchEvent() *event.Event {
	ev := new(event.Event)
	ev.SetTime(event.Timestamp, 1_790_000_000_000_000_000)
	ev.SetString(event.OrganizationID, "bank-7")
	ev.SetString(event.GatewayAuth, "refused")
	ev.SetString(event.ClientIP, "203.0.113.7")
	ev.SetString(event.APIKeyID, "k1")
	ev.SetString(event.UserID, "u1")
	ev.SetString(event.DeviceID, "d1")
	ev.SetString(event.EventAction, "liveness-check")
	ev.SetString(event.UserAgentOriginal, "Mozilla/5.0 Ünïcode")
	ev.SetString(event.UserAgentClass, "browser")
	ev.SetString(event.TLSVersion, "1.2")
	ev.SetString(event.LivenessDecision, "spoof")
	ev.SetString(event.LivewardSource, "gw")
	ev.Append(event.LivewardPrivacyDropped, "base64")
	ev.SetInt(event.HTTPResponseStatusCode, 401)
	return ev
}

func TestMatchDoesNotAllocate(t *testing.T) {
	set := loadText(t, map[string]string{
		"t.a": `when: lower(user_agent.original) contains "ünï" and net(client.ip, 24) == "203.0.113.0/24"`,
		"t.b": `when: user_agent.original matches "^Moz.*c.d" and inNet(client.ip, "203.0.113.0/24")`,
		"t.c": "when: 'any(liveward.privacy.dropped, # in [\"image\", \"base64\"])'\nby: [liveward.source]",
		"t.d": "when: event.action == \"liveness-check\"\nby: [device.id]\nwindow: 1h\ndistinct: {of: user.id, at_least: 6}",
		"t.e": "when: http.response.status_code / 2 > 100\nby: [client.ip]\nwindow: 1h\nthreshold: 6\nonce: [liveness.session_id, user.id]",
	})
	m := set.NewMatcher()
	ev := benchEvent()
	var buf event.SignalBuffer
	run := func() {
		buf.Reset()
		m.Match(ev, Origin{Event: event.Hash{1}}, &buf)
	}
	run()
	if len(buf.Signals) != 5 {
		t.Fatalf("%d signals, want 5", len(buf.Signals))
	}
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations an event, want 0", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			set := manyRules(b, n)
			m := set.NewMatcher()
			ev := benchEvent()
			var buf event.SignalBuffer
			b.ReportAllocs()
			for b.Loop() {
				buf.Reset()
				m.Match(ev, Origin{}, &buf)
			}
			if len(buf.Signals) != 1 {
				b.Fatalf("%d signals, want 1", len(buf.Signals))
			}
		})
	}
}
