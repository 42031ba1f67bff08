package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newExplainer(t *testing.T, s *Set, name string) *Explainer {
	t.Helper()
	f, err := s.New(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return NewExplainer(name, f)
}

// explain reads lines with a format that explains itself, and explains the last of them.
func explain(t *testing.T, format string, lines ...string) Explanation {
	t.Helper()
	x := newExplainer(t, load(t), format)
	ev := newEvent()
	for _, l := range lines {
		ev.Reset()
		if err := x.Parse([]byte(l), ev); err != nil && !errors.Is(err, ErrSkip) {
			t.Fatal(err)
		}
	}
	return x.Last()
}

func fieldsByPart(e *Explanation) map[string]string {
	m := map[string]string{}
	for _, p := range e.Parts {
		m[p.Name] = strings.Join(p.Fields, " ")
	}
	return m
}

func TestExplainMembers(t *testing.T) {
	e := explain(t, "liveward_v1", `{"ts":"2026-03-14T02:12:44.101Z","status":200,"fwd_ip":"203.0.113.24","deep":{"list":[1,{"x":true}],"n":null},"liveness":{"decision":"spoof","score":0.081,"session_id":"s-7c1"}}`)
	want := map[string]string{
		"ts": "@timestamp", "status": "http.response.status_code", "fwd_ip": "client.ip http.request.forwarded",
		"deep.list[0]": "", "deep.list[1].x": "", "deep.n": "",
		"liveness.decision":   "liveness.decision liveness.decision_raw",
		"liveness.score":      "liveness.score liveness.score_raw",
		"liveness.session_id": "liveness.session_id",
	}
	if diff := cmp.Diff(want, fieldsByPart(&e)); diff != "" {
		t.Error(diff)
	}
	if e.Format != "liveward_v1" || e.Why == "" || e.Candidates != nil {
		t.Errorf("%+v", e)
	}
}

func TestExplainColumns(t *testing.T) {
	e := explain(t, "nginx_combined", typical["nginx_combined"])
	want := map[string]string{
		"column 1": "source.ip", "column 2": "", "column 3": "user.name", "column 4": "@timestamp",
		"column 5": "http.request.method http.version url.path url.query", "column 6": "http.response.status_code",
		"column 7": "http.response.body.bytes", "column 8": "", "column 9": "user_agent.original",
	}
	if diff := cmp.Diff(want, fieldsByPart(&e)); diff != "" {
		t.Error(diff)
	}
	e = explain(t, "iis_w3c", "#Fields: date time c-ip cs-method cs-uri-stem x-secret sc-status", "2026-03-14 02:12:44 203.0.113.24 POST /v1/liveness/check hush 200")
	want = map[string]string{
		"date (column 1)": "@timestamp", "time (column 2)": "@timestamp", "c-ip (column 3)": "source.ip",
		"cs-method (column 4)": "http.request.method", "cs-uri-stem (column 5)": "url.path", "x-secret (column 6)": "",
		"sc-status (column 7)": "http.response.status_code",
	}
	if diff := cmp.Diff(want, fieldsByPart(&e)); diff != "" {
		t.Error(diff)
	}
	e = explain(t, "logfmt", `ts=2026-03-14T02:12:44.101Z method=POST path="/v1/x" color=red`)
	want = map[string]string{"ts": "@timestamp", "method": "http.request.method", "path": "url.path", "color": ""}
	if diff := cmp.Diff(want, fieldsByPart(&e)); diff != "" {
		t.Error(diff)
	}
}

// TestExplainEverything: of the lines of the golden corpora, 95 in 100 fields come from a known part,
// beside what the format says of itself. The others come from the line as a whole: one part alone, however
// it is changed, does not change them.
func TestExplainEverything(t *testing.T) {
	constant := []string{"event.provider", "gateway.product", "observer.product"}
	files, err := filepath.Glob("testdata/*/*.in")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	s := load(t)
	fields, unknown := 0, map[string]int{}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		x := newExplainer(t, s, name)
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(in) {
			ev := newEvent()
			if x.Parse(bytes.TrimSuffix(line, []byte("\n")), ev) != nil {
				continue
			}
			e := x.Last()
			ev.Values(func(field string, _ []byte) {
				fields++
				from := slices.ContainsFunc(e.Parts, func(p Part) bool { return slices.Contains(p.Fields, field) })
				if !from && !slices.Contains(constant, field) {
					unknown[name+" "+field]++
				}
			})
		}
	}
	total := 0
	for k, n := range unknown {
		total += n
		t.Log(k, n)
	}
	if total*20 > fields {
		t.Errorf("of %d fields the parts of %d are not known", fields, total)
	}
}

