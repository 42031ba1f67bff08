package pipeline_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/pipeline"
)

// traffic fills a log with n lines, step milliseconds apart from start on: bursts of refusals, farms
// and single marked calls among ordinary ones. What it does follows from the seed alone.
func traffic(seed uint64, path string, n int, start, step int64) *log {
	return trafficAt(seed, path, n, func(i int) int64 { return start + int64(i)*step })
}

// trafficAt is traffic whose line i bears the time at(i).
func trafficAt(seed uint64, path string, n int, at func(i int) int64) *log {
	r := rand.New(rand.NewPCG(seed, 1))
	l := &log{path: path}
	for i := range n {
		x := line{at: at(i), ip: fmt.Sprintf("203.0.113.%d", 1+r.IntN(6)), status: 200, id: i, agent: "app/1"}
		switch r.IntN(8) {
		case 0, 1, 2:
			x.status = 401
		case 3:
			x.device = fmt.Sprintf("%s-device-%d", path, r.IntN(3))
		case 4:
			if r.IntN(6) == 0 {
				x.status = 418
			}
		}
		l.add(x)
	}
	return l
}

// jumpy is traffic of a gateway whose clock is set, back and forth, again and again.
func jumpy(seed uint64, path string, n int) *log {
	const most = 50 * 60_000 // before the hour at which it is read
	r := rand.New(rand.NewPCG(seed, 2))
	now := int64(0)
	return trafficAt(seed, path, n, func(int) int64 {
		now += r.Int64N(1500)
		switch r.IntN(20) {
		case 0:
			now = min(now+r.Int64N(15*60_000), most)
		case 1:
			now -= r.Int64N(20 * 60_000)
		}
		return min(now, most)
	})
}

func check(t *testing.T, b *bench, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the traffic has no alerts")
	}
	if diff := cmp.Diff(want, b.alerts(false)); diff != "" {
		t.Errorf("alerts of replay (-) and agent (+):\n%s", diff)
	}
}

func three() []string {
	return []string{burst(5, "30s", "1m", "{count} refusals from {client.ip}"), single, spread}
}

// An agent starts beside two logs: one is read to its end at once, the other is days behind.
func TestBacklogOfOneLog(t *testing.T) {
	b := newBench(t, ruleset(t, three()...))
	b.open("live", "late")
	day := int64(24 * time.Hour / time.Millisecond)
	live, late := &log{path: "/live"}, traffic(1, "/late", 600, -3*day, 500)
	l, s := b.reader("live", live), b.reader("late", late)
	defer l.close()
	defer s.close()
	// It stands at its end before the other is known, and long before that one was read.
	ticks := make(chan error, 1)
	tick := l.batch(-1)
	go func() { ticks <- errors.Join(l.put(tick), l.put(tick)) }()
	early := time.NewTimer(300 * time.Millisecond)
	select {
	case err := <-ticks:
		t.Errorf("a collector went on before the other was registered: %v", err)
		ticks <- err
	case <-early.C:
	}
	s.mustPut(s.batch(-1))
	if err := <-ticks; err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.clock.Add(int64(5 * time.Second))
		l.mustPut(l.batch(-1))
	}
	b.settled()
	from := (b.clock.Load() - base.UnixNano()) / 1e6
	live.text = append(live.text, traffic(2, "/live", 300, from, 500).text...)
	b.clock.Add(int64(150 * time.Second))
	l.all()
	s.all()
	b.finish(l, s)
	check(t, b, b.wanted(b.set, live, late))
}

// After an hour in which the agent was down, one collector comes to its end before the other has said
// a word; later both were pushed back for an hour, and one comes back sooner.
func TestSilenceIsNotIdle(t *testing.T) {
	b := newBench(t, ruleset(t, three()...))
	b.open("one", "two")
	a, z := traffic(3, "/one", 200, 0, 500), traffic(4, "/two", 200, 0, 500)
	one, two := b.reader("one", a), b.reader("two", z)
	b.begin(one, two)
	one.all()
	two.all()
	b.settled()

	for range 3 {
		// An hour in which both logs grow and nothing is read.
		from := (b.clock.Load() - base.UnixNano()) / 1e6
		b.clock.Add(int64(time.Hour))
		a.text = append(a.text, traffic(uint64(from), "/one", 300, from, 10_000).text...)
		z.text = append(z.text, traffic(uint64(from+1), "/two", 300, from, 10_000).text...)
		one.all() // all of the one before the first of the other
		b.settled()
		two.all()
		b.settled()
	}
	b.finish(one, two)
	one.close()
	two.close()
	check(t, b, b.wanted(b.set, a, z))
}

