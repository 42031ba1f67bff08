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

func rulesListCommand() *cobra.Command {
	var asJSON, stats bool
	var formats []string
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the rules with what they look for",
		Long: `List the rules of a directory, or of the pack that comes with liveward. With --stats, what each costs to
match on this machine, over the events of its own tests; with --format, rules whose fields these formats
do not provide are marked blind.`,
		Example: "  liveward rules list\n  liveward rules list rules.d --stats --json",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			set, problems := agent.LoadRules(dirOf(a), rules.Options{})
			if errs := problems.Errors(); len(errs) > 0 {
				return errs
			}
			if set == nil {
				return errors.New("there are no rules")
			}
			opts := rules.ListOptions{Stats: stats}
			if len(formats) > 0 {
				provided, err := agent.Provided(formats)
				if err != nil {
					return err
				}
				opts.Provided = provided
			}
			if stats {
				opts.Clock = agent.Stopwatch()
			}
			rows := set.List(opts)
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				for i := range rows {
					if err := enc.Encode(&rows[i]); err != nil {
						return err
					}
				}
				return nil
			}
			return printRules(cmd, rows, stats)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a rule")
	cmd.Flags().BoolVar(&stats, "stats", false, "measure what each rule costs an event")
	cmd.Flags().StringArrayVar(&formats, "format", nil, "a format in use, may be repeated; rules that it leaves blind are marked")
	return cmd
}

func printRules(cmd *cobra.Command, rows []rules.Listed, stats bool) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	head := "RULE\tKIND\tSEVERITY\tMODE\tPLAYBOOK"
	if stats {
		head = "RULE\tKIND\tSEVERITY\tMODE\tTESTS\tINDEX\tNS/EVENT"
	}
	if _, err := fmt.Fprintln(w, head); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		mode := string(r.Mode)
		if r.Overlay {
			mode += ", overlay"
		}
		if len(r.Blind) > 0 {
			mode += ", blind (" + strings.Join(r.Blind, ", ") + ")"
		}
		last := r.Playbook
		if stats {
			last = fmt.Sprintf("%d\t%s\t%.0f", r.Tests, r.Index, r.Nanoseconds)
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, r.Severity, mode, last); err != nil {
			return err
		}
	}
	return w.Flush()
}
