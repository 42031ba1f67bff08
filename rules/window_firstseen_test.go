package rules

import (
	"bytes"
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

const aDay = 24 * time.Hour

// newUser is a rule of kind first_seen: a user never seen of an address.
func newUser(r *Rule) {
	r.ID, r.Kind, r.Count, r.Window, r.Suppress = "lw.test.first-seen", FirstSeen, 0, 0, Suppress{}
	r.Of = []event.ID{event.UserID}
	r.FirstSeen = FirstSeenSpec{History: 30 * aDay, Learn: 7 * aDay, Again: aDay}
}

// runDays runs a story in which times are days.
func (s *story) runDays(words string) {
	s.t.Helper()
	for word := range strings.FieldsSeq(words) {
		name, arg, _ := strings.Cut(word, "=")
		if name == "idle" {
			s.take(s.w.Apply(s.g.idle(at(s.number(arg) * 86400))))
			continue
		}
		if word[0] < '0' || word[0] > '9' {
			s.run(word)
			continue
		}
		i := strings.IndexAny(word, "/=#")
		s.event(s.parse(fmt.Sprint(s.number(word[:i])*86400, word[i:])))
	}
}

// toldDays is the alerts with the day and the value of each.
func (s *story) toldDays() string {
	var words []string
	for _, a := range s.alerts {
		words = append(words, fmt.Sprintf("%g=%s", float64(a.Time-base)/float64(aDay), a.Top[0].Values[0]))
	}
	return strings.Join(words, " ")
}

// TestFirstSeen is what first_seen means, beside the published cases. Times are days.
func TestFirstSeen(t *testing.T) {
	short := func(r *Rule) { newUser(r); r.FirstSeen = FirstSeenSpec{History: aDay, Learn: aDay, Again: 4 * aDay} }
	bold := func(r *Rule) { newUser(r); r.FirstSeen.Learn = 0 }
	tests := []struct {
		name  string
		rule  func(*Rule)
		words string
		want  string
	}{
		{"exactly history old is forgotten", newUser, "0=DE 8=BR 38=BR", "8=BR 38=BR"},
		{"the table of the contract", newUser, "0=ID 20=BR 20.04=BR 20.08=VN", "20=BR 20.08=VN"},
		{"learning ends exactly", newUser, "0=a 6.999=b 7=c", "7=c"},
		{"a new key learns for itself", newUser, "0/k1=a 20/k2=b 26/k2=c 27/k2=d", "27=d"},
		{"what one key learnt is new for another", newUser, "0/k1=a 0/k2=b 8/k1=b 9/k2=a", "8=b 9=a"},
		{"what did not recur in time is new", newUser, "0=a 40=a", "40=a"},
		{"a key unseen for twice the history learns anew", newUser, "0=a 60=b 61=c", ""},
		{"one a little less unseen does not", newUser, "0=a 59.9=b 61=c", "59.9=b 61=c"},
		{"without learning the first is new", bold, "0=a 0.1=a 0.2=b", "0=a 0.2=b"},
		{"again is by tuple and from the alert on", short, "0=a 0.9=a 1.8=a 2=b 2.7=a 3.5=c 3.6=a 4=b 4.5=a 5.4=a 6=b 6.3=a 7.2=a 7.5=b", "2=b 3.5=c 6=b"},
		{"no key is no key", newUser, "0/-=a 8/-=b", ""},
		{"no value is no value", newUser, "0=a 8/k=", ""},
		{"restart", newUser, "0=DE restart 8=BR restart 9=BR 40=BR", "8=BR 40=BR"},
		{"silence before it teaches nothing", newUser, "0=a idle=20 20=b", "20=b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t, WindowConfig{Hold: 1000 * aDay}, burst(func(r *Rule) {
				tt.rule(r)
				if strings.Contains(tt.words, "/k") {
					r.By = []event.ID{event.APIKeyID}
				}
			}))
			s.runDays(tt.words)
			s.take(s.w.End())
			if got := s.toldDays(); got != tt.want {
				t.Errorf("alerts of %s: %q, want %q", tt.words, got, tt.want)
			}
		})
	}
}