// Log content decides how large signals are: a batch of long shown and counted values is cut into
// messages that the journal takes, and one event that would not fit is quarantined.
func TestLongValuesFit(t *testing.T) {
	texts := three()
	for i := range 9 {
		r := strings.NewReplacer("t.burst", fmt.Sprintf("t.long%d", i), "by: [client.ip]", "by: [client.ip, user_agent.original]")
		texts = append(texts, r.Replace(burst(3, fmt.Sprintf("%ds", 10+i), "1m", "long")))
	}
	b := newBench(t, ruleset(t, texts...))
	b.open("gw")
	l := &log{path: "/gw"}
	for i := range 4000 {
		l.add(line{at: int64(i) * 10, ip: "203.0.113.9", status: 401, id: i, agent: fmt.Sprint("app ", i/10) + strings.Repeat(" of the", 70)})
	}
	l.add(line{at: 41_000, ip: "203.0.113.9", status: 401, id: 1000, agent: strings.Repeat("b", 1<<20-1000)})
	l.add(line{at: 41_100, ip: "203.0.113.9", status: 401, id: 1001, agent: strings.Repeat("\x01", 300_000)})
	r := b.reader("gw", l)
	defer r.close()
	r.limit = 64 << 20 // one batch
	r.all()
	b.finish(r)
	largest := 0
	b.each(journal.Events, func(e *journal.Entry) { largest = max(largest, len(e.Body)) })
	if largest < 2<<20 || largest > b.j.MaxBody()-1<<20 {
		t.Errorf("the largest message has %d bytes, want some MiB and room for positions", largest)
	}
	if n := len(b.documents()); n != 4002 {
		t.Errorf("%d documents of 4002 lines", n)
	}
	check(t, b, b.wanted(b.set, l))
}

// More signals than one message may have, pushed back half-way: what is durable is not put again.
func TestPushbackHalfWay(t *testing.T) {
	b := newBench(t, ruleset(t, three()...))
	var free func() int64
	b.free = func() (int64, error) {
		if free == nil {
			return 1 << 40, nil
		}
		return free(), nil
	}
	b.open("gw")
	l := &log{path: "/gw"}
	for i := range 25_000 {
		l.add(line{at: int64(i), ip: fmt.Sprintf("203.0.%d.%d", i%50, i%200), status: 401, id: i, agent: "app/1"})
	}
	r := b.reader("gw", l)
	defer r.close()
	r.limit = 64 << 20
	r.mustPut(r.batch(-1))
	batch := r.batch(0)
	left := 2
	free = func() int64 { left--; return int64(left) << 40 } // one message goes through, the next does not
	if err := r.put(batch); !errors.Is(err, collectors.ErrPushback) {
		t.Fatalf("put: %v, want pushback", err)
	}
	free = nil
	r.mustPut(batch)
	b.finish(r)
	if n := len(b.documents()); n != 25_000 {
		t.Errorf("%d documents of 25000 lines", n)
	}
	check(t, b, b.wanted(b.set, l))
}

