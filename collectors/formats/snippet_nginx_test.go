package formats

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/liveward/liveward/internal/loopback"
)

// nginxTemp keeps nginx's files in its prefix.
const nginxTemp = "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;"

func startNginx(t *testing.T, dir, listens, conf string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, "nginx.conf"), conf)
	startGateway(t, dir, listens, findProgram(t, "nginx", "nginx-light"), "-p", dir, "-c", "nginx.conf", "-e", "error.log")
}

// TestNginxSnippet starts the real nginx with the snippet we ship, in front of a server that answers
// like a liveness adapter, and reads what it logged; beside it nginx's own log and its error log.
func TestNginxSnippet(t *testing.T) {
	upstream, dir := livenessAdapter(t), t.TempDir()
	snippet, err := filepath.Abs("snippets/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir)
	plain, secure, dead := loopback.Address(t), loopback.Address(t), loopback.Address(t)
	startNginx(t, dir, plain, fmt.Sprintf(`
daemon off; master_process off; pid nginx.pid; error_log error.log notice;
events {}
http {
	%s
	include %s;
	limit_req_zone $server_port zone=lv:1m rate=1r/m;
	upstream vendor { server %s max_fails=0; server %s max_fails=0; }
	server {
		listen %s; listen %s ssl; server_name lv.bank.example;
		ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
		access_log access.json liveward; access_log combined.log combined;
		location / { proxy_pass http://%s; }
		location /retried { proxy_pass http://vendor; proxy_next_upstream error; proxy_next_upstream_tries 2; }
		location /limited { limit_req zone=lv; proxy_pass http://%s; }
	}
}`, nginxTemp, snippet, dead, upstream, plain, secure, upstream, upstream))

	calls := newSender(t)
	calls.check("https://" + secure)
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")
	calls.send("GET", "http://"+plain+"/retried", "", "X-Api-Key", "short-key")
	calls.send("GET", "http://"+plain+"/retried", "", "X-Api-Key", "short-key")
	calls.send("GET", "http://"+plain+"/limited", "", "X-Api-Key", liveKey)
	calls.send("GET", "http://"+plain+"/limited", "", "X-Api-Key", liveKey)
	sendRaw(t, plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	sendRaw(t, plain, "GET /caf\xff HTTP/1.0\r\nUser-Agent: \xfe\x01\x7f\r\nX-Api-Key: "+liveKey+"\r\n\r\n")

	log := gatewayLog{"nginx_json", inOrder(waitForLines(t, filepath.Join(dir, "access.json"), 8))}
	log.check(t)
	log.whole(t, 0, checkEvent("nginx", "nginx_json").with(checkReferences(), checkAnswer(), fields{
		"@timestamp": "*", "source.port": "*", "event.duration": "*", "http.request.id": "*", "http.request.bytes": "*", "http.response.bytes": "*",
		"url.scheme": "https", "gateway.upstream_status": "200", "gateway.consumer": "mobile-onb", "api_key.id": "sk_l..ghij",
		"http.request.body.bytes": "1000", "tls.version": "1.3", "tls.version_protocol": "tls", "tls.established": "true", "tls.cipher": "*",
		"tls.client.server_name": liveHost,
	}))
	log.part(t, 1, fields{
		"http.response.status_code": "401", "gateway.auth_reason": "missing_key", "api_key.id": "", "tls.established": "false",
		"liveness.decision_raw": "", "user_agent.original": "Go-http-client/1.1",
	})
	// nginx takes turns, so one of the two met the dead server first.
	retried := 0
	for _, i := range []int{2, 3} {
		log.part(t, i, fields{"gateway.upstream_status": "200", "api_key.id": "short"})
		if eventFields(log.parse(t, i))["gateway.flags"] == flagRetried {
			retried++
		}
	}
	if retried == 0 {
		t.Errorf("no retry is flagged:\n%s\n%s", log.lines[2], log.lines[3])
	}
	log.part(t, 4, fields{"http.response.status_code": "200", "gateway.flags": ""})
	log.part(t, 5, fields{"http.response.status_code": "503", "gateway.flags": "limit_req_rejected", "gateway.auth_reason": "rate", "gateway.upstream_status": ""})
	log.part(t, 6, fields{"http.response.status_code": "400", "http.request.method": "", "url.path": ""})
	log.part(t, 7, fields{"url.path": "/caf\ufffd", "http.version": "1.0"})

	combined := gatewayLog{"nginx_combined", inOrder(waitForLines(t, filepath.Join(dir, "combined.log"), 8))}
	combined.check(t)
	combined.whole(t, 0, checkEvent("nginx", "nginx_combined").with(accessLogOnly(), fields{
		"@timestamp": "*", "http.request.referrer": "https://evil.example/x", "http.response.body.bytes": "*",
	}))
	combined.part(t, 6, fields{"http.response.status_code": "400", "http.request.method": "", "url.path": ""})

	checkErrorLog(t, waitForLines(t, filepath.Join(dir, "error.log"), 2))
}

// inOrder puts the first two calls in the order in which they were made: nginx writes a line when it is done with
// a call, which may be after it has answered the next one.
func inOrder(lines [][]byte) [][]byte {
	if !bytes.Contains(lines[0], []byte("https://evil.example/x")) { // the first one's referrer
		lines[0], lines[1] = lines[1], lines[0]
	}
	return lines
}

// checkErrorLog holds that nginx_error understands each line about a call, and skips those about
// nginx itself.
func checkErrorLog(t *testing.T, lines [][]byte) {
	t.Helper()
	f, refused, limited := newFormat(t, "nginx_error"), false, false
	for _, line := range lines {
		ev := newEvent()
		switch err := f.Parse(line, ev); {
		case errors.Is(err, ErrSkip):
			if bytes.Contains(line, []byte("client: ")) {
				t.Errorf("skipped: %s", line)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := eventFields(ev)
		if got["source.ip"] != "127.0.0.1" {
			t.Errorf("%s: source.ip is %q", line, got["source.ip"])
		}
		refused = refused || bytes.Contains(line, []byte("Connection refused"))
		limited = limited || got["gateway.auth_reason"] == authRate
	}
	if !refused || !limited {
		t.Errorf("the dead server or the limit is missing from nginx's error log:\n%s", bytes.Join(lines, []byte{'\n'}))
	}
}

// accessLogOnly takes away what the classic access logs cannot tell.
func accessLogOnly() fields {
	return fields{
		"http.request.forwarded": "", "http.request.id": "", "url.domain": "", "liveness.vendor": "", "liveness.decision_raw": "", "liveness.score_raw": "",
		"liveness.threshold": "", "liveness.reason.code": "", "liveness.session_id": "", "liveness.transaction_id": "", "liveness.attempt": "",
	}
}
