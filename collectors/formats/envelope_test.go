package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liveward/liveward/internal/event"
)

func enveloping(t testing.TB, name string, opt Options) Format {
	t.Helper()
	f, err := load(t).New(name, opt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEnvelopeNames(t *testing.T) {
	for _, e := range append(Envelopes(), "") {
		if _, err := load(t).New("nginx_json", Options{Envelope: e}); err != nil {
			t.Errorf("%q: %v", e, err)
		}
	}
	if _, err := load(t).New("nginx_json", Options{Envelope: "crio"}); err == nil || !strings.Contains(err.Error(), "want one of auto, none, cri") {
		t.Errorf("error = %v", err)
	}
}

func TestNamedEnvelope(t *testing.T) {
	const inner = `{"msec":"1773454364.101","status":200}`
	lines := map[Envelope]string{
		EnvelopeCRI:    "2026-03-14T02:12:45.101Z stdout F " + inner,
		EnvelopeDocker: `{"log":"{\"msec\":\"1773454364.101\",\"status\":200}\n","stream":"stdout","time":"2026-03-14T02:12:45.101Z"}`,
		EnvelopeSyslog: "<190>Mar 14 02:12:44 gw1 nginx: " + inner,
		EnvelopeNone:   inner,
	}
	for kind := range lines {
		f := enveloping(t, "nginx_json", Options{Envelope: kind})
		for other, line := range lines {
			err := f.Parse([]byte(line), newEvent())
			switch {
			case kind == other:
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			case kind == EnvelopeNone:
				if other != EnvelopeDocker && err == nil || errors.Is(err, errNoEnvelope) {
					t.Errorf("without an envelope a line in %s gave %v", other, err)
				}
			case !errors.Is(err, errNoEnvelope):
				t.Errorf("%s took a line in %s: %v", kind, other, err)
			}
		}
	}
}

func TestEnvelopesAreFourDeep(t *testing.T) {
	line := `{"msec":"1773454364.101","status":200}`
	f := enveloping(t, "nginx_json", Options{})
	for depth := range 6 {
		err := f.Parse([]byte(line), newEvent())
		if (err == nil) != (depth <= maxEnvelopes) {
			t.Errorf("%d envelopes: %v", depth, err)
		}
		line = "2026-03-14T02:12:45.101Z stdout F " + line
	}
}

// Events whose lines were unwrapped or put together stay valid while later lines are read.
func TestUnwrappedTextIsNotOverwritten(t *testing.T) {
	f := enveloping(t, "nginx_json", Options{})
	var events []*event.Event
	const n = 3000
	for i := range n {
		ev := newEvent()
		stamp := event.FormatTime(1773454364e9 + int64(i)*1e6)
		first := fmt.Sprintf(`{"log":"{\"msec\":\"1773454364.101\",\"uri\":\"/%d\",","stream":"stdout","time":"%s"}`, i, stamp)
		if err := f.Parse([]byte(first), ev); !errors.Is(err, ErrPartial) {
			t.Fatalf("first part: %v", err)
		}
		if err := f.Parse([]byte(fmt.Sprintf(`{"log":"\"status\":200}\n","stream":"stdout","time":"%s"}`, stamp)), ev); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	for i, ev := range events {
		if want := fmt.Sprintf("/%d", i); ev.Str(event.URLPath) != want {
			t.Fatalf("event %d has path %q", i, ev.Str(event.URLPath))
		}
	}
}

func TestPartsAreBounded(t *testing.T) {
	f := enveloping(t, "nginx_json", Options{})
	ev := newEvent()
	part := strings.Repeat("x", 16<<10)
	for i := range 200 {
		line := fmt.Sprintf("2026-03-14T02:12:45.%03dZ stdout P %s", i, part)
		if err := f.Parse([]byte(line), ev); !errors.Is(err, ErrPartial) {
			t.Fatalf("part %d: %v", i, err)
		}
		if n := cap(f.(*enveloped).parts[0].buf); n > 2*maxPartial {
			t.Fatalf("%d bytes are held", n)
		}
	}
	if err := f.Parse([]byte("2026-03-14T02:12:46.000Z stdout F end"), ev); !errors.Is(err, errPartialSize) {
		t.Errorf("the end of a line that is too long: %v", err)
	}
	if err := f.Parse([]byte(`2026-03-14T02:12:46.001Z stdout F {"msec":"1773454364.101","status":200}`), ev); err != nil {
		t.Errorf("the line after it: %v", err)
	}
}

func TestYearless(t *testing.T) {
	wib := time.FixedZone("WIB", 7*3600)
	for _, c := range []struct {
		now, header, want string
		loc               *time.Location
	}{
		{"2026-03-14T02:13:00Z", "Mar 14 02:12:44", "2026-03-14T02:12:44.000Z", nil},
		{"2026-03-14T02:13:00Z", "Mar 14 09:12:44", "2026-03-14T02:12:44.000Z", wib},
		{"2026-01-01T00:00:05Z", "Dec 31 23:59:59", "2025-12-31T23:59:59.000Z", nil},
		{"2025-12-31T23:59:55Z", "Jan  1 00:00:01", "2026-01-01T00:00:01.000Z", nil},
		{"2026-03-14T02:13:00Z", "Mar 15 02:12:44", "2026-03-15T02:12:44.000Z", nil},
		{"2026-03-14T02:13:00Z", "Jun 15 02:12:44", "2025-06-15T02:12:44.000Z", nil},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		f := enveloping(t, "cef", Options{Location: c.loc, Now: func() time.Time { return now }})
		ev := newEvent()
		if err := f.Parse([]byte("<134>"+c.header+" gw CEF:0|F5|ASM|16.1|2|x|5|src=203.0.113.24"), ev); err != nil {
			t.Errorf("%s at %s: %v", c.header, c.now, err)
		} else if got := event.FormatTime(ev.Time(event.Timestamp)); got != c.want {
			t.Errorf("%s at %s is %s, want %s", c.header, c.now, got, c.want)
		}
	}
}

// A line's envelope says nothing about the line after it.
func TestEnvelopeTimeIsForgotten(t *testing.T) {
	f := enveloping(t, "logfmt", Options{})
	if err := f.Parse([]byte("2026-03-14T02:12:45.101Z stdout F status=200 path=/a"), newEvent()); err != nil {
		t.Fatal(err)
	}
	if err := f.Parse([]byte("status=200 path=/a"), newEvent()); !errors.Is(err, errNoTime) {
		t.Errorf("error = %v", err)
	}
}

func TestDetectPeels(t *testing.T) {
	s := load(t)
	for name, line := range typical {
		wrapped, err := json.Marshal(map[string]string{"log": line + "\n"})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"2026-03-14T02:12:45.101Z stdout F " + line,
			"<134>1 2026-03-14T02:12:45.101Z gw app 1 - - " + line,
			strings.TrimSuffix(string(wrapped), "}") + `,"stream":"stdout","time":"2026-03-14T02:12:45.101Z"}`,
		} {
			if got, why, ok := s.Detect([][]byte{[]byte(text)}); !ok || got != name {
				t.Errorf("%s is detected as %q (%s)", text, got, why)
			}
		}
	}
}

func TestEnvelopesDoNotAllocate(t *testing.T) {
	s := load(t)
	for _, text := range []string{
		"2026-03-14T02:12:45.101Z stdout F " + typical["nginx_json"],
		"<134>Mar 14 02:12:45 gw haproxy[1]: " + typical["haproxy_http"],
	} {
		f, err := s.New(Auto, Options{})
		if err != nil {
			t.Fatal(err)
		}
		line, ev := []byte(text), newEvent()
		parse := func() {
			ev.Reset()
			if err := f.Parse(line, ev); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		parse()
		if n := testing.AllocsPerRun(200, parse); n != 0 {
			t.Errorf("%v allocations, want 0: %s", n, text)
		}
	}
}

// FuzzEnvelope: whatever two lines a source has, no format panics, what is held is bounded, the lines
// are not written to, and an error is one of the constant reasons.
func FuzzEnvelope(f *testing.F) {
	lines := goldenLines(f)
	for i, line := range lines {
		f.Add(line, lines[(i+1)%len(lines)])
		f.Add(append([]byte("2026-03-14T02:12:45.101Z stdout P "), line[:len(line)/2]...), append([]byte("2026-03-14T02:12:45.102Z stdout F "), line[len(line)/2:]...))
		f.Add(append([]byte("<134>Mar 14 02:12:45 gw app[1]: "), line...), append([]byte("2026-03-14T02:12:45.101Z gw app: "), line...))
	}
	s := load(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		format, err := s.New(Auto, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ev := newEvent()
		for _, line := range [][]byte{a, b, a} {
			before := bytes.Clone(line)
			ev.Reset()
			if err := format.Parse(line, ev); err != nil {
				if !constantReason(err) {
					t.Fatalf("error %q is not constant", err)
				}
			} else if out := ev.AppendJSON(nil); !json.Valid(out) || !ev.Has(event.Timestamp) {
				t.Fatalf("document %q", out)
			}
			if !bytes.Equal(before, line) {
				t.Fatal("the line was written to")
			}
		}
		for _, p := range format.(*enveloped).parts {
			if cap(p.buf) > 2*maxPartial {
				t.Fatalf("%d bytes are held", cap(p.buf))
			}
		}
	})
}

func TestCloudWatch(t *testing.T) {
	record := func(kind string, messages ...string) string {
		events := []any{}
		for _, m := range messages {
			events = append(events, map[string]any{"id": "3", "timestamp": 1773454365101, "message": m})
		}
		b, err := json.Marshal(struct {
			Type   string `json:"messageType"`
			Owner  string `json:"owner"`
			Events []any  `json:"logEvents"`
		}{kind, "123456789012", events})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	call := `{"requestId":"c5a5","ip":"203.0.113.24","requestTime":"14/Mar/2026:02:12:44 +0000","httpMethod":"POST","status":"403"}`
	f := enveloping(t, "aws_apigateway", Options{})
	ev := newEvent()
	if err := f.Parse([]byte(record("DATA_MESSAGE", call+"\n")), ev); err != nil || ev.Str(event.HTTPRequestID) != "c5a5" {
		t.Errorf("one message: %v, %s", err, ev.AppendJSON(nil))
	}
	// The time of the record is that of a line without one, and it may be wrapped itself.
	ev.Reset()
	wrapped := "2026-03-14T02:12:46.101Z stdout F " + record("DATA_MESSAGE", "status=200 path=/a")
	if err := enveloping(t, "logfmt", Options{}).Parse([]byte(wrapped), ev); err != nil || event.FormatTime(ev.Time(event.Timestamp)) != "2026-03-14T02:12:45.101Z" {
		t.Errorf("a wrapped record: %v, %s", err, ev.AppendJSON(nil))
	}
	for _, c := range []struct {
		line string
		want error
	}{
		{record("CONTROL_MESSAGE", "CWL CONTROL MESSAGE: Checking health of destination Firehose."), ErrSkip},
		{record("DATA_MESSAGE"), ErrSkip},
		{record("DATA_MESSAGE", call, call), errSeveral},
	} {
		if err := f.Parse([]byte(c.line), newEvent()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.line, err, c.want)
		}
	}
	deep := call
	for range 6 {
		deep = record("DATA_MESSAGE", deep)
	}
	if err := f.Parse([]byte(deep), newEvent()); err == nil {
		t.Error("six records in one another are peeled")
	}
}
