// Command liveward is a security monitoring and SIEM integration agent for face-liveness API
// gateways.
//
// This package holds flags, printing and exit codes, one file a subcommand. It has no logic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone  = 0
	exitWrong = 1 // something is wrong: errors found, bad configuration, a failed drill
	exitUsage = 2 // the command was used wrongly
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// usageError marks an error of usage.
type usageError struct{ error }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSilent):
		return exitWrong
	case errors.As(err, &usage) || isCobraUsage(err):
		_, _ = fmt.Fprintf(stderr, "liveward: %v\nRun 'liveward --help', or --help behind a command.\n", err)
		return exitUsage
	default:
		for line := range strings.Lines(err.Error() + "\n") {
			_, _ = fmt.Fprint(stderr, "liveward: ", line)
		}
		return exitWrong
	}
}

// errSilent ends a command with exit code 1 when all there is to say was said.
var errSilent = errors.New("")

// isCobraUsage recognises the errors cobra makes itself; it has no type for them.
func isCobraUsage(err error) bool {
	for _, p := range []string{"unknown command", "unknown flag", "unknown shorthand", "flag needs", "invalid argument", "required flag", "accepts ", "requires at least", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), p) {
			return true
		}
	}
	return false
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "liveward",
		Short: "Security monitoring and SIEM integration for face-liveness API gateways",
		Long: `liveward tails the logs of a face-liveness API gateway, makes each call a privacy-safe ECS
event, watches the stream with rules, ships events and alerts to Elasticsearch, and raises
incidents in Slack with their playbook.

Start with:  liveward demo --for 30s`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		demoCommand(), runCommand(), checkCommand(), parseCommand(), replayCommand(), rulesCommand(),
		generateCommand(), setupCommand(), deadletterCommand(), keysCommand(), pseudonymCommand(), versionCommand(),
	)
	return root
}

// exactly and atLeast are cobra's argument checks with exit code 2.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError{err}
		}
		return nil
	}
}
