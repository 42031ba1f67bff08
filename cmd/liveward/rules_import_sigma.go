package main

import (
	"cmp"
	"encoding/json"
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
	"github.com/liveward/liveward/rules/sigma"
)

func rulesImportSigmaCommand() *cobra.Command {
	var o sigma.Options
	var out string
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "import-sigma --out DIR --playbook PAGE PATH...",
		Short: "Turn Sigma rules into rules, and say exactly what could not be carried over",
		Long: `Import-sigma reads Sigma rules (specification 2.x: detections, and correlations of the types event_count,
value_count and temporal_ordered) from files and directories, and writes a rule for each into a rule
directory. What cannot be expressed is left out where the rule matches less without it, and named; else
the rule is refused, and the reason named. Each rule that is written loads, and its own test shows it firing.

Rules begin in shadow mode. They keep author and licence in their description. A file that is there
already is never written over.`,
		Example: `  liveward rules import-sigma --out rules.d --playbook auth/bad-credentials-burst sigma/rules/web
  liveward rules import-sigma --out rules.d --playbook auth/bad-credentials-burst --json rule.yml | jq '.[].refused'`,
		Args: atLeastOne("file or directory"),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if out == "" || o.Playbook == "" {
				return usageError{errors.New("--out and --playbook are needed: every rule names the page that helps with it")}
			}
			dir, err := agent.RuleDirs{Dir: out}.Open()
			if err != nil {
				return err
			}
			pages, err := playbooksOf(dir)
			if err != nil {
				return err
			}
			if err := hasPlaybook(out, pages, o.Playbook); err != nil {
				return err
			}
			im, err := sigma.New(o, dir)
			if err != nil {
				return usageError{err}
			}
			found, failed := importSigma(cmd.ErrOrStderr(), paths, out, im)
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(found)
			} else {
				err = printSigma(cmd.OutOrStdout(), found)
			}
			carried, part, refused := countSigma(found)
			switch {
			case err != nil:
				return err
			case failed > 0:
				return fmt.Errorf("%s could not be read or written", plural(failed, "file"))
			case strict && part+refused > 0:
				return fmt.Errorf("%d of %s not carried over whole", part+refused, plural(carried+refused, "rule"))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "rule directory to write into")
	f.StringVar(&o.Playbook, "playbook", "", "playbook page of the rules, such as auth/bad-credentials-burst")
	f.StringVar(&o.Prefix, "prefix", "sigma", "beginning of the rules' ids")
	f.StringVar(&o.By, "by", "client.ip", "field of the key of detections")
	f.BoolVar(&o.Live, "live", false, "notify at once, instead of shadow mode")
	f.BoolVar(&asJSON, "json", false, "report as JSON")
	f.BoolVar(&strict, "strict", false, "exit with 1 unless every rule was carried over whole")
	return cmd
}

// imported is what became of a Sigma rule, and the file it came from.
type imported struct {
	File string `json:"file"`
	sigma.Result
}

// importSigma imports what stands under paths, and writes it. It returns how many files failed.
func importSigma(stderr io.Writer, paths []string, out string, im *sigma.Importer) (found []imported, failed int) {
	complain := func(err error) {
		failed++
		_, _ = fmt.Fprintf(stderr, "liveward: %s\n", err)
	}
	files, err := sigmaFiles(paths)
	if err != nil {
		complain(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			complain(err)
			continue
		}
		results, err := im.Import(file, src)
		if err != nil {
			complain(err)
			continue
		}
		for _, r := range results {
			if r.ID != "" {
				if err := createFile(filepath.Join(out, r.ID+".yaml"), r.Text); err != nil {
					complain(err)
					continue
				}
			}
			found = append(found, imported{file, r})
		}
	}
	return found, failed
}

// sigmaFiles are the files of paths, and those with the extensions of YAML in directories among them.
func sigmaFiles(paths []string) ([]string, error) {
	var files []string
	var errs []error
	for _, p := range paths {
		errs = append(errs, filepath.WalkDir(p, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if ext := filepath.Ext(name); !e.IsDir() && (name == p || ext == ".yml" || ext == ".yaml") {
				files = append(files, name)
			}
			return nil
		}))
	}
	return files, errors.Join(errs...)
}

// createFile writes a new file.
func createFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // rules are no secret
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

func countSigma(found []imported) (carried, part, refused int) {
	for _, r := range found {
		switch {
		case r.ID == "":
			refused++
		case len(r.Left) > 0:
			part++
			carried++
		default:
			carried++
		}
	}
	return carried, part, refused
}

func printSigma(w io.Writer, found []imported) error {
	var b strings.Builder
	for _, r := range found {
		what := "carried"
		switch {
		case r.ID == "":
			what = "refused"
		case len(r.Left) > 0:
			what = "in part"
		}
		_, _ = fmt.Fprintf(&b, "%s  %s\n", what, cmp.Or(r.ID, r.Title, r.File))
		for _, n := range slices.Concat(r.Refused, r.Left) {
			_, _ = fmt.Fprintf(&b, "         %s:%d: %s\n", r.File, n.Line, n.Message)
		}
	}
	carried, part, refused := countSigma(found)
	_, _ = fmt.Fprintf(&b, "%d carried over (%d in part), %d refused\n", carried, part, refused)
	_, err := io.WriteString(w, b.String())
	return err
}
