package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every page's snippets are tried. A block behind "<!-- file: NAME -->" is written to a directory of
// the page's own; the commands of a block behind "<!-- run -->" are run there, in the page's order,
// with this binary as liveward. "<!-- run: NAME=VALUE -->" sets variables.
func TestDocsSnippets(t *testing.T) {
	pages := []string{"../../README.md"}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, more...) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			trySnippets(t, string(text))
		})
	}
}

var (
	snippet = regexp.MustCompile("(?s)<!-- (file|run):? ?([^>]*?) ?-->\n```[a-z]*\n(.*?)```")
	link    = regexp.MustCompile(`\]\(([^)#:]+)\)`)
)

func trySnippets(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the command when it is called by its name (testscript.Main).
	if err := os.Symlink(self, filepath.Join(bin, "liveward")); err != nil {
		t.Fatal(err)
	}
	for _, m := range snippet.FindAllStringSubmatch(text, -1) {
		what, arg, body := m[1], m[2], m[3]
		if what == "file" {
			path := filepath.Join(dir, arg)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.Lines(body) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if !ok {
				continue
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			if arg != "" {
				cmd.Env = append(cmd.Env, arg)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("$ %s\n%s%v", command, out, err)
			}
		}
	}
}

// Links to files of the repository lead somewhere.
func TestDocsLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/decisions/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: link to %s leads nowhere", filepath.Base(page), m[1])
			}
		}
	}
}

// The README names every command.
func TestREADMEHasEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range newRoot().Commands() {
		if !namedIn(string(text), cmd.Name()) {
			t.Errorf("README.md does not name %s", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			if cmd.Name() == "rules" && !namedIn(string(text), sub.Name()) {
				t.Errorf("README.md does not name %s", sub.CommandPath())
			}
		}
	}
}

func namedIn(text, command string) bool {
	return regexp.MustCompile("`" + regexp.QuoteMeta(command) + "[` ]").MatchString(text)
}
