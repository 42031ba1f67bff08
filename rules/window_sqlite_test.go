package rules

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// What the published semantics are in SQL, one file a kind. See schema.sql.
//
//go:embed testdata/sqlite/*.sql
var sqliteQueries embed.FS

// sqliteCase is a rule with a log, and the query that says when the rule fires.
type sqliteCase struct {
	query string
	rule  *Rule
	more  map[string]any // parameters of the query beside those of every rule
	lines []line         // in order of arrival
}

// TestWindowsAgreeWithSQLite holds windows against an independent engine: random logs, shuffled within
// the lateness and beyond it, with ties, lines sent again, lines without a key, over restarts.
func TestWindowsAgreeWithSQLite(t *testing.T) {
	const seed, perKind = 20260101, 24
	var cases []sqliteCase
	for i, draw := range []func(*rand.Rand) sqliteCase{
		sqliteThreshold, sqliteOnce, sqliteDistinct, sqliteFirstSeen, sqliteSequence, sqliteUnanswered, sqliteAbsence, sqliteSpike,
	} {
		for j := range perKind {
			cases = append(cases, draw(rand.New(rand.NewPCG(seed, uint64(i*perKind+j)))))
		}
	}
	want := sqlite(t, cases)
	alerts, held := map[string]int{}, map[string]int64{}
	for i, c := range cases {
		got, suppressed := c.play(t, rand.New(rand.NewPCG(seed, uint64(i))))
		if diff := gocmp.Diff(want[i], got); diff != "" {
			t.Errorf("case %d, %s, %+v\nwindows differ from SQLite (-SQLite +windows):\n%s", i, c.query, c.rule, diff)
		}
		alerts[c.query] += len(got)
		held[c.query] += suppressed
	}
	for query, n := range alerts {
		if n < 2*perKind || query != "absence" && held[query] == 0 {
			t.Errorf("%s: %d alerts and %d firings held back are too few to mean something", query, n, held[query])
		}
	}
}

// sqlite runs the queries of all cases and gives the alerts of each.
func sqlite(t *testing.T, cases []sqliteCase) [][]string {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Fatal("sqlite3 is not installed: apt-get install sqlite3, or make deps")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-batch", "-bail", "-noheader", "-list", ":memory:")
	cmd.Env = []string{"HOME=" + t.TempDir()} // no settings of whoever runs this
	cmd.Stdin = sqliteScript(t, cases)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("sqlite3: %v: %s", err, stderr.String())
	}
	out := make([][]string, len(cases))
	for row := range strings.Lines(stdout.String()) {
		number, told, _ := strings.Cut(strings.TrimSuffix(row, "\n"), "|")
		i, err := strconv.Atoi(number)
		if err != nil || i >= len(out) {
			t.Fatalf("sqlite3 says %q", row)
		}
		out[i] = append(out[i], told)
	}
	for i := range out {
		slices.Sort(out[i])
	}
	return out
}

