package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liveward/liveward/internal/estest"
	"github.com/liveward/liveward/internal/generator"
	"github.com/liveward/liveward/internal/journal"
)

// The agent reads a log seeded with secrets, faces and ids in every place and encoding, while it is
// rotated and packed; Elasticsearch refuses some documents. Afterwards no canary is under the data
// directory, in Elasticsearch, in Slack, in the file of documents, in the agent's own log or in what
// the commands say about it.
func TestCanariesAreNowhere(t *testing.T) {
	w := newWorld(t, estest.Shared(t))
	c := newCorpus(t, seed())
	dead := refuseSome(t, w)

	total := 0
	var inputs strings.Builder
	for _, format := range generator.Formats() {
		total += c.lines[format]
		if err := os.Mkdir(w.path(format), 0o700); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&inputs, "  - {name: %s, paths: [%s], format: %s, max_line: 64KiB, trusted_proxies: [10.0.0.0/8]}\n", format, w.path(format+"/access.log"), format)
		if format != generator.NginxJSON {
			w.write(format+"/access.log", string(c.files[format]))
		}
	}
	// The same lines once more, with a format that has to be found out.
	total += c.lines[generator.KongJSON]
	w.write("auto.log", string(c.files[generator.KongJSON]))
	fmt.Fprintf(&inputs, "  - {name: unknown, paths: [%s], format: auto, max_line: 64KiB}\n", w.path("auto.log"))
	first, second, third := thirds(c.files[generator.NginxJSON])
	w.write(generator.NginxJSON+"/access.log", string(first))
	w.write("liveward.yaml", fmt.Sprintf(`
agent: {id: gw-1, data: %s, log_level: debug}
privacy: {keys: "${file:%s}"}
inputs:
%sndjson: {path: %s}
elasticsearch: {urls: [%s], ca_file: %s, api_key: "${file:%s}", namespace: %s}
slack: {token: "${file:%s}", channel: "#alerts", base_url: %s}
kibana: {url: "https://kibana.bank.example"}
`, w.path("data"), w.path("pseudonym.keys"), inputs.String(), w.path("documents.ndjson"), w.es.URL, w.path("ca.pem"),
		w.path("es.key"), w.namespace, w.path("slack.token"), w.slack.BaseURL()))

	a := w.startAgent()
	count := func() int { // without the events that were derived from others
		text := w.readIfThere("documents.ndjson")
		return strings.Count(text, `"dataset":"liveward.event"`) - strings.Count(text, `"join":{`)
	}
	await(t, "the first lines", func() bool { return count() >= total-c.lines[generator.NginxJSON]+bytes.Count(first, []byte{'\n'}) })
	w.append(generator.NginxJSON+"/access.log", second)
	w.pack(generator.NginxJSON + "/access.log")
	w.write(generator.NginxJSON+"/access.log", string(third))
	await(t, "all lines", func() bool { return count() >= total })
	await(t, "alerts in Slack", func() bool { return len(w.slack.Messages()) > 0 })
	await(t, "Elasticsearch to have taken or refused all", func() bool {
		return w.es.Count(t, w.stream("event")) > total/2 && w.es.Count(t, w.stream("alert")) > 0
	})
	w.stop(a)
	if n := count(); n != total {
		t.Errorf("%d documents of %d lines", n, total)
	}

	documents := w.read("documents.ndjson")
	for _, kind := range []string{"email", "phone", "pan", "iban", "national_id", "jwt", "secret", "credential", "pem", "image", "base64", "number", "pipeline_error"} {
		if !strings.Contains(documents, `"`+kind+`"`) {
			t.Errorf("no document says %s: the canaries were not seen", kind)
		}
	}
	c.absent(t, "the file of documents", []byte(documents))
	for _, class := range []string{"event", "alert"} {
		docs := w.es.Docs(t, w.stream(class))
		if len(docs) == 0 {
			t.Errorf("Elasticsearch has no %s", class)
		}
		for _, d := range docs {
			c.absent(t, "Elasticsearch", d.Source)
		}
	}
	for _, m := range w.slack.Messages() {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		c.absent(t, "Slack", text)
	}
	if v := w.slack.Violations(); len(v) > 0 {
		t.Errorf("Slack: %s", strings.Join(v, "; "))
	}
	log := a.log.tail(1 << 30)
	if !strings.Contains(log, `"level":"DEBUG"`) {
		t.Error("the agent's log has nothing of level debug")
	}
	c.absent(t, "the agent's log", []byte(log))

	letters := w.run("deadletter", "list", "--json", "-c", w.path("liveward.yaml"))
	if !strings.Contains(letters, dead) {
		t.Error("no dead letter: Elasticsearch refused nothing")
	}
	c.absent(t, "deadletter list", []byte(letters))
	c.dataDirectory(t, w.path("data"), journal.Events, journal.Alerts, journal.DeadLetters)
	said, _ := exec.CommandContext(t.Context(), w.binary, "replay", "-c", w.path("liveward.yaml"), "--source", generator.NginxJSON, w.path("documents.ndjson"), w.path("auto.log")).CombinedOutput()
	c.absent(t, "replay -c", said)
}

