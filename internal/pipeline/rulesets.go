package pipeline

import (
	"context"
	"fmt"
	"sync"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/journal"
	"github.com/liveward/liveward/rules"
)

// Rulesets holds the rule set that matchers use. A set is journaled before any matcher uses it, and
// windows swap at that message: so what fires is a function of the journal.
type Rulesets struct {
	j *journal.Journal

	mu     sync.RWMutex
	set    *rules.Set
	writer *journal.Writer
}

// NewRulesets opens the subject of rule sets.
func NewRulesets(ctx context.Context, j *journal.Journal) (*Rulesets, error) {
	w, err := j.Writer(ctx, journal.Events, journal.RulesetSubject)
	if err != nil {
		return nil, err
	}
	return &Rulesets{j: j, writer: w}, nil
}

// Current returns the set in use, nil before the first Use.
func (r *Rulesets) Current() (*rules.Set, event.Hash) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.set == nil {
		return nil, event.Hash{}
	}
	return r.set, r.set.Hash()
}

// Use journals a set and then makes it the one in use. A set that is in use already, or was the last
// one journaled, is not journaled again.
func (r *Rulesets) Use(ctx context.Context, set *rules.Set) error {
	if _, hash := r.Current(); hash == set.Hash() {
		return nil
	}
	last, err := r.j.Last(ctx, journal.Events, journal.RulesetSubject)
	if err != nil {
		return err
	}
	if last == nil || string(last.Body) != set.Hash().String() {
		if err := r.j.PutBlob(ctx, rulesetBlob(set.Hash()), set.Archive()); err != nil {
			return err
		}
		if _, err := r.writer.Append(ctx, journal.Cause{}, []byte(set.Hash().String())); err != nil {
			return fmt.Errorf("journal rule set: %w", err)
		}
	}
	r.mu.Lock()
	r.set = set
	r.mu.Unlock()
	return nil
}

func rulesetBlob(h event.Hash) string { return "ruleset." + h.String() }

// openRuleset loads a set that was journaled.
func openRuleset(ctx context.Context, j *journal.Journal, h event.Hash, opts rules.Options) (*rules.Set, error) {
	data, err := j.Blob(ctx, rulesetBlob(h))
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, fmt.Errorf("rule set %s is not in the journal", h)
	}
	return rules.OpenArchive(data, opts)
}
