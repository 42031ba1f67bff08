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
	for _, r := range before.Rules {
		if !broken[r.File] {
			continue
		}
		now.Rules = slices.DeleteFunc(now.Rules, func(x archivedRule) bool { return x.File == r.File })
		now.Rules = append(now.Rules, r)
	}
	slices.SortFunc(now.Rules, func(a, b archivedRule) int { return cmp.Compare(a.File, b.File) })
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
