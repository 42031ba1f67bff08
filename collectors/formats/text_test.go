package formats

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/event"
)

// textFormats are the formats with parsers of their own whose typical line is known, and ecs_json.
func textFormats() []string {
	names := []string{"ecs_json"}
	for _, n := range natives() {
		if n.name != "nginx_combined" {
			names = append(names, n.name)
		}
	}
	return names
}

func TestTypicalLines(t *testing.T) {
	for _, n := range natives() {
		if typical[n.name] == "" {
			t.Errorf("%s has no typical line: neither detection nor allocations are tested", n.name)
		}
	}
}

// The fields that a table fills from free text are of a class that privacy looks at.
func TestPairsFillNoPlainText(t *testing.T) {
	for _, pairs := range [][]pair{logfmtPairs(), cefPairs(), cefCustomPairs(), w3cPairs()} {
		for key, o := range newPairTable(pairs) {
			field := event.FieldOf(o.to)
			if (o.as == asText || o.as == asLower) && field.Class == event.Plain {
				t.Errorf("%s fills %s, which privacy does not look at", key, field.Name)
			}
			if hint, no := reserved(o.to); no {
				t.Errorf("%s fills %s: %s", key, field.Name, hint)
			}
			if o.to == event.EventDuration && o.unit == 0 {
				t.Errorf("%s has no unit", key)
			}
		}
	}
}

