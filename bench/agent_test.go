package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/privacy"
)

// BenchmarkAgent is `liveward run` over lines on standard input: what a replay does, and beside that the
// journal that makes it lasting, its readers, joins, snapshots of the windows and, with ndjson, the
// documents in a file. events/cpu-s is what one core does in a second; the lines come as fast as they are
// taken, which no log's do.
func BenchmarkAgent(b *testing.B) {
	rules := "rules: {dir: " + tenRulesDir(b) + "}\n"
	for _, bc := range []struct{ name, config string }{
		{"ten_rules", rules},
		{"ten_rules_ndjson", rules + "ndjson: {path: out.ndjson}\n"},
		{"whole_pack", ""},
	} {
		b.Run(bc.name, func(b *testing.B) { runAgent(b, bc.config) })
	}
}

func runAgent(b *testing.B, config string) {
	const lines = 200_000
	path := corpus(b, "nginx_json", lines)
	procs, stdin := runtime.GOMAXPROCS(0), os.Stdin
	defer func() { runtime.GOMAXPROCS(procs); os.Stdin = stdin }()
	start := cpu()
	for b.Loop() {
		in, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		os.Stdin = in
		if err := agent.Run(context.Background(), agentPlan(b, config), agent.Hooks{}, slog.New(slog.DiscardHandler), nil); err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
	}
	spent := cpu() - start
	n := float64(lines * b.N)
	b.ReportMetric(n/spent.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(spent.Nanoseconds())/n, "cpu-ns/event")
}

// agentPlan is a configuration in a directory of its own that reads standard input.
func agentPlan(b *testing.B, config string) *agent.Plan {
	b.Helper()
	key, err := privacy.GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	b.Chdir(b.TempDir())
	for name, text := range map[string]string{
		"pseudonym.keys": key + "\n",
		"liveward.yaml": fmt.Sprintf("agent: {id: bench, data: data, health: 0s, cpus: %d}\nprivacy: {keys: '${file:pseudonym.keys}'}\n", runtime.NumCPU()) +
			"inputs: [{name: gateway, paths: ['-'], format: nginx_json}]\n" + config,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	p, err := agent.Load("liveward.yaml")
	if err != nil {
		b.Fatal(err)
	}
	return p
}