func TestFirstSeenAlertSaysWhatIsNew(t *testing.T) {
	rule := burst(func(r *Rule) {
		newUser(r)
		r.Of = []event.ID{event.ClientGeoCountry, event.UserID}
		r.Show = []event.ID{event.UserID, event.OrganizationID}
		var err error
		if r.Title, err = ParseTemplate("{client.ip} from {client.geo.country_iso_code} by {user.id} of {organization.id}"); err != nil {
			t.Fatal(err)
		}
	})
	s := newStory(t, WindowConfig{Hold: 1000 * aDay}, rule)
	show := map[event.ID]string{event.OrganizationID: "bank-a", event.UserID: "u1"}
	s.event(line{t: at(0), key: "10.0.0.1", of: []string{"DE", "u1"}, show: show})
	s.event(line{t: at(8 * 86400), key: "10.0.0.1", of: []string{"BR", "u1"}, show: show})
	s.take(s.w.End())
	if len(s.alerts) != 1 {
		t.Fatalf("%d alerts", len(s.alerts))
	}
	a := s.alerts[0]
	second := event.HashStrings("event", "", "1")
	if want := event.HashStrings("alert", rule.ID, "10.0.0.1", "BR", "u1", second.String()); a.ID != want {
		t.Error("the id is not of rule, key, tuple and event")
	}
	if want := "10.0.0.1 from BR by u1 of bank-a"; a.Rule.Name != want {
		t.Errorf("title %q, want %q", a.Rule.Name, want)
	}
	if want := "client.geo.country_iso_code=BR and user.id=u1 of client.ip=10.0.0.1 was not seen in 30d before 00:00:00.000Z (UTC)"; a.Explain != want {
		t.Errorf("explain %q, want %q", a.Explain, want)
	}
	if a.Count != 1 || a.Window != 30*aDay || a.Threshold != 0 || a.Tenant != "bank-a" || !slices.Equal(a.Evidence, []event.Hash{second}) {
		t.Errorf("count %d, window %s, threshold %v, tenant %q, evidence %v", a.Count, a.Window, a.Threshold, a.Tenant, a.Evidence)
	}
	if !slices.Contains(a.Related, event.Value{Field: event.ClientGeoCountry, Str: "BR"}) {
		t.Error("what is new does not stand at its place in the document")
	}
}

// TestFirstSeenBounds: who floods a rule with tuples pushes out their own, who floods it with keys
// those seen longest ago; it is counted, and memory is bounded.
func TestFirstSeenBounds(t *testing.T) {
	s := newStory(t, WindowConfig{MaxKeys: 2000, Hold: 1000 * aDay}, burst(newUser))
	s.runDays("0/10.0.0.1=a")
	for i := range maxTuples + 100 {
		s.event(line{t: at(1 + float64(i)/1000), key: "10.0.0.2", of: []string{fmt.Sprint(i)}})
	}
	s.runDays("idle=1")
	st := s.w.Stats().Rules[0]
	if st.Evicted != 100 || st.Keys != 2 {
		t.Errorf("evicted %d, keys %d", st.Evicted, st.Keys)
	}
	s.runDays("8/10.0.0.1=a 8/10.0.0.1=b")
	s.run("restart")
	s.take(s.w.End())
	if got := s.toldDays(); got != "8=b" {
		t.Errorf("alerts %q: another key's flood changed what is known of a key", got)
	}

	s = newStory(t, WindowConfig{MaxKeys: 100, Hold: 1000 * aDay}, burst(newUser))
	for i := range 5000 {
		s.event(line{t: at(float64(i)), key: fmt.Sprintf("10.0.%d.%d", i>>8, i&255), of: []string{fmt.Sprint(i), "x"}})
	}
	s.take(s.w.End())
	if st := s.w.Stats().Rules[0]; st.Keys != 100 || st.Evicted != 4900 || len(s.alerts) > 0 {
		t.Errorf("keys %d, evicted %d, %d alerts", st.Keys, st.Evicted, len(s.alerts))
	}

	// A rule without keys has room for as many tuples as it would have for all keys.
	s = newStory(t, WindowConfig{MaxKeys: 100, Hold: 1000 * aDay}, burst(func(r *Rule) { newUser(r); r.By = nil }))
	for i := range 500 {
		s.event(line{t: at(float64(i)), of: []string{fmt.Sprint(i)}})
	}
	s.take(s.w.End())
	if st := s.w.Stats().Rules[0]; st.Keys != 1 || st.Evicted != 100 {
		t.Errorf("keys %d, evicted %d", st.Keys, st.Evicted)
	}
}

