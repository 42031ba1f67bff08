package otlp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/liveward/liveward/collectors/otlp"
	"github.com/liveward/liveward/collectors/push"
)

// check holds what a body was made to against what lines are.
func check(t *testing.T, err error, lines *push.Lines, records int) {
	t.Helper()
	if err != nil {
		if _, ok := errors.AsType[*push.Refusal](err); !ok {
			t.Fatalf("%v is no answer", err)
		}
		return
	}
	taken, rejected := lines.Taken()
	if records >= 0 && len(taken)+rejected != records {
		t.Fatalf("%d lines and %d rejected of %d records", len(taken), rejected, records)
	}
	end := int64(-1)
	for _, l := range taken {
		if len(l.Data) == 0 || len(l.Data) > 512 || l.Offset <= end {
			t.Fatalf("line %+v after %d", l, end)
		}
		end = l.Offset
		for _, c := range l.Data {
			if c == '\n' {
				t.Fatalf("line %q", l.Data)
			}
		}
	}
}

func records(d *logs.LogsData) (n int) {
	for _, r := range d.GetResourceLogs() {
		for _, s := range r.GetScopeLogs() {
			n += len(s.GetLogRecords())
		}
	}
	return n
}

// What the library of OpenTelemetry reads is read here too, record by record.
func FuzzProtobuf(f *testing.F) {
	f.Add(marshal(f, request(&logs.LogRecord{Body: str("line"), TimeUnixNano: 1})))
	f.Add([]byte{10, 4, 18, 2, 18, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		n := -1
		var d logs.LogsData
		if proto.Unmarshal(body, &d) == nil {
			n = records(&d)
		}
		lines := push.NewLines(512, 1000, 1<<20)
		err := otlp.Protocol().Decode(http.Header{"Content-Type": {protobuf}}, body, lines)
		if n >= 0 && n < 1000 && err != nil && len(body) < 4096 {
			t.Fatalf("%v though it is a message", err)
		}
		check(t, err, lines, n)
	})
}

// An attribute comes out of the line as it went in, but for what is no UTF-8.
func FuzzAttribute(f *testing.F) {
	f.Add("http.route", "/v1/\"check\"\n\x00")
	f.Add("", "\xff\u2028")
	f.Fuzz(func(t *testing.T, key, value string) {
		key, value = strings.ToValidUTF8(key, "\ufffd"), strings.ToValidUTF8(value, "\ufffd")
		record := &logs.LogRecord{Attributes: []*common.KeyValue{{Key: key, Value: str(value)}}}
		lines := push.NewLines(1<<20, 1, 1<<22)
		if err := otlp.Protocol().Decode(http.Header{"Content-Type": {protobuf}}, marshal(t, request(record)), lines); err != nil {
			t.Fatal(err)
		}
		taken, _ := lines.Taken()
		var got map[string]string
		if len(taken) != 1 || json.Unmarshal(taken[0].Data, &got) != nil || got[key] != value {
			t.Fatalf("lines %+v, want %q: %q", taken, key, value)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a\u0000b"}},{"attributes":[{"key":"k","value":{"kvlistValue":{"values":[]}}}]}]}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		lines := push.NewLines(512, 1000, 1<<20)
		err := otlp.Protocol().Decode(http.Header{"Content-Type": {js}}, body, lines)
		check(t, err, lines, -1)
		var d logs.LogsData
		if protojson.Unmarshal(body, &d) == nil && err == nil {
			// The library takes names in snake case too, so that it may find more.
			if taken, rejected := lines.Taken(); len(taken)+rejected > records(&d) {
				t.Fatalf("%d lines of %d records", len(taken)+rejected, records(&d))
			}
		}
	})
}
