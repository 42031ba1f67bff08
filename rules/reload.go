package rules

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Reload is Load over a set that is in use. A rule or list with an error keeps its old version,
// where it has one, and the others change: one broken file can neither stop nor disarm the rest. The
// error tells what was wrong; the set is to be used all the same. A nil set means that nothing could
// be made of it.
func Reload(fsys fs.FS, opts Options, old *Set) (*Set, error) {
	set, problem := Load(fsys, opts)
	var found Problems
	if problem == nil || set == nil || old == nil || !errors.As(problem, &found) {
		return set, problem
	}
	var now, before archive
	if err := errors.Join(json.Unmarshal(set.archive, &now), json.Unmarshal(old.archive, &before)); err != nil {
		return nil, errors.Join(problem, fmt.Errorf("reload: %w", err))
	}
	broken := make(map[string]bool)
	for _, p := range found.Errors() {
		broken[p.File] = true
	}
	for name, list := range before.Lists {
		if broken["lists/"+name+".yaml"] {
			now.Lists[name] = list
		}
	}
	now.Rules = keepBroken(now.Rules, before.Rules, broken)
	now.Overlays = keepBroken(now.Overlays, before.Overlays, broken)
	if broken[macroFile] {
		now.Macros = before.Macros
	}
	data, err := json.Marshal(now)
	if err != nil {
		return nil, errors.Join(problem, fmt.Errorf("reload: %w", err))
	}
	merged, err := OpenArchive(data, opts)
	if err != nil {
		return nil, errors.Join(problem, fmt.Errorf("reload: the old versions do not fit the new files: %w", err))
	}
	return merged, problem
}

// keepBroken puts the old version of each broken file in the place of the new.
func keepBroken(now, before []archivedRule, broken map[string]bool) []archivedRule {
	for _, r := range before {
		if !broken[r.File] {
			continue
		}
		now = slices.DeleteFunc(now, func(x archivedRule) bool { return x.File == r.File })
		now = append(now, r)
	}
	slices.SortFunc(now, func(a, b archivedRule) int { return cmp.Compare(a.File, b.File) })
	return now
}

// Broken names the rules of a set that a reload has kept in their old version.
func Broken(err error) []string {
	var found Problems
	if !errors.As(err, &found) {
		return nil
	}
	var out []string
	for _, p := range found.Errors() {
		if name := strings.TrimSuffix(p.File, ".yaml"); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