// A journal that is full pushes back, and takes again once its readers have come on, though nothing
// was journaled in between.
func TestFullJournalRecovers(t *testing.T) {
	b := newBench(t, ruleset(t, three()...))
	b.max = 128 << 10
	b.open("gw")
	l := &log{path: "/gw"}
	for i := range 20_000 {
		l.add(line{at: int64(i) * 10, ip: fmt.Sprintf("203.0.113.%d", i%7), status: 200, id: i * 7919, agent: fmt.Sprint(rand.Uint64(), rand.Uint64())})
	}
	l.text = append(l.text, traffic(9, "/gw", 300, 200_000, 500).text...)
	r := b.reader("gw", l)
	defer r.close()
	r.limit = 64 << 10
	r.mustPut(r.batch(-1))
	sweep := func() {
		b.clock.Add(int64(15 * time.Second))
		b.settled()
		if _, err := b.j.Sweep(t.Context(), journal.Events, time.Now(), []uint64{b.det.Stats().Needed}); err != nil {
			t.Fatal(err)
		}
		full, err := b.j.Full(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.full.Store(full)
	}
	pushbacks := 0
	for i := 0; !r.atEnd(); i++ {
		if i%40 == 39 {
			// As the agent does it: now and then, long after the journal has filled up.
			full, err := b.j.Full(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.full.Store(full)
		}
		batch := r.batch(0)
		err := r.put(batch)
		if errors.Is(err, collectors.ErrPushback) {
			pushbacks++
			await(t, "room in the journal", func() bool { sweep(); return !b.full.Load() })
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if pushbacks == 0 {
		t.Error("the journal was never full")
	}
	b.finish(r)
	check(t, b, b.wanted(b.set, l))
}

// Rules change in the middle of bursts; a batch matched with the old set comes after the change. What
// fires after the change is what a replay with the new set gives, whatever changed.
func TestReloadWithinABurst(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"logic unchanged", burst(5, "30s", "1ms", "another title for {client.ip}")},
		{"threshold changed", burst(7, "30s", "1ms", "{count} refusals from {client.ip}")},
		{"window longer", burst(12, "2m", "1ms", "{count} refusals from {client.ip}")},
		{"a spike, against a minute before", kind("window: 5s\nspike: {of: 'http.response.status_code == 401', factor: 1.2, min_hits: 2, baseline: 1m, warmup: 40s}\nsuppress: 1ms")},
		{"values not seen for a minute", kind("first_seen: {of: [http.request.id], history: 1m, learn: 45s, again: 1s}")},
		{"a sequence of a minute", kind("window: 1m\nsequence: [{name: a, when: http.response.status_code == 401, at_least: 20}, {name: b, when: http.response.status_code == 200}]\nsuppress: 1ms")},
		{"different values of a minute", kind("window: 1m\ndistinct: {of: http.request.id, at_least: 30}\nsuppress: 0s")},
		{"a rule on alerts of a minute", kind("window: 1m\nchain: {as: count, at_least: 4}\nsuppress: 1ms")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := ruleset(t, burst(5, "30s", "1ms", "{count} refusals from {client.ip}"), single)
			after := ruleset(t, tt.text, single)
			b := newBench(t, before)
			b.open("gw", "slow")
			a, z := traffic(5, "/gw", 600, 0, 250), traffic(6, "/slow", 600, 0, 250)
			r, s := b.reader("gw", a), b.reader("slow", z)
			defer r.close()
			defer s.close()
			b.begin(r, s)
			for range 12 {
				r.mustPut(r.batch(0))
				s.mustPut(s.batch(0))
			}
			for range 12 {
				r.mustPut(r.batch(0)) // the other one is behind now, and holds the watermark
			}
			b.settled()
			swap := b.det.Stats().Windows.Watermark
			other, err := pipeline.NewRulesets(t.Context(), b.j)
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Use(t.Context(), after); err != nil { // journaled, and not yet seen by the matchers
				t.Fatal(err)
			}
			s.mustPut(s.batch(0))
			r.mustPut(r.batch(0))
			if err := b.sets.Use(t.Context(), after); err != nil {
				t.Fatal(err)
			}
			r.all()
			s.all()
			b.finish(r, s)
			got, want := from(t, b.alerts(false), swap), from(t, b.wanted(after, a, z), swap)
			if len(want) == 0 {
				t.Fatal("no alert after the change")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("alerts after the change, of replay (-) and agent (+):\n%s", diff)
			}
		})
	}
}

// kind is a rule with the id of burst and everything else of another.
func kind(rest string) string {
	when := "gateway.auth == \"refused\" or http.response.status_code < 500"
	if strings.Contains(rest, "chain:") {
		when = "rule.id == \"t.each\""
	}
	return fmt.Sprintf("id: t.burst\nversion: 2\ndescription: for tests\ntitle: another\nseverity: high\nwhen: %s\nby: [client.ip]\n%s\nplaybook: t/p\ntests: [{name: quiet, events: [{at: 0s}], alerts: []}]\n", when, rest)
}

// from leaves the alerts of events from a time on.
func from(t *testing.T, alerts []string, ns int64) []string {
	t.Helper()
	var out []string
	for _, text := range alerts {
		a, err := event.ParseAlert([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if a.Time >= ns {
			out = append(out, text)
		}
	}
	return out
}
