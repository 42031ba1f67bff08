package formats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

func TestParseTime(t *testing.T) {
	f := func(in string, unit epochUnit, want string) {
		t.Helper()
		at, ok := parseTime(in, unit, nil)
		got := ""
		if ok {
			got = time.Unix(0, at.ns).UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q (unit %d) is %q, want %q", in, unit, got, want)
		}
	}
	const want = "2026-03-14T02:12:44Z"
	for _, in := range []string{
		"2026-03-14T02:12:44Z", "2026-03-14t02:12:44z", "2026-03-14T09:12:44+07:00", "2026-03-14T09:12:44+0700", "2026-03-14T09:12:44+07",
		"2026-03-13T21:12:44-05:00", "2026-03-14 02:12:44", "2026/03/14 02:12:44", "2026-03-14 02:12:44 UTC", "2026-03-14 09:12:44 +0700",
		"14/Mar/2026:09:12:44 +0700", "14/Mar/2026:02:12:44", "1773454364", "1773454364000", "1773454364000000", "1773454364000000000", "1.773454364e9",
	} {
		f(in, epochAuto, want)
	}
	f("2026-03-14T02:12:44.1Z", epochAuto, "2026-03-14T02:12:44.1Z")
	f("2026-03-14T02:12:44.123456789123Z", epochAuto, "2026-03-14T02:12:44.123456789Z")
	f("2026-03-14T02:12:44,101+00:00", epochAuto, "2026-03-14T02:12:44.101Z")
	f("14/Mar/2026:09:12:44.101 +0700", epochAuto, "2026-03-14T02:12:44.101Z")
	f("1773454364.101", epochAuto, "2026-03-14T02:12:44.101Z")
	f("1773454364101.5", epochMS, "2026-03-14T02:12:44.1015Z")
	f("5", epochS, "1970-01-01T00:00:05Z")
	f("1773454364", epochNS, "1970-01-01T00:00:01.773454364Z")
	f("2024-02-29T00:00:00Z", epochAuto, "2024-02-29T00:00:00Z")
	f("2016-12-31T23:59:60Z", epochAuto, "2017-01-01T00:00:00Z")
	for _, in := range []string{
		"", "-", "5", "yesterday", "2026-03-14", "2026-13-14T02:12:44Z", "2026-02-29T02:12:44Z", "2026-03-14T24:12:44Z", "2026-03-14T02:60:44Z",
		"2026-03-14T02:12:44.Z", "2026-03-14T02:12:44+7", "2026-03-14T02:12:44+25:00", "2026-03-14T02:12:44Zx", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00",
		"9999-01-01T00:00:00Z", "14/Foo/2026:09:12:44 +0700", "14/Mar/2026 09:12:44 +0700", "99999999999999999999", "9223372036854775808", "-1773454364", "1773454364x", "1773454364.", "1e300", "0x10",
	} {
		f(in, epochAuto, "")
	}
	f("9223372036854775807", epochS, "")
}

// FuzzParseTime: what time.Parse reads as RFC 3339 means the same here.
func FuzzParseTime(f *testing.F) {
	for _, in := range []string{"2026-03-14T02:12:44.101Z", "2026-03-14T09:12:44+07:00", "14/Mar/2026:09:12:44 +0700", "1773454364.101", "2261-12-31T23:59:59-23:59"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := parseTime(in, epochAuto, nil)
		if ok && (got.ns < 0 || got.fold != 0) {
			t.Fatalf("%q is before 1970, or stands for two times", in)
		}
		want, err := time.Parse(time.RFC3339Nano, in)
		if err != nil || len(in) < 20 {
			return
		}
		if year := want.UTC().Year(); year < 1971 || year > 2260 || want.Year() < 1971 || want.Year() > 2260 {
			return
		}
		if ok && got.ns != want.UnixNano() {
			t.Fatalf("%q is %d, time.Parse has %d", in, got.ns, want.UnixNano())
		}
		// time.Parse takes an hour of one digit and zones of up to 24:60; no gateway writes those.
		_, zoneOK := zone(in[max(0, len(in)-6):])
		if !ok && in[10] == 'T' && in[13] == ':' && (zoneOK || in[len(in)-1] == 'Z') {
			t.Fatalf("%q is refused, time.Parse has %v", in, want)
		}
	})
}

