package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/liveward/liveward/collectors/s3/sqsfake"
)

// The agent is killed again and again while it reads objects and the journal, and its notifications
// come again and again. Every line is there, once.
func TestKilledWhileItReadsObjectsAndTheJournal(t *testing.T) {
	const objects, perObject, kills, bucket = 12, 4000, 6, "logs"
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
	journal := t.TempDir()
	r := newReceiver(t, fmt.Sprintf(`
  - {name: objects, s3: {queue: '%s', endpoint: '%s', region: eu-central-1, buckets: [%s]}, format: nginx_json}
  - {name: journal, journald: {units: [gw], directory: '%s'}, format: nginx_json}
`, queue.URL(), store.URL, bucket, journal))

	var want []string
	put := func(n int) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for i := range perObject {
			id := fmt.Sprintf("o-%d-%d", n, i)
			want = append(want, id)
			_, _ = fmt.Fprintln(z, gatewayLine(id))
		}
		_ = z.Close()
		key := fmt.Sprintf("%d.gz", n)
		if _, err := backend.PutObject(bucket, key, nil, &b, int64(b.Len()), nil); err != nil {
			t.Fatal(err)
		}
		notice, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
			"eventName": "ObjectCreated:Put", "s3": map[string]any{"bucket": map[string]any{"name": bucket}, "object": map[string]any{"key": key}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(string(notice))
		queue.Send(string(notice))
	}
	entries := 0
	log := func(n int) {
		var b bytes.Buffer
		for range n {
			entries++
			id := fmt.Sprintf("j-%d", entries)
			want = append(want, id)
			_, _ = fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_SYSTEMD_UNIT=gw.service\nMESSAGE=%s\n\n",
				1773454364000000+entries, 1000000+entries, gatewayLine(id))
		}
		cmd := exec.CommandContext(t.Context(), "/usr/lib/systemd/systemd-journal-remote", "--output="+filepath.Join(journal, "system.journal"), "-")
		cmd.Stdin = &b
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("systemd-journal-remote (make deps installs it): %v\n%s", err, out)
		}
	}
	for n := range objects {
		put(n)
	}
	log(500)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	before := 0
	for range kills {
		a := r.start(0)
		// Kills come while lines do: the start itself takes a while.
		await(t, "further lines", func() bool { return len(r.requests()) > before })
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		a.kill()
		before = len(r.requests())
		queue.Expire()
		log(100)
	}
	a := r.start(0)
	r.await(want...)
	await(t, "the queue to be empty", func() bool { queue.Expire(); return queue.Left() == 0 })
	r.stop(a)
	if have := r.requests(); len(have) != len(want) {
		t.Errorf("%d requests in the documents, want %d", len(have), len(want))
	}
}
