package enrich

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/internal/event"
)

// ListKind is what it means that a list has an address.
type ListKind uint8

// The kinds of lists.
const (
	NetworkList ListKind = iota // a network with a name: network.name and tags
	AllowList                   // callers of a tenant or region that may call: client.allow_listed
	ThreatList                  // indicators: threat.*
)

// ListConfig configures one list: a file, networks written out, or both.
type ListConfig struct {
	Kind     ListKind
	Name     string // network.name or threat.feed.name
	File     string
	Format   ListFormat
	Networks []netip.Prefix
	Tags     []string // of network lists: tags of the events
	Trusted  bool     // of network lists: its addresses are on no threat list
	Tenant   string   // of allow lists: organization.id, or any
	Region   string   // of allow lists: data.region, or any
}

// AddressConfig is what enrichment is told of addresses.
type AddressConfig struct {
	Databases []string // MaxMind DB files; of what several know, the first is believed
	Lists     []ListConfig
}

// Addresses is what is known of addresses: where they are, whose networks they belong to, who may call
// from them, and which threat lists have them. It is immutable, but for a cache that locks itself, and
// safe for concurrent use.
type Addresses struct {
	cfg    AddressConfig
	files  []*addressFile // databases, then lists, in the order of the configuration
	v4, v6 prefixTable
	// details are what entries say beside their network; most say the same.
	details []entryDetail
	allow   map[allowKey]uint16 // list of a tenant or region, by index + 1
	cache   *lru.Cache[netip.Addr, *addressFacts]
}

// allowKey says for whose calls an allow list is; empty is any.
type allowKey struct{ tenant, region string }

// addressFile is one file as it was loaded, or a list without one.
type addressFile struct {
	report   FileReport
	stamp    fileStamp
	database *database
	list     list
}

// FileReport says what was loaded of a file.
type FileReport struct {
	Name    string // of a list; of an allow list its tenant and region
	Path    string
	Kind    string // database, network list, allow list or threat list
	Entries int    // networks; of a database those of the tree
	Skipped int    // entries of a list that no address can match
	SHA256  string // of the file
	Ends    int64  // when the last of its entries expires, in nanoseconds; 0 where one does not
}

// addressFacts is what is known of one address.
type addressFacts struct {
	whereabouts
	names   []string // network.name
	tags    []string
	trusted bool
	allow   []uint16 // allow lists that have it, by index
	threats []threat
}

// threat is an entry of a threat list.
type threat struct {
	feed string
	entryDetail
}

// addressCache bounds the cache, in addresses of some 300 bytes.
const addressCache = 32 << 10

