package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/internal/loopback"
)

const (
	inputToken  = "0123456789abcdef0123456789abcdef"
	inputSecret = "fedcba9876543210fedcba9876543210"
)

// receiver is an agent of its own process that takes lines from the network and writes documents to a
// file.
type receiver struct {
	t   *testing.T
	dir string
	bin string
	ca  *collectorstest.Authority
}

func newReceiver(t *testing.T, inputs string) *receiver {
	t.Helper()
	r := &receiver{t: t, dir: t.TempDir(), ca: collectorstest.NewAuthority(t)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the command when it is called by its name (testscript.Main).
	r.bin = filepath.Join(r.dir, "liveward")
	if err := os.Symlink(self, r.bin); err != nil {
		t.Fatal(err)
	}
	certificate, key := r.ca.Issue(t, "listener")
	r.write("cert.pem", string(certificate))
	r.write("key.pem", string(key))
	r.write("ca.pem", string(r.ca.PEM))
	r.write("token", inputToken)
	r.write("secret", inputSecret)
	r.write("pseudonym.keys", r.run("pseudonym", "new-key"))
	r.write("liveward.yaml", "agent: {id: gw-1, data: data, health: 0s}\nprivacy: {keys: '${file:pseudonym.keys}'}\nndjson: {path: out.ndjson}\ninputs:\n"+inputs)
	return r
}

func (r *receiver) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *receiver) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(r.t.Context()), r.bin, args...)
	cmd.Dir = r.dir
	return cmd
}

func (r *receiver) run(args ...string) string {
	r.t.Helper()
	out, err := r.command(args...).Output()
	if err != nil {
		r.t.Fatalf("liveward %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// start runs the agent until it listens on so many addresses.
func (r *receiver) start(addresses int) *agentProcess {
	r.t.Helper()
	a := &agentProcess{cmd: r.command("run", "-c", "liveward.yaml"), log: &lockedBuffer{}}
	a.cmd.Stderr = a.log
	if err := a.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		a.kill()
		if r.t.Failed() {
			r.t.Logf("agent's log:\n%s", a.log.tail(4000))
		}
	})
	await(r.t, "the listeners", func() bool {
		log := a.log.tail(1 << 20)
		if strings.HasPrefix(log, "liveward: ") {
			r.t.Fatalf("the agent does not start: %s", log)
		}
		return strings.Count(log, `"msg":"listening"`) >= addresses
	})
	return a
}

func (r *receiver) stop(a *agentProcess) {
	r.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := a.cmd.Wait(); err != nil {
		r.t.Fatalf("agent: %v\n%s", err, a.log.tail(4000))
	}
}

// requests are the ids of requests in the documents, by how often they stand there; what is in
// quarantine has none.
func (r *receiver) requests() map[string]int {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "out.ndjson"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	found := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		var d stored
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			r.t.Fatal(err)
		}
		found[d.HTTP.Request.ID]++
	}
	return found
}

