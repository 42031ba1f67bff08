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

## Times without a zone

nginx's error log, HAProxy's ` + "`%t`" + `, KrakenD, W3C and some others write local time and no zone: theirs is the input's
` + "`timezone`" + `, UTC unless told, on the calendar of that place. Let a gateway write UTC, or a zone, where it can: once a year
local time says the same hour twice, when clocks go back.

Such a line is the first time of the two, until the log steps back by more than a minute (by more than the input's ` + "`lateness`" + `,
where that is longer, and at most half the hour): that is the second pass, and what follows belongs to it. Each event of
that hour has ` + "`liveward.ambiguous`" + `, and ` + "`liveward_input_ambiguous_total`" + ` counts them. With ` + "`timezone: Europe/Berlin`" + `, clocks going
back from 03:00 to 02:00:

| the log says | the event is of | because |
| --- | --- | --- |
| 02:30:00 | 00:30:00Z | the first pass comes first |
| 02:59:59 | 00:59:59Z | |
| 02:59:57 | 00:59:57Z | seconds back are disorder |
| 02:00:00 | 01:00:00Z | an hour back is the second pass |
| 02:30:00 | 01:30:00Z | in the first pass it would be half an hour behind the line before it |
| 03:00:00 | 02:00:00Z | |

What decides is the log alone, so that a replay says what the agent said. How far the log has come is stored with its
position: a restart, or a rotation at the same path, changes nothing. What the log does not tell, nobody knows: a quiet log
that says 02:30 in the first pass and 02:30 or 02:40 in the second, with nothing between, has no step back, and of one that begins in
that hour nobody knows in which pass. Such lines are of the first pass, an hour early if they were of the second, until 03:00. A
file that is replayed by itself begins anew: give all files of a log that was rotated in that hour to one ` + "`replay`" + `. Where lines are
read as they are written, what would lie in the future is never taken for a second pass.

A time that clocks skip when they go forward, which no clock has shown, is read as if they had not yet: 02:30 is when
they show 03:30. Other times without a zone in the same line (` + "`consent.granted_at`" + `) are the later of the two, unless that lies
after the event.

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
