package rules

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// occurred is what a model says of a document.
type occurred struct {
	Time     int64
	Key      string
	Status   event.Status
	Count    int64
	Baseline float64
	Held     int64
}

func occurredOf(a *event.Alert) occurred {
	return occurred{(a.Time - base) / 1e6, a.Key[0].Str, a.Status, a.Count, a.Baseline, a.Suppressed}
}

// inOrder sorts documents of one instant, which may stand in any order.
func inOrder(os []occurred) []occurred {
	slices.SortStableFunc(os, func(a, b occurred) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Key, b.Key), strings.Compare(string(a.Status), string(b.Status)))
	})
	return os
}

// holdBack is the published suppression: fixed, from the alert on.
func holdBack(firings []occurred, hold time.Duration) []occurred {
	last, held := map[string]int64{}, map[string]int64{}
	var out []occurred
	for _, f := range firings {
		at, ok := last[f.Key]
		if ok && f.Time < at+hold.Milliseconds() {
			held[f.Key]++
			continue
		}
		f.Held, held[f.Key] = held[f.Key], 0
		last[f.Key] = f.Time
		out = append(out, f)
	}
	return out
}

// perform runs lines of one rule through windows, in steps of drawn sizes, with restarts in between.
func perform(t *rapid.T, rule *Rule, lines []line, restarts bool) []*event.Alert {
	cfg := WindowConfig{Hold: 1000 * time.Hour}
	w := NewWindows([]*Rule{rule}, event.Hash{}, cfg)
	g := newGateway(5*time.Second, rule)
	var alerts []*event.Alert
	take := func(fired []Fired) {
		for _, f := range fired {
			alerts = append(alerts, f.Alert)
		}
	}
	for len(lines) > 0 {
		n := rapid.IntRange(1, min(len(lines), 40)).Draw(t, "step")
		s := g.step(lines[:n]...)
		for i := range s.Signals {
			s.Signals[i].Step = lines[i].steps[0]
		}
		take(w.Apply(s))
		lines = lines[n:]
		if restarts && rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			snapshot := w.AppendSnapshot(nil)
			w = NewWindows([]*Rule{rule}, event.Hash{}, cfg)
			if err := w.Restore(snapshot); err != nil {
				t.Fatalf("Restore: %v", err)
			}
		}
	}
	take(w.End())
	return alerts
}

// spikeModel is the published semantics over the bare list of events.
func spikeModel(r *Rule, lines []line) []occurred {
	s := r.Spike
	w, grid := int64(r.Window), int64(r.Window)/5
	blockLen, last := w, lines[len(lines)-1].t
	for int64(s.Baseline) > maxBlocks*blockLen {
		blockLen += w
	}
	keys := map[string][]line{}
	for _, l := range lines {
		keys[l.key] = append(keys[l.key], l)
	}
	var firings []occurred
	for at := (lines[0].t/grid + 1) * grid; at <= last; at += grid {
		for key, events := range keys {
			first := events[0].t
			if first >= at || at < first+int64(s.Warmup) {
				continue
			}
			tally := func(from, until int64) (total, hits float64) {
				for _, e := range events {
					if e.t >= from && e.t < until {
						total++
						hits += float64(e.steps[0])
					}
				}
				return total, hits
			}
			total, hits := tally(at-w, at)
			ratio := s.As == SpikeRatio
			// The reference: blocks that end before the window.
			type sample struct{ total, hits float64 }
			reference := func(drop bool) (share, mean float64, ok bool) {
				pool := func(blocks []int64, trim bool) (share, mean float64, ok bool) {
					var samples []sample
					for _, b := range blocks {
						begin, end := b*blockLen, (b+1)*blockLen
						if end > at-w || ratio && end <= first || !ratio && begin < first {
							continue
						}
						total, hits := tally(begin, end)
						samples = append(samples, sample{total, hits})
					}
					if len(samples) == 0 {
						return 0, 0, false
					}
					if trim && len(samples) >= 4 {
						worst := -1
						for i, x := range samples {
							if ratio && x.total == 0 {
								continue
							}
							value := func(x sample) float64 {
								if ratio {
									return x.hits / x.total
								}
								return x.hits
							}
							if worst < 0 || !drop && value(x) > value(samples[worst]) || drop && value(x) < value(samples[worst]) {
								worst = i
							}
						}
						if worst >= 0 {
							samples = slices.Delete(samples, worst, worst+1)
						}
					}
					var total, hits float64
					for _, x := range samples {
						total, hits = total+x.total, hits+x.hits
					}
					if trim && ratio && total < max(float64(s.MinTotal), 1) {
						return 0, 0, false
					}
					if total > 0 {
						share = hits / total
					}
					return share, hits / float64(len(samples)) * float64(w) / float64(blockLen), true
				}
				if s.Season > 0 {
					var blocks []int64
					for back := int64(s.Season); back <= int64(s.Baseline); back += int64(s.Season) {
						blocks = append(blocks, (at-back-w/2)/blockLen)
					}
					if share, mean, ok = pool(blocks, true); ok || !ratio {
						return share, mean, ok
					}
				}
				var blocks []int64
				end := (at - w) / blockLen
				for i := int64(1); i <= (int64(s.Baseline)+blockLen-1)/blockLen; i++ {
					blocks = append(blocks, end-i)
				}
				return pool(blocks, false)
			}
			if ratio && total < float64(s.MinTotal) {
				continue
			}
			fire := func(normal float64) {
				firings = append(firings, occurred{Time: (at - base) / 1e6, Key: key, Count: int64(hits), Baseline: rounded(normal)})
			}
			share, mean, ok := reference(false)
			expected, normal := mean, mean
			if ratio {
				expected, normal = share*total, share
			}
			expected = max(expected, s.Floor)
			if ok && hits >= float64(s.MinHits) && hits >= s.Factor*expected && 1-below(hits, total, expected, ratio) < spikeChance {
				fire(normal)
				continue
			}
			share, mean, ok = reference(true)
			expected, normal = mean, mean
			if ratio {
				expected, normal = share*total, share
			}
			if s.Drop && ok && expected >= float64(s.MinHits) && hits*s.Factor <= expected && below(hits+1, total, expected, ratio) < spikeChance {
				fire(normal)
			}
		}
	}
	return holdBack(inOrder(firings), r.Suppress.For)
}

