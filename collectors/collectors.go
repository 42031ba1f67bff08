// Package collectors defines what a collector is and what it may rely on. The collectors themselves
// live in the packages below it: file, stdin, push, syslog, otlp, nats, s3, journald.
//
// A collector reads bytes and splits them into lines. It never parses a line, and it never keeps a
// position of its own: positions travel with the data through the journal and come back at the next
// start.
package collectors

import (
	"context"
	"errors"

	"github.com/liveward/liveward/internal/event"
)

// Collector reads lines from one kind of place and hands them to a sink.
type Collector interface {
	// Collect runs until ctx is done or an error that it cannot get over. It returns nil when it has
	// come to the end of an input that ends (standard input), and ctx.Err() when it was stopped.
	// A file that cannot be read is not such an error: it is logged, counted and tried again.
	// Collect is called once.
	Collect(ctx context.Context, sink Sink) error
}

// Sink takes batches. The journal's side of the pipeline is the only real one.
type Sink interface {
	// Put makes a batch durable. It blocks until that is done or cannot be done.
	//
	// nil means durable: appended to the journal and synced. Only then may the collector move its
	// offset, answer 200, or acknowledge. ErrPushback means: nothing was stored, slow down and put
	// the same batch again. ErrFenced means that another writer has appended under the collector's
	// name: the collector must return it at once, and is built anew from the journal's positions.
	// Any other error ends the collector; nothing of the batch was acknowledged.
	//
	// The batch and all it points at belong to the sink until Put returns. Put may be called by one
	// goroutine at a time.
	Put(ctx context.Context, batch *event.Batch) error
}

// Checker is a collector that reads from somebody who may refuse: a server, a queue.
type Checker interface {
	// Check asks, beside nothing or beside a collector that runs, whether this one could work as it is
	// configured. It takes no line, and makes and changes nothing. It blocks until it is answered, or
	// ctx is done. Its findings hold no secret.
	Check(ctx context.Context) []Finding
}

// Finding is what was found of one thing that was asked about.
type Finding struct {
	Verdict Verdict
	What    string // such as "stream GATEWAY"
	Said    string // what was found, and what to do where that is not as it should be
}

// Verdict is how a finding is to be taken.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // it works, and somebody should know
	Wrong   Verdict = "wrong"   // it does not work
	Unknown Verdict = "unknown" // it cannot be asked
)

// ErrPushback asks a collector to slow down: the journal does not take more at the moment.
var ErrPushback = errors.New("journal pushes back")

// ErrFenced tells a collector that it is not the only writer of its subject any more.
var ErrFenced = errors.New("another writer owns this collector's subject")
