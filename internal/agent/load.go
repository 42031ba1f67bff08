package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/alerting"
	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/privacy"
	"github.com/liveward/liveward/internal/secret"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
)

// Plan is a configuration that was checked, with everything loaded that can be loaded before a
// socket or the journal is opened. liveward check stops here; liveward run goes on.
type Plan struct {
	Config    Config
	Formats   *formats.Set
	Vendors   *vendors.Set
	Rules     *rules.Set
	Playbooks *alerting.Library
	Privacy   *privacy.Filter
	// DevelopmentKey tells that no pseudonym key was configured and the published one serves.
	DevelopmentKey bool

	addresses *enrich.Addresses // what is known of callers; nil where nothing is

	inputs  []input
	offline bool              // for a replay: what its lines are is not known
	certs   certificates      // of listeners
	taken   map[string]string // addresses that are listened on, and by whom
	metrics metricsPlan
	rulesFS fs.FS
	secrets struct {
		slackToken, slackWebhook secret.String
		elasticKey               SecretRef
		elasticClientKey         secret.String
		ca, clientCert           []byte
	}
	level slog.Level
}

// input is a log with what was loaded for it.
type input struct {
	InputConfig
	enricher *enrich.Enricher
	location *time.Location
	make     maker  // of the collector; nil for files and standard input
	what     string // the kind in a few words
}

// lateness is the configured one as stages and windows take it: there zero stands for the default,
// and none for what is negative.
func (in *input) lateness() time.Duration {
	if in.Lateness == 0 {
		return -1
	}
	return time.Duration(in.Lateness)
}

// formatOptions are what the input says about its format. now gives the year to times that have none;
// without it such lines are quarantined, so that a replay is the same at any time.
func (in *input) formatOptions(log *slog.Logger, now func() time.Time) formats.Options {
	return formats.Options{
		Location: in.location, Log: log, Envelope: formats.Envelope(in.Envelope), Columns: in.Columns, Now: now,
	}
}

// Load reads and checks a configuration file. The error has every problem, one a line.
func Load(path string) (*Plan, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg := Default()
	f := strict.Decode(path, src, &cfg)
	if !f.Parsed() {
		return nil, f.Err()
	}
	return prepare(cfg, f) // with what could be decoded, so that every problem is found at once
}

// Prepare checks a configuration that was not read from a file.
func Prepare(cfg Config) (*Plan, error) {
	return prepare(cfg, strict.Decode("configuration", nil, &cfg))
}

// PrepareDemo checks a configuration for the demo: pseudonyms are made with the published development
// key, and a webhook may come from the command line.
func PrepareDemo(cfg Config, slackWebhook string) (*Plan, error) {
	f := strict.Decode("demo", nil, &cfg)
	cfg.Agent.Health = 0 // half a minute of traffic says nothing of the agent's health
	p := &Plan{Config: cfg, DevelopmentKey: true}
	p.checkAgent(f)
	errs := []error{
		p.loadMaps(f),
		p.usePrivacy([]privacy.Key{privacy.DevelopmentKey()}, f),
		p.loadRules(f),
		p.loadInputs(f),
	}
	p.checkOutputs(f)
	if slackWebhook != "" {
		p.secrets.slackWebhook = secret.New(slackWebhook)
	}
	if err := errors.Join(append(errs, f.Err())...); err != nil {
		return nil, err
	}
	return p, nil
}

// name is what may stand in a subject of the journal.
var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func prepare(cfg Config, f *strict.File) (*Plan, error) {
	p := &Plan{Config: cfg}
	var rest []error // problems that name a place in another file
	p.checkAgent(f)
	rest = append(rest, p.loadMaps(f))
	rest = append(rest, p.loadPrivacy(f))
	rest = append(rest, p.loadRules(f))
	rest = append(rest, p.loadInputs(f))
	p.planMetrics(f)
	p.checkOutputs(f)
	if err := errors.Join(append([]error{f.Err()}, rest...)...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) checkAgent(f *strict.File) {
	a := &p.Config.Agent
	if a.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			f.Problem("agent.id", "the host has no name", "set agent.id")
		}
		a.ID = strings.NewReplacer(".", "-", " ", "-").Replace(host)
	}
	if !name.MatchString(a.ID) {
		f.Problem("agent.id", fmt.Sprintf("%q cannot name an agent", a.ID), "use letters, digits, - and _, at most 64")
	}
	if a.CPUs < 1 {
		f.Problem("agent.cpus", "at least one CPU is needed", "")
	}
	if a.Memory < 128<<20 {
		f.Problem("agent.memory", "less than 128MiB leaves no room for the windows", "")
	}
	if err := p.level.UnmarshalText([]byte(a.LogLevel)); err != nil {
		f.Problem("agent.log_level", fmt.Sprintf("%q is no level", a.LogLevel), "use debug, info, warn or error")
	}
	if a.Health < 0 || a.Health > minutes(10) {
		f.Problem("agent.health", "is not between 0s and 10m", "1m suits, 0s is never")
	}
	p.checkJoins(f)
	p.checkWindows(f)
	j := &p.Config.Journal
	if j.MaxSize < 64<<20 {
		f.Problem("journal.max_size", "less than 64MiB leaves no room for a backlog", "")
	}
	if j.LegalMaxAge < j.MaxAge {
		f.Problem("journal.legal_max_age", "is shorter than journal.max_age", "")
	}
}