// below is the chance of fewer than k hits, by adding up.
func below(k, n, expected float64, ratio bool) float64 {
	sum, term := 0.0, math.Exp(-expected)
	p := expected / n
	if ratio {
		if p >= 1 {
			if k > n {
				return 1
			}
			return 0
		}
		term = math.Pow(1-p, n)
	}
	for i := 0.0; i < k; i++ {
		sum += term
		if ratio {
			term *= (n - i) / (i + 1) * p / (1 - p)
		} else {
			term *= expected / (i + 1)
		}
	}
	return sum
}

// drawSpike draws a rule with windows of some seconds.
func drawSpike(t *rapid.T) *Rule {
	return wave(func(r *Rule) {
		r.Window = rapid.SampledFrom([]time.Duration{5 * time.Second, 10 * time.Second}).Draw(t, "window")
		r.Suppress.For = rapid.SampledFrom([]time.Duration{0, 10 * time.Second}).Draw(t, "suppress")
		r.Spike = SpikeSpec{
			As:       rapid.SampledFrom([]SpikeAs{SpikeRatio, SpikeCount}).Draw(t, "as"),
			Factor:   rapid.SampledFrom([]float64{1, 1.5, 4}).Draw(t, "factor"),
			MinHits:  rapid.Int64Range(1, 10).Draw(t, "hits"),
			Baseline: time.Duration(rapid.IntRange(10, 100).Draw(t, "baseline")) * time.Second,
			Warmup:   time.Duration(rapid.IntRange(0, 20).Draw(t, "warmup")) * time.Second,
			Season:   rapid.SampledFrom([]time.Duration{0, 0, 10 * time.Second, 20 * time.Second}).Draw(t, "season"),
			Floor:    rapid.SampledFrom([]float64{0.1, 1, 3}).Draw(t, "floor"),
			Drop:     rapid.Bool().Draw(t, "drop"),
		}
		if r.Spike.As == SpikeRatio {
			r.Spike.MinTotal = rapid.Int64Range(0, 20).Draw(t, "total")
		}
	})
}