func sqliteScript(t *testing.T, cases []sqliteCase) *bytes.Buffer {
	t.Helper()
	query := func(name string) string {
		text, err := sqliteQueries.ReadFile("testdata/sqlite/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	b := bytes.NewBufferString("begin;\n" + query("schema"))
	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return "'" + s + "'"
	}
	for i, c := range cases {
		for arrived, l := range c.lines {
			value := ""
			if len(l.of) > 0 {
				value = l.of[0]
			}
			bits := 0
			for _, step := range l.steps {
				if step > StepReset {
					bits |= 16 << (step - StepReset - 1)
				} else if step > 0 {
					bits |= 1 << (step - 1)
				}
			}
			fmt.Fprintf(b, "insert into line values (%d,%d,'%s',%d,'%s',%s,%s,%d);\n",
				i, arrived, l.path, (l.t-base)/1e6, l.id, null(l.key), null(value), bits)
		}
	}
	b.WriteString(query("order"))
	for i, c := range cases {
		parameter := func(name string) string {
			switch name {
			case "trial":
				return strconv.Itoa(i)
			case "window":
				return fmt.Sprint(c.rule.Window.Milliseconds())
			case "hold":
				return fmt.Sprint(c.rule.suppression().For.Milliseconds())
			}
			v, ok := c.more[name]
			if !ok {
				t.Fatalf("%s.sql: no parameter $%s", c.query, name)
			}
			return fmt.Sprint(v)
		}
		b.WriteString(os.Expand(query(c.query)+query("suppress"), parameter))
	}
	b.WriteString("select trial, k, t, status, coalesce(count, '') from told;\n")
	return b
}

// play runs the case through windows, in steps of any size, with restarts between them.
func (c *sqliteCase) play(t *testing.T, r *rand.Rand) (told []string, suppressed int64) {
	t.Helper()
	cfg := WindowConfig{Hold: 1000 * time.Hour, Horizon: 1000 * time.Hour}
	w := NewWindows([]*Rule{c.rule}, event.Hash{}, cfg)
	g := newGateway(5*time.Second, c.rule)
	var fired []Fired
	first := Step{Agent: "agent-1", Ingest: base}
	for _, path := range sqlitePaths {
		first.Positions = append(first.Positions, event.Position{Source: "gw", Path: path, Ordinal: 1})
	}
	fired = append(fired, w.Apply(first)...)
	lines := c.lines
	for len(lines) > 0 {
		n := min(1+r.IntN(20), len(lines))
		step := g.step(lines[:n]...)
		if c.rule.Kind == Spike {
			for i := range step.Signals {
				step.Signals[i].Step = lines[i].steps[0]
			}
		}
		fired = append(fired, w.Apply(step)...)
		lines = lines[n:]
		if r.IntN(5) == 0 {
			suppressed += w.Stats().Rules[0].Suppressed
			snapshot := w.AppendSnapshot(nil)
			w = NewWindows([]*Rule{c.rule}, event.Hash{}, cfg)
			if err := w.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
		}
	}
	fired = append(fired, w.End()...)
	for _, f := range fired {
		a := f.Alert
		if a.Status == event.Updated {
			continue // says only that late data came after the alert
		}
		count := ""
		if c.rule.Kind != Sequence && c.rule.Kind != Absence {
			count = fmt.Sprint(a.Count)
		}
		told = append(told, fmt.Sprintf("%s|%d|%s|%s", a.Key[0].Str, (a.Time-base)/1e6, a.Status, count))
	}
	slices.Sort(told)
	return told, suppressed + w.Stats().Rules[0].Suppressed
}

var sqlitePaths = []string{"/1", "/2"}

// sqliteLog draws a log of n lines, about gap milliseconds from one to the next.
func sqliteLog(r *rand.Rand, n, gap int, dress func(*line)) []line {
	lines := make([]arrival, 0, n)
	now, grain := int64(0), min(gap/2, 500) // coarse, so that events stand at the edges of windows
	for i := range n {
		if r.IntN(4) > 0 { // else a tie
			now += int64(grain * (1 + r.IntN(2*gap/grain)))
		}
		l := line{
			t: base + now*1e6, id: fmt.Sprint("e", i), path: sqlitePaths[r.IntN(2)],
			key: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}[r.IntN(3)], of: []string{string(rune('a' + r.IntN(6)))},
		}
		dress(&l)
		delay := r.IntN(5001)
		if r.IntN(40) == 0 {
			delay += 10_000 // late
		}
		lines = append(lines, arrival{l, now + int64(delay)})
		for r.IntN(10) == 0 { // sent again
			lines = append(lines, arrival{l, now + int64(r.IntN(20_000))})
		}
	}
	slices.SortStableFunc(lines, func(a, b arrival) int { return cmp.Compare(a.arrives, b.arrives) })
	out := make([]line, len(lines))
	for i, l := range lines {
		out[i] = l.line
	}
	return out
}

// untidy is what logs have of every kind: no key, no value.
func untidy(r *rand.Rand) func(*line) {
	return func(l *line) {
		if r.IntN(20) == 0 {
			l.key = ""
		}
		if r.IntN(20) == 0 {
			l.of = nil
		}
	}
}

func sqliteSeconds(r *rand.Rand, low, high int) time.Duration {
	return time.Duration(low+r.IntN(high-low+1)) * time.Second
}

func sqliteThreshold(r *rand.Rand) sqliteCase {
	rule := burst(func(x *Rule) {
		x.Count, x.Window, x.Suppress.For = int64(1+r.IntN(8)), sqliteSeconds(r, 2, 20), sqliteSeconds(r, 0, 20)
	})
	return sqliteCase{query: "threshold", rule: rule, more: map[string]any{"need": rule.Count}, lines: sqliteLog(r, 200, 1000, untidy(r))}
}

func sqliteOnce(r *rand.Rand) sqliteCase {
	c := sqliteThreshold(r)
	c.query = "once"
	c.rule = burst(func(x *Rule) {
		x.Count, x.Window, x.Suppress.For = int64(1+r.IntN(6)), c.rule.Window, c.rule.Suppress.For
		x.Once = []event.ID{event.LivenessSessionID}
	})
	c.more["need"] = c.rule.Count
	return c
}

func sqliteDistinct(r *rand.Rand) sqliteCase {
	rule := burst(distinctUsers, func(x *Rule) {
		x.Count, x.Window, x.Suppress.For = int64(1+r.IntN(5)), sqliteSeconds(r, 2, 20), sqliteSeconds(r, 0, 20)
	})
	return sqliteCase{query: "distinct", rule: rule, more: map[string]any{"need": rule.Count}, lines: sqliteLog(r, 200, 1000, untidy(r))}
}

