package formats

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/loopback"
)

// TestHAProxySnippet starts the real HAProxy with the snippet we ship, and reads its HTTP and its
// HTTPS log.
func TestHAProxySnippet(t *testing.T) {
	upstream, dir := livenessAdapter(t), t.TempDir()
	writeCertificate(t, dir)
	plain, secure, dead := loopback.Address(t), loopback.Address(t), loopback.Address(t)
	writeFile(t, filepath.Join(dir, "keys.map"), liveKey+" mobile-onb\n")
	snippet := readSnippet(t, "haproxy.cfg")
	frontend := `
    log stdout len 8192 format raw local0
    http-request set-var(txn.consumer) req.hdr(x-api-key),map(keys.map,unknown)
` + snippet + `
    http-response del-header x-liveness- -m beg
    http-request deny deny_status 403 if { path /denied }
    http-request return status 429 if { path /limited }
    use_backend gone if { path /gone }
    default_backend lv
`
	writeFile(t, filepath.Join(dir, "haproxy.cfg"), fmt.Sprintf(`
global
    maxconn 100
    tune.http.logurilen 4096
defaults
    mode http
    option dontlognull
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    retries 1
frontend lv-in
    bind %s
    option httplog
%s
frontend lv-tls
    bind %s ssl crt both.pem
    option httpslog
%s
backend lv
    server be1 %s
backend gone
    server be2 %s
`, plain, frontend, secure, frontend, upstream, dead))
	startGateway(t, dir, plain, findProgram(t, "haproxy", "haproxy"), "-db", "-f", "haproxy.cfg")

	calls := newSender(t)
	answer := calls.check("http://" + plain)
	if got := answer.Get("X-Liveness-Score"); got != "" {
		t.Errorf("the caller is told the score: %q", got)
	}
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")
	calls.send("GET", "http://"+plain+"/denied", "", "X-Api-Key", "another-key")
	calls.send("GET", "http://"+plain+"/gone", "")
	sendRaw(t, plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
	calls.send("GET", "http://"+plain+"/"+strings.Repeat("y", 3000), "", "X-Api-Key", "another-key", "User-Agent", `}{|"#`+"\u00e9")
	calls.check("https://" + secure)

	var http, https [][]byte
	for _, line := range waitForLines(t, filepath.Join(dir, "stdout"), 7) {
		if strings.Contains(string(line), "] lv-tls") {
			https = append(https, line)
		} else {
			http = append(http, line)
		}
	}
	want := checkEvent("haproxy", "haproxy_http").with(fields{
		"@timestamp": "*", "source.port": "*", "event.duration": "*", "http.response.bytes": "*", "tls.established": "false",
		"gateway.route": "lv-in", "gateway.service": "lv", "gateway.consumer": "mobile-onb",
	})
	log := gatewayLog{"haproxy_http", http}
	log.check(t)
	log.whole(t, log.find(t, "?lang=id"), want)
	log.part(t, log.find(t, " 401 "), fields{"http.response.status_code": "401", "gateway.consumer": "", "liveness.decision_raw": "", "user_agent.original": "Go-http-client/1.1"})
	log.part(t, log.find(t, "/denied"), fields{"http.response.status_code": "403", "gateway.flags": "PR--,denied", "gateway.auth_reason": "other", "gateway.consumer": "unknown"})
	log.part(t, log.find(t, "/gone"), fields{"http.response.status_code": "503", "gateway.flags": "SC--,upstream_failed,retried", "gateway.service": "gone"})
	log.part(t, log.find(t, "<BADREQ>"), fields{"http.response.status_code": "400", "gateway.flags": "PR--,malformed_request", "http.request.method": "", "url.path": ""})
	log.part(t, log.find(t, "/yyy"), fields{"url.path": "/" + strings.Repeat("y", 3000), "user_agent.original": `}{|"#` + "\u00e9", "liveness.decision_raw": "spoof"})

	log = gatewayLog{"haproxy_https", https}
	log.check(t)
	log.whole(t, 0, want.with(fields{
		"event.provider": "haproxy_https", "gateway.route": "lv-tls", "url.scheme": "https", "tls.established": "true", "tls.version": "1.3", "tls.version_protocol": "tls",
		"tls.cipher": "*", "tls.client.server_name": liveHost,
	}))
}
