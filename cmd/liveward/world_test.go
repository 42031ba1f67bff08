package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/internal/estest"
	"github.com/liveward/liveward/internal/loopback"
)

// world is a bank's gateway with all that stands around the agent: a real nginx in front of a server
// that answers like a liveness vendor, a real Elasticsearch with TLS and security, a faithful fake
// Slack, and the agent's binary with its files.
type world struct {
	t         *testing.T
	dir       string
	binary    string
	gateway   string // address of nginx
	nginx     *exec.Cmd
	es        *estest.Server
	namespace string
	slack     *slackfake.Server
	client    *http.Client
	sent      atomic.Int64
	rotations int
}

const gatewayLog = "liveness.json"

// The keys of the bank's backends; the upstream refuses all others.
func goodKeys() []string { return []string{"key-retail-00000000001", "key-digital-0000000002"} }

// newWorld makes a world around a server; one that a test kills must be its own.
func newWorld(t *testing.T, es *estest.Server) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), es: es, slack: slackfake.New(slackfake.Options{})}
	t.Cleanup(w.slack.Close)
	w.namespace = w.es.Namespace(t)
	w.client = &http.Client{Timeout: 4 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	w.binary = buildCommand(t)
	w.startGateway()
	w.configure()
	return w
}

// vendor answers like an adapter in front of a liveness vendor: the verdict is in headers.
func vendor() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if !slices.Contains(goodKeys(), r.Header.Get("X-Api-Key")) {
			rw.Header().Set("X-Auth-Reason", "unknown_key")
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		decision := r.Header.Get("X-Play")
		score := "0.97"
		if decision == "spoof" {
			score = "0.08"
			rw.Header().Set("X-Liveness-Attack-Class", "presentation")
			rw.Header().Set("X-Liveness-Attack-Type", "screen_replay")
		}
		rw.Header().Set("X-Liveness-Vendor", "acme")
		rw.Header().Set("X-Liveness-Decision", decision)
		rw.Header().Set("X-Liveness-Score", score)
		rw.Header().Set("X-Liveness-Threshold", "0.5")
		rw.Header().Set("X-Liveness-Session", r.Header.Get("X-Session"))
		rw.Header().Set("X-Liveness-Attempt", "1")
	})
}

