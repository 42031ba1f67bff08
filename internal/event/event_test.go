package event_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

func TestFieldTable(t *testing.T) {
	var prev string
	for _, id := range event.Fields() {
		f := event.FieldOf(id)
		if f.Name <= prev {
			t.Errorf("%q stands after %q: rows and constants go in order of name", f.Name, prev)
		}
		prev = f.Name
		if !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: the description is not a sentence", f.Name)
		}
		if f.Class == event.Pseudonym && f.Type != event.Keyword {
			t.Errorf("%s: a pseudonym must be a keyword", f.Name)
		}
		if got, ok := event.Lookup(f.Name); !ok || got != id {
			t.Errorf("Lookup(%q) = %v, %v", f.Name, got, ok)
		}
		for _, other := range event.Fields() {
			if strings.HasPrefix(event.FieldOf(other).Name, f.Name+".") {
				t.Errorf("%s is both a value and an object", f.Name)
			}
		}
	}
	if _, ok := event.Lookup("client.ipp"); ok {
		t.Error("found a field that does not exist")
	}
}

// fill sets every field to a value of its type.
func fill(e *event.Event) {
	for _, id := range event.Fields() {
		switch event.FieldOf(id).Type {
		case event.Keywords:
			e.Append(id, "a\"b")
			e.Append(id, "c")
			e.Append(id, "c")
		case event.Long:
			e.SetInt(id, -int64(id)-1)
		case event.Double:
			e.SetFloat(id, float64(id)+0.25)
		case event.Bool:
			e.SetBool(id, id%2 == 0)
		case event.Date:
			e.SetTime(id, 1_700_000_000_123_000_000+int64(id))
		case event.IP:
			e.SetString(id, "203.0.113.7")
		default:
			e.SetString(id, "v\n"+id.String())
		}
	}
	e.SetLabel("drill", "true")
}

func TestJSONRoundTrip(t *testing.T) {
	var e, back event.Event
	fill(&e)
	doc := e.AppendJSON(nil)
	if !json.Valid(doc) || bytes.ContainsRune(doc, '\n') {
		t.Fatalf("not one line of valid JSON: %s", doc)
	}
	for _, id := range event.Fields() {
		if event.FieldOf(id).Class == event.Transient {
			if bytes.Contains(doc, []byte(`\n`+id.String())) {
				t.Errorf("transient field %s is in the document", id)
			}
			e.Clear(id)
		}
	}
	if err := back.DecodeJSON(doc); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(e.AppendJSON(nil)), string(back.AppendJSON(nil))); diff != "" {
		t.Error(diff)
	}
	var nested struct {
		Client struct {
			Geo struct {
				Country string `json:"country_iso_code"`
			}
		}
		HTTP struct {
			Request struct{ Body struct{ Bytes int64 } }
		}
	}
	if err := json.Unmarshal(doc, &nested); err != nil {
		t.Fatal(err)
	}
	if nested.Client.Geo.Country == "" || nested.HTTP.Request.Body.Bytes >= 0 {
		t.Errorf("nesting: %+v", nested)
	}
}

func TestAbsentIsNotZero(t *testing.T) {
	var e event.Event
	e.SetInt(event.HTTPResponseStatusCode, 0)
	e.SetString(event.URLPath, "")
	e.SetFloat(event.LivenessScore, math.NaN())
	if !e.Has(event.HTTPResponseStatusCode) || e.Has(event.URLPath) || e.Has(event.LivenessScore) {
		t.Error("zero must be present; empty and NaN must be absent")
	}
	if diff := cmp.Diff(`{"http":{"response":{"status_code":0}}}`, string(e.AppendJSON(nil))); diff != "" {
		t.Error(diff)
	}
	e.Reset()
	if got := string(e.AppendJSON(nil)); got != "{}" {
		t.Errorf("after Reset: %s", got)
	}
	e.Append(event.Tags, "x")
	e.Reset()
	e.Append(event.Tags, "y")
	if diff := cmp.Diff([]string{"y"}, e.List(event.Tags)); diff != "" {
		t.Error(diff)
	}
}