// The fewest keys and the least memory with which windows still say something.
const (
	fewestKeys  = 1000
	leastMemory = 8 << 20
)

func (p *Plan) checkWindows(f *strict.File) {
	r, memory := &p.Config.Rules, p.Config.Agent.Memory
	if r.MaxKeys < fewestKeys {
		f.Problem("rules.max_keys", fmt.Sprintf("fewer than %d keys are no protection: whoever floods a rule is forgotten by it", fewestKeys), "")
	}
	switch {
	case r.MaxMemory == 0:
	case r.MaxMemory < leastMemory:
		f.Problem("rules.max_memory", "less than 8MiB leaves no room for the keys of an attack", "")
	case r.MaxMemory > memory/2:
		f.Problem("rules.max_memory", "is more than half of agent.memory, which leaves no room for the rest", "raise agent.memory with it")
	}
}

func (p *Plan) loadMaps(f *strict.File) error {
	dir := func(key, path string) fs.FS {
		if path == "" {
			return nil
		}
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			f.Problem(key, fmt.Sprintf("%s is not a directory", path), "")
			return nil
		}
		return os.DirFS(path)
	}
	var errs [2]error
	p.Formats, errs[0] = formats.Load(dir("rules.formats_dir", p.Config.Rules.FormatsDir))
	p.Vendors, errs[1] = vendors.Load(dir("rules.vendors_dir", p.Config.Rules.VendorsDir))
	return errors.Join(errs[:]...)
}

func (p *Plan) loadPrivacy(f *strict.File) error {
	ref := p.Config.Privacy.Keys
	if ref.IsZero() {
		f.Problem("privacy.keys", "no pseudonym key is configured", "make one with: liveward pseudonym new-key > pseudonym.keys && chmod 600 pseudonym.keys")
		return nil
	}
	text, err := ref.Resolve()
	if err != nil {
		f.Problem("privacy.keys", err.Error(), "")
		return nil
	}
	keys, err := privacy.ParseKeys(text.Reveal())
	if err != nil {
		f.Problem("privacy.keys", err.Error(), "")
		return nil
	}
	return p.usePrivacy(keys, f)
}

func (p *Plan) usePrivacy(keys []privacy.Key, f *strict.File) error {
	var err error
	p.Privacy, err = privacy.New(privacy.Config{Keys: keys, TruncateIP: p.Config.Privacy.TruncateIP})
	if err != nil {
		f.Problem("privacy.keys", err.Error(), "")
	}
	return nil
}

func (p *Plan) loadRules(f *strict.File) error {
	var err error
	if p.rulesFS, err = p.Config.Rules.Dirs().Open(); err != nil {
		if missing, ok := errors.AsType[*noDirectory](err); ok {
			f.Problem("rules."+missing.key, err.Error(), "")
			return nil
		}
		return err
	}
	if p.Playbooks, err = loadPlaybooks(p.rulesFS, p.Config.Rules.PlaybookURL); err != nil {
		return err
	}
	p.Playbooks.Unpublish(p.unpublished)
	if p.Privacy == nil {
		return nil // lists cannot be read without the key; that problem is reported already
	}
	p.Rules, err = rules.Load(p.rulesFS, p.ruleOptions())
	if err == nil && len(p.Rules.Rules()) == 0 {
		f.Problem("rules.dir", "there is no rule in "+p.Config.Rules.Dir, "rules are files named <id>.yaml in the directory itself; without rules.dir the pack is used")
	}
	return err
}

