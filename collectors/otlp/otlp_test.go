package otlp_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/collectors/collectorstest"
	"github.com/liveward/liveward/collectors/otlp"
	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	protobuf = "application/x-protobuf"
	js       = "application/json"
)

func newCollector(t *testing.T, cfg push.Config, resume []event.Position, now func() time.Time) *push.Collector {
	t.Helper()
	cfg.Source, cfg.Address = "otel", "127.0.0.1:0"
	cfg.Tick = 50 * time.Millisecond
	c, err := otlp.New(cfg, resume, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func str(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func request(records ...*logs.LogRecord) *logs.LogsData {
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{{LogRecords: records}}}}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func post(t *testing.T, c *push.Collector, kind string, body []byte) (int, []byte, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr().String()+otlp.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer, resp.Header
}

func TestContract(t *testing.T) {
	collectorstest.RunPushed(t, func(t *testing.T, resume []event.Position, now func() time.Time) (collectors.Collector, func() net.Addr) {
		c := newCollector(t, push.Config{}, resume, now)
		return c, c.Addr
	}, func(lines []string) (path, kind, body string) {
		if len(lines)%2 == 0 {
			var records []string
			for _, l := range lines {
				records = append(records, `{"body":{"stringValue":"`+l+`"}}`)
			}
			return otlp.Path, js, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Join(records, ",") + `]}]}]}`
		}
		var records []*logs.LogRecord
		for _, l := range lines {
			records = append(records, &logs.LogRecord{Body: str(l)})
		}
		return otlp.Path, protobuf, string(marshal(t, request(records...)))
	})
}

func TestListener(t *testing.T) {
	collectorstest.RunListener(t, collectorstest.Listener{
		New: func(t *testing.T, with collectorstest.Listening) collectors.Collector {
			return newCollector(t, push.Config{
				TLS: with.TLS, Allow: with.Allow, MaxConns: with.Conns, HeaderTime: with.Slow, BodyTime: with.Slow, IdleTime: with.Slow,
			}, nil, time.Now)
		},
		Addr: func(c collectors.Collector) net.Addr { return c.(*push.Collector).Addr() },
		Send: func(conn net.Conn, line string) error {
			return collectorstest.Post(otlp.Path, protobuf)(conn, string(marshal(t, request(&logs.LogRecord{Body: str(line)}))))
		},
		Begin: []string{"POST " + otlp.Path + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + protobuf + "\r\nContent-Length: 10\r\n\r\nabc"},
	})
}

// Records as the collector of OpenTelemetry and Envoy send them, in both encodings.
func TestRecords(t *testing.T) {
	pair := func(k string, v *common.AnyValue) *common.KeyValue { return &common.KeyValue{Key: k, Value: v} }
	list := func(v ...*common.AnyValue) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: v}}}
	}
	object := func(v ...*common.KeyValue) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: v}}}
	}
	number := func(n int64) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}}
	}
	yes := &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: true}}
	half := &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: 0.5}}
	raw := &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte("raw")}}
	deep, deepJSON := str("x"), `{"stringValue":"x"}`
	for range 40 {
		deep, deepJSON = list(deep), `{"arrayValue":{"values":[`+deepJSON+`]}}`
	}
	trace, err := hex.DecodeString("5b8aa5a2d2c872e8321cf37308d69df2")
	if err != nil {
		t.Fatal(err)
	}
	const at = 1773454364101000000
	for _, tc := range []struct {
		name, json string
		record     *logs.LogRecord
		want       []string
	}{
		{
			"a text", `{"timeUnixNano":"1","body":{"stringValue":"GET / 200\n"},"attributes":[{"key":"a","value":{"stringValue":"b"}}]}`,
			&logs.LogRecord{TimeUnixNano: 1, Body: str("GET / 200\n"), Attributes: []*common.KeyValue{pair("a", str("b"))}},
			[]string{"GET / 200"},
		},
		{"a text of two lines", `{"body":{"stringValue":"a\nb"}}`, &logs.LogRecord{Body: str("a\nb")}, []string{"a b"}},
		{
			"attributes", `{"timeUnixNano":"1773454364101000000","traceId":"5b8aa5a2d2c872e8321cf37308d69df2","attributes":[{"key":"http.response.status_code","value":{"intValue":"401"}},{"key":"ok","value":{"boolValue":true}}]}`,
			&logs.LogRecord{TimeUnixNano: at, TraceId: trace, Attributes: []*common.KeyValue{pair("http.response.status_code", number(401)), pair("ok", yes)}},
			[]string{`{"http.response.status_code":401,"ok":true,"@timestamp":"2026-03-14T02:12:44.101Z","trace.id":"5b8aa5a2d2c872e8321cf37308d69df2"}`},
		},
		{
			"a map, and attributes beside it", `{"observedTimeUnixNano":1773454364101000000,"body":{"kvlistValue":{"values":[{"key":"url","value":{"kvlistValue":{"values":[{"key":"path","value":{"stringValue":"/v1\"x"}}]}}},{"key":"l","value":{"arrayValue":{"values":[{"doubleValue":0.5},{"intValue":-1},{}]}}}]}},"attributes":[{"key":"url","value":{"stringValue":"other"}},{"key":"b","value":{"stringValue":"2"}}]}`,
			&logs.LogRecord{
				ObservedTimeUnixNano: at, Body: object(pair("url", object(pair("path", str(`/v1"x`)))), pair("l", list(half, number(-1), &common.AnyValue{}))),
				Attributes: []*common.KeyValue{pair("url", str("other")), pair("b", str("2"))},
			},
			[]string{`{"url":{"path":"/v1\"x"},"l":[0.5,-1,null],"b":"2","@timestamp":"2026-03-14T02:12:44.101Z"}`},
		},
		{
			"its own time", `{"timeUnixNano":"5","body":{"kvlistValue":{"values":[{"key":"@timestamp","value":{"stringValue":"2026-01-01T00:00:00Z"}}]}}}`,
			&logs.LogRecord{TimeUnixNano: 5, Body: object(pair("@timestamp", str("2026-01-01T00:00:00Z")))},
			[]string{`{"@timestamp":"2026-01-01T00:00:00Z"}`},
		},
		{"a number", `{"body":{"intValue":"7"}}`, &logs.LogRecord{Body: number(7)}, []string{`{"message":7}`}},
		{
			"an empty text beside attributes", `{"body":{"stringValue":""},"attributes":[{"key":"a","value":{"stringValue":"b"}}]}`,
			&logs.LogRecord{Body: str(""), Attributes: []*common.KeyValue{pair("a", str("b"))}},
			[]string{`{"a":"b"}`},
		},
		{"nothing", `{}`, &logs.LogRecord{}, nil},
		{"too deep", `{"attributes":[{"key":"a","value":` + deepJSON + `}]}`, &logs.LogRecord{Attributes: []*common.KeyValue{pair("a", deep)}}, nil},
		{"bytes", "", &logs.LogRecord{Body: raw}, []string{"raw"}},
		{
			"too long", `{"attributes":[{"key":"a","value":{"stringValue":"` + strings.Repeat("x", 5000) + `"}}]}`,
			&logs.LogRecord{Attributes: []*common.KeyValue{pair("a", str(strings.Repeat("x", 5000)))}},
			[]string{`{"a":"` + strings.Repeat("x", 4090)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sink := collectorstest.NewSink(t)
			c := newCollector(t, push.Config{MaxLine: 4096}, nil, time.Now)
			run := collectorstest.Start(t, c, sink)
			want := slicesRepeat(tc.want, tc.json != "")
			code, answer, h := post(t, c, protobuf, marshal(t, request(tc.record)))
			if code != http.StatusOK || h.Get("Content-Type") != protobuf {
				t.Errorf("answered %d, %s", code, h.Get("Content-Type"))
			}
			if rejected := len(tc.want) == 0; (len(answer) > 0) != rejected {
				t.Errorf("answer %x", answer)
			}
			if tc.json != "" {
				code, answer, _ := post(t, c, js, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[`+tc.json+`]}]}]}`))
				if code != http.StatusOK {
					t.Errorf("answered %d %s", code, answer)
				}
				if rejected := len(tc.want) == 0; bytes.Contains(answer, []byte(`"rejectedLogRecords":"1"`)) != rejected {
					t.Errorf("answer %s", answer)
				}
			}
			if diff := cmp.Diff(want, sink.Texts()); diff != "" && len(want)+len(sink.Texts()) > 0 {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
			run.Stop(t)
		})
	}
}

func slicesRepeat(s []string, twice bool) []string {
	if twice {
		return append(append([]string(nil), s...), s...)
	}
	return s
}

func TestRefusals(t *testing.T) {
	sink := collectorstest.NewSink(t)
	c := newCollector(t, push.Config{MaxBody: 1 << 20}, nil, time.Now)
	collectorstest.Start(t, c, sink)
	f := func(want int, kind, body string) {
		t.Helper()
		code, answer, h := post(t, c, kind, []byte(body))
		if code != want {
			t.Errorf("%s: answered %d %q, want %d", kind, code, answer, want)
		}
		if bytes.Contains(answer, []byte("CANARY")) {
			t.Errorf("answer quotes the request: %q", answer)
		}
		if kind == js {
			var status struct{ Message string }
			if err := json.Unmarshal(answer, &status); err != nil || status.Message == "" {
				t.Errorf("answer %s", answer)
			}
		} else if len(answer) < 3 || answer[0] != 0x12 || h.Get("Content-Type") != protobuf {
			t.Errorf("answer %x is no status of protobuf", answer)
		}
	}
	f(415, "text/plain", "CANARY")
	f(415, "application/grpc", "CANARY")
	f(400, js, `{"resourceLogs":[CANARY`)
	f(400, js, `["CANARY"]`)
	f(400, protobuf, "CANARY")
	f(413, protobuf, strings.Repeat("x", 1<<20+1))
	f(413, js, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[`+strings.Repeat(`{"body":{"intValue":1}},`, 40000)+`{}]}]}]}`+strings.Repeat(" ", 1<<20))
	if n := len(sink.Lines()); n > 0 {
		t.Errorf("%d lines of refused requests", n)
	}
}

