package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
)

func keysCommand() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "API keys: owner, first and last seen, calls",
		Long: `List the API keys that were seen in the gateway's logs, the last used first, and those of the key
rosters that never were. Keys are pseudonyms, as in events; times are those of the log.

Where the agent runs, this asks it; else it reads what the agent has stored.`,
		Example: "  liveward keys -c liveward.yaml\n  liveward keys --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			report, err := agent.ListKeys(cmd.Context(), plan)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			return printKeys(cmd.OutOrStdout(), &report)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printKeys(out io.Writer, r *agent.KeyReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(w, "KEY\tOWNER\tCREATED\tFIRST SEEN\tLAST SEEN\tCALLS\tREFUSED\tNOTE")
	for i := range r.Keys {
		k := &r.Keys[i]
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", k.IDs[0], orDash(printable(k.Owner)), shownTime(k.Created, time.DateOnly),
				shownTime(k.First, time.RFC3339), shownTime(k.Last, time.RFC3339), k.Calls, k.Refused, keyNote(k))
		}
	}
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s; %s with keys that were never accepted and are on no roster\n", plural(len(r.Keys), "key"), plural(r.Strangers, "call"))
	if err == nil && r.LeftOut > 0 {
		_, err = fmt.Fprintf(out, "%s with keys for which there was no room\n", plural(r.LeftOut, "call"))
	}
	return err
}

func keyNote(k *agent.KeyUse) string {
	var notes []string
	switch {
	case k.Revoked && k.Calls > k.Refused:
		notes = append(notes, "revoked")
	case k.Revoked:
		notes = append(notes, "revoked, not used")
	case k.Calls == 0:
		notes = append(notes, "never seen")
	case k.Owner == "":
		notes = append(notes, "no owner")
	}
	if n := len(k.IDs) - 1; n > 0 {
		notes = append(notes, fmt.Sprintf("under %d pseudonyms", n+1))
	}
	return strings.Join(notes, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func shownTime(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(layout)
}
