package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
	"github.com/liveward/liveward/rules/backtest"
)

// Verdict says whether a shadow rule can be switched on.
type Verdict string

// The verdicts.
const (
	Ready     Verdict = "ready"    // on no day more alerts than its budget
	Noisy     Verdict = "noisy"    // more on some day
	Unproven  Verdict = "unproven" // the journal does not reach far enough back: the rule had no time to learn and show itself
	Sightless Verdict = "blind"    // no input provides a field it needs: of course it was quiet
)

// provingTime is for how long a rule must have been able to fire before its silence says something.
const provingTime = 24 * time.Hour

// Promotion is what the last days say of a shadow rule.
type Promotion struct {
	ID      string           `json:"id"`
	Verdict Verdict          `json:"verdict"`
	Why     string           `json:"why"`
	Alerts  int              `json:"alerts"`
	Worst   int              `json:"worst"`          // most on one day
	Budget  int              `json:"budget"`         // most it may have on one
	Keys    []backtest.Count `json:"keys,omitempty"` // those with most alerts
	Missing []string         `json:"missing,omitempty"`
	Written string           `json:"written,omitempty"` // file that switches it on now
}

// Promote runs the shadow rules over the journal of the last days and says of each whether it is quiet
// enough to be switched on. ids choose rules; none means all that are in shadow mode. budget is what
// rules may have a day that state none of their own.
func (p *Plan) Promote(ctx context.Context, since time.Duration, budget int, ids []string) ([]Promotion, *backtest.Report, error) {
	var chosen []*rules.Rule
	for _, id := range ids {
		r := p.Rules.Rule(id)
		switch {
		case r == nil:
			return nil, nil, fmt.Errorf("there is no rule %s", id)
		case r.Mode != rules.Shadow:
			return nil, nil, fmt.Errorf("rule %s is live already", id)
		}
		chosen = append(chosen, r)
	}
	for _, r := range p.Rules.Rules() {
		if len(ids) == 0 && r.Mode == rules.Shadow {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, nil
	}
	tests, err := p.BacktestJournal(ctx, since, "", p.Rules)
	if err != nil {
		return nil, nil, err
	}
	b, blind := tests[0], p.Blind()
	out := make([]Promotion, 0, len(chosen))
	for _, r := range chosen {
		i := slices.IndexFunc(b.Rules, func(x backtest.Rule) bool { return x.ID == r.ID })
		out = append(out, judge(r, &b.Rules[i], budget, time.Duration(b.Until-b.From), blind[r.ID]))
	}
	return out, b, nil
}

// judge says what the alerts of a rule over a span mean.
func judge(r *rules.Rule, b *backtest.Rule, budget int, span time.Duration, missing []event.ID) Promotion {
	const shown = 3
	keys := b.PerKey()
	p := Promotion{ID: r.ID, Alerts: len(b.Alerts), Worst: b.Worst(), Budget: budget, Keys: keys[:min(len(keys), shown)]}
	if r.Budget != rules.NoBudget {
		p.Budget = r.Budget
	}
	needs := r.Learning() + provingTime
	switch {
	case p.Worst > p.Budget:
		p.Verdict, p.Why = Noisy, fmt.Sprintf("alerts on its worst day: %d, allowed: %d", p.Worst, p.Budget)
	case len(missing) > 0:
		for _, id := range missing {
			p.Missing = append(p.Missing, id.String())
		}
		p.Verdict, p.Why = Sightless, "no input provides "+strings.Join(p.Missing, ", ")
	case span < needs:
		p.Verdict = Unproven
		p.Why = fmt.Sprintf("it needs %s of events, there are %s", event.FormatDuration(needs), event.FormatDuration(span.Truncate(time.Minute)))
	default:
		p.Verdict, p.Why = Ready, fmt.Sprintf("alerts on its worst day: %d, allowed: %d", p.Worst, p.Budget)
	}
	return p
}

// SwitchOn makes a shadow rule live, and returns the file that it wrote: in rules.overlay where that is
// set, else in rules.dir. A rule of the pack gets an overlay, so that an upgrade does not take it back;
// the site's own is changed in its file. A change that does not load, or does not make the rule live, is
// taken back.
func (p *Plan) SwitchOn(id string) (string, error) {
	r := p.Rules.Rule(id)
	if r == nil {
		return "", fmt.Errorf("there is no rule %s", id)
	}
	path, text, err := p.switchedOn(r)
	if err != nil {
		return "", fmt.Errorf("rule %s: %w", id, err)
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("rule %s: %w", id, err)
	}
	if err := replace(path, text); err != nil {
		return "", fmt.Errorf("rule %s: %w", id, err)
	}
	set, err := rules.Load(p.rulesFS, p.ruleOptions())
	if err == nil {
		if now := set.Rule(id); now == nil || now.Mode != rules.Live {
			err = fmt.Errorf("rule %s is still in shadow mode", id)
		}
	}
	if err == nil {
		return path, nil
	}
	if before == nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return "", errors.Join(err, replace(path, before))
}

// switchedOn says which file switches a rule on, and what stands in it then.
func (p *Plan) switchedOn(r *rules.Rule) (path string, text []byte, err error) {
	mode := regexp.MustCompile(`(?m)^mode:[ \t]*shadow\b`)
	on := []byte("mode: live")
	var dirs []string // the upper one first
	for _, dir := range []string{p.Config.Rules.Overlay, p.Config.Rules.Dir} {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return "", nil, errors.New("the pack within the program cannot be changed: set rules.overlay to a directory of your own")
	}
	name := r.ID + ".yaml"
	for _, dir := range dirs {
		overlay := filepath.Join(dir, "overlays", name)
		have, err := os.ReadFile(overlay)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return "", nil, err
		case mode.Match(have):
			return overlay, mode.ReplaceAll(have, on), nil
		}
		return overlay, append(bytes.TrimRight(have, "\n"), "\nmode: live\n"...), nil
	}
	if _, err := fs.Stat(packFS(), name); err == nil {
		text := fmt.Appendf(nil, "# It was quiet enough: liveward rules promote switched it on.\nbase: %d\nmode: live\n", r.Version)
		return filepath.Join(dirs[0], "overlays", name), text, nil
	}
	for _, dir := range dirs {
		own := filepath.Join(dir, name)
		if have, err := os.ReadFile(own); err == nil && mode.Match(have) {
			return own, mode.ReplaceAll(have, on), nil
		}
	}
	return "", nil, errors.New("no file of it has a line mode: shadow")
}

// replace writes a file in one step. Its directory, where it is new, opens for those who may open the
// one that it is in.
func replace(path string, text []byte) error {
	parent, err := os.Stat(filepath.Dir(filepath.Dir(path)))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), parent.Mode().Perm()); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".promote-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
