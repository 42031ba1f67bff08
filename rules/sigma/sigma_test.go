package sigma_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/rules"
	"github.com/liveward/liveward/rules/sigma"
)

var update = flag.Bool("update", false, "write the golden files")

const page = "auth/own"

// directory is a rule directory with a playbook and the files given.
func directory(files map[string]string) fstest.MapFS {
	dir := fstest.MapFS{"playbooks/" + page + ".md": {Data: []byte("# Own\n\n## Detection\nx\n\n## Containment\nx\n\n## Eradication\nx\n\n## Recovery\nx\n\n## Post-incident\nx\n")}}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

func importer(tb interface{ Fatal(...any) }) *sigma.Importer {
	im, err := sigma.New(sigma.Options{Playbook: page}, directory(nil))
	if err != nil {
		tb.Fatal(err)
	}
	return im
}

// TestCorpus imports what the community has for web servers and proxies. What was carried loads as one
// rule directory, without a warning, and passes its tests; what became of each rule stands in a golden file.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/sigmahq/*.yml")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	im := importer(t)
	texts := make(map[string]string)
	var outcome strings.Builder
	firing := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		results, err := im.Import(filepath.Base(file), src)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			_, _ = fmt.Fprintf(&outcome, "%s: %s\n", filepath.Base(file), r.ID)
			for _, n := range r.Refused {
				_, _ = fmt.Fprintf(&outcome, "  refused, line %d: %s\n", n.Line, n.Message)
			}
			for _, n := range r.Left {
				_, _ = fmt.Fprintf(&outcome, "  line %d: %s\n", n.Line, n.Message)
			}
			if r.ID == "" {
				continue
			}
			texts[r.ID+".yaml"] = r.Text
			if strings.Contains(r.Text, "what the Sigma rule describes") {
				firing++
			}
			for line := range strings.Lines(r.Text) {
				if strings.HasPrefix(line, "when:") {
					outcome.WriteString("  " + line)
				}
			}
		}
	}
	set, err := rules.Load(directory(texts), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.Test() {
		if !r.Passed() {
			t.Errorf("%s: %s: %v", r.Rule, r.Name, r.Failures)
		}
	}
	if firing < len(texts) {
		t.Errorf("%d of %d rules are shown firing", firing, len(texts))
	}
	golden(t, "testdata/corpus.golden", outcome.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got; go test ./rules/sigma -update writes it)\n%s", diff)
	}
}

// detect is a rule with this detection.
func detect(detection string) string {
	return "title: One\nlogsource: {category: webserver}\ndetection:\n" + detection
}

