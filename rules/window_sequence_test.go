package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/liveward/liveward/internal/event"
)

// failThenPass is three failures and then a success within 60 s.
func failThenPass(r *Rule) {
	r.ID, r.Kind, r.Count = "lw.test.sequence", Sequence, 0
	r.Steps = []SequenceStep{{Name: "failed", AtLeast: 3, HasUntil: true}, {Name: "passed", AtLeast: 1}}
}

// unanswered is a question that has no answer within ten minutes.
func unanswered(r *Rule) {
	r.ID, r.Kind, r.Count, r.Window, r.Suppress.For = "lw.test.unanswered", Sequence, 0, 10*time.Minute, 10*time.Minute
	r.Steps = []SequenceStep{{Name: "asked", AtLeast: 1}, {Name: "answered", AtLeast: 1, Negative: true}}
}

// stepsOf are the words of steps: letters before the time of an event.
var stepsOf = map[string][]uint8{
	"f": {1}, "ok": {2}, "a": {1}, "b": {2}, "c": {3}, "ab": {1, 2}, "ba": {2, 1}, "-a": {StepReset + 1}, "-b": {StepReset + 2},
	"x": {}, "b-a": {2, StepReset + 1}, "a-a": {1, StepReset + 1},
}

// runSteps runs a story in which events of steps have their letters before them.
func (s *story) runSteps(words string) {
	s.t.Helper()
	for word := range strings.FieldsSeq(words) {
		i := strings.IndexAny(word, "0123456789")
		steps, ok := stepsOf[word[:max(i, 0)]]
		if !ok || strings.Contains(word, "..") {
			s.run(word)
			continue
		}
		l := s.parse(word[i:])
		l.steps = steps
		s.event(l)
	}
}

