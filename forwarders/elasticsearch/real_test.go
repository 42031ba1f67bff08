package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/forwarders/forwarderstest"
	"github.com/liveward/liveward/internal/estest"
	"github.com/liveward/liveward/internal/event"
)

// sent is the time that documents are stamped with.
var sent = time.Date(2026, 1, 1, 12, 0, 0, 123_456_789, time.UTC)

func clock() time.Time { return sent }

// admin is a Config with every right.
func admin(s *estest.Server) Config {
	return Config{URLs: []string{s.URL}, CA: s.CA, Username: "elastic", Password: s.Password, Now: clock}
}

// writerKeys holds the key of each server.
var writerKeys sync.Map

// writer sets the server up once and returns a Config as the agent has it, with the least key.
func writer(t testing.TB, s *estest.Server) Config {
	t.Helper()
	once, _ := writerKeys.LoadOrStore(s.URL, sync.OnceValues(func() (*Key, error) {
		r, err := Setup(context.Background(), admin(s), SetupOptions{Profile: Minimal, NewKey: true, KeyName: "writer"})
		return r.Key, err
	}))
	key, err := once.(func() (*Key, error))()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		URLs: []string{s.URL}, CA: s.CA, Now: clock, Namespace: s.Namespace(t),
		APIKey: func() (string, error) { return key.Encoded, nil },
	}
}

