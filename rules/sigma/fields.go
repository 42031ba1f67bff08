package sigma

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// target is what a field of Sigma's taxonomy for web servers and proxies is here.
type target struct {
	id event.ID
	// key is set for fields whose value is a pseudonym here: events can be grouped and counted by it, but
	// not compared with a text.
	key bool
	// path is set for fields that hold path and query in one: what stands before the question mark is
	// kept, with ids in it masked.
	path bool
	// extension is set for the extension of the path.
	extension bool
	// gone says why the field is not there for rules.
	gone string
}

const queryGone = "the query string is dropped before rules see an event; its attack marks stand in gateway.flags"

// taxonomy returns the target of a field of a Sigma rule. Names of ECS are taken as they are.
func taxonomy(name string) (target, bool) {
	switch name {
	case "cs-method", "c-method", "method":
		return target{id: event.HTTPRequestMethod}, true
	case "sc-status", "status":
		return target{id: event.HTTPResponseStatusCode}, true
	case "cs-uri-stem":
		return target{id: event.URLPath, path: true}, true
	case "cs-uri", "c-uri", "uri", "request", "cs-uri-query":
		// Rules for web servers write whole addresses into cs-uri-query.
		return target{id: event.URLPath, path: true}, true
	case "c-uri-query":
		return target{gone: queryGone}, true
	case "c-uri-stem":
		return target{id: event.URLPath, path: true}, true
	case "c-uri-extension":
		return target{id: event.URLPath, extension: true}, true
	case "cs-user-agent", "c-useragent", "c-user-agent", "useragent":
		return target{id: event.UserAgentOriginal}, true
	case "cs-host", "r-dns", "host":
		return target{id: event.URLDomain}, true
	case "c-ip", "src_ip", "client_ip":
		return target{id: event.ClientIP}, true
	case "cs-bytes":
		return target{id: event.HTTPRequestBytes}, true
	case "sc-bytes":
		return target{id: event.HTTPResponseBytes}, true
	case "cs-version":
		return target{id: event.HTTPVersion}, true
	case "cs-username", "c-username":
		return target{id: event.UserName, key: true}, true
	case "cs-referer", "cs-referrer", "c-referer", "referer":
		return target{gone: "the referrer is dropped before rules see an event"}, true
	case "cs-cookie", "cs-cookies":
		return target{gone: "cookies are never kept"}, true
	}
	id, ok := event.Lookup(name)
	if !ok {
		return target{}, false
	}
	f := event.FieldOf(id)
	switch f.Class {
	case event.Transient:
		return target{gone: name + " is dropped before rules see an event"}, true
	case event.Pseudonym:
		return target{id: id, key: true}, true
	}
	return target{id: id, path: id == event.URLPath}, true
}

// sources are the log sources whose events a liveness gateway's log can have.
func source(category, product, service string) bool {
	switch category {
	case "webserver", "proxy", "web", "api_gateway", "waf":
		return true
	case "":
	default:
		return false
	}
	switch product {
	case "nginx", "apache", "iis", "envoy", "kong", "haproxy", "traefik", "caddy", "liveward", "f5", "cloudflare":
		return service != "error"
	}
	return product == "" && (service == "" || strings.HasSuffix(service, "access"))
}
