package enrich

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/liveward/liveward/internal/event"
)

// Config configures an Enricher: what is known of one source, the log of one gateway.
type Config struct {
	Source      string   // liveward.source
	Tenant      string   // organization.id where the log gives none
	Environment string   // service.environment
	Region      string   // data.region where the log gives none
	Tags        []string // tags
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Routes tell what a call did; the first that matches wins. Nil means DefaultRoutes.
	Routes []Route
	// Keys is the roster of API keys; nil where there is none.
	Keys *KeyRoster
	// Addresses is what is known of addresses, for all sources; nil where nothing is.
	Addresses *Addresses
}

// Enricher enriches events. It is safe for concurrent use, and immutable but for what it knows of keys
// and addresses, which Use changes as a whole, and for caches that lock themselves.
type Enricher struct {
	cfg     Config
	known   atomic.Pointer[known]
	trusted []netip.Prefix
	routes  []route
	sieves  []sieve // of the routes, side by side
	expect  uint32  // actions that should yield an outcome
	agents  *lru.Cache[string, *agent]

	lastAgents [64]atomic.Pointer[agent]
}

// known is what comes from files that may change while the agent runs.
type known struct {
	keys      *KeyRoster
	addresses *Addresses
}

// agentCache bounds the cache of user agents, in entries of at most maxAgent bytes and some 150 more.
const agentCache = 4096

