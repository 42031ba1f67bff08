package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/rules"
)

// ruleRow is a rule of a list, with what a running agent says of it.
type ruleRow agent.ConfiguredRule

func rulesListCommand() *cobra.Command {
	var asJSON, stats bool
	var formats []string
	var config string
	var dirs agent.RuleDirs
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the rules with what they look for, and how they fare",
		Long: `List the rules of a directory, or of the pack that comes with liveward.

With -c, those of a configuration, each with its state. Where the agent runs, it is asked over its
control socket, and what it uses is listed, whatever has become of the files. A rule is

  ok        it sees what it needs
  warming   its windows are not full yet, or it still learns what is normal
  blind     it cannot fire: no input provides a field that it needs, or only one that is silent
  degraded  it forgot keys for want of room, missed late events, or its condition had no result, in the
            last ten minutes
  expired   an exception of it is over
  pending   it stands in the files, and the running agent has not taken it yet

With --stats, what each rule costs: with -c in the running agent, since its start; without, on this
machine, over the events of the rules' own tests. With --format, rules whose fields these formats do
not provide are marked blind.`,
		Example: `  liveward rules list
  liveward rules list -c liveward.yaml
  liveward rules list -c liveward.yaml --stats
  liveward rules list rules.d --stats --json`,
		Args: atMostOne("directory"),
		RunE: func(cmd *cobra.Command, a []string) error {
			named(&dirs, a)
			if config != "" && (dirs != agent.RuleDirs{} || len(formats) > 0) {
				return usageError{errors.New("-c has rules and formats: name no directory, --overlay or --format beside it")}
			}
			var rows []ruleRow
			var err error
			if config != "" {
				rows, err = configuredRules(cmd, config, stats)
			} else {
				rows, err = listedRules(dirs, formats, stats)
			}
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				for i := range rows {
					if err := enc.Encode(&rows[i]); err != nil {
						return err
					}
				}
				return nil
			}
			return printRules(cmd, rows, config != "", stats)
		},
	}
	overlayFlag(cmd, &dirs)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a rule")
	cmd.Flags().BoolVar(&stats, "stats", false, "say what each rule costs: of a running agent with -c, else measured here")
	cmd.Flags().StringArrayVar(&formats, "format", nil, "a format in use, may be repeated; rules that it leaves blind are marked")
	cmd.Flags().StringVarP(&config, "config", "c", "", "configuration of an agent: its rules, with their state")
	return cmd
}

// listedRules lists a directory.
func listedRules(dirs agent.RuleDirs, formats []string, stats bool) ([]ruleRow, error) {
	set, problems := agent.LoadRules(dirs, rules.Options{})
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, errs
	}
	if set == nil {
		return nil, errors.New("there are no rules")
	}
	opts := rules.ListOptions{Stats: stats}
	if len(formats) > 0 {
		provided, err := agent.Provided(formats)
		if err != nil {
			return nil, err
		}
		opts.Provided = provided
	}
	if stats {
		opts.Clock = agent.Stopwatch()
	}
	return rowsOf(set.List(opts)), nil
}

func rowsOf(list []rules.Listed) []ruleRow {
	rows := make([]ruleRow, len(list))
	for i := range list {
		rows[i].Listed = list[i]
	}
	return rows
}

// configuredRules lists the rules of a configuration, with what the agent says of them where it runs, and says
// on stderr what is wrong with the files then. What a rule costs only a running agent knows.
func configuredRules(cmd *cobra.Command, config string, stats bool) ([]ruleRow, error) {
	list, err := agent.ListConfigured(cmd.Context(), config)
	if err != nil {
		return nil, err
	}
	if stats && list.Agent != nil {
		return nil, list.Agent
	}
	if list.Broken != nil {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%v\nliveward: the files are broken; this is what the agent runs on with, the old version of what is broken included\n", list.Broken)
	}
	rows := make([]ruleRow, len(list.Rules))
	for i := range list.Rules {
		rows[i] = ruleRow(list.Rules[i])
	}
	return rows, err
}

// state is the rule's state as far as it is known: without a running agent whether it is blind.
func (r *ruleRow) state() string {
	missing, state := r.Blind, "ok"
	switch {
	case r.Pending:
		return "pending"
	case r.Live != nil:
		missing, state = r.Live.Missing, string(r.Live.State)
	case len(missing) > 0:
		state = string(agent.RuleBlind)
	}
	if len(missing) > 0 {
		state += " (" + strings.Join(missing, ", ") + ")"
	}
	return state
}

// printRules prints a table. configured says that the rules are those of an agent.
func printRules(cmd *cobra.Command, rows []ruleRow, configured, stats bool) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	head, line := "RULE\tKIND\tSEVERITY\tMODE\tPLAYBOOK", printListed
	switch {
	case configured && stats:
		head, line = "RULE\tMODE\tTRIED\tMATCHES\tALERTS\tNS/EVENT\tKEYS\tEVICTED\tLATE\tSTATE", printLive
	case configured:
		head, line = "RULE\tKIND\tSEVERITY\tMODE\tSTATE", printState
	case stats:
		head, line = "RULE\tKIND\tSEVERITY\tMODE\tTESTS\tINDEX\tNS/EVENT", printMeasured
	}
	if _, err := fmt.Fprintln(w, head); err != nil {
		return err
	}
	for i := range rows {
		if _, err := fmt.Fprintln(w, line(&rows[i])); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (r *ruleRow) mode() string {
	if r.Overlay {
		return string(r.Mode) + ", overlay"
	}
	return string(r.Mode)
}

func printListed(r *ruleRow) string {
	mode := r.mode()
	if len(r.Blind) > 0 {
		mode += ", " + r.state()
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.ID, r.Kind, r.Severity, mode, r.Playbook)
}

func printMeasured(r *ruleRow) string {
	mode := r.mode()
	if len(r.Blind) > 0 {
		mode += ", " + r.state()
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%.0f", r.ID, r.Kind, r.Severity, mode, r.Tests, r.Index, r.Nanoseconds)
}

func printState(r *ruleRow) string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.ID, r.Kind, r.Severity, r.mode(), r.state())
}

func printLive(r *ruleRow) string {
	s := r.Live
	if s == nil {
		return fmt.Sprintf("%s\t%s\t\t\t\t\t\t\t\t%s", r.ID, r.mode(), r.state())
	}
	cost := "-" // too few events to say
	if s.Nanoseconds > 0 {
		cost = fmt.Sprintf("%.0f", s.Nanoseconds)
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%s\t%d\t%d\t%d\t%s", r.ID, r.mode(), s.Tried, s.Matches, s.Alerts, cost, s.Keys, s.Evicted, s.Late, r.state())
}