func TestDetections(t *testing.T) {
	for _, tc := range []struct {
		name, detection string
		when            string // of the rule it becomes
		refused, left   string // parts of what is said
	}{
		{name: "a value", detection: "  s: {cs-method: post}\n  condition: s", when: `http.request.method == "POST"`},
		{name: "case folds", detection: "  s: {c-useragent: SqlMap}\n  condition: s", when: `lower(user_agent.original) == "sqlmap"`},
		{name: "cased", detection: "  s: {c-useragent|contains|cased: SqlMap}\n  condition: s", when: `user_agent.original contains "SqlMap"`},
		{name: "two values", detection: "  s: {sc-status: [401, 403]}\n  condition: s", when: `http.response.status_code == 401 or http.response.status_code == 403`},
		{name: "many values", detection: "  s: {sc-status: [401, 403, 429]}\n  condition: s", when: `http.response.status_code in [401, 403, 429]`},
		{name: "hundreds", detection: "  s: {sc-status|startswith: '5', cs-method: GET}\n  condition: s", when: `http.response.status_code >= 500 and http.response.status_code <= 599 and http.request.method == "GET"`},
		{name: "more than", detection: "  s: {cs-bytes|gte: 1000}\n  condition: s", when: `http.request.bytes >= 1000`},
		{name: "all of a list", detection: "  s: {cs-uri-stem|contains|all: [a.b, /c]}\n  condition: s", when: `lower(url.path) contains "a.b" and lower(url.path) contains "/c"`},
		{name: "many contained", detection: "  s: {cs-uri-stem|contains: [a.b, /c, d]}\n  condition: s", when: `lower(url.path) matches "(a\\.b|/c|d)"`},
		{name: "many ends", detection: "  s: {cs-uri-stem|endswith: [.a, .b, .c]}\n  condition: s", when: `lower(url.path) matches "(\\.a|\\.b|\\.c)$"`},
		{name: "wildcards", detection: "  s: {cs-host: ['*.evil.example', 'a*b?c']}\n  condition: s", when: `lower(url.domain) matches "^a.*b.c$" or lower(url.domain) endsWith ".evil.example"`},
		{name: "an escaped wildcard", detection: "  s: {c-useragent: 'a\\*b'}\n  condition: s", when: `lower(user_agent.original) == "a*b"`},
		{name: "a pattern", detection: "  s: {cs-host|re: '^[a-z]{3}\\.example$'}\n  condition: s", when: `url.domain matches "^[a-z]{3}\\.example$"`},
		{name: "an extension", detection: "  s: {c-uri-extension: PHP}\n  condition: s", when: `lower(url.path) endsWith ".php"`},
		{name: "a network", detection: "  s: {c-ip|cidr: [198.51.100.0/24, '2001:db8::/32']}\n  condition: s", when: `inNet(client.ip, "198.51.100.0/24") or inNet(client.ip, "2001:db8::/32")`},
		{name: "absent", detection: "  s: {c-useragent: null}\n  condition: s", when: `missing(user_agent.original)`},
		{name: "present", detection: "  s: {cs-username|exists: true}\n  condition: s", when: `has(user.name)`},
		{name: "names of ECS", detection: "  s: {event.category: authentication, gateway.auth: refused}\n  condition: s", when: `"authentication" in event.category and gateway.auth == "refused"`},
		{name: "not a value", detection: "  s: {cs-method: GET}\n  f: {sc-status|neq: 200}\n  condition: s and f", when: `http.request.method == "GET" and not (http.response.status_code == 200)`},
		{name: "a list of searches", detection: "  s: [{cs-method: GET, sc-status: 200}, {cs-method: PUT}]\n  condition: s", when: `http.request.method == "GET" and http.response.status_code == 200 or http.request.method == "PUT"`},
		{name: "binding", detection: "  a: {cs-method: GET}\n  b: {sc-status: 200}\n  c: {sc-status: 201}\n  condition: a and (b or c)", when: `http.request.method == "GET" and (http.response.status_code == 200 or http.response.status_code == 201)`},
		{name: "one of", detection: "  sel_a: {cs-method: GET}\n  sel_b: {sc-status: 200}\n  other: {sc-status: 500}\n  condition: 1 of sel_* and not other", when: `(http.request.method == "GET" or http.response.status_code == 200) and not (http.response.status_code == 500)`},
		{name: "all of them", detection: "  a: {cs-method: GET}\n  _b: {sc-status: 200}\n  c: {sc-status: 500}\n  condition: all of them", when: `http.request.method == "GET" and http.response.status_code == 500`},

		{name: "an alternative is left out", detection: "  s: [{cs-method: GET}, {cs-referer: x}]\n  condition: s", when: `http.request.method == "GET"`, left: "cs-referer: the referrer is dropped"},
		{name: "a demand is not", detection: "  s: {cs-method: GET, cs-referer: x}\n  condition: s", refused: "cs-referer: the referrer is dropped"},
		{name: "behind not a demand is", detection: "  s: {cs-method: GET}\n  f: {sc-status: 200, cs-referer: x}\n  condition: s and not f", when: `http.request.method == "GET" and not (http.response.status_code == 200)`, left: "cs-referer"},
		{name: "behind not an alternative is not", detection: "  s: {cs-method: GET}\n  f: [{sc-status: 200}, {cs-referer: x}]\n  condition: s and not f", refused: "cs-referer"},
		{name: "the path alone", detection: "  s: {c-uri|contains: /admin}\n  condition: s", when: `lower(url.path) contains "/admin"`, left: "only the path is looked at"},
		{name: "the path alone, behind not", detection: "  s: {cs-method: GET}\n  f: {c-uri|contains: /admin}\n  condition: s and not f", refused: "stands behind a not"},
		{name: "a query", detection: "  s: {c-uri|contains: '?cmd='}\n  condition: s", refused: "the query string is dropped"},
		{name: "keywords", detection: "  s: [evil]\n  condition: s", refused: "keywords are looked for in the whole line"},
		{name: "a pseudonym", detection: "  s: {cs-username: root}\n  condition: s", refused: "pseudonym"},
		{name: "an unknown field", detection: "  s: {EventID: 1}\n  condition: s", refused: "EventID is no field of a gateway's log"},
		{name: "an unknown modifier", detection: "  s: {c-useragent|base64offset|contains: x}\n  condition: s", refused: "the modifier base64offset cannot be expressed"},
		{name: "no RE2", detection: "  s: {c-useragent|re: '(?=x)y'}\n  condition: s", refused: "not of RE2"},
		{name: "an aggregation", detection: "  s: {sc-status: 401}\n  condition: s | count() > 5", refused: "aggregation"},
		{name: "two of three", detection: "  a: {sc-status: 401}\n  b: {sc-status: 402}\n  c: {sc-status: 403}\n  condition: 2 of them", refused: `only "1 of" and "all of"`},
		{name: "an unknown name", detection: "  a: {sc-status: 401}\n  condition: a and b", refused: `names "b"`},
		{name: "an open parenthesis", detection: "  a: {sc-status: 401}\n  condition: (a", refused: "not closed"},
		{name: "never true", detection: "  a: {sc-status: 401}\n  b: {sc-status: 402}\n  condition: a and b", refused: "does not load"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			results, err := importer(t).Import("rule.yml", []byte(detect(tc.detection)))
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if !said(r.Refused, tc.refused) || !said(r.Left, tc.left) {
				t.Errorf("refused %v, left %v; want %q, %q", r.Refused, r.Left, tc.refused, tc.left)
			}
			if tc.refused != "" {
				if r.ID != "" || r.Text != "" {
					t.Errorf("refused, and yet a rule:\n%s", r.Text)
				}
				return
			}
			if want := "when: '" + strings.ReplaceAll(tc.when, "'", "''") + "'\n"; !strings.Contains(r.Text, want) {
				t.Errorf("want %s in\n%s", want, r.Text)
			}
		})
	}
}

