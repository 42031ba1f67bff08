package elasticsearch

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/forwarders/forwarderstest"
	"github.com/liveward/liveward/internal/estest"
	"github.com/liveward/liveward/internal/event"
)

// quick makes a delivery try again soon: the server is a test's own, and comes back soon.
func quick(f *Forwarder) *forwarders.Delivery {
	d := delivery(f)
	d.Backoff = forwarders.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}
	d.ConfigBackoff = d.Backoff
	return d
}

// once checks that a stream holds exactly the documents, each once.
func once(t *testing.T, s *estest.Server, target string, docs []event.Document) {
	t.Helper()
	count := map[string]int{}
	for _, d := range s.Docs(t, target) {
		count[d.ID]++
	}
	for _, d := range docs {
		if n := count[d.ID.String()]; n != 1 {
			t.Errorf("document %s is stored %d times", d.ID, n)
		}
	}
	if len(count) != len(docs) {
		t.Errorf("%d documents, want %d", len(count), len(docs))
	}
}

// TestOutage kills the server while documents are delivered, and starts it again: all of them are
// there afterwards, each once. The server sends no CA, so the fingerprint of the CA cannot be found.
func TestOutage(t *testing.T) {
	s := estest.Start(t, estest.Options{LeafOnly: true, Heap: "512m"})
	cfg := writer(t, s)

	pin := cfg
	pin.CA, pin.Fingerprint = nil, s.Fingerprint
	err := newForwarder(t, pin).Forward(t.Context(), forwarderstest.Docs(0, 1))
	wantConfig(t, err, forwarders.TLS)
	var fingerprint *FingerprintError
	if !errors.As(err, &fingerprint) || fingerprint.Sent != 1 {
		t.Errorf("the trap is not explained: %v", err)
	}
	pin.CA = s.CA // the chain that was verified holds the CA, sent or not
	must(t, newForwarder(t, pin).Forward(t.Context(), forwarderstest.Docs(0, 1)))

	cfg.Timeout = 10 * time.Second
	d := quick(newForwarder(t, cfg))
	states := make(chan forwarders.State, 1000)
	d.OnHealth = func(h forwarders.Health) { states <- h.State }
	docs := forwarderstest.Docs(0, 6000)
	done := make(chan error, 1)
	killed := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	go func() {
		for i := 0; i < len(docs); i += 100 {
			if i == len(docs)/2 {
				<-killed // not all of them may be there before
			}
			if err := d.Deliver(ctx, docs[i:i+100]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	await(t, states, forwarders.Healthy)
	s.Kill()
	close(killed)
	await(t, states, forwarders.Retrying)
	must(t, s.Start())
	must(t, <-done)
	await(t, states, forwarders.Healthy)
	once(t, s, stream(cfg), docs)
}

func await(t *testing.T, states <-chan forwarders.State, want forwarders.State) {
	t.Helper()
	limit := time.After(10 * time.Minute)
	for {
		select {
		case s := <-states:
			if s == want {
				return
			}
		case <-limit:
			t.Fatalf("never %s", want)
		}
	}
}

// TestOverload has a server with next to no room: it refuses whole requests, and single documents of
// others. Nothing is lost, doubled or rejected over it.
func TestOverload(t *testing.T) {
	s := estest.Start(t, estest.Options{Heap: "512m", Settings: []string{
		"indexing_pressure.memory.limit: 2mb", "thread_pool.write.queue_size: 2", "node.processors: 1",
	}})
	cfg := writer(t, s)

	t.Run("whole requests", func(t *testing.T) {
		cfg := cfg
		cfg.Namespace = s.Namespace(t)
		cfg.BulkBytes = 20 << 20
		f := newForwarder(t, cfg)
		docs := forwarderstest.Docs(0, 8000)
		var overload *forwarders.OverloadError
		if err := f.Forward(t.Context(), docs); !errors.As(err, &overload) {
			t.Fatalf("a request larger than the limit: %v", err)
		}
		d := quick(f)
		d.MaxBytes = 20 << 20
		must(t, d.Deliver(t.Context(), docs))
		once(t, s, stream(cfg), docs)
	})
	t.Run("single documents", func(t *testing.T) {
		cfg := cfg
		cfg.Namespace = s.Namespace(t)
		const writers, each = 12, 200
		var wg sync.WaitGroup
		var mu sync.Mutex
		var partly int // requests that stored some documents and not others
		var all []event.Document
		// Whether requests meet is up to the machine: they are sent until some have.
		for round := 0; round == 0 || partly == 0 && round < 20; round++ {
			for w := range writers {
				docs := forwarderstest.Docs(100_000+(round*writers+w)*each, each)
				for i := range docs { // spread over several streams, so that a request has several shards
					docs[i].Dataset = []string{"liveward.event", "liveward.alert", "liveward.audit", "liveward.health"}[i%4]
				}
				all = append(all, docs...)
				seen := &watch{Forwarder: newForwarder(t, cfg)}
				d := quick(nil)
				d.Forwarder = seen
				wg.Go(func() {
					for i := 0; i < each; i += 40 {
						if err := d.Deliver(t.Context(), docs[i:i+40]); err != nil {
							t.Error(err)
						}
					}
					st := d.Stats()
					if st.Rejected > 0 {
						t.Errorf("%d documents rejected", st.Rejected)
					}
					mu.Lock()
					partly += seen.partly
					mu.Unlock()
				})
			}
			wg.Wait()
		}
		if partly == 0 {
			t.Error("no request was refused in part")
		}
		once(t, s, StreamName("*", cfg.Namespace), all)
	})
}

// watch counts the attempts that were refused in part for overload.
type watch struct {
	*Forwarder
	partly int
}

// Forward implements forwarders.Forwarder.
func (w *watch) Forward(ctx context.Context, docs []event.Document) error {
	err := w.Forwarder.Forward(ctx, docs)
	var p *forwarders.PartialError
	var overload *forwarders.OverloadError
	if errors.As(err, &p) && len(p.Retry) < len(docs) && errors.As(err, &overload) {
		w.partly++
	}
	return err
}
