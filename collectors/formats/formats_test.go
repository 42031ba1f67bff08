package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newEvent() *event.Event { return new(event.Event) }

func load(t testing.TB) *Set {
	t.Helper()
	s, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newFormat(t testing.TB, name string) Format {
	t.Helper()
	f, err := load(t).New(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*enveloped).inner
}

func TestBuiltinMaps(t *testing.T) {
	if err := load(t).Test(); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	want := []string{
		"account_csv", "account_opened", "apache_combined", "apache_common", "apigee", "apisix_json", "auto", "aws_alb", "aws_apigateway", "azure_apim",
		"azure_appgw", "caddy_json", "cef", "cloudflare_http", "ecs_json", "envoy_json", "envoy_text", "esp_v2", "f5_json",
		"gcp_lb", "haproxy_http", "haproxy_https", "iis_w3c", "istio_json", "istio_text", "kong_json", "krakend_gin",
		"liveward_v1", "logfmt", "nginx_combined", "nginx_error", "nginx_json", "spring_clf", "traefik_json", "tyk_json",
		"webhook_didit", "webhook_idnow", "webhook_persona", "webhook_sumsub", "webhook_veriff",
	}
	if diff := cmp.Diff(want, load(t).Names()); diff != "" {
		t.Error(diff)
	}
}

func TestNewSuggests(t *testing.T) {
	_, err := load(t).New("nginx_jsn", Options{})
	if err == nil || !strings.Contains(err.Error(), `did you mean "nginx_json"?`) {
		t.Errorf("error = %v", err)
	}
}

// render is a line's outcome in a golden file: the document, and the fields that are never in one.
func render(f Format, line []byte) []byte {
	ev := newEvent()
	if err := f.Parse(line, ev); err != nil {
		return append(event.AppendJSONString([]byte(`{"error":`), err.Error()), '}')
	}
	transient := map[string]string{}
	ev.Present(func(id event.ID) {
		if event.FieldOf(id).Class == event.Transient {
			transient[id.String()] = ev.Str(id)
		}
	})
	out := ev.AppendJSON([]byte(`{"event":`))
	if len(transient) > 0 {
		b, _ := json.Marshal(transient)
		out = append(append(out, `,"transient":`...), b...)
	}
	return append(out, '}')
}

func TestGolden(t *testing.T) {
	s := load(t)
	files, err := filepath.Glob("testdata/*/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden inputs: %v, %v", files, err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		seen[name] = true
		t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.New(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for line := range bytes.Lines(in) {
				var pretty bytes.Buffer
				if err := json.Indent(&pretty, render(f, bytes.TrimSuffix(line, []byte("\n"))), "", "  "); err != nil {
					t.Fatalf("line %q: %v", line, err)
				}
				got.Write(append(pretty.Bytes(), '\n'))
			}
			golden := strings.TrimSuffix(file, ".in") + ".json"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, name := range s.names {
		if !seen[name] {
			t.Errorf("format %s has no golden corpus", name)
		}
	}
}

func goldenLines(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden inputs: %v, %v", files, err)
	}
	var lines [][]byte
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(in) {
			lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	return lines
}

// FuzzParse: whatever the line, no format panics, the document is valid JSON on one line and not much
// larger than the line, and an error is one of the constant reasons.
func FuzzParse(f *testing.F) {
	for _, line := range goldenLines(f) {
		f.Add(line)
	}
	s := load(f)
	var all []Format
	for _, n := range s.Names() {
		format, err := s.New(n, Options{Envelope: EnvelopeNone}) // what parts become, FuzzEnvelope shows
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, format)
	}
	ev := newEvent()
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		for _, format := range all {
			ev.Reset()
			err := format.Parse(line, ev)
			if err != nil {
				if !constantReason(err) {
					t.Fatalf("error %q is not constant", err)
				}
				continue
			}
			if !ev.Has(event.Timestamp) {
				t.Fatal("no timestamp")
			}
			out := ev.AppendJSON(nil)
			if !json.Valid(out) || bytes.IndexByte(out, '\n') >= 0 {
				t.Fatalf("document %q", out)
			}
			if len(out) > 8*len(line)+2048 {
				t.Fatalf("document of %d bytes from %d", len(out), len(line))
			}
			ev.Present(func(id event.ID) {
				if len(ev.Str(id)) > maxValue {
					t.Fatalf("%s has %d bytes", id, len(ev.Str(id)))
				}
				if e := event.FieldOf(id); e.Enum != nil && e.Type == event.Keyword && !slices.Contains(e.Enum, ev.Str(id)) {
					t.Fatalf("%s = %q", id, ev.Str(id))
				}
			})
		}
		if !bytes.Equal(before, line) {
			t.Fatal("the line was written to")
		}
	})
}

