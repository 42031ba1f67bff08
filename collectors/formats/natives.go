package formats

import "github.com/liveward/liveward/internal/event"

// native is a format that has a parser of its own, because its lines are not JSON.
type native struct {
	name        string
	product     string
	description string
	what        string // what a line looks like, for auto's reason
	provides    func() []event.ID
	make        func(Options) Format
}

// natives returns the formats with parsers of their own. Of formats that fit a line equally well auto
// takes the one that stands first by name.
func natives() []native {
	return []native{
		{"account_csv", "core-banking", "Accounts that were opened, in CSV, from core banking (docs/joins.md)", "the columns of the CSV header", accountFields, newAccountCSV},
		{"apache_combined", "apache", "Apache's combined log, also with the virtual host in front or %D behind", "Apache's combined log: address, ident, user, [time], \"request\", status, bytes, \"referrer\", \"agent\"", apacheCombinedFields, newApacheCombined},
		{"apache_common", "apache", "The common log format", "the common log format: address, ident, user, [time], \"request\", status, bytes", apacheCommonFields, newApacheCommon},
		{"aws_alb", "aws_alb", "AWS Application Load Balancer's access log", "the load balancer's fields from type to target group", albFields, newALB},
		{"cef", "cef", "Common Event Format of firewalls for web applications: F5, Imperva, Citrix, Akamai", "a CEF header and key=value pairs", cefFields, newCEF},
		{"envoy_text", "envoy", "Envoy's default access log in text", "Envoy's default text: [start], \"request\", status, flags, sizes, durations, quoted headers", envoyFields, newEnvoyText},
		{"haproxy_http", "haproxy", "HAProxy's HTTP log", "HAProxy's HTTP log: client, [accept], frontend, backend, timers, status, state", haproxyFields, newHAProxyHTTP},
		{"haproxy_https", "haproxy", "HAProxy's HTTPS log", "HAProxy's HTTPS log: the HTTP log with errors and server name/version/cipher behind", haproxyHTTPSFields, newHAProxyHTTPS},
		{"iis_w3c", "iis", "W3C extended log of IIS or CloudFront, by its #Fields directive", "the columns of the #Fields directive", w3cProvides, newW3C},
		{"istio_text", "istio", "Istio's default access log in text", "Istio's default text: Envoy's with details and addresses", istioFields, newIstioText},
		{"krakend_gin", "krakend", "KrakenD's access and endpoint lines", "[GIN] or KRAKEND lines", krakendFields, newKrakenD},
		{"logfmt", "logfmt", "key=value pairs", "key=value pairs with a time", logfmtFields, newLogfmt},
		{"nginx_combined", "nginx", "nginx's combined log", "the combined log format: address, [time], \"request\", status, bytes, \"referrer\", \"agent\"", combinedFields, newCombined},
		{"nginx_error", "nginx", "nginx's error log: refused, limited and broken calls by class of message", "nginx's error log: time, [level], pid#tid: message, client", nginxErrorFields, newNginxError},
		{"spring_clf", "spring_cloud_gateway", "Reactor Netty's access log, as Spring Cloud Gateway writes it", "the common log format with a duration, behind a logger's prefix", springFields, newSpringCLF},
	}
}

func nativeOf(name string) *native {
	for _, n := range natives() {
		if n.name == name {
			return &n
		}
	}
	return nil
}

// Info says what a format is, and which of the facts that rules need most it can give.
type Info struct {
	Name, Product, Description         string
	Native, Liveness, Credentials, TLS bool
}

// Info describes the formats, sorted by name.
func (s *Set) Info() []Info {
	var out []Info
	for _, name := range s.names {
		i := Info{Name: name}
		if n := nativeOf(name); n != nil {
			i.Product, i.Description, i.Native = n.product, n.description, true
		}
		for _, d := range s.tests {
			if d.name == name {
				i.Product, i.Description = s.programs[name].product, d.description
			}
		}
		for _, id := range s.Provides(name) {
			switch id {
			case event.LivenessDecisionRaw:
				i.Liveness = true
			case event.GatewayAuthReason, event.APIKeyID:
				i.Credentials = true
			case event.TLSVersion, event.TLSEstablished:
				i.TLS = true
			}
		}
		out = append(out, i)
	}
	return out
}
