// Package backtest reports what a rule set would have fired over recorded logs or an agent's journal: per rule, day and
// key, for a terminal, as JSON and as a page, and how two rule sets differ. It runs nothing: who does, tells it of events
// and alerts.
package backtest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

// Report gathers what a rule set would have fired over recorded logs. It keeps of each alert what
// the report shows, and nothing can send it anywhere.
type Report struct {
	From, Until int64  // times of the first and last event, nanoseconds; both 0 where there was none
	Events      int64  // of lines
	Joined      int64  // made of others
	Rules       []Rule // in order of id

	byID map[string]int
}

// Rule is what one rule would have fired.
type Rule struct {
	ID       string
	Severity event.Severity
	Mode     rules.Mode
	Budget   int     // alerts a day; rules.NoBudget where the rule states none
	Alerts   []Alert // in order of time

	near time.Duration // alerts of one key within it are the same incident
}

// Alert is an alert of a backtest.
type Alert struct {
	ID    event.Hash
	Time  int64
	Key   string
	Title string
}

// New makes an empty report on the rules of a set, or on the one of an id.
func New(set *rules.Set, id string) *Report {
	b := &Report{byID: map[string]int{}}
	for _, r := range set.Rules() {
		if id != "" && r.ID != id {
			continue
		}
		b.byID[r.ID] = len(b.Rules)
		b.Rules = append(b.Rules, Rule{ID: r.ID, Severity: r.Severity, Mode: r.Mode, Budget: r.Budget, near: max(r.Window, 10*time.Minute)})
	}
	return b
}

// Event takes notice of the time of a line's event.
func (b *Report) Event(t int64) {
	b.reach(t)
	b.Events++
}

// Join takes notice of the time of an event that was made of others.
func (b *Report) Join(t int64) {
	b.reach(t)
	b.Joined++
}

func (b *Report) reach(t int64) {
	first := b.Events+b.Joined == 0
	if first || t < b.From {
		b.From = t
	}
	if first || t > b.Until {
		b.Until = t
	}
}

// Alert takes an alert in. Reports about an earlier alert, such as a recovery, are none.
func (b *Report) Alert(a *event.Alert) {
	i, ok := b.byID[a.Rule.ID]
	if !ok || a.Status != event.Firing {
		return
	}
	b.Rules[i].Alerts = append(b.Rules[i].Alerts, Alert{ID: a.ID, Time: a.Time, Key: a.KeyText(), Title: a.Rule.Name})
}

// dayOf is the day of a time, in UTC.
func dayOf(t int64) string { return time.Unix(0, t).UTC().Format(time.DateOnly) }

// Days are the days of the log, the first to the last.
func (b *Report) Days() []string {
	if b.Events+b.Joined == 0 {
		return nil
	}
	const most = 4000
	var out []string
	for t := time.Unix(0, b.From).UTC().Truncate(24 * time.Hour); !t.After(time.Unix(0, b.Until)) && len(out) < most; t = t.AddDate(0, 0, 1) {
		out = append(out, t.Format(time.DateOnly))
	}
	return out
}

// Count is a number of alerts under a name: of a day, or of a key.
type Count struct {
	Name   string `json:"name"`
	Alerts int    `json:"alerts"`
}

// PerDay counts alerts on each of the days.
func (r *Rule) PerDay(days []string) []Count {
	out := make([]Count, len(days))
	at := make(map[string]int, len(days))
	for i, d := range days {
		out[i].Name = d
		at[d] = i
	}
	for _, a := range r.Alerts {
		if i, ok := at[dayOf(a.Time)]; ok {
			out[i].Alerts++
		}
	}
	return out
}

