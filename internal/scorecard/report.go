package scorecard

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/rules"
)

// The settings in which attacks are made.
const (
	Alone        = "alone"
	UnderSurge   = "under a campaign surge"
	DuringOutage = "during a vendor's brown-out"
	Slow         = "one every ten minutes"
)

// Report is what a rule set is worth on the reference corpora.
type Report struct {
	Seed           uint64       `json:"seed"`
	SessionsPerDay float64      `json:"sessions_per_day"`
	Lines          int64        `json:"lines"`
	Attacks        []ClassScore `json:"attacks"`
	Days           []DayScore   `json:"days"`
	Rules          []RuleScore  `json:"rules"`
}

// ClassScore is how a class of attacks fares in a setting.
type ClassScore struct {
	Class   generator.Class `json:"class"`
	Setting string          `json:"setting"`
	Made    int             `json:"made"`
	Found   int             `json:"found"`   // by any alert about it that is not of a rule in shadow mode
	Paged   int             `json:"paged"`   // by one that wakes somebody
	Shadow  int             `json:"shadow"`  // by rules in shadow mode alone
	First   time.Duration   `json:"first"`   // median time from the first line of the attack to the first alert, of those found
	Alerts  int             `json:"alerts"`  // about all of them
	By      []string        `json:"by"`      // rules, the one that was first most often before the others
	Missing []string        `json:"missing"` // rules that should have fired, and did not for any of them
}

// DayScore is what the rules say of days on which nobody attacks.
type DayScore struct {
	Name     string   `json:"name"` // quiet, or the confounder
	Days     int      `json:"days"`
	Pages    int      `json:"pages"`    // alerts that wake somebody for nothing
	Other    int      `json:"other"`    // alerts that do not wake anybody
	Shadow   int      `json:"shadow"`   // of rules in shadow mode
	Expected int      `json:"expected"` // of these, those the truth says may come of the day's disturbance
	Stray    int      `json:"stray"`    // beside these: alerts about the lone attackers and scanners of every day, who are real
	By       []string `json:"by"`       // rules with the number of their alerts
	Wanted   []string `json:"wanted"`   // rules that should notice the day's disturbance
	Noticed  []string `json:"noticed"`  // of these, those that did
}

// RuleScore is what a rule contributes.
type RuleScore struct {
	ID       string         `json:"id"`
	Severity event.Severity `json:"severity"`
	Mode     rules.Mode     `json:"mode"`
	Budget   int            `json:"budget"`  // alerts a day; -1 where it states none
	Worst    int            `json:"worst"`   // alerts on its worst day without an attack or a disturbance that may fire it
	Attacks  int            `json:"attacks"` // attacks it has fired on

	day   string // the last one with an alert, and how many it had
	today int
}

// page tells whether an alert wakes somebody.
func page(a *event.Alert) bool {
	return a.Mode != string(rules.Shadow) && (a.Rule.Severity == event.High || a.Rule.Severity == event.Critical)
}

// within tells whether an alert belongs to something that lasted from first to last.
func within(a *event.Alert, first, last time.Time) bool {
	at := time.Unix(0, a.Time)
	return !at.Before(first.Add(-time.Second)) && !at.After(last.Add(trailing))
}

// disturbed tells whether a disturbance may fire the rule of an alert.
func disturbed(a *event.Alert, all []generator.Disturbance) bool {
	return slices.ContainsFunc(all, func(d generator.Disturbance) bool {
		end := time.Unix(0, a.Time)
		if d.End != nil {
			end = *d.End
		}
		return within(a, d.Begin, end) && (slices.Contains(d.Rules, a.Rule.ID) || slices.Contains(d.MayFire, a.Rule.ID))
	})
}

// noticed are the rules that should notice a disturbance and did.
func noticed(alerts []alert, d generator.Disturbance) []string {
	out := []string{}
	for _, id := range d.Rules {
		if slices.ContainsFunc(alerts, func(a alert) bool { return a.Rule.ID == id && within(a.Alert, d.Begin, *d.End) }) {
			out = append(out, id)
		}
	}
	return out
}

