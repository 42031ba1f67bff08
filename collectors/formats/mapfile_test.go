package formats

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/internal/event"
)

func loadUser(files map[string]string) (*Set, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Load(fsys)
}

// TestMapErrors: every problem of a file is reported at once, each where it stands, with what to do.
func TestMapErrors(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, err := loadUser(map[string]string{"m.yaml": src})
		if err == nil {
			t.Errorf("no error for:\n%s", src)
			return
		}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("%s\n%s", src, diff)
		}
	}
	f("format: m\nproduct: p\nfields:\n- {to: \"@timestamp\", from: t}\n- {to: http.response.status_cod, from: s}\n- {to: source.ip, form: ip}\n",
		`m.yaml:5:8: unknown field "http.response.status_cod"; did you mean "http.response.status_code"?`,
		`m.yaml:6:3: source.ip needs either from: or value:`,
		`m.yaml:6:19: unknown key "form"; did you mean "from"?`)
	f("format: m\nproduct: p\nfields:\n- {to: \"@timestamp\", from: \"a..b\"}\n- {to: client.ip, from: ip}\n- {to: event.duration, from: d}\n- {to: event.duration, from: d, unit: min}\n",
		`m.yaml:4:28: path "a..b": a key is empty; paths look like request.headers.host, tries[-1].code or a."key.with.dots"`,
		`m.yaml:5:8: client.ip is filled by a map only where the line names no peer, as when: {remote_addr: "-"} says; the peer goes to source.ip, the X-Forwarded-For chain to http.request.forwarded`,
		`m.yaml:6:8: event.duration needs the unit of the log; add unit: s, ms, us or ns`,
		`m.yaml:7:39: unknown unit "min"; units are s, ms, us and ns`)
	f("format: m\nproduct: p\nfields:\n- {to: \"@timestamp\", from: t, as: minutes}\n- {to: service.environment, from: e}\n- {to: gateway.auth, value: ok}\n- {to: liveness.attack.class, from: c, map: {x: injected}}\n- {to: url.path, from: u, as: int}\n",
		`m.yaml:4:35: @timestamp cannot be read as "minutes"; a time is one of time, epoch_s, epoch_ms, epoch_us, epoch_ns`,
		`m.yaml:5:8: service.environment takes no free text from a log; list the words of the log with map:, or give one with value:`,
		`m.yaml:6:29: "ok" is not a value of gateway.auth; want one of accepted, refused, absent`,
		`m.yaml:7:49: "injected" is not a value of liveness.attack.class; did you mean "injection"?`,
		`m.yaml:8:31: url.path cannot be read as "int"; as: is lower or upper for words, attempts for retry lists, epoch_s … epoch_ns for times`)
	f("format: Bad Name\nproduct: p\nfields: [{to: \"@timestamp\", from: t}]\ndetect: {keys: {a: 11, b: x}}\nlabels: {Pop: a}\ntests: [{line: x}]\n",
		`m.yaml:1:9: "Bad Name" cannot be the name of a format; use lower-case letters, digits and underscores`,
		`m.yaml:4:20: a weight is a whole number from 1 to 10`,
		`m.yaml:4:27: a weight is a whole number from 1 to 10`,
		`m.yaml:5:10: "Pop" cannot be the name of a label; use lower-case letters, digits and underscores`,
		`m.yaml:6:9: a test has a line: and either want: or error:`)
	f("format: m\nproduct: p\nfields: [{to: user.id, from: u}]\n", `m.yaml:1:9: the map fills no @timestamp; add {to: "@timestamp", from: ...}`)
	f("format: kong_json\nproduct: p\nfields: [{to: \"@timestamp\", from: t}]\n", `m.yaml:1:9: the format kong_json is built in; choose another name and write extends: kong_json`)
	f("format: nginx_combined\nproduct: p\nfields: [{to: \"@timestamp\", from: t}]\n", `m.yaml:1:9: the format nginx_combined is built in; choose another name`)
	f("format: m\nextends: kong_jsn\n", `m.yaml:2:10: no map "kong_jsn" to extend; did you mean "kong_json"?`)
	f("format: m\nproduct: p\nproduct: q\n", `m.yaml:3:1: key "product" stands here twice; remove one`)
	f("format: m\nproduct: [x\n", `m.yaml:2:10: not YAML: sequence end token ']' not found`)
	f("- a\n", `m.yaml:1:1: want a mapping, not a list; write key: value`, `m.yaml:1:1: the map has no name; begin with format: my_gateway`,
		`m.yaml:1:1: the map names no product; add product: and the name of what writes this log`)
	f("", `m.yaml:1:1: the map has no name; begin with format: my_gateway`,
		`m.yaml:1:1: the map names no product; add product: and the name of what writes this log`)
	f("format: &a m\nproduct: *a\n", `m.yaml:1:9: anchors and aliases are not supported; write the value out`,
		`m.yaml:1:9: the map names no product; add product: and the name of what writes this log`,
		`m.yaml:2:10: anchors and aliases are not supported; write the value out`)
}

func TestProblemsOfAllFilesAreJoined(t *testing.T) {
	_, err := loadUser(map[string]string{"a.yaml": "format: a\n", "b.yml": "format: b\n", "ignored.txt": "x"})
	if err == nil || !strings.Contains(err.Error(), "a.yaml:1:9") || !strings.Contains(err.Error(), "b.yml:1:9") {
		t.Errorf("error = %v", err)
	}
	_, err = loadUser(map[string]string{
		"a.yaml": "format: a\nproduct: p\nfields: [{to: \"@timestamp\", from: t}]\n",
		"b.yaml": "format: a\nproduct: p\nfields: [{to: \"@timestamp\", from: t}]\n",
	})
	if err == nil || !strings.Contains(err.Error(), "b.yaml:1:9: another file has the format a already") {
		t.Errorf("error = %v", err)
	}
}

