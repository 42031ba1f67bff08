package agent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/liveward/liveward/"

// floors returns the packages from the ground up; what stands below a path belongs to it. A package
// imports from lower floors only. On its own floor it knows its own tree alone: collectors, rules,
// alerting and forwarders never import one another.
func floors() [][]string {
	return [][]string{
		{"internal/loopback"},
		{"internal/event", "internal/secret", "internal/generator", "internal/estest", "internal/leaktest", "rules.d"},
		{"internal/strict"},
		{"collectors", "rules", "alerting", "forwarders", "internal/privacy", "internal/enrich", "internal/join", "internal/journal"},
		{"internal/pipeline"},
		{"internal/agent"},
		{"internal/scorecard"},
		{"internal/demo"},
		{"cmd/liveward", "bench"},
	}
}

// doors returns the packages that may import a library: each has one door, and no type of it comes
// through. A library that is not here may be used anywhere.
func doors() map[string][]string {
	return map[string][]string{
		"github.com/aws/":          {"collectors/s3"},
		"github.com/elastic/":      {"forwarders/elasticsearch"},
		"github.com/expr-lang/":    {"rules"},
		"github.com/fsnotify/":     {"collectors/file"},
		"github.com/goccy/":        {"internal/strict"},
		"github.com/nats-io/":      {"internal/journal", "collectors/nats"},
		"github.com/oschwald/":     {"internal/enrich"},
		"github.com/prometheus/":   {"internal/agent"},
		"github.com/slack-go/":     {"alerting/slack"},
		"github.com/spf13/":        {"cmd/liveward"},
		"go.uber.org/goleak":       {"internal/leaktest"},
		"github.com/google/go-cmp": testPackages(),
	}
}

// testPackages returns the packages that serve tests. Beside tests nothing imports them.
func testPackages() []string {
	return []string{"alerting/alertingtest", "alerting/slack/slackfake", "collectors/collectorstest", "collectors/s3/sqsfake", "forwarders/forwarderstest", "internal/estest", "internal/leaktest", "internal/loopback"}
}

// commandImports returns what the command knows of the module: it has flags, printing and exit codes,
// so a new line here wants a reason.
func commandImports() []string {
	return []string{
		"internal/agent", "internal/demo", "internal/generator", "rules", "rules.d",
		"forwarders/elasticsearch", // setup elasticsearch
		"internal/event",           // --events and --alerts are documents
		"internal/pipeline",        // what replay and parse run
		"internal/privacy",         // pseudonym
		"internal/scorecard",       // rules report
		"internal/strict",          // the nearest word, where one is not known
		"rules/backtest",           // its reports
	}
}

// splitLines is used by two collectors, and below one of them.
var splitLines = [2]string{"collectors/file", "collectors/file/split"}

func TestLayers(t *testing.T) {
	graph, err := imports()
	if err != nil {
		t.Fatal(err)
	}
	if len(graph) < 20 {
		t.Fatalf("only %d packages", len(graph))
	}
	for _, b := range broken(graph) {
		t.Error(b)
	}
}