// refuseSome lets Elasticsearch refuse documents with a device's model, as a mapping of somebody else's
// does, and returns what its reason says.
func refuseSome(t *testing.T, w *world) string {
	t.Helper()
	w.es.Must(t, http.MethodPut, "/_index_template/canary-"+w.namespace, fmt.Sprintf(`{"index_patterns":["%s"],"priority":1000,"data_stream":{},
		"template":{"settings":{"number_of_replicas":0},"mappings":{"properties":{"@timestamp":{"type":"date"},"device":{"properties":{"model":{"properties":{"identifier":{"type":"long"}}}}}}}}}`,
		w.stream("event")), nil)
	return "document_parsing_exception"
}

// dataDirectory searches all files, and what is compressed in these streams of the journal, of which none is
// empty.
func (c *corpus) dataDirectory(t *testing.T, dir string, streams ...string) {
	t.Helper()
	size := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		size += len(data)
		c.absent(t, strings.TrimPrefix(path, dir), data)
		c.absent(t, "a path", []byte(path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if size < 100_000 {
		t.Errorf("the data directory has %d bytes", size)
	}
	j, err := journal.Open(t.Context(), journal.Config{Dir: filepath.Join(dir, "journal")}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	codec, err := journal.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	documents := 0
	for _, stream := range streams {
		_, last, err := j.Bounds(t.Context(), stream)
		if err != nil || last == 0 {
			t.Fatalf("stream %s: %d messages, %v", stream, last, err)
		}
		err = j.ReadRange(context.WithoutCancel(t.Context()), stream, 0, last, journal.All, func(e *journal.Entry) error {
			c.absent(t, e.Subject, e.Body)
			if !strings.HasPrefix(e.Subject, "events.") {
				return nil
			}
			var b journal.Batch
			if err := codec.DecodeSignals(e.Body, &b); err != nil {
				return err
			}
			c.absent(t, "signals", fmt.Appendf(nil, "%+v", b.Signals))
			docs, err := codec.DecodeDocs(e.Body, nil)
			documents += b.Documents
			c.absent(t, "journaled documents", docs)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if documents < len(c.find.where)/2 {
		t.Errorf("%d documents in the journal", documents)
	}
}

// thirds cuts lines into three parts.
func thirds(lines []byte) (a, b, c []byte) {
	cut := func(at int) int { return at + bytes.IndexByte(lines[at:], '\n') + 1 }
	i, j := cut(len(lines)/3), cut(2*len(lines)/3)
	return lines[:i], lines[i:j], lines[j:]
}

func (w *world) readIfThere(name string) string {
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		return ""
	}
	return string(data)
}

func (w *world) append(name string, data []byte) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// pack rotates a log and packs what was rotated, faster than anybody can read it.
func (w *world) pack(name string) {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil {
		w.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.path(name), w.path(name+".1")); err != nil {
		w.t.Fatal(err)
	}
	w.write(name+".1.gz", packed.String())
	if err := os.Remove(w.path(name + ".1")); err != nil {
		w.t.Fatal(err)
	}
}
