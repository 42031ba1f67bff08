package pipeline_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

const (
	// outOfRange is the way to write it that NaN and missing scores do not escape.
	outOfRange = `
when: has(client.ip) and not (liveness.score_raw >= 0 and liveness.score_raw <= 1)
by: [client.ip]`

	// excepted is a rule that leaves an address out until a day, which is 86,400 seconds after the lab opens.
	excepted = `
when: http.response.status_code == 401
by: [client.ip]
except: [{when: 'client.ip == "203.0.113.7"', until: 2026-01-02, owner: soc, why: a probe}]`
)

// contractCases are 44 to 50: missing values, reloads, replay, exceptions and floods.
func contractCases() []publishedCase {
	severe := fiveInAMinute + "\nseverity: critical\nversion: 2"
	three := strings.Replace(fiveInAMinute, "threshold: 5", "threshold: 3", 1)
	return []publishedCase{
		{number: 44, says: "a score that is missing, no number or above 1 is not from 0 to 1; -0 is", run: caseScores},
		{number: 45, says: "a reload of the severity alone keeps the windows, and the alert has the new one", streams: []stream{
			{rule: fiveInAMinute, next: []string{severe}, events: "0 1 2 reload=1 3 4", alerts: "@4 count=5 event.severity=99 rule.version=2", show: "count event.severity rule.version"},
		}},
		{number: 46, says: "a reload of the logic fires nothing at once, and then counts what was before it", streams: []stream{
			{rule: fiveInAMinute, next: []string{three}, events: "0 1 2 clock=20 reload=1 clock=22", alerts: "", counts: "warming=0"},
			{name: "the next event", rule: fiveInAMinute, next: []string{three}, events: "0 1 2 clock=20 reload=1 23", alerts: "@23 count=4", show: "count"},
			{name: "events that still wait", rule: fiveInAMinute, next: []string{three}, events: "0 1 2 reload=1 3", alerts: "@2"},
			{name: "without the journal", rule: fiveInAMinute, next: []string{three}, events: "0 1 2 clock=20 forget=1 23 24", alerts: "", counts: "warming=1"},
			{name: "and then", rule: fiveInAMinute, next: []string{three}, events: "0 1 2 clock=20 forget=1 23 24 25", alerts: "@25"},
		}},
		{number: 47, says: "a reload with 1 of 40 rules broken: 39 new ones and the old one, and check fails", run: caseBrokenAmongForty},
		{number: 48, says: "the same file twice is the same bytes; out of order within the lateness, the same alerts", run: caseReplayTwice},
		{number: 49, says: "an exception ends by event time: a millisecond before its end is excepted, its end is not", streams: []stream{
			{rule: excepted, events: "86399.999 86400", alerts: "@86400", counts: "excepted=1"},
			{name: "another address", rule: excepted, events: "86399.999/203.0.113.8 86400/203.0.113.8", alerts: "@86399.999 @86400"},
		}},
		{number: 50, says: "a flood of a million keys makes a rule of 100,000 forget keys, and not the attacker among them", run: caseFlood},
	}
}

// caseScores: what each score is to a rule that asks whether it is out of range.
func caseScores(t *testing.T) {
	b := newBenchOf(t, nil, "liveward_v1", "UTC")
	for _, c := range []struct {
		score   string // as it stands in the line
		matches bool
	}{
		{"", true}, {`"NaN"`, true}, {"1.0000001", true}, {"-0.0", false}, {"0.5", false}, {"null", true}, {"-0.1", true},
	} {
		l := newLab(t, b, stream{rule: outOfRange})
		line := `{"ts":"2026-01-01T00:00:00Z","status":200,"client_ip":"203.0.113.7"`
		if c.score != "" {
			line += `,"liveness":{"score":` + c.score + `}`
		}
		l.line(line+"}", 0, l.time("0"))
		l.end()
		if got := len(l.alerts) == 1; got != c.matches {
			t.Errorf("score %s: matches %v, want %v", c.score, got, c.matches)
		}
	}
}

