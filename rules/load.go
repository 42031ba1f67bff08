package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// Options say how rules are loaded. The zero value loads a rule directory as it is.
type Options struct {
	// Identify makes the pseudonyms, one for each live epoch, of an identifier that stands in a list
	// with this field. Nil leaves identifiers as they are, which is right for tests alone.
	Identify func(field event.ID, raw string) []string
	// Playbooks tells whether there is a playbook of this name. Nil looks for playbooks/<name>.md.
	Playbooks func(name string) bool
	// PlaybookURL is put before a playbook's name to make its address; "playbooks/" by default.
	PlaybookURL string
	// Overrides take the place of lists of the directory, by name.
	Overrides map[string]List
	// Now is the time against which the end of exceptions is checked; zero checks nothing.
	Now time.Time
}

func (o *Options) playbookURL() string {
	if o.PlaybookURL == "" {
		return "playbooks/"
	}
	return o.PlaybookURL
}

// maxRules bounds a set.
const maxRules = 5000

// Load reads the rules in the root of fsys, one a file, and the lists in lists/. Its error is
// Problems, all that were found. A broken rule does not stop the others: the set of those that are
// sound comes back together with the error. Warnings alone are no error; Lint shows them.
func Load(fsys fs.FS, opts Options) (*Set, error) {
	set, problems := load(fsys, &opts)
	if errs := problems.Errors(); len(errs) > 0 {
		return set, errs
	}
	return set, nil
}

// Lint returns everything that Load would refuse, and what it would let pass but is probably not
// meant.
func Lint(fsys fs.FS, opts Options) Problems {
	_, problems := load(fsys, &opts)
	return problems
}

func load(fsys fs.FS, opts *Options) (*Set, Problems) {
	l := &loader{opts: opts, forms: newForms(), fsys: fsys}
	rulePaths, listPaths := l.find()
	lists := map[string]List{}
	places := map[string]*source{}
	for _, p := range listPaths {
		name := strings.TrimSuffix(path.Base(p), ".yaml")
		s := l.open(p, maxListBytes)
		if s == nil {
			continue
		}
		if !l.forms.list.MatchString(name) {
			s.report(LevelError, position{}, "a list's file is called by letters, digits and underscores, such as vpn_ranges.yaml", "")
		}
		if list, ok := parseList(s, opts.Identify); ok {
			lists[name], places[name] = list, s
		}
		l.keep(s)
	}
	for name, list := range opts.Overrides {
		n, err := list.normalize()
		if err != nil {
			l.problem("lists/"+name, err.Error())
			continue
		}
		lists[name] = n
	}
	var sources []*source
	for _, p := range rulePaths {
		if s := l.open(p, maxRuleBytes); s != nil {
			sources = append(sources, s)
		}
	}
	set := l.build(sources, lists, places)
	l.problems.sort()
	return set, l.problems
}

// loader gathers the problems of all files.
type loader struct {
	opts     *Options
	forms    *forms
	fsys     fs.FS // nil for a set from an archive
	problems Problems
}

func (l *loader) problem(file, message string) {
	l.problems = append(l.problems, Problem{File: file, Level: LevelError, Message: message})
}

func (l *loader) keep(s *source) { l.problems = append(l.problems, s.problems...); s.problems = nil }

// find lists the files, in order of name.
func (l *loader) find() (rulePaths, listPaths []string) {
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		l.problem(".", fmt.Sprintf("read rules: %s", err))
		return nil, nil
	}
	for _, e := range entries {
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
		case strings.HasSuffix(e.Name(), ".yaml"):
			rulePaths = append(rulePaths, e.Name())
		case strings.HasSuffix(e.Name(), ".yml"):
			l.problem(e.Name(), "rules are in files that end in .yaml")
		}
	}
	if len(rulePaths) > maxRules {
		l.problem(".", fmt.Sprintf("more than %d rules", maxRules))
		rulePaths = rulePaths[:maxRules]
	}
	lists, err := fs.ReadDir(l.fsys, "lists")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.problem("lists", fmt.Sprintf("read lists: %s", err))
		}
		return rulePaths, nil
	}
	for _, e := range lists {
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
		case strings.HasSuffix(e.Name(), ".yaml"):
			listPaths = append(listPaths, "lists/"+e.Name())
		case strings.HasSuffix(e.Name(), ".yml"):
			l.problem("lists/"+e.Name(), "lists are in files that end in .yaml")
		}
	}
	return rulePaths, listPaths
}

func (l *loader) open(name string, limit int64) *source {
	info, err := fs.Stat(l.fsys, name)
	if err == nil && info.Size() > limit {
		l.problem(name, fmt.Sprintf("file of %d bytes is larger than %d", info.Size(), limit))
		return nil
	}
	data, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.problem(name, fmt.Sprintf("read: %s", err))
		return nil
	}
	return newSource(name, data)
}