func TestFirstSeenForgetsInTheEnd(t *testing.T) {
	s := newStory(t, WindowConfig{Hold: 1000 * aDay}, burst(newUser))
	s.runDays("0/10.0.0.1=a 1/10.0.0.2=b 9/10.0.0.1=c idle=80")
	if st := s.w.Stats().Rules[0]; st.Keys != 0 || st.Held != 0 || st.Bytes != 0 {
		t.Errorf("%d keys, %d suppressions, %d bytes are left", st.Keys, st.Held, st.Bytes)
	}
}

func TestFirstSeenReloads(t *testing.T) {
	other := func(r *Rule) { newUser(r); r.FirstSeen.History = 20 * aDay }
	tests := []struct{ name, words, want string }{
		{"a change beside the logic keeps the history", "0=a idle=8 reload=same 9=a 9.1=b", "9.1=b"},
		{"a change of logic learns from the journal and fires nothing at the reload", "0=a 1=b 8=c idle=9 reload=other rebuild 10=b 10.1=d", "8=c 10.1=d"},
		{"without the journal it learns anew", "0=a idle=9 reload=other 10=b 18=c", "18=c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t, WindowConfig{Hold: 1000 * aDay}, burst(newUser))
			s.reload = func(name string) []*Rule {
				if name == "same" {
					return []*Rule{burst(func(r *Rule) { newUser(r); r.Severity = event.Critical })}
				}
				return []*Rule{burst(other)}
			}
			s.runDays(tt.words)
			s.take(s.w.End())
			if got := s.toldDays(); got != tt.want {
				t.Errorf("alerts of %s: %q, want %q", tt.words, got, tt.want)
			}
		})
	}
}

// TestHistorySurvivesAnotherFormOfSnapshots: what was learnt in a month is not lost to an upgrade.
func TestHistorySurvivesAnotherFormOfSnapshots(t *testing.T) {
	s := newStory(t, WindowConfig{Hold: 1000 * aDay}, burst(newUser), burst())
	s.runDays("0=a 5=b idle=9")
	snapshot := s.w.AppendSnapshot(nil)
	i := len(snapshotMagic)
	if snapshot[i] != snapshotVersion {
		t.Fatal("the version is not where it was")
	}
	other := bytes.Clone(snapshot[:len(snapshot)-len(event.Hash{})])
	other[i]++
	other = reseal(append(other, "more than we know"...), nil)
	w := NewWindows(s.rules, event.Hash{}, s.cfg)
	if err := w.Restore(other); err == nil {
		t.Fatal("a snapshot of another version was restored")
	}
	if err := w.RestoreHistory(other); err != nil {
		t.Fatal(err)
	}
	s.w = w
	s.runDays("10=b 10.1=c")
	s.take(s.w.End())
	if got := s.toldDays(); got != "10.1=c" {
		t.Errorf("alerts %q", got)
	}

	for name, bad := range map[string][]byte{
		"empty": nil, "damaged": snapshot[1:], "truncated": reseal(snapshot[:i+40], nil), "short": snapshot[:i],
	} {
		before := w.AppendSnapshot(nil)
		if err := w.RestoreHistory(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(before, w.AppendSnapshot(nil)) {
			t.Errorf("%s: the error changed the windows", name)
		}
	}
}

// TestHistoryOfAnotherFormIsWarming: where the history cannot be read, the rule learns anew and says so.
func TestHistoryOfAnotherFormIsWarming(t *testing.T) {
	s := newStory(t, WindowConfig{Hold: 1000 * aDay}, burst(newUser))
	s.runDays("0=a idle=9")
	snapshot := s.w.AppendSnapshot(nil)
	state := s.rules[0].State
	i := bytes.Index(snapshot, state[:]) + len(state)
	if snapshot[i] != firstSeenVersion {
		t.Fatal("the version is not where it was")
	}
	snapshot[i]++
	s.restore(reseal(snapshot[:len(snapshot)-len(event.Hash{})], nil))
	if !s.w.Stats().Rules[0].Warming {
		t.Error("not warming")
	}
	s.runDays("10=b 17=c")
	s.take(s.w.End())
	if got := s.toldDays(); got != "17=c" {
		t.Errorf("alerts %q", got)
	}
}

// modelFirstSeen is the published semantics written down as directly as possible.
func modelFirstSeen(r *Rule, lines []line) []modelAlert {
	var alerts []modelAlert
	last := map[string]int64{}
	for i, l := range lines {
		// The key was born with the first event after which it was never unseen for long enough.
		born, newest := l.t, l.t
		for j := i - 1; j >= 0; j-- {
			if lines[j].key != l.key {
				continue
			}
			if lines[j].t <= newest-2*int64(r.FirstSeen.History) {
				break
			}
			born, newest = lines[j].t, lines[j].t
		}
		known := false
		for _, o := range lines[:i] {
			known = known || o.key == l.key && o.of[0] == l.of[0] && o.t > l.t-int64(r.FirstSeen.History)
		}
		tuple := l.key + "=" + l.of[0]
		if t, ok := last[tuple]; known || l.t < born+int64(r.FirstSeen.Learn) || ok && l.t < t+int64(r.FirstSeen.Again) {
			continue
		}
		last[tuple] = l.t
		alerts = append(alerts, modelAlert{Time: l.t, Count: 1, First: l.t, Key: l.key, Evidence: []event.Hash{event.HashStrings("event", l.id)}})
	}
	return alerts
}

func drawFirstSeen(t *rapid.T) *Rule {
	return burst(func(r *Rule) {
		newUser(r)
		second := func(name string, hi int) time.Duration {
			return time.Duration(rapid.IntRange(0, hi).Draw(t, name)) * time.Second
		}
		r.FirstSeen = FirstSeenSpec{History: time.Second + second("history", 12), Learn: second("learn", 12), Again: second("again", 30)}
	})
}

// TestFirstSeenAgreesWithTheModel compares first_seen with a quadratic model, over shuffled arrival and
// restarts.
func TestFirstSeenAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawFirstSeen(t)
		arrived := shuffle(t, drawLines(t, 2))
		ordered := slices.Clone(arrived)
		slices.SortStableFunc(ordered, func(a, b line) int {
			return cmp.Or(cmp.Compare(a.t, b.t), strings.Compare(a.path, b.path))
		})
		want := modelFirstSeen(rule, ordered)
		var got []modelAlert
		for _, a := range play(t, rule, WindowConfig{Hold: time.Hour}, 2, arrived, true) {
			m := modelOf(a)
			m.Suppressed = 0 // the model of suppression is another test's
			got = append(got, m)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("rule %+v\nwindows differ from the model (-model +windows):\n%s", rule.FirstSeen, diff)
		}
	})
}

