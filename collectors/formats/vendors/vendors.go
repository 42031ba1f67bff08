// Package vendors says what a liveness vendor's answer means: it turns the raw decision, score and
// reason that a format found in a line into liveness.decision, a score from 0 to 1 where high is
// live, a reason category and the kind of attack. Each vendor is a YAML map; maps/generic.yaml explains
// them and serves every vendor without one.
//
// A map never guesses in the caller's favour: a word it does not know is inconclusive and counted as a
// mapping gap, never live. It judges no HTTP call and never changes event.outcome.
package vendors

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/liveward/liveward/collectors/formats"
	"github.com/liveward/liveward/internal/event"
)

//go:embed maps/*.yaml
var builtin embed.FS

// Generic is the map for vendors without one.
const Generic = "generic"

// Set is every vendor map there is: built in, and of the user. It never changes, and may be used by
// several goroutines.
type Set struct {
	byName map[string]*vendor // by name and by alias
	maps   []*vendor          // sorted by name
}

// Load reads the built-in maps and those of the user (*.yaml in the root of user; nil for none). All
// problems of all files are joined, each with file:line:column and a hint.
func Load(user fs.FS) (*Set, error) {
	own, err := fs.Sub(builtin, "maps")
	if err != nil {
		return nil, fmt.Errorf("open built-in vendor maps: %w", err)
	}
	s := &Set{byName: map[string]*vendor{}}
	var errs []error
	for i, fsys := range []fs.FS{own, user} {
		if fsys == nil {
			continue
		}
		files, err := formats.YAMLFiles(fsys)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := f.Name
			if i == 0 {
				name = "built-in " + name
			}
			v, file := readVendor(name, f.Source)
			for _, n := range append([]string{v.name}, v.aliases...) {
				if n == "" {
					continue
				}
				if s.byName[n] != nil {
					v.at.Bad("choose another name", "the vendor %s has a map already", n)
					continue
				}
				s.byName[n] = v
			}
			if err := file.Err(); err != nil {
				errs = append(errs, err)
			}
			s.maps = append(s.maps, v)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(s.maps, func(a, b *vendor) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return s, nil
}

// Names returns the vendors that have a map, sorted.
func (s *Set) Names() []string {
	names := make([]string, len(s.maps))
	for i, v := range s.maps {
		names[i] = v.name
	}
	return names
}

// Known tells whether a vendor has a map, by its name or an alias.
func (s *Set) Known(name string) bool { return s.byName[name] != nil }

// Provides returns the fields that Apply can fill, sorted, given a format that provides the raw ones.
func (s *Set) Provides() []event.ID {
	return []event.ID{
		event.LivenessAttackClass, event.LivenessAttackType, event.LivenessDecision, event.LivenessMargin,
		event.LivenessReasonCategory, event.LivenessScore, event.LivenessThreshold, event.LivenessVendor,
		event.LivenessViolation, event.LivewardMappingGap,
	}
}

// Test runs the tests that stand in the maps, and reports each failure with its file and line.
func (s *Set) Test() error {
	var all []error
	for _, v := range s.maps {
		all = append(all, v.test(s))
	}
	return errors.Join(all...)
}