// LoadAddresses reads all files. All that is wrong is reported at once.
func LoadAddresses(cfg AddressConfig) (*Addresses, error) {
	a, _, err := new(Addresses).load(cfg)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Reload reads the files that have changed. A file that is broken keeps its old content, and is in the
// error; reports are of those that changed. The result is a itself where nothing has.
func (a *Addresses) Reload() (*Addresses, []FileReport, error) { return a.load(a.cfg) }

// Reports says what is loaded.
func (a *Addresses) Reports() []FileReport {
	var out []FileReport
	for _, f := range a.files {
		out = append(out, f.report)
	}
	return out
}

// Files are the paths of all files.
func (a *Addresses) Files() []string {
	paths := slices.Clone(a.cfg.Databases)
	for i := range a.cfg.Lists {
		if f := a.cfg.Lists[i].File; f != "" {
			paths = append(paths, f)
		}
	}
	return paths
}

func (a *Addresses) load(cfg AddressConfig) (*Addresses, []FileReport, error) {
	next := &Addresses{cfg: cfg}
	var reports []FileReport
	var errs []error
	take := func(i int, path string, read func() (*addressFile, error)) {
		var old *addressFile
		if i < len(a.files) {
			old = a.files[i]
		}
		stamp := stampOf(path)
		if old != nil && old.stamp == stamp {
			next.files = append(next.files, old)
			return
		}
		f, err := read()
		if err != nil {
			errs = append(errs, err)
			next.files = append(next.files, old)
			return
		}
		f.stamp = stamp
		next.files = append(next.files, f)
		reports = append(reports, f.report)
	}
	for i, path := range cfg.Databases {
		take(i, path, func() (*addressFile, error) { return loadDatabase(path) })
	}
	for i := range cfg.Lists {
		l := &cfg.Lists[i]
		take(len(cfg.Databases)+i, l.File, func() (*addressFile, error) { return loadList(l) })
	}
	if slices.Contains(next.files, nil) {
		return nil, nil, errors.Join(errs...) // there is no old one to keep
	}
	if len(reports) == 0 && a.cache != nil {
		return a, nil, errors.Join(errs...)
	}
	if err := next.compile(); err != nil {
		if a.cache == nil {
			return nil, nil, errors.Join(append(errs, err)...)
		}
		return a, nil, errors.Join(append(errs, err)...)
	}
	return next, reports, errors.Join(errs...)
}

func loadDatabase(path string) (*addressFile, error) {
	db, sum, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	return &addressFile{database: db, report: FileReport{Path: path, Kind: "database", Entries: int(db.reader.Metadata.NodeCount), SHA256: sum}}, nil
}

func loadList(cfg *ListConfig) (*addressFile, error) {
	who := cfg.Name
	if cfg.Kind == AllowList {
		who = strings.Trim(cfg.Tenant+" "+cfg.Region, " ")
	}
	f := &addressFile{report: FileReport{Name: who, Path: cfg.File, Kind: [...]string{"network list", "allow list", "threat list"}[cfg.Kind]}}
	if cfg.File != "" {
		text, err := readBounded(cfg.File)
		if err != nil {
			return nil, err
		}
		if f.list, err = readList(cfg.File, text, cfg.Format, cfg.Kind == ThreatList); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		f.report.SHA256 = hex.EncodeToString(sum[:])
	}
	for _, p := range cfg.Networks {
		f.list.entries = append(f.list.entries, listEntry{network: p.Masked()})
	}
	f.report.Entries, f.report.Skipped = len(f.list.entries), f.list.skipped
	for i := range f.list.entries {
		until := f.list.entries[i].until
		if until == 0 {
			f.report.Ends = 0
			break
		}
		f.report.Ends = max(f.report.Ends, until)
	}
	return f, nil
}

// readBounded reads a list's file, one byte more than it may have at most.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// compile makes the tables of what was read.
func (a *Addresses) compile() error {
	var entries [2][]prefixEntry
	total := 0
	for _, f := range a.files {
		total += len(f.list.entries)
	}
	if total > maxListEntries {
		return fmt.Errorf("the lists have %d networks together, more than %d: leave some out", total, maxListEntries)
	}
	index := make(map[entryDetail]uint32)
	a.allow = make(map[allowKey]uint16)
	for i := range a.cfg.Lists {
		l := &a.cfg.Lists[i]
		if l.Kind == AllowList {
			a.allow[allowKey{l.Tenant, l.Region}] = uint16(i) + 1
		}
		for _, e := range a.files[len(a.cfg.Databases)+i].list.entries {
			detail, ok := index[e.entryDetail]
			if !ok {
				detail = uint32(len(a.details))
				index[e.entryDetail] = detail
				a.details = append(a.details, e.entryDetail)
			}
			family := 0
			if !e.network.Addr().Is4() {
				family = 1
			}
			entries[family] = append(entries[family], entryOf(e.network, prefixItem{uint16(i), detail}))
		}
	}
	a.v4, a.v6 = buildPrefixes(entries[0]), buildPrefixes(entries[1])
	var err error
	a.cache, err = lru.New[netip.Addr, *addressFacts](addressCache)
	return err
}

// facts returns what is known of an address.
func (a *Addresses) facts(addr netip.Addr) *addressFacts {
	if f, ok := a.cache.Get(addr); ok {
		return f
	}
	f := a.look(addr)
	a.cache.Add(addr, f)
	return f
}

// look is facts without the cache.
func (a *Addresses) look(addr netip.Addr) *addressFacts {
	f := new(addressFacts)
	for _, file := range a.files {
		if file.database != nil {
			file.database.lookup(addr, &f.whereabouts)
		}
	}
	table := &a.v4
	if !addr.Is4() {
		table = &a.v6
	}
	// Indicators of bogons, which feeds have, are not for callers inside the bank.
	public := addr.IsGlobalUnicast() && !addr.IsPrivate()
	var items []prefixItem
	table.each(addr, func(item prefixItem) { items = append(items, item) })
	slices.SortStableFunc(items, func(x, y prefixItem) int { return int(x.list) - int(y.list) })
	for _, item := range items {
		l, d := &a.cfg.Lists[item.list], &a.details[item.detail]
		switch l.Kind {
		case NetworkList:
			f.names = appendNew(f.names, l.Name)
			f.names = appendNew(f.names, d.label)
			for _, t := range l.Tags {
				f.tags = appendNew(f.tags, t)
			}
			f.trusted = f.trusted || l.Trusted
		case AllowList:
			f.allow = append(f.allow, item.list)
		case ThreatList:
			if public {
				f.threats = append(f.threats, threat{l.Name, *d})
			}
		}
	}
	return f
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// allowed tells whether an address is on the nearest allow list of a tenant and a region: that of both,
// of the tenant, of the region. Not ok is that there is none.
func (a *Addresses) allowed(f *addressFacts, tenant, region string) (listed, ok bool) {
	for _, k := range [...]allowKey{{tenant, region}, {tenant, ""}, {"", region}} {
		if at := a.allow[k]; at != 0 {
			return slices.Contains(f.allow, at-1), true
		}
	}
	return false, false
}

// Provides tells whether a field is set for calls from addresses that are known.
func (a *Addresses) Provides(id event.ID) bool {
	for _, f := range a.files {
		if f.database != nil && f.database.has[id] {
			return true
		}
	}
	return slices.ContainsFunc(a.cfg.Lists, func(l ListConfig) bool {
		switch id {
		case event.NetworkName:
			return l.Kind == NetworkList
		case event.Tags:
			return l.Kind == NetworkList && len(l.Tags) > 0
		case event.ClientAllowListed:
			return l.Kind == AllowList
		case event.ThreatFeedName, event.ThreatIndicatorType, event.ThreatIndicatorName, event.ThreatIndicatorConfidence:
			return l.Kind == ThreatList
		}
		return false
	})
}
