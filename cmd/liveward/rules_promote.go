package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules/backtest"
)

func rulesPromoteCommand() *cobra.Command {
	var config string
	var history historyFlags
	var budget int
	var write, asJSON bool
	cmd := &cobra.Command{
		Use:   "promote [RULE…]",
		Short: "Say which shadow rules are quiet enough to be switched on",
		Long: `Promote runs the shadow rules of a configuration over what its agent has journaled in the last days,
and says of each

  ready     on no day more alerts than its budget: it can be switched on
  noisy     more on some day: tune it, or give it exceptions
  unproven  the journal has too few days: the rule must learn, and then show itself for a day
  blind     no input provides a field that it needs: its silence says nothing

A rule is held to the budget that it states, else to --budget. The exit code is 1 unless all rules asked
about are ready. With --write, those that are ready are switched on: rules of the pack by an overlay, in
rules.overlay or else rules.dir, your own in their file. The agent reloads them by itself.`,
		Example: `  liveward rules promote -c liveward.yaml
  liveward rules promote -c liveward.yaml --days 3 --budget 2 lw.inject.farm-ip
  liveward rules promote -c liveward.yaml --write`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			since, err := history.since()
			if err != nil {
				return err
			}
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			all, b, err := plan.Promote(cmd.Context(), since, budget, ids)
			if err != nil {
				return err
			}
			ready := 0
			for i := range all {
				if all[i].Verdict != agent.Ready {
					continue
				}
				ready++
				if !write {
					continue
				}
				if all[i].Written, err = plan.SwitchOn(all[i].ID); err != nil {
					return err
				}
			}
			if asJSON {
				if all == nil {
					all = []agent.Promotion{}
				}
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			} else {
				err = printPromotions(cmd, all, b, ready)
			}
			if err == nil && ready < len(all) {
				return errSilent
			}
			return err
		},
	}
	configFlag(cmd, &config)
	f := cmd.Flags()
	f.Float64Var(&history.days, "days", 7, "how many days of the journal")
	f.IntVar(&budget, "budget", 1, "alerts on a day that a rule may have which states no budget")
	f.BoolVar(&write, "write", false, "switch on those that are ready")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func printPromotions(cmd *cobra.Command, all []agent.Promotion, b *backtest.Report, ready int) error {
	out := cmd.OutOrStdout()
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no rule is in shadow mode")
		return err
	}
	head := "no events"
	if b.Events > 0 {
		head = fmt.Sprintf("%s from %s to %s", plural(b.Events, "event"), event.FormatTime(b.From), event.FormatTime(b.Until))
	}
	if _, err := fmt.Fprintln(out, head); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "\nRULE\tVERDICT\tALERTS\tWHY"); err != nil {
		return err
	}
	for i := range all {
		p := &all[i]
		if _, err := fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", p.ID, p.Verdict, p.Alerts, p.Why); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range all {
		p := &all[i]
		if p.Written != "" {
			if _, err := fmt.Fprintf(out, "%s is live: wrote %s\n", p.ID, p.Written); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(out, "\n%d of %d ready\n", ready, len(all))
	return err
}