// New checks the configuration and returns an enricher.
func New(cfg Config) (*Enricher, error) {
	if cfg.Routes == nil {
		cfg.Routes = DefaultRoutes()
	}
	e := &Enricher{cfg: cfg}
	e.Use(cfg.Keys, cfg.Addresses)
	e.cfg.Tags = slices.Clone(cfg.Tags)
	var errs []error
	for _, p := range cfg.TrustedProxies {
		if !p.IsValid() {
			errs = append(errs, fmt.Errorf("trusted proxies: %q is no network", p))
			continue
		}
		e.trusted = append(e.trusted, canonicalPrefix(p))
	}
	for i, r := range cfg.Routes {
		c, err := compileRoute(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("route %d: %w", i+1, err))
			continue
		}
		e.routes, e.sieves = append(e.routes, c), append(e.sieves, c.sieve)
		if r.Outcomes {
			e.expect |= 1 << actionIndex(r.Action)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	agents, err := lru.New[string, *agent](agentCache)
	if err != nil {
		return nil, fmt.Errorf("user agent cache: %w", err)
	}
	e.agents = agents
	return e, nil
}

// Use changes what is known of keys and addresses. An event sees either the old or the new.
func (e *Enricher) Use(keys *KeyRoster, addresses *Addresses) { e.known.Store(&known{keys, addresses}) }

// Keys is the roster in use, nil where there is none.
func (e *Enricher) Keys() *KeyRoster { return e.known.Load().keys }

// Apply enriches ev in place. Strings it sets are constants, configuration, or live as long as ev.
func (e *Enricher) Apply(ev *event.Event) {
	e.Stamp(ev)
	ev.SetString(event.EventKind, "event")
	ev.SetString(event.ObserverType, "proxy")
	ev.SetString(event.NetworkProtocol, "http")
	if p := ev.Str(event.GatewayProduct); p != "" && !ev.Has(event.ObserverProduct) {
		ev.SetString(event.ObserverProduct, p)
	}
	if ev.Has(event.HTTPRequestOrigin) {
		ev.SetBool(event.HTTPRequestCrossOrigin, true)
	}
	var a *agent
	if ua := ev.Str(event.UserAgentOriginal); ua != "" {
		a = e.agentOf(ua)
		ev.SetString(event.UserAgentClass, a.class)
		ev.SetString(event.UserAgentName, a.name)
	}
	keyInURL(ev, a)
	attacks(ev, a)
	client := e.addresses(ev)
	e.action(ev)
	known := e.known.Load()
	k := known.keys.describe(ev, client)
	known.addresses.caller(ev, client)
	e.credentials(ev, k)
	outcome(ev)
}

// Stamp sets what depends on configuration alone: also for lines that could not be parsed. What
// configuration chooses is never taken from the log.
func (e *Enricher) Stamp(ev *event.Event) {
	ev.SetString(event.EventDataset, "liveward.event")
	ev.SetString(event.EventModule, "liveward")
	ev.SetString(event.ECSVersion, event.ECSVersionValue)
	ev.SetString(event.LivewardSource, e.cfg.Source)
	ev.SetString(event.ServiceEnvironment, e.cfg.Environment)
	ev.Clear(event.Tags)
	for _, t := range e.cfg.Tags {
		ev.Append(event.Tags, t)
	}
	if e.cfg.Tenant != "" && !ev.Has(event.OrganizationID) {
		ev.SetString(event.OrganizationID, e.cfg.Tenant)
	}
	if e.cfg.Region != "" && !ev.Has(event.DataRegion) {
		ev.SetString(event.DataRegion, e.cfg.Region)
	}
}

// outcome sets outcome, categories and types from the status and the credential verdict.
func outcome(ev *event.Event) {
	status := ev.Int(event.HTTPResponseStatusCode)
	switch {
	case status >= 100 && status < 400:
		ev.SetString(event.EventOutcome, "success")
	case status >= 400 && status < 1000:
		ev.SetString(event.EventOutcome, "failure")
	default:
		ev.SetString(event.EventOutcome, "unknown")
	}
	auth := ev.Str(event.GatewayAuth)
	ev.Clear(event.EventCategory)
	ev.Append(event.EventCategory, "api")
	ev.Append(event.EventCategory, "web")
	if auth == "refused" {
		ev.Append(event.EventCategory, "authentication")
	}
	ev.Clear(event.EventType)
	ev.Append(event.EventType, "access")
	switch auth {
	case "refused":
		ev.Append(event.EventType, "denied")
	case "accepted":
		ev.Append(event.EventType, "allowed")
	}
	switch ev.Str(event.EventAction) {
	case "consent-change", "key-change":
		ev.Append(event.EventCategory, "configuration")
		ev.Append(event.EventType, "change")
	}
	if status >= 500 {
		ev.Append(event.EventType, "error")
	}
}

// keyParams are the names of parameters that carry API keys.
//
//nolint:gochecknoglobals // constant
var keyParams = [...]string{"api_key", "apikey", "x-api-key", "api-key", "key", "access_token", "token"}

// keyInURL notes an API key in query string, referrer or user agent, and takes it for the call's key
// where the log gives none.
func keyInURL(ev *event.Event, a *agent) {
	var found string
	if q := ev.Str(event.URLQuery); q != "" {
		found = paramKey(q)
	}
	if found == "" {
		if _, q, ok := strings.Cut(ev.Str(event.HTTPRequestReferrer), "?"); ok {
			found = paramKey(q)
		}
	}
	if found == "" && a != nil {
		found = a.key
	}
	if found == "" {
		return
	}
	ev.Append(event.LivewardPrivacyDropped, "api_key_in_url")
	ev.SetInt(event.LivewardPrivacyCount, ev.Int(event.LivewardPrivacyCount)+1)
	if !ev.Has(event.APIKeyID) {
		ev.SetString(event.APIKeyID, unescape(ev, found))
	}
}

// paramKey returns the first API key of a query string.
func paramKey(q string) string {
	q = q[:min(len(q), maxQuery)]
	for q != "" {
		pair := q
		if i := strings.IndexAny(q, "&;#"); i >= 0 {
			pair, q = q[:i], q[i+1:]
		} else {
			q = ""
		}
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && isKeyParam(name) {
			return value
		}
	}
	return ""
}

const maxQuery = 8192

func isKeyParam(name string) bool {
	for _, p := range keyParams {
		if equalUnescapedFold(name, p) {
			return true
		}
	}
	return false
}

// textKey returns the value of the first name=value or name: value of an API key in text.
func textKey(s string) string {
	s = s[:min(len(s), maxAgent)]
	for i := 0; i < len(s); i++ {
		if s[i] != '=' && s[i] != ':' {
			continue
		}
		start := i
		for start > 0 && nameByte(s[start-1]) {
			start--
		}
		if !isKeyParam(s[start:i]) {
			continue
		}
		from := i + 1
		for from < len(s) && s[from] == ' ' {
			from++
		}
		to := from
		for to < len(s) && strings.IndexByte(" ;,)\"'&", s[to]) < 0 {
			to++
		}
		if to-from >= 4 {
			return s[from:to]
		}
	}
	return ""
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// equalUnescapedFold compares a name, which may have percent escapes, with a lower-case word.
func equalUnescapedFold(name, want string) bool {
	i, k := 0, 0
	for ; i < len(name); k++ {
		c, n := unescapeByte(name[i:])
		if k >= len(want) || lower(c) != want[k] {
			return false
		}
		i += n
	}
	return k == len(want)
}

// unescape resolves percent escapes; without any it returns s itself.
func unescape(ev *event.Event, s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c, n := unescapeByte(s[i:])
		b = append(b, c)
		i += n
	}
	return ev.Keep(b)
}

// unescapeByte returns the first byte of s, which is not empty, and how many bytes stand for it.
func unescapeByte(s string) (byte, int) {
	if s[0] == '%' && len(s) >= 3 {
		hi, ok1 := unhex(s[1])
		lo, ok2 := unhex(s[2])
		if ok1 && ok2 {
			return hi<<4 | lo, 3
		}
	}
	return s[0], 1
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
