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
	"io"
	"maps"
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

// Real gateways in front of a server that answers like a liveness adapter: what they log is read with
// the formats we ship. Each gateway is a program of Debian's or a package's; where one is missing the
// test fails and names it (tools/deps.sh installs them all).

// What the calls of these tests carry.
const (
	liveHost = "lv.bank.example"
	liveKey  = "sk_live_0123456789abcdefghij"
	liveBody = 1000
)

// livenessAdapter answers a check: 401 without a key, else a spoof.
func livenessAdapter(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		_, _ = io.WriteString(w, `{"frame":"never-in-the-log"}`)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// secrets are what no log may have of a call.
func secrets() []string {
	return []string{liveKey, "not-in-the-log", "never-in-the-log", strings.Repeat("x", 50)}
}

// checkHeaders are what a check carries.
func checkHeaders() []string {
	return []string{
		"X-Api-Key", liveKey, "User-Agent", `okhttp "4.12" \ é`, "X-Forwarded-For", "203.0.113.24, 10.0.0.9",
		"Content-Type", "multipart/form-data; boundary=x", "X-Subject-Ref", "hm:51ac", "X-Device-Ref", "hm:e0b1",
		"X-Device-Model", "SM-A145F", "X-App-Version", "5.2.0", "X-Consent-Id", "c-88", "X-Consent-Version", "3",
		"X-Consent-Status", "granted", "X-Consent-Granted-At", "2026-03-14T02:10:00Z", "X-Tenant-Id", "retail",
		"Origin", "https://evil.example", "Referer", "https://evil.example/x", "Authorization", "Bearer not-in-the-log",
		"Cookie", "sid=not-in-the-log", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"X-Request-Id", "req-1",
	}
}

// fields are an event's fields by name, as text.
type fields map[string]string

func eventFields(ev *event.Event) fields {
	out := fields{}
	for id := range event.ID(event.NumFields) {
		if ev.Has(id) {
			out[id.String()] = strings.Join(FieldText(ev, id), ",")
		}
	}
	return out
}

// with returns f with what others say; an empty value takes a field away.
func (f fields) with(others ...fields) fields {
	out := maps.Clone(f)
	for _, o := range others {
		for k, v := range o {
			if out[k] = v; v == "" {
				delete(out, k)
			}
		}
	}
	return out
}

// checkEvent is the check as every gateway can tell it.
func checkEvent(product, format string) fields {
	return fields{
		"event.provider": format,
		"source.ip":      "127.0.0.1", "http.request.forwarded": "203.0.113.24, 10.0.0.9",
		"url.path": "/v1/liveness/check", "url.query": "lang=id", "url.domain": liveHost,
		"http.request.method": "POST", "http.version": "1.1", "http.response.status_code": "200",
		"http.request.id": "req-1", "user_agent.original": `okhttp "4.12" \ é`,
		"gateway.product": product, "observer.product": product,
		"liveness.vendor": "acme", "liveness.decision_raw": "spoof", "liveness.score_raw": "0.081",
		"liveness.threshold": "0.5", "liveness.reason.code": "screen_replay", "liveness.session_id": "s-7c1",
		"liveness.transaction_id": "t-1", "liveness.attempt": "2",
	}
}

// checkReferences is what the caller says of itself beside the call.
func checkReferences() fields {
	return fields{
		"user.id": "hm:51ac", "device.id": "hm:e0b1", "device.model.identifier": "SM-A145F", "app.version": "5.2.0",
		"consent.id": "c-88", "consent.version": "3", "consent.status": "granted", "consent.granted_at": "2026-03-14T02:10:00.000Z",
		"organization.id": "retail", "data.region": "id-jkt", "http.request.origin": "https://evil.example",
		"http.request.referrer": "https://evil.example/x", "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736",
		"http.request.mime_type": "multipart/form-data",
	}
}

// checkAnswer is the rest of the adapter's answer.
func checkAnswer() fields {
	return fields{
		"liveness.attack.class": "presentation", "liveness.attack.type": "screen_replay", "liveness.modality": "passive",
		"liveness.model_version": "4.1", "liveness.latency_ms": "611.5", "liveness.media.digest": "d41d8c",
		"liveness.capture.virtual_camera": "true", "liveness.capture.emulator": "false", "liveness.capture.rooted": "false",
		"liveness.sdk.name": "acme-android", "liveness.sdk.version": "7.0", "error.code": "E7",
	}
}

// gatewayLog is what a gateway has logged, and the format it is read with.
type gatewayLog struct {
	format string
	lines  [][]byte
}

// check holds that no secret is in a log, that its format is recognised, and that its times are now.
func (l gatewayLog) check(t *testing.T) {
	t.Helper()
	l.secretFree(t)
	if name, why, ok := load(t).Detect(l.lines); !ok || name != l.format {
		t.Errorf("detected %q (%s), want %q", name, why, l.format)
	}
}

func (l gatewayLog) secretFree(t *testing.T) {
	t.Helper()
	all := bytes.Join(l.lines, []byte{'\n'})
	for _, secret := range secrets() {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("%q is in the log:\n%s", secret, all)
		}
	}
	for i := range l.lines {
		at := l.parse(t, i).Time(event.Timestamp)
		if age := time.Since(time.Unix(0, at)); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("line %s: the time is %v off", l.lines[i], age)
		}
	}
}