// TestSequences is what sequences mean, beside the published cases.
func TestSequences(t *testing.T) {
	user := func(r *Rule) { failThenPass(r); r.Once = []event.ID{event.LivenessSessionID} }
	loud := func(r *Rule) { failThenPass(r); r.Suppress.For = 0 }
	three := func(r *Rule) {
		failThenPass(r)
		r.Suppress.For = 0
		r.Steps = []SequenceStep{{Name: "a", AtLeast: 2}, {Name: "b", AtLeast: 2}, {Name: "c", AtLeast: 1}}
	}
	pair := func(r *Rule) {
		three(r)
		r.Steps = []SequenceStep{{Name: "a", AtLeast: 1}, {Name: "b", AtLeast: 1}}
	}
	slow := func(r *Rule) {
		three(r)
		r.Steps = []SequenceStep{{Name: "a", AtLeast: 1}, {Name: "b", AtLeast: 1}, {Name: "c", AtLeast: 2}}
	}
	unfinished := func(r *Rule) {
		three(r)
		r.Steps = []SequenceStep{{Name: "a", AtLeast: 1}, {Name: "b", AtLeast: 1}, {Name: "c", AtLeast: 1, Negative: true}}
	}
	alwaysUnanswered := func(r *Rule) { unanswered(r); r.Suppress.For = 0 }
	twice := func(r *Rule) { alwaysUnanswered(r); r.Steps[0].AtLeast = 2 }

	tests := []struct {
		name  string
		rule  func(*Rule)
		words string
		want  string
	}{
		{"where nothing is suppressed the second end fires too: events are not used up", loud, "f0 f1 f2 ok3 ok4", "@3 @4"},
		{"a wait ends whatever the poll time", unanswered, "a0 idle=604 idle=605 idle=900", "@600"},
		{"other events bring the watermark as well", unanswered, "a0 c606/10.0.0.9", "@600"},
		{"an answer exactly w later is too late", unanswered, "a0 b600 idle=3600", "@600"},
		{"one before it is not", unanswered, "a0 b599.999 idle=3600", ""},
		{"an answer ends all waits", unanswered, "a0 a1 a2 b3 idle=3600", ""},
		{"an answer before the question is none", unanswered, "b0 a1 idle=3600", "@601"},
		{"an event is no answer to itself", unanswered, "ab0 idle=3600", "@600"},
		{"though to the question before it", alwaysUnanswered, "a0 ba5 idle=3600", "@605"},
		{"each question has its own window", alwaysUnanswered, "a0 a100 a100 b650 a700 idle=3600", "@600 @1300"},
		{"a reset ends the wait", unanswered, "a0 -a5 idle=3600", ""},
		{"the window of a wait begins with its first event", twice, "a0 a300 idle=3600", "@600"},
		{"two that are too far apart are no question", twice, "a0 a600 idle=3600", ""},
		{"a wait survives a restart", unanswered, "a0 restart idle=300 restart idle=3600", "@600"},
		{"the end of a file is no silence", unanswered, "a0 b0/10.0.0.9", ""},
		{"though time goes on to the last event", unanswered, "a0 b600/10.0.0.9", "@600"},
		{"whether or not the rule is about that event", unanswered, "a0 x600/10.0.0.9", "@600"},
		{"one wait ends at an instant once", unfinished, "a0 b1 b2 idle=3600", "@60"},
		{"the window is from the first step to the last event", slow, "a0 b50 c59 c59.5", "@59.5"},
		{"however many steps there are", slow, "a0 b50 c59 c60", ""},
		{"also where a later sequence has begun", slow, "a0 b50 c55 a56 b57 c60", ""},
		{"a reset forgets", failThenPass, "f0 f1 -a2 f3 ok4", ""},
		{"then it counts anew", failThenPass, "f0 f1 -a2 f3 f4 f5 ok6", "@6"},
		{"also a step that was complete", failThenPass, "f0 f1 f2 -a3 ok4", ""},
		{"what resets may complete", loud, "f0 f1 f2 b-a3 ok4", "@3"},
		{"what resets itself does not count", failThenPass, "f0 f1 a-a2 ok3", ""},
		{"a reset of a later step leaves the earlier", three, "a0 a1 b2 -b3 b4 c5 b6 c7", "@7"},
		{"keys do not shadow each other", failThenPass, "f0/10.0.0.1 f0/10.0.0.2 f1/10.0.0.1 f1/10.0.0.2 f2/10.0.0.1 ok3/10.0.0.2 ok4/10.0.0.1", "@4"},
		{"no key is no key", failThenPass, "f0/- f1/- f2/- ok3/-", ""},
		{"an event does not follow itself", pair, "ab0 ab1", "@1"},
		{"whatever the order of its steps", pair, "ba0 ba1", "@1"},
		{"each step after the whole of the one before", three, "a0 b1 a2 b3 c4", ""},
		{"with other events between", three, "a0 b1 a2 b3 a4 c5 b6 c7", "@7"},
		{"the latest beginning counts", three, "a0 a1 a50 a51 b52 b53 c100", "@100"},
		{"though not if it began too late", three, "a0 a1 b2 a50 a51 b52 c100", ""},
		{"a duplicate counts once", failThenPass, "f0#x f1#y f1#y ok2#z", ""},
		{"a poll counts once", user, "f0=s1 f1=s1 f2=s1 f3=s2 ok4=s3", ""},
		{"different values count each", user, "f0=s1 f1=s2 f1=s2 f2=s3 ok4=s4", "@4"},
		{"a poll of an old success is no new one", user, "ok0=s0 f1=s1 f2=s2 f3=s3 ok4=s0", ""},
		{"the same value in another step is", user, "f1=s1 f2=s2 f3=s3 ok4=s3", "@4"},
		{"a poll of an old reset resets nothing", user, "-a0=s0 f1=s1 f2=s2 -a2=s0 f3=s3 ok4=s4", "@4"},
		{"a burst spans a restart", failThenPass, "f0 f1 restart f2 restart ok3", "@3"},
		{"late events are not counted", failThenPass, "f0 f1 c100/10.0.0.9 f2 ok3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t, WindowConfig{Horizon: time.Hour, Hold: 100 * time.Hour}, burst(tt.rule))
			s.runSteps(tt.words)
			s.take(s.w.End())
			if got := s.told(); got != tt.want {
				t.Errorf("alerts of %s: %q, want %q", tt.words, got, tt.want)
			}
		})
	}
}

