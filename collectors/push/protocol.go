package push

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Protocol is what senders of a kind say, and what they want to hear. The zero protocol of a Config is
// that of lines, arrays and the envelopes of Firehose, Pub/Sub, event hubs and log entries. Methods
// are called by many goroutines at once.
type Protocol interface {
	// Name is one word for the kind: it stands in positions, in delivery ids and in the log.
	Name() string
	// Accept judges a request by its header, before its body is read.
	Accept(h http.Header) error
	// Decode finds the lines of a body, which is unpacked. Lines may point into it, and it may be
	// written to: it belongs to the lines. An error that is not a Refusal is answered 503.
	Decode(h http.Header, body []byte, to *Lines) error
	// Answer is the body of the answer, with its content type.
	Answer(h http.Header, o Outcome) (contentType string, body []byte)
}

// Outcome is what became of a request.
type Outcome struct {
	Status   int       // of HTTP
	Lines    int       // that are durable; all there are, or none
	Rejected int       // records that make no line
	Error    string    // why the status is not 200; quotes nothing
	At       time.Time // of the answer
}

// Refusal is an error that is the sender's own, with the status it is answered.
type Refusal struct {
	Status int
	Text   string // quotes nothing of what was sent
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

// What senders are told.
var (
	ErrMalformed  error = &Refusal{http.StatusBadRequest, "body is not what its content type says"}
	ErrType       error = &Refusal{http.StatusUnsupportedMediaType, "content type is none of those taken here"}
	errShape      error = &Refusal{http.StatusBadRequest, "body is not a Firehose delivery"}
	errIncomplete error = &Refusal{http.StatusBadRequest, "body did not come whole"}
	errCorrupted  error = &Refusal{http.StatusBadRequest, "compressed body is broken"}
	errID         error = &Refusal{http.StatusBadRequest, "delivery id is too long or not text"}
	errIDs        error = &Refusal{http.StatusBadRequest, "delivery ids of header and body differ"}

	errNoCredential error = &Refusal{http.StatusUnauthorized, "credential is missing or wrong"}
	errSkew         error = &Refusal{http.StatusUnauthorized, "time of the signature is too far from now"}
	errUsed         error = &Refusal{http.StatusUnauthorized, "signature was used before"}
	errOrigin       error = &Refusal{http.StatusForbidden, "cross-origin request"}
	errPath         error = &Refusal{http.StatusNotFound, "nothing is served here"}
	errMethod       error = &Refusal{http.StatusMethodNotAllowed, "method is neither POST nor PUT"}
	errTooLarge     error = &Refusal{http.StatusRequestEntityTooLarge, "body is too large"}
	errLines        error = &Refusal{http.StatusRequestEntityTooLarge, "body has too many lines"}
	errEncoding     error = &Refusal{http.StatusUnsupportedMediaType, "content encoding is none of gzip, zstd and identity"}
	errRate         error = &Refusal{http.StatusTooManyRequests, "too many requests"}
)

// status is the answer an error gets. What is no refusal is nothing of the sender's: it comes again.
func status(err error) int {
	var r *Refusal
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &r):
		return r.Status
	}
	return http.StatusServiceUnavailable
}

// plain is the protocol of pushed lines.
type plain struct{}

// Name implements Protocol.
func (plain) Name() string { return "push" }

// Accept implements Protocol.
func (plain) Accept(h http.Header) error {
	if _, ok := contentType(h.Get("Content-Type")); !ok {
		return ErrType
	}
	return nil
}

// Decode implements Protocol.
func (plain) Decode(h http.Header, body []byte, to *Lines) error {
	isJSON, _ := contentType(h.Get("Content-Type"))
	transport := h.Get(firehoseID)
	d := decoder{to}
	if err := d.decode(body, isJSON, transport != ""); err != nil {
		return err
	}
	if transport != "" && to.id != transport {
		return errIDs
	}
	return nil
}

// answer is what goes back.
type answer struct {
	Accepted  *int   `json:"accepted,omitempty"`
	Error     string `json:"error,omitempty"`
	RequestID string `json:"requestId,omitempty"` // Firehose wants its own back
	Timestamp int64  `json:"timestamp,omitempty"` // milliseconds
	Message   string `json:"errorMessage,omitempty"`
}

// Answer implements Protocol.
func (plain) Answer(h http.Header, o Outcome) (string, []byte) {
	a := answer{Error: o.Error}
	if o.Error == "" {
		a.Accepted = &o.Lines
	}
	if id := h.Get(firehoseID); harmless(id) && o.Status != http.StatusUnauthorized {
		a.RequestID, a.Timestamp = id, o.At.UnixMilli()
		a.Message, a.Accepted, a.Error = a.Error, nil, ""
	}
	body, err := json.Marshal(a)
	if err != nil { // strings and numbers always encode
		body = []byte("{}")
	}
	return "application/json", append(body, '\n')
}

// harmless tells whether an id may be said back as it is.
func harmless(id string) bool {
	for i := range len(id) {
		if c := id[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// contentType tells whether a body is said to be JSON, and whether it can be what is wanted at all.
func contentType(value string) (isJSON, ok bool) {
	if value == "" {
		return false, true
	}
	kind, _, err := mime.ParseMediaType(value)
	if err != nil {
		return false, false
	}
	switch {
	case kind == "application/json", strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
		return true, true
	case strings.HasPrefix(kind, "text/"), kind == "application/octet-stream", kind == "application/gzip", kind == "application/zstd",
		kind == "application/x-ndjson", kind == "application/ndjson", kind == "application/jsonl", kind == "application/x-jsonlines",
		kind == "application/json-seq", kind == "application/stream+json":
		return false, true
	}
	return false, false
}
