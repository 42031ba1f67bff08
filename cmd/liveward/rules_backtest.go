package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/rules"
	"github.com/liveward/liveward/rules/backtest"
)

func rulesBacktestCommand() *cobra.Command {
	var in offlineFlags
	var history historyFlags
	var against, rule, html string
	var budget int
	var own, asJSON bool
	cmd := &cobra.Command{
		Use:   "backtest (--format FORMAT FILE… | --journal -c FILE)",
		Short: "Show what rules would have fired over recorded logs or the journal",
		Long: `Backtest runs whole logs through the agent's own stages and windows and counts the alerts of each
rule per day and per key. Nothing is sent anywhere; the same lines give the same bytes. How many lines were
read stands on stderr; where none could be, there is no report, and the exit code is 1.

With --journal, it runs over what an agent has journaled in the last days instead: the documents are
matched and counted anew, in the order in which they came. A running agent is asked over its control
socket; of one that is stopped the data directory is read.

With --against, a second rule directory, or "pack" for the one that comes with liveward, is run over the
same logs, and the report says which alerts are new with the first, which are gone, and how many are the same. With --budget, a rule that has more
alerts than that on any day (UTC) makes the exit code 1; with --own-budgets, one that has more than its
own budget says.`,
		Example: `  liveward rules backtest --rules rules.d --format nginx_json access.json.*
  liveward rules backtest --rules new.d --against rules.d --rule lw.auth.burst-per-ip --format nginx_json access.json
  liveward rules backtest --rules rules.d --format nginx_json --budget 5 --html report.html access.json
  liveward rules backtest --overlay mine --against pack --format nginx_json access.json
  liveward rules backtest --journal -c liveward.yaml --days 3 --rules new.d --against rules.d`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			b, old, err := runBacktest(cmd, &in, &history, rule, against, files)
			if err != nil {
				return err
			}
			var differences []backtest.Difference
			if old != nil {
				differences = b.Compare(old)
			}
			if err := printBacktest(cmd, b, differences, old != nil, asJSON); err != nil {
				return err
			}
			if html != "" {
				o, err := newOutput(html, nil)
				if err != nil {
					return err
				}
				if err := errors.Join(b.WriteHTML(o.w, differences), o.close()); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("budget") {
				if over := b.OverBudget(budget); len(over) > 0 {
					return fmt.Errorf("over the budget of %d alerts a day: %s", budget, strings.Join(over, ", "))
				}
			}
			if own {
				if over := b.OverBudget(rules.NoBudget); len(over) > 0 {
					return fmt.Errorf("over their own budgets: %s", strings.Join(over, ", "))
				}
			}
			return nil
		},
	}
	in.register(cmd)
	in.registerRules(cmd)
	history.register(cmd)
	f := cmd.Flags()
	f.StringVar(&against, "against", "", "compare with the rules of this directory, or with those that come with liveward: pack")
	f.StringVar(&rule, "rule", "", "report on this rule alone")
	f.StringVar(&html, "html", "", "also write the report to this file, as a page that needs nothing beside itself")
	f.IntVar(&budget, "budget", 0, "alerts a rule may have on a day; more exit 1")
	f.BoolVar(&own, "own-budgets", false, "hold each rule to the budget that it states; more exit 1")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// historyFlags say how far back the journal is read.
type historyFlags struct {
	journal bool
	days    float64
}

func (h *historyFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&h.journal, "journal", false, "run over the journal of the configuration's agent, running or stopped")
	cmd.Flags().Float64Var(&h.days, "days", 7, "how many days of the journal")
}

func (h *historyFlags) since() (time.Duration, error) {
	const most = 366
	if !(h.days > 0 && h.days <= most) {
		return 0, usageError{fmt.Errorf("--days %g: want more than 0, and at most %d", h.days, most)}
	}
	return time.Duration(h.days * 24 * float64(time.Hour)), nil
}

// runBacktest runs the rules over files or the journal, and those they are compared with, if any.
func runBacktest(cmd *cobra.Command, in *offlineFlags, history *historyFlags, rule, against string, files []string) (b, old *backtest.Report, err error) {
	if !history.journal {
		if len(files) == 0 {
			return nil, nil, usageError{errors.New("no file is named: name one, or ask for --journal with -c FILE")}
		}
		return backtestFiles(cmd, in, rule, against, files)
	}
	switch {
	case len(files) > 0 || cmd.Flags().Changed("format") || cmd.Flags().Changed("source") || cmd.Flags().Changed("vendor"):
		return nil, nil, usageError{errors.New("--journal has events: name no file, format, source or vendor beside it")}
	case in.config == "":
		return nil, nil, usageError{errors.New("--journal needs the agent's configuration: -c FILE")}
	}
	since, err := history.since()
	if err != nil {
		return nil, nil, err
	}
	plan, err := agent.Load(in.config)
	if err != nil {
		return nil, nil, err
	}
	sets := []*rules.Set{plan.Rules}
	if in.rules != (agent.RuleDirs{}) {
		if sets[0], err = plan.RuleSet(in.rules.Over(plan.Config.Rules.Dirs())); err != nil {
			return nil, nil, err
		}
	}
	if err := known(sets[0], rule); err != nil {
		return nil, nil, err
	}
	if against != "" {
		set, err := plan.RuleSet(compared(against))
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, set)
	}
	tests, err := plan.BacktestJournal(cmd.Context(), since, rule, sets...)
	switch {
	case err != nil:
		return nil, nil, err
	case len(tests) == 1:
		return tests[0], nil, nil
	}
	return tests[0], tests[1], nil
}

func backtestFiles(cmd *cobra.Command, in *offlineFlags, rule, against string, files []string) (b, old *backtest.Report, err error) {
	plan, err := in.plan(cmd, true)
	if err != nil {
		return nil, nil, err
	}
	if err := known(plan.Rules, rule); err != nil {
		return nil, nil, err
	}
	var other *rules.Set
	if against != "" {
		if other, err = plan.RuleSet(compared(against)); err != nil {
			return nil, nil, err
		}
	}
	b, res, err := plan.Backtest(cmd.Context(), plan.Rules, rule, in.options(false), files)
	if err == nil {
		err = sumUp(cmd, res, "")
	}
	if err != nil || other == nil {
		return b, nil, err
	}
	old, _, err = plan.Backtest(cmd.Context(), other, rule, in.options(false), files)
	return b, old, err
}

// compared is the rule directory of --against.
func compared(against string) agent.RuleDirs {
	if against == pack {
		return agent.RuleDirs{}
	}
	return agent.RuleDirs{Dir: against}
}

// pack is what --against calls the rules that come with liveward.
const pack = "pack"

// known refuses the id of a rule that the set does not have.
func known(set *rules.Set, rule string) error {
	if rule != "" && set.Rule(rule) == nil {
		return fmt.Errorf("there is no rule %s", rule)
	}
	return nil
}

func printBacktest(cmd *cobra.Command, b *backtest.Report, differences []backtest.Difference, compared, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			*backtest.Report
			Differences []backtest.Difference `json:",omitempty"`
		}{b, differences})
	}
	if err := b.Print(out); err != nil {
		return err
	}
	if compared {
		return backtest.PrintDifferences(out, differences)
	}
	return nil
}
