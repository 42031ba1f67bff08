package agent

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
	"github.com/liveward/liveward/rules/backtest"
)

// RuleSet loads other rules with the plan's key and playbook addresses, for a comparison with the plan's own.
func (p *Plan) RuleSet(dirs RuleDirs) (*rules.Set, error) {
	fsys, err := dirs.Open()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	set, err := rules.Load(fsys, p.ruleOptions())
	if err != nil {
		return nil, fmt.Errorf("rules in %s: %w", dirs, err)
	}
	return set, nil
}

// Backtest runs files through a rule set, with the agent's own stages and windows, and gathers what
// would have fired of the rule of an id, or of all where it is empty, and how the files were read. Nothing
// is sent anywhere.
func (p *Plan) Backtest(ctx context.Context, set *rules.Set, id string, o ReplayOptions, files []string) (*backtest.Report, pipeline.ReplayResult, error) {
	b := backtest.New(set, id)
	r := p.Replay(o)
	r.Rules = set
	r.Alert = func(a *event.Alert) error {
		b.Alert(a)
		return nil
	}
	r.Document = func(d pipeline.Processed) error {
		switch t, ok := documentTime(d.Doc); {
		case !ok, d.Quarantined:
		case d.Event == nil:
			b.Join(t)
		default:
			b.Event(t)
		}
		return nil
	}
	res, err := r.Run(ctx, files)
	if err != nil {
		return nil, res, err
	}
	return b, res, nil
}

// documentTime reads the time of a document, in which @timestamp comes first.
func documentTime(doc []byte) (int64, bool) {
	rest, ok := bytes.CutPrefix(doc, []byte(`{"@timestamp":"`))
	if !ok {
		return 0, false
	}
	text, _, ok := bytes.Cut(rest, []byte{'"'})
	if !ok {
		return 0, false
	}
	t, err := event.ParseTime(string(text))
	return t, err == nil
}

// Provided tells which fields events have that are read with formats of these names: what lint holds
// the needs of rules against. Key rosters, and what enrichment may know of
// addresses, are taken to be there.
func Provided(names []string) (func(event.ID) bool, error) {
	set, err := formats.Load(nil)
	if err != nil {
		return nil, err
	}
	vendorMaps, err := vendors.Load(nil)
	if err != nil {
		return nil, err
	}
	has := map[event.ID]bool{event.OrganizationID: true}
	for _, name := range names {
		if !slices.Contains(set.Names(), name) {
			return nil, fmt.Errorf("unknown format %q; %s", name, strict.Suggest(name, set.Names()))
		}
		maps.Copy(has, fieldsOf(set, vendorMaps, name))
	}
	return func(id event.ID) bool {
		return has[id] || enrich.Provides(id) || enrich.ProvidesKeys(id) || enrich.ProvidesAddresses(id) || pipeline.Provides(id)
	}, nil
}

// Stopwatch is a clock for measuring how long something takes.
func Stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