// TestExplainReadsTheSame: what explains itself gives the event that the format gives, of every line.
func TestExplainReadsTheSame(t *testing.T) {
	s := load(t)
	x := newExplainer(t, s, Auto)
	plain, err := s.New(Auto, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range goldenLines(t) {
		a, b := newEvent(), newEvent()
		errA, errB := x.Parse(bytes.Clone(line), a), plain.Parse(bytes.Clone(line), b)
		if !errors.Is(errA, errB) {
			t.Fatalf("%q: %v, %v", line, errA, errB)
		}
		if errA == nil && !bytes.Equal(a.AppendJSON(nil), b.AppendJSON(nil)) {
			t.Fatalf("%q:\n%s\n%s", line, a.AppendJSON(nil), b.AppendJSON(nil))
		}
	}
}

func TestExplainAuto(t *testing.T) {
	e := explain(t, Auto, typical["nginx_json"])
	if e.Format != "nginx_json" || e.Why != "the line has the form of JSON objects with the keys of nginx_json" {
		t.Errorf("%s: %s", e.Format, e.Why)
	}
	if len(e.Candidates) == 0 || e.Candidates[0].Format != "nginx_json" {
		t.Errorf("candidates %v", e.Candidates)
	}
	e = explain(t, Auto, typical["nginx_json"], typical["nginx_json"])
	if !strings.HasPrefix(e.Why, "as the lines before it") {
		t.Errorf("why %q", e.Why)
	}
	x := newExplainer(t, load(t), Auto)
	if err := x.Parse([]byte("hello world"), newEvent()); err == nil || x.Last().Why != "no format fits the line" || x.Last().Format != "" {
		t.Errorf("%v, %+v", err, x.Last())
	}
}

// TestExplainIsBounded: a line of very many members, or very long or deep ones, is explained in part.
func TestExplainIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"ts":"2026-03-14T02:12:44.101Z"`)
	for i := range 5000 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	e := explain(t, "liveward_v1", b.String()+"}")
	if len(e.Parts) != maxParts || !e.More {
		t.Errorf("%d parts, more %v", len(e.Parts), e.More)
	}
	deep := strings.Repeat(`{"`+strings.Repeat("k", 200)+`":`, 50) + "1" + strings.Repeat("}", 50)
	e = explain(t, "liveward_v1", `{"ts":"2026-03-14T02:12:44.101Z","d":`+deep+`}`)
	for _, p := range e.Parts {
		if len(p.Name) > maxPartName {
			t.Errorf("name of %d bytes", len(p.Name))
		}
	}
}

// FuzzSplit: the parts of a line do not overlap, stand in its order, and changes of them leave the rest
// as it is. A JSON object with a part that is changed is one still.
func FuzzSplit(f *testing.F) {
	for _, line := range goldenLines(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		parts := split(line)
		if len(parts) > maxParts+1 {
			t.Fatalf("%d parts", len(parts))
		}
		at := 0
		for i := range parts {
			p := &parts[i]
			if p.start < at || p.end < p.start || p.end > len(line) {
				t.Fatalf("part %d is %d to %d, after %d", i, p.start, p.end, at)
			}
			at = p.end
			if i > 8 {
				continue
			}
			for _, c := range p.changes(line) {
				if !bytes.HasPrefix(c, line[:p.start]) || !bytes.HasSuffix(c, line[p.end:]) {
					t.Fatalf("%q became %q", line, c)
				}
				if p.json && json.Valid(line) && !json.Valid(c) {
					t.Fatalf("%q became %q", line, c)
				}
			}
		}
	})
}
