package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

func replayCommand() *cobra.Command {
	var in offlineFlags
	var alertsTo, eventsTo string
	cmd := &cobra.Command{
		Use:   "replay --rules DIR --format FORMAT FILE…",
		Short: "Run whole logs through parse, privacy, match and windows, and print the alerts",
		Long: `Replay runs whole files in one go, without a daemon, with the agent's own stages and windows: the
same lines give the same alerts, byte for byte, every time. The rotated files of one log, told by
their names, are read one after another, the oldest first, in whatever order they are given; logs
are merged by time; gzip is unpacked; a file beside its own archive is read once. Alerts are NDJSON, each line the alert document itself. How many
lines were read stands on stderr; where none could be, the exit code is 1.`,
		Example: `  liveward replay --rules rules.d --format nginx_json access.json
  liveward replay -c liveward.yaml --source gateway --alerts alerts.ndjson --events events.ndjson access.json access.json.1`,
		Args: atLeastOne("file"),
		RunE: func(cmd *cobra.Command, files []string) error {
			plan, err := in.plan(cmd, true)
			if err != nil {
				return err
			}
			var outs []*output
			open := func(path string, std io.Writer) (*output, error) {
				o, err := newOutput(path, std)
				if err == nil {
					outs = append(outs, o)
				}
				return o, err
			}
			alerts, err := open(alertsTo, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			r := plan.Replay(in.options(false))
			r.Rules = plan.Rules
			var line []byte
			r.Alert = func(a *event.Alert) error {
				line = append(a.AppendJSON(line[:0]), '\n')
				return alerts.write(line)
			}
			if eventsTo != "" {
				events, err := open(eventsTo, nil)
				if err != nil {
					return err
				}
				r.Document = func(p pipeline.Processed) error {
					if err := events.write(p.Doc); err != nil {
						return err
					}
					return events.write([]byte{'\n'})
				}
			}
			res, err := r.Run(cmd.Context(), files)
			for _, o := range outs {
				err = errors.Join(err, o.close())
			}
			if err != nil {
				return err
			}
			return sumUp(cmd, res, fmt.Sprintf("; %s; privacy dropped or masked %s", plural(res.Alerts, "alert"), plural(res.Dropped, "value")))
		},
	}
	in.register(cmd)
	in.registerRules(cmd)
	cmd.Flags().StringVar(&alertsTo, "alerts", "", "write alerts to this file instead of standard output")
	cmd.Flags().StringVar(&eventsTo, "events", "", "also write every event document to this file")
	return cmd
}

// sumUp says on stderr how a log was read, and what else there is to say of it. Where no line of it could be
// read, that is an error: quiet rules would look like an all-clear.
func sumUp(cmd *cobra.Command, res pipeline.ReplayResult, rest string) error {
	for _, c := range res.Copies {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "liveward: %s is not read: all that is in it is in %s\n", c.Path, c.Of); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s, %d quarantined, %d late%s\n",
		plural(res.Lines, "line"), plural(res.Events, "event"), res.Quarantined, res.Late, rest)
	if err == nil && res.Events == 0 && res.Quarantined > 0 {
		err = errors.New("no line could be read: liveward parse --explain says why, --format auto tries them all")
	}
	return err
}

// output is a buffered file, or a stream that is not ours to close.
type output struct {
	w *bufio.Writer
	f *os.File
}

func newOutput(path string, std io.Writer) (*output, error) {
	if path == "" {
		return &output{w: bufio.NewWriter(std)}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &output{w: bufio.NewWriterSize(f, 1<<20), f: f}, nil
}

func (o *output) write(b []byte) error {
	_, err := o.w.Write(b)
	return err
}

func (o *output) close() error {
	err := o.w.Flush()
	if o.f != nil {
		err = errors.Join(err, o.f.Close())
	}
	return err
}
