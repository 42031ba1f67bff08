package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/privacy"
)

func pseudonymCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "pseudonym",
		Short: "Keys of pseudonyms, and pseudonyms of values",
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
	cmd.AddCommand(pseudonymOfCommand())
	return cmd
}

func pseudonymOfCommand() *cobra.Command {
	var config, field string
	cmd := &cobra.Command{
		Use:   "of -c FILE",
		Short: "Print the pseudonyms of values, to find a person's events",
		Long: `Print the pseudonyms of the values on standard input, a line each, as the log gives them. They are not
taken from the command line, where other users of the host and the shell's history would see them. Where
the key file has several epochs, a line has one pseudonym for each, the current first.`,
		Example: `  echo "$CUSTOMER" | liveward pseudonym of -c liveward.yaml
  echo "$DEVICE" | liveward pseudonym of -c liveward.yaml --field device.id`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, ok := event.Lookup(field)
			if !ok || event.FieldOf(id).Class != event.Pseudonym {
				return usageError{fmt.Errorf("--field %s: want a field that holds pseudonyms: %s", field, strings.Join(pseudonymFields(), ", "))}
			}
			filter, err := agent.LoadPrivacy(config)
			if err != nil {
				return err
			}
			lines := bufio.NewScanner(cmd.InOrStdin())
			n := 0
			for lines.Scan() {
				value := strings.TrimSuffix(lines.Text(), "\r")
				if value == "" {
					continue
				}
				n++
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(filter.Pseudonyms(id, value), " ")); err != nil {
					return err
				}
			}
			if err := lines.Err(); err != nil {
				return fmt.Errorf("standard input: %w", err)
			}
			if n == 0 {
				return errors.New("standard input has no value: give one a line")
			}
			return nil
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringVar(&field, "field", event.UserID.String(), "field that the values are of: "+strings.Join(pseudonymFields(), ", "))
	return cmd
}

// pseudonymFields are the names of the fields that hold pseudonyms of what a log says.
func pseudonymFields() (names []string) {
	for _, id := range event.Fields() {
		if event.FieldOf(id).Class == event.Pseudonym {
			names = append(names, id.String())
		}
	}
	return names
}
