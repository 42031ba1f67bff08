package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/rules"
)

func rulesExplainCommand() *cobra.Command {
	var in offlineFlags
	var rule string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Say for an event why each rule matches or does not",
		Long: `Explain takes ECS documents, one after the other, from a file or standard input, as Elasticsearch,
parse or replay --events give them; with --format, raw lines of a log. For each rule that matches it
prints a tree of every clause, true or false, with the values it read. The others are one line each;
--rule or --all give them their tree too. Documents of alerts are held against chains.`,
		Example: `  liveward rules explain --rule lw.auth.burst-per-ip event.json
  tail -n 1 access.log | liveward rules explain --format nginx_json`,
		Args: atMostOne("file"),
		RunE: func(cmd *cobra.Command, a []string) error {
			plan, err := in.plan(cmd, true)
			if err != nil {
				return err
			}
			if rule != "" && plan.Rules.Rule(rule) == nil {
				return fmt.Errorf("there is no rule %s", rule)
			}
			p := explainPrinter{cmd: cmd, set: plan.Rules, rule: rule, all: all || rule != "", json: asJSON}
			if cmd.Flags().Changed("format") {
				r := plan.Replay(in.options(false))
				r.Document = func(d pipeline.Processed) error { return p.document(bytes.Clone(d.Doc)) }
				_, err = r.Run(cmd.Context(), orStdin(a))
				return err
			}
			src := cmd.InOrStdin()
			if len(a) == 1 && a[0] != "-" {
				f, err := os.Open(a[0])
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				src = f
			}
			dec := json.NewDecoder(src)
			for n := 0; ; n++ {
				var doc json.RawMessage
				if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
					if n == 0 {
						return errors.New("no document: give one as a file or on standard input")
					}
					return nil
				} else if err != nil {
					return fmt.Errorf("document %d: %w; raw lines need --format", n+1, err)
				}
				if err := p.document(doc); err != nil {
					return fmt.Errorf("document %d: %w", n+1, err)
				}
			}
		},
	}
	in.register(cmd)
	in.registerRules(cmd)
	cmd.Flags().StringVar(&rule, "rule", "", "explain this rule alone")
	cmd.Flags().BoolVar(&all, "all", false, "print the tree of rules that do not match, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line and rule")
	return cmd
}

type explainPrinter struct {
	cmd       *cobra.Command
	set       *rules.Set
	rule      string
	all, json bool
}

// document explains one document; one wrapped as Elasticsearch answers it is unwrapped.
func (p *explainPrinter) document(doc []byte) error {
	var head struct {
		Source json.RawMessage `json:"_source"`
		Event  struct {
			Dataset string `json:"dataset"`
		} `json:"event"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return errors.New("no ECS document; raw lines need --format")
	}
	if head.Source != nil {
		return p.document(head.Source)
	}
	if head.Event.Dataset == "liveward.alert" {
		a, err := event.ParseAlert(doc)
		if err != nil {
			return err
		}
		return p.print(p.set.ExplainAlert(p.rule, a))
	}
	var ev event.Event
	if err := ev.DecodeJSON(doc); err != nil {
		return err
	}
	return p.print(p.set.Explain(p.rule, &ev))
}

func (p *explainPrinter) print(all []rules.Explanation) error {
	out := p.cmd.OutOrStdout()
	for i := range all {
		e := &all[i]
		var err error
		switch {
		case p.json:
			err = json.NewEncoder(out).Encode(e)
		case p.all || e.Verdict != rules.VerdictNo:
			err = e.Print(out)
		default:
			_, err = fmt.Fprintf(out, "%s: %s: %s\n", e.Rule, e.Verdict, e.Why)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
