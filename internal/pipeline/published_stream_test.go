package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// stream is events on their way through an agent, and the alerts that are wanted of them: lines of a log
// are read, matched with the rule as it is written, and counted in its windows.
//
// events are words in order of arrival. Numbers are seconds since the lab opened:
//
//	12.5        a refused call (status 401) at 12.5 s, from one address
//	ok12        a call that was let in (200); a12 and b12 are calls of two other kinds (201, 202)
//	12/KEY      from another address; 12/- from none
//	12=VALUE    of a person
//	12#NAME     a line with a name; the name again is the same line, delivered again
//	500~9       a line that claims 500 s and is read at 9 s
//	0..9        a line a second
//	0..60:20/4  20 lines evenly over [0, 60), of which 4, evenly among them, are refused
//	clock=600   the log is silent until then, and the agent says so every half minute
//	down=900    the agent is down until then, and comes back with the state it had
//	restart     the agent stops in good order and comes back
//	save, kill  the agent's state is stored; and later it is killed, and comes back with what was stored;
//	            alerts since then are to come again as they were
//	reload=N    the rule is changed to the N-th of next; windows are filled from the journal
//	forget=N    the same where the journal does not go back
//
// alerts are their instants, @64; where they are no ordinary ones what they are, as recovered@900; and where
// show names fields of their documents, their values: @3 count=3.
type stream struct {
	name     string
	rule     string
	next     []string // that the rule is changed to
	lists    map[string]string
	opens    string        // when the lab opens, RFC 3339; 2026-01-01 where empty
	unit     time.Duration // of numbers; a second where 0
	lateness time.Duration // five seconds where 0

	events string
	alerts string
	show   string // "count rule.version": fields of alerts' documents, under liveward.alert where there is no dot
	counts string // "late=2 suppressed=5": counters in the end
}

// check runs a stream.
func (s stream) check(t *testing.T, b *bench) {
	t.Helper()
	l := newLab(t, b, s)
	l.run(s.events)
	l.end()
	t.Logf("%s: %s → %s", cmp.Or(s.name, "events"), s.events, cmp.Or(l.told(), "no alert"))
	if got := l.told(); got != s.alerts {
		t.Errorf("%s: alerts of %s: %q, want %q", s.name, s.events, got, s.alerts)
		for _, a := range l.alerts {
			t.Log(a.Explain)
		}
	}
	if got := l.counted(s.counts); got != s.counts {
		t.Errorf("%s: counters of %s: %s, want %s", s.name, s.events, got, s.counts)
	}
}

// word does what a word says.
func (l *lab) word(word string) {
	l.t.Helper()
	name, arg, _ := strings.Cut(word, "=")
	switch {
	case word == "restart":
		l.back(l.windows.AppendSnapshot(nil))
	case word == "save":
		l.saved, l.at, l.stored = l.windows.AppendSnapshot(nil), l.pos, len(l.alerts)
	case word == "kill":
		l.lost = append(l.lost, l.alerts[l.stored:]...)
		l.alerts, l.pos = l.alerts[:l.stored], l.at
		l.back(l.saved)
	case name == "clock":
		until := l.time(arg)
		if l.ingest == 0 {
			l.tick(l.opens + int64(l.proc.Lateness)) // windows, which wait so long, begin at zero
		}
		l.quiet(until)
		l.tick(until)
	case name == "down":
		snapshot := l.windows.AppendSnapshot(nil)
		l.ingest = l.time(arg)
		l.back(snapshot)
	case name == "reload", name == "forget":
		l.reload(int(l.number(arg)), name == "reload")
	case strings.Contains(word, ".."):
		l.many(word)
	default:
		l.one(word)
	}
}

