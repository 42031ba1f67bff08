package formats

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/liveward/liveward/internal/loopback"
)

// envoyProgram finds Envoy: the one in PATH, else the one that tools/deps.sh has put into the cache.
func envoyProgram(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("envoy"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "liveward-build", "envoy", "envoy", "_bin", "envoy")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("envoy is neither in PATH nor in the cache of the build: make deps")
	}
	return path
}

// TestEnvoySnippet starts the real Envoy with the snippet we ship.
func TestEnvoySnippet(t *testing.T) {
	envoy := envoyProgram(t)
	upstream, dir := livenessAdapter(t), t.TempDir()
	writeCertificate(t, dir)
	plain, secure := loopback.Address(t), loopback.Address(t)
	var snippet struct {
		Filters []any `yaml:"http_filters"`
		Logs    []any `yaml:"access_log"`
	}
	if err := yaml.Unmarshal([]byte(readSnippet(t, "envoy.yaml")), &snippet); err != nil {
		t.Fatal(err)
	}
	logFile := filepath.Join(dir, "access.json")
	snippet.Logs[0].(map[string]any)["typed_config"].(map[string]any)["path"] = logFile
	filters, logs := marshal(t, append(snippet.Filters, map[string]any{
		"name": "router", "typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
	})), marshal(t, snippet.Logs)
	listener := func(name, address, transport string) string {
		return fmt.Sprintf(`{"name": %q, "address": %s,
			"listener_filters": [{"name": "tls_inspector", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}],
			"filter_chains": [{%s "filters": [{
			"name": "http", "typed_config": {
				"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"stat_prefix": %q, "http_filters": %s, "access_log": %s, "generate_request_id": false,
				"route_config": {"virtual_hosts": [{"name": "lv", "domains": ["*"], "routes": [
					{"match": {"path": "/denied"}, "direct_response": {"status": 403}},
					{"name": "lv", "match": {"prefix": "/v1/"}, "route": {"cluster": "lv"}}]}]}
			}}]}]}`, name, socketAddress(address), transport, name, filters, logs)
	}
	tls := fmt.Sprintf(`"transport_socket": {"name": "tls", "typed_config": {
		"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
		"common_tls_context": {"tls_certificates": [{"certificate_chain": {"filename": %q}, "private_key": {"filename": %q}}]}}},`,
		filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	writeFile(t, filepath.Join(dir, "envoy.json"), fmt.Sprintf(`{"static_resources": {
		"listeners": [%s, %s],
		"clusters": [{"name": "lv", "connect_timeout": "5s", "load_assignment": {"cluster_name": "lv", "endpoints": [
			{"lb_endpoints": [{"endpoint": {"address": %s}}]}]}}]}}`,
		listener("plain", plain, ""), listener("tls", secure, tls), socketAddress(upstream)))
	startGateway(t, dir, secure, envoy, "-c", "envoy.json", "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error", "--file-flush-interval-msec", "50")

	calls := newSender(t)
	answer := calls.check("https://" + secure)
	if got := answer.Get("X-Liveness-Score"); got != "" {
		t.Errorf("the caller is told the score: %q", got)
	}
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")
	calls.send("GET", "http://"+plain+"/denied", "", "X-Api-Key", "short-key")
	calls.send("GET", "http://"+plain+"/elsewhere", "")

	log := gatewayLog{"envoy_json", waitForLines(t, logFile, 4)}
	log.check(t)
	log.whole(t, 0, checkEvent("envoy", "envoy_json").with(checkReferences(), checkAnswer(), fields{
		"@timestamp": "*", "source.port": "*", "event.duration": "*", "http.response.body.bytes": "*", "http.request.body.bytes": "1000",
		"gateway.route": "lv", "gateway.service": "lv", "gateway.consumer": "mobile-onb", "gateway.reason": "via_upstream", "api_key.id": "sk_l..ghij",
		"tls.version": "1.3", "tls.version_protocol": "tls", "tls.established": "true", "tls.cipher": "*", "tls.client.server_name": liveHost,
	}))
	log.part(t, 1, fields{
		"http.response.status_code": "401", "gateway.auth_reason": "missing_key", "api_key.id": "", "tls.version": "", "liveness.decision_raw": "",
	})
	log.part(t, 2, fields{"http.response.status_code": "403", "gateway.reason": "direct_response", "api_key.id": "short", "url.path": "/denied"})
	log.part(t, 3, fields{"http.response.status_code": "404", "gateway.flags": "NR", "gateway.reason": "route_not_found"})
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func socketAddress(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf(`{"socket_address": {"address": %q, "port_value": %s}}`, host, port)
}
