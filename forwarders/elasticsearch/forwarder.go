package elasticsearch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
)

// Forwarder stores documents in data streams. It implements forwarders.Forwarder.
type Forwarder struct {
	cfg     Config
	log     *slog.Logger
	client  *client
	streams *streams
	zip     *compressor
	bulk    bulk
	answer  []byte
	stats   counters
}

var _ forwarders.Forwarder = (*Forwarder)(nil)

// Stats counts what a Forwarder did.
type Stats struct {
	Requests   uint64 // bulk requests sent
	Stored     uint64 // documents stored
	Duplicates uint64 // documents that were stored before: 409
	Degraded   uint64 // stored documents that went to the stream's failure store
	Retry      uint64 // documents to be tried again
	Rejected   uint64 // documents Elasticsearch will never take
	BytesRaw   uint64 // bodies before compression
	BytesSent  uint64 // bodies as they were sent
}

type counters struct {
	requests, stored, duplicates, degraded, retry, rejected, raw, sent atomic.Uint64
}

// New makes a forwarder. It connects to nothing yet.
func New(cfg Config, log *slog.Logger) (*Forwarder, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %w", err)
	}
	if cfg.Now == nil {
		return nil, errors.New("elasticsearch: no clock given")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %w", err)
	}
	zip, err := newCompressor(cfg.Compression)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %w", err)
	}
	return &Forwarder{
		cfg: cfg, log: log.With("component", "elasticsearch"), client: c, streams: newStreams(cfg), zip: zip,
	}, nil
}

// Close lets go of idle connections.
func (f *Forwarder) Close() { f.client.close() }

// Stats returns the counts so far.
func (f *Forwarder) Stats() Stats {
	s := &f.stats
	return Stats{
		Requests: s.requests.Load(), Stored: s.stored.Load(), Duplicates: s.duplicates.Load(),
		Degraded: s.degraded.Load(), Retry: s.retry.Load(), Rejected: s.rejected.Load(),
		BytesRaw: s.raw.Load(), BytesSent: s.sent.Load(),
	}
}

// Forward implements forwarders.Forwarder: it sends docs in as many bulk requests as their size
// needs, one after the other, and none after one that failed as a whole or met an overload.
func (f *Forwarder) Forward(ctx context.Context, docs []event.Document) error {
	var out forwarders.PartialError
	stamp := event.FormatTime(f.cfg.Now().Truncate(time.Millisecond).UnixNano())
	for i := 0; i < len(docs); {
		f.bulk.reset()
		for ; i < len(docs); i++ {
			doc := &docs[i]
			if len(f.bulk.index) > 0 && len(f.bulk.raw)+len(doc.JSON)+lineOverhead > f.cfg.BulkBytes {
				break
			}
			stream, ok := f.streams.of(doc)
			if !ok {
				out.Reject = append(out.Reject, forwarders.Rejected{Index: i, Reason: "unknown dataset"})
				continue
			}
			if !f.bulk.add(i, doc, stream, stamp) {
				out.Reject = append(out.Reject, forwarders.Rejected{Index: i, Reason: "not a JSON object on one line, or its event is no object"})
			}
		}
		if len(f.bulk.index) == 0 {
			continue
		}
		err := f.send(ctx, &out)
		if err == nil {
			continue
		}
		for ; i < len(docs); i++ {
			out.Retry = append(out.Retry, i)
		}
		out.Cause = both(out.Cause, err)
		break
	}
	f.stats.retry.Add(uint64(len(out.Retry)))
	f.stats.rejected.Add(uint64(len(out.Reject)))
	if len(out.Retry) == 0 && len(out.Reject) == 0 {
		return nil
	}
	slices.Sort(out.Retry)
	return &out
}