func TestKeepSurvivesGrowth(t *testing.T) {
	var e event.Event
	var kept []string
	var want []string
	for i := range 200 {
		s := strings.Repeat(string(rune('a'+i%26)), i)
		kept = append(kept, e.Keep([]byte(s)))
		want = append(want, s)
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	var e event.Event
	fill(&e)
	buf := e.AppendJSON(nil)
	if n := testing.AllocsPerRun(100, func() { buf = e.AppendJSON(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestTime(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string
	}{
		{"2026-03-14T09:12:44+07:00", "2026-03-14T02:12:44.000Z"},
		{"2026-03-14T02:12:44.101Z", "2026-03-14T02:12:44.101Z"},
		{"2026-03-14T02:12:44.101234Z", "2026-03-14T02:12:44.101234Z"},
		{"2026-03-14T02:12:44.101234567Z", "2026-03-14T02:12:44.101234567Z"},
		{"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"},
	} {
		ns, err := event.ParseTime(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := event.FormatTime(ns); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
	} {
		got, err := event.ParseDuration(in)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", in, got, err)
			continue
		}
		if back, err := event.ParseDuration(event.FormatDuration(got)); err != nil || back != got {
			t.Errorf("%s: written as %s, read as %v, %v", in, event.FormatDuration(got), back, err)
		}
	}
	for _, in := range []string{"", "5", "d", "-5s", "5 m", "1y", "99999999w"} {
		if d, err := event.ParseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, d)
		}
	}
}

func TestCanonicalIP(t *testing.T) {
	for in, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4", "2001:DB8:0::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
		"1.2.3": "", "": "", "1.2.3.4:80": "", "01.2.3.4": "",
	} {
		if got, ok := event.CanonicalIP(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", in, got, ok)
		}
	}
}

func TestAlertRoundTrip(t *testing.T) {
	a := &event.Alert{
		ID: event.HashStrings("a"), Time: 1_767_225_600_000_000_000,
		Rule: event.AlertRule{
			ID: "lw.auth.burst-per-ip", Version: 3, Name: "Burst <b>", Description: "d", Reference: "r",
			Playbook: "auth/x", Severity: event.High, Risk: 60, Ruleset: event.HashStrings("s"),
			Attack: []string{"T1110.004"}, Tags: []string{"API2:2023"},
		},
		Key:   []event.Value{{Field: event.ClientASNumber, Num: 7713}, {Field: event.ClientIP, Str: "203.0.113.7"}},
		Count: 20, Threshold: 20, Window: 5 * time.Minute, First: 1_767_225_500_000_000_000, Last: 1_767_225_600_000_000_000,
		Suppressed: 3, Top: []event.Top{{Field: event.GatewayConsumer, Values: []string{"m"}}},
		Evidence: []event.Hash{event.HashStrings("1")}, Explain: "because", Mode: "live", Tenant: "bank-a", Drill: true,
	}
	doc := a.AppendJSON(nil)
	back, err := event.ParseAlert(doc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, back); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(doc), `"key":{"client.as.number":7713,"client.ip":"203.0.113.7"}`) {
		t.Errorf("key is not an object of dotted names: %s", doc)
	}
	if !strings.Contains(string(doc), `"client":{"as":{"number":7713},"ip":"203.0.113.7"}`) {
		t.Errorf("key fields are not at their ECS place: %s", doc)
	}
	if !slices.Equal(doc, a.AppendJSON(nil)) {
		t.Error("two encodings differ")
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "a", "\x00\x1f\"\\", "é\u2028\xff\xc3", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := event.AppendJSONString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q gives %q: %v", s, out, err)
		}
		if want := string([]rune(s)); back != want { // a byte that is no UTF-8 is one U+FFFD
			t.Fatalf("%q came back as %q", s, back)
		}
		for _, b := range out {
			if b < 0x20 || b == 0x7f {
				t.Fatalf("control character in %q", out)
			}
		}
	})
}

func FuzzParseAlert(f *testing.F) {
	f.Add([]byte(`{"rule":{"version":"1"}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if a, err := event.ParseAlert(doc); err == nil && a == nil {
			t.Fatal("neither alert nor error")
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	var e event.Event
	e.SetTime(event.Timestamp, 1_767_225_600_123_000_000)
	for _, id := range []event.ID{event.ClientIP, event.SourceIP, event.URLPath, event.UserAgentOriginal, event.GatewayConsumer, event.EventID, event.EventAction, event.TLSVersion, event.LivenessDecision, event.LivenessSessionID, event.UserID, event.DeviceID, event.LivewardSource, event.AgentID} {
		e.SetString(id, "0123456789abcdef01234567")
	}
	e.SetInt(event.HTTPResponseStatusCode, 200)
	e.SetFloat(event.LivenessScore, 0.962)
	e.Append(event.EventCategory, "api")
	buf := e.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
	}
}

// What ParseIPv4 reads is what netip does, and is the address's one text form.
func FuzzParseIPv4(f *testing.F) {
	for _, s := range []string{"203.0.113.7", "0.0.0.0", "255.255.255.255", "256.0.0.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", "1..2.3", "1.2.3.", "::ffff:1.2.3.4", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := event.ParseIPv4(s)
		want, err := netip.ParseAddr(s)
		if ok != (err == nil && want.Is4() && want.String() == s) {
			t.Fatalf("%q: read %v", s, ok)
		}
		if ok && got != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	})
}