// many reads lines at even distances.
func (l *lab) many(word string) {
	l.t.Helper()
	span, share, spread := strings.Cut(word, ":")
	from, to, _ := strings.Cut(span, "..")
	a, b := l.number(from), l.number(to)
	if !spread {
		for n := a; n <= b; n++ {
			l.one(strconv.FormatFloat(n, 'f', -1, 64))
		}
		return
	}
	all, some, _ := strings.Cut(share, "/")
	total, hits := int(l.number(all)), int(l.number(some))
	for i := range total {
		kind := "ok"
		if i*hits/total != (i+1)*hits/total {
			kind = ""
		}
		l.one(fmt.Sprintf("%s%.6f", kind, a+(b-a)*float64(i)/float64(total)))
	}
}

// one reads the line of a word.
func (l *lab) one(word string) {
	l.t.Helper()
	digits := strings.IndexAny(word, "0123456789")
	status, ok := map[string]int{"": 401, "ok": 200, "a": 201, "b": 202}[word[:max(digits, 0)]]
	if digits < 0 || !ok {
		l.t.Fatalf("%q is no word of a stream", word)
	}
	rest, line, again := strings.Cut(word[digits:], "#")
	rest, person, _ := strings.Cut(rest, "=")
	rest, key, other := strings.Cut(rest, "/")
	if !other {
		key = "203.0.113.7"
	}
	rest, read, apart := strings.Cut(rest, "~")
	at := l.time(rest)
	ingest := at
	if apart {
		ingest = l.time(read)
	}
	text := fmt.Sprintf(`{"ts":%q,"status":%d,"method":"POST","path":"/v1/liveness/check","tenant":"bank-a"`, event.FormatTime(at), status)
	if key != "-" {
		text += fmt.Sprintf(`,"client_ip":%q`, key)
	}
	if person != "" {
		text += fmt.Sprintf(`,"subject_ref":%q`, person)
	}
	offset := l.pos.End
	if again {
		if old, ok := l.named[line]; ok {
			offset = old
		}
		l.named[line] = offset
	}
	l.line(text+"}", offset, ingest)
}

// told is the alerts in the notation of streams.
func (l *lab) told() string {
	var words []string
	for _, a := range l.alerts {
		word := string(a.Status) + "@" + l.seconds(a.Time)
		for field := range strings.FieldsSeq(l.stream.show) {
			word += " " + field + "=" + l.field(a, field)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// field is a field of an alert's document; 0 where it has none.
func (l *lab) field(a *event.Alert, name string) string {
	if !strings.Contains(name, ".") {
		name = "liveward.alert." + name
	}
	var doc any
	if err := json.Unmarshal(a.AppendJSON(nil), &doc); err != nil {
		l.t.Fatal(err)
	}
	for part := range strings.SplitSeq(name, ".") {
		object, _ := doc.(map[string]any)
		if doc = object[part]; doc == nil {
			return "0"
		}
	}
	return fmt.Sprint(doc)
}

// counted are the counters that are named as in "late=2", with what they are.
func (l *lab) counted(names string) string {
	s := l.windows.Stats()
	all := map[string]int64{"late": s.Late, "behind": s.Behind, "skewed": s.Skewed, "duplicates": s.Duplicates, "again": int64(len(l.lost))}
	l.proc.TellMatches(func(_ string, m rules.MatchStats) { all["no_key"], all["excepted"] = int64(m.NoKey), int64(m.Excepted) })
	for _, r := range s.Rules {
		all["suppressed"] += r.Suppressed
		all["no_key"] += r.NoKey
		if r.Warming {
			all["warming"]++
		}
	}
	var words []string
	for word := range strings.FieldsSeq(names) {
		name, _, _ := strings.Cut(word, "=")
		words = append(words, fmt.Sprintf("%s=%d", name, all[name]))
	}
	return strings.Join(words, " ")
}

func (l *lab) number(text string) float64 {
	l.t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		l.t.Fatalf("number %q: %v", text, err)
	}
	return n
}

// time is an instant by its number.
func (l *lab) time(text string) int64 {
	l.t.Helper()
	return l.opens + int64(math.Round(l.number(text)*float64(l.stream.unit)))
}

func (l *lab) seconds(ns int64) string {
	return strconv.FormatFloat(float64(ns-l.opens)/float64(l.stream.unit), 'f', -1, 64)
}
