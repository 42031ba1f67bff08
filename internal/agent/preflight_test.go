package agent

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/alerting/slack/slackfake"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/s3/sqsfake"
	"github.com/liveward/liveward/internal/secret"
	"github.com/liveward/liveward/internal/strict"
)

// told are findings as lines, with what differs from run to run taken out.
func told(dir string, found []Finding) string {
	var s strings.Builder
	for _, f := range found {
		s.WriteString(string(f.Verdict) + " " + f.What + ": " + f.Said + "\n")
	}
	return strings.ReplaceAll(s.String(), dir, "DIR")
}

func TestPreflightFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Root may read everything: what cannot be opened is a link to nowhere.
	if err := os.Symlink(at("nowhere"), at("broken.json")); err != nil {
		t.Fatal(err)
	}
	// Nobody writes into it: who opens it waits.
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("a.old"), 0o700); err != nil {
		t.Fatal(err)
	}
	in := input{InputConfig: InputConfig{Name: "gw", Paths: []string{"-", at("a.*"), at("b.*"), at("gone/c"), at("*.json"), at("fifo")}}}
	want := `ok input gw, DIR/a.*: may be read
warning input gw, DIR/b.*: no such file yet: it is waited for
warning input gw, DIR/gone/c: open DIR/gone: no such file or directory: nothing is there yet
wrong input gw, DIR/*.json: stat DIR/broken.json: no such file or directory
wrong input gw, DIR/fifo: DIR/fifo: not a regular file: only those are read
`
	if diff := cmp.Diff(want, told(dir, in.preflight(t.Context(), time.Now))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := os.Chmod(at("a.log"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		return
	}
	if got := told(dir, in.preflight(t.Context(), time.Now)); !strings.Contains(got, "wrong input gw, DIR/a.*: open DIR/a.log: permission denied: let the user") {
		t.Errorf("found:\n%s", got)
	}
}

func TestPreflightCertificates(t *testing.T) {
	dir := t.TempDir()
	path := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := collectorstest.NewAuthority(t)
	cert, key := ca.Issue(t, "agent")
	p := &Plan{}
	p.certs.add(&TLSConfig{CertFile: path("cert.pem", append(cert, ca.PEM...)), Key: SecretRef{"file", path("key.pem", key)}, ClientCAFile: path("ca.pem", ca.PEM)}, nil)
	p.inputs = []input{{InputConfig: InputConfig{Name: "bus", NATS: &NATSConfig{CAFile: path("none.pem", key)}}}}
	p.Config.Elasticsearch.CAFile = filepath.Join(dir, "ca.pem") // once is enough
	p.Config.Elasticsearch.ClientCert = filepath.Join(dir, "gone.pem")
	f := func(want string, after time.Duration) {
		t.Helper()
		got := strings.SplitAfter(told(dir, p.preflightCertificates(time.Now().Add(after))), "\n")
		if len(got) != 5 || !strings.HasPrefix(got[0], want) || !strings.HasPrefix(got[1], strings.Replace(want, "cert.pem", "ca.pem", 1)) {
			t.Errorf("found %q, want %q", got, want)
		}
		if got[2] != "wrong certificate DIR/none.pem: DIR/none.pem holds no certificate in PEM\n" || !strings.HasPrefix(got[3], "wrong certificate DIR/gone.pem: open") {
			t.Errorf("found %q", got)
		}
	}
	f("warning certificate DIR/cert.pem: expires on ", 0) // in an hour
	f("wrong certificate DIR/cert.pem: expired on ", 2*time.Hour)
	f("wrong certificate DIR/cert.pem: not valid before ", -2*time.Hour)
	if verdict, said := judgeCertificates(filepath.Join(dir, "cert.pem"), false, time.Now().Add(-expiresSoon)); verdict != "wrong" {
		t.Errorf("%s: %s", verdict, said)
	}
}

func TestPreflightSlack(t *testing.T) {
	server := slackfake.New(slackfake.Options{Scopes: []string{"chat:write", "channels:read"}})
	defer server.Close()
	f := func(want string, change func(p *Plan)) {
		t.Helper()
		p := &Plan{}
		p.Config.Agent.Data = t.TempDir()
		p.secrets.slackToken = secret.New(slackfake.DefaultToken)
		p.Config.Slack.Channel, p.Config.Slack.BaseURL = slackfake.DefaultChannel, server.BaseURL()
		change(p)
		found, err := p.Preflight(t.Context(), time.Now)
		if got := told("-", found[1:]); !strings.HasPrefix(got, want) || (err != nil) != strings.HasPrefix(want, "wrong") {
			t.Errorf("found %q with error %v, want %q", got, err, want)
		}
	}
	f("ok slack: reached as bot liveward of Fake, who may post in #alerts\n", func(*Plan) {})
	f("unknown slack: reached as bot liveward of Fake; Slack tells of a channel by its id alone", func(p *Plan) { p.Config.Slack.Channel = "#alerts" })
	f("wrong slack: auth.test: invalid_auth (check the bot token)", func(p *Plan) { p.secrets.slackToken = secret.New("xoxb-wrong") })
	f("wrong slack: base url", func(p *Plan) { p.Config.Slack.BaseURL = "http://slack.example/" })
	f("unknown slack: an incoming webhook cannot be asked without posting", func(p *Plan) {
		p.secrets.slackToken, p.Config.Slack.Channel, p.secrets.slackWebhook = secret.String{}, "", secret.New(server.WebhookURL())
	})
	f("", func(p *Plan) { p.secrets.slackToken = secret.String{} })
	if n := len(server.Messages()); n > 0 {
		t.Errorf("%d messages were posted", n)
	}
}

// The findings of all parts are told in the order of the configuration, whoever answers first.
func TestPreflightDisk(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := strict.Size(st.Bavail) * strict.Size(st.Bsize)
	for _, c := range []struct {
		data, ndjson  string
		most, reserve strict.Size
		want          string
	}{
		{at("data"), "", 1, 1, "ok data directory DIR/data: will be made\n"},
		{at("a/b/data"), at("out.ndjson"), 1, 1, "ok data directory DIR/a/b/data: will be made\nok ndjson, DIR/out.ndjson: may be written\n"},
		{dir, at("file"), 1, 1, "ok data directory DIR: may be written\nok ndjson, DIR/file: may be written\n"},
		{at("file"), at("none/out"), 1, 1, "wrong data directory DIR/file: DIR/file is not a directory\nwrong ndjson, DIR/none/out: DIR/none: there is no such directory: make it\n"},
		{at("file/data"), dir, 1, 1, "wrong data directory DIR/file/data: stat DIR/file/data: not a directory\nwrong ndjson, DIR: not a regular file\n"},
		{dir, "", 1, 2 * free, "nothing would be taken"},
		{dir, "", 2 * free, 1, "lower journal.max_size"},
	} {
		cfg := Default()
		cfg.Agent.Data, cfg.NDJSON.Path, cfg.Journal.MaxSize, cfg.Journal.ReserveFree = c.data, c.ndjson, c.most, c.reserve
		got := told(dir, (&Plan{Config: cfg}).preflightDisk())
		if !strings.Contains(got, c.want) || strings.Contains(c.want, "\n") && got != c.want {
			t.Errorf("found %q, want %q", got, c.want)
		}
	}
	if os.Geteuid() == 0 {
		return // whom no mode keeps out
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	if err := mayWrite(dir); err == nil || !strings.Contains(err.Error(), "let the user that liveward runs as write there") {
		t.Errorf("a directory that may not be written: %v", err)
	}
}

func TestPreflight(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", sqsfake.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-access-key")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	queue := sqsfake.New(t)
	queue.Most = 5
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer store.Close()
	dir := t.TempDir()
	cfg := Default()
	cfg.Agent.Data, cfg.Journal.MaxSize, cfg.Journal.ReserveFree = dir, 64<<20, 1
	cfg.Inputs = []InputConfig{
		{Name: "gw", Paths: []string{filepath.Join(dir, "gw.log")}},
		{Name: "alb", Format: "aws_alb", S3: &S3Config{Queue: queue.URL()}},
		{Name: "bus", NATS: &NATSConfig{URLs: []string{"nats://127.0.0.1:1"}, Stream: "LOGS"}},
		{Name: "push", Push: &PushConfig{Listen: "127.0.0.1:0"}},
	}
	cfg.Elasticsearch.URLs = []string{store.URL}
	p, err := PrepareDemo(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.Preflight(t.Context(), time.Now)
	if err == nil || err.Error() != "2 of 6 checks went wrong" {
		t.Errorf("Preflight returned %v", err)
	}
	want := []string{"warning input gw, DIR/gw.log: no such file yet", "ok input alb, queue: may be worked on", "unknown input alb, buckets: none is named", "wrong input bus, server: connect: nats: no servers", "ok data directory DIR: may be written", "wrong elasticsearch: "}
	got := strings.Split(strings.TrimSuffix(told(dir, found), "\n"), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("found %q, want %q", got, want)
		}
	}
}
