// Package forwarders defines what a forwarder is, and holds the one loop that retries. The
// forwarders themselves live in the packages below it: elasticsearch, ndjson.
//
// A forwarder makes one attempt to store documents and says precisely what became of each. It never
// retries, never waits and never drops: that is the loop's affair.
package forwarders

import (
	"context"
	"fmt"

	"github.com/liveward/liveward/internal/event"
)

// Forwarder stores documents somewhere.
type Forwarder interface {
	// Forward makes one attempt to store docs and blocks until its outcome is known or ctx is done.
	//
	// nil: every document is stored (one that was stored before counts as stored). A *PartialError:
	// those it names are not, all others are. Any other error: none may be assumed stored, and all
	// are tried again later. Storing a document again under its ID must be harmless.
	//
	// docs belong to the caller; Forward must not keep or change them. It is called by one goroutine
	// at a time.
	Forward(ctx context.Context, docs []event.Document) error
}

// PartialError tells which documents of a Forward were not stored.
type PartialError struct {
	// Retry holds indexes of documents to be tried again, ascending.
	Retry []int
	// Reject holds documents that will never be taken: they go to the dead letters.
	Reject []Rejected
	// Cause is what the store said about one of those to be retried; nil where there are none.
	Cause error
}

// Rejected is a document that the store will never take.
type Rejected struct {
	Index  int    // index in the docs of Forward
	Status int    // status the store answered with; 0 where it has none
	Reason string // what the store said, without values of the document
}

// Error implements error.
func (e *PartialError) Error() string {
	s := fmt.Sprintf("%d documents to retry, %d rejected", len(e.Retry), len(e.Reject))
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Cause }
