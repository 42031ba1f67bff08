package rules

import (
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Set is a compiled, immutable rule set: rules with the contents of the lists they use. It is safe
// for concurrent use; matching has its scratch in a Matcher.
type Set struct {
	rules   []*Rule
	byID    map[string]*Rule
	byState map[event.Hash]*Rule
	hash    event.Hash
	index   *index
	archive []byte
	lists   map[string]List
	macros  string
}

// NewSet makes a set of compiled rules, whose states must differ. Rules that were not loaded have no
// condition: windows can be fed with their signals, but nothing matches them.
func NewSet(rules ...*Rule) *Set {
	s := &Set{
		rules:   slices.Clone(rules),
		byID:    make(map[string]*Rule, len(rules)),
		byState: make(map[event.Hash]*Rule, len(rules)),
	}
	slices.SortFunc(s.rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	matching := true
	for _, r := range s.rules {
		matching = matching && r.matcher != nil
		s.byID[r.ID] = r
		s.byState[r.State] = r
	}
	s.index = &index{}
	if matching {
		s.index = newIndex(s.rules)
	}
	return s
}

// Rules returns the rules in order of id. The slice must not be written to.
func (s *Set) Rules() []*Rule { return s.rules }

// Rule finds a rule by its id; nil where there is none.
func (s *Set) Rule(id string) *Rule { return s.byID[id] }

// ByState finds the rule whose logic a signal came from; nil where the set has none. No two rules of
// a set have the same logic.
func (s *Set) ByState(state event.Hash) *Rule { return s.byState[state] }

// Hash identifies the set: rules, lists and their contents.
func (s *Set) Hash() event.Hash { return s.hash }
