package generator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/privacy"
	"github.com/liveward/liveward/rules"
	pack "github.com/liveward/liveward/rules.d"
)

// replay runs a corpus through the real stages and the default pack. It returns the alerts by rule,
// the documents, and the truth.
func replay(t *testing.T, cfg generator.Config) (alerts map[string]int, docs []byte, g *generator.Generator) {
	t.Helper()
	cfg.Start = time.Date(2026, 3, 16, 3, 0, 0, 0, time.UTC)
	g, err := generator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "access.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for {
		line, ok := g.Next()
		if !ok {
			break
		}
		_, _ = w.Write(line.Text) // Flush tells
		_ = w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	roster, err := enrich.LoadKeyRoster(bytes.NewReader(g.Roster()), "roster.yaml")
	must(err)
	var trusted []netip.Prefix
	for _, p := range g.TrustedProxies() {
		trusted = append(trusted, netip.MustParsePrefix(p))
	}
	enricher, err := enrich.New(enrich.Config{Source: "gateway", TrustedProxies: trusted, Keys: roster})
	must(err)
	formatSet, err := formats.Load(nil)
	must(err)
	vendorSet, err := vendors.Load(nil)
	must(err)
	filter, err := privacy.New(privacy.Config{Keys: []privacy.Key{privacy.DevelopmentKey()}})
	must(err)
	set, err := rules.Load(pack.FS, rules.Options{})
	must(err)

	alerts = map[string]int{}
	r := pipeline.Replay{
		Source: "gateway", MaxLine: 1 << 20, Rules: set, Windows: rules.WindowConfig{Lateness: 5 * time.Second},
		New: func() (*pipeline.Processor, error) {
			format, err := formatSet.New(cfg.Format, formats.Options{})
			if err != nil {
				return nil, err
			}
			p := pipeline.NewProcessor(pipeline.Stages{Format: format, Vendors: vendorSet, Enrich: enricher, Privacy: filter.Worker()}, pipeline.Identity{})
			p.SetRules(set)
			return p, nil
		},
		Alert: func(a *event.Alert) error {
			alerts[a.Rule.ID]++
			docs = a.AppendJSON(docs)
			docs = append(docs, '\n')
			return nil
		},
		Document: func(p pipeline.Processed) error {
			docs = append(append(docs, p.Doc...), '\n')
			return nil
		},
	}
	result, err := r.Run(context.Background(), []string{path})
	must(err)
	if result.Lines != g.Stats().Lines {
		t.Errorf("replay read %d lines of %d", result.Lines, g.Stats().Lines)
	}
	return alerts, docs, g
}

// Each attack fires its rules, once, in each format; nothing fires that no attack may fire.
func TestPackCatchesEachAttackOnce(t *testing.T) {
	for _, format := range generator.Formats() {
		for _, duration := range []time.Duration{15 * time.Second, 3 * time.Minute} {
			got, _, g := replay(t, generator.Config{Format: format, Duration: duration, Rate: 40, Confounders: generator.DefaultConfounders()})
			want := map[string]int{}
			for _, in := range g.Truth() {
				for _, rule := range in.Rules {
					want[rule]++
				}
			}
			for _, in := range g.Truth() {
				for _, rule := range in.MayFire {
					if want[rule] == 0 {
						delete(got, rule)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: alerts by rule (-truth +got):\n%s", format, duration, diff)
			}
		}
	}
}

// Genuine lines give clean events: nothing dropped, no unknown word, no breach of a vendor's contract.
func TestGenuineEventsAreClean(t *testing.T) {
	for _, format := range generator.Formats() {
		got, docs, g := replay(t, generator.Config{Format: format, Duration: 4 * time.Minute, Rate: 40, Attacks: []generator.Attack{}})
		if len(got) > 0 {
			t.Errorf("%s: alerts %v", format, got)
		}
		n, verdicts := 0, 0
		for line := range bytes.Lines(docs) {
			var doc struct {
				Event    struct{ Kind, Action string }
				Liveness struct{ Decision, Violation string }
				Liveward struct {
					Privacy struct{ Dropped []string }
					Gap     []string `json:"mapping_gap"`
				}
			}
			if err := json.Unmarshal(line, &doc); err != nil {
				t.Fatal(err)
			}
			if n++; doc.Liveness.Decision != "" {
				verdicts++
			}
			if doc.Event.Kind != "event" || doc.Liveness.Violation != "" || len(doc.Liveward.Privacy.Dropped)+len(doc.Liveward.Gap) > 0 {
				t.Fatalf("%s: %s", format, line)
			}
		}
		if int64(n) != g.Stats().Lines || verdicts < n/4 && format != generator.NginxCombined {
			t.Errorf("%s: %d events with %d verdicts of %d lines", format, n, verdicts, g.Stats().Lines)
		}
	}
}

// No canary is in any document or alert, whatever field or malformed line it was planted in.
func TestCanariesDoNotPass(t *testing.T) {
	for _, format := range generator.Formats() {
		for seed := range uint64(2) {
			_, docs, g := replay(t, generator.Config{Seed: seed, Format: format, Duration: 30 * time.Second, Rate: 10, Canaries: true})
			for _, c := range g.Canaries() {
				if bytes.Contains(docs, []byte(c.Value)) {
					t.Errorf("%s, seed %d: %s planted in %s came through", format, seed, c.Kind, c.Place)
				}
			}
		}
	}
}
