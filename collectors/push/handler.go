package push

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// longestID bounds the id of a delivery.
const longestID = 255

// delivery is a request on its way into the journal.
type delivery struct {
	id      event.Hash
	lines   []event.Line
	end     int64
	memory  *loan // of whoever answers, until it is handed to the queue: then of the queue's reader
	outcome chan error
}

var (
	errStopped    = errors.New("collector stops")
	errBusy       = errors.New("try again later")
	errMethod     = errors.New("method is neither POST nor PUT")
	errPath       = errors.New("nothing is served here")
	errOrigin     = errors.New("cross-origin request")
	errType       = errors.New("content type is neither JSON nor text")
	errIncomplete = errors.New("body did not come whole")
	errID         = errors.New("delivery id is too long or not text")
	errIDs        = errors.New("delivery ids of header and body differ")
)

// status is the answer an error gets.
func status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, errNoCredential), errors.Is(err, errSkew), errors.Is(err, errUsed):
		return http.StatusUnauthorized
	case errors.Is(err, errOrigin):
		return http.StatusForbidden
	case errors.Is(err, errPath):
		return http.StatusNotFound
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, errTooLarge), errors.Is(err, errLines):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errType), errors.Is(err, errEncoding):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errMalformed), errors.Is(err, errShape), errors.Is(err, errCorrupted),
		errors.Is(err, errIncomplete), errors.Is(err, errID), errors.Is(err, errIDs):
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

