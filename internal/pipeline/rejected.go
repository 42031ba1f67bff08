package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
)

// resentSubject is where it stands which dead letters of a forwarder were stored after all.
func resentSubject(forwarder string) string {
	return journal.DeadLetterSubject + forwarder + ".stored"
}

// resent is a message on it.
type resent struct {
	Stored []event.Hash `json:"stored"`
}

// Rejected gives f the documents that a store would not take and has not taken since, each once.
func Rejected(ctx context.Context, j *journal.Journal, f func(*DeadLetter) error) error {
	_, last, err := j.Bounds(ctx, journal.DeadLetters)
	if err != nil {
		return err
	}
	type key struct {
		forwarder string
		id        event.Hash
	}
	done := map[key]bool{}
	err = j.ReadRange(ctx, journal.DeadLetters, 0, last, resentSubject("*"), func(e *journal.Entry) error {
		var r resent
		if err := json.Unmarshal(e.Body, &r); err != nil {
			return fmt.Errorf("dead letter message %d: %w", e.Seq, err)
		}
		name := e.Subject[len(journal.DeadLetterSubject) : len(e.Subject)-len(".stored")]
		for _, id := range r.Stored {
			done[key{name, id}] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return j.ReadRange(ctx, journal.DeadLetters, 0, last, journal.DeadLetterSubject+"*", func(e *journal.Entry) error {
		var d DeadLetter
		if err := json.Unmarshal(e.Body, &d); err != nil {
			return fmt.Errorf("dead letter %d: %w", e.Seq, err)
		}
		k := key{d.Forwarder, d.ID}
		if done[k] {
			return nil
		}
		done[k] = true // a document may have been refused twice, around a crash
		return f(&d)
	})
}

// Resent says what became of a forwarder's dead letters that were sent again.
type Resent struct {
	Stored  int
	Refused map[string]int // by reason
}

const resendDocs = 500 // at a time

// ForwardAgain sends dead letters again and remembers which were stored. Under their ids stores take a
// document once, so that a crash in between does no harm.
func ForwardAgain(ctx context.Context, j *journal.Journal, forwarder func(name string) (forwarders.Forwarder, error), want func(*DeadLetter) bool) (map[string]Resent, error) {
	out := map[string]Resent{}
	waiting := map[string][]event.Document{}
	made := map[string]forwarders.Forwarder{}
	send := func(name string) error {
		f := made[name]
		if f == nil {
			var err error
			if f, err = forwarder(name); err != nil {
				return err
			}
			made[name] = f
		}
		docs := waiting[name]
		waiting[name] = nil
		r := out[name]
		if r.Refused == nil {
			r.Refused = map[string]int{}
		}
		stored, err := forwardAgain(ctx, f, docs, r.Refused)
		if err == nil && len(stored) > 0 {
			err = remember(ctx, j, name, stored)
		}
		r.Stored += len(stored)
		out[name] = r
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	err := Rejected(ctx, j, func(d *DeadLetter) error {
		if !want(d) {
			return nil
		}
		waiting[d.Forwarder] = append(waiting[d.Forwarder], event.Document{ID: d.ID, Dataset: d.Dataset, Tenant: d.Tenant, JSON: d.Document})
		if len(waiting[d.Forwarder]) >= resendDocs {
			return send(d.Forwarder)
		}
		return nil
	})
	for name, docs := range waiting {
		if err == nil && len(docs) > 0 {
			err = send(name)
		}
	}
	return out, err
}

// forwardAgain makes one attempt and returns which documents were stored.
func forwardAgain(ctx context.Context, f forwarders.Forwarder, docs []event.Document, refused map[string]int) ([]event.Hash, error) {
	err := f.Forward(ctx, docs)
	var partial *forwarders.PartialError
	if err != nil && !errors.As(err, &partial) {
		return nil, err
	}
	var not []int
	if partial != nil {
		for _, r := range partial.Reject {
			refused[r.Reason]++
			not = append(not, r.Index)
		}
		if n := len(partial.Retry); n > 0 {
			refused["the store takes them later: try again"] += n
			not = append(not, partial.Retry...)
		}
	}
	var stored []event.Hash
	for i := range docs {
		if !slices.Contains(not, i) {
			stored = append(stored, docs[i].ID)
		}
	}
	return stored, nil
}

func remember(ctx context.Context, j *journal.Journal, name string, stored []event.Hash) error {
	w, err := j.Writer(ctx, journal.DeadLetters, resentSubject(name))
	if err != nil {
		return err
	}
	body, err := json.Marshal(resent{stored})
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	_, err = w.Append(ctx, journal.Cause{}, body)
	if errors.Is(err, journal.ErrFenced) {
		return errors.New("another replay is at work: wait until it is done")
	}
	return err
}