func newForwarder(t testing.TB, cfg Config) *Forwarder {
	t.Helper()
	f, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func stream(cfg Config) string { return StreamName(Event, cfg.Namespace) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// poison is a document with text in a field of type ip.
func poison() event.Document {
	return event.Document{
		ID: event.HashStrings("poison"), Dataset: "liveward.event",
		JSON: []byte(`{"@timestamp":"2026-01-01T00:00:00.000Z","event":{"id":"x"},"source":{"ip":"` + forwarderstest.PoisonValue + `"}}`),
	}
}

// without removes event.ingested, after checking it.
func without(t testing.TB, source []byte) []byte {
	t.Helper()
	const stamp = `"ingested":"2026-01-01T12:00:00.123Z"`
	if bytes.Count(source, []byte(stamp)) != 1 {
		t.Errorf("document has no event.ingested: %s", source)
	}
	source = bytes.Replace(source, []byte(stamp+","), nil, 1)
	return bytes.Replace(source, []byte(stamp), nil, 1)
}

func TestContract(t *testing.T) {
	s := estest.Shared(t)
	forwarderstest.Run(t, func(t *testing.T) forwarderstest.Target {
		cfg := writer(t, s)
		return forwarderstest.Target{
			New: func(t *testing.T) forwarders.Forwarder { return newForwarder(t, cfg) },
			Stored: func(t *testing.T) (out [][]byte) {
				for _, d := range s.Docs(t, stream(cfg)) {
					out = append(out, without(t, d.Source))
				}
				return out
			},
			Poison: poison(),
		}
	})
}

// TestEveryField sends a document with every field of the table, and one with every field of alerts.
// All must be taken, and all indexed under the type that the mapping gives them.
func TestEveryField(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	var e event.Event
	for _, id := range event.Fields() {
		fill(&e, id)
	}
	e.SetLabel("a", "1")
	e.SetLabel("a.b", "2") // would clash with the one before in an ordinary object
	e.SetLabel("drill", "true")
	f := newForwarder(t, cfg)
	must(t, f.Forward(t.Context(), []event.Document{{ID: event.HashStrings("all"), Dataset: "liveward.event", JSON: e.AppendJSON(nil)}}))

	alert := event.Alert{
		ID: event.HashStrings("alert"), Time: 1_767_225_600_000_000_000, Rule: event.AlertRule{
			ID: "lw.auth.spray", Version: 3, Name: "n", Description: "d", Reference: "https://playbooks.example/x", Playbook: "auth/x",
			Severity: event.High, Risk: 73.5, Ruleset: event.HashStrings("set"), Attack: []string{"T1110.003"}, Tags: []string{"owasp"},
		},
		Key: []event.Value{{Field: event.ClientIP, Str: "203.0.113.7"}}, Count: 30, Threshold: 20, Window: 10 * time.Minute, Baseline: 1.5, Ratio: 20,
		First: 1, Last: 2, Suppressed: 4, Top: []event.Top{{Field: event.UserAgentOriginal, Values: []string{"curl"}}}, Evidence: []event.Hash{event.HashStrings("all")},
		Explain: "e", Mode: "live", Status: event.Recovered, Late: true, Lasting: true, Tenant: "banka", Drill: true,
	}
	must(t, f.Forward(t.Context(), []event.Document{alert.Document()}))

	var caps struct {
		Fields map[string]map[string]struct{ Searchable bool }
	}
	both := StreamName("*", cfg.Namespace)
	s.Refresh(t, both)
	s.Must(t, http.MethodGet, "/"+both+"/_field_caps?fields=*&include_empty_fields=false", "", &caps)
	check := func(name, esType string) {
		if _, ok := caps.Fields[name][Minimal.substitute(esType)]; !ok {
			t.Errorf("%s is indexed as %v, want %s", name, caps.Fields[name], Minimal.substitute(esType))
		}
	}
	for _, id := range event.Fields() {
		if field := event.FieldOf(id); field.Class != event.Transient {
			check(field.Name, typeOf(field))
		}
	}
	for _, field := range event.AlertFields() {
		check(field.Name, field.Type)
	}
	for _, label := range []string{"labels.a", "labels.a.b", "labels.drill"} {
		check(label, "keyword")
	}
}

// fill gives a field some value of its type.
func fill(e *event.Event, id event.ID) {
	f := event.FieldOf(id)
	switch f.Type {
	case event.Long:
		e.SetInt(id, 7)
	case event.Double:
		e.SetFloat(id, 0.5)
	case event.Bool:
		e.SetBool(id, true)
	case event.Date:
		e.SetTime(id, 1_767_225_600_123_456_789)
	case event.IP:
		e.SetString(id, "2001:db8::1")
	case event.Keywords:
		if typeOf(f) == "ip" {
			e.Append(id, "203.0.113.7")
			e.Append(id, "2001:db8::1")
			return
		}
		e.Append(id, "one")
		e.Append(id, "two")
	default:
		e.SetString(id, "value of "+f.Name)
	}
}

// TestLongStrings: a string longer than Lucene's longest term is stored all the same.
func TestLongStrings(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	var e event.Event
	e.SetTime(event.Timestamp, 1_767_225_600_000_000_000)
	for _, id := range event.Fields() {
		if f := event.FieldOf(id); f.Type == event.Keyword || f.Type == event.Text {
			e.SetString(id, strings.Repeat("x", 40_000))
		}
	}
	e.SetLabel("long", strings.Repeat("x", 40_000))
	err := newForwarder(t, cfg).Forward(t.Context(), []event.Document{{ID: event.HashStrings("long"), Dataset: "liveward.event", JSON: e.AppendJSON(nil)}})
	must(t, err)
}

func TestDuplicatesAreCountedApart(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	f := newForwarder(t, cfg)
	must(t, f.Forward(t.Context(), forwarderstest.Docs(0, 10)))
	if _, ok := allStored(f.answer, 10); !ok {
		t.Errorf("the server's answer is decoded where it need not be: %s", f.answer)
	}
	must(t, f.Forward(t.Context(), forwarderstest.Docs(5, 10)))
	got := f.Stats()
	got.BytesRaw, got.BytesSent = 0, 0
	if diff := cmp.Diff(Stats{Requests: 2, Stored: 15, Duplicates: 5}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRejectedWithReason(t *testing.T) {
	s := estest.Shared(t)
	f := newForwarder(t, writer(t, s))
	noTime := event.Document{ID: event.HashStrings("b"), Dataset: "liveward.event", JSON: []byte(`{"event":{}}`)}
	broken := event.Document{ID: event.HashStrings("c"), Dataset: "liveward.event", JSON: []byte(`{"event":{},"message":` + forwarderstest.PoisonValue + `}`)}
	object := event.Document{ID: event.HashStrings("d"), Dataset: "liveward.event", JSON: []byte(`{"@timestamp":"2026-01-01T00:00:00.000Z","event":{},"user":{"id":{"` + forwarderstest.PoisonValue + `":1}}}`)}
	other := event.Document{ID: event.HashStrings("e"), Dataset: "someone.else", JSON: []byte(`{"event":{}}`)}
	err := f.Forward(t.Context(), []event.Document{poison(), noTime, broken, object, other})
	var p *forwarders.PartialError
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	slices.SortFunc(p.Reject, func(a, b forwarders.Rejected) int { return a.Index - b.Index })
	want := []forwarders.Rejected{
		{Index: 0, Status: 400, Reason: "document_parsing_exception: field source.ip"},
		{Index: 1, Status: 400, Reason: "document_parsing_exception: field @timestamp"},
		{Index: 2, Status: 400, Reason: "document_parsing_exception: field message"},
		{Index: 3, Status: 400, Reason: "document_parsing_exception: field user.id"},
		{Index: 4, Reason: "unknown dataset"},
	}
	if diff := cmp.Diff(want, p.Reject); diff != "" {
		t.Error(diff)
	}
}

// wantConfig checks that an error asks somebody to act, and that nothing was given up.
func wantConfig(t *testing.T, err error, kind forwarders.Kind) {
	t.Helper()
	var config *forwarders.ConfigError
	if !errors.As(err, &config) || config.Kind != kind {
		t.Fatalf("error is %v, want a ConfigError of kind %s", err, kind)
	}
	var p *forwarders.PartialError
	if errors.As(err, &p) && len(p.Reject) > 0 {
		t.Errorf("documents were rejected: %v", p.Reject)
	}
}

func TestUnknownKeyIsReadAgain(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	good, err := cfg.APIKey()
	must(t, err)
	key := "dW5rbm93bjp1bmtub3du"
	cfg.APIKey = func() (string, error) { return key, nil }
	f := newForwarder(t, cfg)
	docs := forwarderstest.Docs(0, 3)
	wantConfig(t, f.Forward(t.Context(), docs), forwarders.Credentials)
	key = good // the file was replaced
	must(t, f.Forward(t.Context(), docs))
	if n := s.Count(t, stream(cfg)); n != 3 {
		t.Errorf("%d documents", n)
	}
}

func TestKeyEndsWhenInvalidated(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	r, err := Setup(t.Context(), admin(s), SetupOptions{Profile: Minimal, NewKey: true, KeyName: "short", KeyExpiration: 24 * time.Hour})
	must(t, err)
	if r.Key.Expires.Before(time.Now().Add(23*time.Hour)) || r.Key.Expires.After(time.Now().Add(25*time.Hour)) {
		t.Errorf("key expires %s", r.Key.Expires)
	}
	cfg.APIKey = func() (string, error) { return r.Key.Encoded, nil }
	f := newForwarder(t, cfg)
	must(t, f.Forward(t.Context(), forwarderstest.Docs(0, 1)))
	s.Must(t, http.MethodDelete, "/_security/api_key", fmt.Sprintf(`{"ids":[%q]}`, r.Key.ID), nil)
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(1, 1)), forwarders.Credentials)
}

func TestNoTemplate(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	cfg.Username, cfg.Password, cfg.APIKey = "elastic", s.Password, nil // may create anything
	f := newForwarder(t, cfg)
	f.streams.known[streamKey{"liveward.event", ""}] = "other-" + cfg.Namespace
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 3)), forwarders.Missing)
	if status, _ := s.Do(t, http.MethodGet, "/other-"+cfg.Namespace, ""); status != http.StatusNotFound {
		t.Errorf("an index was created: %d", status)
	}
}

