package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// stored is the copy of a tick's positions in the positions bucket.
type stored struct {
	Ref       Ref              `json:"ref"` // the tick's message
	Positions []event.Position `json:"positions"`
}

// positionsKey is the bucket's key for a collector's subject.
func positionsKey(subject string) string { return subject }

// SavePositions copies a tick's positions beside the journal, so that a start does not have to read
// the collector's whole subject.
func (j *Journal) SavePositions(ctx context.Context, subject string, ref Ref, positions []event.Position) error {
	return j.positions().put(ctx, positionsKey(subject), stored{ref, positions})
}

// Collectors names the collectors of an agent whose positions were ever stored, sorted.
func (j *Journal) Collectors(ctx context.Context, agent string) ([]string, error) {
	keys, err := j.positions().Keys(ctx)
	if err != nil {
		return nil, err
	}
	prefix := BatchSubject(agent, "")
	var out []string
	for _, k := range keys {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			out = append(out, name)
		}
	}
	return out, nil
}

// Positions returns where a collector goes on: the last tick's positions, with what later messages
// of its subject say. A copy that names a message the journal does not hold (a truncated tail) is
// not believed: then the subject is read from its beginning.
func (j *Journal) Positions(ctx context.Context, subject string) ([]event.Position, error) {
	var s stored
	found, err := j.positions().get(ctx, positionsKey(subject), &s)
	if err != nil {
		return nil, err
	}
	if found {
		ok, err := j.Holds(ctx, Events, s.Ref)
		if err != nil {
			return nil, err
		}
		if !ok {
			j.log.Warn("positions are read from the journal: the stored copy is ahead of it", "subject", subject)
			s = stored{}
		}
	}
	last, err := j.Last(ctx, Events, subject)
	if err != nil {
		return nil, err
	}
	known := positionSet{}
	known.merge(s.Positions)
	if last != nil {
		err := j.ReadRange(ctx, Events, s.Ref.Seq, last.Seq, subject, func(e *Entry) error {
			h, err := DecodeHead(e.Body)
			if err != nil {
				return fmt.Errorf("message %d: %w", e.Seq, err)
			}
			if h.Tick {
				known = positionSet{}
			}
			known.merge(h.Positions)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("positions of %s: %w", subject, err)
		}
	}
	return known.list(), nil
}

// PositionsNeed is the sequence up to which the positions of collectors need no message any more: where
// one goes on is known from its copy and the messages after it.
func (j *Journal) PositionsNeed(ctx context.Context, subjects []string) (uint64, error) {
	_, need, err := j.Bounds(ctx, Events)
	if err != nil {
		return 0, err
	}
	for _, subject := range subjects {
		var s stored
		if _, err := j.positions().get(ctx, positionsKey(subject), &s); err != nil {
			return 0, err
		}
		last, err := j.Last(ctx, Events, subject)
		if err != nil {
			return 0, err
		}
		if last != nil && last.Seq > s.Ref.Seq {
			need = min(need, s.Ref.Seq)
		}
	}
	return need, nil
}

type positionKey struct {
	event.SourceKey
	ordinal uint64
}

type positionSet map[positionKey]event.Position

func (s positionSet) merge(positions []event.Position) {
	for _, p := range positions {
		k := positionKey{p.Key(), p.Ordinal}
		if have, ok := s[k]; ok && have.MaxTime > p.MaxTime {
			p.MaxTime = have.MaxTime
		}
		s[k] = p
	}
}

func (s positionSet) list() []event.Position {
	out := make([]event.Position, 0, len(s))
	for _, p := range s {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b event.Position) int {
		if c := strings.Compare(a.Source+"\x00"+a.Path, b.Source+"\x00"+b.Path); c != 0 {
			return c
		}
		return int(a.Ordinal) - int(b.Ordinal)
	})
	return out
}
