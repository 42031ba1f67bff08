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

	"github.com/liveward/liveward/internal/strict"
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
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSilent):
		return exitWrong
	case errors.As(err, &usage) || isCobraUsage(err):
		_, _ = fmt.Fprintf(stderr, "liveward: %v\nRun '%s --help' to see how it is used.\n", err, cmd.CommandPath())
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
	for _, p := range []string{"unknown flag", "unknown shorthand", "flag needs", "invalid argument", "required flag", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), p) {
			return true
		}
	}
	return false
}

func newRoot() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "liveward",
		Short: "Security monitoring and SIEM integration for face-liveness API gateways",
		Long: `liveward tails the logs of a face-liveness API gateway, makes each call a privacy-safe ECS
event, watches the stream with rules, ships events and alerts to Elasticsearch, and raises
incidents in Slack with their playbook.

Start with:  liveward demo --for 30s`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		demoCommand(), runCommand(), checkCommand(), parseCommand(), replayCommand(), rulesCommand(),
		generateCommand(), setupCommand(), deadletterCommand(), incidentsCommand(), silenceCommand(), keysCommand(), pseudonymCommand(), versionCommand(),
	)
	return root
}

// group makes a command that only has others below it: alone it shows its help, and it knows when it
// is asked for one that is not there.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, a []string) error {
		if len(a) == 0 {
			return nil
		}
		hint := ""
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		if near := strict.Nearest(a[0], names); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return usageError{fmt.Errorf("unknown command %q%s", a[0], hint)}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// noArgs refuses arguments.
func noArgs(_ *cobra.Command, a []string) error {
	if len(a) > 0 {
		return usageError{fmt.Errorf("%q is one argument too many: this command takes none", a[0])}
	}
	return nil
}

// atMostOne takes an argument or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, a []string) error {
		if len(a) > 1 {
			return usageError{fmt.Errorf("%q is one argument too many: this command takes one %s", a[1], what)}
		}
		return nil
	}
}

// exactlyOne takes one argument.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		return errors.Join(atLeastOne(what)(cmd, a), atMostOne(what)(cmd, a))
	}
}

// atLeastOne takes arguments, of which there must be one.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, a []string) error {
		if len(a) == 0 {
			return usageError{fmt.Errorf("no %s is named", what)}
		}
		return nil
	}
}