func TestMissingPrivilege(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	f := newForwarder(t, cfg)
	f.streams.known[streamKey{"liveward.event", ""}] = "logs-other-" + cfg.Namespace
	wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(0, 3)), forwarders.Privilege)
}

func TestBlocks(t *testing.T) {
	s := estest.Shared(t)
	for block, kind := range map[string]forwarders.Kind{"write": forwarders.Blocked, "read_only_allow_delete": forwarders.DiskFull} {
		t.Run(block, func(t *testing.T) {
			cfg := writer(t, s)
			f := newForwarder(t, cfg)
			must(t, f.Forward(t.Context(), forwarderstest.Docs(0, 2)))
			s.Block(t, stream(cfg), block, true)
			wantConfig(t, f.Forward(t.Context(), forwarderstest.Docs(2, 3)), kind)
			d, lifted := delivery(f), false
			d.Wait = func(context.Context, time.Duration) error {
				if !lifted {
					s.Block(t, stream(cfg), block, false)
					lifted = true
				}
				return nil
			}
			must(t, d.Deliver(t.Context(), forwarderstest.Docs(0, 5)))
			if !lifted {
				t.Error("stored in spite of the block")
			}
			if n := s.Count(t, stream(cfg)); n != 5 {
				t.Errorf("%d documents, want 5", n)
			}
		})
	}
}

