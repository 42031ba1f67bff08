package generator

import (
	"fmt"
	"strings"
	"time"
)

// Key is a row of the key roster: what the bank knows about a key. The secret half is not in it.
type Key struct {
	ID      string
	Owner   string
	Tenant  string
	Created time.Time
	Scopes  []string
	Allow   []string // CIDRs; none: the key has no allow list
	Region  string   // in which its calls may be processed
}

// Keys returns the roster that fits the traffic.
func (g *Generator) Keys() []Key {
	out := make([]Key, 0, len(g.world.keys))
	for i := range g.world.keys {
		k := &g.world.keys[i]
		out = append(out, Key{ID: k.id, Owner: k.owner, Tenant: g.world.tenants[k.tenant].name, Created: k.created, Scopes: k.scopes, Allow: k.allow, Region: g.world.tenants[k.tenant].region})
	}
	return out
}

// Roster returns the roster as the YAML file that enrichment reads.
func (g *Generator) Roster() []byte {
	var b strings.Builder
	b.WriteString("# Key roster: ids, never secrets.\nkeys:\n")
	for _, k := range g.Keys() {
		fmt.Fprintf(&b, "  - id: %s\n    owner: %s\n    created: %s\n    scopes: [%s]\n    regions: [%s]\n",
			k.ID, k.Owner, k.Created.Format(time.DateOnly), strings.Join(k.Scopes, ", "), k.Region)
		if len(k.Allow) > 0 {
			fmt.Fprintf(&b, "    allow: [%s]\n", strings.Join(k.Allow, ", "))
		}
	}
	fmt.Fprintf(&b, "  - id: %s\n    owner: partner-gone\n    created: %s\n    status: revoked\n", g.world.revokedKey, g.cfg.Start.AddDate(0, -5, 0).UTC().Format(time.DateOnly))
	return []byte(b.String())
}

// TrustedProxies are the CIDRs of the load balancer. Without them every call that came through it
// seems to come from it.
func (g *Generator) TrustedProxies() []string { return []string{"10.20.0.0/28"} }

// Lists are the entries of the lists that rules of the default pack refer to, by name.
func (g *Generator) Lists() map[string][]string {
	probes := make([]string, 0, len(g.world.probes))
	for _, p := range g.world.probes {
		probes = append(probes, p.addr+"/32")
	}
	return map[string][]string{"probes": probes, "test_devices": {}}
}
