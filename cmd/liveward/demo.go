package main

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/liveward/liveward/internal/demo"
)

func demoCommand() *cobra.Command {
	var cfg demo.Config
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a simulated gateway, real attacks, the real pipeline",
		Long: `A simulated bank group's gateway writes a real log, with rotation, at a believable rate; attacks
begin within the first seconds. The agent that liveward run is tails it. Alerts are shown as they
look in Slack; at the end, each attack stands against the alert that caught it.

Nothing is left behind, unless --keep says where.`,
		Example: `  liveward demo --for 30s
  liveward demo --for 2m --slack-webhook https://hooks.slack.example/services/…`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if length < 0 || cfg.Rate < 0 {
				return usageError{errors.New("--for and --rate must not be negative")}
			}
			cfg.For = length
			cfg.Out = cmd.OutOrStdout()
			cfg.Version = version()
			if f, ok := cfg.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				cfg.Live = true
				cfg.Color = os.Getenv("NO_COLOR") == ""
				if w, _, err := term.GetSize(int(f.Fd())); err == nil {
					cfg.Width = w
				}
			}
			return demo.Run(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&length, "for", 0, "end by itself after this long (default: run until ctrl-C)")
	f.Uint64Var(&cfg.Seed, "seed", 1, "seed of the traffic")
	f.Float64Var(&cfg.Rate, "rate", 0, "genuine lines a second (default 40)")
	f.StringVar(&cfg.Keep, "keep", "", "keep log and journal in this directory")
	f.StringVar(&cfg.Elastic, "elasticsearch", "", "also send everything to this Elasticsearch")
	f.StringVar(&cfg.ElasticKey, "elasticsearch-key-file", "", "file with its API key; without one the templates are made first")
	f.StringVar(&cfg.SlackWebhook, "slack-webhook", "", "also post to this incoming webhook")
	return cmd
}