func constantReason(err error) bool {
	for _, known := range []error{
		errNotObject, errTruncated, errSyntax, errControl, errEscape, errNumber, errTrailing, errTooDeep,
		errNoTime, errNoRequest, errBadStatus, errNoAgent, errUnclosed, errNoPrefix, errBadPayload, errUnrecognised,
		ErrSkip, ErrPartial, errNotFormat, errShort, errNumeric, errTrailingText, errNoDirective, errColumns, errNoEnvelope, errPartialSize,
		errSeveral, errNoHeader, errCSVQuote, errCSVHeader, errNoAccount,
	} {
		if errors.Is(err, known) {
			return err.Error() == known.Error()
		}
	}
	return false
}

var typical = map[string]string{
	"nginx_json":      `{"ts":"2026-03-14T09:12:44+07:00","msec":"1773454364.101","request_id":"9f2c51aa","remote_addr":"10.20.0.5","xff":"203.0.113.24","host":"lv.bank.example","method":"POST","uri":"/v1/liveness/check?lang=id","status":200,"request_length":184233,"bytes_sent":412,"request_time":0.742,"upstream_status":"502, 200","upstream_response_time":"0.301, 0.440","ssl_protocol":"TLSv1.3","ssl_cipher":"TLS_AES_256_GCM_SHA384","consumer":"mobile-onb","ua":"okhttp/4.12.0","lv_vendor":"acme","lv_decision":"spoof","lv_score":"0.081","lv_session":"s-7c1"}`,
	"liveward_v1":     `{"ts":"2026-03-14T02:12:44.101Z","request_id":"9f2c","consumer_id":"mobile-onb","client_ip":"10.20.0.5","fwd_ip":"203.0.113.24","operation":"submit","status":200,"latency_ms":736,"subject_ref":"hm:51ac","device_ref":"hm:e0b1","consent_id":"c-88","liveness":{"vendor":"acme","decision":"spoof","score":0.081,"threshold":0.5,"attack":{"class":"presentation","type":"screen_replay"},"session_id":"s-7c1","attempt":2}}`,
	"kong_json":       `{"request":{"id":"2f69","method":"POST","uri":"/v1/liveness/check","size":184233,"headers":{"user-agent":"okhttp/4.12.0","host":"lv.bank.example"}},"response":{"status":200,"size":412,"headers":{"x-liveness-decision":"live","x-liveness-score":"0.962"}},"latencies":{"kong":3,"proxy":731,"request":736},"client_ip":"10.20.0.5","started_at":1773454364101,"upstream_status":"200","consumer":{"username":"mobile-onb"},"tries":[{"ip":"10.0.0.1","code":200}],"source":"upstream"}`,
	"nginx_combined":  `203.0.113.24 - bank-app [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check?x=1 HTTP/2.0" 200 412 "-" "okhttp/4.12.0"`,
	"ecs_json":        `{"@timestamp":"2026-03-14T02:12:44.101Z","ecs":{"version":"8.17.0"},"event":{"duration":736000000},"source":{"ip":"203.0.113.24","port":51120},"http":{"request":{"method":"POST","id":"9f2c"},"response":{"status_code":200}},"url":{"path":"/v1/liveness/check"},"liveness":{"vendor":"acme","decision":"spoof","score":0.081}}`,
	"envoy_text":      `[2026-03-14T02:12:44.101Z] "POST /v1/liveness/check?lang=id HTTP/2" 200 - 182044 412 736 731 "203.0.113.24" "okhttp/4.12.0" "b7f3-01" "lv.bank.example" "10.0.0.1:8080"`,
	"istio_text":      `[2026-03-14T02:12:44.101Z] "POST /v1/liveness/check?x=1 HTTP/1.1" 200 - via_upstream - "-" 182044 412 736 731 "203.0.113.24,10.4.0.3" "okhttp/4.12.0" "b7f3-02" "lv.bank.example" "10.0.0.1:8080" outbound|8080||lv.prod.svc.cluster.local 10.4.0.9:51000 10.4.0.9:8443 10.4.0.3:51120 lv.bank.example lv-route`,
	"haproxy_http":    `haproxy[912]: 203.0.113.24:51120 [14/Mar/2026:09:12:44.101] lv-in lv/be1 0/0/2/731/733 200 412 - - ---- 12/12/3/1/0 0/0 {okhttp/4.12.0} {spoof|0.081|s-7c1} "POST /v1/liveness/check HTTP/1.1"`,
	"haproxy_https":   `203.0.113.24:43588 [14/Mar/2026:09:12:46.728] lv-tls~ lv/be1 0/0/0/1/2 200 185 - - ---- 1/1/0/0/0 0/0 {okhttp/4.12.0} {spoof} "POST https://lv.bank.example:18443/v1/liveness/check HTTP/2.0" 0/0000000000000000/0/0/0 lv.bank.example/TLSv1.3/TLS_AES_256_GCM_SHA384`,
	"apache_common":   `203.0.113.24 - bank-app [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check?lang=id HTTP/1.1" 200 3`,
	"apache_combined": `lv.bank.example:443 203.0.113.24 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check?lang=id HTTP/1.1" 200 194 "-" "okhttp/4.12.0" 13415`,
	"spring_clf":      `2026-03-14 09:12:45.101  INFO 1 --- [reactor-http-epoll-2] reactor.netty.http.server.AccessLog : 10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check?x=1 HTTP/2.0" 401 23 4`,
	"nginx_error":     `2026/03/14 09:12:44 [error] 31#31: *17 limiting requests, excess: 5.240 by zone "lv", client: 203.0.113.24, server: lv.bank.example, request: "POST /v1/liveness/check HTTP/1.1", host: "lv.bank.example"`,
	"krakend_gin":     `[GIN] 2026/03/14 - 09:12:44 | 200 |  731.402417ms |    203.0.113.24 | POST     "/v1/liveness/check?x=1"`,
	"aws_alb":         `https 2026-03-14T02:12:44.101234Z app/lv/50dc6c495c0c9188 203.0.113.24:51120 10.0.0.1:8080 0.001 0.731 0.000 200 200 184233 412 "POST https://lv.bank.example:443/v1/liveness/check?x=1 HTTP/1.1" "okhttp/4.12.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:ap-southeast-1:123456789012:targetgroup/lv-targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "lv.bank.example" "arn:aws:acm:ap-southeast-1:123456789012:certificate/12345678-1234-1234-1234-123456789012" 1 2026-03-14T02:12:43.370000Z "forward" "-" "-" "10.0.0.1:8080" "200" "-" "-" TID_1234abcd5678ef90`,
	"iis_w3c":         `2026-03-14 02:12:44 10.4.0.9 POST /v1/liveness/check x=1 443 - 203.0.113.24 Mozilla/5.0+(X11;+Linux) - 200 0 0 736`,
	"logfmt":          `ts=2026-03-14T02:12:44.101Z level=info msg="request done" method=POST path=/v1/liveness/check?x=1 status=200 duration=736ms remote_addr=203.0.113.24:51120 ua="okhttp/4.12.0" request_id=9f2c lv_decision=spoof lv_score=0.081 lv_vendor=acme`,
	"account_csv":     `2026-03-14T02:20:00Z,ACC-1001,hm:51ac,s-7c1,c-88,app,savings,bank-a`,
	"account_opened":  `{"opened_at":"2026-03-14T02:20:00Z","account_ref":"ACC-1001","user_id":"hm:51ac","session_id":"s-7c1","consent_id":"c-88","channel":"app","product":"savings","tenant":"bank-a"}`,
	"cef":             `CEF:0|F5|ASM|16.1|200000001|Illegal file type|5|dvchost=bigip.bank.example rt=Mar 14 2026 02:12:44 externalId=99 act=blocked src=203.0.113.24 spt=51120 dpt=443 requestMethod=POST app=HTTPS cn1=403 cn1Label=response_code cs1=/Common/lv cs1Label=policy_name cs4=Forceful Browsing cs4Label=attack_type request=/v1/liveness/check`,
}

