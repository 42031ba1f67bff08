package enrich

import "strings"

// maxAgent bounds the part of a user agent that is looked at.
const maxAgent = 512

// agent is what a user agent, or its beginning, says it is: its class (backend, browser, mobile, scanner
// or other) and its name without version. It never changes.
type agent struct {
	text, class, name string

	suspect bool   // it may hold the marks of an attack
	key     string // an API key that stands in it
}

// agentOf looks a user agent up. Those seen last are found without the lock of the cache behind them.
func (e *Enricher) agentOf(ua string) *agent {
	ua = ua[:min(len(ua), maxAgent)]
	n := len(ua)
	last := &e.lastAgents[(uint(n)*7+uint(ua[0])+uint(ua[n-1])*3+uint(ua[n/2])*5)%uint(len(e.lastAgents))]
	if a := last.Load(); a != nil && a.text == ua {
		return a
	}
	a, ok := e.agents.Get(ua)
	if !ok {
		ua = strings.Clone(ua) // the slot dies with its event
		a = &agent{text: ua, class: AgentClass(ua), suspect: suspect(ua, &suspiciousAgent), key: textKey(ua)}
		a.name = agentName(ua, a.class)
		e.agents.Add(ua, a)
	}
	last.Store(a)
	return a
}

// agentWords tell the class of a user agent. Classes are tried in this order: a scanner that poses as
// a browser is a scanner, and an app's HTTP library inside a browser's name is an app.
//
//nolint:gochecknoglobals // constant
var agentWords = [...]struct {
	class string
	words []string // lower case
}{
	{"scanner", []string{
		"sqlmap", "nikto", "nuclei", "nmap", "masscan", "zgrab", "gobuster", "dirbuster", "dirb/", "ffuf", "wfuzz", "feroxbuster",
		"acunetix", "nessus", "openvas", "burp", "zaproxy", "owasp zap", "arachni", "w3af", "wpscan", "whatweb", "httpx -", "projectdiscovery",
		"censys", "shodan", "qualys", "netsparker", "invicti", "appscan", "hydra", "jaeles", "katana", "commix", "xray", "l9explore", "expanse",
	}},
	{"mobile", []string{
		"okhttp", "cfnetwork", "dart/", "dart:io", "alamofire", "dalvik", "flutter", "react-native", "reactnative", "expo/", "afnetworking",
		"retrofit", "volley", "ktor-client", "urlsession", "nsurlsession", "; wv)", "cordova", "capacitor",
		"sdk-android", "sdk-ios", "sdk-flutter", "sdk-react-native",
	}},
	{"backend", []string{
		"curl/", "wget/", "python-requests", "python-urllib", "python-httpx", "aiohttp", "go-http-client", "go-resty", "apache-httpclient",
		"java/", "java-http-client", "reactor-netty", "spring", "axios/", "node-fetch", "undici", "got (", "node.js", "ruby", "faraday", "guzzle", "php/",
		"perl", "lwp", "restsharp", ".net", "dotnet", "httpclient", "grpc-", "libcurl", "rust", "reqwest", "hyper/", "postman", "insomnia", "kube-probe", "envoy/hc",
		"amazon-route 53", "elb-healthchecker", "googlehc", "haproxy", "nginx", "kong/", "jersey", "feign", "resteasy", "unirest", "vert.x",
		"reactornetty", "sdk-go", "sdk-java", "sdk-python", "sdk-node", "sdk-php", "sdk-dotnet", "sdk-ruby", "-webhook/",
	}},
	{"browser", []string{"applewebkit/", "gecko/", "trident/", "presto/", "msie "}},
}

// AgentClass classifies a user agent without a cache.
func AgentClass(ua string) string {
	ua = ua[:min(len(ua), maxAgent)]
	for i := range agentWords {
		g := &agentWords[i]
		for _, w := range g.words {
			if containsFold(ua, w) {
				if g.class == "backend" && containsFold(ua, "mozilla/5.0") && containsFold(ua, "applewebkit/") {
					continue // a browser that mentions a library
				}
				return g.class
			}
		}
	}
	if len(ua) >= 8 && containsFold(ua[:8], "mozilla/") {
		return "browser"
	}
	return "other"
}

// browserNames tell browsers apart. Each of them claims to be those that come after it.
//
//nolint:gochecknoglobals // constant
var browserNames = [...]struct{ mark, name string }{
	{"edg/", "Edge"},
	{"edga/", "Edge"},
	{"edgios/", "Edge"},
	{"opr/", "Opera"},
	{"samsungbrowser/", "Samsung Internet"},
	{"fxios/", "Firefox"},
	{"firefox/", "Firefox"},
	{"crios/", "Chrome"},
	{"headlesschrome/", "Chrome"},
	{"chrome/", "Chrome"},
	{"safari/", "Safari"},
	{"trident/", "Internet Explorer"},
	{"msie ", "Internet Explorer"},
}

// maxAgentName bounds the name of a user agent, in bytes.
const maxAgentName = 64

// agentName is the product a user agent begins with, without its version, or the browser it is: what
// stays the same over updates.
func agentName(ua, class string) string {
	if class == "browser" {
		for _, b := range browserNames {
			if containsFold(ua, b.mark) {
				return b.name
			}
		}
		return "browser"
	}
	end := 0
	for end < len(ua) && strings.IndexByte("/(;,", ua[end]) < 0 {
		if ua[end] == ' ' && end+1 < len(ua) && (versionByte(ua[end+1]) || ua[end+1] == 'v' && end+2 < len(ua) && versionByte(ua[end+2])) {
			break
		}
		end++
	}
	return strings.TrimSpace(ua[:min(end, maxAgentName)])
}

func versionByte(c byte) bool { return c >= '0' && c <= '9' }
