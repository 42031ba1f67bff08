package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/pipeline"
)

func parseCommand() *cobra.Command {
	var in offlineFlags
	var raw, know, explain, asJSON bool
	cmd := &cobra.Command{
		Use:   "parse --format FORMAT [FILE…]",
		Short: "Lines in, one ECS document a line out",
		Long: `Parse lines as the agent would and print one ECS document a line, in order. A line that cannot be
read gives a document with event.kind pipeline_error and the reason; a directive of a format, such as
#Fields, gives none. Privacy is on.

With --explain, what became of each line instead: which format read it and why, where each field
comes from, what privacy took out or changed, and what in the line is in no field.

Without files, lines come from standard input.`,
		Example: `  liveward parse --format nginx_json access.json
  tail -n 100 access.log | liveward parse --format auto
  tail -n 1 access.log | liveward parse --explain`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if raw && !know && !isTerminal(cmd.OutOrStdout()) {
				return usageError{errors.New("--no-privacy prints raw values: only to a terminal, or with --i-know")}
			}
			if asJSON && !explain {
				return usageError{errors.New("--json goes with --explain; documents are JSON anyway")}
			}
			if in.format == "help" {
				return printFormats(cmd.OutOrStdout(), in.config)
			}
			plan, err := in.plan(cmd, false)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			opts := in.options(raw)
			opts.Explain = explain
			r := plan.Replay(opts)
			switch {
			case explain && asJSON:
				r.Explain = func(e *pipeline.Explained) error { return json.NewEncoder(out).Encode(e) }
			case explain:
				r.Explain = func(e *pipeline.Explained) error { return printExplained(out, e) }
			default:
				r.Document = func(p pipeline.Processed) error {
					if _, err := out.Write(p.Doc); err != nil {
						return err
					}
					return out.WriteByte('\n')
				}
			}
			_, err = r.Run(cmd.Context(), orStdin(files))
			return errors.Join(err, out.Flush())
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&explain, "explain", false, "say of each line how it was read, instead of its document")
	cmd.Flags().BoolVar(&asJSON, "json", false, "with --explain: one JSON object a line")
	cmd.Flags().BoolVar(&raw, "no-privacy", false, "leave raw values in, to debug a map; only to a terminal")
	cmd.Flags().BoolVar(&know, "i-know", false, "allow --no-privacy into a file or pipe")
	return cmd
}

// printFormats lists the formats, with those of a configuration's own maps.
func printFormats(w io.Writer, config string) error {
	set, err := agent.Formats(config)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "auto\ttells the format by the first lines") // the writer keeps the error for Flush
	for _, i := range set.Info() {
		_, _ = fmt.Fprintf(t, "%s\t%s\n", i.Name, i.Description)
	}
	return t.Flush()
}

func orStdin(files []string) []string {
	if len(files) == 0 {
		return []string{"-"}
	}
	return files
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// offlineFlags are the flags of parse and replay.
type offlineFlags struct {
	config, format, source, vendor string

	rules agent.RuleDirs
}

func (o *offlineFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "", "take pseudonym key, vendors, lists, keys and the input named by --source from this configuration")
	f.StringVar(&o.format, "format", "auto", "format of the lines; see liveward parse --format help")
	f.StringVar(&o.source, "source", "", "name of the log (liveward.source); with the agent's name, event ids are the agent's (default: the configuration's only input, else \"log\")")
	f.StringVar(&o.vendor, "vendor", "", "liveness vendor, where the lines do not name it")
}

// registerRules adds the flags that say which rules.
func (o *offlineFlags) registerRules(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.rules.Dir, "rules", "", "rule directory (default: the configuration's, else the pack that comes with liveward)")
	overlayFlag(cmd, &o.rules)
}

// plan loads what is needed offline, and says on stderr when the development key serves.
func (o *offlineFlags) plan(cmd *cobra.Command, needRules bool) (*agent.Plan, error) {
	plan, err := agent.LoadOffline(agent.Offline{
		Config: o.config, Format: o.format, Source: o.source, Vendor: o.vendor, Rules: o.rules, NeedRules: needRules,
	})
	if err != nil {
		return nil, err
	}
	if plan.DevelopmentKey {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), "liveward: no pseudonym key is configured: a fixed development key is used, its pseudonyms protect nobody"); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func (o *offlineFlags) options(raw bool) agent.ReplayOptions {
	return agent.ReplayOptions{Raw: raw, Version: version()}
}
