// Package otlp collects log records that are sent as OTLP over HTTP, in protobuf or JSON. A record
// whose body is a text is a line of the input's format; one whose body is a map, or that has nothing
// but attributes, becomes a line of JSON: what stands in the body, the attributes beside it, and
// @timestamp and trace.id where neither has them. A request is answered 200 when its lines are in the
// journal, and not before.
//
// It never interprets a field, and resources and scopes are left out. It never builds messages of what
// was sent: it goes over the bytes, so that a body of a million empty records costs no more than its
// length. Everything else (listening, credentials, limits, the journal) is package push.
package otlp

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
)

// Path is the URL path that the protocol names.
const Path = "/v1/logs"

// New makes a collector of what push collectors do with the lines of OTLP. Without a path it serves
// Path.
func New(cfg push.Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*push.Collector, error) {
	if cfg.Path == "" {
		cfg.Path = Path
	}
	cfg.Protocol = protocol{}
	return push.New(cfg, resume, now, log)
}

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// protocol implements push.Protocol.
type protocol struct{}

// Name implements push.Protocol.
func (protocol) Name() string { return "otlp" }

// kind is the content type of a request; empty where it is neither.
func kind(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || t != typeProtobuf && t != typeJSON {
		return ""
	}
	return t
}

// Accept implements push.Protocol.
func (protocol) Accept(h http.Header) error {
	if kind(h) == "" {
		return push.ErrType
	}
	return nil
}

// Decode implements push.Protocol.
func (protocol) Decode(h http.Header, body []byte, to *push.Lines) error {
	w := writer{to: to}
	if kind(h) == typeProtobuf {
		return w.protobuf(body)
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
		return push.ErrMalformed
	}
	return w.json(body)
}

// rejection is what a sender is told of records that make no line.
const rejection = "records without body and attributes, nested too deeply or with too many members were left out"

// Answer implements push.Protocol. It is an ExportLogsServiceResponse, or a google.rpc.Status.
func (protocol) Answer(h http.Header, o push.Outcome) (string, []byte) {
	if kind(h) == typeJSON {
		return typeJSON, jsonAnswer(o)
	}
	var b []byte
	switch {
	case o.Error != "":
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendString(b, o.Error)
	case o.Rejected > 0:
		var partial []byte
		partial = protowire.AppendTag(partial, 1, protowire.VarintType)
		partial = protowire.AppendVarint(partial, uint64(o.Rejected))
		partial = protowire.AppendTag(partial, 2, protowire.BytesType)
		partial = protowire.AppendString(partial, rejection)
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendBytes(b, partial)
	}
	return typeProtobuf, b
}

func jsonAnswer(o push.Outcome) []byte {
	type partial struct {
		Rejected int    `json:"rejectedLogRecords,string"`
		Error    string `json:"errorMessage"`
	}
	var a struct {
		Message string   `json:"message,omitempty"`
		Partial *partial `json:"partialSuccess,omitempty"`
	}
	switch {
	case o.Error != "":
		a.Message = o.Error
	case o.Rejected > 0:
		a.Partial = &partial{o.Rejected, rejection}
	}
	b, err := json.Marshal(a)
	if err != nil { // strings and numbers always encode
		b = []byte("{}")
	}
	return b
}
