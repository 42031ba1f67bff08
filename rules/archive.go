package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// archive is a set as it is stored beside the journal: what is needed to match an older batch again,
// or to compute its alerts on another machine. Lists are as they were loaded, so that it holds no
// identifier in the clear.
type archive struct {
	Format      int             `json:"format"`
	PlaybookURL string          `json:"playbook_url"`
	Unpublished []string        `json:"unpublished,omitempty"` // playbooks that are not there, sorted
	Rules       []archivedRule  `json:"rules"`                 // in order of file name
	Macros      string          `json:"macros,omitempty"`
	Overlays    []archivedRule  `json:"overlays,omitempty"` // in order of file name
	Lists       map[string]List `json:"lists"`
}

type archivedRule struct {
	File string `json:"file"`
	Text string `json:"text"`
}

const archiveFormat = 1

// seal makes the set's archive, whose hash is the set's.
func (s *Set) seal(in files, opts *Options) {
	a := archive{Format: archiveFormat, PlaybookURL: opts.playbookURL(), Lists: in.lists, Rules: []archivedRule{}}
	for _, r := range s.rules {
		if opts.Unpublished != nil && opts.Unpublished(r.Playbook) {
			a.Unpublished = append(a.Unpublished, r.Playbook)
		}
	}
	slices.Sort(a.Unpublished)
	a.Unpublished = slices.Compact(a.Unpublished)
	for _, src := range in.rules {
		a.Rules = append(a.Rules, archivedRule{src.name, src.text})
	}
	for _, src := range in.overlays {
		a.Overlays = append(a.Overlays, archivedRule{src.name, src.text})
	}
	if in.macros != nil {
		a.Macros = in.macros.text
		s.macros = in.macros.text
	}
	data, err := json.Marshal(a)
	if err != nil {
		// Strings, maps of strings and numbers always encode.
		panic(fmt.Sprintf("rules: encode archive: %v", err))
	}
	s.archive, s.lists = data, in.lists
	s.hash = event.HashOf([]byte("ruleset"), data)
}

// Archive returns the set with all it was loaded from, as deterministic bytes: the same rules and
// lists give the same. It holds no identifier in the clear. The slice must not be written to.
func (s *Set) Archive() []byte { return s.archive }

// maxArchiveBytes bounds what OpenArchive reads.
const maxArchiveBytes = 64 << 20

// OpenArchive loads a set from the bytes of Archive. Its playbooks were there when it was made and
// are not looked for again; of opts nothing but Now and NoTests is used. The hash is that of the set archived.
func OpenArchive(data []byte, opts Options) (*Set, error) {
	if len(data) > maxArchiveBytes {
		return nil, fmt.Errorf("open rule set: %d bytes are more than %d", len(data), maxArchiveBytes)
	}
	var a archive
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("open rule set: %w", err)
	}
	if a.Format != archiveFormat {
		return nil, fmt.Errorf("open rule set: format %d is not known", a.Format)
	}
	if len(a.Rules) > maxRules {
		return nil, errors.New("open rule set: too many rules")
	}
	l := &loader{opts: &Options{
		PlaybookURL: a.PlaybookURL, Now: opts.Now, NoTests: opts.NoTests,
		Unpublished: func(name string) bool { return slices.Contains(a.Unpublished, name) },
	}, forms: newForms()}
	in := files{lists: make(map[string]List, len(a.Lists))}
	for name, list := range a.Lists {
		n, err := list.normalize()
		if err != nil {
			return nil, fmt.Errorf("open rule set: list %s: %w", name, err)
		}
		in.lists[name] = n
	}
	for _, r := range a.Rules {
		in.rules = append(in.rules, newSource(r.File, []byte(r.Text)))
	}
	for _, o := range a.Overlays {
		in.overlays = append(in.overlays, newSource(o.File, []byte(o.Text)))
	}
	if a.Macros != "" {
		in.macros = newSource(macroFile, []byte(a.Macros))
	}
	set := l.build(in)
	if errs := l.problems.Errors(); len(errs) > 0 {
		return nil, fmt.Errorf("open rule set: %w", errs)
	}
	return set, nil
}
