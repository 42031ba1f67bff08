package agent

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// enriched prepares a plan of one input, with files of these names around it.
func enriched(t *testing.T, config string, files map[string]string) (*Plan, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		replaceFile(t, name, text)
	}
	replaceFile(t, "pseudonym.keys", "e1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
	replaceFile(t, "liveward.yaml", "agent: {id: gw, data: data}\nprivacy: {keys: '${file:pseudonym.keys}'}\nrules: {}\n"+config)
	return Load("liveward.yaml")
}

func replaceFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestEnrichmentProblems(t *testing.T) {
	_, err := enriched(t, `inputs: [{name: a, paths: [x], format: nginx_json, keys: none.yaml}]
enrich:
  databases: [none.mmdb, bad.mmdb]
  networks:
    - {name: "a b", networks: [10.0.0.0/33]}
    - {name: cgnat}
    - {name: hosting, file: hosting.txt, format: cvs}
  allow:
    - {networks: []}
    - {tenant: a, networks: []}
    - {tenant: a, file: none.txt}
  threats:
    - {name: feed}
    - {name: botnet, file: botnet.csv}
`, map[string]string{"bad.mmdb": "<html>", "hosting.txt": "10.0.0.0/8\nsecret-host\n", "botnet.csv": "ip,valid_until\n203.0.113.7,soon\n"})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"bad.mmdb: not a MaxMind database",
		"botnet.csv:2:13: valid_until is no time",
		"hosting.txt:2:1: no address or network",
		"liveward.yaml:4:58: stat none.yaml: no such file or directory",
		"liveward.yaml:6:15: stat none.mmdb: no such file or directory",
		`liveward.yaml:8:14: "a b" cannot name a list`,
		`liveward.yaml:8:32: "10.0.0.0/33" is not a network; want a form like 192.0.2.0/24`,
		"liveward.yaml:9:7: a list without networks; set file, or networks; [] is nobody",
		`liveward.yaml:10:50: unknown format "cvs"; did you mean "csv"?`,
		"liveward.yaml:12:7: an allow list of nobody; set tenant or region",
		"liveward.yaml:14:7: a second allow list of the same tenant and region",
		"liveward.yaml:14:25: stat none.txt: no such file or directory",
		"liveward.yaml:16:7: a threat list without a file",
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("missing: %s\n%v", w, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != len(want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%d problems, want %d:\n%v", got, len(want), err)
	}
}

const enrichedInput = "inputs: [{name: a, paths: [x], format: nginx_json}]\n"

// Rules are blind where the configuration gives nobody the field they need.
func TestEnrichmentProvides(t *testing.T) {
	f := func(config string, want ...event.ID) {
		t.Helper()
		p, err := enriched(t, enrichedInput+config, map[string]string{"l.txt": "10.0.0.0/8\n"})
		if err != nil {
			t.Fatal(err)
		}
		has := make(map[event.ID]bool)
		for _, id := range want {
			has[id] = true
		}
		for _, id := range []event.ID{event.ClientGeoCountry, event.NetworkName, event.Tags, event.ThreatFeedName, event.ClientAllowListed} {
			if got := p.sees(nil)(id); got != has[id] {
				t.Errorf("%q: sees %s: %v", config, id, got)
			}
		}
	}
	f("")
	f("enrich: {networks: [{name: n, file: l.txt}]}\n", event.NetworkName)
	f("enrich: {networks: [{name: n, networks: [], tags: [t]}]}\n", event.NetworkName, event.Tags)
	f("enrich: {allow: [{region: eu, file: l.txt}]}\n", event.ClientAllowListed)
	f("enrich: {threats: [{name: t, file: l.txt}]}\n", event.ThreatFeedName)
}

// A change is read once the file has been quiet for a poll, is said with its counts, and is in force for
// the next event; what is broken is said and changes nothing.
func TestEnrichmentFollowsItsFiles(t *testing.T) {
	p, err := enriched(t, "inputs: [{name: a, paths: [x], format: nginx_json, keys: keys.yaml}]\nenrich: {networks: [{name: n, file: l.txt}]}\n",
		map[string]string{"l.txt": "203.0.113.7\n", "keys.yaml": "keys: [{id: k, owner: before}]\n"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	k := newKnowledge(p, func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }, slog.New(slog.NewTextHandler(&out, nil)))
	said := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("log lacks %s:\n%s", w, out.String())
			}
		}
		if len(want) == 0 && out.Len() > 0 {
			t.Errorf("log: %s", out.String())
		}
		out.Reset()
	}
	call := func(ip, network, owner string) {
		t.Helper()
		var ev event.Event
		ev.SetString(event.SourceIP, ip)
		ev.SetString(event.APIKeyID, "k")
		p.inputs[0].enricher.Apply(&ev)
		if got := strings.Join(ev.List(event.NetworkName), " "); got != network || ev.Str(event.APIKeyOwner) != owner {
			t.Errorf("%s: network %q, owner %q; want %q, %q", ip, got, ev.Str(event.APIKeyOwner), network, owner)
		}
	}
	said(`msg="enrichment file read" kind="network list" name=n path=l.txt entries=1 skipped=0 sha256=`)
	k.poll()
	said()
	replaceFile(t, "l.txt", "203.0.113.8\n203.0.113.9\n")
	k.poll()
	said()
	call("203.0.113.8", "", "before")
	replaceFile(t, "l.txt", "203.0.113.8\n203.0.113.9\n203.0.113.10\n")
	k.poll() // it is still being written
	said()
	k.poll()
	said("entries=3")
	call("203.0.113.8", "n", "before")

	replaceFile(t, "keys.yaml", "keys: [{id: k, owner: after}]\n")
	replaceFile(t, "l.txt", "203.0.113.8\nnonsense\n")
	k.poll()
	k.poll()
	said("l.txt:2:1: no address or network", "keeps its old content", `msg="key roster reloaded" path=keys.yaml keys=1`)
	call("203.0.113.8", "n", "after")
	k.poll()
	k.poll()
	said() // once is enough

	replaceFile(t, "keys.yaml", "keys: [{id: k, ownr: x}]\n")
	replaceFile(t, "l.txt", "")
	k.reload() // when asked to, at once
	said("keys.yaml:1:16: unknown key", "entries=0")
	call("203.0.113.8", "", "after")

	replaceFile(t, "l.txt", "ip,valid_until\n203.0.113.8,2026-02-01\n203.0.113.9,2026-03-01\n")
	k.reload()
	said(`level=WARN msg="every entry of the list has expired" kind="network list" name=n path=l.txt`)
	replaceFile(t, "l.txt", "ip,valid_until\n203.0.113.8,2026-02-01\n203.0.113.9,2026-03-02\n")
	k.reload()
	if strings.Contains(out.String(), "expired") {
		t.Errorf("log: %s", out.String())
	}
}
