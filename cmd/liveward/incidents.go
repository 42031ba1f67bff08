package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/liveward/liveward/internal/agent"
)

func incidentsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "incidents",
		Short: "Incidents that are open, and the card of one with its playbook",
		Long: `What on-call is told of in Slack, where Slack cannot be reached. Users, devices and keys are
pseudonyms, as in events; times are those of the log.

Where the agent runs, these commands speak to it; else they read what it has stored.`,
	})
	cmd.AddCommand(incidentsList(), incidentsShow())
	return cmd
}

func incidentsList() *cobra.Command {
	var config string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List open incidents, the newest alert first",
		Example: "  liveward incidents list -c liveward.yaml\n  liveward incidents list --all --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			rows, err := agent.ListIncidents(cmd.Context(), plan)
			if err != nil {
				return err
			}
			known := len(rows)
			if !all {
				rows = slices.DeleteFunc(rows, func(r agent.IncidentRow) bool { return r.State != agent.IncidentOpen })
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(rows)
			}
			return printIncidents(cmd.OutOrStdout(), rows, known-len(rows))
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&all, "all", false, "also those that were resolved in the last day")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func incidentsShow() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show an incident: what, who, how much, the first step, and who was told",
		Long:    "Show the card of an incident as it is in Slack, and which notifiers have told of it. Of the id the beginning is enough.",
		Example: "  liveward incidents show -c liveward.yaml k3mq2",
		Args:    exactlyOne("incident"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			color, width := false, 0
			if f, ok := cmd.OutOrStdout().(*os.File); ok && isTerminal(f) {
				color = os.Getenv("NO_COLOR") == ""
				if w, _, err := term.GetSize(int(f.Fd())); err == nil {
					width = w
				}
			}
			card, err := agent.ShowIncident(cmd.Context(), plan, args[0], color, width)
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), card)
			return err
		},
	}
	configFlag(cmd, &config)
	return cmd
}

// shortID is how much of an id is printed: enough to tell it from others.
const shortID = 8

func printIncidents(out io.Writer, rows []agent.IncidentRow, left int) error {
	open, silenced := 0, 0
	if len(rows) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		_, err := fmt.Fprintln(w, "ID\tSEVERITY\tSTATE\tOPENED\tLAST ALERT\tALERTS\tEVENTS\tRULE\tWHO")
		for i := range rows {
			r := &rows[i]
			if r.State == agent.IncidentOpen {
				open++
			}
			state := r.State
			if !r.Silenced.IsZero() {
				state, silenced = "silenced", silenced+1
			}
			if err == nil {
				_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", shortened(r.ID), r.Severity, state,
					shownTime(r.Opened, time.RFC3339), shownTime(r.LastAlert, time.RFC3339), r.Alerts, r.Events, r.Rule, orDash(printable(r.Key)))
			}
		}
		if err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	text := plural(open, "open incident")
	if silenced > 0 {
		text += fmt.Sprintf(", %d of them silenced", silenced)
	}
	if left > 0 {
		text += fmt.Sprintf("; %d resolved in the last day (--all)", left)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
