package generator

import (
	"fmt"
	"strconv"
	"time"
)

const (
	maxTenants  = 64 // a /30 of 198.51.100.0/24 each
	maxKeys     = 4  // fewer keys behind an address than lw.auth.spray-keys counts
	maxPartners = 24 // a /29 of 192.0.2.0/24 each

	tls13    = "TLSv1.3"
	tls12    = "TLSv1.2"
	tls10    = "TLSv1"
	cipher13 = "TLS_AES_256_GCM_SHA384"
	cipher12 = "ECDHE-RSA-AES256-GCM-SHA384"
	cipher10 = "ECDHE-RSA-AES128-SHA"

	stagingAddr = "192.0.2.241"
	vendorAddr  = "192.0.2.245" // sends the webhooks of the asynchronous vendor
	penTestAddr = "192.0.2.250"
)

// vendor is a liveness service behind the gateway.
type vendor struct {
	name      string
	modality  string
	threshold float64
	async     bool // answers a submit with 202; the verdict comes with a poll and a webhook
}

// tenant is a bank of the group.
type tenant struct {
	name     string
	weight   float64
	vendor   vendor
	direct   bool     // comes over a leased line and not through the load balancer
	addrs    []string // of its backends
	keys     []int32  // its keys, and those of the partners that work for it
	shares   []float64
	region   string
	falseRej float64 // scales the share of genuine false rejects; see load
	expired  float64 // probability of an expired token
}

// key is an API key.
type key struct {
	id       string // what the gateway logs: the part of the key before the dot
	secret   string // the rest, which must be seen nowhere
	tenant   int32
	consumer string
	owner    string
	created  time.Time
	scopes   []string
	allow    []string // CIDRs; none: no list
	addrs    []string
	ua       string
	tls      string
	cipher   string
}

type probe struct{ addr, ua string }

// world is everything that stays the same during a run.
type world struct {
	tenants    []tenant
	keys       []key
	openKey    int32    // a partner's key without an allow list
	legacyKey  int32    // a partner whose client is old
	oldKey     int32    // a partner's key that nobody has rotated
	twinKeys   [2]int32 // of an application that uses both
	stagingKey string
	revokedKey string // withdrawn, and nobody's any more
	balancers  []string
	probes     []probe
	carriers   [400]uint32 // carrier-grade addresses
}

