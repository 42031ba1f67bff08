package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/liveward/liveward/internal/event"
)

// FuzzParseNotice holds that no message makes more than the objects it names, and that errors repeat
// nothing of it.
func FuzzParseNotice(f *testing.F) {
	for _, s := range []string{
		`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2f"}}}]}`,
		`{"Type":"Notification","Message":"{\"Records\":[]}"}`,
		`{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`,
		`{"Event":"s3:TestEvent"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		names, err := parseNotice(body, []string{"b"})
		if err != nil && !errors.Is(err, errNoNotice) && !errors.Is(err, errBucket) {
			t.Fatalf("error %v", err)
		}
		if err != nil && len(names) > 0 {
			t.Fatal("objects beside an error")
		}
		for _, n := range names {
			if n.bucket != "b" || n.key == "" {
				t.Fatalf("object %+v", n)
			}
			if s := n.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("control characters in %q", s)
			}
		}
	})
}

type got struct {
	Offset   int64
	Text     string
	Oversize bool
}

func readAll(t *testing.T, r *reader, from io.Reader) []got {
	t.Helper()
	r.reset(from)
	var out []got
	for last := int64(0); ; {
		lines, end, err := r.next()
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for _, l := range lines {
			if n := len(out); n > 0 && l.Offset <= out[n-1].Offset || l.Offset < last || l.Offset >= end {
				t.Fatalf("offset %d in [%d,%d) after %d lines", l.Offset, last, end, n)
			}
			if bytes.ContainsRune(l.Data, '\n') || len(l.Data) == 0 || len(l.Data) > r.maxLine {
				t.Fatalf("a line of %d bytes: %q", len(l.Data), l.Data)
			}
			out = append(out, got{l.Offset, string(l.Data), l.Oversize})
		}
		if end < last {
			t.Fatalf("end goes back from %d to %d", last, end)
		}
		last = end
		if err != nil {
			return out
		}
	}
}

// FuzzReader holds that lines do not depend on how the bytes come in, that nothing is lost and nothing
// made up, and that what has no JSON is cut as text is.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"a\nb\r\n\n\x00\x00c", `{"a":1}{"b":"}{"} {"c":3}` + "\n" + `{"d":`, strings.Repeat("x", 100) + "\ny",
		`{"messageType":"DATA_MESSAGE","logEvents":[{"message":"m\n1"},{"message":2},{}]}{"messageType":"CONTROL_MESSAGE","logEvents":[]}`,
		"{}\n{}{}\n}{", "{\"a\":\"\\\"}{\"}{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		const limit = 64
		want := readAll(t, newReader(limit), bytes.NewReader(content))
		small := &reader{maxLine: limit, block: make([]byte, 0, 16)}
		if slow := readAll(t, small, iotest.OneByteReader(bytes.NewReader(content))); !same(want, slow) {
			t.Fatalf("byte by byte:\n%+v\nat once:\n%+v", slow, want)
		}
		if bytes.Contains(content, []byte("messageType")) {
			return
		}
		// Everything but what separates stands in the lines.
		var text strings.Builder
		for _, l := range want {
			if l.Oversize {
				return
			}
			if !strings.HasPrefix(string(content[l.Offset:]), l.Text) {
				t.Fatalf("the line at %d is not what stands there: %q", l.Offset, l.Text)
			}
			text.WriteString(l.Text)
		}
		if strip(text.String()) != strip(string(content)) {
			t.Fatalf("lines say %q of %q", text.String(), content)
		}
		if bytes.IndexByte(content, '{') < 0 {
			var plain []string
			for line := range bytes.SplitSeq(content, []byte{'\n'}) {
				if line = bytes.TrimRight(bytes.TrimLeft(line, "\x00"), "\r"); len(line) > 0 {
					plain = append(plain, string(line))
				}
			}
			for i := range plain {
				if i >= len(want) || want[i].Text != plain[i] {
					t.Fatalf("lines %+v, want %q", want, plain)
				}
			}
		}
	})
}

func same(a, b []got) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func strip(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n\x00", r) {
			return -1
		}
		return r
	}, s)
}

// TestCutDoesNotAllocate holds the hot path.
func TestCutDoesNotAllocate(t *testing.T) {
	content := bytes.Repeat([]byte(`{"requestId":"9f2c","status":"200","responseLength":"23","path":"/v1/liveness/check"}`+"\n"), 5000)
	r := newReader(1 << 20)
	r.lines = make([]event.Line, 0, blockLines)
	from := bytes.NewReader(content)
	allocs := testing.AllocsPerRun(20, func() {
		from.Reset(content)
		r.reset(from)
		for {
			if _, _, err := r.next(); err != nil {
				return
			}
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations for 5,000 lines, want none", allocs)
	}
}

func BenchmarkReader(b *testing.B) {
	for name, line := range map[string]string{
		"json": `{"requestId":"9f2c","status":"200","responseLength":"23","path":"/v1/liveness/check"}` + "\n",
		"text": `https 2026-03-14T02:12:44.101Z app/lv/50dc 203.0.113.24:51120 10.0.0.9:443 0.001 0.731 0.000 200 200 184233 412` + "\n",
		"one":  `{"requestId":"9f2c","status":"200","responseLength":"23","path":"/v1/liveness/check"}`,
	} {
		content := bytes.Repeat([]byte(line), 20_000)
		b.Run(name, func(b *testing.B) {
			r, from := newReader(1<<20), bytes.NewReader(nil)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				from.Reset(content)
				r.reset(from)
				for {
					if _, _, err := r.next(); err != nil {
						break
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/line")
		})
	}
}

// fill repeats a text for a number of bytes.
type fill struct {
	text string
	at   int
	left int
}

func (f *fill) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), f.left)
	for i := range n {
		p[i] = f.text[f.at%len(f.text)]
		f.at++
	}
	f.left -= n
	return n, nil
}

// TestReaderMemory holds that what a reader keeps does not depend on what it reads.
func TestReaderMemory(t *testing.T) {
	for name, text := range map[string]string{
		"zeros": "\x00", "text": "x", "values": `{"a":`, "a string": `{"a`, "records": `{"messageType":"`, "feeds": "\n", "objects": "{}",
	} {
		r := newReader(1 << 20)
		r.reset(&fill{text: text, left: 40 << 20})
		for {
			lines, _, err := r.next()
			if n := cap(r.block) + cap(r.text); n > 3*maxRecord {
				t.Fatalf("%s: %d bytes are kept", name, n)
			}
			if len(lines) > blockLines {
				t.Fatalf("%s: %d lines at a time", name, len(lines))
			}
			if err != nil {
				break
			}
		}
		r.reset(bytes.NewReader(nil))
		if n := cap(r.block) + cap(r.text); n > 4*blockBytes {
			t.Errorf("%s: %d bytes are kept for the next object", name, n)
		}
	}
}