// FuzzClock: the time of one line changes nothing in that of another.
func FuzzClock(f *testing.F) {
	times := []string{
		"2026-03-14T02:12:44.101Z", "2026-03-14T02:12:44+07:00", "2026-03-14 02:12:44", "2026-03-14T02:12:44x", "2026-03-14T02:12:45Z", "2026-03-14T02:12:61Z",
		"14/Mar/2026:09:12:44 +0700", "14/Mar/2026:09:12:44", "14/Mar/2026:09:12:4", "14/Mar/2026:09:12:44 +07:60", "1773454364.101", "2026-06-30T23:59:60", "0000/00-00T00:00:00", "",
	}
	for i, a := range times {
		for _, b := range times[i:] {
			f.Add(a, b)
		}
	}
	zone := location(f, "Europe/Berlin")
	f.Add("2026-10-25T02:30:00", "2026-10-25T02:30:00.5")
	f.Add("2026-10-25T02:30:00", "2026-10-25T02:30:00Z")
	f.Fuzz(func(t *testing.T, a, b string) {
		var c clock
		for _, in := range []string{a, b, b, a} {
			for _, loc := range []*time.Location{nil, zone} {
				got, ok := c.parse(in, epochAuto, loc)
				if want, wantOK := parseTime(in, epochAuto, loc); got != want || ok != wantOK {
					t.Fatalf("%q after %q is %v, %v; want %v, %v", in, a, got, ok, want, wantOK)
				}
			}
		}
	})
}

func TestScaleDecimal(t *testing.T) {
	f := func(in string, unit, want int64, ok bool) {
		t.Helper()
		got, good := scaleDecimal(in, unit)
		if got != want || good != ok {
			t.Errorf("%q × %d is %d, %v; want %d, %v", in, unit, got, good, want, ok)
		}
	}
	f("0.742", 1e9, 742000000, true)
	f("736", 1e6, 736000000, true)
	f("736.2", 1e6, 736200000, true)
	f("0.0000000019", 1e9, 1, true)
	f("1.9", 1, 1, true)
	f("-1", 1e6, -1000000, true)
	f("1e-3", 1e9, 1000000, true)
	f(".5", 1e9, 500000000, true)
	f("5.", 1e9, 5000000000, true)
	f("9223372036854775807", 1, 0, false)
	f("9223372036854775", 1e6, 0, false)
	f("99999999999999999999", 1, 0, false)
	f("1e300", 1e9, 0, false)
	f("", 1, 0, false)
	f("-", 1, 0, false)
	f(".", 1, 0, false)
	f("x", 1, 0, false)
}

