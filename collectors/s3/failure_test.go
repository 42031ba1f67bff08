package s3_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/s3"
	"github.com/liveward/liveward/internal/event"
)

// run starts a collector with the configuration of a world.
func (w *world) run(sink *collectorstest.Sink, change func(*s3.Config)) (*s3.Collector, *collectorstest.Running) {
	w.t.Helper()
	cfg := w.config()
	if change != nil {
		change(&cfg)
	}
	c := w.collector(cfg, sink.Positions(), time.Now)
	return c, collectorstest.Start(w.t, c, sink)
}

func lines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "line %06d\n", i)
	}
	return b.Bytes()
}

// TestNotices holds that each form of notification leads to its object, whatever its key.
func TestNotices(t *testing.T) {
	const key = "AWSLogs/1/a b+c%2B=é/\"x\".log"
	eventBridge := func(detailType string) string {
		return toJSON(map[string]any{
			"version": "0", "source": "aws.s3", "detail-type": detailType, "region": "eu-central-1",
			"detail": map[string]any{
				"version": "0", "bucket": map[string]any{"name": bucket},
				"object": map[string]any{"key": key, "size": 5, "etag": "x", "sequencer": "00"}, "reason": "PutObject",
			},
		})
	}
	sns := func(message string) string {
		return toJSON(map[string]any{"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": message})
	}
	for name, body := range map[string]string{
		"S3":                      created(key),
		"S3 through SNS":          sns(created(key)),
		"EventBridge":             eventBridge("Object Created"),
		"EventBridge through SNS": sns(eventBridge("Object Created")),
		"MinIO":                   strings.Replace(created(key), `"ObjectCreated:Put"`, `"s3:ObjectCreated:Put"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			w.s.put(key, []byte("hello\n"))
			w.q.Send(body)
			_, run := w.run(sink, nil)
			sink.WaitLines(1)
			if got, want := sink.Positions()[1].Name, "s3://"+bucket+"/"+key; got != want {
				t.Errorf("the object is called %q, want %q", got, want)
			}
			wait(t, "the notification to be deleted", func() bool { return w.q.Left() == 0 })
			run.Stop(t)
		})
	}
	for name, body := range map[string]string{
		"greeting":        `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"liveness-logs"}`,
		"removal":         strings.Replace(created(key), "ObjectCreated:Put", "ObjectRemoved:Delete", 1),
		"another event":   eventBridge("Object Deleted"),
		"wrapped removal": sns(strings.Replace(created(key), "ObjectCreated:Put", "ObjectRemoved:Delete", 1)),
	} {
		t.Run("ignored: "+name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			w.q.Send(body)
			c, run := w.run(sink, nil)
			wait(t, "the message to be deleted", func() bool { return w.q.Left() == 0 })
			wait(t, "the count", func() bool { return c.Stats().Ignored == 1 })
			run.Stop(t)
		})
	}
}

// TestPoison holds that what is no notification is left to the queue's redrive policy, with a line that
// does not repeat it, and that it holds nothing up.
func TestPoison(t *testing.T) {
	w, sink := newWorld(t), collectorstest.NewSink(t)
	w.q.Most = 3 // an answer may be lost on its way: then the message comes again
	deep := created("x")
	for range 4 {
		deep = toJSON(map[string]any{"Type": "Notification", "Message": deep})
	}
	poison := []string{
		"", "{", `"canary-text"`, "[]", "{}", `{"Records":[]}`, `{"Records":[{"eventName":"ObjectCreated:Put"}]}`,
		`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"liveness-logs"},"object":{"key":"%zz-canary"}}}]}`,
		strings.Replace(created("x"), `"name":"liveness-logs"`, `"name":"elsewhere"`, 1), deep, strings.Repeat("[", 100000),
	}
	for _, body := range poison {
		w.q.Send(body)
	}
	w.write("good", []byte("good\n"))
	c, run := w.run(sink, func(cfg *s3.Config) { cfg.Buckets = []string{bucket} })
	sink.WaitLines(1)
	wait(t, "all but the poison to be deleted", func() bool { return w.q.Left() == len(poison) })
	wait(t, "the poison to be set aside", func() bool { w.q.Expire(); return len(w.q.DeadLetters()) == len(poison) })
	run.Stop(t)
	if got, each := c.Stats().Poison, int64(len(poison)); got < each || got > each*int64(w.q.Most) {
		t.Errorf("%d messages are counted as poison, want %d to %d", got, each, each*int64(w.q.Most))
	}
	if log := w.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, "is no notification of an object") || !strings.Contains(log, "m-1 ") {
		t.Errorf("the log says:\n%s", log)
	}
}

// TestRedelivery holds that what comes again is not read again, and that half an object goes on where
// the journal ends, with the ids its lines would have had.
func TestRedelivery(t *testing.T) {
	w, sink := newWorld(t), collectorstest.NewSink(t)
	w.write("a", gzipped(t, lines(10)))
	c, run := w.run(sink, nil)
	wait(t, "the first delivery", func() bool { return c.Stats().Deleted == 1 })
	w.q.Send(created("a"))
	w.q.Send(created("a", "a"))
	wait(t, "the others", func() bool { return c.Stats().Deleted == 3 })
	run.Stop(t)
	w.q.Quiet()
	if got := c.Stats(); got.Redelivered != 3 || got.Objects != 1 || len(sink.Lines()) != 10 {
		t.Errorf("%d lines, %+v", len(sink.Lines()), got)
	}

	// Deleting fails, and then the agent is started anew: the object's lines are in the journal.
	w.q.Refuse(func(action string) string {
		if action == "DeleteMessage" {
			return "ServiceUnavailable"
		}
		return ""
	})
	w.write("b", lines(10))
	sink.Restart()
	_, run = w.run(sink, nil)
	sink.WaitLines(20)
	_, before := sink.Counts()
	sink.Wait("a tick", func() bool { _, n := sink.Counts(); return n > before })
	run.Stop(t)
	w.q.Refuse(nil)
	w.q.Expire()
	sink.Restart()
	c, run = w.run(sink, nil)
	wait(t, "the notification to be deleted", func() bool { return c.Stats().Deleted == 1 })
	run.Stop(t)
	if got := c.Stats(); got.Redelivered != 1 || got.Objects != 0 || len(sink.Lines()) != 20 {
		t.Errorf("%d lines, %+v", len(sink.Lines()), got)
	}
}

// TestResumesWithinAnObject cuts the agent after each batch of a large object.
func TestResumesWithinAnObject(t *testing.T) {
	w, sink := newWorld(t), collectorstest.NewSink(t)
	content := lines(200_000) // some 2.4 MiB: several batches
	w.write("big", gzipped(t, content))
	crash := errors.New("crash")
	for i := range 2 {
		puts := 0
		fail := func(_ int, b *event.Batch) error {
			if len(b.Lines) > 0 {
				if puts++; puts == 2 {
					return crash
				}
			}
			return nil
		}
		if i == 0 {
			sink.Before = fail // nothing of the batch was stored
		} else {
			sink.After = fail // it was stored, and nobody learned of it
		}
		w.q.Expire()
		sink.Restart()
		_, run := w.run(sink, nil)
		if err := run.Wait(t); !errors.Is(err, crash) {
			t.Fatalf("Collect returned %v", err)
		}
		sink.Before, sink.After = nil, nil
	}
	w.q.Expire()
	sink.Restart()
	_, run := w.run(sink, nil)
	wait(t, "the notification to be deleted", func() bool { return w.q.Left() == 0 })
	run.Stop(t)
	got := sink.Lines()
	if text := strings.Join(sink.Texts(), "\n") + "\n"; text != string(content) {
		t.Fatalf("%d lines, want 200000, each once", len(got))
	}
	for i, l := range got {
		if l.Offset != int64(i)*12 {
			t.Fatalf("line %d has offset %d", i, l.Offset)
		}
	}
}

// TestObjectsThatCannotBeRead holds what becomes of notifications of such objects, and that the others
// are read.
func TestObjectsThatCannotBeRead(t *testing.T) {
	truncated := gzipped(t, lines(1000))
	for _, c := range []struct {
		name, log string
		content   []byte
		status    int
		code      string
		lines     int // of it that are read all the same
		counted   func(s3.Stats) int64
	}{
		{name: "gone", log: "is not there any more", counted: func(s s3.Stats) int64 { return s.Gone }},
		{name: "denied", log: "access denied", status: 403, code: "AccessDenied", counted: func(s s3.Stats) int64 { return s.Denied }},
		{name: "archived", log: "has to be restored", status: 403, code: "InvalidObjectState", counted: func(s s3.Stats) int64 { return s.Failed }},
		{name: "broken compression", log: "its compression is broken", content: []byte("\x1f\x8b\x08canary"), counted: func(s s3.Stats) int64 { return s.Broken }},
		{name: "truncated", log: "its compression is broken", content: truncated[:len(truncated)/2], lines: -1, counted: func(s s3.Stats) int64 { return s.Broken }},
		{name: "broken zstd", log: "its compression is broken", content: []byte("\x28\xb5\x2f\xfdcanary"), counted: func(s s3.Stats) int64 { return s.Broken }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			if c.content != nil {
				w.s.put("bad", c.content)
			}
			if c.status != 0 {
				w.s.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, "/bad") {
						return false
					}
					rw.WriteHeader(c.status)
					_, _ = fmt.Fprintf(rw, "<Error><Code>%s</Code><Message>canary</Message></Error>", c.code)
					return true
				})
			}
			w.q.Most = 1
			w.q.Send(created("bad"))
			w.write("good", []byte("good\n"))
			col, run := w.run(sink, nil)
			sink.Wait("the other object", func() bool { return slices.Contains(sink.Texts(), "good") })
			wait(t, "the notification to be set aside", func() bool { w.q.Expire(); return len(w.q.DeadLetters()) == 1 })
			run.Stop(t)
			if got := c.counted(col.Stats()); got != 1 {
				t.Errorf("counted %d times: %+v", got, col.Stats())
			}
			if c.lines == 0 && len(sink.Lines()) != 1 {
				t.Errorf("%d lines", len(sink.Lines()))
			}
			if log := w.log.String(); !strings.Contains(log, c.log) || !strings.Contains(log, "bad") || strings.Contains(log, "canary") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
}

// TestBombs holds that memory stays bounded however far bytes unpack, and that what is too much is
// refused.
func TestBombs(t *testing.T) {
	bomb := func(fill string, n int) []byte {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		block := []byte(strings.Repeat(fill, 1<<20/len(fill)))
		for range n {
			if _, err := z.Write(block); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for name, fill := range map[string]string{"zeros": "\x00", "one line": "x", "one JSON value": `{"a":`, "feeds": "\n"} {
		t.Run(name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			w.q.Most = 1
			w.write("bomb", bomb(fill, 24))
			c, run := w.run(sink, func(cfg *s3.Config) { cfg.MaxObject = 20 << 20; cfg.MaxLine = 4096 })
			wait(t, "the bomb to be refused", func() bool { return c.Stats().TooLarge == 1 })
			wait(t, "the notification to be set aside", func() bool { w.q.Expire(); return len(w.q.DeadLetters()) == 1 })
			run.Stop(t)
			if n := len(sink.Lines()); n > 1 {
				t.Errorf("%d lines", n)
			}
			for _, l := range sink.Lines() {
				if !l.Oversize || len(l.Text) != 4096 {
					t.Errorf("a line of %d bytes, oversize %v", len(l.Text), l.Oversize)
				}
			}
		})
	}
}

// TestAnswersThatBreakOff holds that the rest is asked for, of the same bytes.
func TestAnswersThatBreakOff(t *testing.T) {
	content := lines(120_000)
	breakOff := func(w *world, after int, stall bool) {
		var gets atomic.Int64
		w.s.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			if gets.Add(1) > 3 {
				return false
			}
			rec := httptest.NewRecorder()
			w.s.inner.ServeHTTP(rec, r)
			maps.Copy(rw.Header(), rec.Header())
			rw.WriteHeader(rec.Code)
			_, _ = rw.Write(rec.Body.Bytes()[:min(after, rec.Body.Len())])
			if f, ok := rw.(http.Flusher); ok {
				f.Flush()
			}
			if stall {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler)
		})
	}
	for name, stall := range map[string]bool{"broken off": false, "stalled": true} {
		t.Run(name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			breakOff(w, 1<<20, stall)
			w.write("a", content)
			c, run := w.run(sink, func(cfg *s3.Config) { cfg.Stall = 300 * time.Millisecond })
			wait(t, "the notification to be deleted", func() bool { return w.q.Left() == 0 })
			run.Stop(t)
			if text := strings.Join(sink.Texts(), "\n") + "\n"; text != string(content) || c.Stats().Resumed == 0 {
				t.Errorf("%d lines, %+v", len(sink.Lines()), c.Stats())
			}
		})
	}
	t.Run("replaced meanwhile", func(t *testing.T) {
		w, sink := newWorld(t), collectorstest.NewSink(t)
		var once atomic.Bool
		w.s.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			if once.Swap(true) {
				return false
			}
			rw.Header().Set("ETag", `"another"`)
			rw.Header().Set("Content-Length", "1440000")
			_, _ = rw.Write(content[:1<<20])
			panic(http.ErrAbortHandler)
		})
		w.write("a", content)
		c, run := w.run(sink, nil)
		wait(t, "the notification to be given back", func() bool { return c.Stats().Gone == 1 })
		run.Stop(t)
		if w.q.Left() != 1 || !strings.Contains(w.log.String(), "replaced while it was read") {
			t.Errorf("%d notifications left, the log says:\n%s", w.q.Left(), w.log)
		}
	})
}

// TestVisibility holds that a notification stays hidden while its object is read, and that work on one
// that was lost ends.
func TestVisibility(t *testing.T) {
	t.Run("renewed", func(t *testing.T) {
		w, sink := newWorld(t), collectorstest.NewSink(t)
		refuse := make(chan struct{})
		sink.Before = func(_ int, b *event.Batch) error {
			select {
			case <-refuse:
				return nil
			default:
			}
			if len(b.Lines) > 0 {
				return collectors.ErrPushback
			}
			return nil
		}
		w.write("a", lines(10))
		// Renewed after a third of it: a machine that has other things to do may be four seconds late.
		c, run := w.run(sink, func(cfg *s3.Config) { cfg.Visibility = 6 * time.Second })
		wait(t, "four renewals", func() bool { return w.q.Count("ChangeMessageVisibility") >= 4 })
		close(refuse)
		wait(t, "the notification to be deleted", func() bool { return c.Stats().Deleted == 1 })
		run.Stop(t)
		if n := c.Stats().Messages; n != 1 {
			t.Errorf("received %d times", n)
		}
	})
	t.Run("lost", func(t *testing.T) {
		w, sink := newWorld(t), collectorstest.NewSink(t)
		release := make(chan struct{})
		w.s.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			select {
			case <-release:
				return false
			case <-r.Context().Done():
				return true
			}
		})
		w.q.Refuse(func(action string) string {
			if action == "ChangeMessageVisibility" {
				return "ReceiptHandleIsInvalid"
			}
			return ""
		})
		w.write("a", lines(10))
		c, run := w.run(sink, func(cfg *s3.Config) { cfg.Visibility = time.Second })
		wait(t, "the work to be given up", func() bool { return c.Stats().Lost >= 1 })
		w.q.Refuse(nil)
		close(release)
		wait(t, "another delivery", func() bool { return c.Stats().Deleted == 1 })
		run.Stop(t)
		if len(sink.Lines()) != 10 {
			t.Errorf("%d lines", len(sink.Lines()))
		}
	})
	t.Run("given back at the end", func(t *testing.T) {
		w, sink := newWorld(t), collectorstest.NewSink(t)
		sink.Before = func(_ int, b *event.Batch) error {
			if len(b.Lines) > 0 {
				return collectors.ErrPushback
			}
			return nil
		}
		w.write("a", lines(10))
		c, run := w.run(sink, nil)
		wait(t, "pushback", func() bool { return c.Stats().Pushbacks > 0 })
		run.Stop(t)
		if diff := cmp.Diff([]int{0}, w.q.Spans()); diff != "" {
			t.Errorf("visibility: %s", diff)
		}
	})
}

// TestQueueErrors holds that a queue that refuses is asked again, with a clear line.
func TestQueueErrors(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDenied": "sqs:ReceiveMessage", "AWS.SimpleQueueService.NonExistentQueue": "there is no such queue", "InternalError": "InternalError",
	} {
		t.Run(code, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			w.q.Refuse(func(string) string { return code })
			w.write("a", lines(1))
			c, run := w.run(sink, nil)
			wait(t, "an error", func() bool { return c.Stats().Failed > 0 })
			w.q.Refuse(nil)
			sink.WaitLines(1)
			run.Stop(t)
			if log := w.log.String(); !strings.Contains(log, want) || strings.Contains(log, "a secret of the service") || strings.Contains(log, "the-secret-access-key") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
}

// TestNew holds what configurations are refused.
func TestNew(t *testing.T) {
	for want, change := range map[string]func(*s3.Config){
		"no source name":            func(c *s3.Config) { c.Source = "" },
		"queue: is no URL":          func(c *s3.Config) { c.Queue = "liveness-logs" },
		"queue: must begin with":    func(c *s3.Config) { c.Queue = "http://sqs.eu-central-1.amazonaws.com/1/q" },
		"endpoint: must begin with": func(c *s3.Config) { c.Endpoint = "http://store.bank.example:9000" },
		"has credentials in it":     func(c *s3.Config) { c.Endpoint = "https://key:canary@store.bank.example" },
		"visibility must be":        func(c *s3.Config) { c.Visibility = time.Millisecond },
		"wait must be":              func(c *s3.Config) { c.Wait = time.Minute },
		"limits must be":            func(c *s3.Config) { c.MaxLine = 1 << 30 },
	} {
		cfg := s3.Config{Source: "alb", Queue: "https://sqs.eu-central-1.amazonaws.com/1/q"}
		change(&cfg)
		_, err := s3.New(cfg, nil, time.Now, discard())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

// TestShapes reads the shapes in which things land in buckets.
func TestShapes(t *testing.T) {
	record := func(messages ...string) string {
		var events []any
		for i, m := range messages {
			events = append(events, map[string]any{"id": fmt.Sprint(i), "timestamp": 1773454364101, "message": m})
		}
		return toJSON(struct {
			Type   string `json:"messageType"`
			Owner  string `json:"owner"`
			Events []any  `json:"logEvents"`
		}{"DATA_MESSAGE", "1", events})
	}
	control := `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`
	big := record(slices.Repeat([]string{strings.Repeat("m", 1000)}, 5000)...) // 5 MiB in one record
	for _, c := range []struct {
		name    string
		content []byte
		want    []string
	}{
		{"text", []byte("a\r\n\r\nb\n\x00\x00c"), []string{"a", "b", "c"}},
		{"NDJSON", []byte(`{"a":1}` + "\n" + `{"b":"}{"}` + "\n"), []string{`{"a":1}`, `{"b":"}{"}`}},
		{"Firehose without line ends", []byte(`{"a":{"x":[1,"]}{"]}}{"b":"\"}{"} {"c":3}`), []string{`{"a":{"x":[1,"]}{"]}}`, `{"b":"\"}{"}`, `{"c":3}`}},
		{"a broken line among others", []byte("{\"a\":1}\n{\"b\":\n}{\n{\"c\":3}x\n{\"d\":4}"), []string{`{"a":1}`, `{"b":`, "}{", `{"c":3}x`, `{"d":4}`}},
		{"CloudWatch", []byte(control + record("m1\n", "m\n2", "") + record(`{"m":3}`)), []string{"m1", "m 2", `{"m":3}`}},
		{"CloudWatch, each packed, and all again", gzipped(t, slices.Concat(gzipped(t, []byte(record("m1", "m2"))), gzipped(t, []byte(record("m3"))))), []string{"m1", "m2", "m3"}},
		{"CloudWatch, a line each", []byte(record("m1") + "\n" + record("m2") + "\n"), []string{"m1", "m2"}},
		{"CloudWatch, a large record", zstandard(t, []byte(big+record("last"))), append(slices.Repeat([]string{strings.Repeat("m", 1000)}, 5000), "last")},
		{"packed three times", gzipped(t, gzipped(t, gzipped(t, []byte("x")))), nil},
		{"empty", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, sink := newWorld(t), collectorstest.NewSink(t)
			w.write("object", c.content)
			w.write("end", []byte("end\n"))
			_, run := w.run(sink, nil)
			sink.Wait("the end", func() bool { return slices.Contains(sink.Texts(), "end") })
			run.Stop(t)
			got := sink.Texts()
			if c.name == "packed three times" {
				return // what is inside is no text; that it is bounded is what counts
			}
			if diff := cmp.Diff(append(slices.Clone(c.want), "end"), got); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff[:min(len(diff), 2000)])
			}
		})
	}
}

// TestManyAtOnce holds that objects are read beside one another, and all of them.
func TestManyAtOnce(t *testing.T) {
	w, sink := newWorld(t), collectorstest.NewSink(t)
	const objects = 60
	for i := range objects {
		w.write(fmt.Sprintf("o/%d", i), gzipped(t, lines(100)))
		if i%7 == 0 {
			w.q.Send(created(fmt.Sprintf("o/%d", i)))
		}
	}
	c, run := w.run(sink, func(cfg *s3.Config) { cfg.Objects = 8 })
	sink.WaitLines(100 * objects)
	w.q.Expire()
	wait(t, "the queue to be empty", func() bool {
		w.q.Expire()
		return w.q.Left() == 0
	})
	run.Stop(t)
	if n := len(sink.Lines()); n != 100*objects {
		t.Errorf("%d lines, %+v", n, c.Stats())
	}
}