// TestFirstSeenMetamorphic: what cannot matter to first_seen does not matter.
func TestFirstSeenMetamorphic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { metamorphic(t, drawFirstSeen(t), drawLines(t, 1)) })
}

// benchKeys measures signals of one rule that come round by round for each of so many keys.
func benchKeys(b *testing.B, rule *Rule, keys int, change func(n int, s *event.Signal)) {
	b.Helper()
	w := NewWindows([]*Rule{rule}, event.Hash{}, WindowConfig{})
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	}
	s := Step{Agent: "a", Positions: []event.Position{{Source: "gw", Path: "/1", Ordinal: 1}}}
	s.Signals = make([]event.Signal, 256)
	key := make([]event.Value, len(s.Signals))
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range s.Signals {
			t := at(float64(n) / 1000)
			key[i] = event.Value{Field: event.ClientIP, Str: names[n%keys]}
			sig := &s.Signals[i]
			*sig = event.Signal{State: rule.State, Time: t, Offset: int64(n), Key: key[i : i+1]}
			for j := range 8 {
				sig.Event[j] = byte(n >> (8 * j))
			}
			change(n, sig)
			s.Ingest, s.Positions[0].MaxTime = t, t
			n++
		}
		w.Apply(s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/signal")
	st := w.Stats().Rules[0]
	b.ReportMetric(float64(st.Bytes)/float64(max(st.Keys, 1)), "estimated-B/key")
}

func BenchmarkFirstSeen(b *testing.B) {
	for _, keys := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			rule := burst(newUser)
			of := make([][]event.Value, 3)
			for i := range of {
				of[i] = []event.Value{{Field: event.UserID, Str: fmt.Sprint("value", i)}}
			}
			benchKeys(b, rule, keys, func(n int, s *event.Signal) { s.Of = of[n/keys%len(of)] })
		})
	}
}