func (w *world) startGateway() {
	w.t.Helper()
	upstream := httptest.NewServer(vendor())
	w.t.Cleanup(upstream.Close)
	snippet, err := filepath.Abs("../../collectors/formats/snippets/nginx.conf")
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway = loopback.Address(w.t)
	conf := fmt.Sprintf(`
daemon off; master_process off; pid nginx.pid; error_log error.log warn;
events {}
http {
	keepalive_timeout 1h; # a connection that ends while a call is on its way is a call that is not counted
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	include %s;
	upstream vendor { server %s; keepalive 16; }
	server {
		listen %s;
		access_log %s liveward;
		location / { proxy_pass http://vendor; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}`, snippet, upstream.Listener.Addr(), w.gateway, gatewayLog)
	w.write("nginx.conf", conf)
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			w.t.Fatal("nginx is not installed: apt-get install nginx-light")
		}
	}
	w.nginx = exec.CommandContext(context.WithoutCancel(w.t.Context()), nginx, "-p", w.dir, "-c", "nginx.conf", "-e", "stderr")
	var log bytes.Buffer
	w.nginx.Stderr = &log
	if err := w.nginx.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = w.nginx.Process.Signal(syscall.SIGTERM)
		_ = w.nginx.Wait()
	})
	await(w.t, "nginx", func() bool {
		c, err := net.Dial("tcp", w.gateway)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// configure makes the agent's files with the product's own commands: pseudonym key, templates and
// least-privilege API key, configuration.
func (w *world) configure() {
	w.t.Helper()
	w.write("ca.pem", string(w.es.CA))
	w.write("password", w.es.Password)
	w.write("pseudonym.keys", w.run("pseudonym", "new-key"))
	w.run("setup", "elasticsearch", "--profile", "minimal", "--url", w.es.URL, "--ca", w.path("ca.pem"),
		"--user", "elastic", "--password-file", w.path("password"), "--key-file", w.path("es.key"), "--new-key")
	w.write("slack.token", slackfake.DefaultToken)
	created := time.Now().AddDate(0, -1, 0).Format(time.DateOnly) // not due for rotation
	w.write("keys.yaml", fmt.Sprintf(`keys:
  - {id: %q, owner: retail-backend, created: %s, scopes: [liveness-check], allow: [198.51.100.0/24]}
  - {id: %q, owner: digital-backend, created: %s, scopes: [liveness-check], allow: [198.51.100.0/24]}
`, logged(goodKeys()[0]), created, logged(goodKeys()[1]), created))
	w.write("liveward.yaml", fmt.Sprintf(`
agent: {id: gw-1, data: %s, health: 0s}
privacy: {keys: "${file:%s}"}
inputs:
  - name: gateway
    paths: [%s]
    format: nginx_json
    keys: %s
    trusted_proxies: [127.0.0.1]
elasticsearch: {urls: [%s], ca_file: %s, api_key: "${file:%s}", namespace: %s}
slack: {token: "${file:%s}", channel: "#alerts", base_url: %s}
kibana: {url: "https://kibana.bank.example"}
`, w.path("data"), w.path("pseudonym.keys"), w.path(gatewayLog), w.path("keys.yaml"), w.es.URL, w.path("ca.pem"),
		w.path("es.key"), w.namespace, w.path("slack.token"), w.slack.BaseURL()))
}

// logged is what the nginx snippet writes of a key.
func logged(key string) string { return key[:4] + ".." + key[len(key)-4:] }

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// run runs a command of the binary to its end and returns its standard output.
func (w *world) run(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), w.binary, args...)
	cmd.Dir = w.dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("liveward %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// agentProcess is a running agent.
type agentProcess struct {
	cmd *exec.Cmd
	log *lockedBuffer
}

func (w *world) startAgent() *agentProcess {
	w.t.Helper()
	a := &agentProcess{cmd: exec.CommandContext(context.WithoutCancel(w.t.Context()), w.binary, "run", "-c", w.path("liveward.yaml")), log: &lockedBuffer{}}
	a.cmd.Dir = w.dir
	a.cmd.Stderr = a.log
	if err := a.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("agent's log:\n%s", a.log.tail(6000))
		}
	})
	return a
}

// kill ends the agent as a crash does.
func (a *agentProcess) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// stop ends the agent in good order.
func (w *world) stop(a *agentProcess) {
	w.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if err := a.cmd.Wait(); err != nil {
		w.t.Fatalf("agent: %v\n%s", err, a.log.tail(4000))
	}
}

// call is one request to the gateway.
type call struct {
	play, key, from, tenant, subject, device, session, agent string
}

// send makes a call; it counts once the gateway has answered.
func (w *world) send(ctx context.Context, c call) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.gateway+"/v1/liveness/check", strings.NewReader("frame"))
	if err != nil {
		return err
	}
	for k, v := range map[string]string{
		"X-Play": c.play, "X-Api-Key": c.key, "X-Forwarded-For": c.from, "X-Tenant-Id": c.tenant, "X-Subject-Ref": c.subject,
		"X-Device-Ref": c.device, "X-Session": c.session, "User-Agent": c.agent, "X-Consent-Id": "c-1",
	} {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	w.sent.Add(1)
	return res.Body.Close()
}

// genuine is an ordinary call: person n, on a device of their own, through a backend of the bank.
func genuine(n int) call {
	i := n % len(goodKeys())
	return call{
		play: "live", key: goodKeys()[i], from: fmt.Sprintf("198.51.100.%d", 1+n%8), tenant: []string{"retail", "digital"}[i],
		subject: fmt.Sprintf("subject-%06d", n), device: fmt.Sprintf("device-%06d", n), session: fmt.Sprintf("s-%06d", n), agent: "Java/21.0.2",
	}
}

