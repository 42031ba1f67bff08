package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/privacy"
)

func pseudonymCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "pseudonym",
		Short: "Keys of pseudonyms",
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "new-key",
		Short: "Print a new pseudonym key",
		Long: `Print a new pseudonym key, as the file named by privacy.keys holds it. Append it to that file to
begin a new epoch: the last key is in use, the earlier ones still match lists and rosters. Destroying
a key makes the pseudonyms of its epoch anonymous for good.`,
		Example: "  liveward pseudonym new-key > pseudonym.keys && chmod 600 pseudonym.keys",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := privacy.GenerateKey()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
			return err
		},
	})
	return cmd
}
