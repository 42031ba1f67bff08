package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/scorecard"
	"github.com/liveward/liveward/rules"
)

func rulesReportCommand() *cobra.Command {
	var cfg scorecard.Config
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report [DIR]",
		Short: "Say what rules find on labelled traffic, how soon, and at what noise",
		Long: `Report plays simulated weeks of a bank group's gateway through the agent's own stages and a rule
directory, or the pack that comes with liveward: every attack the generator can make, alone and where it is
hardest to see, and a calendar of days on which nobody attacks, quiet ones and odd ones.

It says of each class of attacks how many were found and how long after its first line the first alert came,
and of each day without an attack how many alerts there were. PAGED and PAGES are alerts of severity high or
critical that are not in shadow mode. EXPECTED are alerts that the day's own disturbance may cause. Times are
of the log. An attack that is not found, more than two pages a day, or a rule beyond its budget exits 1.`,
		Example: `  liveward rules report
  liveward rules report rules.d --sessions 5000 --json`,
		Args: atMostOne("directory"),
		RunE: func(cmd *cobra.Command, a []string) error {
			named(&cfg.Rules, a)
			if cfg.Sessions <= 0 || cfg.Rounds < 1 || cfg.Rounds > 20 {
				return usageError{errors.New("--sessions must be above 0, and --rounds 1 to 20")}
			}
			if _, problems := agent.LoadRules(cfg.Rules, rules.Options{}); len(problems.Errors()) > 0 {
				return problems.Errors()
			}
			r, err := scorecard.Run(cmd.Context(), cfg)
			if err != nil {
				return fmt.Errorf("report: %w", err)
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			} else {
				err = r.Print(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			if len(r.Problems()) > 0 {
				return errSilent
			}
			return nil
		},
	}
	f := cmd.Flags()
	overlayFlag(cmd, &cfg.Rules)
	f.Float64Var(&cfg.Sessions, "sessions", 20_000, "genuine sessions a day")
	f.Uint64Var(&cfg.Seed, "seed", 1, "the same seed gives the same report")
	f.IntVar(&cfg.Rounds, "rounds", 1, "how often each attack is made")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
