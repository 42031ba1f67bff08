package formats

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/loopback"
)

// TestApacheLog reads what the real Apache writes in its usual formats.
func TestApacheLog(t *testing.T) {
	upstream, dir := livenessAdapter(t), t.TempDir()
	plain := loopback.Address(t)
	modules := ""
	for _, name := range []string{"mpm_event", "authz_core", "proxy", "proxy_http"} {
		modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
	}
	writeFile(t, filepath.Join(dir, "httpd.conf"), fmt.Sprintf(`
ServerRoot %s
PidFile httpd.pid
ErrorLog error.log
ServerName %s
Listen %s
%s
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%b" common
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%b \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
LogFormat "%%v:%%p %%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\" %%D" vhost
CustomLog common.log common
CustomLog combined.log combined
CustomLog vhost.log vhost
ProxyPass / http://%s/
`, dir, liveHost, plain, modules, upstream))
	startGateway(t, dir, plain, findProgram(t, "apache2", "apache2"), "-X", "-f", filepath.Join(dir, "httpd.conf"))

	calls := newSender(t)
	calls.check("http://" + plain)
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")
	sendRaw(t, plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")

	common := checkEvent("apache", "apache_common").with(accessLogOnly(), fields{
		"@timestamp": "*", "user_agent.original": "", "http.response.body.bytes": "*",
	})
	combined := common.with(fields{
		"event.provider": "apache_combined", "user_agent.original": `okhttp "4.12" \ é`, "http.request.referrer": "https://evil.example/x",
	})
	vhost := combined.with(fields{"url.domain": liveHost, "event.duration": "*"})
	for _, c := range []struct {
		file, format string
		check        fields
	}{{"common.log", "apache_common", common}, {"combined.log", "apache_combined", combined}, {"vhost.log", "apache_combined", vhost}} {
		log := gatewayLog{c.format, waitForLines(t, filepath.Join(dir, c.file), 3)}
		log.secretFree(t)
		log.whole(t, log.find(t, "?lang=id"), c.check)
		log.part(t, log.find(t, " 401 "), fields{"http.response.status_code": "401", "url.path": "/v1/liveness/check"})
		log.part(t, log.find(t, " 400 "), fields{"http.response.status_code": "400", "http.request.method": "", "url.path": ""})
	}
}

// TestCaddyLog reads what the real caddy writes.
func TestCaddyLog(t *testing.T) {
	upstream, dir := livenessAdapter(t), t.TempDir()
	writeCertificate(t, dir)
	plain, secure := loopback.Address(t), loopback.Address(t)
	writeFile(t, filepath.Join(dir, "Caddyfile"), fmt.Sprintf(`
{
	admin off
	auto_https off
	log default {
		output file error.log
	}
}
(lv) {
	log {
		output file access.json
	}
	reverse_proxy %s
}
http://%s {
	bind %s
	import lv
}
https://%s {
	bind %s
	tls cert.pem key.pem
	import lv
}
`, upstream, port(plain), host(plain), port(secure), host(secure)))
	startGateway(t, dir, plain, findProgram(t, "caddy", "caddy"), "run", "--config", "Caddyfile")

	calls := newSender(t)
	calls.check("https://" + secure)
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")

	log := gatewayLog{"caddy_json", waitForLines(t, filepath.Join(dir, "access.json"), 2)}
	// caddy takes the values of Authorization and Cookie out of its log; API keys stay until privacy
	// makes pseudonyms of them.
	if name, _, _ := load(t).Detect(log.lines); name != "caddy_json" {
		t.Errorf("detected %q", name)
	}
	log.whole(t, log.find(t, "req-1"), checkEvent("caddy", "caddy_json").with(checkReferences(), checkAnswer(), fields{
		"@timestamp": "*", "event.duration": "*", "http.response.body.bytes": "*", "http.request.body.bytes": "1000", "source.port": "*",
		"gateway.consumer": "mobile-onb", "api_key.id": liveKey,
		"tls.version": "1.3", "tls.version_protocol": "tls", "tls.established": "true", "tls.cipher": "TLS_AES_128_GCM_SHA256", "tls.client.server_name": liveHost,
	}))
	log.part(t, log.find(t, `"status":401`), fields{
		"http.response.status_code": "401", "gateway.auth_reason": "missing_key", "liveness.decision_raw": "", "tls.version": "",
	})
}

func host(address string) string { return address[:strings.LastIndexByte(address, ':')] }
func port(address string) string { return address[strings.LastIndexByte(address, ':'):] }
