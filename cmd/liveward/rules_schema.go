package main

import (
	"github.com/spf13/cobra"

	"github.com/liveward/liveward/rules"
)

func rulesSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a rule's file, for editors",
		Long: `Schema prints the JSON Schema of a rule's file. An editor with a YAML language server takes it from the
first line of a rule:

  # yaml-language-server: $schema=schema.json`,
		Example: "  liveward rules schema > rules.d/schema.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := rules.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