func delivery(f *Forwarder) *forwarders.Delivery {
	return &forwarders.Delivery{
		Forwarder: f, Now: clock,
		DeadLetter: func(context.Context, event.Document, forwarders.Rejected) error { return nil },
	}
}

func TestTenants(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	cfg.NamespaceByTenant = true
	docs := forwarderstest.Docs(0, 4)
	suffix := strings.TrimPrefix(cfg.Namespace, "t")
	docs[1].Tenant, docs[2].Tenant, docs[3].Tenant = "banka"+suffix, "Bank/A-"+suffix, strings.Repeat("long", 200)+suffix
	f := newForwarder(t, cfg)
	must(t, f.Forward(t.Context(), docs))
	for _, ns := range []string{cfg.Namespace, "banka" + suffix, TenantNamespace(docs[2].Tenant), TenantNamespace(docs[3].Tenant)} {
		if n := s.Count(t, StreamName(Event, ns)); n != 1 {
			t.Errorf("namespace %s has %d documents, want 1", ns, n)
		}
	}
}

func TestKeyCanWriteAndNothingElse(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	f := newForwarder(t, cfg)
	must(t, f.Forward(t.Context(), forwarderstest.Docs(0, 3)))
	name := stream(cfg)
	id := forwarderstest.Docs(0, 1)[0].ID.String()
	backing := s.Docs(t, name)[0].Index
	for _, r := range []Request{
		{http.MethodGet, "/" + name + "/_search", nil},
		{http.MethodGet, "/" + name + "/_count", nil},
		{http.MethodGet, "/" + backing + "/_doc/" + id, nil},
		{http.MethodDelete, "/" + backing + "/_doc/" + id, nil},
		{http.MethodPost, "/" + backing + "/_update/" + id, []byte(`{"doc":{"a":1}}`)},
		{http.MethodPut, "/" + backing + "/_doc/" + id + "?if_seq_no=0&if_primary_term=1", []byte(`{"@timestamp":0}`)},
		{http.MethodDelete, "/" + backing, nil},
		{http.MethodGet, "/" + name + "/_mapping", nil},
		{http.MethodPut, "/" + name + "/_settings", []byte(`{"index.blocks.write":true}`)},
		{http.MethodPost, "/" + name + "/_rollover", nil},
		{http.MethodGet, "/_cluster/health", nil},
		{http.MethodGet, "/_index_template/logs-liveward.event", nil},
		{http.MethodDelete, "/_index_template/logs-liveward.event", nil},
		{http.MethodPost, "/_security/api_key", []byte(`{"name":"more"}`)},
		{http.MethodPost, "/logs-other-x/_doc", []byte(`{"@timestamp":0}`)},
	} {
		_, status, err := f.client.call(t.Context(), r, http.StatusForbidden)
		if err != nil || status != http.StatusForbidden {
			t.Errorf("%s %s: %d, %v; want 403", r.Method, r.Path, status, err)
		}
	}

	p, err := f.Preflight(t.Context())
	must(t, err)
	if len(p.Missing) > 0 || len(p.Excess) > 0 {
		t.Errorf("the least key: %+v", p)
	}
	p, err = Preflight(t.Context(), admin(s))
	must(t, err)
	if len(p.Missing) > 0 || len(p.Excess) < 10 || !slices.Contains(p.Excess, "read on logs-liveward.alert-default") || p.User != "elastic" {
		t.Errorf("the superuser: %+v", p)
	}
	var narrow struct{ Encoded string }
	s.Must(t, http.MethodPost, "/_security/api_key", `{"name":"narrow","role_descriptors":{"r":{"indices":[{"names":["logs-liveward.event-*"],"privileges":["create_doc"]}]}}}`, &narrow)
	cfg.APIKey = func() (string, error) { return narrow.Encoded, nil }
	cfg.NamespaceByTenant = true
	p, err = Preflight(t.Context(), cfg)
	must(t, err)
	want := []string{
		"auto_configure on logs-liveward.alert-*", "auto_configure on logs-liveward.audit-*", "auto_configure on logs-liveward.event-*", "auto_configure on logs-liveward.health-*",
		"create_doc on logs-liveward.alert-*", "create_doc on logs-liveward.audit-*", "create_doc on logs-liveward.health-*",
	}
	if diff := cmp.Diff(want, p.Missing); diff != "" || len(p.Excess) > 0 {
		t.Errorf("a narrow key: %+v", p)
	}
}

