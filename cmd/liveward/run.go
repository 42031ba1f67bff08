package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
)

const defaultConfig = "/etc/liveward/liveward.yaml"

func runCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the agent",
		Long: `Run the agent until SIGTERM or SIGINT, then drain and stop.

SIGHUP, or a change in the rule directory, reloads rules and lists: a broken rule keeps its old
version and is reported.`,
		Example: "  liveward run -c /etc/liveward/liveward.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: plan.LogLevel()}))
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			reload := make(chan struct{})
			go func() {
				for range hup {
					select {
					case reload <- struct{}{}:
					case <-cmd.Context().Done():
						return
					}
				}
			}()
			log.Info("liveward starts", "version", version(), "config", config)
			err = agent.Run(cmd.Context(), plan, agent.Hooks{Version: version()}, log, reload)
			log.Info("liveward has stopped")
			return err
		},
	}
	configFlag(cmd, &config)
	return cmd
}

func configFlag(cmd *cobra.Command, config *string) {
	cmd.Flags().StringVarP(config, "config", "c", defaultConfig, "configuration file")
}

func checkCommand() *cobra.Command {
	var config string
	var online bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, formats, rules, lists and playbooks as run does before it opens anything",
		Long: `Check configuration, formats, rules, lists and playbooks as run does before it opens anything.

With --online everything that the configuration opens is asked too: files, servers and queues of inputs,
certificates, Elasticsearch, Slack. A line says of each thing whether it is ok, wrong, worth a warning, or
cannot be known without posting or taking something. Nothing is stored, sent or taken.`,
		Example: `  liveward check -c liveward.yaml
  liveward check -c liveward.yaml --online   # also whether everything it opens is there, and may be used`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := agent.Load(config)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if _, err := fmt.Fprintf(out, "%s is sound: %s, %s, %s\n", config,
				plural(len(plan.Config.Inputs), "input"), plural(len(plan.Rules.Rules()), "rule"), plural(plan.Pages(), "playbook")); err != nil {
				return err
			}
			for _, line := range slices.Concat(plan.Inputs(), plan.Known(time.Now())) {
				if _, err := fmt.Fprintln(out, line); err != nil {
					return err
				}
			}
			if err := printWarnings(out, plan, config); err != nil {
				return err
			}
			for _, line := range plan.Remarks() {
				if _, err := fmt.Fprintln(out, "remark:", line); err != nil {
					return err
				}
			}
			if !online {
				return nil
			}
			findings, err := plan.Preflight(cmd.Context(), time.Now)
			for _, f := range findings {
				if _, err := fmt.Fprintf(out, "%-7s  %s: %s\n", f.Verdict, f.What, f.Said); err != nil {
					return err
				}
			}
			return err
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&online, "online", false, "also ask everything the configuration opens whether it is there and may be used")
	return cmd
}

// printWarnings says what is probably not meant in the rules. Nobody changes the pack within the program:
// of its rules a number is enough.
func printWarnings(out io.Writer, plan *agent.Plan, config string) error {
	for _, p := range plan.Warnings(time.Now()) {
		if _, err := fmt.Fprintln(out, p.Error()); err != nil {
			return err
		}
	}
	blind := plan.BlindShipped()
	if blind == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "remark: %s of the pack cannot fire, for want of a field that no input provides: liveward rules list -c %s\n", plural(blind, "rule"), config)
	return err
}
