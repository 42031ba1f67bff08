package formats

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// A time without a zone, where clocks change: which instants clocks show it at.
func TestLocalTimes(t *testing.T) {
	f := func(zone, in string, want ...string) {
		t.Helper()
		at, ok := parseTime(in, epochAuto, location(t, zone))
		if !ok {
			t.Fatalf("%s in %s is refused", in, zone)
		}
		got := []string{event.FormatTime(at.ns)}
		if at.fold != 0 {
			got = append(got, event.FormatTime(at.ns+at.fold))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", in, zone, diff)
		}
	}
	const berlin, newYork, lordHowe = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	f(berlin, "2026-07-01 02:30:00", "2026-07-01T00:30:00.000Z")
	f(berlin, "2026-12-01 02:30:00", "2026-12-01T01:30:00.000Z")

	// Clocks go back from 03:00 to 02:00.
	f(berlin, "2026-10-25 01:59:59.999", "2026-10-24T23:59:59.999Z")
	f(berlin, "2026-10-25 02:00:00", "2026-10-25T00:00:00.000Z", "2026-10-25T01:00:00.000Z")
	f(berlin, "25/Oct/2026:02:30:00", "2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z")
	f(berlin, "2026/10/25 02:59:59,999", "2026-10-25T00:59:59.999Z", "2026-10-25T01:59:59.999Z")
	f(berlin, "2026-10-25 03:00:00", "2026-10-25T02:00:00.000Z")
	f(berlin, "2026-10-25 02:30:00+02:00", "2026-10-25T00:30:00.000Z")
	f(berlin, "2026-10-25 02:30:00Z", "2026-10-25T02:30:00.000Z")

	// Clocks go forward from 02:00 to 03:00: no log has 02:30, unless its machine stands elsewhere.
	f(berlin, "2026-03-29 01:59:59", "2026-03-29T00:59:59.000Z")
	f(berlin, "2026-03-29 02:30:00", "2026-03-29T01:30:00.000Z")
	f(berlin, "2026-03-29 03:00:00", "2026-03-29T01:00:00.000Z")

	f(newYork, "2026-11-01 00:59:59", "2026-11-01T04:59:59.000Z")
	f(newYork, "2026-11-01 01:30:00", "2026-11-01T05:30:00.000Z", "2026-11-01T06:30:00.000Z")
	f(newYork, "2026-11-01 02:00:00", "2026-11-01T07:00:00.000Z")
	f(newYork, "2026-03-08 02:30:00", "2026-03-08T07:30:00.000Z")

	// Half an hour comes twice.
	f(lordHowe, "2026-04-05 01:29:59", "2026-04-04T14:29:59.000Z")
	f(lordHowe, "2026-04-05 01:45:00", "2026-04-04T14:45:00.000Z", "2026-04-04T15:15:00.000Z")
	f(lordHowe, "2026-04-05 02:00:00", "2026-04-04T15:30:00.000Z")

	// A whole day was left out.
	f("Pacific/Apia", "2011-12-29 23:00:00", "2011-12-30T09:00:00.000Z")
	f("Pacific/Apia", "2011-12-31 00:00:00", "2011-12-30T10:00:00.000Z")
}

// A clock allocates nothing, whether a line names a zone or not, or stands in the hour that comes twice.
func TestClockAllocates(t *testing.T) {
	var c clock
	var ev event.Event
	berlin := location(t, "Europe/Berlin")
	for _, in := range []string{"2026-10-25T02:30:00Z", "25/Oct/2026:02:30:00 +0200", "2026-10-25 03:30:00.123", "2026-10-25 02:30:00.123"} {
		if n := testing.AllocsPerRun(100, func() {
			ev.Reset()
			at, _ := c.parse(in, epochAuto, berlin)
			at.set(&ev, event.Timestamp)
		}); n != 0 {
			t.Errorf("%q: %v allocations", in, n)
		}
	}
}

