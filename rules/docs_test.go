package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// Every YAML text of docs/rules.md is part of one rule directory, which loads without a word and whose
// tests pass.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	name := regexp.MustCompile(`^(?:# (_macros\.yaml|(?:lists|overlays)/\S+\.yaml)|id: (\S+))`)
	for i, part := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, ok := strings.Cut(part, "\n```")
		m := name.FindStringSubmatch(text)
		if !ok || m == nil {
			t.Fatalf("YAML text %d is no rule and does not say which file it is:\n%s", i+1, text)
		}
		file := m[1]
		if file == "" {
			file = m[2] + ".yaml"
		}
		if fsys[file] != nil {
			t.Errorf("%s stands there twice", file)
		}
		fsys[file] = &fstest.MapFile{Data: []byte(text + "\n")}
	}
	opts := Options{
		Playbooks: func(name string) bool {
			_, err := fs.Stat(os.DirFS("../rules.d"), "playbooks/"+name+".md")
			return err == nil
		},
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, p := range Lint(fsys, opts) {
		t.Error(p.Error())
	}
	set, err := Load(fsys, opts)
	if err != nil {
		t.Fatal(err)
	}
	results := set.Test()
	var out strings.Builder
	if err := results.Print(&out); err != nil {
		t.Fatal(err)
	}
	if passed, failed := results.Count(); failed > 0 || passed < 2*len(set.Rules()) {
		t.Errorf("tests of the page:\n%s", out.String())
	}
	// There is an example of every kind.
	for _, kind := range Kinds() {
		if !slices.ContainsFunc(set.Rules(), func(r *Rule) bool { return r.Kind == Kind(kind) }) {
			t.Errorf("no rule of kind %s", kind)
		}
	}
}

// The tests that the contract names are there, and each of its fifteen sentences names some.
func TestDocumentationNamesTests(t *testing.T) {
	page, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	var files []string
	for _, pattern := range []string{"*_test.go", "backtest/*_test.go", "../internal/pipeline/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				have[fn.Name.Name] = true
			}
		}
	}
	test := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for _, m := range test.FindAllStringSubmatch(string(page), -1) {
		if !have[m[1]] {
			t.Errorf("docs/rules.md names %s, which is not there", m[1])
		}
	}
	_, contract, _ := strings.Cut(string(page), "## The contract")
	points := strings.Split(contract, "\n- **S")[1:]
	if len(points) != 15 {
		t.Errorf("the contract has %d points", len(points))
	}
	for _, p := range points {
		if !test.MatchString(p) {
			t.Errorf("S%s… names no test", strings.SplitN(p, " ", 2)[0])
		}
	}
}
