// Package webhook collects the outcomes that liveness vendors post minutes or hours after a check. A
// request is taken when its signature is the vendor's, of this body and of now; its body is one line of
// JSON, and it is answered 200 when that line is in the journal.
//
// It never reads what the body says: which path is the verdict is the format's business, and what it
// means the vendor map's. It never stores a body twice that it remembers: vendors post again what was
// not answered in time, and so does who has recorded a request. Everything else (listening, limits, the
// journal) is package push.
package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/liveward/liveward/collectors/push"
	"github.com/liveward/liveward/internal/event"
)

// Remember is how long bodies are remembered by default: vendors try for a day.
const Remember = 24 * time.Hour

// New makes a collector of what push collectors do with webhooks. A configuration without a scheme of
// signatures is of a vendor that signs as liveward does, or not at all: then tokens, users or client
// certificates prove who posts.
func New(cfg push.Config, resume []event.Position, now func() time.Time, log *slog.Logger) (*push.Collector, error) {
	if cfg.Once == 0 {
		cfg.Once = Remember
	}
	if a := cfg.Auth; len(a.Tokens)+len(a.Users)+len(a.Secrets) == 0 && !cfg.TLS.Mutual() {
		return nil, errors.New("webhook: a verdict that anybody may post is none: signing secrets, tokens, users or a client CA are needed")
	}
	cfg.Protocol = protocol{}
	return push.New(cfg, resume, now, log)
}

// protocol implements push.Protocol.
type protocol struct{}

// Name implements push.Protocol.
func (protocol) Name() string { return "webhook" }

// Accept implements push.Protocol.
func (protocol) Accept(h http.Header) error {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return push.ErrType
	}
	return nil
}

// Decode implements push.Protocol. The same body is the same delivery, whoever posts it how often.
func (protocol) Decode(_ http.Header, body []byte, to *push.Lines) error {
	sum := sha256.Sum256(body)
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
		return push.ErrMalformed
	}
	to.Name("body", hex.EncodeToString(sum[:]))
	return to.Value(body)
}

// Answer implements push.Protocol.
func (protocol) Answer(_ http.Header, o push.Outcome) (string, []byte) {
	if o.Error == "" {
		return "application/json", []byte("{}\n")
	}
	body, err := json.Marshal(map[string]string{"error": o.Error})
	if err != nil { // a string always encodes
		body = []byte("{}")
	}
	return "application/json", append(body, '\n')
}
