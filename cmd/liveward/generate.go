package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
)

func generateCommand() *cobra.Command {
	var format, out, truth, keys, start, duration string
	var seed uint64
	var lines int64
	var rate float64
	var quiet, canaries bool
	var confounders []string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write realistic, seeded, labelled gateway traffic",
		Long: `Generate writes the log of a simulated bank group's liveness gateway: genuine onboarding with its
retries, quality failures and abandonment, and attacks. The same seed gives the same bytes. What was
an attack stands in a side file (--truth).`,
		Example: `  liveward generate --duration 1h --truth truth.json > access.json
  liveward generate --format kong_json --lines 1000000 --quiet --out kong.log`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := event.ParseTime(start)
			if err != nil {
				return usageError{fmt.Errorf("--start: want a time like 2026-03-02T02:00:00Z")}
			}
			length, err := event.ParseDuration(duration)
			if err != nil {
				return usageError{fmt.Errorf("--duration: %w", err)}
			}
			if lines < 0 {
				return usageError{errors.New("--lines must not be negative")}
			}
			cfg := generator.Config{Seed: seed, Start: time.Unix(0, at).UTC(), Duration: length, Format: format, Rate: rate, Canaries: canaries}
			if lines > 0 && !cmd.Flags().Changed("duration") {
				cfg.Duration = 0
			}
			if quiet {
				cfg.Attacks = []generator.Attack{}
			}
			for _, c := range confounders {
				cfg.Confounders = append(cfg.Confounders, generator.Confounder(c))
			}
			g, err := generator.New(cfg)
			if err != nil {
				return usageError{err}
			}
			o, err := newOutput(out, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if err := writeLines(cmd, g, o, lines); err != nil {
				return errors.Join(err, o.close())
			}
			if err := o.close(); err != nil {
				return err
			}
			if keys != "" {
				if err := os.WriteFile(keys, g.Roster(), 0o600); err != nil {
					return err
				}
			}
			if truth == "" {
				return nil
			}
			f, err := os.OpenFile(truth, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			return errors.Join(g.WriteTruth(f), f.Close())
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", generator.NginxJSON, "format: "+strings.Join(generator.Formats(), ", "))
	f.StringVar(&out, "out", "", "file to write to (default: standard output)")
	f.StringVar(&truth, "truth", "", "file for what was an attack, as JSON")
	f.StringVar(&keys, "keys", "", "file for the key roster that matches the traffic, for an input's keys")
	f.StringVar(&start, "start", "2026-03-02T02:00:00Z", "time of the first line")
	f.StringVar(&duration, "duration", "1h", "length in event time")
	f.Int64Var(&lines, "lines", 0, "stop after this many lines; without --duration, run until then")
	f.Uint64Var(&seed, "seed", 1, "the same seed gives the same bytes")
	f.Float64Var(&rate, "rate", 0, "mean genuine lines a second (default: 20,000 sessions a day by the hour)")
	f.BoolVar(&quiet, "quiet", false, "no attacks")
	f.BoolVar(&canaries, "canaries", false, "plant secrets, ids and faces")
	f.StringSliceVar(&confounders, "confounder", nil, "what is unusual and no attack, such as cgnat or key_rotation; may be repeated")
	return cmd
}

func writeLines(cmd *cobra.Command, g *generator.Generator, o *output, limit int64) error {
	for n := int64(0); limit == 0 || n < limit; n++ {
		if n%4096 == 0 && cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		line, ok := g.Next()
		if !ok {
			return nil
		}
		if err := o.write(line.Text); err != nil {
			return err
		}
		if err := o.write([]byte{'\n'}); err != nil {
			return err
		}
	}
	return nil
}
