package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
)

func rulesNewCommand() *cobra.Command {
	var d rules.Draft
	var kind, severity string
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Begin a rule: a working one of its kind, with two tests that pass",
		Long: `New writes a rule into a rule directory. What the flags leave open it asks for on standard input; an
empty answer takes what stands in brackets. The rule is complete: it loads, one test shows it firing
and one shows it silent. Change it from there; it starts in shadow mode.`,
		Example: `  liveward rules new rules.d
  liveward rules new rules.d --id lw.own.many-refusals --kind threshold --by client.ip --playbook auth/bad-credentials-burst`,
		Args: exactlyOne("rule directory"),
		RunE: func(cmd *cobra.Command, a []string) error {
			dir, err := agent.RuleDirs{Dir: a[0]}.Open()
			if err != nil {
				return err
			}
			own, err := playbooksOf(os.DirFS(a[0]))
			if err != nil {
				return err
			}
			pages, err := playbooksOf(dir)
			if err != nil {
				return err
			}
			ask := asker{in: bufio.NewReader(cmd.InOrStdin()), out: cmd.ErrOrStderr()}
			ask.into(&d.ID, "id, such as lw.area.name", "")
			ask.into(&kind, "kind: "+strings.Join(rules.Kinds(), ", "), "threshold")
			if ask.err == nil && !slices.Contains(rules.Kinds(), kind) {
				return fmt.Errorf("unknown kind %q; want one of %s", kind, strings.Join(rules.Kinds(), ", "))
			}
			ask.into(&severity, "severity: low, medium, high, critical", "medium")
			page, usual := "playbook, such as "+pages[0], ""
			if len(own) == 1 {
				page, usual = "playbook", own[0]
			}
			ask.into(&d.Playbook, page, usual)
			if ask.err != nil {
				return ask.err
			}
			if err := hasPlaybook(a[0], pages, d.Playbook); err != nil {
				return err
			}
			d.Kind, d.Severity = rules.Kind(kind), event.Severity(severity)
			text, err := d.Text()
			if err != nil {
				return err
			}
			results, err := rules.Try(dir, d.ID, text)
			if err != nil {
				return err
			}
			path := filepath.Join(a[0], d.ID+".yaml")
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // rules are no secret
			if err != nil {
				return err
			}
			_, err = io.WriteString(f, text)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), path); err != nil {
				return err
			}
			return results.Print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.ID, "id", "", "id of the rule, such as lw.area.name")
	f.StringVar(&kind, "kind", "", "kind of the rule: "+strings.Join(rules.Kinds(), ", "))
	f.StringVar(&d.By, "by", "", "field of the key (default: the usual one of the kind)")
	f.StringVar(&severity, "severity", "", "low, medium, high or critical")
	f.StringVar(&d.Playbook, "playbook", "", "name of the playbook page, such as auth/bad-credentials-burst")
	f.StringVar(&d.Concern, "concern", "", "tags.concern of the rule")
	return cmd
}

// asker asks for what the flags left open.
type asker struct {
	in  *bufio.Reader
	out io.Writer
	err error
}

func (a *asker) into(value *string, what, usual string) {
	if *value != "" || a.err != nil {
		return
	}
	if usual != "" {
		what += " [" + usual + "]"
	}
	if _, a.err = fmt.Fprintf(a.out, "%s: ", what); a.err != nil {
		return
	}
	line, err := a.in.ReadString('\n')
	if err != nil {
		_, _ = fmt.Fprintln(a.out) // what follows does not belong to the question
		if !errors.Is(err, io.EOF) {
			a.err = err
			return
		}
	}
	if *value = strings.TrimSpace(line); *value == "" {
		*value = usual
	}
	if *value == "" {
		a.err = usageError{fmt.Errorf("no answer: give --id, --kind, --severity and --playbook, or answer on standard input")}
	}
}

// hasPlaybook says what to do where neither a rule directory nor the pack has the page that a new rule would name.
func hasPlaybook(dir string, pages []string, page string) error {
	if slices.Contains(pages, page) {
		return nil
	}
	todo := fmt.Sprintf("write playbooks/%s.md first, or take one of the %d that are there, such as %s", page, len(pages), pages[0])
	if near := strict.Nearest(page, pages); near != "" {
		todo = fmt.Sprintf("did you mean %q?", near)
	}
	return fmt.Errorf("there is no playbook %s in %s, nor in the pack: %s", page, dir, todo)
}

// playbooksOf names the pages of rule files.
func playbooksOf(dir fs.FS) ([]string, error) {
	files, err := fs.Glob(dir, "playbooks/*/*.md")
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(files[i], "playbooks/"), ".md")
	}
	return files, nil
}
