package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
)

func deadletterCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "deadletter",
		Short: "Lines that could not be read, and documents that a store would not take",
		Long: `Dead letters are of two kinds: lines that no format could read, which stand in quarantine, and
documents that a store refused for good. Both keep their reason; of a line only its shape is kept, and
its place in the log.

Where the agent runs, these commands speak to it; else they open its data directory.`,
	})
	cmd.AddCommand(deadletterList(), deadletterShow(), deadletterReplay())
	return cmd
}

// deadletterFlags choose dead letters.
type deadletterFlags struct {
	config, source, kind string
}

func (d *deadletterFlags) register(cmd *cobra.Command) {
	configFlag(cmd, &d.config)
	cmd.Flags().StringVar(&d.source, "source", "", "only lines of the input of this name")
	cmd.Flags().StringVar(&d.kind, "kind", "", "only line, or only document")
}

// query reads flags and ids.
func (d *deadletterFlags) query(ids []string) (agent.DeadLetterQuery, error) {
	q := agent.DeadLetterQuery{Source: d.source, Kind: d.kind}
	if d.kind != "" && d.kind != agent.LineLetter && d.kind != agent.DocumentLetter {
		return q, usageError{fmt.Errorf("--kind %s: use %s or %s", d.kind, agent.LineLetter, agent.DocumentLetter)}
	}
	for _, s := range ids {
		id, err := event.ParseHash(s)
		if err != nil {
			return q, usageError{fmt.Errorf("%q is no id of a dead letter: deadletter list names them", s)}
		}
		q.IDs = append(q.IDs, id)
	}
	return q, nil
}

// use opens the dead letters of a configuration for f.
func (d *deadletterFlags) use(cmd *cobra.Command, f func(*agent.DeadLetters) error) (err error) {
	plan, err := agent.Load(d.config)
	if err != nil {
		return err
	}
	letters, err := agent.OpenDeadLetters(cmd.Context(), plan, version())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, letters.Close()) }()
	return f(letters)
}

func deadletterList() *cobra.Command {
	var in deadletterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters with the reason",
		Example: `  liveward deadletter list -c liveward.yaml
  liveward deadletter list --source gateway --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := in.query(nil)
			if err != nil {
				return err
			}
			return in.use(cmd, func(letters *agent.DeadLetters) error {
				out := cmd.OutOrStdout()
				w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				enc := json.NewEncoder(out)
				n := 0
				err := letters.List(cmd.Context(), q, func(l *agent.DeadLetter) error {
					n++
					if asJSON {
						return enc.Encode(l)
					}
					_, err := fmt.Fprintf(w, "%s\t%s\t%s\n", l.ID, whence(l), printable(l.Reason))
					return err
				})
				if err != nil || asJSON {
					return err
				}
				if err := w.Flush(); err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "%d dead letters\n", n)
				return err
			})
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each as JSON, with its document")
	return cmd
}

// whence says where a dead letter comes from.
func whence(l *agent.DeadLetter) string {
	if l.Kind == agent.DocumentLetter {
		return fmt.Sprintf("%s refused with %d: %s", printable(l.Forwarder), l.Status, printable(l.Dataset))
	}
	return fmt.Sprintf("%s, %s at byte %d", printable(l.Source), printable(l.Path), l.Offset)
}

func deadletterShow() *cobra.Command {
	var in deadletterFlags
	cmd := &cobra.Command{
		Use:     "show ID…",
		Short:   "Show dead letters with all that is kept of them",
		Example: "  liveward deadletter show -c liveward.yaml uzr5nufjbwrt22aepxurx2j764",
		Args:    atLeastOne("id"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			q, err := in.query(ids)
			if err != nil {
				return err
			}
			return in.use(cmd, func(letters *agent.DeadLetters) error {
				shown := map[event.Hash]bool{}
				err := letters.List(cmd.Context(), q, func(l *agent.DeadLetter) error {
					shown[l.ID] = true
					return showLetter(cmd.OutOrStdout(), l)
				})
				if err != nil {
					return err
				}
				for _, id := range q.IDs {
					if !shown[id] {
						return fmt.Errorf("no dead letter %s: it was replayed, or is gone with its age", id)
					}
				}
				return nil
			})
		},
	}
	in.register(cmd)
	return cmd
}

func showLetter(out io.Writer, l *agent.DeadLetter) error {
	var doc bytes.Buffer
	if err := json.Indent(&doc, l.Document, "", "  "); err != nil {
		return fmt.Errorf("document of %s: %w", l.ID, err)
	}
	when := ""
	if !l.Time.IsZero() {
		when = "  at        " + l.Time.Format(time.RFC3339Nano) + "\n"
	}
	if _, err := fmt.Fprintf(out, "%s %s\n  from      %s\n%s  reason    %s\n", l.Kind, l.ID, whence(l), when, printable(l.Reason)); err != nil {
		return err
	}
	for line := range bytes.Lines(doc.Bytes()) {
		if _, err := fmt.Fprintf(out, "  %s\n", printable(string(bytes.TrimRight(line, "\n")))); err != nil {
			return err
		}
	}
	return nil
}

func deadletterReplay() *cobra.Command {
	var in deadletterFlags
	var asJSON, dry bool
	cmd := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Read lines again with the maps as they are now, and send documents again",
		Long: `Replay reads each line in quarantine again from its log, as long as that exists: by the first line of
the file, also where it was rotated or compressed with gzip. A line whose content is not the one that
was read then is left alone. What can be read now becomes an event, with labels.replay: deadletter; its
time is the line's own, so rules count it as an event that comes late. Run twice, it makes nothing
twice.

Documents that a store refused are sent to it again, as after a template was mended.`,
		Example: `  liveward deadletter replay -c liveward.yaml --dry-run
  liveward deadletter replay -c liveward.yaml --source gateway`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			q, err := in.query(ids)
			if err != nil {
				return err
			}
			q.DryRun = dry
			return in.use(cmd, func(letters *agent.DeadLetters) error {
				report, err := letters.Replay(cmd.Context(), q)
				if asJSON {
					return errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(report))
				}
				return errors.Join(printReport(cmd.OutOrStdout(), &report, dry), err)
			})
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "read and parse lines, and change nothing; documents are not sent")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// printReport says per reason what became of the dead letters.
func printReport(out io.Writer, r *agent.DeadLetterReport, dry bool) error {
	var err error
	printf := func(format string, a ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format, a...)
		}
	}
	section := func(noun, title string, m map[string]int) {
		n := 0
		for _, k := range m {
			n += k
		}
		if n > 0 {
			printf("%s %s\n", plural(n, noun), title)
		}
		for _, why := range slices.Sorted(maps.Keys(m)) {
			printf("  %7d  %s\n", m[why], printable(why))
		}
	}
	verb := "recovered, by the reason they were in quarantine for:"
	if dry {
		verb = "would be recovered, by the reason they are in quarantine for:"
	}
	section("line", verb, r.Lines.Recovered)
	section("line", "still cannot be parsed:", r.Lines.StillBad)
	section("line", "cannot be read again:", r.Lines.Unread)
	for _, name := range slices.Sorted(maps.Keys(r.Documents)) {
		d := r.Documents[name]
		printf("%s stored by %s\n", plural(d.Stored, "document"), printable(name))
		section("document", "still refused by "+printable(name)+":", d.Refused)
	}
	if r.Lines.Before > 0 {
		printf("%s recovered before\n", plural(r.Lines.Before, "line"))
	}
	if len(r.Lines.Recovered)+len(r.Lines.StillBad)+len(r.Lines.Unread)+len(r.Documents) == 0 {
		printf("nothing to replay\n")
	}
	return err
}
