package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/rules"
)

func rulesBacktestCommand() *cobra.Command {
	var in offlineFlags
	var against, rule, html string
	var budget int
	var own bool
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backtest --format FORMAT FILE…",
		Short: "Show what rules would have fired over recorded logs",
		Long: `Backtest runs whole logs through the agent's own stages and windows and counts the alerts of each
rule per day and per key. Nothing is sent anywhere; the same lines give the same bytes.

With --against, a second rule directory is run over the same logs, and the report says which alerts
are new with the first, which are gone, and how many are the same. With --budget, a rule that has more
alerts than that on any day (UTC) makes the exit code 1; with --own-budgets, one that has more than its
own budget says.`,
		Example: `  liveward rules backtest --rules rules.d --format nginx_json access.json.*
  liveward rules backtest --rules new.d --against rules.d --rule lw.auth.burst-per-ip --format nginx_json access.json
  liveward rules backtest --rules rules.d --format nginx_json --budget 5 --html report.html access.json`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			plan, err := in.plan(cmd, true)
			if err != nil {
				return err
			}
			if rule != "" && plan.Rules.Rule(rule) == nil {
				return fmt.Errorf("there is no rule %s", rule)
			}
			b, err := plan.Backtest(cmd.Context(), plan.Rules, rule, in.options(false), files)
			if err != nil {
				return err
			}
			var differences []rules.Difference
			if against != "" {
				set, err := plan.RuleSet(against)
				if err != nil {
					return err
				}
				old, err := plan.Backtest(cmd.Context(), set, rule, in.options(false), files)
				if err != nil {
					return err
				}
				differences = b.Compare(old)
			}
			if err := printBacktest(cmd, b, differences, against != "", asJSON); err != nil {
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
	f := cmd.Flags()
	f.StringVar(&in.rules, "rules", "", "rule directory (default: the configuration's, else the pack that comes with liveward)")
	f.StringVar(&against, "against", "", "compare with the rules of this directory")
	f.StringVar(&rule, "rule", "", "report on this rule alone")
	f.StringVar(&html, "html", "", "also write the report to this file, as a page that needs nothing beside itself")
	f.IntVar(&budget, "budget", 0, "alerts a rule may have on a day; more exit 1")
	f.BoolVar(&own, "own-budgets", false, "hold each rule to the budget that it states; more exit 1")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func printBacktest(cmd *cobra.Command, b *rules.Backtest, differences []rules.Difference, compared, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			*rules.Backtest
			Differences []rules.Difference `json:",omitempty"`
		}{b, differences})
	}
	if err := b.Print(out); err != nil {
		return err
	}
	if compared {
		return rules.PrintDifferences(out, differences)
	}
	return nil
}