func newWorld(cfg *Config) *world {
	r := newRNG(cfg.Seed, streamWorld)
	w := &world{
		balancers: []string{"10.20.0.5", "10.20.0.6"},
		probes: []probe{
			{addr: "10.20.9.11", ua: "kube-probe/1.31"},
			{addr: "10.20.9.12", ua: "Blackbox Exporter/0.25.0"},
		},
	}
	names := []string{"retail", "business", "digital"}
	for i := range cfg.Tenants {
		name := "branch" + strconv.Itoa(i+1)
		if i < len(names) {
			name = names[i]
		}
		t := tenant{
			name:   name,
			weight: 1 / (1 + 0.5*float64(i%3)),
			vendor: vendor{name: "acme", modality: "passive", threshold: 0.5},
			direct: i%3 == 2,
			region: "ap-southeast-3",
		}
		if i%3 == 1 {
			t.vendor = vendor{name: "boreal", modality: "active", threshold: 0.6, async: true}
		}
		for j := range 4 {
			t.addrs = append(t.addrs, fmt.Sprintf("198.51.100.%d", 4*i+j))
		}
		w.tenants = append(w.tenants, t)
	}
	consumers := []string{"mobile-onb", "approvals", "web-onb", "branch-onb"}
	agents := []string{"Java-http-client/21.0.4", "Go-http-client/2.0", "Apache-HttpClient/5.3.1 (Java/17.0.12)", "ReactorNetty/1.1.22"}
	for i := range w.tenants {
		t := &w.tenants[i]
		for j := range cfg.Keys {
			k := w.newKey(&r, cfg, int32(i))
			k.consumer, k.owner = t.name+"-"+consumers[j], t.name+"-"+"platform"
			k.ua = agents[(i+j)%len(agents)]
			k.addrs, k.allow = t.addrs, []string{fmt.Sprintf("198.51.100.%d/30", 4*i)}
			w.addKey(k, 1/float64(1+j))
		}
	}
	for p := range cfg.Partners {
		i := p % cfg.Tenants
		k := w.newKey(&r, cfg, int32(i))
		name := "partner-" + strconv.Itoa(p+1)
		k.consumer, k.owner = name, name
		k.ua = []string{"liveness-sdk-java/3.2.1", "liveness-sdk-go/1.9.0", "Guzzle/7.9 (PHP 8.3)"}[p%3]
		k.addrs = []string{fmt.Sprintf("192.0.2.%d", 8*p+1), fmt.Sprintf("192.0.2.%d", 8*p+2)}
		k.allow = []string{fmt.Sprintf("192.0.2.%d/29", 8*p)}
		w.addKey(k, 0.08)
	}
	k := w.newKey(&r, cfg, 0)
	k.consumer, k.owner, k.scopes = "partner-web", "partner-web", []string{"liveness-check"}
	k.addrs = []string{"192.0.2.225"}
	k.ua, w.openKey = agents[0], int32(len(w.keys))
	w.addKey(k, 0)
	k = w.newKey(&r, cfg, int32(cfg.Tenants-1))
	k.consumer, k.owner = "partner-branch-kiosk", "partner-branch-kiosk"
	k.addrs, k.allow = []string{"192.0.2.233"}, []string{"192.0.2.232/29"}
	k.ua, w.legacyKey = "Java/1.7.0_80", int32(len(w.keys))
	w.addKey(k, 0)
	w.stagingKey = keyID(r.next())
	for i := range w.carriers {
		w.carriers[i] = carrierAddr(r.next())
	}
	k = w.newKey(&r, cfg, 0)
	k.consumer, k.owner = "partner-archive", "partner-archive"
	k.addrs, k.allow = []string{"192.0.2.229"}, []string{"192.0.2.228/30"}
	k.created = cfg.Start.Add(-310 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	k.ua, w.oldKey = agents[0], int32(len(w.keys))
	w.addKey(k, 0)
	w.revokedKey = keyID(r.next())
	for i := range w.twinKeys {
		k = w.newKey(&r, cfg, 0)
		k.consumer, k.owner = "partner-twin", "partner-twin"
		k.addrs, k.allow = []string{"192.0.2.221"}, []string{"192.0.2.220/30"}
		k.ua, w.twinKeys[i] = agents[0], int32(len(w.keys))
		w.addKey(k, 0)
	}
	return w
}

// newKey makes a key that is neither new nor due for rotation.
func (w *world) newKey(r *rng, cfg *Config, tenant int32) key {
	k := key{
		id: keyID(r.next()), secret: secret(r), tenant: tenant, tls: tls13, cipher: cipher13,
		scopes: []string{"liveness-session-create", "liveness-check", "liveness-result"},
	}
	if r.chance(0.2) {
		k.tls, k.cipher = tls12, cipher12
	}
	age := time.Duration(r.between(10, 60) * 24 * float64(time.Hour))
	k.created = cfg.Start.Add(-age).UTC().Truncate(24 * time.Hour)
	return k
}

// addKey gives the key its share of its tenant's traffic.
func (w *world) addKey(k key, share float64) {
	t := &w.tenants[k.tenant]
	if share > 0 {
		t.keys = append(t.keys, int32(len(w.keys)))
		t.shares = append(t.shares, share)
	}
	w.keys = append(w.keys, k)
}

// keyID is the public part of a key.
func keyID(x uint64) string { return "lvk_" + string(appendBase32(nil, x)[:10]) }

// secret is the part of a key that only its owner and the gateway know.
func secret(r *rng) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 40)
	for i := range b {
		b[i] = letters[r.intn(len(letters))]
	}
	return string(b)
}

// carrierAddr is an address of 100.64.0.0/10, in which carriers number their customers.
func carrierAddr(x uint64) uint32 { return 100<<24 | 64<<16 | uint32(x)&0x3fffff }