// drawWaves draws minutes of checks of two keys, whose rates change.
func drawWaves(t *rapid.T) []line {
	var lines []line
	add := func(ms int64, key string, step uint8) {
		lines = append(lines, line{t: base + ms*1e6, key: key, steps: []uint8{step}, path: "/1"})
	}
	now := int64(0)
	for range rapid.IntRange(1, 5).Draw(t, "phases") {
		seconds := rapid.Int64Range(1, 20).Draw(t, "seconds")
		for _, key := range []string{"a", "b"} {
			total := rapid.SampledFrom([]int64{0, 1, 4}).Draw(t, "rate")
			every := rapid.SampledFrom([]int64{1, 2, 10, 1000}).Draw(t, "every")
			for i := range seconds * total {
				step := uint8(0)
				if i%every == every-1 {
					step = 1
				}
				add(now+i*1000/total, key, step)
			}
		}
		now += seconds * 1000
	}
	if len(lines) == 0 {
		add(0, "a", 1)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.t, b.t) })
	for i := range lines {
		lines[i].id = fmt.Sprint("id", i)
	}
	return lines
}

// TestSpikesAgreeWithTheModel compares spikes with a model that counts everything anew at each grid
// point, over shuffled arrival and restarts.
func TestSpikesAgreeWithTheModel(t *testing.T) {
	fired := 0
	rapid.Check(t, func(t *rapid.T) {
		rule, lines := drawSpike(t), drawWaves(t)
		want := spikeModel(rule, lines)
		fired += len(want)
		var got []occurred
		for _, a := range perform(t, rule, shuffle(t, lines), true) {
			got = append(got, occurredOf(a))
		}
		if diff := gocmp.Diff(want, inOrder(got)); diff != "" {
			t.Fatalf("rule %+v\nwindows differ from the model (-model +windows):\n%s", rule.Spike, diff)
		}
	})
	if fired == 0 {
		t.Error("no rule has fired")
	}
}

// absenceModel looks at each key by itself: when it is expected, when it came, where time stood still.
func absenceModel(r *Rule, lines []line) []occurred {
	last := lines[len(lines)-1].t
	events := map[string][]int64{}
	for _, l := range lines {
		events[l.key] = append(events[l.key], l.t)
	}
	expected := map[string]bool{}
	for _, k := range r.Absence.Expect {
		expected[k[0].Str] = true
		events[k[0].Str] = append([]int64{lines[0].t}, events[k[0].Str]...)
	}
	var out []occurred
	for key, times := range events {
		stands := func(t int64) bool {
			return slices.ContainsFunc(r.Absence.Unless, func(m Maintenance) bool {
				return t >= m.From && t < m.Until && (m.Key == nil || m.Key[0].Str == key)
			})
		}
		for i, from := range times {
			// Whole milliseconds: that is how finely lines and maintenance are drawn.
			left, deadline := r.Absence.For.Milliseconds(), from
			for left > 0 {
				if !stands(deadline) {
					left--
				}
				deadline += 1e6
			}
			next := int64(math.MaxInt64)
			if i+1 < len(times) {
				next = times[i+1]
			}
			if next <= deadline || deadline >= last {
				continue
			}
			out = append(out, occurred{Time: (deadline - base) / 1e6, Key: key})
			if next != math.MaxInt64 {
				out = append(out, occurred{Time: (next - base) / 1e6, Key: key, Status: event.Recovered, Count: 1})
			}
		}
	}
	return inOrder(out)
}

