package elasticsearch

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// maxPart bounds dataset and namespace; Elasticsearch allows no more in either.
const maxPart = 100

// Class is a class of documents: it has an index template and a retention of its own.
type Class string

// The classes.
const (
	Event  Class = "event"
	Alert  Class = "alert"
	Audit  Class = "audit"
	Health Class = "health"
)

// Classes lists them.
func Classes() []Class { return []Class{Event, Alert, Audit, Health} }

// StreamName is the data stream of a class in a namespace.
func StreamName(class Class, namespace string) string {
	return "logs-liveward." + string(class) + "-" + namespace
}

// TenantNamespace makes a tenant's name a namespace. A name that is one already stays as it is.
// Others are lower-cased, what is not allowed becomes _, and a hash of the name is appended: two
// tenants never share a namespace because their names look alike.
func TenantNamespace(tenant string) string {
	if validNamespace(tenant) {
		return tenant
	}
	b := make([]byte, 0, min(len(tenant), maxPart)+9)
	for i := 0; i < len(tenant) && len(b) < maxPart-10; i++ {
		c := tenant[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case !namespaceByte(c):
			c = '_'
		}
		b = append(b, c)
	}
	if len(b) == 0 || b[0] == '_' || b[0] == '.' {
		b = append([]byte{'t'}, b...)
	}
	sum := sha256.Sum256([]byte(tenant))
	b = append(b, '_')
	return string(hex.AppendEncode(b, sum[:4]))
}

func validNamespace(s string) bool {
	if s == "" || len(s) > maxPart || s[0] == '_' || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		if !namespaceByte(s[i]) {
			return false
		}
	}
	return true
}

func namespaceByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// streams finds the data stream of a document, without an allocation for those seen before.
type streams struct {
	namespace string
	byTenant  bool
	max       int
	known     map[streamKey]string
	tenants   map[string]struct{}
}

type streamKey struct{ dataset, tenant string }

func newStreams(cfg Config) *streams {
	return &streams{
		namespace: cfg.Namespace, byTenant: cfg.NamespaceByTenant, max: cfg.MaxTenants,
		known: map[streamKey]string{}, tenants: map[string]struct{}{},
	}
}

// of returns the stream; ok is false for a dataset that is none of ours.
func (s *streams) of(doc *event.Document) (name string, ok bool) {
	tenant := doc.Tenant
	if !s.byTenant {
		tenant = ""
	}
	if name, ok = s.known[streamKey{doc.Dataset, tenant}]; ok {
		return name, true
	}
	class, ok := classOf(doc.Dataset)
	if !ok {
		return "", false
	}
	namespace := s.namespace
	if tenant != "" {
		if _, known := s.tenants[tenant]; !known && len(s.tenants) >= s.max {
			return StreamName(class, s.namespace), true // a flood of tenants makes no flood of streams
		}
		tenant = strings.Clone(tenant)
		s.tenants[tenant] = struct{}{}
		namespace = TenantNamespace(tenant)
	}
	name = StreamName(class, namespace)
	s.known[streamKey{strings.Clone(doc.Dataset), tenant}] = name
	return name, true
}

func classOf(dataset string) (Class, bool) {
	for _, c := range Classes() {
		if dataset == "liveward."+string(c) {
			return c, true
		}
	}
	return "", false
}
