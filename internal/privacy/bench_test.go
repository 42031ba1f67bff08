package privacy

import (
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// ordinary is an ordinary call, as it comes out of enrichment.
func ordinary(ev *event.Event) {
	ev.Reset()
	ev.SetTime(event.Timestamp, 1)
	ev.SetString(event.AgentID, "agent-1")
	ev.SetString(event.APIKeyID, "lvk_mobileonb1")
	ev.SetString(event.APIKeyOwner, "onboarding")
	ev.SetString(event.AppVersion, "3.11.2")
	ev.SetString(event.ClientIP, "203.0.113.24")
	ev.SetString(event.ConsentID, "c-88")
	ev.SetString(event.DeviceID, "0d3c5f8e-6a41-4f0b-9f6e-3a1f8f0c1d2e")
	ev.SetString(event.EventAction, "liveness-check")
	ev.Append(event.EventCategory, "api")
	ev.Append(event.EventCategory, "web")
	ev.SetString(event.EventDataset, "liveward.event")
	ev.SetString(event.EventID, "aaaaaaaaaaaaaaaaaaaaaaaaaa")
	ev.SetString(event.EventKind, "event")
	ev.SetString(event.EventModule, "liveward")
	ev.SetString(event.EventOutcome, "success")
	ev.SetString(event.GatewayAuth, "accepted")
	ev.SetString(event.GatewayConsumer, "mobile-onb")
	ev.SetString(event.GatewayRoute, "liveness")
	ev.SetString(event.HTTPRequestForwarded, "203.0.113.24")
	ev.SetString(event.HTTPRequestID, "9f2c51aa77e3b0d1")
	ev.SetString(event.HTTPRequestMethod, "POST")
	ev.SetInt(event.HTTPResponseStatusCode, 200)
	ev.SetString(event.LivenessDecision, "live")
	ev.SetString(event.LivenessSessionID, "s-7c1b2a99")
	ev.SetString(event.LivenessVendor, "acme")
	ev.SetString(event.LivewardSource, "gw1")
	ev.SetString(event.LogFilePath, "/var/log/nginx/liveness.json")
	ev.SetString(event.OrganizationID, "bank-a")
	ev.Append(event.RelatedIP, "203.0.113.24")
	ev.SetString(event.SourceIP, "10.20.0.5")
	ev.SetString(event.TLSCipher, "TLS_AES_256_GCM_SHA384")
	ev.SetString(event.TLSVersion, "1.3")
	ev.SetString(event.URLDomain, "lv.bank.example")
	ev.SetString(event.URLPath, "/v1/liveness/check")
	ev.SetString(event.URLScheme, "https")
	ev.SetString(event.UserID, "cus_7f3k2m9q")
	ev.SetString(event.UserAgentClass, "mobile")
	ev.SetString(event.UserAgentOriginal, "okhttp/4.12.0")
}

func TestApplyAllocatesNothing(t *testing.T) {
	w := filter(t, false).Worker()
	var ev event.Event
	if n := testing.AllocsPerRun(200, func() { ordinary(&ev); w.Apply(&ev) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
	overlap, err := New(Config{Keys: []Key{key("e1", 'a'), key("e2", 'b'), key("e3", 'c')}})
	if err != nil {
		t.Fatal(err)
	}
	several := overlap.Worker()
	if n := testing.AllocsPerRun(200, func() { ordinary(&ev); several.Apply(&ev) }); n != 0 {
		t.Errorf("%v allocations an event while former keys live", n)
	}
	if ev.Has(event.LivewardPrivacyCount) {
		t.Errorf("an ordinary call has findings: %v", ev.List(event.LivewardPrivacyDropped))
	}
	browser := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
	if n := testing.AllocsPerRun(200, func() {
		ordinary(&ev)
		ev.SetString(event.UserAgentOriginal, browser)
		ev.SetString(event.URLPath, "/v1/liveness/results/9f2c51aa")
		ev.SetString(event.URLQuery, "contact=alice%40bank.example&lang=en")
		ev.SetString(event.ErrorMessage, "mail alice@bank.example 4111 1111 1111 1111")
		ev.SetLabel("note", "password=hunter2")
		w.Apply(&ev)
	}); n != 0 {
		t.Errorf("%v allocations an event with findings", n)
	}
}

// A caller who repeats himself in parameters and text costs a bounded search.
func TestSearchBudget(t *testing.T) {
	w := filter(t, false).Worker()
	var ev event.Event
	var q strings.Builder
	for i := range 8 {
		q.WriteString("&q=" + strings.Repeat("a", 900) + string(rune('b'+i)))
	}
	ev.SetString(event.URLQuery, q.String())
	ev.SetString(event.UserAgentOriginal, strings.Repeat("a", 2000)+" secretive")
	ev.SetString(event.ErrorMessage, strings.Repeat("a", 2000))
	w.Apply(&ev)
	if got := ev.Str(event.UserAgentOriginal); got != "[raw_value]" && got != "[unscanned]" {
		t.Errorf("user agent %q", got)
	}
}

func BenchmarkApply(b *testing.B) {
	f := filter(b, false)
	run := func(name string, change func(ev *event.Event, i int)) {
		b.Run(name, func(b *testing.B) {
			w := f.Worker()
			var ev event.Event
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ordinary(&ev)
				change(&ev, i)
				w.Apply(&ev)
			}
		})
	}
	run("same", func(*event.Event, int) {})
	var buf [16]byte
	run("new-user-device-request", func(ev *event.Event, i int) {
		for k := range buf {
			buf[k] = "0123456789abcdef"[i>>(2*k)&15]
		}
		s := ev.Keep(buf[:])
		ev.SetString(event.UserID, s)
		ev.SetString(event.DeviceID, s)
		ev.SetString(event.HTTPRequestID, s)
	})
	run("browser", func(ev *event.Event, _ int) {
		ev.SetString(event.UserAgentOriginal, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36")
	})
	run("findings", func(ev *event.Event, _ int) {
		ev.SetString(event.UserAgentOriginal, "app alice@bank.example 4111 1111 1111 1111")
	})
	b.Run("former-key", func(b *testing.B) { // the same while a former key lives
		overlap, err := New(Config{Keys: []Key{key("e1", 'a'), key("e2", 'b')}})
		if err != nil {
			b.Fatal(err)
		}
		w := overlap.Worker()
		var ev event.Event
		b.ReportAllocs()
		for b.Loop() {
			ordinary(&ev)
			w.Apply(&ev)
		}
	})
	b.Run("none", func(b *testing.B) { // what making the event costs
		var ev event.Event
		for b.Loop() {
			ordinary(&ev)
		}
	})
}

func BenchmarkQuarantine(b *testing.B) {
	w := filter(b, false).Worker()
	line := []byte(strings.Repeat(`{"ts":"2026-03-14","user":"alice"`, 30))
	var ev event.Event
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		ev.Reset()
		w.Quarantine(line, &ev, "unexpected end")
	}
}

// Lines that were made to be slow: what a caller can write must cost no more than what he sends.
func BenchmarkHostile(b *testing.B) {
	fl := filter(b, false)
	for name, atom := range map[string]string{
		"hex": "12345678a", "hex long": "123456789012345a", "digits": "4 4 4 4 4 4 4 4 4 4-", "names": "token=", "headers": "cookie: a ", "at": "a@a.", "escapes": "%25252540",
		"pem": "-----BEGIN", "words": "a-b_c.", "iban": "GB82", "hyphens": "4111-1111-", "not UTF-8": "\xff", "key": "sk-a.", "bearer": "bearer ", "token=bearer": "token=bearer ",
		"elements": "<password", "cdata": "<password><![CDATA[", "options": "-u 'a: --token \"", "domains": "a@[1",
		"escaped gaps": "4111%C2%A01", "hidden": "\\u200b", "entities": "&zwnj;&", "attributes": "<pin a", "closing": "<token></", "pairs": `"name":"token","v`, "pair values": "value=a name=token ", "names in names": "name=name=", "curl": "-ucurl: -u:a ",
		"dsn": "a:bcd@e:5", "brackets": "token=(a ", "slashes": "://a:b/", "indexes": "token[0][0]=", "quoted": "token \"a1/b", "scripts": "\u0e54\U000e0100",
	} {
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			w := fl.Worker()
			line := []byte(strings.Repeat(atom, 1<<20/len(atom)))
			var ev event.Event
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				ev.Reset()
				w.Quarantine(line, &ev, "not a JSON object")
			}
		})
	}
}