// said tells whether one of the notes, and only one, has a part; there are none for "".
func said(notes []sigma.Note, part string) bool {
	if part == "" {
		return len(notes) == 0
	}
	return len(notes) == 1 && strings.Contains(notes[0].Message, part) && notes[0].Line > 0
}

const parts = `title: Refused
name: refused
logsource: {category: webserver}
detection: {s: {sc-status: [401, 403]}, condition: s}
---
title: Accepted
id: 5d0f5d6c-0000-4000-8000-000000000001
logsource: {category: webserver}
detection: {s: {sc-status|startswith: '2'}, condition: s}
---
title: Together
level: high
correlation:
`

func TestCorrelations(t *testing.T) {
	for _, tc := range []struct {
		name, correlation string
		want              []string
		refused           string
		results           int
	}{
		{
			name: "a count", correlation: "  {type: event_count, rules: [refused], group-by: [c-ip], timespan: 5m, condition: {gte: 20}}",
			want: []string{"by: [client.ip]\n", "window: 5m\nthreshold: 20\n", "severity: high\n", "repeat: 20"}, results: 2,
		},
		{name: "more than", correlation: "  {type: event_count, rules: [refused], timespan: 1h, condition: {gt: 20}}", want: []string{"threshold: 21\n"}, results: 2},
		{
			name: "different values", correlation: "  {type: value_count, rules: [refused], group-by: [c-ip], timespan: 10m, condition: {gte: 5, field: cs-username}}",
			want: []string{"distinct: {of: user.name, at_least: 5}\n", "v{i}"}, results: 2,
		},
		{
			name: "in order", correlation: "  {type: temporal_ordered, rules: [refused, 5d0f5d6c-0000-4000-8000-000000000001], group-by: [c-ip], timespan: 10m}",
			want: []string{"  - {name: step-2, when: 'http.response.status_code >= 200"}, results: 1,
		},
		{name: "its parts as well", correlation: "  {type: event_count, rules: [refused], timespan: 5m, condition: {gte: 20}, generate: true}", want: []string{"threshold: 20"}, results: 3},
		{name: "in any order", correlation: "  {type: temporal, rules: [refused, 5d0f5d6c-0000-4000-8000-000000000001], timespan: 10m}", refused: "its type temporal", results: 1},
		{name: "few", correlation: "  {type: event_count, rules: [refused], timespan: 5m, condition: {lt: 3}}", refused: "fires on lt", results: 2},
		{name: "another file", correlation: "  {type: event_count, rules: [elsewhere], timespan: 5m, condition: {gte: 3}}", refused: "elsewhere is not a detection", results: 3},
		{name: "aliases", correlation: "  {type: event_count, rules: [refused], timespan: 5m, condition: {gte: 3}, aliases: {a: {refused: c-ip}}}", refused: "aliases", results: 2},
		{name: "months", correlation: "  {type: event_count, rules: [refused], timespan: 1M, condition: {gte: 3}}", refused: `timespan "1M"`, results: 2},
		{name: "a key that is gone", correlation: "  {type: event_count, rules: [refused], group-by: [cs-referer], timespan: 1h, condition: {gte: 3}}", refused: "groups by cs-referer", results: 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			results, err := importer(t).Import("rule.yml", []byte(parts+tc.correlation+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != tc.results {
				t.Fatalf("%d results, want %d", len(results), tc.results)
			}
			r := results[len(results)-1]
			if !said(r.Refused, tc.refused) {
				t.Errorf("refused %v, want %q", r.Refused, tc.refused)
			}
			for _, want := range tc.want {
				if !strings.Contains(r.Text, want) {
					t.Errorf("want %q in\n%s", want, r.Text)
				}
			}
		})
	}
}

func TestSameTwice(t *testing.T) {
	im := importer(t)
	src := detect("  s: {sc-status: 500}\n  condition: s")
	if _, err := im.Import("a.yml", []byte(src)); err != nil {
		t.Fatal(err)
	}
	results, err := im.Import("b.yml", []byte(strings.Replace(src, "One", "Two", 1)))
	if err != nil || !said(results[0].Refused, "tests the same as sigma.one") {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestNotSigma(t *testing.T) {
	for name, src := range map[string]string{"no YAML": "a: [", "nothing": "", "another file": "a: 1\n", "aliases of YAML": "a: &x 1\nb: *x\n"} {
		if _, err := importer(t).Import("rule.yml", []byte(src)); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(err.Error(), "rule.yml:") {
			t.Errorf("%s: no place in %v", name, err)
		}
	}
}

// Whatever a file holds, its rules load or are refused with a reason, on one line.
func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/sigmahq/*.yml")
	for i, file := range files {
		if src, err := os.ReadFile(file); err == nil && i%10 == 0 {
			f.Add(src)
		}
	}
	f.Add([]byte(parts + "  {type: event_count, rules: [refused], timespan: 5m, condition: {gte: 20}}\n"))
	f.Add([]byte(detect("  s: {c-useragent|contains: \"{x} 'q' \\u202e\"}\n  condition: not s or s")))
	f.Fuzz(func(t *testing.T, src []byte) {
		results, err := importer(t).Import("rule.yml", src)
		if err != nil {
			return
		}
		for _, r := range results {
			if (r.ID == "") == (len(r.Refused) == 0) || (r.ID == "") != (r.Text == "") {
				t.Fatalf("neither carried nor refused: %+v", r)
			}
			for _, n := range append(r.Refused, r.Left...) {
				if strings.ContainsAny(n.Message, "\n\r\x1b") || n.Line < 1 {
					t.Fatalf("note %+v", n)
				}
			}
			if r.ID == "" {
				continue
			}
			if _, err := rules.Load(directory(map[string]string{r.ID + ".yaml": r.Text}), rules.Options{}); err != nil && !strings.Contains(err.Error(), "warning") {
				t.Fatalf("%v in\n%s", err, r.Text)
			}
		}
	})
}
