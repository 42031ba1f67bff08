package formats_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/collectors/formats/vendors"
)

const formatsPage = "../../docs/formats.md"

const formatsIntro = `# Formats and vendors

Written from the code by ` + "`make docs`" + `; a test holds the two together. A source names its format with
` + "`format:`" + `, ` + "`liveward parse --format`" + ` tries one. ` + "`auto`" + ` finds out per source, says what it decided and why, and
follows when the lines change. A format of your own is a map file in the directory ` + "`rules.formats_dir`" + `; the built-in
` + "[`nginx_json.yaml`](../collectors/formats/maps/nginx_json.yaml)" + ` explains the language.

The last three columns say what a format can give beside the call itself: the liveness answer, the verdict on
credentials or the key behind a call, and TLS between caller and gateway. A rule that needs what no source
gives is *blind* and shown as such.

| format | product | liveness | credentials | TLS | what it is |
| --- | --- | --- | --- | --- | --- |
`

const formatsNotes = `
## Snippets: how a gateway logs the liveness answer

The liveness answer stands in a response body, and no body belongs in a log. Let the adapter in front of the
vendor repeat it in headers (` + "`X-Liveness-Decision`" + `, ` + "`X-Liveness-Score`" + `, …), and let the gateway log those. The
files in ` + "[`collectors/formats/snippets`](../collectors/formats/snippets)" + ` do that, without bodies, cookies,
` + "`Authorization`" + ` or whole API keys:

| gateway | file | format | how it is tested |
| --- | --- | --- | --- |
| nginx | ` + "[`nginx.conf`](../collectors/formats/snippets/nginx.conf)" + ` | ` + "`nginx_json`" + ` | in the real nginx |
| HAProxy | ` + "[`haproxy.cfg`](../collectors/formats/snippets/haproxy.cfg)" + ` | ` + "`haproxy_http`" + `, ` + "`haproxy_https`" + ` | in the real HAProxy |
| Envoy | ` + "[`envoy.yaml`](../collectors/formats/snippets/envoy.yaml)" + ` | ` + "`envoy_json`" + ` | in the real Envoy |
| Kong | ` + "[`kong.yaml`](../collectors/formats/snippets/kong.yaml)" + ` | ` + "`kong_json`" + ` | its Lua in the real nginx with the Lua module; Kong itself is not run |
| APISIX | ` + "[`apisix.yaml`](../collectors/formats/snippets/apisix.yaml)" + ` | ` + "`apisix_json`" + ` | its Lua and variables in the real nginx with the Lua module; APISIX itself is not run |

The tests compare every field of the event. Apache (` + "`apache_common`" + `, ` + "`apache_combined`" + `), nginx's own log and its
error log, and caddy (` + "`caddy_json`" + `) are read from real programs as well; they need no snippet, but caddy writes
whole API keys unless a log filter takes them out.

## HAProxy: captures in this order

HAProxy logs captured headers without their names, so the order counts. Leave a capture out only at the end:

    http-request  capture: user-agent, x-forwarded-for, x-request-id, host, consumer
    http-response capture: decision, score, session, vendor, threshold, reason, attempt, transaction

` + "[`snippets/haproxy.cfg`](../collectors/formats/snippets/haproxy.cfg)" + ` has the lines for a frontend.
At least one request header must be captured: a lone pair of braces is taken as the request's.

## Envelopes

What a transport puts around lines is taken off first, up to four layers deep: Kubernetes CRI
(` + "`2026-03-14T02:12:44.101Z stdout F …`" + `), docker's json-file (` + "`{\"log\":…,\"stream\":…,\"time\":…}`" + `) and the syslog
headers of RFC 5424 and RFC 3164. So is a record of CloudWatch's subscriptions, if it has one message; where such
records come (push, Firehose, S3, NATS) their collectors take them apart, however many messages they have. A line that the container runtime has cut in parts is put together, up to
1 MiB; the event takes the place of the last part. Each part goes to quarantine by itself too, so that nothing
is lost where the agent stops between two parts. One input should name one such file: parts of several files
that are read in turn are not told apart, and end in quarantine.

## Lines that are no calls

W3C directives (` + "`#Fields:`" + `) and what nginx and KrakenD log about themselves give no event and do
not go to quarantine. They are counted.

nginx's error log and KrakenD's own lines speak of calls that the access log has as well, but for those that
never became a request (TLS handshakes). They have no status. A rule that counts calls over both counts twice.

W3C columns are those of the latest directive. Where an agent begins in the middle of a file, they are IIS's
usual ones until a directive comes; lines with others wait in quarantine.

## Lines in which a caller forges punctuation

Envoy, Istio and nginx's error log do not escape what callers send. Where a line has more quotes or clients than
its format has, what cannot have been forged is kept, the rest is left out (with Envoy's default text the peer
too, if it cannot be told), and ` + "`gateway.flags`" + ` has
` + "`ambiguous_line`" + `. Such a line is worth an alert. The JSON formats do not have the problem.

## Vendors

Which vendor answered is in ` + "`liveness.vendor`" + ` of the log, else in ` + "`vendor:`" + ` of the source. Its map says what its words
and scores mean.

| vendor | also known as | score | what it is |
| --- | --- | --- | --- |
`

// The page of formats is what the code and the maps say.
func TestFormatsReference(t *testing.T) {
	set, err := formats.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(formatsIntro)
	for _, f := range set.Info() {
		if f.Product == "" || f.Description == "" {
			t.Errorf("%s has no product or description", f.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", f.Name, f.Product, yes(f.Liveness), yes(f.Credentials), yes(f.TLS), f.Description)
	}
	b.WriteString(formatsNotes)
	known, err := vendors.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range known.Names() {
		b.WriteString(vendorRow(t, name))
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(formatsPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(formatsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/formats.md is not what the code says; run make docs:\n%s", diff)
	}
}

func vendorRow(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("vendors", "maps", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Description string
		Aliases     []string
		Score       *struct {
			Min, Max, Threshold *float64
			Inverted            bool
		}
	}
	if err := yaml.Unmarshal(src, &m); err != nil {
		t.Fatal(err)
	}
	score := "none"
	if s := m.Score; s != nil {
		score = "yes"
		if s.Min != nil && s.Max != nil {
			score = fmt.Sprintf("%v to %v", *s.Min, *s.Max)
		}
		if s.Inverted {
			score += ", high is a spoof"
		}
		if s.Threshold != nil {
			score += fmt.Sprintf(", threshold %v", *s.Threshold)
		}
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, strings.Join(m.Aliases, ", "), score, m.Description)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
