package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
)

// A field that an event of a format has is one that the format provides: else a rule that fires would be
// shown as blind. The corpora of the formats say which fields there are.
func TestProvidedIsWhatEventsHave(t *testing.T) {
	const corpora = "../../collectors/formats/testdata"
	dirs, err := os.ReadDir(corpora)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.Agent.ID = "gw"
	cfg.Inputs = []InputConfig{{Name: "gateway", Paths: []string{"-"}, Format: "nginx_json"}}
	plan, err := PrepareDemo(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	// Enrichment finds these in a path or query where somebody put them: a rule that needs one may fire,
	// and sees next to nothing.
	rare := []event.ID{event.APIKeyID, event.LivenessSessionID}
	checked := 0
	for _, d := range dirs {
		inputs, err := fs.Glob(os.DirFS(filepath.Join(corpora, d.Name())), "*.in")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(plan.Formats.Names(), d.Name()) {
			continue
		}
		plan.inputs[0].Format = d.Name()
		sees := plan.sees(nil)
		surprising := map[string]bool{}
		r := plan.Replay(ReplayOptions{})
		var ev event.Event
		r.Document = func(p pipeline.Processed) error {
			ev.Reset()
			if err := ev.DecodeJSON(p.Doc); err != nil {
				return err
			}
			ev.Present(func(id event.ID) {
				checked++
				if !sees(id) && !slices.Contains(rare, id) {
					surprising[id.String()] = true
				}
			})
			return nil
		}
		var paths []string
		for _, in := range inputs {
			paths = append(paths, filepath.Join(corpora, d.Name(), in))
		}
		if _, err := r.Run(t.Context(), paths); err != nil {
			t.Fatal(err)
		}
		if len(surprising) > 0 {
			var names []string
			for n := range surprising {
				names = append(names, n)
			}
			slices.Sort(names)
			t.Errorf("%s: events have %s, which it is not said to provide", d.Name(), strings.Join(names, ", "))
		}
	}
	if checked < 1000 {
		t.Errorf("only %d fields were looked at", checked)
	}
}