// Pages counts the playbooks that rules name.
func (p *Plan) Pages() int {
	named := make(map[string]bool)
	for _, r := range p.Rules.Rules() {
		named[r.Playbook] = true
	}
	return len(named)
}

// hidden tells whether a rule's playbook has no address.
func (p *Plan) hidden() bool {
	return slices.ContainsFunc(p.Rules.Rules(), func(r *rules.Rule) bool { return p.unpublished(r.Playbook) })
}

func loadPlaybooks(rulesFS fs.FS, base string) (*alerting.Library, error) {
	sub, err := fs.Sub(rulesFS, playbookDir)
	if err != nil {
		return nil, fmt.Errorf("playbooks: %w", err)
	}
	return alerting.LoadLibrary(sub, base)
}

func (p *Plan) ruleOptions() rules.Options {
	return rules.Options{Identify: p.Privacy.Pseudonyms, PlaybookURL: p.Config.Rules.PlaybookURL, Unpublished: p.unpublished, NoTests: true}
}

// unpublished tells of playbooks that have no address: one's own, where only that of the pack is known.
func (p *Plan) unpublished(name string) bool {
	return p.Config.Rules.PlaybookURL == packPlaybooks && p.Config.Rules.Dirs().ownPage(name)
}

func (p *Plan) loadInputs(f *strict.File) error {
	if len(p.Config.Inputs) == 0 {
		f.Problem("inputs", "there is no log to read", "add an input with name, paths and format")
	}
	errs := []error{p.loadAddresses(f)}
	seen := make(map[string]bool)
	read := make(map[string]string) // which input reads a path
	p.taken = make(map[string]string)
	for i := range p.Config.Inputs {
		at := fmt.Sprintf("inputs[%d]", i)
		in := p.Config.Inputs[i]
		fillInput(&in)
		p.Config.Inputs[i] = in
		if !name.MatchString(in.Name) {
			f.Problem(at+".name", fmt.Sprintf("%q cannot name an input", in.Name), "use letters, digits, - and _, at most 64")
		}
		if in.Name == pipeline.HealthCollector {
			f.Problem(at+".name", fmt.Sprintf("%q is the agent's own name in the journal", in.Name), "choose another")
		}
		if seen[in.Name] {
			f.Problem(at+".name", fmt.Sprintf("two inputs are named %q", in.Name), "names make the ids of events: they must differ")
		}
		seen[in.Name] = true
		for j, path := range in.Paths {
			switch other, taken := read[path]; {
			case !taken:
				read[path] = in.Name
			case other != in.Name:
				f.Problem(fmt.Sprintf("%s.paths[%d]", at, j), fmt.Sprintf("input %s reads %s as well", other, path), "every line would be counted twice: leave it to one of them")
			}
		}
		make, what := p.loadKind(at, &in, f)
		if in.Format != "auto" && p.Formats != nil && !slices.Contains(p.Formats.Names(), in.Format) {
			f.Problem(at+".format", fmt.Sprintf("unknown format %q", in.Format), strict.Suggest(in.Format, p.Formats.Names()))
		}
		if in.Vendor != "" && p.Vendors != nil && !slices.Contains(p.Vendors.Names(), in.Vendor) {
			f.Problem(at+".vendor", fmt.Sprintf("unknown vendor %q", in.Vendor), strict.Suggest(in.Vendor, p.Vendors.Names()))
		}
		if in.Start != "beginning" && in.Start != "end" {
			f.Problem(at+".start", fmt.Sprintf("%q is no place to start", in.Start), "use beginning or end")
		}
		if e := formats.Envelope(in.Envelope); in.Envelope != "" && !slices.Contains(formats.Envelopes(), e) {
			f.Problem(at+".envelope", fmt.Sprintf("unknown envelope %q", in.Envelope), "use auto, none, cri, docker or syslog")
		}
		loc, err := time.LoadLocation(in.Timezone)
		if err != nil {
			f.Problem(at+".timezone", fmt.Sprintf("unknown time zone %q", in.Timezone), "use a name such as Asia/Jakarta")
		}
		e, err := p.enricher(at, &in, f)
		errs = append(errs, err)
		p.inputs = append(p.inputs, input{in, e, loc, make, what})
	}
	return errors.Join(errs...)
}