func TestAssign(t *testing.T) {
	f := func(set func(*event.Event), want map[event.ID]string) {
		t.Helper()
		ev := newEvent()
		set(ev)
		got := map[event.ID]string{}
		ev.Present(func(id event.ID) { got[id] = strings.Join(FieldText(ev, id), ",") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	type m = map[event.ID]string
	uri := func(s string) func(*event.Event) { return func(ev *event.Event) { setURI(ev, s) } }
	f(uri("/a/b?c=d#e"), m{event.URLPath: "/a/b", event.URLQuery: "c=d"})
	f(uri("/a#?c"), m{event.URLPath: "/a"})
	f(uri("/?"), m{event.URLPath: "/"})
	f(uri("HTTPS://u:p@Host.Example:443/x?y"), m{event.URLPath: "/x", event.URLQuery: "y", event.URLDomain: "host.example", event.URLScheme: "https"})
	f(uri("http://h?k=1"), m{event.URLPath: "/", event.URLQuery: "k=1", event.URLDomain: "h", event.URLScheme: "http"})
	f(uri("/r?u=http://x/"), m{event.URLPath: "/r", event.URLQuery: "u=http://x/"})
	f(uri("*"), m{event.URLPath: "*"})
	f(uri("-"), m{})
	addr := func(s string) func(*event.Event) { return func(ev *event.Event) { setAddress(ev, event.SourceIP, s) } }
	f(addr("203.0.113.24"), m{event.SourceIP: "203.0.113.24"})
	f(addr("203.0.113.24:51120"), m{event.SourceIP: "203.0.113.24", event.SourcePort: "51120"})
	f(addr("[2001:DB8:0::1%eth0]:443"), m{event.SourceIP: "2001:db8::1", event.SourcePort: "443"})
	f(addr("::ffff:10.0.0.1"), m{event.SourceIP: "10.0.0.1"})
	f(addr("10.0.0.1, 10.0.0.2"), m{event.SourceIP: "10.0.0.2"})
	for _, s := range []string{"", "-", "unix:", "unix:/run/x", "host.example", "1.2.3", "1.2.3.256", "010.0.0.1", "[::1", "1.2.3.4.5", strings.Repeat("1", 100)} {
		f(addr(s), m{})
	}
	tls := func(s string) func(*event.Event) { return func(ev *event.Event) { setTLS(ev, s) } }
	for in, want := range map[string][2]string{
		"TLSv1": {"1.0", "tls"}, "TLSv1.1": {"1.1", "tls"}, "TLSv1.2": {"1.2", "tls"}, "tls1.3": {"1.3", "tls"}, "TLS 1.2": {"1.2", "tls"},
		"TLSv1_3": {"1.3", "tls"}, "1.3": {"1.3", "tls"}, "SSLv3": {"3.0", "ssl"}, "SSLv2": {"2.0", "ssl"},
	} {
		f(tls(in), m{event.TLSVersion: want[0], event.TLSVersionProtocol: want[1], event.TLSEstablished: "true"})
	}
	f(tls("TLSv9"), m{})
	f(tls("none"), m{})
	tries := func(s string) func(*event.Event) {
		return func(ev *event.Event) { setAttempts(ev, event.GatewayUpstreamStatus, s) }
	}
	f(tries("200"), m{event.GatewayUpstreamStatus: "200"})
	f(tries("502, 200"), m{event.GatewayUpstreamStatus: "200", event.GatewayFlags: "retried"})
	f(tries("502, 504 : 200"), m{event.GatewayUpstreamStatus: "200", event.GatewayFlags: "retried"})
	f(tries("502, -"), m{event.GatewayFlags: "retried"})
	version := func(s string) func(*event.Event) { return func(ev *event.Event) { setHTTPVersion(ev, s) } }
	f(version("HTTP/2.0"), m{event.HTTPVersion: "2.0"})
	f(version("h2"), m{event.HTTPVersion: "2"})
	f(version("HTTP/x"), m{})
	host := func(s string) func(*event.Event) {
		return func(ev *event.Event) { setHost(ev, event.URLDomain, s) }
	}
	f(host("LV.Bank.Example:8443"), m{event.URLDomain: "lv.bank.example"})
	f(host("[2001:db8::1]:8443"), m{event.URLDomain: "2001:db8::1"})
	f(host(strings.Repeat("a", 300)), m{})
	number := func(s string) func(*event.Event) {
		return func(ev *event.Event) { setInt(ev, event.HTTPRequestBytes, s) }
	}
	f(number("200.0"), m{event.HTTPRequestBytes: "200"})
	f(number("2e2"), m{event.HTTPRequestBytes: "200"})
	f(number("9223372036854775807"), m{event.HTTPRequestBytes: "9223372036854775807"})
	for _, s := range []string{"9223372036854775808", "1e19", "1.5", "0x10", "Inf", "NaN", "1_000", "", "x"} {
		f(number(s), m{})
	}
	float := func(s string) func(*event.Event) {
		return func(ev *event.Event) { setFloat(ev, event.LivenessScoreRaw, s, 1) }
	}
	f(float("0.081"), m{event.LivenessScoreRaw: "0.081"})
	for _, s := range []string{"NaN", "Infinity", "1e999", "0x1p3", "1,5", ""} {
		f(float(s), m{})
	}
	method := func(s string) func(*event.Event) {
		return func(ev *event.Event) { setMethod(ev, event.HTTPRequestMethod, s) }
	}
	f(method("post"), m{event.HTTPRequestMethod: "POST"})
	f(method("M-SEARCH"), m{event.HTTPRequestMethod: "M-SEARCH"})
	f(method("GET\x00"), m{})
	f(method(strings.Repeat("G", 33)), m{})
}

func TestOversizeValuesAreDropped(t *testing.T) {
	f := newFormat(t, "nginx_json")
	for n, want := range map[int]bool{maxValue: true, maxValue + 1: false} {
		ev := newEvent()
		line := `{"ts":"2026-03-14T02:12:44Z","ua":"` + strings.Repeat("é ", n/3) + strings.Repeat("x", n%3) + `"}`
		if err := f.Parse([]byte(line), ev); err != nil {
			t.Fatal(err)
		}
		if ev.Has(event.UserAgentOriginal) != want {
			t.Errorf("a value of %d bytes is kept: %v, want %v", n, !want, want)
		}
		dropped := strings.Join(ev.List(event.LivewardPrivacyDropped), ",") + " " + strconv.FormatInt(ev.Int(event.LivewardPrivacyCount), 10)
		if wantDropped := map[bool]string{true: " 0", false: "oversize 1"}[want]; dropped != wantDropped {
			t.Errorf("%d bytes: dropped %q, want %q", n, dropped, wantDropped)
		}
	}
	ev := newEvent()
	if err := f.Parse([]byte(`{"ts":"2026-03-14T02:12:44Z","ua":"/9j/`+strings.Repeat("A", maxValue)+`"}`), ev); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"oversize", "image"}, ev.List(event.LivewardPrivacyDropped)); diff != "" {
		t.Error(diff)
	}
}

// FuzzShortcuts: what is read a short way is what the long way makes of it.
func FuzzShortcuts(f *testing.F) {
	for _, s := range []string{
		"0", "00", "7", "200", "999999999999999999", "0.936", "9.", ".5", "1.2.3", "123456789012345", "12345678901234.5", "0.000000000000001",
		"0.1000000000000009", "1.7976931348623157", "10.20.0.5", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0.0.0.0", "1..2.3", "1.2.3.4 ", "lv.bank.example", "a", "-", "--", "a:1", "a@b",
		"failed", "FAILED:x", "Rejected", "zzz", "\u212aelvin",
	} {
		f.Add(s)
	}
	s := load(f)
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := shortInt(text); ok {
			if want, err := strconv.ParseInt(text, 10, 64); err != nil || n != want {
				t.Fatalf("shortInt(%q) = %d, want %d, %v", text, n, want, err)
			}
		}
		if x, ok := shortFloat(text); ok {
			if want, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(x) != math.Float64bits(want) {
				t.Fatalf("shortFloat(%q) = %v, want %v, %v", text, x, want, err)
			}
		}
		addr, err := netip.ParseAddr(text)
		if want := err == nil && addr.Is4() && addr.String() == text; plainIPv4(text) != want {
			t.Fatalf("plainIPv4(%q) = %v", text, !want)
		}
		if plainHost(text) && (bareHost(text) != text || strings.ToLower(text) != text || absent(text)) {
			t.Fatalf("plainHost(%q)", text)
		}
		if text == "" {
			return
		}
		for _, p := range s.programs {
			for i := range p.ops {
				m := p.ops[i].words
				if m == nil || m.other != "" {
					continue
				}
				if word, ok := m.find(text); ok && !m.may(text) {
					t.Fatalf("%q is %q for %s, but may not be", text, word, p.ops[i].to)
				}
			}
		}
	})
}