// send makes the bulk request and enters into out what became of its documents. An error means that
// no further request should be made now: the request failed as a whole, or the server is overloaded.
func (f *Forwarder) send(ctx context.Context, out *forwarders.PartialError) error {
	answer, err := f.request(ctx)
	if err != nil {
		out.Retry = append(out.Retry, f.bulk.index...)
		return err
	}
	if degraded, ok := allStored(answer, len(f.bulk.index)); ok {
		f.stats.stored.Add(uint64(len(f.bulk.index)))
		f.stats.degraded.Add(uint64(degraded))
		return nil
	}
	var halt error
	seen, err := parseItems(answer, func(n int, it *item) {
		if n >= len(f.bulk.index) {
			return
		}
		i := f.bulk.index[n]
		v, cause := classify(it)
		switch v {
		case stored:
			f.stats.stored.Add(1)
			if it.FailureStore == "used" {
				f.stats.degraded.Add(1)
			}
		case duplicate:
			f.stats.duplicates.Add(1)
		case reject:
			out.Reject = append(out.Reject, forwarders.Rejected{Index: i, Status: it.Status, Reason: reason(it.Error)})
		case retry:
			out.Retry = append(out.Retry, i)
			var config *forwarders.ConfigError
			switch {
			case errors.As(cause, &config):
				if !errors.As(out.Cause, &config) {
					out.Cause = cause // the first one that somebody has to mend
				}
			default:
				halt = cause
			}
		}
	})
	if seen < len(f.bulk.index) {
		out.Retry = append(out.Retry, f.bulk.index[seen:]...)
		return cmp.Or(err, errBadResponse)
	}
	return halt
}

// both joins two causes on one line.
func both(a, b error) error {
	if a == nil {
		return b
	}
	return fmt.Errorf("%w; %w", a, b)
}

// maxAnswer bounds a bulk response: so much for each document, and for the frame.
const (
	maxAnswerItem = 8 << 10
	maxAnswerBase = 64 << 10
)

// request sends the body and returns the answer, valid until the next call. Where the server refuses
// the key, the key is read again, and used at once if it is another.
func (f *Forwarder) request(ctx context.Context) ([]byte, error) {
	data, err := f.zip.compress(f.bulk.raw)
	if err != nil {
		return nil, fmt.Errorf("compress bulk request: %w", err)
	}
	answer, err := f.post(ctx, data)
	var config *forwarders.ConfigError
	if !errors.As(err, &config) || config.Kind != forwarders.Credentials || config.Status != http.StatusUnauthorized {
		return answer, err
	}
	changed, keyErr := f.client.refresh()
	if keyErr != nil {
		return nil, &forwarders.ConfigError{Kind: forwarders.Credentials, Status: config.Status, Err: keyErr}
	}
	if !changed {
		return nil, err
	}
	f.log.Info("key was refused; trying the new one")
	return f.post(ctx, data)
}

func (f *Forwarder) post(ctx context.Context, data []byte) ([]byte, error) {
	header, err := f.client.header()
	if err != nil {
		return nil, &forwarders.ConfigError{Kind: forwarders.Credentials, Err: err}
	}
	if f.cfg.Compression != NoCompression {
		header.Set("Content-Encoding", "gzip")
	}
	ctx, cancel := f.client.bound(ctx)
	defer cancel()
	f.stats.requests.Add(1)
	f.stats.raw.Add(uint64(len(f.bulk.raw)))
	f.stats.sent.Add(uint64(len(data)))

	b := newBody(data)
	yes := true
	res, err := esapi.BulkRequest{
		Body: b, RequireDataStream: &yes, Header: header,
		FilterPath: []string{"errors", "items.*.status", "items.*.failure_store", "items.*.error.type", "items.*.error.reason"},
	}.Do(ctx, f.client.sized(int64(len(data))))
	// The buffers are used again by the next request, so the transport must have let go of them; it
	// does at once after the answer's body is closed or the request's context is done.
	defer func() {
		cancel()
		b.wait()
	}()
	if err != nil {
		return nil, connectionError(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	if res.StatusCode < 200 || res.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswerBase)) // the status says enough
		return nil, requestError(res.StatusCode, res.Header, text)
	}
	limit := maxAnswerBase + maxAnswerItem*len(f.bulk.index)
	f.answer, err = readInto(f.answer[:0], io.LimitReader(res.Body, int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("read bulk response: %w", err)
	}
	return f.answer, nil
}

// readInto reads all of r into dst.
func readInto(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