// loadKind checks where an input's lines come from.
func (p *Plan) loadKind(at string, in *InputConfig, f *strict.File) (maker, string) {
	kinds, keys := in.kinds()
	switch {
	case len(kinds)+min(len(in.Paths), 1) > 1:
		if len(in.Paths) > 0 {
			keys = append([]string{"paths"}, keys...)
		}
		f.Problem(at+"."+keys[1], "an input has one origin, and this one has "+strings.Join(keys, " and "), "make an input of each")
	case len(kinds) == 1:
		if len(in.Exclude) > 0 {
			f.Problem(at+".exclude", "exclude is for files", "leave it out")
		}
		return kinds[0].plan(&inputLoader{f: f, at: at + "." + keys[0], in: in, certs: &p.certs, taken: p.taken})
	case len(in.Paths) == 0:
		f.Problem(at+".paths", "no paths", "set paths, or a kind of input such as push, syslog, otlp, nats, webhook or s3")
	}
	return nil, ""
}

func (p *Plan) enricher(at string, in *InputConfig, f *strict.File) (*enrich.Enricher, error) {
	cfg := enrich.Config{
		Source: in.Name, Tenant: in.Tenant, Environment: in.Environment, Region: in.Region, Tags: in.Tags,
		Addresses: p.addresses,
	}
	for i, s := range in.TrustedProxies {
		prefix, err := event.ParseOwnNetwork(s)
		if err != nil {
			f.Problem(fmt.Sprintf("%s.trusted_proxies[%d]", at, i), fmt.Sprintf("%q is %v", s, err), "")
			continue
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	actions := event.FieldOf(event.EventAction).Enum
	for i, r := range in.Routes {
		if !slices.Contains(actions, r.Action) {
			f.Problem(fmt.Sprintf("%s.routes[%d].action", at, i), fmt.Sprintf("unknown action %q", r.Action), strict.Suggest(r.Action, actions))
		}
		cfg.Routes = append(cfg.Routes, enrich.Route{Methods: r.Methods, Path: r.Path, Action: r.Action, Outcomes: r.Outcomes})
	}
	if in.Keys != "" {
		if !present(at+".keys", in.Keys, f) {
			return nil, nil
		}
		var err error
		if cfg.Keys, err = loadRoster(in.Keys); err != nil {
			return nil, err
		}
	}
	e, err := enrich.New(cfg)
	if err != nil {
		f.Problem(at, err.Error(), "")
	}
	return e, nil
}

func (p *Plan) checkOutputs(f *strict.File) {
	c, before := &p.Config, len(f.Problems())
	resolve := func(path string, ref SecretRef) secret.String {
		s, err := ref.Resolve()
		if err != nil {
			f.Problem(path, err.Error(), "")
		}
		return s
	}
	read := func(path, file string) []byte {
		if file == "" {
			return nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			f.Problem(path, err.Error(), "")
		}
		return b
	}
	es := &c.Elasticsearch
	if len(es.URLs) > 0 {
		for i, u := range es.URLs {
			if parsed, err := url.Parse(u); err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
				f.Problem(fmt.Sprintf("elasticsearch.urls[%d]", i), "is not an address", "use a form like https://es1.example:9200")
			}
		}
		if !es.APIKey.IsZero() {
			resolve("elasticsearch.api_key", es.APIKey)
		}
		p.secrets.elasticKey = es.APIKey
		p.secrets.elasticClientKey = resolve("elasticsearch.client_key", es.ClientKey)
		p.secrets.ca = read("elasticsearch.ca_file", es.CAFile)
		p.secrets.clientCert = read("elasticsearch.client_cert", es.ClientCert)
	} else if !es.APIKey.IsZero() {
		f.Problem("elasticsearch.urls", "no address", "set elasticsearch.urls")
	}
	p.secrets.slackToken = resolve("slack.token", c.Slack.Token)
	p.secrets.slackWebhook = resolve("slack.webhook", c.Slack.Webhook)
	switch {
	case !c.Slack.Token.IsZero() && !c.Slack.Webhook.IsZero():
		f.Problem("slack.webhook", "token and webhook are both set", "use one of them")
	case !c.Slack.Token.IsZero() && c.Slack.Channel == "":
		f.Problem("slack.channel", "no channel for the bot", "set slack.channel")
	}
	if len(f.Problems()) == before {
		p.checkClients(f)
	}
	if err := p.links().Validate(); err != nil {
		f.Problem("kibana.url", err.Error(), "")
	}
}

func (p *Plan) links() alerting.LinkBuilder {
	k := p.Config.Kibana
	return alerting.LinkBuilder{Kibana: k.URL, Space: k.Space, DataView: k.DataView}
}
