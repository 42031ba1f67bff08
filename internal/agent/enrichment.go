package agent

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/enrich"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// EnrichConfig is what is known of callers' addresses beside the log.
type EnrichConfig struct {
	Databases []string        `yaml:"databases" doc:"MaxMind DB files (.mmdb) of places and autonomous systems: client.geo and client.as. Of what several know, the first is believed."`
	Networks  []NetworkConfig `yaml:"networks" doc:"Networks with a name: network.name, and tags."`
	Allow     []AllowConfig   `yaml:"allow" doc:"Allow lists of tenants and regions, for calls whose key has none: client.allow_listed."`
	Threats   []ThreatConfig  `yaml:"threats" doc:"Threat lists: threat.feed.name and threat.indicator."`
}

// NetworkConfig is a network list.
type NetworkConfig struct {
	Name     string   `yaml:"name" doc:"Name of the list: corporate, cgnat, hosting, tor, vpn, partner, ..."`
	File     string   `yaml:"file" doc:"File of networks."`
	Format   string   `yaml:"format" doc:"plain, csv, json, stix, or auto, which is the default."`
	Networks []string `yaml:"networks" doc:"Networks written out, beside the file's or instead."`
	Tags     []string `yaml:"tags" doc:"Tags of calls from these networks."`
	Trusted  bool     `yaml:"trusted" doc:"Whether calls from these networks are no threat, whatever threat lists say."`
}

// AllowConfig is an allow list.
type AllowConfig struct {
	Tenant   string   `yaml:"tenant" doc:"Tenant (organization.id) whose calls it is about."`
	Region   string   `yaml:"region" doc:"Region (data.region) whose calls it is about."`
	File     string   `yaml:"file" doc:"File of networks."`
	Format   string   `yaml:"format" doc:"plain, csv, json, stix, or auto, which is the default."`
	Networks []string `yaml:"networks" doc:"Networks written out, beside the file's or instead."`
}

// ThreatConfig is a threat list.
type ThreatConfig struct {
	Name   string `yaml:"name" doc:"Name of the list: threat.feed.name."`
	File   string `yaml:"file" doc:"File of indicators."`
	Format string `yaml:"format" doc:"plain, csv, json, stix, or auto, which is the default."`
}

// maxLists bounds the lists of a configuration.
const maxLists = 1000

// loadAddresses reads databases and lists, before the inputs that use them.
func (p *Plan) loadAddresses(f *strict.File) error {
	c := &p.Config.Enrich
	var cfg enrich.AddressConfig
	for i, path := range c.Databases {
		if present(fmt.Sprintf("enrich.databases[%d]", i), path, f) {
			cfg.Databases = append(cfg.Databases, path)
		}
	}
	for i, l := range c.Networks {
		at := fmt.Sprintf("enrich.networks[%d]", i)
		listName(at, l.Name, f)
		list := addressList(at, enrich.ListConfig{Kind: enrich.NetworkList, Name: l.Name, File: l.File, Tags: l.Tags, Trusted: l.Trusted}, l.Format, l.Networks, f)
		cfg.Lists = append(cfg.Lists, list)
	}
	type scope struct{ tenant, region string }
	seen := make(map[scope]bool)
	for i, l := range c.Allow {
		at := fmt.Sprintf("enrich.allow[%d]", i)
		s := scope{l.Tenant, l.Region}
		switch {
		case s == scope{}:
			f.Problem(at, "an allow list of nobody", "set tenant or region; the lists of keys stand in the key roster")
		case seen[s]:
			f.Problem(at, "a second allow list of the same tenant and region", "make them one")
		}
		seen[s] = true
		cfg.Lists = append(cfg.Lists, addressList(at, enrich.ListConfig{Kind: enrich.AllowList, Tenant: l.Tenant, Region: l.Region, File: l.File}, l.Format, l.Networks, f))
	}
	for i, l := range c.Threats {
		at := fmt.Sprintf("enrich.threats[%d]", i)
		listName(at, l.Name, f)
		if l.File == "" {
			f.Problem(at+".file", "a threat list without a file", "")
		}
		cfg.Lists = append(cfg.Lists, addressList(at, enrich.ListConfig{Kind: enrich.ThreatList, Name: l.Name, File: l.File}, l.Format, nil, f))
	}
	if len(cfg.Lists) > maxLists {
		f.Problem("enrich", fmt.Sprintf("more than %d lists", maxLists), "")
		return nil
	}
	if len(cfg.Databases)+len(cfg.Lists) == 0 {
		return nil
	}
	var err error
	p.addresses, err = enrich.LoadAddresses(cfg)
	return err
}

// over tells that a list has entries, and that none is in force any more.
func over(r enrich.FileReport, now time.Time) bool { return r.Ends != 0 && r.Ends <= now.UnixNano() }

