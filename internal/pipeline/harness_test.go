package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liveward/liveward/internal/agent"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/join"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/leaktest"
	"github.com/liveward/liveward/internal/pipeline"
	"github.com/liveward/liveward/internal/privacy"
	"github.com/liveward/liveward/internal/strict"
	"github.com/liveward/liveward/rules"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("8") // each has several journals
	}
	leaktest.Main(m)
}

// burst is a rule on refused credentials; what is said of it beside the window decides nothing.
func burst(threshold int, window, suppress, title string) string {
	return fmt.Sprintf(`id: t.burst
version: 1
description: for tests
title: %q
severity: high
when: gateway.auth == "refused"
by: [client.ip]
window: %s
threshold: %d
suppress: {for: %s}
show: [user_agent.original, http.request.id]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`, title, window, threshold, suppress)
}

const single = `id: t.each
version: 1
description: for tests
title: "a call of {client.ip}"
severity: low
when: http.response.status_code == 418
by: [client.ip]
show: [http.request.id]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

const spread = `id: t.spread
version: 1
description: for tests
title: "{distinct.count} persons on one device"
severity: medium
when: has(device.id)
by: [device.id]
window: 2m
distinct: {of: [client.ip], at_least: 4}
suppress: {for: 1m}
show: [client.ip]
playbook: t/p
tests: [{name: quiet, events: [{at: 0s}], alerts: []}]
`

func ruleset(t testing.TB, texts ...string) *rules.Set {
	t.Helper()
	fsys := fstest.MapFS{"playbooks/t/p.md": {Data: []byte("# p\n")}}
	for _, text := range texts {
		id, _, _ := strings.Cut(strings.TrimPrefix(text, "id: "), "\n")
		fsys[id+".yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := rules.Load(fsys, rules.Options{PlaybookURL: "https://playbooks.example/"})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// line is a line of the gateway's log.
type line struct {
	at     int64 // milliseconds since base
	ip     string
	status int
	device string
	id     int
	agent  string
}

// base is the time of the first line: well before anything reads a real clock.
var base = time.Date(2026, 3, 16, 3, 0, 0, 0, time.UTC)

func (l line) text() string {
	ms := base.UnixMilli() + l.at
	return fmt.Sprintf(`{"msec":"%d.%03d","remote_addr":%q,"method":"POST","uri":"/v1/liveness/check","status":%d,"ua":%q,"request_id":"r-%d","device_ref":%q}`,
		ms/1000, ms%1000, l.ip, l.status, l.agent, l.id, l.device)
}

// log is a log file in memory.
type log struct {
	path string
	text []byte
}

func (l *log) add(lines ...line) {
	for _, x := range lines {
		l.text = append(append(l.text, x.text()...), '\n')
	}
}

var nowhere = slog.New(slog.DiscardHandler)

// bench is an agent's inside: one journal, one intake a log, the detector.
type bench struct {
	t      testing.TB
	dir    string
	plan   *agent.Plan
	replay *pipeline.Replay
	set    *rules.Set
	joins  *join.Config
	keys   []privacy.Key // other than the plan's
	clock  atomic.Int64

	j    *journal.Journal
	sets *pipeline.Rulesets
	gate *pipeline.Gate
	full atomic.Bool
	free func() (int64, error)
	max  int64 // size target of the journal
	stop context.CancelFunc
	done chan error
	det  *pipeline.Detector
}

func newBench(t testing.TB, set *rules.Set) *bench {
	t.Helper()
	return newBenchOf(t, set, "nginx_json", "UTC")
}

// newBenchOf is a bench whose logs have another format, or another zone where they name none.
func newBenchOf(t testing.TB, set *rules.Set, format, timezone string) *bench {
	t.Helper()
	cfg := agent.Default()
	cfg.Agent.ID, cfg.Agent.Data = "a", t.TempDir()
	cfg.Inputs = []agent.InputConfig{{Name: "gw", Paths: []string{"x"}, Format: format, MaxLine: 1 << 20, Start: "beginning", Timezone: timezone}}
	cfg.Inputs[0].Lateness = strict.Duration(pipeline.DefaultLateness)
	plan, err := agent.PrepareDemo(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: t.TempDir(), plan: plan, replay: plan.Replay(agent.ReplayOptions{}), set: set}
	b.clock.Store(base.Add(time.Hour).UnixNano())
	t.Cleanup(b.close)
	return b
}

func (b *bench) now() time.Time { return time.Unix(0, b.clock.Load()) }

func (b *bench) processor() *pipeline.Processor {
	p, err := b.replay.New()
	if err != nil {
		b.t.Fatal(err)
	}
	p.JudgeSkew = true
	if b.keys != nil {
		f, err := privacy.New(privacy.Config{Keys: b.keys})
		if err != nil {
			b.t.Fatal(err)
		}
		p.Privacy = f.Worker()
	}
	return p
}

// open starts what runs on the journal; collectors are the names of those that will put.
func (b *bench) open(collectors ...string) {
	b.t.Helper()
	var err error
	if b.j, err = journal.Open(b.t.Context(), journal.Config{Dir: b.dir, NoSync: true, MaxBytes: b.max, Free: b.free}, nowhere); err != nil {
		b.t.Fatal(err)
	}
	if b.sets, err = pipeline.NewRulesets(b.t.Context(), b.j); err != nil {
		b.t.Fatal(err)
	}
	if err := b.sets.Use(b.t.Context(), b.set); err != nil {
		b.t.Fatal(err)
	}
	b.gate = pipeline.NewGate(collectors...)
	b.detect()
}

func (b *bench) detect() {
	b.t.Helper()
	var err error
	if b.det, err = pipeline.NewDetector(b.j, rules.Options{}, rules.WindowConfig{}, b.joins, b.now, nowhere); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop, b.done = cancel, make(chan error, 1)
	det, done := b.det, b.done
	go func() { done <- det.Run(ctx) }()
}

// halt stops the detector; a detector that stops takes a snapshot.
func (b *bench) halt() {
	if b.stop == nil {
		return
	}
	b.stop()
	if err := <-b.done; err != nil {
		b.t.Errorf("detector: %v", err)
	}
	b.stop = nil
}

func (b *bench) close() {
	b.halt()
	if b.j != nil {
		_ = b.j.Close()
		b.j = nil
	}
}

// crash leaves the journal as a kill does: what it looks like on disk at this moment.
func (b *bench) crash() {
	b.t.Helper()
	image := b.t.TempDir()
	if err := copyDir(image, b.dir); err != nil {
		b.t.Fatal(err)
	}
	b.close()
	b.dir = image
}

// copyDir copies a directory that is being written to: a file that vanishes is one that is not there.
func copyDir(dst, src string) error {
	return filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
}

// settled waits until the detector has read all that was journaled.
func (b *bench) settled() {
	b.t.Helper()
	_, last, err := b.j.Bounds(b.t.Context(), journal.Events)
	if err != nil {
		b.t.Fatal(err)
	}
	await(b.t, "the detector", func() bool {
		b.clock.Add(int64(time.Second))
		return b.det.Stats().Sequence >= last
	})
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited three minutes for %s", what)
		}
	}
}

// reader is a collector of one log.
type reader struct {
	b     *bench
	name  string
	logs  []*log
	sink  *pipeline.Intake
	at    []int64
	limit int // bytes of a batch
}

// reader opens the collector at the journal's positions.
func (b *bench) reader(name string, logs ...*log) *reader {
	b.t.Helper()
	sink, resume, err := pipeline.NewIntake(b.t.Context(), b.j, "a", name, b.processor(), b.sets, b.gate, b.full.Load, pipeline.NewCounts(), nowhere)
	if err != nil {
		b.t.Fatal(err)
	}
	r := &reader{b: b, name: name, logs: logs, sink: sink, at: make([]int64, len(logs)), limit: 2000}
	for _, p := range resume {
		for i, l := range logs {
			if l.path == p.Path {
				r.at[i] = p.End
			}
		}
	}
	return r
}

// batch reads on in the given log; -1 makes a tick without lines.
func (r *reader) batch(which int) *event.Batch {
	batch := &event.Batch{Ingest: r.b.clock.Load(), Tick: which < 0}
	for i, l := range r.logs {
		if which >= 0 && i != which {
			continue
		}
		p := event.Position{Source: "gw", Path: l.path, Ordinal: 1, Start: r.at[i], End: r.at[i]}
		if first, _, ok := bytes.Cut(l.text, []byte{'\n'}); ok {
			p.Fingerprint = event.HashOf(first)
		}
		for which >= 0 && p.End < int64(len(l.text)) && int(p.End-p.Start) < r.limit {
			data, _, ok := bytes.Cut(l.text[p.End:], []byte{'\n'})
			if !ok {
				break
			}
			batch.Lines = append(batch.Lines, event.Line{File: len(batch.Positions), Offset: p.End, Data: data})
			p.End += int64(len(data)) + 1
		}
		p.Idle = p.End == int64(len(l.text))
		batch.Positions = append(batch.Positions, p)
	}
	return batch
}

// put puts a batch; with success the reader moves on.
func (r *reader) put(batch *event.Batch) error {
	err := r.sink.Put(r.b.t.Context(), batch)
	if err != nil {
		return err
	}
	for _, p := range batch.Positions {
		for i, l := range r.logs {
			if l.path == p.Path {
				r.at[i] = p.End
			}
		}
	}
	return nil
}

func (r *reader) mustPut(batch *event.Batch) {
	r.b.t.Helper()
	if err := r.put(batch); err != nil {
		r.b.t.Fatalf("put: %v", err)
	}
}

func (r *reader) atEnd() bool {
	for i, l := range r.logs {
		if r.at[i] < int64(len(l.text)) {
			return false
		}
	}
	return true
}

// all reads everything there is.
func (r *reader) all() {
	for i, l := range r.logs {
		for r.at[i] < int64(len(l.text)) {
			r.mustPut(r.batch(i))
		}
	}
	r.mustPut(r.batch(-1))
}

// begin lets all collectors put their first tick, as they do at a start: side by side.
func (b *bench) begin(readers ...*reader) {
	b.t.Helper()
	errs := make(chan error)
	for _, r := range readers {
		tick := r.batch(-1)
		go func() { errs <- r.put(tick) }()
	}
	for range readers {
		if err := <-errs; err != nil {
			b.t.Fatal(err)
		}
	}
}

func (r *reader) close() { r.sink.Close() }

// documents returns what the journal holds, by id; an id that stands twice is reported.
func (b *bench) documents() map[string]string {
	b.t.Helper()
	codec, err := journal.NewCodec()
	if err != nil {
		b.t.Fatal(err)
	}
	defer codec.Close()
	out := map[string]string{}
	b.each(journal.Events, func(e *journal.Entry) {
		if e.Subject == journal.RulesetSubject {
			return
		}
		raw, err := codec.DecodeDocs(e.Body, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		docs, err := journal.Documents(raw)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, d := range docs {
			if out[d.ID.String()] != "" {
				b.t.Errorf("document %s stands twice in the journal", d.ID)
			}
			out[d.ID.String()] = string(d.JSON)
		}
	})
	return out
}

func (b *bench) each(stream string, f func(*journal.Entry)) {
	b.t.Helper()
	_, last, err := b.j.Bounds(b.t.Context(), stream)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.j.ReadRange(b.t.Context(), stream, 0, last, journal.All, func(e *journal.Entry) error { f(e); return nil }); err != nil {
		b.t.Fatal(err)
	}
}

// alerts returns the alert documents of the journal, sorted. twice tells whether one may stand there
// more than once with the same bytes, as after a lost tail.
func (b *bench) alerts(twice bool) []string {
	b.t.Helper()
	var out []string
	b.each(journal.Alerts, func(e *journal.Entry) {
		for l := range bytes.Lines(e.Body) {
			out = append(out, string(bytes.TrimSpace(l)))
		}
	})
	slices.Sort(out)
	if twice {
		out = slices.Compact(out)
	}
	return out
}

// wanted are the alerts of a replay of the logs.
func (b *bench) wanted(set *rules.Set, logs ...*log) []string {
	b.t.Helper()
	dir := b.t.TempDir()
	var paths []string
	for i, l := range logs {
		path := filepath.Join(dir, fmt.Sprintf("%d.log", i))
		if err := os.WriteFile(path, l.text, 0o600); err != nil {
			b.t.Fatal(err)
		}
		paths = append(paths, path)
	}
	r := *b.replay
	r.Rules, r.Joins = set, b.joins
	var out []string
	r.Alert = func(a *event.Alert) error { out = append(out, string(a.AppendJSON(nil))); return nil }
	if _, err := r.Run(b.t.Context(), paths); err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// finish puts a tick of every reader so late that all windows have seen everything.
func (b *bench) finish(readers ...*reader) {
	b.t.Helper()
	b.clock.Add(int64(time.Hour))
	for range 2 {
		for _, r := range readers {
			r.mustPut(r.batch(-1))
		}
	}
	b.settled()
}
