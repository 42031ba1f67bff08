package formats

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

// TestNginxSnippet starts the real nginx with the snippet we ship, in front of a server that answers
// like a liveness adapter, and reads what it logged.
func TestNginxSnippet(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatal("nginx is not installed: apt-get install nginx-light")
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Api-Key") == "" {
			w.Header().Set("X-Auth-Reason", "missing_key")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for k, v := range map[string]string{
			"Vendor": "acme", "Decision": "spoof", "Score": "0.081", "Threshold": "0.5", "Reason": "screen_replay", "Session": "s-7c1",
			"Transaction": "t-1", "Attempt": "2", "Attack-Class": "presentation", "Attack-Type": "screen_replay", "Modality": "passive",
			"Model": "4.1", "Latency-Ms": "611.5", "Digest": "d41d8c", "Virtual-Camera": "true", "Emulator": "false", "Rooted": "0",
			"Sdk": "acme-android", "Sdk-Version": "7.0", "Error": "E7",
		} {
			w.Header().Set("X-Liveness-"+k, v)
		}
		w.Header().Set("X-Consumer", "mobile-onb")
		w.Header().Set("X-Region", "id-jkt")
	}))
	defer upstream.Close()

	dir := t.TempDir()
	snippet, err := filepath.Abs("snippets/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir)
	plain, secure, dead := freeAddress(t), freeAddress(t), freeAddress(t)
	conf := fmt.Sprintf(`
daemon off; master_process off; pid nginx.pid; error_log error.log notice;
events {}
http {
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	include %s;
	limit_req_zone $server_port zone=lv:1m rate=1r/m;
	upstream vendor { server %s max_fails=0; server %s max_fails=0; }
	server {
		listen %s; listen %s ssl; server_name lv.bank.example;
		ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
		access_log access.json liveward;
		location / { proxy_pass http://%s; }
		location /retried { proxy_pass http://vendor; proxy_next_upstream error; proxy_next_upstream_tries 2; }
		location /limited { limit_req zone=lv; proxy_pass http://%s; }
	}
}`, snippet, dead, upstream.Listener.Addr(), plain, secure, upstream.Listener.Addr(), upstream.Listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	startNginx(t, nginx, dir, plain)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	send := func(method, url, body string, headers ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "lv.bank.example"
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	const key = "sk_live_0123456789abcdefghij"
	send("POST", "https://"+secure+"/v1/liveness/check?lang=id", strings.Repeat("x", 1000),
		"X-Api-Key", key, "User-Agent", `okhttp "4.12" \ é`, "X-Forwarded-For", "203.0.113.24, 10.0.0.9", "Content-Type", "multipart/form-data; boundary=x",
		"X-Subject-Ref", "hm:51ac", "X-Device-Ref", "hm:e0b1", "X-Device-Model", "SM-A145F", "X-App-Version", "5.2.0", "X-Consent-Id", "c-88",
		"X-Consent-Version", "3", "X-Consent-Status", "granted", "X-Consent-Granted-At", "2026-03-14T02:10:00Z", "X-Tenant-Id", "retail",
		"Origin", "https://evil.example", "Referer", "https://evil.example/x", "Authorization", "Bearer not-in-the-log",
		"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	send("POST", "http://"+plain+"/v1/liveness/check", "")
	send("GET", "http://"+plain+"/retried", "", "X-Api-Key", "short-key")
	send("GET", "http://"+plain+"/retried", "", "X-Api-Key", "short-key")
	send("GET", "http://"+plain+"/limited", "", "X-Api-Key", key)
	send("GET", "http://"+plain+"/limited", "", "X-Api-Key", key)
	sendRaw(t, plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	sendRaw(t, plain, "GET /caf\xff HTTP/1.0\r\nUser-Agent: \xfe\x01\x7f\r\nX-Api-Key: "+key+"\r\n\r\n")

	lines := waitForLines(t, filepath.Join(dir, "access.json"), 8)
	if bytes.Contains(bytes.Join(lines, nil), []byte(key)) || bytes.Contains(bytes.Join(lines, nil), []byte("not-in-the-log")) {
		t.Error("a secret is in the log")
	}
	s := load(t)
	if name, why, ok := s.Detect(lines); !ok || name != "nginx_json" {
		t.Errorf("detected %q (%s)", name, why)
	}
	f := newFormat(t, "nginx_json")
	parse := func(i int) *event.Event {
		t.Helper()
		ev := newEvent()
		if err := f.Parse(lines[i], ev); err != nil {
			t.Fatalf("line %s: %v", lines[i], err)
		}
		return ev
	}
	check := func(i int, want map[event.ID]string) {
		t.Helper()
		ev := parse(i)
		got := map[event.ID]string{}
		for id := range want {
			got[id] = strings.Join(FieldText(ev, id), ",")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line %s:\n%s", lines[i], diff)
		}
	}
	check(0, map[event.ID]string{
		event.SourceIP: "127.0.0.1", event.HTTPRequestForwarded: "203.0.113.24, 10.0.0.9", event.URLPath: "/v1/liveness/check", event.URLQuery: "lang=id",
		event.URLDomain: "lv.bank.example", event.URLScheme: "https", event.HTTPRequestMethod: "POST", event.HTTPVersion: "1.1",
		event.HTTPResponseStatusCode: "200", event.GatewayUpstreamStatus: "200", event.GatewayFlags: "", event.GatewayConsumer: "mobile-onb",
		event.APIKeyID: "sk_l..ghij", event.UserAgentOriginal: `okhttp "4.12" \ é`, event.TLSVersion: "1.3", event.TLSVersionProtocol: "tls",
		event.TLSEstablished: "true", event.HTTPRequestBodyBytes: "1000", event.HTTPRequestMimeType: "multipart/form-data",
		event.UserID: "hm:51ac", event.DeviceID: "hm:e0b1", event.DeviceModel: "SM-A145F", event.AppVersion: "5.2.0", event.ConsentID: "c-88",
		event.ConsentVersion: "3", event.ConsentStatus: "granted", event.ConsentGrantedAt: "2026-03-14T02:10:00.000Z", event.OrganizationID: "retail",
		event.DataRegion: "id-jkt", event.HTTPRequestOrigin: "https://evil.example", event.HTTPRequestReferrer: "https://evil.example/x",
		event.TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", event.LivenessVendor: "acme", event.LivenessDecisionRaw: "spoof", event.LivenessScoreRaw: "0.081",
		event.LivenessThreshold: "0.5", event.LivenessReasonCode: "screen_replay", event.LivenessSessionID: "s-7c1", event.LivenessTransactionID: "t-1",
		event.LivenessAttempt: "2", event.LivenessAttackClass: "presentation", event.LivenessAttackType: "screen_replay", event.LivenessModality: "passive",
		event.LivenessModelVersion: "4.1", event.LivenessLatencyMS: "611.5", event.LivenessMediaDigest: "d41d8c", event.LivenessCaptureVirtualCamera: "true",
		event.LivenessCaptureEmulator: "false", event.LivenessCaptureRooted: "false", event.LivenessSDKName: "acme-android", event.LivenessSDKVersion: "7.0",
		event.ErrorCode: "E7", event.GatewayAuthReason: "", event.LivewardPrivacyDropped: "",
	})
	if cipher := parse(0).Str(event.TLSCipher); !strings.HasPrefix(cipher, "TLS_") {
		t.Errorf("cipher = %q", cipher)
	}
	check(1, map[event.ID]string{event.HTTPResponseStatusCode: "401", event.GatewayAuthReason: "missing_key", event.APIKeyID: "", event.TLSEstablished: "false", event.LivenessDecisionRaw: "", event.UserAgentOriginal: "Go-http-client/1.1"})
	// nginx takes turns, so one of the two met the dead server first.
	retried := 0
	for _, i := range []int{2, 3} {
		check(i, map[event.ID]string{event.GatewayUpstreamStatus: "200", event.APIKeyID: "short"})
		if strings.Join(FieldText(parse(i), event.GatewayFlags), ",") == flagRetried {
			retried++
		}
	}
	if retried == 0 {
		t.Errorf("no retry is flagged:\n%s\n%s", lines[2], lines[3])
	}
	check(4, map[event.ID]string{event.HTTPResponseStatusCode: "200", event.GatewayFlags: ""})
	check(5, map[event.ID]string{event.HTTPResponseStatusCode: "503", event.GatewayFlags: "limit_req_rejected", event.GatewayAuthReason: "rate", event.GatewayUpstreamStatus: ""})
	check(6, map[event.ID]string{event.HTTPResponseStatusCode: "400", event.HTTPRequestMethod: "", event.URLPath: ""})
	check(7, map[event.ID]string{event.URLPath: "/caf\ufffd", event.HTTPVersion: "1.0"})

	for i := range lines {
		ev := parse(i)
		if age := time.Since(time.Unix(0, ev.Time(event.Timestamp))); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("line %s: the time is %v off", lines[i], age)
		}
	}
}

func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lv.bank.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startNginx(t *testing.T, nginx, dir, addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, nginx, "-p", dir, "-c", "nginx.conf", "-e", "error.log")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { cancel(); <-exited })
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-exited:
			exited <- err
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx ended: %v\n%s%s", err, &stderr, log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %v\n%s", err, &stderr)
		}
	}
}

func sendRaw(t *testing.T, addr, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // nginx logs before it closes
}

// waitForLines reads a log until it has n lines.
func waitForLines(t *testing.T, file string, n int) [][]byte {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		b, err := os.ReadFile(file)
		if err == nil && bytes.Count(b, []byte("\n")) >= n {
			return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d lines, want %d: %v\n%s", bytes.Count(b, []byte("\n")), n, err, b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
