// Package journal is liveward's spine: NATS JetStream as an append-only record of batches, alerts,
// rule sets and snapshots. One primitive carries everything: a writer owns one subject, every message
// names its cause, every append is compare-and-set on that subject's last sequence.
//
// It never looks into an event, never decides what is read next, and keeps no state of its own
// outside JetStream.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams. Every stored byte belongs to one of them, or to a key-value or object bucket of the
// same JetStream.
const (
	Events      = "LIVEWARD_EVENTS"      // batches and rule sets, one order over all
	Alerts      = "LIVEWARD_ALERTS"      // alerts, one subject per partition
	DeadLetters = "LIVEWARD_DEADLETTERS" // documents a store will never take
)

// The subjects.
const (
	// RulesetSubject carries the hash of a rule set; windows swap at that message.
	RulesetSubject = "ruleset"
	// DeadLetterSubject is followed by the forwarder's name.
	DeadLetterSubject = "deadletter."
)

const batchSubjects = "events."

// BatchSubject is the subject a collector owns.
func BatchSubject(agent, collector string) string { return batchSubjects + agent + "." + collector }

// DerivedSubject is the subject of a writer whose batches follow from what stands in the journal. No
// agent can have such a name.
func DerivedSubject(name string) string { return derivedSubjects + name }

const derivedSubjects = batchSubjects + "~."

// AlertSubject is the subject of a partition's alerts.
func AlertSubject(partition int) string { return fmt.Sprintf("alerts.%d", partition) }

const (
	kvPositions = "LIVEWARD_POSITIONS"
	kvCursors   = "LIVEWARD_CURSORS"
	kvIncidents = "LIVEWARD_INCIDENTS"
	objBlobs    = "LIVEWARD_BLOBS"
)

// Config says where the journal is and how large it may grow.
type Config struct {
	// Dir is the data directory of the embedded server; it must exist, mode 0700.
	Dir string
	// URL of an external JetStream; empty means the embedded one.
	URL string
	// Options for the external connection (TLS, credentials).
	Options []nats.Option
	// MaxBytes bounds the events stream; the janitor purges beyond it what every reader has done,
	// and Append pushes back when that is not enough. Default 8 GiB.
	MaxBytes int64
	// MaxAge purges what every reader has done once it is older. Default 7 days.
	MaxAge time.Duration
	// LegalMaxAge purges whatever the readers have done; what is lost that way is counted. Default 30 days.
	LegalMaxAge time.Duration
	// ReserveFree is the free space of the disk that batches never use; alerts, rule sets and dead
	// letters may use three quarters of it. Default 512 MiB.
	ReserveFree int64
	// Free tells how much of the disk is free; nil asks the system.
	Free func() (int64, error)
	// Answer is how long an append waits for its answer. An embedded server that takes longer is
	// latched, as on a full disk, and is started anew. Default 10 s.
	Answer time.Duration
	// NoSync gives up the sync on every append. Only for tests and benchmarks that say so.
	NoSync bool
	// Replicas of the streams in a cluster: 1 or 3. Default 1.
	Replicas int
}

func (c *Config) setDefaults() {
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 30
	}
	if c.MaxAge == 0 {
		c.MaxAge = 7 * 24 * time.Hour
	}
	if c.LegalMaxAge == 0 {
		c.LegalMaxAge = 30 * 24 * time.Hour
	}
	if c.ReserveFree == 0 {
		c.ReserveFree = 512 << 20
	}
	if c.Answer == 0 {
		c.Answer = 10 * time.Second
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
}

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	cfg Config
	log *slog.Logger

	mu     sync.RWMutex // guards what a restart of the embedded server replaces
	server *embedded
	nc     *nats.Conn
	js     jetstream.JetStream
	gen    int // counts restarts
	closed bool

	maxBody int
}

// Open starts or connects the journal and creates what is missing.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Journal, error) {
	cfg.setDefaults()
	j := &Journal{cfg: cfg, log: log}
	if err := j.connect(ctx); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if j.server != nil { // in a cluster somebody else may be storing
		if err := j.collectBlobs(ctx); err != nil {
			log.Warn("parts of blobs may be left that nothing needs", "error", err)
		}
	}
	return j, nil
}

// connect brings up server, connection and streams. The caller holds mu or is the only user.
func (j *Journal) connect(ctx context.Context) error {
	opts := append([]nats.Option{nats.Name("liveward"), nats.MaxReconnects(-1)}, j.cfg.Options...)
	url := j.cfg.URL
	if url == "" {
		s, err := startEmbedded(j.cfg, j.log)
		if err != nil {
			return err
		}
		j.server = s
		opts = append(opts, nats.InProcessServer(s))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return fmt.Errorf("connect journal: %w", err)
	}
	j.nc = nc
	j.maxBody = int(nc.MaxPayload()) - headerBytes
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(20*time.Second))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.js = js
	return j.create(ctx)
}

func (j *Journal) create(ctx context.Context) error {
	streams := []jetstream.StreamConfig{
		{Name: Events, Subjects: []string{"events.>", RulesetSubject}},
		{Name: Alerts, Subjects: []string{"alerts.*"}},
		{Name: DeadLetters, Subjects: []string{DeadLetterSubject + ">"}},
	}
	for _, s := range streams {
		s.Storage = jetstream.FileStorage
		s.Retention = jetstream.LimitsPolicy
		s.Replicas = j.cfg.Replicas
		s.AllowDirect = true
		s.DenyDelete = true
		if _, err := j.js.CreateOrUpdateStream(ctx, s); err != nil {
			return fmt.Errorf("create stream %s: %w", s.Name, err)
		}
	}
	for _, bucket := range []string{kvPositions, kvCursors, kvIncidents} {
		_, err := j.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, History: 1, Storage: jetstream.FileStorage, Replicas: j.cfg.Replicas,
		})
		if err != nil {
			return fmt.Errorf("create bucket %s: %w", bucket, err)
		}
	}
	_, err := j.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: objBlobs, Storage: jetstream.FileStorage, Replicas: j.cfg.Replicas,
	})
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", objBlobs, err)
	}
	return nil
}

// Close stops reading and writing and shuts the embedded server down.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.disconnect()
	return nil
}

func (j *Journal) disconnect() {
	if j.nc != nil {
		j.nc.Close()
		j.nc = nil
	}
	if j.server != nil {
		j.server.stop()
		j.server = nil
	}
}

// client returns the current JetStream context and the number of restarts so far.
func (j *Journal) client() (jetstream.JetStream, int) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.js, j.gen
}

// headerBytes is what subject and headers of a message take at most, generously.
const headerBytes = 4096

// MaxBody is the largest body of a message that the journal takes.
func (j *Journal) MaxBody() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.maxBody
}

// restart replaces the embedded server in process: after a storage error a stream stays latched
// until its server starts anew, though nothing acknowledged is lost. gen is the generation in which
// the caller saw the error; a restart that somebody else has made since counts.
func (j *Journal) restart(ctx context.Context, gen int) error {
	if j.cfg.URL != "" {
		return nil // an external server is not ours to restart
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return errors.New("journal: closed")
	case j.gen != gen:
		return nil
	}
	j.log.Warn("restarting the embedded journal after a storage error")
	j.disconnect()
	j.gen++
	return j.connect(ctx)
}