// build compiles the rules. places are the files of the lists, for a warning about unused ones.
func (l *loader) build(sources []*source, lists map[string]List, places map[string]*source) *Set {
	compiled := map[string]*compiledList{}
	for name, list := range lists {
		compiled[name] = compileList(name, list)
	}
	c := newCompiler(compiled)
	var rules []*Rule
	var sound []*source
	used := map[string]bool{}
	states := map[event.Hash]*Rule{}
	for _, s := range sources {
		r := l.rule(s, c)
		if r == nil {
			places = nil // it may be the one that uses a list
			l.keep(s)
			continue
		}
		for _, name := range r.matcher.lists {
			used[name] = true
		}
		if twin := states[r.State]; twin != nil {
			s.report(LevelError, position{1, 1}, fmt.Sprintf("rule has the same logic as %s", twin.ID),
				"one rule is enough; its windows would be the same")
			l.keep(s)
			continue
		}
		states[r.State] = r
		rules = append(rules, r)
		sound = append(sound, s)
		l.keep(s)
	}
	for name, s := range places {
		if !used[name] {
			s.report(LevelWarning, position{1, 1}, "no rule uses lists."+name, "")
			l.keep(s)
		}
	}
	set := NewSet(rules...)
	set.seal(sound, lists, l.opts.playbookURL())
	return set
}

// rule loads one file; nil where it has an error.
func (l *loader) rule(s *source, c *compiler) *Rule {
	sp := parseSpec(s, l.forms)
	if sp == nil {
		return nil
	}
	if n := sp.root.get("playbook"); n != nil && sp.rule.Playbook != "" && l.forms.playbook.MatchString(sp.rule.Playbook) && !l.playbook(sp.rule.Playbook) {
		s.report(LevelError, n.at, fmt.Sprintf("there is no playbook playbooks/%s.md", sp.rule.Playbook),
			"write it, with Detection, Containment, Eradication, Recovery, Post-incident")
	}
	r := compileRule(sp, s, c)
	if r == nil {
		return nil
	}
	checkFixtures(sp, s, r.matcher.lists, c.lists)
	if !counted(r) {
		n := sp.root.get(string(r.Kind))
		s.report(LevelError, n.at, fmt.Sprintf("kind %s is not available in this version", r.Kind), "")
	}
	if s.failed() {
		return nil
	}
	r.Reference = l.opts.playbookURL() + r.Playbook + ".md"
	lint(sp, s, l.opts.Now)
	return r
}

func (l *loader) playbook(name string) bool {
	switch {
	case l.opts.Playbooks != nil:
		return l.opts.Playbooks(name)
	case l.fsys == nil:
		return true
	}
	info, err := fs.Stat(l.fsys, "playbooks/"+name+".md")
	return err == nil && !info.IsDir()
}

// checkFixtures checks the lists that tests bring along.
func checkFixtures(sp *spec, s *source, used []string, lists map[string]*compiledList) {
	d := decoder{s}
	for _, t := range sp.tests {
		for name, n := range t.lists {
			if !slices.Contains(used, name) {
				d.errorf(n, meant(name, used), "rule does not use lists.%s", name)
				continue
			}
			if n.shape != shapeList {
				d.errorf(n, "", "a list's fixture must be a list")
				continue
			}
			for _, item := range n.items {
				if !d.scalar(item, "entry") {
					continue
				}
				if _, err := canonicalEntry(lists[name].Type, item.text); err != nil {
					d.errorf(item, "", "%s", err)
				}
			}
		}
	}
}

// compileNode compiles the condition that stands in a scalar, and puts its problems where they are
// in the file.
func compileNode(n *node, s *source, c *compiler) *expression {
	e, problems := c.compile(n.text)
	for _, p := range problems {
		if p.hint == "" && cutByComment(n, s) {
			p.hint = "YAML takes # for the beginning of a comment: put the condition in quotes"
		}
		s.report(p.level, s.within(n, p.char), p.message, p.hint)
	}
	return e
}

// cutByComment tells whether a comment follows a plain scalar on its last line, which in a condition
// is rather a # under any or all.
func cutByComment(n *node, s *source) bool {
	if n.style != stylePlain {
		return false
	}
	end := s.within(n, utf8.RuneCountInString(n.text))
	if end.line < 1 || end.line > len(s.lines) {
		return false
	}
	rest := []rune(s.lines[end.line-1])
	return strings.HasPrefix(strings.TrimLeft(string(rest[min(end.column-1, len(rest)):]), " \t"), "#")
}

// Needs returns the fields without which the rule cannot match, in order of name. A rule whose
// sources provide one of them never is blind: it sees nothing, which must not be taken for quiet.
func (r *Rule) Needs() []event.ID {
	if r.matcher == nil {
		return nil
	}
	return slices.Clone(r.matcher.needs)
}

// Blind returns, for each rule that needs a field which no source provides, those fields.
func (s *Set) Blind(provided func(event.ID) bool) map[string][]event.ID {
	blind := map[string][]event.ID{}
	for _, r := range s.rules {
		for _, id := range r.Needs() {
			if !provided(id) {
				blind[r.ID] = append(blind[r.ID], id)
			}
		}
	}
	return blind
}