// relay passes connections to 127.0.0.1 on to a server, whose certificate is for another address of this
// host and for its name. It returns its port.
func relay(t *testing.T, s *estest.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "https://"))
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = in.Close(), out.Close()
				}()
			}
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

func TestFingerprint(t *testing.T) {
	s := estest.Shared(t)
	port := relay(t, s)
	for name, change := range map[string]func(*Config){
		"ca":          func(*Config) {},
		"fingerprint": func(c *Config) { c.CA, c.Fingerprint = nil, s.Fingerprint },
		"with colons": func(c *Config) { c.CA, c.Fingerprint = nil, colons(s.Fingerprint) },
		"both":        func(c *Config) { c.Fingerprint = s.Fingerprint },
		"by name, not by ip": func(c *Config) {
			c.CA, c.Fingerprint, c.URLs = nil, s.Fingerprint, []string{"https://localhost:" + port}
		},
	} {
		t.Run("good "+name, func(t *testing.T) {
			cfg := writer(t, s)
			change(&cfg)
			must(t, newForwarder(t, cfg).Forward(t.Context(), forwarderstest.Docs(0, 1)))
		})
	}
	wrong := strings.Repeat("ab", 32)
	for name, change := range map[string]func(*Config){
		"no ca":             func(c *Config) { c.CA = nil },
		"other fingerprint": func(c *Config) { c.CA, c.Fingerprint = nil, wrong },
		"other, and the ca": func(c *Config) { c.Fingerprint = wrong },
		"other address": func(c *Config) {
			c.CA, c.Fingerprint, c.URLs = nil, s.Fingerprint, []string{"https://127.0.0.1:" + port}
		},
	} {
		t.Run("bad "+name, func(t *testing.T) {
			cfg := writer(t, s)
			change(&cfg)
			err := newForwarder(t, cfg).Forward(t.Context(), forwarderstest.Docs(0, 1))
			wantConfig(t, err, forwarders.TLS)
		})
	}
}

func colons(hex string) string {
	var parts []string
	for i := 0; i < len(hex); i += 2 {
		parts = append(parts, hex[i:i+2])
	}
	return strings.ToUpper(strings.Join(parts, ":"))
}

