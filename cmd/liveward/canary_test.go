package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/generator"
)

// members are the names under which nginx's JSON log can have a value that the map knows, and some that
// it does not.
func members() []string {
	return []string{
		"request_id", "traceparent", "remote_addr", "remote_port", "xff", "host", "scheme", "method", "uri", "args", "protocol", "status",
		"request_length", "content_length", "content_type", "bytes_sent", "request_time", "ua", "origin", "referer", "ssl_protocol",
		"ssl_cipher", "ssl_server_name", "ssl_client_i_dn", "ssl_client_verify", "upstream_status", "route", "service", "consumer", "key_id",
		"remote_user", "limit_req_status", "auth_reason", "reason", "tenant", "region", "subject_ref", "device_ref", "device_model",
		"app_version", "consent_id", "consent_version", "consent_status", "consent_granted_at", "lv_vendor", "lv_decision", "lv_score",
		"lv_threshold", "lv_reason", "lv_session", "lv_transaction", "lv_attempt", "lv_attack_class", "lv_attack_type", "lv_modality",
		"lv_model", "lv_latency_ms", "lv_digest", "lv_sdk", "lv_sdk_version", "lv_error", "http_authorization", "cookie", "body", "x_debug",
	}
}

// corpus is a log with canaries: what the generator plants, and what an attacker or a careless app would.
type corpus struct {
	files map[string][]byte // format → lines
	lines map[string]int
	find  *finder
}

func newCorpus(t *testing.T, seed uint64) *corpus {
	t.Helper()
	t.Logf("seed %d", seed)
	start := time.Now().Add(-time.Hour)
	c := &corpus{files: map[string][]byte{}, lines: map[string]int{}, find: newFinder()}
	add := func(format string, line []byte) {
		line = bytes.ReplaceAll(line, []byte{'\n'}, nil)
		c.files[format] = append(append(c.files[format], line...), '\n')
		c.lines[format]++
	}
	for _, format := range generator.Formats() {
		g, err := generator.New(generator.Config{Seed: seed, Format: format, Start: start, Duration: 30 * time.Second, Rate: 8, Canaries: true})
		if err != nil {
			t.Fatal(err)
		}
		for {
			line, ok := g.Next()
			if !ok {
				break
			}
			add(format, line.Text)
		}
		for _, k := range g.Canaries() {
			c.find.add(k.Value, format+": "+k.Kind+" in "+k.Place)
		}
	}
	a := newAviary(seed)
	for _, line := range slices.Concat(a.fieldLines(members()), a.oddLines()) {
		add(generator.NginxJSON, line)
	}
	for _, line := range a.combinedLines() {
		add(generator.NginxCombined, line)
	}
	for piece, where := range a.where {
		c.find.add(piece, where)
	}
	return c
}

// seed is another one each time: what passes by chance passes once.
func seed() uint64 {
	return uint64(time.Now().UnixNano())
}

// absent fails the test for each canary in data.
func (c *corpus) absent(t *testing.T, what string, data []byte) {
	t.Helper()
	n := 0
	c.find.find(what, data, func(piece, where string) {
		if n++; n <= 60 {
			t.Errorf("%s holds %s (%.12s…)", what, where, piece)
		}
	})
	if n > 60 {
		t.Errorf("%s holds %d canaries in all", what, n)
	}
}

// The finder must be able to find: every canary of the log is in the log, but for those that are
// written so that only who decodes them once more sees them.
func TestCanariesAreInTheLog(t *testing.T) {
	c := newCorpus(t, seed())
	found := map[string]bool{}
	for _, data := range c.files {
		c.find.find("log", data, func(_, where string) { found[where] = true })
	}
	if len(c.find.where) < 5000 {
		t.Errorf("only %d pieces of canaries", len(c.find.where))
	}
	for _, where := range c.find.where {
		if !found[where] && !slices.ContainsFunc([]string{"percent", "html", "zero width", "escapes", "not UTF-8", "header in no JSON", "email in combined"},
			func(how string) bool { return strings.Contains(where, how) }) {
			t.Errorf("not in the log: %s", where)
		}
	}
}

// Nothing that the commands print over a log holds a canary: documents, alerts, errors.
func TestCanariesDoNotPassCommands(t *testing.T) {
	dir, binary := t.TempDir(), buildCommand(t)
	c := newCorpus(t, seed())
	run := func(args ...string) []byte {
		t.Helper()
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
		_ = cmd.Run() // a command may refuse; what it says is what is looked at
		return out.Bytes()
	}
	for format, data := range c.files {
		path := filepath.Join(dir, format+".log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		docs := run("parse", "--format", format, path)
		if n := bytes.Count(docs, []byte("\n{")); n != c.lines[format]-1 && n != c.lines[format] {
			t.Errorf("%s: %d documents of %d lines", format, n, c.lines[format])
		}
		c.absent(t, "parse --format "+format, docs)
		c.absent(t, "parse --format auto", run("parse", "--format", "auto", path))
		c.absent(t, "parse --explain", run("parse", "--explain", "--format", format, path))
		c.absent(t, "parse --explain --json", run("parse", "--explain", "--json", "--format", "auto", path))
		c.absent(t, "replay", run("replay", "--format", format, path))
		// A log where a configuration, a rule, a roster or a key file should be.
		c.absent(t, "check -c", run("check", "-c", path))
		c.absent(t, "wrong format", run("parse", "--format", "kong_json", path))
	}
}