func TestSequenceReloads(t *testing.T) {
	severe := func(r *Rule) { failThenPass(r); r.Severity = event.Critical; r.Steps[0].Name = "refused" }
	two := func(r *Rule) { failThenPass(r); r.Steps[0].AtLeast = 2 }
	patient := func(r *Rule) { unanswered(r); r.Window = 20 * time.Minute }
	tests := []struct {
		name, words, want string
		rule, next        func(*Rule)
	}{
		{"a change of severity keeps what was counted", "f0 f1 f2 reload=same ok3", "@3", failThenPass, severe},
		{"a change of logic fires on the next event", "f0 f1 ok2 idle=20 reload=x rebuild ok23", "@23", failThenPass, two},
		{"without what was before it is warming", "f0 f1 idle=20 reload=x ok23", "", failThenPass, two},
		{"a wait is taken up", "a0 idle=300 reload=x rebuild idle=3600", "@1200", unanswered, patient},
		{"one that is over fires nothing", "a0 idle=1300 reload=x rebuild idle=3600", "@600", unanswered, patient},
		{"also when it is over at the reload exactly", "a0 idle=1205 reload=x rebuild restart idle=3600", "@600", unanswered, patient},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t, WindowConfig{Hold: 100 * time.Hour}, burst(tt.rule))
			s.reload = func(name string) []*Rule {
				r := burst(tt.next)
				if name == "same" {
					r.State = burst(tt.rule).State
				}
				return []*Rule{r}
			}
			s.runSteps(tt.words)
			s.take(s.w.End())
			if got := s.told(); got != tt.want {
				t.Errorf("alerts of %s: %q, want %q", tt.words, got, tt.want)
			}
		})
	}
}