// drawAbsence draws a rule with a roster and maintenance.
func drawAbsence(t *rapid.T) *Rule {
	return silent(func(r *Rule) {
		r.Absence.For = time.Duration(rapid.IntRange(1, 8).Draw(t, "for")) * time.Second
		r.Window = r.Absence.For
		for _, key := range []string{"a", "c", "d"} {
			if rapid.Bool().Draw(t, "expected") {
				r.Absence.Expect = append(r.Absence.Expect, []event.Value{{Field: event.LivewardSource, Str: key}})
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "maintenance") {
			from := rapid.Float64Range(-5, 40).Draw(t, "from")
			from = math.Round(from*10) / 10
			key := rapid.SampledFrom([]string{"", "a", "b", "d"}).Draw(t, "key")
			maintenance(key, from, from+float64(rapid.IntRange(1, 10).Draw(t, "span")))(r)
		}
	})
}

func drawSigns(t *rapid.T) []line {
	lines := make([]line, rapid.IntRange(1, 40).Draw(t, "lines"))
	now := int64(0)
	for i := range lines {
		lines[i] = line{
			t: base + now, id: fmt.Sprint("id", i), path: "/1", steps: []uint8{1},
			key: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
		}
		now += rapid.SampledFrom([]int64{0, 100, 1000, 2000, 9000}).Draw(t, "gap") * 1e6
	}
	return lines
}

// TestAbsencesAgreeWithTheModel compares absences and recoveries with a model of each key by itself.
func TestAbsencesAgreeWithTheModel(t *testing.T) {
	fired := 0
	rapid.Check(t, func(t *rapid.T) {
		rule, lines := drawAbsence(t), drawSigns(t)
		want := absenceModel(rule, lines)
		fired += len(want)
		var got []occurred
		for _, a := range perform(t, rule, shuffle(t, lines), true) {
			got = append(got, occurredOf(a))
		}
		if diff := gocmp.Diff(want, inOrder(got)); diff != "" {
			t.Fatalf("rule %+v\nwindows differ from the model (-model +windows):\n%s", rule.Absence, diff)
		}
	})
	if fired == 0 {
		t.Error("no rule has fired")
	}
}

// chainModel adds the alerts of one user up anew at each of them.
func chainModel(r *Rule, alerts []*event.Alert) []string {
	var out []string
	var fired []*event.Alert
	last := map[string]int64{}
	for _, a := range alerts {
		fired = append(fired, a)
		sum, values, n := 0.0, map[string]bool{}, 0.0
		for _, b := range fired {
			if b.Key[0] != a.Key[0] || b.Time <= a.Time-int64(r.Window) {
				continue
			}
			n++
			score := b.Rule.Risk
			if r.Chain.HalfLife > 0 {
				score *= math.Pow(0.5, float64(a.Time-b.Time)/float64(r.Chain.HalfLife))
			}
			sum += score
			for _, v := range b.Rule.Attack {
				values[v] = true
			}
		}
		reached := map[ChainAs]float64{ChainRisk: sum, ChainCount: n, ChainDistinct: float64(len(values))}[r.Chain.As]
		at, before := last[a.Key[0].Str]
		out = append(out, a.Rule.ID+"@"+seconds(a.Time))
		if reached >= r.Chain.AtLeast && (!before || a.Time >= at+int64(r.Suppress.For)) {
			last[a.Key[0].Str] = a.Time
			out = append(out, r.ID+"@"+seconds(a.Time))
		}
	}
	return out
}

// TestChainsAgreeWithTheModel compares chains with a model that adds up anew, over restarts.
func TestChainsAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		feeders := []*Rule{risky("lw.test.a", 3, "T1"), risky("lw.test.b", 5, "T1", "T2"), risky("lw.test.c", 0.5, "T3")}
		chain := chained(func(r *Rule) {
			r.Window = time.Duration(rapid.IntRange(1, 20).Draw(t, "window")) * time.Second
			r.Suppress.For = time.Duration(rapid.IntRange(0, 10).Draw(t, "suppress")) * time.Second
			r.Chain.As = rapid.SampledFrom([]ChainAs{ChainRisk, ChainCount, ChainDistinct}).Draw(t, "as")
			r.Chain.AtLeast = float64(rapid.IntRange(1, 12).Draw(t, "least"))
			if rapid.Bool().Draw(t, "decay") {
				r.Chain.HalfLife = 4 * time.Second
			}
		})
		s := newStream(t, WindowConfig{}, append(feeders, chain)...)
		now := 0.0
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			now += float64(rapid.IntRange(0, 5).Draw(t, "gap"))
			s.send(feeders[rapid.IntRange(0, 2).Draw(t, "rule")], now, fmt.Sprint("u", rapid.IntRange(1, 2).Draw(t, "user")), 1)
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				s.restart()
			}
		}
		s.take(s.w.End())
		var fed []*event.Alert
		for _, a := range s.alerts {
			if a.Rule.ID != chain.ID {
				fed = append(fed, a)
			}
		}
		if diff := gocmp.Diff(chainModel(chain, fed), append([]string(nil), ids(s.alerts)...)); diff != "" {
			t.Fatalf("rule %+v\nwindows differ from the model (-model +windows):\n%s", chain.Chain, diff)
		}
	})
}

