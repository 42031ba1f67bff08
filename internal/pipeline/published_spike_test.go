package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

const (
	// fourTimesNormal is a share of refusals four times as large as it was in fourteen windows before.
	fourTimesNormal = `
when: has(organization.id)
by: [organization.id]
window: 10m
spike: {of: http.response.status_code == 401, factor: 4, min_hits: 8, min_total: 20, baseline: 140m}
suppress: 1h`

	// manyMore is a number of refusals.
	manyMore = `
when: has(organization.id)
by: [organization.id]
window: 10m
spike: {of: http.response.status_code == 401, as: count, factor: 4, min_hits: 8, baseline: 140m}
suppress: 1h`

	warmingUp = `
when: has(organization.id)
by: [organization.id]
window: 10m
spike: {of: http.response.status_code == 401, factor: 4, min_hits: 8, min_total: 20, baseline: 14d, warmup: 3d}
suppress: 1h`

	minuteToMinute = `
when: has(organization.id)
by: [organization.id]
window: 1m
spike: {of: http.response.status_code == 401, as: count, factor: 4, min_hits: 8, baseline: 1m}
suppress: 1h`

	// daily compares with the same time of the day before, on the calendar of a zone.
	daily = `
when: has(organization.id)
by: [organization.id]
window: 10m
spike: {of: http.response.status_code == 401, as: count, factor: 4, min_hits: 8, baseline: 1d, season: 1d, tz: %s}
suppress: 1d`

	// newUser is a person never seen of an address.
	newUser = `
when: has(user.id)
by: [client.ip]
first_seen: {of: [user.id], history: 30d, learn: 7d, again: 24h}`
)

const aDay = 24 * time.Hour

// spikeCases are 36 to 43: what is far from normal, the calendar, and what is new.
func spikeCases() []publishedCase {
	return []publishedCase{
		{number: 36, says: "14 windows of 4 in 200, now 40: fires at the first instant that satisfies the test; 7 hits are too few", streams: []stream{
			{ // 12 hits at 8520, of the 16 that four times 4 asks for; 19 at 8640
				rule:   fourTimesNormal,
				events: "0..8400:2800/56 8400..9000:200/40 9000..9600:200/4",
				alerts: "@8640 count=19 threshold=16 baseline=0.02",
				show:   "count threshold baseline",
			},
			{name: "7 hits", rule: fourTimesNormal, events: "0..8400:2800/0 8400..9000:200/7 9000..9300:100/0", alerts: ""},
			{name: "8 hits", rule: fourTimesNormal, events: "0..8400:2800/0 8400..9000:200/8 9000..9300:100/0", alerts: "@9000"},
		}},
		{number: 37, says: "nothing against nothing is no spike, and 30 hits against nothing are one: the floor is 1", streams: []stream{
			{rule: manyMore, events: "0..8400:280/0 clock=9000", alerts: ""},
			{rule: manyMore, events: "0..8400:280/0 8400..8520:30/30 clock=9000", alerts: "@8520 baseline=0 ratio=30 threshold=8", show: "baseline ratio threshold"},
			{name: "7 hits", rule: manyMore, events: "0..8400:280/0 8400..8520:7/7 clock=9000", alerts: ""},
		}},
		{number: 38, says: "two days of history where three are asked for: nothing, and the rule says that it is warming", streams: []stream{
			{rule: warmingUp, events: "0..172800:320/0 172800..173100:60/40 clock=173400", alerts: "", counts: "warming=1"},
			{name: "a day later", rule: warmingUp, events: "0..172800:320/0 262800..263100:60/40 clock=263400", alerts: "@262920", counts: "warming=0"},
		}},
		{number: 39, says: "what is normal is of its own time, not of when events come together", streams: []stream{
			{rule: minuteToMinute, events: "0..10:3/3 300..312:12/12 clock=400", alerts: "@312 count=12 baseline=0", show: "count baseline"},
		}},
		// On 2026-10-24 clocks in Berlin show 09:00 at 07:00Z, on the 25th at 08:00Z, when clocks have gone back.
		{number: 40, says: "the same time of yesterday is 25 hours ago when clocks have gone back", streams: []stream{
			{name: "Berlin", rule: fmt.Sprintf(daily, "Europe/Berlin"), opens: "2026-10-23T00:00:00Z", events: dayBeforeClocksGoBack, alerts: ""},
			{name: "UTC", rule: fmt.Sprintf(daily, "UTC"), opens: "2026-10-23T00:00:00Z", events: dayBeforeClocksGoBack, alerts: "@201120"},
		}},
		{number: 41, says: "02:30 without a zone, twice in one file as clocks go back: the step back begins the second pass", run: caseHourThatComesTwice},
		{number: 42, says: "ten thousand keys on the first start are learnt, and flood nobody", run: caseFirstStart},
		{number: 43, says: "what was learnt is known, what is new is new once, and is forgotten in time", streams: []stream{
			{rule: newUser, unit: aDay, events: "0=DE 8=BR 9=BR 40=BR", alerts: "@8 @40"},
			{name: "seen again within its time", rule: newUser, unit: aDay, events: "0=DE 8=BR 30=BR 59=BR", alerts: "@8"},
		}},
	}
}