// TestBrokenLayers shows that each rule can be broken, on graphs of a few packages.
func TestBrokenLayers(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"internal/event", "time", ""},
		{"internal/event", "golang.org/x/sync/errgroup", "internal/event imports golang.org/x/sync/errgroup: it knows the standard library alone"},
		{"internal/event", "+internal/strict", "internal/event imports internal/strict: it knows the standard library alone"},
		{"collectors/file", "+collectors", ""},
		{"collectors/file", "+internal/event", ""},
		{"collectors", "+collectors/file", "collectors imports collectors/file: a child imports its parent, never the reverse"},
		{"collectors/formats/vendors", "+collectors/formats", ""},
		{"rules", "+alerting", "rules imports alerting: they stand on one floor"},
		{"alerting/slack", "+rules", "alerting/slack imports rules: they stand on one floor"},
		{"forwarders", "+collectors/formats", "forwarders imports collectors/formats: they stand on one floor"},
		{"internal/privacy", "+internal/journal", "internal/privacy imports internal/journal: they stand on one floor"},
		{"internal/pipeline", "+rules", ""},
		{"internal/pipeline", "+internal/agent", "internal/pipeline imports internal/agent: that stands above it"},
		{"rules", "+internal/pipeline", "rules imports internal/pipeline: that stands above it"},
		{"internal/agent", "+collectors/stdin", ""},
		{"internal/agent", "+internal/demo", "internal/agent imports internal/demo: that stands above it"},
		{"internal/agent", "+internal/generator", "internal/agent imports internal/generator: only scorecard, demo and cmd simulate"},
		{"internal/demo", "+internal/generator", ""},
		{"internal/demo", "+alerting/alertingtest", "internal/demo imports alerting/alertingtest: it serves tests alone"},
		{"internal/pipeline", "+internal/estest", "internal/pipeline imports internal/estest: it serves tests alone"},
		{"internal/estest/cmd/estest", "+internal/estest", ""},
		{"alerting/alertingtest", "+alerting", ""},
		{"cmd/liveward", "+internal/agent", ""},
		{"cmd/liveward", "+internal/journal", "cmd/liveward imports internal/journal: add it to commandImports, with the reason"},
		{"internal/util", "time", "internal/util: stands on no floor"},
		{"internal/enrich", "+internal/util", "internal/enrich imports internal/util: that stands on no floor"},
		{"alerting", "github.com/goccy/go-yaml/ast", "alerting imports github.com/goccy/go-yaml/ast: its door is internal/strict"},
		{"internal/journal", "github.com/nats-io/nats.go", ""},
	} {
		from, to := module+tc.from, strings.Replace(tc.to, "+", module, 1)
		want := []string(nil)
		if tc.want != "" {
			want = []string{tc.want}
		}
		if diff := cmp.Diff(want, broken(map[string][]string{from: {"fmt", to}})); diff != "" {
			t.Errorf("%s → %s:\n%s", tc.from, tc.to, diff)
		}
	}
}

// broken names what in a graph of imports breaks a rule, sorted.
func broken(graph map[string][]string) []string {
	var all []string
	for pkg, list := range graph {
		from := strings.TrimPrefix(pkg, module)
		if f, _ := floorOf(from); f < 0 {
			all = append(all, from+": stands on no floor")
			continue
		}
		for _, imported := range list {
			to, own := strings.CutPrefix(imported, module)
			why := ""
			if own {
				why = wrongOwn(from, to)
			} else {
				why = wrongLibrary(from, to)
			}
			if why != "" {
				all = append(all, fmt.Sprintf("%s imports %s: %s", from, to, why))
			}
		}
	}
	slices.Sort(all)
	return all
}

// wrongOwn tells why a package may not import another of the module.
func wrongOwn(from, to string) string {
	a, treeA := floorOf(from)
	b, treeB := floorOf(to)
	testing := belongs(from, testPackages())
	switch {
	case [2]string{from, to} == splitLines:
		return ""
	case from == "internal/event":
		return "it knows the standard library alone"
	case b < 0:
		return "that stands on no floor"
	case strings.HasPrefix(to, from+"/"):
		return "a child imports its parent, never the reverse"
	case b > a:
		return "that stands above it"
	case b == a && treeA != treeB:
		return "they stand on one floor"
	case belongs(to, testPackages()) && !testing:
		return "it serves tests alone"
	case to == "internal/generator" && !belongs(from, []string{"internal/scorecard", "internal/demo", "cmd/liveward"}):
		return "only scorecard, demo and cmd simulate"
	case from == "cmd/liveward" && !belongs(to, commandImports()):
		return "add it to commandImports, with the reason"
	}
	return ""
}

// wrongLibrary tells why a package may not import another of no module of ours.
func wrongLibrary(from, to string) string {
	host, _, _ := strings.Cut(to, "/")
	if from == "internal/event" && strings.Contains(host, ".") {
		return "it knows the standard library alone"
	}
	for library, door := range doors() {
		if strings.HasPrefix(to, library) && !slices.Contains(door, from) {
			return "its door is " + strings.Join(door, ", ")
		}
	}
	return ""
}

// floorOf finds the floor of a package and the tree it belongs to; -1 for none.
func floorOf(pkg string) (floor int, tree string) {
	for i, trees := range floors() {
		for _, t := range trees {
			if belongs(pkg, []string{t}) {
				return i, t
			}
		}
	}
	return -1, ""
}

// belongs tells whether a package is one of a list, or below one.
func belongs(pkg string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
}

// imports lists what each package of the module imports, tests aside.
func imports() (map[string][]string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	graph := make(map[string][]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		err := dec.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return graph, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		graph[pkg.ImportPath] = pkg.Imports
	}
}