// TestSpikesAndAbsencesMetamorphic: what cannot matter does not matter.
func TestSpikesAndAbsencesMetamorphic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, lines := drawAbsence(t), drawSigns(t)
		if rapid.Bool().Draw(t, "spike") {
			rule, lines = drawSpike(t), drawWaves(t)
		}
		tellAll := func(alerts []*event.Alert, shift int64, names string) []occurred {
			var out []occurred
			for _, a := range alerts {
				o := occurredOf(a)
				o.Time -= shift / 1e6
				o.Key = strings.TrimPrefix(o.Key, names)
				out = append(out, o)
			}
			return inOrder(out)
		}
		want := tellAll(perform(t, rule, lines, false), 0, "")
		check := func(what string, alerts []*event.Alert, shift int64, names string) {
			if diff := gocmp.Diff(want, tellAll(alerts, shift, names)); diff != "" {
				t.Fatalf("%s changes the alerts of %+v (-before +after):\n%s", what, rule, diff)
			}
		}
		check("restarts", perform(t, rule, lines, true), 0, "")
		check("arrival within lateness", perform(t, rule, shuffle(t, lines), false), 0, "")
		var doubled []line
		for _, l := range lines {
			doubled = append(doubled, l)
			if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				doubled = append(doubled, doubled[rapid.IntRange(max(0, len(doubled)-20), len(doubled)-1).Draw(t, "which")])
			}
		}
		check("sending lines again", perform(t, rule, doubled, false), 0, "")

		// Time moves by whole windows, blocks and seasons.
		shift := rapid.Int64Range(-1000, 1000).Draw(t, "shift") * 40e9
		moved := *rule
		moved.Absence.Unless = slices.Clone(rule.Absence.Unless)
		for i := range moved.Absence.Unless {
			moved.Absence.Unless[i].From += shift
			moved.Absence.Unless[i].Until += shift
		}
		shifted := slices.Clone(lines)
		for i := range shifted {
			shifted[i].t += shift
		}
		check("another time", perform(t, &moved, shifted, false), shift, "")

		renamed := slices.Clone(lines)
		for i := range renamed {
			renamed[i].key = "other-" + renamed[i].key
		}
		moved = *rule
		moved.Absence = AbsenceSpec{For: rule.Absence.For}
		other := func(vs []event.Value) []event.Value {
			if vs == nil {
				return nil
			}
			return []event.Value{{Field: vs[0].Field, Str: "other-" + vs[0].Str}}
		}
		for _, k := range rule.Absence.Expect {
			moved.Absence.Expect = append(moved.Absence.Expect, other(k))
		}
		for _, m := range rule.Absence.Unless {
			m.Key = other(m.Key)
			moved.Absence.Unless = append(moved.Absence.Unless, m)
		}
		check("other names of keys", perform(t, &moved, renamed, false), 0, "other-")
	})
}

// timedKinds is a rule set with spikes, absences, chains and what feeds them.
func timedKinds() []*Rule {
	show := []event.ID{event.UserAgentClass, event.OrganizationID}
	once := []event.ID{event.LivenessSessionID}
	second := time.Second
	feeder := risky("lw.test.each", 30, "T1", "T2")
	feeder.Show = show
	return []*Rule{
		wave(func(r *Rule) {
			r.ID, r.By, r.Window, r.Show, r.Suppress.For = "lw.test.ratio", nil, 5*second, show, 0
			r.Spike = SpikeSpec{As: SpikeRatio, Factor: 1, MinHits: 2, Baseline: 20 * second, Floor: 0.00001, Season: 10 * second}
		}),
		wave(func(r *Rule) {
			r.ID, r.Window, r.Show, r.Once = "lw.test.spike", 10*second, show, once
			r.Spike = SpikeSpec{As: SpikeCount, Factor: 1, MinHits: 1, Baseline: 60 * second, Floor: 0.00001, Drop: true, Warmup: 5 * second}
		}),
		silent(func(r *Rule) {
			r.ID, r.Window, r.Absence.For, r.Show = "lw.test.absent", 20*second, 20*second, show
			roster("1", "2", "12")(r)
			maintenance("1", 30, 50)(r)
			maintenance("", 800, 900)(r)
		}),
		feeder,
		chained(func(r *Rule) {
			r.Chain, r.Suppress.For = ChainSpec{As: ChainRisk, AtLeast: 50, HalfLife: time.Minute}, 0
		}),
		chained(func(r *Rule) {
			r.ID, r.Chain, r.Suppress.For = "lw.chain.values", ChainSpec{As: ChainDistinct, AtLeast: 2}, 30*second
		}),
	}
}

// withSteps says of signals which are hits.
func withSteps(steps []Step) []Step {
	for i := range steps {
		for j := range steps[i].Signals {
			sig := &steps[i].Signals[j]
			sig.Step = sig.Event[0] & 1
		}
	}
	return steps
}