func TestNoAllocations(t *testing.T) {
	s := load(t)
	for name, text := range typical {
		for _, as := range []string{name, Auto} {
			f, err := s.New(as, Options{})
			if err != nil {
				t.Fatal(err)
			}
			line, ev := []byte(text), newEvent()
			parse := func() {
				ev.Reset()
				if err := f.Parse(line, ev); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			parse()
			if n := testing.AllocsPerRun(200, parse); n != 0 {
				t.Errorf("%s as %s: %v allocations per line, want 0", name, as, n)
			}
		}
	}
}

func TestDetect(t *testing.T) {
	s := load(t)
	for name, line := range typical {
		got, why, ok := s.Detect([][]byte{[]byte(line), []byte("{broken"), []byte(line), nil})
		if !ok || got != name || why == "" {
			t.Errorf("%s is detected as %q (%s)", name, got, why)
		}
	}
	for _, lines := range [][][]byte{nil, {nil}, {[]byte("{}")}, {[]byte("hello world")}, {[]byte(typical["kong_json"]), []byte("x"), []byte("y")}} {
		if got, why, ok := s.Detect(lines); ok {
			t.Errorf("%q is detected as %s (%s)", lines, got, why)
		}
	}
}

func TestAutoFollowsItsSource(t *testing.T) {
	var log bytes.Buffer
	f, err := load(t).New(Auto, Options{Log: testLogger(&log)})
	if err != nil {
		t.Fatal(err)
	}
	ev := newEvent()
	parse := func(line, want string) {
		t.Helper()
		ev.Reset()
		err := f.Parse([]byte(line), ev)
		if got := ev.Str(event.EventProvider); err != nil && want != "" || err == nil && got != want {
			t.Fatalf("provider %q, error %v; want %q", got, err, want)
		}
	}
	parse("garbage", "")
	parse(typical["nginx_json"], "nginx_json")
	parse(typical["kong_json"], "kong_json") // a line of another format is still read as what it is
	parse(typical["nginx_json"], "nginx_json")
	if strings.Contains(log.String(), "format changed") {
		t.Fatalf("one foreign line changed the format:\n%s", &log)
	}
	for range switchAfter {
		parse(typical["nginx_combined"], "nginx_combined")
	}
	parse(typical["nginx_combined"], "nginx_combined")
	if n := strings.Count(log.String(), "format changed"); n != 1 {
		t.Errorf("%d changes logged, want 1:\n%s", n, &log)
	}
	if !strings.Contains(log.String(), "format detected") || !strings.Contains(log.String(), "JSON objects with the keys of nginx_json") {
		t.Errorf("the decision and its reason are not logged:\n%s", &log)
	}
}

func TestProvides(t *testing.T) {
	s := load(t)
	f := func(name string, id event.ID, want bool) {
		t.Helper()
		if got := slices.Contains(s.Provides(name), id); got != want {
			t.Errorf("%s provides %s: %v, want %v", name, id, got, want)
		}
	}
	f("nginx_json", event.LivenessDecisionRaw, true)
	f("nginx_json", event.URLQuery, true)
	f("nginx_json", event.ClientIP, false)
	f("nginx_combined", event.LivenessDecisionRaw, false)
	f("nginx_combined", event.URLPath, true)
	f("kong_json", event.TLSVersionProtocol, true)
	f("auto", event.LivenessDecisionRaw, true)
	if got := s.Provides("nothing"); got != nil {
		t.Errorf("an unknown format provides %v", got)
	}
	// What the golden lines fill must have been promised.
	for _, name := range s.names {
		format := newFormat(t, name)
		for _, line := range goldenLines(t) {
			ev := newEvent()
			if format.Parse(line, ev) != nil {
				continue
			}
			ev.Present(func(id event.ID) {
				if !slices.Contains(s.Provides(name), id) {
					t.Errorf("%s fills %s, which it does not promise", name, id)
				}
			})
		}
	}
}

func TestLocation(t *testing.T) {
	zone := time.FixedZone("WIB", 7*3600)
	s, err := Load(fstest.MapFS{"z.yaml": {Data: []byte("format: z\nproduct: z\nfields: [{to: \"@timestamp\", from: t}]\n")}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.New("z", Options{Location: zone})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"2026-03-14 09:12:44": "2026-03-14T02:12:44.000Z", "2026-03-14T09:12:44Z": "2026-03-14T09:12:44.000Z"} {
		ev := newEvent()
		if err := f.Parse([]byte(`{"t":"`+text+`"}`), ev); err != nil {
			t.Fatal(err)
		}
		if got := event.FormatTime(ev.Time(event.Timestamp)); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