// What a caller sends, escaped as each gateway escapes it, can neither change the status nor name
// another peer. Where a gateway escapes nothing, what is in doubt is left out.
func TestCallersCannotMoveFields(t *testing.T) {
	apache := func(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
	haproxy := func(s string) string {
		return strings.NewReplacer(`"`, "#22", "#", "#23", "{", "#7B", "|", "#7C", "}", "#7D").Replace(s)
	}
	plus := func(s string) string { return strings.ReplaceAll(s, " ", "+") }
	cef := func(s string) string { return strings.NewReplacer(`\`, `\\`, "=", `\=`).Replace(s) }
	bare := func(s string) string { return s }
	path := func(s string) string { return strings.ReplaceAll(s, " ", "%20") }
	for _, c := range []struct {
		format, line string // %s path, %s user agent
		escape       func(string) string
	}{
		{"nginx_combined", `203.0.113.24 - - [14/Mar/2026:09:12:44 +0700] "GET /%s HTTP/1.1" 401 3 "-" "%s"`, apache},
		{"apache_combined", `203.0.113.24 - - [14/Mar/2026:09:12:44 +0700] "GET /%s HTTP/1.1" 401 3 "-" "%s"`, apache},
		{"envoy_text", `[2026-03-14T02:12:44.101Z] "GET /%s HTTP/2" 401 - 1 2 3 1 "203.0.113.24" "%s" "r" "h" "10.0.0.1:80"`, bare},
		{"istio_text", `[2026-03-14T02:12:44.101Z] "GET /%s HTTP/2" 401 - via_upstream - "-" 1 2 3 1 "203.0.113.24" "%s" "r" "h" "10.0.0.1:80" c - 10.4.0.9:80 203.0.113.24:51120 - default`, bare},
		{"haproxy_http", `203.0.113.24:1 [14/Mar/2026:09:12:44.101] f b/s 0/0/2/7/9 401 4 - - ---- 1/1/1/1/0 0/0 {%[2]s} {spoof} "GET /%[1]s HTTP/1.1"`, haproxy},
		{"haproxy_https", `203.0.113.24:1 [14/Mar/2026:09:12:44.101] f~ b/s 0/0/2/7/9 401 4 - - ---- 1/1/1/1/0 0/0 {%[2]s} {spoof} "GET /%[1]s HTTP/1.1" 0/0/0/0/0 -/TLSv1.3/X`, haproxy},
		{"aws_alb", `https 2026-03-14T02:12:44.1Z a 203.0.113.24:5 - 0 0 0 401 - 1 4 "GET https://h:443/%s HTTP/1.1" "%s" - TLSv1.3 - "-" "-"`, apache},
		{"iis_w3c", `2026-03-14 02:12:44 10.4.0.9 GET /%s - 443 - 203.0.113.24 %s - 401 0 0 736`, plus},
		{"cef", `CEF:0|F5|ASM|1|2|x|5|rt=1773454364101 src=203.0.113.24 outcome=401 request=/%s requestClientApplication=%s`, cef},
		{"logfmt", `ts=2026-03-14T02:12:44.101Z status=401 remote_addr=203.0.113.24 path="/%s" ua="%s"`, apache},
	} {
		f := newFormat(t, c.format)
		for _, evil := range []string{
			"plain", `a"b`, `a\`, `a\"`, `" 200 1 "-" "-"`, `" "198.51.100.9" "x" "y" "z"`, `] "GET /b HTTP/1.1" 200 1`,
			`} {live|1} "GET /b HTTP/1.1" 200`, `HTTP/1.1" 200 - 1 2 3 1 "198.51.100.9" "u" "r" "h" "-"`, `x src=198.51.100.9 outcome=200`,
			`x status=200 remote_addr=198.51.100.9`, "200 0 0 1", "#22#7D", "a|b|c", `\x22 200`, "é", strings.Repeat("z", 300),
		} {
			line := fmt.Sprintf(c.line, path(c.escape(evil)), c.escape(evil))
			ev := newEvent()
			if err := f.Parse([]byte(line), ev); err != nil {
				t.Errorf("%s: %v: %s", c.format, err, line)
				continue
			}
			if got := ev.Int(event.HTTPResponseStatusCode); got != 401 {
				t.Errorf("%s has status %d: %s", c.format, got, line)
			}
			if got := ev.Str(event.SourceIP); got != "203.0.113.24" && (got != "" || len(ev.List(event.GatewayFlags)) == 0) {
				t.Errorf("%s has peer %q: %s", c.format, got, line)
			}
			if d := ev.Str(event.LivenessDecisionRaw); d == "live" {
				t.Errorf("%s has a forged decision: %s", c.format, line)
			}
			if ua := ev.Str(event.UserAgentOriginal); ua != "" && ua != evil && ev.List(event.GatewayFlags) == nil && c.format != "iis_w3c" {
				t.Errorf("%s has user agent %q, want %q", c.format, ua, evil)
			}
		}
	}
}

// A file that is read on from its middle has no directive.
func TestColumnsBeforeTheDirective(t *testing.T) {
	line := []byte("2026-03-14 02:12:44 203.0.113.24 POST /a 401")
	if err := enveloping(t, "iis_w3c", Options{}).Parse(line, newEvent()); !errors.Is(err, errNoDirective) {
		t.Errorf("without columns: %v", err)
	}
	for _, columns := range []string{"date time c-ip cs-method cs-uri-stem sc-status", "#Fields: date time c-ip cs-method cs-uri-stem sc-status"} {
		ev := newEvent()
		if err := enveloping(t, "iis_w3c", Options{Columns: columns}).Parse(line, ev); err != nil || ev.Str(event.SourceIP) != "203.0.113.24" {
			t.Errorf("%s: %v, peer %q", columns, err, ev.Str(event.SourceIP))
		}
	}
}

// Directives give no event, and do not unsettle auto.
func TestAutoFollowsDirectives(t *testing.T) {
	var log bytes.Buffer
	f, err := load(t).New(Auto, Options{Log: testLogger(&log)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, line := range []string{"#Software: IIS", "#Version: 1.0", "#Date: 2026-03-14 02:12:44", "#Fields: date time c-ip cs-method cs-uri-stem sc-status"} {
			if err := f.Parse([]byte(line), newEvent()); !errors.Is(err, ErrSkip) {
				t.Fatalf("%s: %v", line, err)
			}
		}
		ev := newEvent()
		if err := f.Parse([]byte("2026-03-14 02:12:44 203.0.113.24 POST /a 401"), ev); err != nil {
			t.Fatal(err)
		}
		if ev.Int(event.HTTPResponseStatusCode) != 401 || ev.Str(event.SourceIP) != "203.0.113.24" {
			t.Errorf("event %s", ev.AppendJSON(nil))
		}
	}
	if n := strings.Count(log.String(), "format detected"); n != 1 || strings.Contains(log.String(), "format changed") {
		t.Errorf("log:\n%s", &log)
	}
}

// Text of the log that no field takes stays out of the document.
func TestMessagesAreNotCopied(t *testing.T) {
	const canary = "canary-7f3a"
	for name, line := range map[string]string{
		"nginx_error":  `2026/03/14 09:12:44 [error] 1#1: *1 ` + canary + ` failed (` + canary + `), client: 203.0.113.24, server: s, request: "GET / HTTP/1.1", referrer: "` + canary + `"`,
		"krakend_gin":  `[KRAKEND] 2026/03/14 - 09:12:44 ▶ ERROR [ENDPOINT: /a][JWTValidator] ` + canary,
		"cef":          `CEF:0|F5|` + canary + `|1|2|` + canary + `|5|rt=1773454364101 msg=` + canary + ` cs3=` + canary + ` cs3Label=full_request cs9=` + canary,
		"logfmt":       `ts=2026-03-14T02:12:44Z status=200 path=/a msg=` + canary + ` authorization="Bearer ` + canary + `" ` + canary,
		"haproxy_http": `203.0.113.24:1 [14/Mar/2026:09:12:44.101] f b/s 0/0/2/7/9 401 4 c=` + canary + ` d=` + canary + ` ---- 1/1/1/1/0 0/0 {a|||||` + canary + `} {spoof||||||||` + canary + `} "GET / HTTP/1.1"`,
		"spring_clf":   canary + ` : 10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "GET / HTTP/1.1" 200 412 736 ` + canary,
		"iis_w3c":      `2026-03-14 02:12:44 ` + canary + ` GET / - 443 - 203.0.113.24 ua - 401 0 ` + canary + ` 736`,
		"ecs_json":     `{"@timestamp":"2026-03-14T02:12:44Z","ecs":{"version":"8"},"message":"` + canary + `","event":{"original":"` + canary + `","id":"` + canary + `"},"labels":{"x":"` + canary + `"}}`,
	} {
		ev := newEvent()
		if err := newFormat(t, name).Parse([]byte(line), ev); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if doc := ev.AppendJSON(nil); bytes.Contains(doc, []byte(canary)) {
			t.Errorf("%s copies it: %s", name, doc)
		}
	}
}