// TestSnapshotOfSpikesAbsencesAndChainsAtAnyStep: cutting a history by a restart, wherever, changes
// nothing: neither the documents, byte for byte and in order, nor the state at the end.
func TestSnapshotOfSpikesAbsencesAndChainsAtAnyStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, cfg := timedKinds(), drawBounds(t)
		steps := withFormer(t, rules[:4], withSteps(drawSteps(t, rules[:4])))
		swap := rapid.IntRange(0, 2*len(steps)).Draw(t, "swap")
		next := timedKinds()[1:]
		roster("1", "7")(next[1])
		run := func(cut int) (out []string, state []byte) {
			w, in := NewWindows(rules, event.Hash{1}, cfg), rules
			for i, s := range steps {
				if i == swap {
					w.Swap(next, event.Hash{2})
					in = next
				}
				if i == cut {
					snapshot := w.AppendSnapshot(nil)
					before := w.Stats()
					w = NewWindows(in, w.ruleset, cfg)
					if err := w.Restore(snapshot); err != nil {
						t.Fatalf("Restore at step %d: %v", i, err)
					}
					sameSizes(t, before, w.Stats())
				}
				for _, f := range w.Apply(s) {
					out = append(out, fmt.Sprint(i, f.Partition, string(f.Alert.AppendJSON(nil))))
				}
			}
			state = w.AppendSnapshot(nil)
			for _, f := range w.End() {
				out = append(out, fmt.Sprint("end", f.Partition, string(f.Alert.AppendJSON(nil))))
			}
			return out, state
		}
		want, wantState := run(-1)
		for cut := range steps {
			got, state := run(cut)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("cut at step %d of %d changes the alerts (-whole +cut):\n%s", cut, len(steps), diff)
			}
			if !bytes.Equal(wantState, state) {
				t.Fatalf("cut at step %d of %d changes the state at the end", cut, len(steps))
			}
		}
	})
}

// sameSizes holds that what evictions depend on survives a restart.
func sameSizes(t *rapid.T, before, after WindowStats) {
	for i := range before.Rules {
		b, a := before.Rules[i], after.Rules[i]
		if b.Bytes != a.Bytes || b.Keys != a.Keys || b.Held != a.Held {
			t.Fatalf("%s has %d bytes, %d keys, %d held after a restart, and had %d, %d, %d", b.ID, a.Bytes, a.Keys, a.Held, b.Bytes, b.Keys, b.Held)
		}
	}
}

// FuzzRestoreTimedKinds: whatever a snapshot holds, reading it does not panic, what was read can go
// on, and its own snapshot reads back as the same.
func FuzzRestoreTimedKinds(f *testing.F) {
	rules, cfg := timedKinds(), WindowConfig{Lateness: time.Second, MaxKeys: 10}
	step := func(g *gateway, i int) Step {
		s := g.step(line{
			t: at(float64(i) * 3), key: fmt.Sprint(i % 3), of: []string{fmt.Sprint(i % 6)},
			show: map[event.ID]string{event.UserAgentClass: fmt.Sprint(i % 4)}, path: "/1",
		})
		s.Signals = slices.DeleteFunc(s.Signals, func(sig event.Signal) bool { return len(sig.Key) == 0 })
		return withSteps([]Step{s})[0]
	}
	w := NewWindows(rules, event.Hash{}, cfg)
	g := newGateway(time.Second, rules[:4]...)
	for i := range 30 {
		w.Apply(step(g, i))
	}
	w.Apply(Step{Agent: "agent-1", Ingest: at(1000)})
	snapshot := w.AppendSnapshot(nil)
	f.Add(snapshot[:len(snapshot)-16])
	f.Fuzz(func(t *testing.T, body []byte) {
		w := NewWindows(rules, event.Hash{}, cfg)
		if err := w.Restore(reseal(body, nil)); err != nil {
			return
		}
		first := w.AppendSnapshot(nil)
		again := NewWindows(rules, event.Hash{}, cfg)
		if err := again.Restore(first); err != nil {
			t.Fatalf("own snapshot: %v", err)
		}
		if !bytes.Equal(first, again.AppendSnapshot(nil)) {
			t.Fatal("own snapshot reads back as another state")
		}
		g := newGateway(5*time.Second, rules[:4]...)
		for i := range 20 {
			for _, fired := range w.Apply(step(g, i)) {
				fired.Alert.AppendJSON(nil)
			}
		}
		w.Apply(Step{Ingest: math.MaxInt64})
		for _, fired := range w.End() {
			fired.Alert.AppendJSON(nil)
		}
	})
}
