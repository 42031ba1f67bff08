package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/privacy"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
)

// Offline says what parse and replay work with. All may be empty.
type Offline struct {
	Config    string // configuration file to take keys, lists, rosters, maps and inputs from
	Format    string // format of the lines
	Source    string // name of the log
	Vendor    string
	Rules     RuleDirs // on top of the configuration's
	NeedRules bool
}

// LoadOffline prepares a plan for parse and replay: what the configuration says of the input named
// by Source, with what the command line says on top. Outputs are not looked at.
func LoadOffline(o Offline) (*Plan, error) {
	cfg := Default()
	f := strict.Decode("command line", nil, &cfg)
	if o.Config != "" {
		src, err := os.ReadFile(o.Config)
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		f = strict.Decode(o.Config, src, &cfg)
		if err := f.Err(); err != nil {
			return nil, err
		}
	}
	in, err := o.input(cfg.Inputs)
	if err != nil {
		return nil, err
	}
	cfg.Inputs = []InputConfig{in}
	dirs := o.Rules.Over(cfg.Rules.Dirs())
	cfg.Rules.Dir, cfg.Rules.Overlay = dirs.Dir, dirs.Overlay
	p := &Plan{Config: cfg, offline: true}
	p.checkWindows(f)
	var errs []error
	errs = append(errs, p.loadMaps(f))
	if cfg.Privacy.Keys.IsZero() {
		p.DevelopmentKey = true
		errs = append(errs, p.usePrivacy([]privacy.Key{privacy.DevelopmentKey()}, f))
	} else {
		errs = append(errs, p.loadPrivacy(f))
	}
	if o.NeedRules {
		errs = append(errs, p.loadRules(f))
	}
	errs = append(errs, p.loadInputs(f))
	if err := errors.Join(append([]error{f.Err()}, errs...)...); err != nil {
		return nil, err
	}
	return p, nil
}

// Formats are the formats that can be asked for: those that come with liveward, and those of a
// configuration's own maps where one is named.
func Formats(config string) (*formats.Set, error) {
	cfg := Default()
	f := strict.Decode("command line", nil, &cfg)
	if config != "" {
		src, err := os.ReadFile(config)
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		f = strict.Decode(config, src, &cfg)
	}
	p := &Plan{Config: cfg}
	err := p.loadMaps(f)
	return p.Formats, errors.Join(f.Err(), err)
}

// LoadPrivacy is the privacy filter of a configuration, with all its keys.
func LoadPrivacy(config string) (*privacy.Filter, error) {
	src, err := os.ReadFile(config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg := Default()
	f := strict.Decode(config, src, &cfg)
	p := &Plan{Config: cfg}
	if err := errors.Join(p.loadPrivacy(f), f.Err()); err != nil {
		return nil, err
	}
	return p.Privacy, nil
}

// input chooses the configured input and puts the command line's words on top.
func (o Offline) input(inputs []InputConfig) (InputConfig, error) {
	in := InputConfig{Name: "log"}
	switch {
	case o.Source != "":
		in.Name = o.Source
		names := make([]string, len(inputs))
		for i := range inputs {
			names[i] = inputs[i].Name
			if inputs[i].Name == o.Source {
				in = inputs[i]
			}
		}
		if len(inputs) > 0 && !slices.Contains(names, o.Source) {
			return in, fmt.Errorf("--source %s: the configuration has no input of that name; it has %s", o.Source, strings.Join(names, ", "))
		}
	case len(inputs) == 1:
		in = inputs[0]
	case len(inputs) > 1:
		return in, errors.New("the configuration has several inputs: name one with --source")
	}
	if o.Format != "" && (o.Format != "auto" || in.Format == "") {
		in.Format = o.Format
	}
	if o.Vendor != "" {
		in.Vendor = o.Vendor
	}
	in.useStdin()
	return in, nil
}

// ReplayOptions are what a replay has beside the plan.
type ReplayOptions struct {
	Raw     bool // leave privacy out
	Explain bool // make the processors explain what they do
	Version string
}

// Replay makes a replay of the plan's only input.
func (p *Plan) Replay(o ReplayOptions) *pipeline.Replay {
	in := p.inputs[0]
	windows := p.windowLimits()
	windows.Lateness = in.lateness()
	return &pipeline.Replay{
		Source:  in.Name,
		MaxLine: int(in.MaxLine),
		New: func() (*pipeline.Processor, error) {
			format, err := p.Formats.New(in.Format, in.formatOptions(slog.New(slog.DiscardHandler), nil))
			if err != nil {
				return nil, err
			}
			stages := pipeline.Stages{
				Format: format, Vendors: p.Vendors, Vendor: in.Vendor, Enrich: in.enricher, Privacy: p.Privacy.Worker(),
				Lateness: in.lateness(), Raw: o.Raw, Joins: p.joinRoles(),
			}
			if o.Explain {
				pipeline.Watch(&stages, in.Format)
			}
			return pipeline.NewProcessor(stages, pipeline.Identity{}), nil
		},
		Windows: windows,
		Joins:   p.joins(),
	}
}

// LogLevel is agent.log_level.
func (p *Plan) LogLevel() slog.Level { return p.level }

// Remarks are what is sound but worth knowing: outputs that are not configured.
func (p *Plan) Remarks() []string {
	var out []string
	if len(p.Config.Elasticsearch.URLs) == 0 && p.Config.NDJSON.Path == "" {
		out = append(out, "no forwarder is configured: events stay in the journal until they expire")
	}
	if p.Config.Slack.Token.IsZero() && p.Config.Slack.Webhook.IsZero() {
		out = append(out, "slack is not configured: incidents are kept, and nobody is told")
	}
	if p.hidden() {
		out = append(out, "playbooks of your own have no address, so cards have no link to them: set rules.playbook_url to where people read them")
	}
	return out
}

// LoadRules loads rules, with all that is wrong with them, for the authoring commands.
func LoadRules(dirs RuleDirs, opts rules.Options) (*rules.Set, rules.Problems) {
	fsys, err := dirs.Open()
	if missing, ok := errors.AsType[*noDirectory](err); ok {
		return nil, rules.Problems{{File: missing.dir, Message: missing.problem()}}
	}
	set, err := rules.Load(fsys, opts)
	problems := rules.Lint(fsys, opts)
	if err != nil && len(problems) == 0 {
		problems = rules.Problems{{File: dirs.String(), Message: err.Error()}}
	}
	return set, problems
}

// LintPlaybooks is what is wrong with the pages of rule directories. That there is a page is for the rules to see.
func LintPlaybooks(dirs RuleDirs) rules.Problems {
	fsys, err := dirs.Open()
	if err != nil {
		return nil // LoadRules says so
	}
	if _, err = loadPlaybooks(fsys, ""); err == nil {
		return nil
	}
	found, ok := errors.AsType[strict.Problems](err)
	if !ok {
		return rules.Problems{{File: "playbooks", Message: err.Error()}}
	}
	for i := range found {
		found[i].File = path.Join("playbooks", found[i].File)
	}
	return found
}