// badKeys is a burst of one wrong key from one address.
func badKeys(n int) []call {
	calls := make([]call, n)
	for i := range calls {
		calls[i] = call{key: "key-guessed-0000000000001", from: "203.0.113.50", agent: "python-requests/2.32"}
	}
	return calls
}

// spoofs is a wave of spoofs at one tenant.
func spoofs(n int) []call {
	calls := make([]call, n)
	for i := range calls {
		calls[i] = genuine(700_000 + 2*i)
		calls[i].play = "spoof"
	}
	return calls
}

// farm is many people on one device.
func farm(n int) []call {
	calls := make([]call, n)
	for i := range calls {
		calls[i] = genuine(800_000 + 2*i + 1)
		calls[i].device = "device-of-the-farm"
	}
	return calls
}

// stolen is a good key from an address that is not on its list.
func stolen() []call {
	c := genuine(900_000)
	c.from = "203.0.113.77"
	return []call{c}
}

// registered waits until the agent has told the journal of the log. What is rotated away before that
// is no part of what it was asked to read.
func (w *world) registered() {
	w.t.Helper()
	await(w.t, "the first document", func() bool { return w.es.Count(w.t, w.stream("event")) > 0 })
}

// rotate renames the log and lets nginx open a new one, as logrotate with its postrotate does: what was
// rotated before is one number further.
func (w *world) rotate() {
	w.t.Helper()
	for n := w.rotations; n >= 0; n-- {
		if err := os.Rename(w.path(generation(n)), w.path(generation(n+1))); err != nil {
			w.t.Fatal(err)
		}
	}
	w.rotations++
	if err := w.nginx.Process.Signal(syscall.SIGUSR1); err != nil {
		w.t.Fatal(err)
	}
	await(w.t, "the new log", func() bool { _, err := os.Stat(w.path(gatewayLog)); return err == nil })
}

// generation names a log after so many rotations.
func generation(n int) string {
	if n == 0 {
		return gatewayLog
	}
	return fmt.Sprintf("%s.%d", gatewayLog, n)
}

// logs are all generations of the gateway's log, oldest first.
func (w *world) logs() []string {
	var out []string
	for n := w.rotations; n >= 0; n-- {
		out = append(out, generation(n))
	}
	return out
}

// awaitLog waits until the gateway has logged every call: it does so after it has answered.
func (w *world) awaitLog() {
	w.t.Helper()
	await(w.t, "the gateway's log", func() bool { return int64(w.logLines()) >= w.sent.Load() })
}

// logLines counts the lines of all generations.
func (w *world) logLines() int {
	n := 0
	for _, l := range w.logs() {
		data, err := os.ReadFile(w.path(l))
		if err != nil {
			w.t.Fatal(err)
		}
		n += bytes.Count(data, []byte{'\n'})
	}
	return n
}

func (w *world) stream(class string) string { return "logs-liveward." + class + "-" + w.namespace }

// stored is what the tests look at in a stored document.
type stored struct {
	Event struct{ ID string }
	HTTP  struct{ Request struct{ ID string } }
	Rule  struct{ ID string }
}

// documents returns a stream's documents; the _id of each must be its event.id.
func (w *world) documents(class string) []stored {
	w.t.Helper()
	docs := w.es.Docs(w.t, w.stream(class))
	out := make([]stored, len(docs))
	for i, d := range docs {
		if err := json.Unmarshal(d.Source, &out[i]); err != nil {
			w.t.Fatal(err)
		}
		if out[i].Event.ID != d.ID {
			w.t.Errorf("_id %s, event.id %s", d.ID, out[i].Event.ID)
		}
	}
	return out
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited eight minutes for %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	return s[max(0, len(s)-n):]
}