// TestUserMaps runs a map of a user, one that extends a built-in map, and their embedded tests.
func TestUserMaps(t *testing.T) {
	s, err := loadUser(map[string]string{"acme.yaml": `
format: acme_gw
product: acme
detect: {require: [when, "peer"], keys: {took: 5}}
fields:
  - {to: "@timestamp", from: when, as: epoch_s}
  - {to: source.ip, from: peer}
  - {to: url.path, from: [req.target, '"req.target"']}
  - {to: event.duration, from: took, unit: us}
  - {to: liveness.latency_ms, from: vendor_s, unit: s}
  - {to: liveness.decision_raw, from: "answer.checks[1].name"}
  - {to: gateway.upstream_status, from: "hops[-1][0]"}
  - {to: service.environment, from: env, map: {p: production, "stag*": staging}, else: other}
  - {to: gateway.flags, value: denied, when: {req.verdict: [deny, block], env: "*"}}
  - {to: gateway.flags, value: always}
labels: {pop: edge.pop}
tests:
  - name: all of it
    line: '{"when":1773454364.5,"peer":"[2001:DB8::1]:443","req.target":"/a?b","req":{"verdict":"BLOCK"},"took":1500,"vendor_s":0.25,"answer":{"checks":[{"name":"x"},{"name":"real"}]},"hops":[[500],["200",1]],"env":"Staging-2","edge":{"pop":"jkt"}}'
    want:
      "@timestamp": 2026-03-14T02:12:44.5Z
      source: {ip: "2001:db8::1", port: 443}
      url: {path: /a, query: b}
      event.duration: 1500000
      liveness: {latency_ms: 250, decision_raw: real}
      gateway: {upstream_status: 200, flags: [denied, always], product: acme}
      service.environment: staging
      labels.pop: jkt
  - line: '{"when":1773454364,"env":"dev","req":{"verdict":"allow"}}'
    want: {service.environment: other, gateway.flags: [always], labels.pop: null}
  - line: '{"when":"x"}'
    error: no usable timestamp
`, "my_kong.yaml": `
format: my_kong
extends: kong_json
fields:
  - {to: gateway.consumer, from: request.headers.x-app}
tests:
  - line: '{"request":{"headers":{"X-App":"wallet"}},"response":{"status":200},"started_at":1773454364101,"consumer":{"username":"base"}}'
    want: {gateway: {consumer: wallet, product: kong}, event.provider: my_kong, http.response.status_code: 200}
  - line: '{"request":{},"response":{},"started_at":1773454364101,"consumer":{"username":"base"}}'
    want: {gateway.consumer: base}
`})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Test("acme_gw", "my_kong"); err != nil {
		t.Error(err)
	}
	if name, why, ok := s.Detect([][]byte{[]byte(`{"when":1773454364,"peer":"10.0.0.1","took":1}`)}); !ok || name != "acme_gw" {
		t.Errorf("detected %q (%s)", name, why)
	}
}

// TestEmbeddedTestsCanFail: a wrong expectation is reported where it stands.
func TestEmbeddedTestsCanFail(t *testing.T) {
	s, err := loadUser(map[string]string{"m.yaml": `format: m
product: p
fields: [{to: "@timestamp", from: t}, {to: user.id, from: u}]
tests:
  - name: one
    line: '{"t":1773454364,"u":"a"}'
    want: {user.id: b, device.id: x}
  - name: two
    line: '{"t":1773454364}'
    error: no usable timestamp
  - name: three
    line: '{'
    want: {user.id: b}
`})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // running them changes nothing
		want := []string{
			`m.yaml:7:12: test "one": user.id is ["a"], want ["b"]`,
			`m.yaml:7:24: test "one": device.id is absent, want ["x"]`,
			`m.yaml:8:5: test "two": the line is not refused`,
			`m.yaml:11:5: test "three": the line is refused: JSON ends too early`,
		}
		err := s.Test("m")
		if err == nil {
			t.Fatal("no error")
		}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Error(diff)
		}
	}
}

// FuzzMap: no map file makes reading, compiling or its program panic.
func FuzzMap(f *testing.F) {
	f.Add([]byte("format: m\nproduct: p\nfields: [{to: \"@timestamp\", from: \"t[0][-1].a\"}]\n"))
	f.Add([]byte("format: m\nproduct: p\ncase_insensitive: [t]\nfields:\n- {to: \"@timestamp\", from: t, plus: d.e, plus_unit: ms}\n- {to: gateway.flags, value: x, when: {a: [b, \"*\"]}}\n"))
	f.Add([]byte("format: m\nextends: n\ndetect: {require: [a.\"b.c\"], keys: {a: 3}}\nlabels: {pop: [a, b]}\n"))
	f.Add([]byte("format: m\nproduct: p\nfields: [{to: tls.version, from: t, map: {\"x*\": \"1.2\", y: ~}, else: \"1.3\"}]\ntests: [{line: '{}', want: {a: {b: [c]}}, error: x}]\n"))
	line := []byte(`{"t":[[{"a":1773454364}],1],"a":{"b.c":"x"},"d":{"e":1},"y":"x"}`)
	f.Fuzz(func(t *testing.T, src []byte) {
		d := readDefinition("m.yaml", src)
		if err := d.file.Err(); err != nil {
			_ = err.Error()
			return
		}
		format := newMapFormat(d.compile(nil), nil)
		_ = format.Parse(line, new(event.Event))
		for i := range d.tests {
			d.tests[i].run(format)
		}
	})
}