// dayBeforeClocksGoBack has 300 refusals in the hour before 07:00Z of the 24th, few in the one after it, and
// 50 in the ten minutes before 08:00Z of the 25th.
const dayBeforeClocksGoBack = "ok0 108000..111600:300/300 111600..115200:6/6 clock=115200 201000..201600:50/50 clock=201600"

// caseHourThatComesTwice is an error log of nginx, which names no zone, in Berlin.
func caseHourThatComesTwice(t *testing.T) {
	b := newBenchOf(t, nil, "nginx_error", "Europe/Berlin")
	for _, c := range []struct{ says, local, wanted string }{
		{
			"both passes", "02:30:00 02:59:59 02:00:00 02:30:00 03:00:00",
			"00:30:00? 00:59:59? 01:00:00? 01:30:00? 02:00:00",
		},
		{"a line a pass", "02:30:10 02:30:00 02:29:00 02:30:00", "00:30:10? 00:30:00?! 01:29:00? 01:30:00?"},
	} {
		pos := event.Position{Source: "gw", Path: "/error.log", Ordinal: 1}
		got := times(b.processor(), &pos, after.UnixNano(), c.local)
		t.Logf("%s: %s → %s UTC (? is ambiguous, ! late)", c.says, c.local, got)
		if got != c.wanted {
			t.Errorf("%s: %s is %s UTC, want %s", c.says, c.local, got, c.wanted)
		}
	}
}

// caseFirstStart: a rule of what is new fires nothing while it learns, and says that it does.
func caseFirstStart(t *testing.T) {
	b := newBenchOf(t, nil, "liveward_v1", "UTC")
	l := newLab(t, b, stream{rule: newUser, unit: aDay})
	for i := range 10_000 {
		l.word(fmt.Sprintf("%.9f/10.1.%d.%d=DE", float64(i)/1e7, i>>8, i&255))
	}
	learning := func(day string, want int64) {
		t.Helper()
		l.word(day)
		if s := l.windows.Stats().Rules[0]; len(l.alerts) > 0 || s.Keys != 10_000 || s.Evicted > 0 || s.Warming != (want > 0) {
			t.Errorf("%s: %d alerts, %d keys, %d evicted, warming %v", day, len(l.alerts), s.Keys, s.Evicted, s.Warming)
		}
	}
	learning("0.01/10.1.0.1=DE", 1)
	learning("6.9/10.1.0.1=DE", 1)
	l.word("restart")
	learning("7.1/10.1.0.1=DE", 0)
	l.run("8/10.1.0.1=BR 8.1/10.1.0.1=DE")
	l.end()
	if got := l.told(); got != "@8" {
		t.Errorf("alerts %q, want one of what is new on the eighth day", got)
	}
}
