package elasticsearch

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/forwarders/forwarderstest"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

// answering is a forwarder to a server that answers with what handler says.
func answering(t *testing.T, cfg Config, handler http.HandlerFunc) *Forwarder {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		handler(w, r)
	}))
	t.Cleanup(srv.Close)
	cfg.URLs, cfg.Now = []string{srv.URL}, clock
	return newForwarder(t, cfg)
}

func readBody(t *testing.T, r *http.Request) string {
	t.Helper()
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return ""
		}
		in = z
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func itemsJSON(statuses ...int) string {
	var items []string
	failed := false
	for _, s := range statuses {
		if s > 299 {
			failed = true
			items = append(items, fmt.Sprintf(`{"create":{"status":%d,"error":{"type":"some_exception","reason":"r"}}}`, s))
		} else {
			items = append(items, fmt.Sprintf(`{"create":{"status":%d}}`, s))
		}
	}
	return fmt.Sprintf(`{"errors":%t,"items":[%s]}`, failed, strings.Join(items, ","))
}

func TestRequest(t *testing.T) {
	for _, level := range []int{0, 9, NoCompression} {
		var got string
		var query, auth, accept, content string
		cfg := Config{Namespace: "ns", Compression: level, APIKey: func() (string, error) { return " a2V5\n", nil }}
		f := answering(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			got, query = readBody(t, r), r.URL.RawQuery
			auth, accept, content = r.Header.Get("Authorization"), r.Header.Get("Accept"), r.Header.Get("Content-Type")
			if r.ContentLength <= 0 {
				t.Error("the body has no length")
			}
			fmt.Fprint(w, itemsJSON(201, 201))
		})
		a, b := event.HashStrings("a"), event.HashStrings("b")
		must(t, f.Forward(t.Context(), []event.Document{
			{ID: a, Dataset: "liveward.event", JSON: []byte(`{"event":{"id":"a"}}`)},
			{ID: b, Dataset: "liveward.alert", Tenant: "not used", JSON: []byte(`{"x":1}`)},
		}))
		want := `{"create":{"_index":"logs-liveward.event-ns","_id":"` + a.String() + `"}}
{"event":{"ingested":"2026-01-01T12:00:00.123Z","id":"a"}}
{"create":{"_index":"logs-liveward.alert-ns","_id":"` + b.String() + `"}}
{"event":{"ingested":"2026-01-01T12:00:00.123Z"},"x":1}
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("body:\n%s", diff)
		}
		const compat = "application/vnd.elasticsearch+json;compatible-with=8"
		if auth != "ApiKey a2V5" || accept != compat || content != compat {
			t.Errorf("headers: %q %q %q", auth, accept, content)
		}
		if !strings.Contains(query, "require_data_stream=true") || !strings.Contains(query, "filter_path=") {
			t.Errorf("query: %s", query)
		}
	}
}

func TestRequestsAreCutBySize(t *testing.T) {
	var sizes []int
	f := answering(t, Config{BulkBytes: 4000, Compression: NoCompression}, func(w http.ResponseWriter, r *http.Request) {
		body := readBody(t, r)
		sizes = append(sizes, len(body))
		n := strings.Count(body, "\n") / 2
		fmt.Fprint(w, itemsJSON(bytesOf(201, n)...))
	})
	docs := forwarderstest.Docs(0, 100)
	docs[50].JSON = []byte(`{"event":{},"message":"` + strings.Repeat("x", 9000) + `"}`)
	must(t, f.Forward(t.Context(), docs))
	large := 0
	for _, s := range sizes {
		if s > 4000 {
			large++
		}
	}
	if large != 1 || len(sizes) < 10 || f.Stats().Stored != 100 {
		t.Errorf("requests of %v bytes, %d documents stored", sizes, f.Stats().Stored)
	}
}

func bytesOf(v, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// TestNothingAfterAFailure: a request that fails as a whole ends the attempt; what came before it
// stays stored.
func TestNothingAfterAFailure(t *testing.T) {
	calls := 0
	f := answering(t, Config{BulkBytes: 1500}, func(w http.ResponseWriter, r *http.Request) {
		n := strings.Count(readBody(t, r), "\n") / 2
		if calls++; calls == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, itemsJSON(bytesOf(201, n)...))
	})
	err := f.Forward(t.Context(), forwarderstest.Docs(0, 20))
	var p *forwarders.PartialError
	if !errors.As(err, &p) || calls != 2 || len(p.Retry) == 20 || len(p.Retry) == 0 || p.Retry[len(p.Retry)-1] != 19 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestWholeRequest(t *testing.T) {
	body := func(kind string) string {
		return fmt.Sprintf(`{"error":{"type":%q,"reason":"%s"},"status":1}`, kind, forwarderstest.PoisonValue)
	}
	config := func(k forwarders.Kind) func(error) bool {
		return func(err error) bool {
			var c *forwarders.ConfigError
			return errors.As(err, &c) && c.Kind == k
		}
	}
	after := func(d time.Duration) func(error) bool {
		return func(err error) bool {
			var r interface{ RetryAfter() time.Duration }
			return errors.As(err, &r) && r.RetryAfter() == d
		}
	}
	tooLarge := func(err error) bool {
		var l *forwarders.TooLargeError
		return errors.As(err, &l)
	}
	for _, c := range []struct {
		status int
		retry  string
		body   string
		want   func(error) bool
	}{
		{401, "", body("security_exception"), config(forwarders.Credentials)},
		{403, "", body("security_exception"), config(forwarders.Privilege)},
		{403, "", body("cluster_block_exception"), config(forwarders.Blocked)},
		{404, "", body("x"), config(forwarders.Missing)},
		{400, "", body("media_type_header_exception"), config(forwarders.Protocol)},
		{302, "", "", config(forwarders.Protocol)},
		{413, "", "<html>nginx</html>", tooLarge},
		{429, "", body("es_rejected_execution_exception"), after(0)},
		{429, "7", body("es_rejected_execution_exception"), after(7 * time.Second)},
		{429, "-7", "", after(0)},
		{429, "999999999999", "", after(0)},
		{429, "", body("cluster_block_exception"), config(forwarders.DiskFull)},
		{500, "", `{"error":"text"}`, after(0)},
		{503, "30", "", after(30 * time.Second)},
		{200, "", "", func(err error) bool { return errors.Is(err, errBadResponse) }},
		{200, "", `{"errors":false}`, func(err error) bool { return errors.Is(err, errBadResponse) }},
		{200, "", itemsJSON(201), func(err error) bool { return errors.Is(err, errBadResponse) }},
	} {
		t.Run(fmt.Sprint(c.status, c.retry, c.body), func(t *testing.T) {
			f := answering(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
				if c.retry != "" {
					w.Header().Set("Retry-After", c.retry)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			err := f.Forward(t.Context(), forwarderstest.Docs(0, 3))
			if err == nil || !c.want(err) {
				t.Errorf("error: %v", err)
			}
			if strings.Contains(err.Error(), forwarderstest.PoisonValue) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error tells too much: %v", err)
			}
			var p *forwarders.PartialError
			if errors.As(err, &p) && len(p.Reject) > 0 {
				t.Errorf("rejected: %v", p.Reject)
			}
		})
	}
}

// TestItems: what is done with each status that a single document can come back with.
func TestItems(t *testing.T) {
	for _, c := range []struct {
		status       int
		kind, reason string
		want         verdict
		config       forwarders.Kind
	}{
		{201, "", "", stored, ""},
		{200, "", "", stored, ""},
		{409, "version_conflict_engine_exception", "", duplicate, ""},
		{409, "resource_already_exists_exception", "", retry, ""},
		{400, "document_parsing_exception", "", reject, ""},
		{400, "strict_dynamic_mapping_exception", "", reject, ""},
		{413, "x", "", reject, ""},
		{400, "validation_exception", "this action would add [2] shards", retry, forwarders.Capacity},
		{400, "index_closed_exception", "", retry, forwarders.Blocked},
		{400, "illegal_argument_exception", "pipeline with id [x] does not exist", retry, forwarders.Missing},
		{400, "illegal_argument_exception", "Document contains at least one immense term", reject, ""},
		{401, "security_exception", "", retry, forwarders.Credentials},
		{403, "security_exception", "", retry, forwarders.Privilege},
		{403, "cluster_block_exception", "", retry, forwarders.Blocked},
		{429, "cluster_block_exception", "", retry, forwarders.DiskFull},
		{429, "es_rejected_execution_exception", "", retry, ""},
		{404, "index_not_found_exception", "", retry, forwarders.Missing},
		{503, "unavailable_shards_exception", "", retry, ""},
		{500, "x", "", retry, ""},
		{0, "", "", retry, ""},
	} {
		it := &item{Status: c.status}
		if c.kind != "" {
			it.Error = &apiError{Type: c.kind, Reason: c.reason}
		}
		v, err := classify(it)
		var config *forwarders.ConfigError
		errors.As(err, &config)
		if v != c.want || (config == nil) != (c.config == "") || config != nil && config.Kind != c.config || (err == nil) != (v != retry) {
			t.Errorf("%d %s: %d, %v", c.status, c.kind, v, err)
		}
	}
}

func TestMixedItems(t *testing.T) {
	f := answering(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"errors":true,"items":[{"create":{"status":201,"failure_store":"used"}},{"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},`+
			`{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"[1:2] failed to parse field [client.ip] of type [ip]. Preview of field's value: '`+forwarderstest.PoisonValue+`'"}}},`+
			`{"create":{"status":403,"error":{"type":"security_exception"}}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}]}`)
	})
	err := f.Forward(t.Context(), forwarderstest.Docs(0, 5))
	var p *forwarders.PartialError
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	wantConfig(t, &forwarders.PartialError{Cause: p.Cause}, forwarders.Privilege)
	p.Cause = nil
	want := &forwarders.PartialError{Retry: []int{1, 3}, Reject: []forwarders.Rejected{{Index: 2, Status: 400, Reason: "document_parsing_exception: field client.ip"}}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if s := f.Stats(); s.Stored != 1 || s.Degraded != 1 || s.Duplicates != 1 || s.Retry != 2 || s.Rejected != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestReasonHoldsNoValue(t *testing.T) {
	for _, c := range []struct{ kind, reason, want string }{
		{"document_parsing_exception", "[1:81] failed to parse field [source.ip] of type [ip] in document with id 'x'. Preview of field's value: 'secret'", "document_parsing_exception: field source.ip"},
		{"illegal_argument_exception", `Document contains at least one immense term in field="user_agent.original" (whose UTF8 encoding …) prefix: '[115, 101]...'`, "illegal_argument_exception: field user_agent.original"},
		{"document_parsing_exception", "object mapping for [labels.secret.name] tried to parse field [name] as object", "document_parsing_exception: field labels.*"},
		{"document_parsing_exception", "failed to parse field [secret] of type [x]", "document_parsing_exception"},
		{"secret Type", "[secret", "unknown error type"},
		{strings.Repeat("a", 200), "", "unknown error type"},
		{"", `"secret"`, "no error type given"},
	} {
		if got := reason(&apiError{c.kind, c.reason}); got != c.want {
			t.Errorf("%s: %q, want %q", c.reason, got, c.want)
		}
	}
	if got := reason(nil); got == "" {
		t.Error("no reason")
	}
}

func TestKeyIsReadOnceAndAgainAfter401(t *testing.T) {
	var reads, requests atomic.Int64
	cfg := Config{APIKey: func() (string, error) { return fmt.Sprintf("key%d", reads.Add(1)), nil }}
	f := answering(t, cfg, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Authorization") == "ApiKey key1" && requests.Load() > 2 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, itemsJSON(201))
	})
	for i := range 4 {
		must(t, f.Forward(t.Context(), forwarderstest.Docs(i, 1)))
	}
	if reads.Load() != 2 || requests.Load() != 5 {
		t.Errorf("key read %d times, %d requests", reads.Load(), requests.Load())
	}
	for _, key := range []string{"", "two words", "bad\x00"} {
		f := answering(t, Config{APIKey: func() (string, error) { return key, nil }}, func(http.ResponseWriter, *http.Request) { t.Error("sent without a key") })
		wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)), forwarders.Credentials)
	}
	f = answering(t, Config{APIKey: func() (string, error) { return "", errors.New("no file") }}, func(http.ResponseWriter, *http.Request) { t.Error("sent without a key") })
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)), forwarders.Credentials)
}