// caseBrokenAmongForty: rules stand by themselves.
func caseBrokenAmongForty(t *testing.T) {
	files := func(version int) fstest.MapFS {
		fsys := fstest.MapFS{"playbooks/t/p.md": {Data: []byte("# p\n")}}
		for i := range 40 {
			id := fmt.Sprintf("t.r%02d", i)
			fsys[id+".yaml"] = &fstest.MapFile{Data: []byte(ruleText(id, fmt.Sprintf("version: %d\nwhen: http.response.status_code == %d\n", version, 400+i)))}
		}
		return fsys
	}
	old, err := rules.Load(files(1), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	changed := files(2)
	changed["t.r07.yaml"] = &fstest.MapFile{Data: []byte("when: [")}
	if _, err := rules.Load(changed, rules.Options{}); !errors.As(err, new(rules.Problems)) { // what makes check fail
		t.Errorf("a broken rule is taken for sound: %v", err)
	}
	set, err := rules.Reload(changed, rules.Options{}, old)
	if diff := cmp.Diff([]string{"t.r07"}, rules.Broken(err)); diff != "" {
		t.Errorf("broken rules (-want +got):\n%s", diff)
	}
	versions := map[int]int{}
	for _, r := range set.Rules() {
		versions[r.Version]++
		if (r.Version == 1) != (r.ID == "t.r07") {
			t.Errorf("%s has version %d", r.ID, r.Version)
		}
	}
	if diff := cmp.Diff(map[int]int{2: 39, 1: 1}, versions); diff != "" {
		t.Errorf("rules by version (-want +got):\n%s", diff)
	}
}

// caseReplayTwice: no clock and no chance is in an alert.
func caseReplayTwice(t *testing.T) {
	set := ruleset(t, three()...)
	b := newBench(t, set)
	inOrder := traffic(7, "/gw.log", 600, 0, 500)
	once := b.wanted(set, inOrder)
	if len(once) == 0 {
		t.Fatal("the traffic has no alerts")
	}
	if diff := cmp.Diff(once, b.wanted(set, inOrder)); diff != "" {
		t.Errorf("two replays of one file differ:\n%s", diff)
	}

	// Every eight lines, which are of four seconds, come backwards; the first line is what names the file.
	lines := strings.SplitAfter(strings.TrimSuffix(string(inOrder.text), "\n"), "\n")
	for i := 1; i+8 < len(lines); i += 8 {
		slices.Reverse(lines[i : i+8])
	}
	shuffled := &log{path: "/gw.log", text: []byte(strings.Join(lines, ""))}
	if diff := cmp.Diff(withoutIDs(t, once), withoutIDs(t, b.wanted(set, shuffled))); diff != "" {
		t.Errorf("alerts in order (-) and out of order (+):\n%s", diff)
	}
}

// withoutIDs are alerts, sorted, with nothing that follows from where lines stand in their file.
func withoutIDs(t *testing.T, docs []string) []string {
	t.Helper()
	var out []string
	for _, doc := range docs {
		a, err := event.ParseAlert([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(event.FormatTime(a.Time), a.Rule.ID, a.KeyText(), a.Count, a.Suppressed, a.Explain))
	}
	slices.Sort(out)
	return out
}

// caseFlood: between two of the attacker's twenty events there are 50,000 keys of one event each.
func caseFlood(t *testing.T) {
	const attacker = "198.51.100.9"
	l := newLab(t, newBench(t, nil), stream{rule: fiveInAMinute})
	rule := l.set.Rules()[0]
	w := rules.NewWindows(l.set.Rules(), l.set.Hash(), rules.WindowConfig{MaxKeys: 100_000})
	step := rules.Step{Agent: "agent-1", Positions: []event.Position{l.pos}}
	n := 0
	send := func(at int64, key string) {
		n++
		sig := event.Signal{State: rule.State, Time: at, Offset: int64(n), Key: []event.Value{{Field: event.ClientIP, Str: key}}}
		binary.BigEndian.PutUint64(sig.Event[8:], uint64(n))
		step.Signals = append(step.Signals, sig)
		step.Ingest, step.Positions[0].MaxTime = at, at
		if len(step.Signals) == 4096 {
			l.take(w.Apply(step))
			step.Signals = step.Signals[:0]
		}
	}
	for round := range 20 {
		start := l.opens + int64(round)*12e9
		send(start, attacker)
		for i := range int64(50_000) {
			send(start+i*200_000, fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255))
		}
	}
	l.take(w.Apply(step))
	l.take(w.End())
	if len(l.alerts) == 0 || l.seconds(l.alerts[0].Time) != "48" {
		t.Fatalf("alerts %q, want the attacker's from 48 on", l.told())
	}
	for _, a := range l.alerts {
		if a.KeyText() != "client.ip="+attacker {
			t.Errorf("alert of %s", a.KeyText())
		}
	}
	s := w.Stats()
	if s.Evicted == 0 || s.Rules[0].Keys > 100_000 || s.Duplicates+s.Late+s.Behind > 0 {
		t.Errorf("%d evicted, %d keys, %d not counted", s.Evicted, s.Rules[0].Keys, s.Duplicates+s.Late+s.Behind)
	}
}
