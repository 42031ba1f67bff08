package bench

import (
	"bytes"
	"os"
	"testing"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
)

// BenchmarkStages runs the stages of a line one after another, each with those before it: the difference
// of two rows is what a stage costs, with the caches and predictors as they are in the agent.
func BenchmarkStages(b *testing.B) {
	for _, format := range []string{"nginx_json", "liveward_v1", "kong_json"} {
		data, err := os.ReadFile(corpus(b, format, 50_000))
		if err != nil {
			b.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		for stages, name := range []string{"read", "parse", "vendor", "enrich", "privacy", "encode"} {
			b.Run(format+"/"+name, func(b *testing.B) {
				p, err := plan(b, format, tenRulesDir(b)).Replay(agent.ReplayOptions{}).New()
				if err != nil {
					b.Fatal(err)
				}
				var (
					ev  event.Event
					doc []byte
				)
				i := 0
				start := cpu()
				for b.Loop() {
					line := lines[i%len(lines)]
					i++
					ev.Reset()
					if stages >= 1 && p.Format.Parse(line, &ev) != nil {
						continue
					}
					if stages >= 2 {
						p.Vendors.Apply(&ev, p.Vendor)
					}
					if stages >= 3 {
						p.Enrich.Apply(&ev)
					}
					if stages >= 4 {
						p.Privacy.Apply(&ev)
					}
					if stages >= 5 {
						doc = ev.AppendJSON(doc[:0])
					}
				}
				b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(i), "cpu-ns/event")
			})
		}
	}
}