func TestSomethingElseAnswers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, itemsJSON(201)) }))
	t.Cleanup(srv.Close)
	f := newForwarder(t, Config{URLs: []string{srv.URL}, Now: clock})
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)), forwarders.Protocol)
	f = newForwarder(t, Config{URLs: []string{strings.Replace(srv.URL, "http:", "https:", 1)}, Now: clock})
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)), forwarders.Protocol)
}

// TestEarlyAnswer: a server that answers before it has read the request must not see the next one's
// bytes in it; the race detector watches.
func TestEarlyAnswer(t *testing.T) {
	f := answering(t, Config{Compression: NoCompression}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
	})
	docs := forwarderstest.Docs(0, 3000)
	for range 20 {
		if err := f.Forward(t.Context(), docs); err == nil {
			t.Fatal("stored")
		}
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	f := answering(t, Config{Timeout: 50 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) { <-release })
	defer close(release)
	err := f.Forward(t.Context(), forwarderstest.Docs(0, 1))
	var config *forwarders.ConfigError
	if err == nil || errors.As(err, &config) {
		t.Errorf("time-out: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Forward(ctx, forwarderstest.Docs(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestConfig(t *testing.T) {
	good := func() Config { return Config{URLs: []string{"https://es.bank.example:9200"}, Now: clock} }
	for name, change := range map[string]func(*Config){
		"no url":             func(c *Config) { c.URLs = nil },
		"plaintext":          func(c *Config) { c.URLs = []string{"http://es.bank.example:9200"} },
		"looks like":         func(c *Config) { c.URLs = []string{"http://127.0.0.1.bank.example"} },
		"password in url":    func(c *Config) { c.URLs = []string{"https://u:hunter2@es.bank.example"} },
		"unparsable":         func(c *Config) { c.URLs = []string{"https://u:hunter2@es bank/%zz"} },
		"scheme":             func(c *Config) { c.URLs = []string{"ftp://es.bank.example"} },
		"no host":            func(c *Config) { c.URLs = []string{"https://"} },
		"query":              func(c *Config) { c.URLs = []string{"https://es.bank.example?apikey=hunter2"} },
		"namespace":          func(c *Config) { c.Namespace = "Bank-A" },
		"namespace too long": func(c *Config) { c.Namespace = strings.Repeat("x", 101) },
		"compression":        func(c *Config) { c.Compression = 10 },
		"bulk":               func(c *Config) { c.BulkBytes = -1 },
		"no clock":           func(c *Config) { c.Now = nil },
		"ca":                 func(c *Config) { c.CA = []byte("x") },
		"fingerprint":        func(c *Config) { c.Fingerprint = "abc" },
		"half a client pair": func(c *Config) { c.ClientCert = []byte("x") },
		"client pair":        func(c *Config) { c.ClientCert, c.ClientKey = []byte("x"), []byte("hunter2") },
	} {
		cfg := good()
		change(&cfg)
		if _, err := New(cfg, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"plain":     func(*Config) {},
		"loopback":  func(c *Config) { c.URLs = []string{"http://127.0.0.1:9200", "http://[::1]:9200", "http://localhost"} },
		"plaintext": func(c *Config) { c.URLs, c.AllowPlaintext = []string{"http://es.bank.example"}, true },
		"path":      func(c *Config) { c.URLs = []string{"https://proxy.bank.example/es"} },
	} {
		cfg := good()
		change(&cfg)
		if _, err := New(cfg, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTenantNamespace(t *testing.T) {
	seen := map[string]string{}
	for _, tenant := range []string{"banka", "BankA", "bank-a", "bank_a", "Bank_A", "bänk", "", ".", "..", "_x", "-", "*", "a/b", `a"b`, "a\nb", strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("x", 300), strings.Repeat("界", 90)} {
		ns := TenantNamespace(tenant)
		if !validNamespace(ns) {
			t.Errorf("%q becomes %q", tenant, ns)
		}
		if other, ok := seen[ns]; ok {
			t.Errorf("%q and %q share %q", tenant, other, ns)
		}
		seen[ns] = tenant
	}
	if TenantNamespace("banka") != "banka" {
		t.Error("a good name was changed")
	}
}

func TestTenantsAreBounded(t *testing.T) {
	s := newStreams(Config{Namespace: "default", NamespaceByTenant: true, MaxTenants: 3})
	names := map[string]bool{}
	for i := range 1000 {
		name, ok := s.of(&event.Document{Dataset: "liveward.event", Tenant: fmt.Sprint("t", i)})
		if !ok {
			t.Fatal("no stream")
		}
		names[name] = true
	}
	if len(names) != 4 || len(s.known) > 4 {
		t.Errorf("streams %v, %d known", names, len(s.known))
	}
	if name, _ := s.of(&event.Document{Dataset: "liveward.alert", Tenant: "t1"}); name != "logs-liveward.alert-t1" {
		t.Errorf("known tenant: %s", name)
	}
}

// TestProfiles: full and minimal differ in the documented types and nothing else.
func TestProfiles(t *testing.T) {
	var full, minimal any
	roundTrip(t, Mappings(Full), &full)
	roundTrip(t, Mappings(Minimal), &minimal)
	documented := map[string]string{"wildcard": "keyword", "match_only_text": "text", "constant_keyword": "keyword"}
	used := map[string]bool{}
	var replace func(v any) any
	replace = func(v any) any {
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for k, sub := range m {
			if s, ok := sub.(string); ok && k == "type" && documented[s] != "" {
				used[s] = true
				m[k] = documented[s]
			} else {
				m[k] = replace(sub)
			}
		}
		return m
	}
	if diff := cmp.Diff(replace(full), minimal); diff != "" {
		t.Errorf("profiles differ in more than the documented types:\n%s", diff)
	}
	if len(used) != len(documented) {
		t.Errorf("types in use: %v", used)
	}
	for _, p := range []Profile{Full, Minimal} {
		a, err := SetupPlan(SetupOptions{Profile: p})
		must(t, err)
		b, err := SetupPlan(SetupOptions{Profile: p})
		must(t, err)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("the plan is not the same every time:\n%s", diff)
		}
	}
}

func roundTrip(t *testing.T, in, out any) {
	t.Helper()
	b, err := json.Marshal(in)
	must(t, err)
	must(t, json.Unmarshal(b, out))
}

func TestSetupPlan(t *testing.T) {
	plan, err := SetupPlan(SetupOptions{})
	must(t, err)
	var names []string
	for _, r := range plan {
		names = append(names, r.Method+" "+r.Path)
	}
	want := []string{"PUT /_component_template/liveward-settings", "PUT /_component_template/liveward-mappings"}
	for _, c := range []string{"event", "alert", "audit", "health"} {
		want = append(want, "PUT /_component_template/liveward-lifecycle-"+c, "PUT /_index_template/logs-liveward."+c)
	}
	want = append(want, "POST /_security/api_key")
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	var key struct {
		Roles map[string]struct {
			Cluster []string
			Indices []struct{ Names, Privileges []string }
		} `json:"role_descriptors"`
		Expiration string
	}
	must(t, json.Unmarshal(plan[len(plan)-1].Body, &key))
	role := key.Roles["liveward_writer"]
	if len(key.Roles) != 1 || role.Cluster == nil || len(role.Cluster) != 0 || len(role.Indices) != 1 || key.Expiration != "400d" ||
		!cmp.Equal(role.Indices[0].Names, []string{"logs-liveward.*"}) || !cmp.Equal(role.Indices[0].Privileges, []string{"auto_configure", "create_doc"}) {
		t.Errorf("key: %s", plan[len(plan)-1].Body)
	}
	serverless, err := SetupPlan(SetupOptions{Serverless: true, NoKey: true})
	must(t, err)
	if s := string(serverless[0].Body); strings.Contains(s, "codec") || strings.Contains(s, "ilm") || len(serverless) != 10 {
		t.Errorf("serverless: %s", s)
	}
	for _, bad := range []SetupOptions{{Profile: "x"}, {Retention: map[Class]time.Duration{Event: time.Minute}}, {Retention: map[Class]time.Duration{Event: -time.Hour}}} {
		if _, err := SetupPlan(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	properties := Mappings(Full)["properties"].(map[string]any)
	request := properties["http"].(map[string]any)["properties"].(map[string]any)["request"].(map[string]any)["properties"].(map[string]any)
	if _, ok := request["origin"]; ok || event.FieldOf(event.HTTPRequestOrigin).Class != event.Transient {
		t.Error("a field that is never stored is mapped")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	leaktest.Check(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		fmt.Fprint(w, itemsJSON(201))
	}))
	f, err := New(Config{URLs: []string{srv.URL}, Now: clock}, nil)
	must(t, err)
	must(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)))
	f.Close()
	srv.Close()
}
