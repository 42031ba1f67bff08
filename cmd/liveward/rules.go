package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/rules"
)

func rulesCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "rules",
		Short: "Write and check rules",
	})
	cmd.AddCommand(
		rulesPromoteCommand(), rulesImportSigmaCommand(),
		rulesNewCommand(), rulesLintCommand(), rulesTestCommand(), rulesExplainCommand(), rulesBacktestCommand(),
		rulesListCommand(), rulesSchemaCommand(), rulesReportCommand(),
	)
	return cmd
}

// overlayFlag adds the flag that puts a directory of the user's own on top of rules, as rules.overlay does for an agent.
func overlayFlag(cmd *cobra.Command, dirs *agent.RuleDirs) {
	cmd.Flags().StringVar(&dirs.Overlay, "overlay", "", "directory of your own on top of the rules, as rules.overlay of a configuration")
}

// overlayHint says what was probably meant where a directory changes rules that it does not have.
func overlayHint(cmd *cobra.Command, dirs agent.RuleDirs, problems rules.Problems) error {
	if dirs.Overlay != "" || !slices.ContainsFunc(problems, func(p rules.Problem) bool { return strings.HasPrefix(p.File, "overlays/") }) {
		return nil
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "liveward: if %s lies on top of the pack that comes with liveward: liveward rules %s --overlay %[1]s\n", dirs.Dir, cmd.Name())
	return err
}

// named takes the rule directory of an argument.
func named(dirs *agent.RuleDirs, a []string) {
	if len(a) > 0 {
		dirs.Dir = a[0]
	}
}

func rulesLintCommand() *cobra.Command {
	var strict, asJSON bool
	var formats []string
	var retention string
	var dirs agent.RuleDirs
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Check rules, lists and playbooks; errors point at the character",
		Long: `Check a rule directory, or the pack that comes with liveward, with what --overlay puts on top of it. Errors
exit 1; warnings exit 0, or 1 with --strict. With --format, rules whose fields none of these formats provides are found; with
--journal, rules that look back further than the journal keeps.`,
		Example: "  liveward rules lint rules.d --strict\n  liveward rules lint rules.d --format nginx_json --journal 7d\n  liveward rules lint --overlay mine",
		Args:    atMostOne("directory"),
		RunE: func(cmd *cobra.Command, a []string) error {
			opts := rules.Options{Now: time.Now()}
			if len(formats) > 0 {
				provided, err := agent.Provided(formats)
				if err != nil {
					return err
				}
				opts.Provided = provided
			}
			if retention != "" {
				keep, err := event.ParseDuration(retention)
				if err != nil {
					return usageError{fmt.Errorf("--journal: %w", err)}
				}
				opts.Retention = keep
			}
			named(&dirs, a)
			set, problems := agent.LoadRules(dirs, opts)
			problems = append(problems, agent.LintPlaybooks(dirs)...)
			out := cmd.OutOrStdout()
			errs := len(problems.Errors())
			if asJSON {
				if problems == nil {
					problems = rules.Problems{}
				}
				if err := json.NewEncoder(out).Encode(problems); err != nil {
					return err
				}
			} else {
				for _, p := range problems {
					if _, err := fmt.Fprintln(out, p.Error()); err != nil {
						return err
					}
				}
				n := 0
				if set != nil {
					n = len(set.Rules())
				}
				if _, err := fmt.Fprintf(out, "%s, %s, %s\n", plural(n, "rule"), plural(errs, "error"), plural(len(problems)-errs, "warning")); err != nil {
					return err
				}
			}
			if errs > 0 || (strict && len(problems) > 0) {
				return errors.Join(errSilent, overlayHint(cmd, dirs, problems))
			}
			return nil
		},
	}
	overlayFlag(cmd, &dirs)
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings exit 1 too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the problems as JSON")
	cmd.Flags().StringArrayVar(&formats, "format", nil, "a format in use, may be repeated")
	cmd.Flags().StringVar(&retention, "journal", "", "for how long the journal keeps events, such as 7d")
	return cmd
}

func rulesTestCommand() *cobra.Command {
	var asJSON, coverage bool
	var junit string
	var dirs agent.RuleDirs
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests that stand in the rules",
		Long: `Run the tests that stand in the rules, and print a line a case. With --coverage, the parts of conditions
that no test makes true, or none makes false, are named after that: any other condition would do there.`,
		Example: "  liveward rules test rules.d\n  liveward rules test rules.d --junit report.xml\n  liveward rules test --overlay mine",
		Args:    atMostOne("directory"),
		RunE: func(cmd *cobra.Command, a []string) error {
			named(&dirs, a)
			set, problems := agent.LoadRules(dirs, rules.Options{})
			out := cmd.OutOrStdout()
			broken := problems.Errors()
			for _, p := range broken {
				if _, err := fmt.Fprintln(cmd.ErrOrStderr(), p.Error()); err != nil {
					return err
				}
			}
			var results rules.TestResults
			if set != nil {
				results = set.Test()
			}
			if len(results) == 0 && len(broken) == 0 {
				return fmt.Errorf("%s: there is no rule with a test", dirs)
			}
			_, failed := results.Count()
			if junit != "" {
				o, err := newOutput(junit, nil)
				if err != nil {
					return err
				}
				if err := writeJUnit(o.w, results); err != nil {
					return err
				}
				if err := o.close(); err != nil {
					return err
				}
			}
			if asJSON {
				if results == nil {
					results = rules.TestResults{}
				}
				if err := json.NewEncoder(out).Encode(results); err != nil {
					return err
				}
			} else if err := results.Print(out); err != nil {
				return err
			}
			if coverage && set != nil {
				gaps := set.Coverage()
				for _, p := range gaps {
					if _, err := fmt.Fprintln(cmd.ErrOrStderr(), p.Error()); err != nil {
						return err
					}
				}
				if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "parts of conditions without a test: %d\n", len(gaps)); err != nil {
					return err
				}
			}
			if failed > 0 || len(broken) > 0 {
				return errors.Join(errSilent, overlayHint(cmd, dirs, broken))
			}
			return nil
		},
	}
	overlayFlag(cmd, &dirs)
	cmd.Flags().BoolVar(&coverage, "coverage", false, "name the parts of conditions that no test exercises, on stderr")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	cmd.Flags().StringVar(&junit, "junit", "", "also write the results to this file as JUnit XML")
	return cmd
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
}

func writeJUnit(w io.Writer, results rules.TestResults) error {
	_, failed := results.Count()
	suite := junitSuite{Name: "liveward rules", Tests: len(results), Failures: failed}
	for _, r := range results {
		c := junitCase{Class: r.Rule, Name: r.Name, File: r.File}
		if len(r.Failures) > 0 {
			c.Failure = &junitFailure{Message: fmt.Sprint(r.Failures)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	return enc.Encode(suite)
}