func (l gatewayLog) parse(t *testing.T, i int) *event.Event {
	t.Helper()
	ev := newEvent()
	if err := newFormat(t, l.format).Parse(l.lines[i], ev); err != nil {
		t.Fatalf("line %s: %v", l.lines[i], err)
	}
	return ev
}

// find returns the line that has a text: gateways with threads log in any order.
func (l gatewayLog) find(t *testing.T, text string) int {
	t.Helper()
	for i, line := range l.lines {
		if bytes.Contains(line, []byte(text)) {
			return i
		}
	}
	t.Fatalf("no line has %q:\n%s", text, bytes.Join(l.lines, []byte{'\n'}))
	return 0
}

// whole holds that the event of a line has the wanted fields and no others. A field whose value is "*"
// must be there, whatever it says.
func (l gatewayLog) whole(t *testing.T, i int, want fields) {
	t.Helper()
	got := eventFields(l.parse(t, i))
	for k, v := range want {
		if _, ok := got[k]; ok && v == "*" {
			got[k] = "*"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line %s:\n(-want +got)\n%s", l.lines[i], diff)
	}
}

// part holds that the event of a line has these values; an empty one means that the field is absent.
func (l gatewayLog) part(t *testing.T, i int, want fields) {
	t.Helper()
	all, got := eventFields(l.parse(t, i)), fields{}
	for k := range want {
		got[k] = all[k]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line %s:\n(-want +got)\n%s", l.lines[i], diff)
	}
}

// program finds a program, also where an ordinary user's PATH does not look.
func findProgram(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: apt-get install %s, or make deps", name, pkg)
	return ""
}

// patience is how long a gateway may take to start or to log, on a machine that has other things to do.
const patience = 2 * time.Minute

// startGateway runs a gateway until the test ends, and waits until it listens. What it prints to its
// standard output goes to a file of that name in dir.
func startGateway(t *testing.T, dir, listens string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { cancel(); <-exited })
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", listens)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-exited:
			exited <- err
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("%s ended: %v\n%s%s", filepath.Base(command[0]), err, &stderr, log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", filepath.Base(command[0]), err)
		}
	}
}

// sender makes calls that each have a connection of their own.
type sender struct {
	t      *testing.T
	client *http.Client
}

func newSender(t *testing.T) sender {
	t.Helper()
	return sender{t, &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ServerName: liveHost},
		DisableKeepAlives: true,
	}}}
}

// send makes a call and returns the header of its answer.
func (s sender) send(method, url, body string, headers ...string) http.Header {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = liveHost
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.Header
}

// check sends a liveness check.
func (s sender) check(base string) http.Header {
	s.t.Helper()
	return s.send("POST", base+"/v1/liveness/check?lang=id", strings.Repeat("x", liveBody), checkHeaders()...)
}

func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{liveHost}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	writeFile(t, filepath.Join(dir, "cert.pem"), string(cert))
	writeFile(t, filepath.Join(dir, "key.pem"), string(secret))
	writeFile(t, filepath.Join(dir, "both.pem"), string(cert)+string(secret))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readSnippet(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("snippets", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
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
	_, _ = io.Copy(io.Discard, conn) // gateways log before they close
}

// waitForLines reads a log until it has n lines.
func waitForLines(t *testing.T, file string, n int) [][]byte {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
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
