package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/liveward/liveward/collectors/s3/sqsfake"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/internal/loopback"
)

// What gateways and shippers send, vendors post, core banking exports and objects are named holds secrets,
// faces and ids in every place. Afterwards none is in the documents, under the data directory, in the
// agent's own log, in its metrics, or in what the commands say of it.
func TestCanariesDoNotPassInputs(t *testing.T) {
	const bucket = "logs"
	t.Setenv("AWS_ACCESS_KEY_ID", sqsfake.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-access-key")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	queue, backend := sqsfake.New(t), s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	store := httptest.NewServer(gofakes3.New(backend).Server())
	defer store.Close()
	pushed, otel, hook, stream, metrics := loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t), loopback.Address(t)
	r := newReceiver(t, fmt.Sprintf(`
  - {name: pushed, push: {listen: '%s'}, format: nginx_json}
  - {name: otel, otlp: {listen: '%s'}, format: nginx_json}
  - {name: outcomes, webhook: {listen: '%s', vendor: veriff, secrets: ['${file:secret}']}}
  - {name: network, syslog: {tcp: '%s'}, format: nginx_json}
  - {name: objects, s3: {queue: '%s', endpoint: '%s', region: eu-central-1, buckets: [%s]}, format: nginx_json}
  - {name: accounts, paths: [accounts.csv], format: account_csv}
  - {name: openings, paths: [accounts.ndjson], format: account_opened}
metrics: {listen: '%s'}
`, pushed, otel, hook, stream, queue.URL(), store.URL, bucket, metrics))

	start := seed()
	t.Logf("seed %d", start)
	a := newAviary(start)
	plain := slices.Concat(a.fieldLines([]string{"uri", "args", "ua", "lv_session", "lv_reason", "key_id", "subject_ref", "consent_id", "request_id", "traceparent", "http_authorization"}), a.oddLines())
	for i, line := range plain {
		plain[i] = bytes.ReplaceAll(line, []byte{'\n'}, nil)
	}
	feeds := a.feeds()
	c := &corpus{find: newFinder()}
	objects := map[string]string{}
	for _, kind := range []string{"email", "phone", "pan", "nik", "iban", "jwt", "key"} {
		x := a.one(kind)
		a.plant(x, "the key of an object")
		objects["subjects/"+x.text+"/2026/03.log"] = fmt.Sprintf("object-%s", kind)
	}
	for piece, where := range a.where {
		c.find.add(piece, where)
	}
	r.write("accounts.csv", feeds.csv)
	r.write("accounts.ndjson", feeds.ndjson)
	agent := r.start(4)

	for part := range slices.Chunk(plain, 500) {
		sender{plainClient(t, nil), "http://" + pushed, nil}.must(t, 200, string(bytes.Join(part, []byte{'\n'})))
	}
	toOTel := sender{plainClient(t, nil), "http://" + otel + "/v1/logs", map[string]string{"Content-Type": "application/json"}}
	for part := range slices.Chunk(plain, 500) {
		toOTel.must(t, 200, otlpRequest(t, part))
	}
	for _, body := range feeds.outcomes {
		sender{plainClient(t, nil), "http://" + hook, map[string]string{"X-HMAC-Signature": hex.EncodeToString(sum(body)), "Content-Type": "application/json"}}.must(t, 200, body)
	}
	conn, err := net.Dial("tcp", stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plain {
		if _, err := fmt.Fprintf(conn, "<13>Mar 14 02:12:44 gw-1 nginx: %s\n", line); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, "<13>Mar 14 02:12:44 gw-1 nginx: "+gatewayLine("last")+"\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	want := []string{"last"}
	for key, id := range objects {
		want = append(want, id)
		text := gatewayLine(id) + "\n"
		if _, err := backend.PutObject(bucket, key, nil, strings.NewReader(text), int64(len(text)), nil); err != nil {
			t.Fatal(err)
		}
		notice, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
			"eventName": "ObjectCreated:Put", "s3": map[string]any{"bucket": map[string]any{"name": bucket}, "object": map[string]any{"key": url.QueryEscape(key)}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(string(notice))
	}
	await(t, "the last lines", func() bool {
		have := r.requests()
		return !slices.ContainsFunc(want, func(id string) bool { return have[id] == 0 })
	})
	await(t, "the accounts", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, "out.ndjson"))
		return err == nil && bytes.Count(text, []byte(`"source":"accounts"`)) >= strings.Count(feeds.csv, "\n")-1 &&
			bytes.Count(text, []byte(`"source":"openings"`)) >= strings.Count(feeds.ndjson, "\n")
	})
	for _, args := range [][]string{{"keys"}, {"keys", "--json"}, {"rules", "list"}, {"deadletter", "list"}, {"deadletter", "list", "--json"}, {"deadletter", "replay"}} {
		out, err := r.command(append(args, "-c", "liveward.yaml")...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
		c.absent(t, strings.Join(args, " "), out)
	}
	scrape, err := plainClient(t, nil).Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(scrape.Body)
	if err != nil || !bytes.Contains(text, []byte("liveward_input_lines_total")) {
		t.Errorf("metrics: %v %.100s", err, text)
	}
	_ = scrape.Body.Close()
	c.absent(t, "metrics", text)
	r.stop(agent)
	documents, err := os.ReadFile(filepath.Join(r.dir, "out.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	c.absent(t, "the file of documents", documents)
	c.absent(t, "the agent's log", []byte(agent.log.tail(1<<30)))
	c.dataDirectory(t, filepath.Join(r.dir, "data"), journal.Events)
}

// otlpRequest has each line as a record: in turn as its body, its body's members, and its attributes.
func otlpRequest(t *testing.T, lines [][]byte) string {
	t.Helper()
	var records []any
	for i, line := range lines {
		var members map[string]any
		if i%3 == 0 || json.Unmarshal(line, &members) != nil {
			records = append(records, map[string]any{"body": map[string]any{"stringValue": strings.ToValidUTF8(string(line), "\ufffd")}})
			continue
		}
		pairs := otlpValue(members)["kvlistValue"].(map[string]any)["values"]
		if i%3 == 1 {
			records = append(records, map[string]any{"attributes": pairs})
		} else {
			records = append(records, map[string]any{"body": map[string]any{"kvlistValue": map[string]any{"values": pairs}}})
		}
	}
	body, err := json.Marshal(map[string]any{"resourceLogs": []any{map[string]any{"scopeLogs": []any{map[string]any{"logRecords": records}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func otlpValue(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		pairs := []any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, map[string]any{"key": k, "value": otlpValue(v[k])})
		}
		return map[string]any{"kvlistValue": map[string]any{"values": pairs}}
	case []any:
		all := []any{}
		for _, e := range v {
			all = append(all, otlpValue(e))
		}
		return map[string]any{"arrayValue": map[string]any{"values": all}}
	case float64:
		return map[string]any{"doubleValue": v}
	case bool:
		return map[string]any{"boolValue": v}
	case string:
		return map[string]any{"stringValue": v}
	}
	return map[string]any{}
}

// feeds are accounts and outcomes with a canary each.
type feeds struct {
	csv, ndjson string
	outcomes    []string
}

func (a *aviary) feeds() feeds {
	var f feeds
	columns := []string{"opened_at", "account_ref", "user_id", "session_id", "consent_id", "channel", "product", "tenant", "device_id", "region", "request_id", "consent_version", "full_name"}
	f.csv = strings.Join(columns, ",") + "\n"
	for i := 1; i < len(columns); i++ {
		for _, kind := range kinds() {
			row := map[string]string{"opened_at": "2026-03-14T02:20:00Z", "account_ref": "ACC-1"}
			for _, csv := range []bool{true, false} {
				c := a.one(kind)
				a.plant(c, columns[i]+" of an account")
				row[columns[i]] = strings.ReplaceAll(c.text, "\n", " ")
				if csv {
					var cells []string
					for _, name := range columns {
						cells = append(cells, `"`+strings.ReplaceAll(row[name], `"`, `""`)+`"`)
					}
					f.csv += strings.Join(cells, ",") + "\n"
					continue
				}
				line, _ := json.Marshal(row) // strings always encode
				f.ndjson += string(line) + "\n"
			}
		}
	}
	for _, path := range []string{"id", "attemptId", "status", "reason", "reasonCode", "vendorData", "endUserId", "decisionTime", "firstName"} {
		for _, kind := range kinds() {
			c := a.one(kind)
			a.plant(c, "verification."+path+" of an outcome")
			v := map[string]any{"id": "session-1", "attemptId": "a-1", "status": "declined", "decisionTime": "2026-03-14T02:20:00Z", path: c.text}
			body, _ := json.Marshal(map[string]any{"status": "success", "verification": v, "person": map[string]any{"lastName": c.text}})
			f.outcomes = append(f.outcomes, string(body))
		}
	}
	return f
}