// A body of empty records is a bomb for whoever makes an object of each.
func TestBombs(t *testing.T) {
	record := []byte{2<<3 | 2, 0} // an empty record in a scope
	scope := bytes.Repeat(record, 2<<20)
	wrap := func(number int, b []byte) []byte {
		return append(binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(b))), b...)
	}
	body := wrap(1, wrap(2, scope))
	lines := push.NewLines(1<<10, 100, 16<<20)
	h := http.Header{"Content-Type": {protobuf}}
	allocs := testing.AllocsPerRun(1, func() {
		if err := otlp.Protocol().Decode(h, body, lines); err != nil {
			t.Fatal(err)
		}
	})
	if _, rejected := lines.Taken(); rejected < 2<<20 || allocs > 1000 {
		t.Errorf("%d records rejected with %.0f allocations", rejected, allocs)
	}
	wide := wrap(1, wrap(2, wrap(2, bytes.Repeat(wrap(6, wrap(1, []byte("k"))), 1<<20))))
	if err := otlp.Protocol().Decode(h, wide, push.NewLines(1<<20, 100, 16<<20)); err != nil {
		t.Fatal(err)
	}
}

func TestRequests(t *testing.T) {
	collectorstest.RunRequests(t, collectorstest.Requests{
		New: func(t *testing.T, resume []event.Position, patience time.Duration) (collectors.Collector, func() net.Addr) {
			c := newCollector(t, push.Config{MaxBody: 64 << 10, Patience: patience}, resume, time.Now)
			return c, c.Addr
		},
		Body: func(line string) (string, map[string]string) {
			return string(marshal(t, request(&logs.LogRecord{Body: str(line)}))), map[string]string{":path": otlp.Path, "Content-Type": protobuf}
		},
	})
}
