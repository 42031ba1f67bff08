package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/pipeline"
)

func deadletterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "Documents that a store would never take",
	}
	var config string
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List dead letters with the reason",
		Long: `List the documents that a forwarder's store refused for good, with its reason. The agent must be
stopped: its data directory has one user.`,
		Example: "  liveward deadletter list -c liveward.yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			enc := json.NewEncoder(out)
			n := 0
			err = agent.DeadLetters(cmd.Context(), plan, func(d pipeline.DeadLetter) error {
				n++
				if asJSON {
					return enc.Encode(d)
				}
				_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", d.ID, d.Forwarder, d.Dataset, d.Status, d.Reason)
				return err
			})
			if err != nil || asJSON {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%d dead letters\n", n)
			return err
		},
	}
	configFlag(list, &config)
	list.Flags().BoolVar(&asJSON, "json", false, "print each as JSON, with its document")
	cmd.AddCommand(list)
	return cmd
}