func (r *receiver) await(ids ...string) {
	r.t.Helper()
	await(r.t, fmt.Sprint("documents of ", ids), func() bool {
		have := r.requests()
		for _, id := range ids {
			if have[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range r.requests() {
		if n != 1 {
			r.t.Errorf("%d documents of request %q", n, id)
		}
	}
}

// gatewayLine is a line of the gateway's log with a request id.
func gatewayLine(id string) string {
	return fmt.Sprintf(`{"ts":%q,"request_id":%q,"remote_addr":"198.51.100.7","method":"POST","uri":"/v1/liveness/check","status":200}`, time.Now().UTC().Format(time.RFC3339), id)
}

func kongObject(id string) string {
	return fmt.Sprintf(`{"request":{"id":%q,"method":"POST","uri":"/v1/liveness/check","headers":{}},"response":{"status":200,"headers":{}},"latencies":{"request":5},"client_ip":"198.51.100.7","started_at":%d}`, id, time.Now().UnixMilli())
}

type sender struct {
	client *http.Client
	url    string
	header map[string]string
}

func (s sender) post(ctx context.Context, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for k, v := range s.header {
		req.Header.Set(k, v)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (s sender) must(t *testing.T, want int, body string) {
	t.Helper()
	code, err := s.post(t.Context(), body)
	if err != nil || code != want {
		t.Errorf("%s: answered %d, %v; want %d", s.url, code, err, want)
	}
}

func plainClient(t *testing.T, cfg *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: cfg}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func sum(body string) []byte {
	mac := hmac.New(sha256.New, []byte(inputSecret))
	_, _ = io.WriteString(mac, body)
	return mac.Sum(nil)
}

func signature(key, body string) string {
	mac := hmac.New(sha256.New, []byte(inputSecret))
	now := time.Now().Unix()
	_, _ = fmt.Fprintf(mac, "%d.%s.%s", now, key, body)
	return fmt.Sprintf("t=%d,v1=%s", now, hex.EncodeToString(mac.Sum(nil)))
}

// A running agent takes what gateways and shippers send, each in its way, and refuses what has no
// credential.
func TestInputsOfARunningAgent(t *testing.T) {
	kong, signed, mutual, otel, stream, secure, hook := loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t)
	r := newReceiver(t, fmt.Sprintf(`
  - {name: kong, push: {listen: '%s', path: /kong, tokens: ['${file:token}']}, format: kong_json}
  - {name: signed, push: {listen: '%s', signing_secrets: ['${file:secret}']}, format: nginx_json}
  - {name: mutual, push: {listen: '%s', tls: {cert_file: cert.pem, key: '${file:key.pem}', client_ca_file: ca.pem}}, format: nginx_json}
  - {name: otel, otlp: {listen: '%s'}, format: nginx_json}
  - {name: network, syslog: {tcp: '%s', udp: '%s', secure: '%s', tls: {cert_file: cert.pem, key: '${file:key.pem}', client_ca_file: ca.pem}}, format: nginx_json}
  - {name: outcomes, webhook: {listen: '%s', vendor: veriff, secrets: ['${file:secret}']}}
`, kong, signed, mutual, otel, stream, stream, secure, hook))
	a := r.start(8)

	toKong := sender{plainClient(t, nil), "http://" + kong + "/kong", map[string]string{"Authorization": "Bearer " + inputToken, "Content-Type": "application/json"}}
	toKong.must(t, 200, kongObject("kong-1"))
	toKong.must(t, 200, "["+kongObject("kong-2")+","+kongObject("kong-3")+"]")
	toKong.header["Authorization"] = "Bearer another-token-of-the-same-length"
	toKong.must(t, 401, kongObject("stranger"))

	body := gatewayLine("signed-1") + "\n" + gatewayLine("signed-2") + "\n"
	toSigned := sender{plainClient(t, nil), "http://" + signed, map[string]string{"X-Liveward-Signature": signature("", body), "Content-Type": "application/x-ndjson"}}
	toSigned.must(t, 401, body+gatewayLine("stranger"))
	toSigned.must(t, 200, body)
	toSigned.must(t, 401, body) // replayed

	toMutual := sender{plainClient(t, r.ca.Client(t, r.ca)), "https://" + mutual, nil}
	toMutual.must(t, 200, gatewayLine("mutual-1"))
	if _, err := (sender{plainClient(t, r.ca.Client(t, nil)), "https://" + mutual, nil}).post(t.Context(), gatewayLine("stranger")); err == nil {
		t.Error("a sender without a certificate is answered")
	}

	quoted, err := json.Marshal(gatewayLine("otel-1"))
	if err != nil {
		t.Fatal(err)
	}
	toOTel := sender{plainClient(t, nil), "http://" + otel + "/v1/logs", map[string]string{"Content-Type": "application/json"}}
	toOTel.must(t, 200, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":`+string(quoted)+`}}]}]}]}`)

	outcome := fmt.Sprintf(`{"status":"success","verification":{"id":"session-1","attemptId":"a-1","status":"declined","reasonCode":526,"decisionTime":%q}}`, time.Now().UTC().Format(time.RFC3339))
	toHook := sender{plainClient(t, nil), "http://" + hook, map[string]string{"X-HMAC-Signature": hex.EncodeToString(sum(outcome)), "Content-Type": "application/json"}}
	toHook.must(t, 200, outcome)
	toHook.must(t, 200, outcome) // answered as before, and not stored again
	toHook.must(t, 401, outcome+" ")

	const head = "<13>Mar 14 02:12:44 gw-1 nginx: "
	for network, line := range map[string]string{"tcp": gatewayLine("tcp-1"), "udp": gatewayLine("udp-1")} {
		conn, err := net.Dial(network, stream)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, head+line+"\n"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
	conn, err := tls.Dial("tcp", secure, r.ca.Client(t, r.ca))
	if err != nil {
		t.Fatal(err)
	}
	message := head + gatewayLine("tls-1")
	if _, err := fmt.Fprintf(conn, "%d %s", len(message), message); err != nil {
		t.Error(err)
	}
	_ = conn.Close()

	r.await("kong-1", "kong-2", "kong-3", "signed-1", "signed-2", "mutual-1", "otel-1", "tcp-1", "udp-1", "tls-1")
	await(t, "the outcome", func() bool { return r.requests()[""] == 1 }) // it has no request id
	r.stop(a)
	if have := r.requests(); len(have) != 11 || have[""] != 1 {
		t.Errorf("%d requests in the documents, want 10 and an outcome: %v", len(have), have)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "out.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, `"webhook_veriff"`) {
			continue
		}
		for _, want := range []string{`"action":"liveness-webhook"`, `"decision":"spoof"`, `"vendor":"veriff"`, `"class":"injection"`} {
			if !strings.Contains(line, want) {
				t.Errorf("the outcome has no %s: %s", want, line)
			}
		}
	}
}

// Another program has the port: the agent says so once, other inputs run, and the input comes up when
// the port is free.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", loopback.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	free := loopback.Address(t)
	r := newReceiver(t, fmt.Sprintf(`
  - {name: late, push: {listen: '%s'}, format: nginx_json}
  - {name: other, push: {listen: '%s'}, format: nginx_json}
`, taken.Addr(), free))
	a := r.start(1)
	sender{plainClient(t, nil), "http://" + free, nil}.must(t, 200, gatewayLine("other-1"))
	r.await("other-1") // nobody waits for the input that cannot listen
	await(t, "the second try", func() bool { return strings.Contains(a.log.tail(1<<20), "address already in use") })
	time.Sleep(3 * time.Second) // two more tries, of which nothing is said
	if n := strings.Count(a.log.tail(1<<20), "address already in use: stop the program that has the port, or choose another"); n != 1 {
		t.Errorf("told of %d times, want once", n)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the listener", func() bool { return strings.Count(a.log.tail(1<<20), `"msg":"listening"`) == 2 })
	sender{plainClient(t, nil), "http://" + taken.Addr().String(), nil}.must(t, 200, gatewayLine("late-1"))
	r.await("late-1", "other-1")
	r.stop(a)
}

// The agent is killed again and again while senders post. What was answered 200 is there, once, though
// every request comes again until it is answered.
func TestKilledBetweenReceiptAndAnswer(t *testing.T) {
	const senders, kills = 4, 6
	address := loopback.Address(t)
	r := newReceiver(t, fmt.Sprintf("  - {name: pushed, push: {listen: '%s'}, format: nginx_json}\n", address))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	var mu sync.Mutex
	var acknowledged []string
	again := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			client := plainClient(t, nil)
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("r-%d-%d", s, n)
				body := gatewayLine(id+"-a") + "\n" + gatewayLine(id+"-b")
				to := sender{client, "http://" + address, map[string]string{"Idempotency-Key": id}}
				for {
					code, err := to.post(context.WithoutCancel(ctx), body)
					if err == nil && code == http.StatusOK {
						break
					}
					mu.Lock()
					again++
					mu.Unlock()
					time.Sleep(5 * time.Millisecond)
				}
				mu.Lock()
				acknowledged = append(acknowledged, id+"-a", id+"-b")
				mu.Unlock()
			}
		})
	}
	for range kills {
		a := r.start(1)
		time.Sleep(time.Duration(50+random.IntN(700)) * time.Millisecond)
		a.kill()
	}
	a := r.start(1)
	await(t, "some lines to be acknowledged", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) >= 20
	})
	stop()
	all.Wait()
	r.await(acknowledged...)
	r.stop(a)
	if have := r.requests(); len(have) != len(acknowledged) {
		t.Errorf("%d requests in the documents, %d acknowledged", len(have), len(acknowledged))
	}
	if again < kills {
		t.Errorf("only %d posts came again: the agent was never in the middle of one", again)
	}
	t.Logf("%d lines, %d kills, %d posts came again", len(acknowledged), kills, again)
}
