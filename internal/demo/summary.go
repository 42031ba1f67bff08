package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/scorecard"
)

// summary prints what went through, what privacy dropped, and each attack of the truth against the
// alert that caught it.
func (d *demo) summary(t pipeline.Totals, behind int64) {
	through := fmt.Sprintf("%s written, %s, %d quarantined, %d late", plural(d.written(), "line"), plural(t.Events, "event"), t.Quarantined, t.Late)
	if behind > 0 {
		through += fmt.Sprintf(", %s not delivered yet", plural(behind, "journal message"))
	}
	privacy := "privacy dropped or masked " + plural(t.Dropped, "value")
	if len(t.Kinds) > 0 {
		kinds := make([]string, 0, len(t.Kinds))
		for k, n := range t.Kinds {
			kinds = append(kinds, k+" in "+plural(n, "line"))
		}
		slices.Sort(kinds)
		privacy += ": " + strings.Join(kinds, ", ")
	}
	d.screen.say("%s\n%s\n%s\n", rule(d.screen.columns()), through, privacy)
	w := tabwriter.NewWriter(d.screen, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ATTACK\tLINES\tCAUGHT BY\tAFTER\tEVENTS BY THEN")
	caught := 0
	used := make(map[event.Hash]bool)
	truth := d.gen.Truth()
	for _, attack := range truth {
		if len(attack.Rules) == 0 {
			continue
		}
		c, ok := d.match(attack)
		if !ok {
			_, _ = fmt.Fprintf(w, "%s\t%d\tnot caught\t\t\n", attack.Class, attack.Lines)
			continue
		}
		caught++
		used[c.alert.ID] = true
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%.1fs\t%d\n", attack.Class, attack.Lines, c.alert.Rule.ID, c.at.Sub(attack.First).Seconds(), c.alert.Count)
	}
	_ = w.Flush()
	other := 0
	for _, id := range d.order {
		if !used[id] && !d.explained(d.caught[id].alert, truth) {
			other++
		}
	}
	d.screen.printf("\n%d of %s caught, %s without an attack\n", caught, plural(int64(len(truth)), "attack"), plural(int64(other), "alert"))
	if d.cfg.Keep != "" {
		d.screen.printf("kept: %s (log, truth, journal, key roster)\n", d.dir)
	}
}

// match finds the alert that names an attack: of the rules it was made for, the foremost that fired,
// and of its alerts the first.
func (d *demo) match(attack generator.Incident) (catch, bool) {
	var best catch
	rank := len(attack.Rules)
	for _, id := range d.order {
		c := d.caught[id]
		at := slices.Index(attack.Rules, c.alert.Rule.ID)
		if at < 0 || !d.names(c.alert, attack) {
			continue
		}
		if at < rank || at == rank && c.at.Before(best.at) {
			best, rank = c, at
		}
	}
	return best, best.alert != nil
}

func (d *demo) explained(a *event.Alert, truth []generator.Incident) bool {
	return slices.ContainsFunc(truth, func(attack generator.Incident) bool { return d.names(a, attack) })
}

// names tells whether an alert is about an attack: one of its rules fired, or one that may, while it
// went on, and the alert's key is not at odds with the attack's facts.
func (d *demo) names(a *event.Alert, attack generator.Incident) bool {
	if !slices.Contains(attack.Rules, a.Rule.ID) && !slices.Contains(attack.MayFire, a.Rule.ID) {
		return false
	}
	if at := time.Unix(0, a.Time); at.Before(attack.First.Add(-time.Second)) || at.After(attack.Last.Add(time.Minute)) {
		return false
	}
	return scorecard.Concerns(d.plan, a, attack.Facts)
}

// plural is a number with its noun.
func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatInt(n, 10) + " " + noun
}