func (c *Collector) server(ctx context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // one request of a connection at a time: what is bounded stays simple
	return &http.Server{
		Handler: http.HandlerFunc(c.serveHTTP), Protocols: protocols,
		ReadHeaderTimeout: c.cfg.HeaderTime, ReadTimeout: c.cfg.HeaderTime + c.cfg.BodyTime,
		WriteTimeout: c.cfg.HeaderTime + c.cfg.BodyTime + 3*c.cfg.Patience + grace, IdleTimeout: c.cfg.IdleTime,
		MaxHeaderBytes: c.cfg.MaxHeader,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ErrorLog:       slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
}

// answer is what goes back.
type answer struct {
	Accepted  *int   `json:"accepted,omitempty"`
	Error     string `json:"error,omitempty"`
	RequestID string `json:"requestId,omitempty"` // Firehose wants its own back
	Timestamp int64  `json:"timestamp,omitempty"` // milliseconds
	Message   string `json:"errorMessage,omitempty"`
}

func (c *Collector) serveHTTP(w http.ResponseWriter, r *http.Request) {
	c.serving.RLock()
	defer c.serving.RUnlock()
	n, err := c.receive(r)
	code := status(err)
	c.stats.add(func(s *Stats) {
		s.Requests++
		switch {
		case code == http.StatusUnauthorized:
			s.Denied++
		case code == http.StatusServiceUnavailable:
			s.Busy++
		case code != http.StatusOK:
			s.Refused++
		}
	})
	var a answer
	h := w.Header()
	switch {
	case err == nil:
		a.Accepted = &n
	case code == http.StatusServiceUnavailable:
		a.Error = errBusy.Error() // what went wrong inside is no sender's business
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	default:
		a.Error = err.Error()
	}
	switch code {
	case http.StatusUnauthorized:
		h.Add("WWW-Authenticate", "Bearer")
		if len(c.cfg.Auth.Users) > 0 {
			h.Add("WWW-Authenticate", `Basic realm="liveward"`)
		}
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "POST, PUT")
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip, zstd")
	}
	if id := r.Header.Get(firehoseID); plain(id) && code != http.StatusUnauthorized {
		a.RequestID, a.Timestamp = id, c.now().UnixMilli()
		a.Message, a.Accepted, a.Error = a.Error, nil, ""
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(a)
	if err != nil {
		c.log.Error("encode answer", "error", err)
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

// plain tells whether an id may be said back as it is.
func plain(id string) bool {
	for i := range len(id) {
		if c := id[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// receive takes a request and returns how many lines of it are durable: all, or none with the error.
func (c *Collector) receive(r *http.Request) (int, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return 0, errMethod
	}
	if c.cfg.Path != "" && r.URL.Path != c.cfg.Path {
		return 0, errPath
	}
	if http.NewCrossOriginProtection().Check(r) != nil {
		return 0, errOrigin
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return 0, errBusy
	}
	sig, err := c.guard.admit(r.Header, r)
	if err != nil {
		return 0, err
	}
	isJSON, ok := contentType(r.Header.Get("Content-Type"))
	if !ok {
		return 0, errType
	}
	if r.ContentLength > c.cfg.MaxBody {
		return 0, errTooLarge
	}
	if c.refusing.Load() {
		return 0, errBusy
	}
	c.working.Add(1)
	defer c.working.Add(-1)
	d := &delivery{memory: &loan{from: &c.budget}, outcome: make(chan error, 1)}
	if err := c.read(r, d, sig, isJSON); err != nil {
		d.memory.release()
		return 0, err
	}
	n := len(d.lines)
	if n == 0 {
		d.memory.release()
		return 0, nil
	}
	if err := c.submit(r.Context(), d); err != nil {
		c.guard.forgive(sig)
		return 0, err
	}
	return n, nil
}

// read reads a request's body and finds its lines and its id.
func (c *Collector) read(r *http.Request, d *delivery, sig *signature, isJSON bool) error {
	body, err := readAll(r.Body, c.cfg.MaxBody, d.memory)
	if err != nil {
		if errors.Is(err, errTooLarge) || errors.Is(err, errMemory) {
			return err
		}
		return errIncomplete
	}
	key := r.Header.Get(IdempotencyHeader)
	if len(key) > longestID {
		return errID
	}
	if sig != nil {
		if err := c.guard.verify(sig, key, body); err != nil {
			return err
		}
	}
	if err := c.understand(r, d, sig, key, body, isJSON); err != nil {
		c.guard.forgive(sig)
		return err
	}
	return nil
}

func (c *Collector) understand(r *http.Request, d *delivery, sig *signature, key string, body []byte, isJSON bool) error {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	body, err := unpack(encoding, body, c.cfg.MaxBody, d.memory)
	if err != nil {
		return err
	}
	in := decoded{maxLine: c.cfg.MaxLine, maxLines: c.cfg.MaxLines, room: c.cfg.MaxBody, memory: d.memory}
	transport := r.Header.Get(firehoseID)
	if err := in.decode(body, isJSON, transport != ""); err != nil {
		return err
	}
	switch {
	case len(in.id) > longestID:
		return errID
	case transport != "" && in.id != transport:
		return errIDs
	}
	d.lines, d.end = in.lines, in.end
	d.id = deliveryID(in.idKind, in.id, key, sig)
	return nil
}

// deliveryID names a delivery: by the transport's id, else by the sender's, else by its signature,
// which nobody makes twice, else by chance.
func deliveryID(kind, id, key string, sig *signature) event.Hash {
	switch {
	case id != "":
		return event.HashStrings("push", kind, id)
	case key != "":
		return event.HashStrings("push", "idempotency-key", key)
	case sig != nil:
		return event.HashStrings("push", "signature", hex.EncodeToString(sig.mac[:]))
	}
	return event.HashStrings("push", "chance", rand.Text())
}

// submit hands the delivery to the journal and waits for what becomes of it.
func (c *Collector) submit(ctx context.Context, d *delivery) error {
	patience := time.NewTimer(c.cfg.Patience)
	defer patience.Stop()
	select {
	case c.queue <- d:
	case <-patience.C:
		d.memory.release()
		return errBusy
	case <-c.stopped:
		d.memory.release()
		return errStopped
	case <-ctx.Done():
		d.memory.release()
		return errStopped
	}
	// The queue's reader gives up after patience as well. A sink that hangs is not waited for.
	patience.Reset(2 * c.cfg.Patience)
	select {
	case err := <-d.outcome:
		return err
	case <-patience.C:
		return errBusy
	}
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