func TestSequenceAlertSaysWhatCame(t *testing.T) {
	title, err := ParseTemplate("{client.ip} of {organization.id} passed after {count}")
	if err != nil {
		t.Fatal(err)
	}
	title.parts = append(title.parts, templatePart{text: ", "}, templatePart{name: "steps[0].count"}, templatePart{text: " of them failed"})
	s := newStory(t, WindowConfig{}, burst(func(r *Rule) { failThenPass(r); r.Title, r.Show = title, []event.ID{event.OrganizationID} }))
	for i := range 6 {
		step := uint8(1)
		if i == 5 {
			step = 2
		}
		s.event(line{t: at(float64(i)), key: "10.0.0.1", steps: []uint8{step}, drill: i > 0, show: map[event.ID]string{event.OrganizationID: "bank-a"}})
	}
	s.take(s.w.End())
	if len(s.alerts) != 1 {
		t.Fatalf("%d alerts", len(s.alerts))
	}
	a := s.alerts[0]
	var evidence []event.Hash
	for i := range 6 {
		evidence = append(evidence, event.HashStrings("event", "", fmt.Sprint(i)))
	}
	if diff := gocmp.Diff(evidence, a.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if want := "10.0.0.1 of bank-a passed after 6, 5 of them failed"; a.Rule.Name != want {
		t.Errorf("title %q, want %q", a.Rule.Name, want)
	}
	if want := "5 × failed, then 1 × passed of client.ip=10.0.0.1 within 1m, the last at 00:00:05.000Z (UTC)"; a.Explain != want {
		t.Errorf("explain %q, want %q", a.Explain, want)
	}
	if a.Count != 6 || a.First != at(0) || a.Last != at(5) || a.Tenant != "bank-a" || a.Drill {
		t.Errorf("count %d, first %s, last %s, tenant %q, drill %v", a.Count, seconds(a.First), seconds(a.Last), a.Tenant, a.Drill)
	}
	if got := s.w.Stats().Rules[0]; got.Fired != 1 || got.Keys != 1 {
		t.Errorf("fired %d, keys %d", got.Fired, got.Keys)
	}
}

func TestSequenceAlertSaysWhatDidNotCome(t *testing.T) {
	s := newStory(t, WindowConfig{Hold: time.Hour}, burst(func(r *Rule) { unanswered(r); r.Show = []event.ID{event.OrganizationID} }))
	s.event(line{t: at(1), key: "10.0.0.1", steps: []uint8{1}, drill: true, show: map[event.ID]string{event.OrganizationID: "bank-a"}})
	s.event(line{t: at(2), key: "10.0.0.1", steps: []uint8{1}})
	s.run("restart idle=606")
	if len(s.alerts) != 1 {
		t.Fatalf("%d alerts", len(s.alerts))
	}
	a := s.alerts[0]
	asked := event.HashStrings("event", "", "0")
	if want := "1 × asked of client.ip=10.0.0.1, and no answered within 10m, which ended at 00:10:01.000Z (UTC)"; a.Explain != want {
		t.Errorf("explain %q, want %q", a.Explain, want)
	}
	if a.ID != event.HashStrings("alert", a.Rule.ID, "10.0.0.1", asked.String()) || !slices.Equal(a.Evidence, []event.Hash{asked}) {
		t.Errorf("id or evidence is not of the event that had no answer")
	}
	if a.Time != at(601) || a.First != at(1) || a.Last != at(1) || a.Count != 1 || a.Tenant != "bank-a" || !a.Drill {
		t.Errorf("at %s, first %s, last %s, count %d, tenant %q, drill %v", seconds(a.Time), seconds(a.First), seconds(a.Last), a.Count, a.Tenant, a.Drill)
	}
}

// TestSequenceWaitsOfManyKeys: each fires at its own time, in the order of time, whichever of the others
// were answered in between.
func TestSequenceWaitsOfManyKeys(t *testing.T) {
	const keys = 300
	s := newStory(t, WindowConfig{Hold: 1000 * time.Hour}, burst(unanswered))
	key := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i>>8, i&255) }
	var want []string
	for i := range keys {
		s.event(line{t: at(float64(i)), key: key(i), steps: []uint8{1}})
	}
	for i := range keys {
		if n := i * 7 % keys; n%3 > 0 {
			s.event(line{t: at(keys + float64(i)/100), key: key(n), steps: []uint8{2}})
		}
	}
	for i := 0; i < keys; i += 3 {
		want = append(want, key(i)+"@"+fmt.Sprint(i+600))
	}
	s.run("idle=700 restart idle=3600")
	var got []string
	for _, a := range s.alerts {
		got = append(got, a.Key[0].Str+"@"+seconds(a.Time))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// TestSequenceKeepsTheAttackerAmongManyKeys is case 50 for sequences: keys that only ever pass take no
// room at all, those that fail once push nobody out who is quicker than they are many.
func TestSequenceKeepsTheAttackerAmongManyKeys(t *testing.T) {
	const attacker = "198.51.100.9"
	rule := burst(failThenPass)
	s := newStory(t, WindowConfig{MaxKeys: 1000}, rule)
	n := 0
	flood := func(keys int, from float64, step uint8) {
		var lines []line
		for i := range keys {
			n++
			lines = append(lines, line{t: at(from + float64(i)/1000), key: fmt.Sprintf("10.0.%d.%d", n>>8, n&255), steps: []uint8{step}})
		}
		s.take(s.w.Apply(s.g.step(lines...)))
	}
	for i, step := range []uint8{1, 1, 1, 2} {
		s.event(line{t: at(float64(5 * i)), key: attacker, steps: []uint8{step}})
		flood(500, float64(5*i)+1, 1)
		flood(5000, float64(5*i)+2, 2)
	}
	s.take(s.w.End())
	if got := s.told(); got != "@15" {
		t.Errorf("alerts %q, want @15", got)
	}
	if st := s.w.Stats().Rules[0]; st.Evicted == 0 || st.Keys > 1000 {
		t.Errorf("evicted %d, keys %d", st.Evicted, st.Keys)
	}
}

func TestSequenceForgetsInTheEnd(t *testing.T) {
	for name, rule := range map[string]func(*Rule){"sequence": failThenPass, "unanswered": unanswered} {
		s := newStory(t, WindowConfig{Hold: 1000 * time.Hour}, burst(func(r *Rule) {
			rule(r)
			r.Show, r.Once = []event.ID{event.URLPath}, []event.ID{event.LivenessSessionID}
		}))
		for i := range 1000 {
			s.event(line{
				t: at(float64(i) / 10), key: fmt.Sprintf("10.0.0.%d", i%50), of: []string{fmt.Sprint(i % 90)}, steps: []uint8{uint8(1 + i%9/8)},
				show: map[event.ID]string{event.URLPath: fmt.Sprint("/", i%7)},
			})
		}
		s.run("idle=200000 idle=400000")
		if st := s.w.Stats().Rules[0]; st.Keys != 0 || st.Held != 0 || st.Bytes != 0 {
			t.Errorf("%s: %d keys, %d suppressions, %d bytes are left", name, st.Keys, st.Held, st.Bytes)
		}
	}
}

// TestSequenceCountsExactlyAndThenAtLeast: the count stays true when more events came than are kept.
func TestSequenceCountsExactlyAndThenAtLeast(t *testing.T) {
	s := newStory(t, WindowConfig{}, burst(failThenPass))
	for i := range 1000 {
		s.event(line{t: at(float64(i) / 100), key: "10.0.0.1", steps: []uint8{1}})
	}
	s.runSteps("ok20/10.0.0.1")
	s.take(s.w.End())
	if len(s.alerts) != 1 || s.alerts[0].Count != minKeptSteps+1 || len(s.alerts[0].Evidence) != event.MaxEvidence {
		t.Fatalf("alerts %q", s.told())
	}
	if want := "at least 32 × failed, then 1 × passed"; !strings.HasPrefix(s.alerts[0].Explain, want) {
		t.Errorf("explain %q, want %q", s.alerts[0].Explain, want)
	}
}

// stepEvent is an event as the model of sequences sees it.
type stepEvent struct {
	line
	place int
	steps map[uint8]bool
}

// modelSequence is the published semantics of sequences written down as directly as possible. It
// looks for a sequence by trying, for each event, which begins latest.
func modelSequence(r *Rule, lines []line) []modelAlert {
	var events []stepEvent
	for i, l := range lines {
		e := stepEvent{l, i, map[uint8]bool{}}
		for _, step := range l.steps {
			repeated := false
			for _, o := range lines[:i] {
				repeated = repeated || len(r.Once) > 0 && o.key == l.key && o.t > l.t-int64(r.Window) &&
					slices.Contains(o.steps, step) && slices.Equal(o.of, l.of)
			}
			e.steps[step] = !repeated
		}
		events = append(events, e)
	}
	positive := len(r.Steps)
	negative := r.Steps[positive-1].Negative
	if negative {
		positive--
	}
	// start is the latest time at which a sequence of the steps up to n can begin of which the last
	// event is the one at place end; false where there is none.
	var start func(n, left, end int) (int64, bool)
	start = func(n, left, end int) (int64, bool) {
		e := events[end]
		if !e.steps[uint8(n+1)] {
			return 0, false
		}
		best, found := int64(0), false
		try := func(n, left int) {
			for j := range end {
				if events[j].key != e.key || resetBetween(events, e.key, n, j, end) {
					continue
				}
				if s, ok := start(n, left, j); ok && (!found || s > best) {
					best, found = s, true
				}
			}
		}
		switch {
		case left > 1:
			try(n, left-1)
		case n > 0:
			try(n-1, int(r.Steps[n-1].AtLeast))
		default:
			return e.t, true
		}
		return best, found
	}
	type memoKey struct{ n, left, end int }
	memo := map[memoKey]struct {
		t  int64
		ok bool
	}{}
	plain := start
	start = func(n, left, end int) (int64, bool) {
		key := memoKey{n, left, end}
		if m, ok := memo[key]; ok {
			return m.t, m.ok
		}
		t, ok := plain(n, left, end)
		memo[key] = struct {
			t  int64
			ok bool
		}{t, ok}
		return t, ok
	}
	complete := func(end int) (int64, bool) {
		s, ok := start(positive-1, int(r.Steps[positive-1].AtLeast), end)
		return s, ok && s > events[end].t-int64(r.Window)
	}
	var fired []modelAlert
	seen := map[string]bool{}
	for i, e := range events {
		s, ok := complete(i)
		if !ok {
			continue
		}
		if !negative {
			fired = append(fired, modelAlert{Time: e.t, Key: e.key})
			continue
		}
		deadline := s + int64(r.Window)
		for _, o := range events[i:] {
			if o.key != e.key || o.t >= deadline {
				continue
			}
			answered := o.place > i && o.steps[uint8(positive+1)]
			for step := range positive + 1 {
				answered = answered || o.steps[uint8(StepReset+step+1)] // also of the very event that begins the wait
			}
			ok = ok && !answered
		}
		id := fmt.Sprint(e.key, deadline)
		if ok && !seen[id] && deadline <= events[len(events)-1].t {
			seen[id] = true
			fired = append(fired, modelAlert{Time: deadline, Key: e.key})
		}
	}
	slices.SortStableFunc(fired, func(a, b modelAlert) int { return cmp.Compare(a.Time, b.Time) })
	var alerts []modelAlert
	last := map[string]int64{}
	for _, f := range fired {
		if t, ok := last[f.Key]; ok && f.Time < t+int64(r.Suppress.For) {
			continue
		}
		last[f.Key] = f.Time
		alerts = append(alerts, f)
	}
	return alerts
}

// resetBetween tells whether an event of step n, counted from 0, at place from is of no use any more at
// place to: its step or one before it was reset.
func resetBetween(events []stepEvent, key string, n, from, to int) bool {
	for _, e := range events[from:to] {
		if e.key != key {
			continue
		}
		for step := range n + 1 {
			// A reset of an event comes after what the event counts for.
			if e.steps[uint8(StepReset+step+1)] {
				return true
			}
		}
	}
	return false
}

func drawSequence(t *rapid.T) *Rule {
	return burst(func(r *Rule) {
		failThenPass(r)
		r.Window = time.Duration(rapid.IntRange(1, 12).Draw(t, "window")) * time.Second
		r.Suppress.For = time.Duration(rapid.IntRange(0, 9).Draw(t, "suppress")) * time.Second
		r.Steps = nil
		n := rapid.IntRange(1, 3).Draw(t, "steps")
		for i := range n {
			r.Steps = append(r.Steps, SequenceStep{Name: fmt.Sprint("s", i), AtLeast: int64(rapid.IntRange(1, 3).Draw(t, "at least")), HasUntil: true})
		}
		if rapid.Bool().Draw(t, "negative") {
			r.Steps = append(r.Steps, SequenceStep{Name: "not", AtLeast: 1, Negative: true})
		}
		if rapid.Bool().Draw(t, "once") {
			r.Once = []event.ID{event.LivenessSessionID}
		}
	})
}

func drawSequenceLines(t *rapid.T, r *Rule, paths int) []line {
	lines := drawLines(t, paths)
	for i := range lines {
		for step := range len(r.Steps) {
			if rapid.IntRange(0, 2).Draw(t, "matches") == 0 {
				lines[i].steps = append(lines[i].steps, uint8(step+1))
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "resets") == 0 {
			lines[i].steps = append(lines[i].steps, StepReset+uint8(rapid.IntRange(1, len(r.Steps)).Draw(t, "which")))
		}
	}
	return lines
}

// TestSequencesAgreeWithTheModel compares sequences, with resets, once and steps that must not come,
// with a model that tries, over shuffled arrival and restarts.
func TestSequencesAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawSequence(t)
		lines := drawSequenceLines(t, rule, 2)
		arrived := shuffle(t, lines)
		ordered := slices.Clone(arrived)
		slices.SortStableFunc(ordered, func(a, b line) int {
			return cmp.Or(cmp.Compare(a.t, b.t), strings.Compare(a.path, b.path))
		})
		want := modelSequence(rule, ordered)
		var got []modelAlert
		for _, a := range play(t, rule, WindowConfig{Hold: time.Hour}, 2, arrived, true) {
			got = append(got, modelAlert{Time: a.Time, Key: a.Key[0].Str})
		}
		byKey := func(a, b modelAlert) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Key, b.Key))
		}
		slices.SortStableFunc(want, byKey)
		slices.SortStableFunc(got, byKey)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("steps %+v, window %s\nwindows differ from the model (-model +windows):\n%s", rule.Steps, rule.Window, diff)
		}
	})
}

// TestSequencesMetamorphic: what cannot matter to a sequence does not matter.
func TestSequencesMetamorphic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawSequence(t)
		metamorphic(t, rule, drawSequenceLines(t, rule, 1))
	})
}

func BenchmarkSequence(b *testing.B) {
	for _, bm := range []struct {
		name string
		rule func(*Rule)
		keys int
	}{{"fail-then-pass", failThenPass, 1000}, {"fail-then-pass", failThenPass, 100_000}, {"not-followed", unanswered, 1000}} {
		b.Run(fmt.Sprintf("%s/keys=%d", bm.name, bm.keys), func(b *testing.B) {
			rule := burst(func(r *Rule) { bm.rule(r); r.Window, r.Suppress.For = time.Hour, time.Hour })
			benchKeys(b, rule, bm.keys, func(n int, s *event.Signal) { s.Step = uint8(1 + n/bm.keys%8/7) })
		})
	}
}