// TestShortcutsNearTheirEdges tries what a fuzzer rarely comes by.
func TestShortcutsNearTheirEdges(t *testing.T) {
	for n := range 400 {
		for _, form := range []string{"%d.1.2.3", "1.%d.2.3", "1.2.3.%d", "1.2.%02d.3", "%d", "0.%d", "%d.5"} {
			text := fmt.Sprintf(form, n)
			addr, err := netip.ParseAddr(text)
			if want := err == nil && addr.String() == text; plainIPv4(text) != want {
				t.Errorf("plainIPv4(%q) = %v", text, !want)
			}
			if x, ok := shortFloat(text); ok != (strings.Count(text, ".") < 2) {
				t.Errorf("shortFloat(%q): %v", text, ok)
			} else if want, _ := strconv.ParseFloat(text, 64); ok && x != want {
				t.Errorf("shortFloat(%q) = %v", text, x)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		text := strconv.FormatInt(r.Int64N(1_000_000_000_000_000)>>r.IntN(40), 10)
		at := r.IntN(len(text)) + 1
		if at < len(text) {
			text = text[:at] + "." + text[at:]
		}
		x, ok := shortFloat(text)
		if want, err := strconv.ParseFloat(text, 64); !ok || err != nil || x != want {
			t.Fatalf("shortFloat(%q) = %v, %v, want %v", text, x, ok, want)
		}
	}
}
