package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
)

func silenceCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "silence",
		Short: "Hold back for a while what is told of a rule, or of one key of it",
		Long: `Hold back for a while what is told of a rule, or of one key of it.

Alerts are stored and incidents opened as ever; nobody is told that one was opened or updated. Of an
incident that people know already, a higher severity and the end are told. When the silence is over,
what is open and was not told is told of as it stands.

A silence has an end, an owner and a reason. What is to be quiet for good is an exception in the rule.
silence add and end need a running agent, and are written into its log.`,
	})
	cmd.AddCommand(silenceAdd(), silenceList(), silenceEnd())
	return cmd
}

func silenceAdd() *cobra.Command {
	var config, length string
	var req agent.SilenceRequest
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Silence what an incident is about, or a rule, or one key of it",
		Long: `Silence what an incident is about, or a rule, or one key of it, for seven days at most. A key is written
as incidents show it.`,
		Example: `  liveward silence add --incident k3mq2 --for 4h --reason "load test of the gateway team"
  liveward silence add --rule lw.auth.burst-per-ip --key client.ip=203.0.113.7 --for 1d --reason "pen test until Friday"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case (req.Incident == "") == (req.Rule == ""):
				return usageError{errors.New("say what is to be silent: either --incident or --rule")}
			case req.Incident != "" && req.Key != "":
				return usageError{errors.New("--key goes with --rule; an incident has its own")}
			case length == "" || req.Reason == "":
				return usageError{errors.New("--for and --reason are needed: a silence has an end, and says why")}
			}
			d, err := event.ParseDuration(length)
			if err != nil {
				return usageError{fmt.Errorf("--for: %w", err)}
			}
			if req.For = d; req.By == "" {
				req.By = whoAsks()
			}
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			row, err := agent.AddSilence(cmd.Context(), plan, req)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "silence %s: %s until %s; %s\n", shortened(row.ID), silenced(&row), shownTime(row.Until, time.RFC3339), heldBack(row.Incidents))
			return err
		},
	}
	configFlag(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&req.Incident, "incident", "", "the rule and the key of this open incident (the beginning of its id)")
	f.StringVar(&req.Rule, "rule", "", "id of a rule")
	f.StringVar(&req.Key, "key", "", "one key of the rule alone, as incidents show it (default: every key)")
	f.StringVar(&length, "for", "", "how long, such as 30m, 4h or 2d")
	f.StringVar(&req.Reason, "reason", "", "why")
	f.StringVar(&req.By, "by", "", "who is answerable (default: the user who runs this)")
	return cmd
}

func silenceList() *cobra.Command {
	var config string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List silences: what, until when, by whom and why",
		Long:    "List silences, the one that ends last first. Where the agent runs, this asks it; else it reads what the agent has stored.",
		Example: "  liveward silence list -c liveward.yaml\n  liveward silence list --all --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			rows, err := agent.ListSilences(cmd.Context(), plan)
			if err != nil {
				return err
			}
			if !all {
				rows = slices.DeleteFunc(rows, func(r agent.SilenceRow) bool { return r.State != agent.SilenceActive })
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(rows)
			}
			return printSilences(cmd.OutOrStdout(), rows)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&all, "all", false, "also those that ended in the last day")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func silenceEnd() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:     "end ID",
		Short:   "End a silence before its time",
		Long:    "End a silence before its time: what it held back and is open is told of now. Of the id the beginning is enough.",
		Example: "  liveward silence end -c liveward.yaml k3mq2",
		Args:    exactlyOne("silence"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			row, err := agent.EndSilence(cmd.Context(), plan, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "silence %s of %s ended at %s\n", shortened(row.ID), silenced(&row), shownTime(row.Until, time.RFC3339))
			return err
		},
	}
	configFlag(cmd, &config)
	return cmd
}

func printSilences(out io.Writer, rows []agent.SilenceRow) error {
	active := 0
	if len(rows) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		_, err := fmt.Fprintln(w, "ID\tSTATE\tUNTIL\tRULE\tKEY\tOPEN INCIDENTS\tBY\tREASON")
		for i := range rows {
			r := &rows[i]
			if r.State == agent.SilenceActive {
				active++
			}
			if err == nil {
				_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", shortened(r.ID), r.State, shownTime(r.Until, time.RFC3339),
					r.Rule, orDash(printable(r.Key)), r.Incidents, printable(r.By), printable(r.Reason))
			}
		}
		if err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, plural(active, "active silence"))
	return err
}

// silenced says what a silence is about.
func silenced(r *agent.SilenceRow) string {
	if r.Key == "" {
		return "all of " + r.Rule
	}
	return r.Rule + " for " + printable(r.Key)
}

func heldBack(incidents int) string {
	switch incidents {
	case 0:
		return "no open incident is about it now"
	case 1:
		return "1 open incident is about it"
	}
	return fmt.Sprintf("%d open incidents are about it", incidents)
}

// whoAsks is the user at the keyboard, also where the command runs as the agent's.
func whoAsks() string {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	return cmp.Or(name, fmt.Sprintf("uid %d", os.Getuid()))
}

// shortened is as much of an id as is printed.
func shortened(id string) string { return id[:min(shortID, len(id))] }