// PerKey counts alerts of each key, most first.
func (r *Rule) PerKey() []Count {
	counts := map[string]int{}
	for _, a := range r.Alerts {
		counts[a.Key]++
	}
	out := make([]Count, 0, len(counts))
	for key, n := range counts {
		out = append(out, Count{key, n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(b.Alerts-a.Alerts, strings.Compare(a.Name, b.Name)) })
	return out
}

// Worst is the largest number of alerts on one day.
func (r *Rule) Worst() int {
	worst, days := 0, map[string]int{}
	for _, a := range r.Alerts {
		d := dayOf(a.Time)
		days[d]++
		worst = max(worst, days[d])
	}
	return worst
}

// OverBudget are the rules with more than budget alerts on some day. With rules.NoBudget each rule is held
// to its own.
func (b *Report) OverBudget(budget int) []string {
	var out []string
	for i := range b.Rules {
		r, may := &b.Rules[i], budget
		if may == rules.NoBudget {
			may = r.Budget
		}
		if may != rules.NoBudget && r.Worst() > may {
			out = append(out, r.ID)
		}
	}
	return out
}

// bar draws n of most as blocks, at least one for what is not nothing.
func bar(n, most int) string {
	const width = 40
	if n == 0 || most == 0 {
		return ""
	}
	return strings.Repeat("█", max(1, n*width/most))
}

// shownKeys and shownRows bound what the terminal shows of a rule.
const (
	shownKeys = 5
	shownRows = 31
)

// Print writes the report for a terminal: for each rule that fired its alerts per day, and the keys
// with most of them; the silent ones in one line.
func (b *Report) Print(w io.Writer) error {
	var out strings.Builder
	days := b.Days()
	out.WriteString(b.span(days) + "\n")
	var silent []string
	total := 0
	for i := range b.Rules {
		r := &b.Rules[i]
		total += len(r.Alerts)
		if len(r.Alerts) == 0 {
			silent = append(silent, r.ID)
			continue
		}
		r.print(&out, days)
	}
	if len(silent) > 0 {
		fmt.Fprintf(&out, "\nno alert: %s\n", strings.Join(silent, ", "))
	}
	fmt.Fprintf(&out, "\n%s\n", plural(total, "alert"))
	_, err := io.WriteString(w, out.String())
	return err
}

// span says how many events there were, and when.
func (b *Report) span(days []string) string {
	if len(days) == 0 {
		return "no events"
	}
	events := plural(int(b.Events), "event")
	if b.Joined > 0 {
		events += fmt.Sprintf(" and %d joined of them", b.Joined)
	}
	return fmt.Sprintf("%s from %s to %s (UTC), %s", events, event.FormatTime(b.From), event.FormatTime(b.Until), plural(len(days), "day"))
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

func (r *Rule) print(out *strings.Builder, days []string) {
	keys := r.PerKey()
	mode := ""
	if r.Mode == rules.Shadow {
		mode = ", shadow"
	}
	fmt.Fprintf(out, "\n%s (%s%s): %s, %s, at most %d a day\n", r.ID, r.Severity, mode, plural(len(r.Alerts), "alert"), plural(len(keys), "key"), r.Worst())
	rows := grouped(r.PerDay(days), shownRows)
	most := 0
	for _, c := range rows {
		most = max(most, c.Alerts)
	}
	for _, c := range rows {
		fmt.Fprintf(out, "  %s %5d %s\n", c.Name, c.Alerts, bar(c.Alerts, most))
	}
	for _, k := range keys[:min(len(keys), shownKeys)] {
		name := k.Name
		if name == "" {
			name = "(one key for all)"
		}
		fmt.Fprintf(out, "  %5d  %s\n", k.Alerts, event.OneLine(name, 100))
	}
	if rest := len(keys) - shownKeys; rest > 0 {
		fmt.Fprintf(out, "         and %d keys more\n", rest)
	}
}

// grouped puts days together until there are at most limit rows; a row bears its first day.
func grouped(days []Count, limit int) []Count {
	per := (len(days) + limit - 1) / limit
	if per <= 1 {
		return days
	}
	var out []Count
	for i := 0; i < len(days); i += per {
		c := Count{Name: days[i].Name}
		for _, d := range days[i:min(i+per, len(days))] {
			c.Alerts += d.Alerts
		}
		out = append(out, c)
	}
	return out
}

// Difference is how a rule's alerts differ between two versions of a rule set.
type Difference struct {
	Rule  string  `json:"rule"`
	Same  int     `json:"same"`
	Moved int     `json:"moved"` // of the same: those that fire at another event
	New   []Alert `json:"new"`
	Gone  []Alert `json:"gone"`
}

// Compare holds the alerts of this set against those of an older one: new are those that only this
// has, gone those that only the older had. Alerts of one rule and key within its window are the same.
func (b *Report) Compare(old *Report) []Difference {
	ids := make([]string, 0, len(b.Rules))
	for i := range b.Rules {
		ids = append(ids, b.Rules[i].ID)
	}
	for i := range old.Rules {
		ids = append(ids, old.Rules[i].ID)
	}
	slices.Sort(ids)
	out := make([]Difference, 0, len(ids))
	for _, id := range slices.Compact(ids) {
		var now, before Rule
		if i, ok := b.byID[id]; ok {
			now = b.Rules[i]
		}
		if i, ok := old.byID[id]; ok {
			before = old.Rules[i]
		}
		out = append(out, compareRule(id, &now, &before))
	}
	return out
}

func compareRule(id string, now, before *Rule) Difference {
	d := Difference{Rule: id}
	near := int64(max(now.near, before.near))
	old := map[string][]Alert{} // by key, in order of time
	for _, a := range before.Alerts {
		old[a.Key] = append(old[a.Key], a)
	}
	for _, a := range now.Alerts {
		rest := old[a.Key]
		i := slices.IndexFunc(rest, func(o Alert) bool { return o.ID == a.ID })
		if i < 0 {
			i = slices.IndexFunc(rest, func(o Alert) bool { return max(a.Time-o.Time, o.Time-a.Time) <= near })
			if i < 0 {
				d.New = append(d.New, a)
				continue
			}
			d.Moved++
		}
		d.Same++
		old[a.Key] = slices.Delete(rest, i, i+1)
	}
	for _, rest := range old {
		d.Gone = append(d.Gone, rest...)
	}
	slices.SortFunc(d.Gone, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Key, b.Key))
	})
	return d
}

// PrintDifferences writes a comparison, the rules in which something differs with their alerts.
func PrintDifferences(w io.Writer, all []Difference) error {
	var out strings.Builder
	var same, changed, gone int
	for _, d := range all {
		same, changed, gone = same+d.Same, changed+len(d.New), gone+len(d.Gone)
		if len(d.New)+len(d.Gone)+d.Moved == 0 {
			continue
		}
		fmt.Fprintf(&out, "\n%s: %d new, %d gone, %d same", d.Rule, len(d.New), len(d.Gone), d.Same)
		if d.Moved > 0 {
			fmt.Fprintf(&out, ", %d of these at another event", d.Moved)
		}
		out.WriteByte('\n')
		for _, list := range []struct {
			sign   string
			alerts []Alert
		}{{"+", d.New}, {"-", d.Gone}} {
			const shown = 10
			for _, a := range list.alerts[:min(len(list.alerts), shown)] {
				fmt.Fprintf(&out, "  %s %s %s\n", list.sign, event.FormatTime(a.Time), event.OneLine(a.Title, 100))
			}
			if rest := len(list.alerts) - shown; rest > 0 {
				fmt.Fprintf(&out, "  %s and %d more\n", list.sign, rest)
			}
		}
	}
	fmt.Fprintf(&out, "\n%d new, %d gone, %d same\n", changed, gone, same)
	_, err := io.WriteString(w, out.String())
	return err
}