// judge counts the alerts of days without attacks, and takes notice of a rule's worst day.
func (r *Report) judge(name string, days int, alerts []alert, g *generator.Generator, from, until time.Time) DayScore {
	d := DayScore{Name: name, Days: days, By: []string{}, Wanted: []string{}, Noticed: []string{}}
	usual := func(t generator.Disturbance) bool { return slices.Contains(ordinary(), t.Kind) }
	strays := slices.DeleteFunc(g.Disturbances(), func(t generator.Disturbance) bool { return !usual(t) })
	odd := slices.DeleteFunc(g.Disturbances(), usual)
	by := map[string]int{}
	for _, a := range alerts {
		at := time.Unix(0, a.Time)
		if at.Before(from) || !at.Before(until) {
			continue
		}
		by[a.Rule.ID]++
		expected, stray := disturbed(a.Alert, odd), disturbed(a.Alert, strays)
		if !expected {
			r.noise(a.Rule.ID, at)
		}
		if stray {
			d.Stray++
			continue
		}
		if expected {
			d.Expected++
		}
		switch {
		case a.Mode == string(rules.Shadow):
			d.Shadow++
		case page(a.Alert):
			d.Pages++
		default:
			d.Other++
		}
	}
	d.By = counted(by)
	return d
}

// noise counts an alert against the budget of its rule, which has room for the strays of every day.
func (r *Report) noise(id string, at time.Time) {
	i := slices.IndexFunc(r.Rules, func(s RuleScore) bool { return s.ID == id })
	if i < 0 {
		return
	}
	s := &r.Rules[i]
	if day := at.Format(time.DateOnly); s.day != day {
		s.day, s.today = day, 0
	}
	s.today++
	s.Worst = max(s.Worst, s.today)
}

// counted writes rules with their numbers, most first.
func counted(by map[string]int) []string {
	ids := make([]string, 0, len(by))
	for id := range by {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(by[b]-by[a], strings.Compare(a, b)) })
	for i, id := range ids {
		if by[id] > 1 {
			ids[i] = fmt.Sprintf("%s ×%d", id, by[id])
		}
	}
	return ids
}

// score finds the alerts about each attack.
func (r *Report) score(alerts []alert, g *generator.Generator, settings []string) {
	type key struct {
		class   generator.Class
		setting string
	}
	at := map[key]int{}
	times, first, fired := map[key][]time.Duration{}, map[key]map[string]int{}, map[key]map[string]int{}
	for _, in := range g.Truth() {
		n := 0
		if _, err := fmt.Sscanf(in.ID[strings.LastIndexByte(in.ID, '-')+1:], "%d", &n); err != nil || n < 1 || n > len(settings) {
			continue
		}
		k := key{in.Class, settings[n-1]}
		if _, ok := at[k]; !ok {
			at[k] = len(r.Attacks)
			r.Attacks = append(r.Attacks, ClassScore{Class: in.Class, Setting: k.setting, Missing: in.Rules})
			first[k], fired[k] = map[string]int{}, map[string]int{}
		}
		s := &r.Attacks[at[k]]
		s.Made++
		about := r.about(alerts, in)
		seen := map[string]bool{}
		found, paged, shadow := false, false, false
		for i, a := range about {
			if i == 0 {
				times[k] = append(times[k], time.Unix(0, a.Time).Sub(in.First))
				first[k][a.Rule.ID]++
			}
			fired[k][a.Rule.ID]++
			live := a.Mode != string(rules.Shadow)
			found, paged, shadow = found || live, paged || page(a.Alert), shadow || !live
			if !seen[a.Rule.ID] {
				seen[a.Rule.ID] = true
				if j := slices.IndexFunc(r.Rules, func(x RuleScore) bool { return x.ID == a.Rule.ID }); j >= 0 {
					r.Rules[j].Attacks++
				}
			}
		}
		s.Alerts += len(about)
		s.Found += one(found)
		s.Paged += one(paged)
		s.Shadow += one(shadow && !found)
		s.Missing = slices.DeleteFunc(slices.Clone(s.Missing), func(id string) bool { return seen[id] })
	}
	slices.SortStableFunc(r.Attacks, func(a, b ClassScore) int { return cmp.Compare(rank(a.Setting), rank(b.Setting)) })
	for i := range r.Attacks {
		s := &r.Attacks[i]
		k := key{s.Class, s.Setting}
		if _, ok := at[k]; !ok {
			continue
		}
		if t := times[k]; len(t) > 0 {
			slices.Sort(t)
			s.First = t[len(t)/2]
		}
		s.By = counted(fired[k])
		slices.SortStableFunc(s.By, func(a, b string) int {
			return first[k][strings.Fields(b)[0]] - first[k][strings.Fields(a)[0]]
		})
	}
}

