package push

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
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
	id       event.Hash
	named    bool // it has the same id when it comes again
	lines    []event.Line
	end      int64
	rejected int
	memory   *loan // of whoever answers, until it is handed to the queue: then of the queue's reader
	outcome  chan error
}

var (
	errStopped = errors.New("collector stops")
	errBusy    = errors.New("try again later")
)

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

func (c *Collector) serveHTTP(w http.ResponseWriter, r *http.Request) {
	c.serving.RLock()
	defer c.serving.RUnlock()
	o, err := c.receive(r)
	o.Status, o.At = status(err), c.now()
	c.count(&o)
	h := w.Header()
	switch o.Status {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		o.Error = errBusy.Error() // what went wrong inside is no sender's business
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	case http.StatusTooManyRequests:
		o.Error = err.Error()
		h.Set("Retry-After", "1")
	default:
		o.Error = err.Error()
	}
	switch o.Status {
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
	kind, body := c.protocol.Answer(r.Header, o)
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(o.Status)
	_, _ = w.Write(body) //nolint:gosec // JSON or protobuf, and nothing of the request but an id of letters and digits
}

// receive takes a request and returns what became of it: all of its lines are durable, or none with
// the error.
func (c *Collector) receive(r *http.Request) (Outcome, error) {
	var o Outcome
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return o, errMethod
	}
	if c.cfg.Path != "" && r.URL.Path != c.cfg.Path {
		return o, errPath
	}
	if http.NewCrossOriginProtection().Check(r) != nil {
		return o, errOrigin
	}
	if !c.rate.allow(r.RemoteAddr) {
		return o, errRate
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return o, errBusy
	}
	sig, err := c.guard.admit(r.Header, r)
	if err != nil {
		return o, err
	}
	if err := c.protocol.Accept(r.Header); err != nil {
		return o, err
	}
	if r.ContentLength > c.cfg.MaxBody {
		return o, errTooLarge
	}
	if c.refusing.Load() {
		return o, errBusy
	}
	c.working.Add(1)
	defer c.working.Add(-1)
	d := &delivery{memory: &loan{from: &c.budget}, outcome: make(chan error, 1)}
	if err := c.read(r, d, sig); err != nil {
		d.memory.release()
		return o, err
	}
	o.Rejected = d.rejected
	n := len(d.lines)
	if n == 0 {
		d.memory.release()
		return o, nil
	}
	known, err := c.once.begin(d)
	if known || err != nil {
		d.memory.release()
		c.stats.Add(func(s *Stats) { s.Repeated += int64(one(known)) })
		return o, err
	}
	id := d.id // the delivery is the queue's from here on
	err = c.submit(r.Context(), d)
	c.once.end(id, err == nil)
	if err != nil {
		c.guard.forgive(sig)
		return o, err
	}
	o.Lines = n
	return o, nil
}

// read reads a request's body and finds its lines and its id.
func (c *Collector) read(r *http.Request, d *delivery, sig *signature) error {
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
		if err := c.guard.verify(sig, r.Header, body); err != nil {
			return err
		}
	}
	if err := c.understand(r, d, sig, key, body); err != nil {
		c.guard.forgive(sig)
		return err
	}
	return nil
}

func (c *Collector) understand(r *http.Request, d *delivery, sig *signature, key string, body []byte) error {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	body, err := unpack(encoding, body, c.cfg.MaxBody, d.memory)
	if err != nil {
		return err
	}
	to := Lines{maxLine: c.cfg.MaxLine, maxLines: c.cfg.MaxLines, room: c.cfg.MaxBody, memory: d.memory}
	if err := c.protocol.Decode(r.Header, body, &to); err != nil {
		return err
	}
	if len(to.id) > longestID {
		return errID
	}
	d.lines, d.end, d.rejected = to.lines, to.end, to.rejected
	d.id, d.named = c.deliveryID(&to, key, sig)
	return nil
}

// deliveryID names a delivery: by the transport's id, else by the sender's, else by its signature,
// which nobody makes twice, else by chance. named tells that the same delivery has the same name when
// it comes again.
func (c *Collector) deliveryID(to *Lines, key string, sig *signature) (id event.Hash, named bool) {
	kind := c.protocol.Name()
	switch {
	case to.id != "":
		return event.HashStrings(kind, to.idKind, to.id), true
	case key != "":
		return event.HashStrings(kind, "idempotency-key", key), true
	case sig != nil:
		return event.HashStrings(kind, "signature", hex.EncodeToString(sig.tag[:])), true
	}
	return event.HashStrings(kind, "chance", rand.Text()), false
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