// Known says what enrichment has read, a line a file or list. now is for the entries that have expired.
func (p *Plan) Known(now time.Time) []string {
	var lines []string
	if p.addresses == nil {
		return nil
	}
	for _, r := range p.addresses.Reports() {
		line := strings.Join(slices.DeleteFunc([]string{r.Kind, r.Name, r.Path}, func(word string) bool { return word == "" }), " ")
		if r.Kind == "database" {
			line += fmt.Sprintf(": nodes %d", r.Entries)
		} else {
			line += fmt.Sprintf(": networks %d, skipped %d", r.Entries, r.Skipped)
		}
		if over(r, now) {
			line += "; every entry has expired: is the list still fetched?"
		}
		lines = append(lines, line)
	}
	return lines
}

func listName(at, s string, f *strict.File) {
	if !name.MatchString(s) {
		f.Problem(at+".name", fmt.Sprintf("%q cannot name a list", s), "use letters, digits, - and _, at most 64")
	}
}

func addressList(at string, l enrich.ListConfig, format string, networks []string, f *strict.File) enrich.ListConfig {
	l.Format = enrich.ListFormat(format)
	if format != "" && !slices.Contains(enrich.ListFormats(), format) {
		f.Problem(at+".format", fmt.Sprintf("unknown format %q", format), strict.Suggest(format, enrich.ListFormats()))
	}
	if l.File == "" && networks == nil && l.Kind != enrich.ThreatList {
		f.Problem(at, "a list without networks", "set file, or networks; [] is nobody")
	}
	if l.File != "" && !present(at+".file", l.File, f) {
		l.File = ""
	}
	for i, s := range networks {
		prefix, err := event.ParseOwnNetwork(s)
		if err != nil {
			f.Problem(fmt.Sprintf("%s.networks[%d]", at, i), fmt.Sprintf("%q is %v", s, err), "")
			continue
		}
		l.Networks = append(l.Networks, prefix)
	}
	return l
}

// present reports a file that is not there at its place in the configuration.
func present(at, path string, f *strict.File) bool {
	_, err := os.Stat(path)
	if err != nil {
		f.Problem(at, err.Error(), "")
	}
	return err == nil
}

// loadRoster reads a key roster.
func loadRoster(path string) (*enrich.KeyRoster, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return enrich.LoadKeyRoster(file, path)
}

// knowledge keeps what enrichment knows in step with the files it is read from.
type knowledge struct {
	plan      *Plan
	now       func() time.Time
	log       *slog.Logger
	addresses *enrich.Addresses
	rosters   map[string]*enrich.KeyRoster // by path
	seen      event.Hash                   // the files as they were last read
	changing  event.Hash                   // the files as they were last looked at, where that differs
}

func newKnowledge(plan *Plan, now func() time.Time, log *slog.Logger) *knowledge {
	k := &knowledge{plan: plan, now: now, log: log, addresses: plan.addresses, rosters: make(map[string]*enrich.KeyRoster)}
	for _, in := range plan.inputs {
		if in.Keys != "" {
			k.rosters[in.Keys] = in.enricher.Keys()
		}
	}
	if k.addresses != nil {
		for _, r := range k.addresses.Reports() {
			k.report(r)
		}
	}
	k.seen = k.fingerprint()
	return k
}

// poll reads files that have changed, once they have been quiet for one poll: a download takes time.
func (k *knowledge) poll() {
	now := k.fingerprint()
	switch {
	case now == k.seen:
		k.changing = event.Hash{}
	case now != k.changing:
		k.changing = now
	default:
		k.reload()
	}
}

// reload reads what has changed. What is broken keeps its old content and is reported.
func (k *knowledge) reload() {
	k.seen, k.changing = k.fingerprint(), event.Hash{}
	if k.addresses != nil {
		next, reports, err := k.addresses.Reload()
		if err != nil {
			k.log.Error("enrichment has errors: a broken file keeps its old content", "error", err)
		}
		k.addresses = next
		for _, r := range reports {
			k.report(r)
		}
	}
	for path, old := range k.rosters {
		next, err := loadRoster(path)
		if err != nil {
			k.log.Error("the key roster has errors: it keeps its old content", "error", err)
			continue
		}
		if next.Hash() != old.Hash() {
			k.rosters[path] = next
			k.log.Info("key roster reloaded", "path", path, "keys", next.Len())
		}
	}
	for i := range k.plan.inputs {
		in := &k.plan.inputs[i]
		in.enricher.Use(k.rosters[in.Keys], k.addresses)
	}
}

func (k *knowledge) report(r enrich.FileReport) {
	k.log.Info("enrichment file read", "kind", r.Kind, "name", r.Name, "path", r.Path, "entries", r.Entries, "skipped", r.Skipped, "sha256", r.SHA256)
	if over(r, k.now()) {
		k.log.Warn("every entry of the list has expired", "kind", r.Kind, "name", r.Name, "path", r.Path)
	}
}

func (k *knowledge) fingerprint() event.Hash {
	var paths []string
	if k.addresses != nil {
		paths = k.addresses.Files()
	}
	for path := range k.rosters {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	var parts []string
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			parts = append(parts, path, "none")
			continue
		}
		parts = append(parts, path, st.ModTime().String(), st.Mode().String(), fmt.Sprint(st.Size()))
	}
	return event.HashStrings(parts...)
}