// Whatever the time, clocks show it at the instants that it is said to mean, and at no other.
func FuzzLocalTimes(f *testing.F) {
	zones := []*time.Location{location(f, "Europe/Berlin"), location(f, "America/New_York"), location(f, "Australia/Lord_Howe"), location(f, "Asia/Jakarta")}
	f.Add(int64(1792890000), uint8(0))
	f.Add(int64(1793493000), uint8(1))
	f.Fuzz(func(t *testing.T, unix int64, zone uint8) {
		if unix < 1<<30 || unix > 1<<32 { // 2004 to 2106
			return
		}
		loc := zones[int(zone)%len(zones)]
		shown := time.Unix(unix, 0).In(loc).Format(time.DateTime)
		at, ok := parseTime(shown, epochAuto, loc)
		if !ok {
			t.Fatalf("%s is refused", shown)
		}
		first, second := at.ns/1e9, (at.ns+at.fold)/1e9
		if unix != first && unix != second {
			t.Errorf("%d is shown as %s, which is said to mean %d and %d", unix, shown, first, second)
		}
		for _, u := range []int64{first, second} {
			if got := time.Unix(u, 0).In(loc).Format(time.DateTime); got != shown {
				t.Errorf("%s is said to mean %d, at which clocks show %s", shown, u, got)
			}
		}
	})
}

// Every format with times of its own tells that they are ambiguous, also where it adds a duration to them.
func TestAmbiguousTimes(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 10, 25, 6, 0, 0, 0, time.UTC) }
	f := func(format, line string, want ...string) {
		t.Helper()
		fm, err := load(t).New(format, Options{Location: location(t, "Europe/Berlin"), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		ev := newEvent()
		if err := fm.Parse([]byte(line), ev); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		got := []string{event.FormatTime(ev.Time(event.Timestamp))}
		for _, fold := range ev.Folds {
			if fold.ID == event.Timestamp && fold.First == ev.Time(event.Timestamp) {
				got = append(got, event.FormatTime(fold.Second))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	const first, second = "2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"
	f("nginx_error", `2026/10/25 02:30:00 [error] 912#912: *1 open() "/a" failed (2: No such file or directory), client: 203.0.113.7, server: gw, request: "GET /a HTTP/1.1", host: "gw"`, first, second)
	f("nginx_combined", `203.0.113.7 - - [25/Oct/2026:02:30:00] "GET /a HTTP/1.1" 200 1 "-" "curl"`, first, second)
	f("nginx_combined", `203.0.113.7 - - [25/Oct/2026:02:30:00 +0100] "GET /a HTTP/1.1" 200 1 "-" "curl"`, second)
	f("apache_combined", `203.0.113.7 - - [25/Oct/2026:02:30:00] "GET /a HTTP/1.1" 200 1 "-" "curl"`, first, second)
	f("krakend_gin", `[GIN] 2026/10/25 - 02:30:00 | 200 | 1.2ms | 203.0.113.7 | GET "/a"`, first, second)
	f("haproxy_http", `203.0.113.7:1 [25/Oct/2026:02:29:59.000] f b/s 0/0/0/1/1000 200 1 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`, first, second)
	f("haproxy_http", `203.0.113.7:1 [25/Oct/2026:01:59:59.000] f b/s 0/0/0/1/1801000 200 1 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`, first) // began when its time came once
	f("haproxy_http", `203.0.113.7:1 [25/Oct/2026:02:30:00.000] f/1: SSL handshake failure`, first, second)
	f("envoy_text", `[2026-10-25T02:30:00.000] "GET /a HTTP/1.1" 200 - 1 1 0 0 "-" "curl" "id" "gw" "10.0.0.1:80"`, first, second)
	f("logfmt", `time="2026-10-25 02:30:00" method=GET path=/a status=200`, first, second)
	f("logfmt", `<134>Oct 25 02:30:00 gw app: method=GET path=/a status=200`, first, second) // the header's time
	f("cef", `CEF:0|F5|ASM|16.1|2|x|5|rt=Oct 25 2026 02:30:00 src=203.0.113.7`, first, second)
	f("iis_w3c", `2026-10-25 02:30:00 10.0.0.1 GET /a - 443 - 203.0.113.7 curl - 200 0 0 1`, first, second)
	f("ecs_json", `{"@timestamp":"2026-10-25T02:30:00","http":{"response":{"status_code":200}}}`, first, second)
	f("ecs_json", `{"@timestamp":"2026-10-25T02:30:00Z","http":{"response":{"status_code":200}}}`, "2026-10-25T02:30:00.000Z")
}