// TestSetup: it can be run again, changes nothing then, keeps the key; and what it does is what the
// dry run says.
func TestSetup(t *testing.T) {
	s := estest.Shared(t)
	opts := SetupOptions{Profile: Minimal, KeyName: "setup-" + s.Namespace(t)}
	plan, err := SetupPlan(opts)
	must(t, err)
	proxy, changes := recorder(t, s)
	cfg := admin(s)
	cfg.URLs, cfg.CA = []string{proxy}, nil

	first, err := Setup(t.Context(), cfg, opts)
	must(t, err)
	if diff := cmp.Diff(strs(plan), *changes); diff != "" {
		t.Errorf("the dry run is not what was done:\n%s", diff)
	}
	if first.Key == nil || first.Key.Encoded == "" || first.Key.Expires.IsZero() {
		t.Fatalf("key: %v", first.Key)
	}
	for _, text := range []string{fmt.Sprint(first.Key), fmt.Sprintf("%+v", first), fmt.Sprintf("%#v", first.Key)} {
		if strings.Contains(text, first.Key.Encoded) {
			t.Errorf("the key shows itself: %s", text)
		}
	}
	second, err := Setup(t.Context(), cfg, opts)
	must(t, err)
	if second.Key != nil {
		t.Error("another key was made")
	}
	for _, step := range second.Steps {
		if step.Outcome != Unchanged {
			t.Errorf("%s %s: %s at the second time", step.Method, step.Path, step.Outcome)
		}
	}
	opts.Retention = map[Class]time.Duration{Audit: 7 * 365 * 24 * time.Hour}
	third, err := Setup(t.Context(), cfg, opts)
	must(t, err)
	for _, step := range third.Steps {
		want := Unchanged
		if step.Path == "/_component_template/liveward-lifecycle-audit" {
			want = Updated
		}
		if step.Outcome != want {
			t.Errorf("%s: %s, want %s", step.Path, step.Outcome, want)
		}
	}
	// Put it back: other tests share the server.
	_, err = Setup(t.Context(), cfg, SetupOptions{Profile: Minimal, NoKey: true})
	must(t, err)

	var sim struct {
		Template struct {
			Settings struct {
				Index struct {
					Codec   string
					Mapping struct {
						TotalFields struct{ Limit string } `json:"total_fields"`
					}
				}
			}
			Mappings  map[string]any
			Lifecycle struct {
				Retention string `json:"data_retention"`
			}
		}
	}
	for class, want := range map[Class]string{Event: "90d", Alert: "400d", Audit: "400d", Health: "14d"} {
		s.Must(t, http.MethodPost, "/_index_template/_simulate_index/"+StreamName(class, "x"), "", &sim)
		if sim.Template.Lifecycle.Retention != want {
			t.Errorf("%s is kept %s, want %s", class, sim.Template.Lifecycle.Retention, want)
		}
		if sim.Template.Settings.Index.Mapping.TotalFields.Limit != "400" || sim.Template.Settings.Index.Codec != "best_compression" {
			t.Errorf("%s: settings %+v", class, sim.Template.Settings)
		}
	}
	if _, err := Setup(t.Context(), writer(t, s), SetupOptions{Profile: Minimal}); err == nil {
		t.Error("the writer's key can set up")
	}
}

func strs(plan []Request) []string {
	var out []string
	for _, r := range plan {
		out = append(out, r.Method+" "+r.Path+" "+string(r.Body))
	}
	return out
}

// TestUnknownFieldsAreKeptUnindexed: no log can make the mapping grow.
func TestUnknownFieldsAreKeptUnindexed(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	doc := event.Document{
		ID: event.HashStrings("x"), Dataset: "liveward.event",
		JSON: []byte(`{"@timestamp":"2026-01-01T00:00:00.000Z","event":{"id":"x","surprise":{"deep":1}},"new":"field"}`),
	}
	must(t, newForwarder(t, cfg).Forward(t.Context(), []event.Document{doc}))
	docs := s.Docs(t, stream(cfg))
	if len(docs) != 1 || !bytes.Contains(docs[0].Source, []byte("surprise")) {
		t.Fatalf("stored: %s", docs)
	}
	var m json.RawMessage
	s.Must(t, http.MethodGet, "/"+stream(cfg)+"/_mapping", "", &m)
	if bytes.Contains(m, []byte("surprise")) || bytes.Contains(m, []byte(`"new"`)) {
		t.Error("the mapping has grown")
	}
}

// TestManyLabels: attackers who choose names of labels reach the limit of fields, and no document is
// lost over it.
func TestManyLabels(t *testing.T) {
	s := estest.Shared(t)
	cfg := writer(t, s)
	var docs []event.Document
	for i := range 60 {
		var e event.Event
		e.SetTime(event.Timestamp, 1_767_225_600_000_000_000)
		for k := range event.MaxLabels {
			e.SetLabel(fmt.Sprintf("l%d_%d", i, k), "v")
		}
		docs = append(docs, event.Document{ID: event.HashStrings(fmt.Sprint(i)), Dataset: "liveward.event", JSON: e.AppendJSON(nil)})
	}
	must(t, delivery(newForwarder(t, cfg)).Deliver(t.Context(), docs))
	if n := s.Count(t, stream(cfg)); n != 60 {
		t.Errorf("%d documents, want 60", n)
	}
}
