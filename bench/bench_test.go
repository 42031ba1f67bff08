// Package bench measures the whole way of a line, with the parts as the agent puts them together.
//
// It holds benchmarks and nothing else; make bench runs them beside those of the packages.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/internal/pipeline"
	pack "github.com/liveward/liveward/rules.d"
)

// corpus writes n generated lines and returns the file.
func corpus(b *testing.B, format string, n int) string {
	b.Helper()
	g, err := generator.New(generator.Config{
		Seed: 1, Start: time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC), Format: format, Rate: 200,
	})
	if err != nil {
		b.Fatal(err)
	}
	return write(b, format, func(w *bufio.Writer) {
		for range n {
			line, ok := g.Next()
			if !ok {
				b.Fatal("the generator ended early")
			}
			_, _ = w.Write(line.Text)
			_ = w.WriteByte('\n')
		}
	})
}

// write makes a file; what is written does not stay in memory.
func write(b *testing.B, name string, lines func(*bufio.Writer)) string {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), name))
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	lines(w)
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	return f.Name()
}

// tenRules are rules of the pack.
var tenRules = []string{
	"lw.auth.burst-per-ip", "lw.auth.spray-keys", "lw.client.browser-ua", "lw.data.pii-in-log", "lw.spoof.wave-count",
	"lw.inject.farm-device", "lw.key.off-allow-list", "lw.key.too-old", "lw.scope.endpoint-denied", "lw.tls.legacy",
}

// tenRulesDir is a rule directory with ten rules of the pack.
func tenRulesDir(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.CopyFS(dir, pack.FS); err != nil {
		b.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "lw.*.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	kept := 0
	for _, file := range files {
		if slices.Contains(tenRules, strings.TrimSuffix(filepath.Base(file), ".yaml")) {
			kept++
		} else if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
	}
	if kept != len(tenRules) {
		b.Fatalf("%d of %d rules are in the pack", kept, len(tenRules))
	}
	return dir
}

// plan has the rules of a directory, or the whole pack.
func plan(b *testing.B, format, rulesDir string) *agent.Plan {
	b.Helper()
	p, err := agent.LoadOffline(agent.Offline{Format: format, Rules: agent.RuleDirs{Dir: rulesDir}, NeedRules: true})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// cpu is the user and system time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReplay is `liveward replay` over a file of generated lines: read, parse, enrich, privacy,
// match, windows; with ten rules, with --events as well (documents encoded, and joins, as in the agent),
// and with the whole pack and the joins it needs. events/cpu-s is what one core does in a second.
func BenchmarkReplay(b *testing.B) {
	for _, format := range []string{"nginx_json", "liveward_v1", "kong_json", "nginx_combined"} {
		b.Run(format, func(b *testing.B) { replay(b, format, tenRulesDir(b), 1_000_000, nil) })
	}
	b.Run("nginx_json_events", func(b *testing.B) {
		replay(b, "nginx_json", tenRulesDir(b), 1_000_000, func(pipeline.Processed) error { return nil })
	})
	b.Run("nginx_json_whole_pack", func(b *testing.B) { replay(b, "nginx_json", "", 200_000, nil) })
}

func replay(b *testing.B, format, rulesDir string, lines int, document func(pipeline.Processed) error) {
	path := corpus(b, format, lines)
	p := plan(b, format, rulesDir)
	b.ReportAllocs()
	start := cpu()
	n := int64(0)
	for b.Loop() {
		r := p.Replay(agent.ReplayOptions{})
		r.Rules, r.Document = p.Rules, document
		r.Alert = func(*event.Alert) error { return nil }
		res, err := r.Run(context.Background(), []string{path})
		if err != nil {
			b.Fatal(err)
		}
		n += res.Lines
	}
	spent := cpu() - start
	b.ReportMetric(float64(n)/spent.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "cpu-ns/event")
}

// BenchmarkKeys is the memory of the windows over lines that each have a device, a user and an
// address of their own.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{20_000, 200_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			path := write(b, "keys", func(w *bufio.Writer) {
				for i := range keys {
					_, _ = fmt.Fprintf(w, `{"ts":"2026-03-02T02:%02d:%02d.%03dZ","request_id":"r%d","consumer_id":"onb","client_ip":"10.%d.%d.%d","operation":"submit","status":401,"key_hash":"k%d","subject_ref":"s%d","device_ref":"d%d","liveness":{"vendor":"acme","decision":"spoof","score":0.1,"session_id":"x%d","attempt":1}}`+"\n",
						i*1000/keys/60, i*1000/keys%60, i%1000, i, i>>16&255, i>>8&255, i&255, i, i, i, i)
				}
			})
			p := plan(b, "liveward_v1", tenRulesDir(b))
			var peak uint64
			for b.Loop() {
				r := p.Replay(agent.ReplayOptions{})
				r.Rules = p.Rules
				seen := 0
				r.Document = func(pipeline.Processed) error {
					if seen++; seen%20_000 == 0 {
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapInuse+m.StackInuse)
					}
					return nil
				}
				if _, err := r.Run(context.Background(), []string{path}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(peak)/(1<<20), "heap-MiB")
		})
	}
}