// rank orders settings: alone, and then where it is harder.
func rank(setting string) int {
	return slices.Index([]string{Alone, UnderSurge, DuringOutage, Slow}, setting)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// about are the alerts about an attack, in order of time.
func (r *Report) about(alerts []alert, in generator.Incident) []alert {
	var out []alert
	for _, a := range alerts {
		if within(a.Alert, in.First, in.Last) && (slices.Contains(in.Rules, a.Rule.ID) || slices.Contains(in.MayFire, a.Rule.ID)) && a.names(in.Facts) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b alert) int { return cmp.Compare(a.Time, b.Time) })
	return out
}

// maxPages is how many false pages a day a bank's on-call puts up with.
const maxPages = 2

// Problems are what keeps the set from being one that on-call would keep: attacks that are not found
// where nothing hides them, disturbances that nobody notices, days with more pages than on-call puts up
// with, and rules beyond their budget. A rule that states no budget must be silent.
func (r *Report) Problems() []string {
	var out []string
	for _, s := range r.Attacks {
		if s.Setting == Alone && s.Found < s.Made {
			out = append(out, fmt.Sprintf("%s: %d of %d found", s.Class, s.Found, s.Made))
		}
	}
	for _, d := range r.Days {
		if d.Pages > maxPages*d.Days {
			out = append(out, fmt.Sprintf("%s: %d pages in %d days: %s", d.Name, d.Pages, d.Days, strings.Join(d.By, ", ")))
		}
		if len(d.Noticed) < len(d.Wanted) {
			out = append(out, fmt.Sprintf("%s: not noticed by %s", d.Name, strings.Join(d.Wanted, ", ")))
		}
	}
	for _, s := range r.Rules {
		if s.Worst > max(s.Budget, 0) {
			out = append(out, fmt.Sprintf("%s: %d alerts on a day without a cause, its budget is %d", s.ID, s.Worst, max(s.Budget, 0)))
		}
	}
	return out
}

// Print writes the report for a terminal.
func (r *Report) Print(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%d lines, %.0f genuine sessions a day, seed %d\n\n", r.Lines, r.SessionsPerDay, r.Seed)
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	setting := ""
	for _, s := range r.Attacks {
		if s.Setting != setting {
			setting = s.Setting
			_, _ = fmt.Fprintf(t, "ATTACK, %s\tFOUND\tPAGED\tFIRST ALERT\tALERTS\tBY\n", setting)
		}
		when := "-"
		if len(s.By) > 0 {
			when = s.First.Round(time.Second).String()
		}
		found := fmt.Sprintf("%d/%d", s.Found, s.Made)
		if s.Shadow > 0 {
			found += " (shadow)"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%s\n", s.Class, found, s.Paged, when, s.Alerts, strings.Join(s.By, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, _ = fmt.Fprintf(t, "DAY WITHOUT ATTACK\tPAGES A DAY\tOTHER\tSHADOW\tEXPECTED\tSTRAY\tBY\n")
	for _, d := range r.Days {
		n := float64(d.Days)
		_, _ = fmt.Fprintf(t, "%s\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g\t%s\n",
			d.Name, float64(d.Pages)/n, float64(d.Other)/n, float64(d.Shadow)/n, float64(d.Expected)/n, float64(d.Stray)/n, strings.Join(d.By, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(w, out.String()); err != nil {
		return err
	}
	var idle []string
	for _, s := range r.Rules {
		if s.Attacks == 0 && s.Worst == 0 {
			idle = append(idle, s.ID)
		}
	}
	if len(idle) > 0 {
		if _, err := fmt.Fprintf(w, "\nnever fired on an attack: %s\n", strings.Join(idle, ", ")); err != nil {
			return err
		}
	}
	problems := r.Problems()
	for _, p := range problems {
		if _, err := fmt.Fprintf(w, "\nproblem: %s", p); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d problems\n", len(problems))
	return err
}