func sqliteFirstSeen(r *rand.Rand) sqliteCase {
	rule := burst(func(x *Rule) {
		x.ID, x.Kind, x.Count, x.Window, x.Of = "lw.test.first", FirstSeen, 0, 0, []event.ID{event.UserID}
		x.FirstSeen = FirstSeenSpec{History: sqliteSeconds(r, 3, 20), Learn: sqliteSeconds(r, 0, 20), Again: sqliteSeconds(r, 0, 60)}
	})
	more := map[string]any{"history": rule.FirstSeen.History.Milliseconds(), "learn": rule.FirstSeen.Learn.Milliseconds()}
	return sqliteCase{query: "first_seen", rule: rule, more: more, lines: sqliteLog(r, 200, 3000, untidy(r))}
}

func sqliteSequence(r *rand.Rand) sqliteCase {
	steps := 2 + r.IntN(2)
	more := map[string]any{"last": steps, "need3": 1}
	rule := burst(func(x *Rule) {
		x.ID, x.Kind, x.Count, x.Window, x.Suppress.For = "lw.test.sequence", Sequence, 0, sqliteSeconds(r, 5, 30), sqliteSeconds(r, 0, 20)
		for i := range steps {
			s := SequenceStep{Name: fmt.Sprint("s", i), AtLeast: int64(1 + r.IntN(3)), HasUntil: true}
			x.Steps = append(x.Steps, s)
			more[fmt.Sprint("need", i+1)] = s.AtLeast
		}
	})
	untidy := untidy(r)
	return sqliteCase{query: "sequence", rule: rule, more: more, lines: sqliteLog(r, 150, 1000, func(l *line) {
		untidy(l)
		for i := range steps {
			if r.IntN(3) == 0 {
				l.steps = append(l.steps, uint8(i+1))
			}
			if r.IntN(30) == 0 {
				l.steps = append(l.steps, uint8(StepReset+i+1))
			}
		}
	})}
}

func sqliteUnanswered(r *rand.Rand) sqliteCase {
	need := int64(1 + r.IntN(3))
	rule := burst(unanswered, func(x *Rule) {
		x.Window, x.Suppress.For = sqliteSeconds(r, 3, 12), sqliteSeconds(r, 0, 20)
		x.Steps = slices.Clone(x.Steps)
		x.Steps[0].AtLeast = need
	})
	untidy := untidy(r)
	lines := sqliteLog(r, 150, 1500, func(l *line) {
		untidy(l)
		l.steps = [][]uint8{{1}, {1}, {1}, {2}, {1, 2}, {}}[r.IntN(6)]
	})
	return sqliteCase{query: "unanswered", rule: rule, more: map[string]any{"need1": need}, lines: lines}
}

func sqliteAbsence(r *rand.Rand) sqliteCase {
	rule := silent(func(x *Rule) {
		x.By, x.Absence.For = []event.ID{event.ClientIP}, sqliteSeconds(r, 2, 12)
		x.Window = x.Absence.For
		for _, key := range []string{"10.0.0.1", "10.0.0.8", "10.0.0.9"} {
			x.Absence.Expect = append(x.Absence.Expect, []event.Value{{Field: event.ClientIP, Str: key}})
		}
	})
	lines := sqliteLog(r, 80, 3000, func(l *line) {
		if r.IntN(20) == 0 {
			l.key = ""
		}
	})
	return sqliteCase{query: "absence", rule: rule, more: map[string]any{"roster": `["10.0.0.1","10.0.0.8","10.0.0.9"]`}, lines: lines}
}

func sqliteSpike(r *rand.Rand) sqliteCase {
	const blocks = 10
	rule := wave(func(x *Rule) {
		x.By, x.Window, x.Suppress.For = []event.ID{event.ClientIP}, []time.Duration{5 * time.Second, 10 * time.Second}[r.IntN(2)], sqliteSeconds(r, 0, 20)
		x.Spike = SpikeSpec{
			As: SpikeRatio, Factor: []float64{1, 1.5, 3}[r.IntN(3)], MinHits: int64(3 + r.IntN(6)), MinTotal: int64(r.IntN(15)),
			Baseline: blocks * x.Window, Warmup: sqliteSeconds(r, 0, 20), Floor: []float64{0.1, 1}[r.IntN(2)],
		}
	})
	s := rule.Spike
	more := map[string]any{
		"blocks": blocks, "factor": s.Factor, "need": s.MinHits, "least": s.MinTotal, "floor": s.Floor, "warmup": s.Warmup.Milliseconds(),
	}
	share, left := 0.1, 0
	lines := sqliteLog(r, 1200, 80, func(l *line) {
		if left--; left < 0 {
			share, left = []float64{0.05, 0.05, 0.1, 0.7}[r.IntN(4)], 100+r.IntN(200)
		}
		l.steps = []uint8{0}
		if r.Float64() < share {
			l.steps[0] = 1
		}
	})
	return sqliteCase{query: "spike", rule: rule, more: more, lines: lines}
}
