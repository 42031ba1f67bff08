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
	"github.com/liveward/liveward/internal/strict"
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
	// Unpublished tells of playbooks that nobody can read there: their rules refer to the file. Nil means none.
	Unpublished func(name string) bool
	// Overrides take the place of lists of the directory, by name.
	Overrides map[string]List
	// Now is the time against which the end of exceptions is checked; zero checks nothing.
	Now time.Time
	// Provided tells whether a configured format, or enrichment, provides a field. A rule that needs
	// another is warned of. Nil checks nothing.
	Provided func(event.ID) bool
	// Retention is for how long the journal keeps what a changed rule is rebuilt from. A rule that looks
	// back further is warned of; zero checks nothing.
	Retention time.Duration
	// NoTests forgets the rules' tests once they are checked. Their events are most of what a set takes of
	// memory, and an agent never runs them.
	NoTests bool
}

func (o *Options) playbookURL() string {
	if o.PlaybookURL == "" {
		return "playbooks/"
	}
	return o.PlaybookURL
}

// reference is where a playbook is read.
func (o *Options) reference(playbook string) string {
	url := o.playbookURL()
	if o.Unpublished != nil && o.Unpublished(playbook) {
		url = (&Options{}).playbookURL()
	}
	return url + playbook + ".md"
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
	found := l.find()
	in := files{lists: map[string]List{}, places: map[string]*source{}}
	for _, p := range found.lists {
		name := strings.TrimSuffix(path.Base(p), ".yaml")
		s := l.open(p, maxListBytes)
		if s == nil {
			continue
		}
		if !l.forms.list.MatchString(name) {
			s.report(LevelError, position{}, "a list's file is called by letters, digits and underscores, such as vpn_ranges.yaml", "")
		}
		if list, ok := parseList(s, opts.Identify); ok {
			in.lists[name], in.places[name] = list, s
		}
		l.keep(s)
	}
	for name, list := range opts.Overrides {
		n, err := list.normalize()
		if err != nil {
			l.problem("lists/"+name, err.Error())
			continue
		}
		in.lists[name] = n
	}
	in.rules = l.openAll(found.rules)
	in.overlays = l.openAll(found.overlays)
	if found.macros {
		in.macros = l.open(macroFile, maxRuleBytes)
	}
	set := l.build(in)
	l.problems.Sort()
	return set, l.problems
}

// files are the contents of a rule directory.
type files struct {
	rules    []*source
	macros   *source // nil where there are none
	overlays []*source
	lists    map[string]List
	places   map[string]*source // files of the lists, for a warning about unused ones; may be nil
}

func (l *loader) openAll(paths []string) []*source {
	var out []*source
	for _, p := range paths {
		if s := l.open(p, maxRuleBytes); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// loader gathers the problems of all files.
type loader struct {
	opts     *Options
	forms    *forms
	fsys     fs.FS               // nil for a set from an archive
	overlays map[string]*overlay // by id of the rule
	problems Problems
}

func (l *loader) problem(file, message string) {
	l.problems = append(l.problems, Problem{File: file, Level: LevelError, Message: message})
}

func (l *loader) keep(s *source) { l.problems = append(l.problems, s.problems...); s.problems = nil }

// directory is what stands where in a rule directory.
type directory struct {
	rules, lists, overlays []string
	macros                 bool
}

// find lists the files, in order of name.
func (l *loader) find() directory {
	var dir directory
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		l.problem(".", fmt.Sprintf("read rules: %s", err))
		return dir
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			if !slices.Contains(knownDirs(), e.Name()) {
				l.unread(e.Name())
			}
		case e.Name() == macroFile:
			dir.macros = true
		case strings.HasSuffix(e.Name(), ".yaml"):
			dir.rules = append(dir.rules, e.Name())
		case strings.HasSuffix(e.Name(), ".yml"):
			l.problem(e.Name(), "rules are in files that end in .yaml")
		}
	}
	if len(dir.rules) > maxRules {
		l.problem(".", fmt.Sprintf("more than %d rules", maxRules))
		dir.rules = dir.rules[:maxRules]
	}
	dir.lists = l.findIn("lists")
	dir.overlays = l.findIn(overlayDir)
	return dir
}

// knownDirs are the directories of a rule directory that mean something.
func knownDirs() []string { return []string{"lists", overlayDir, "playbooks"} }

// unread warns of the first YAML file below a directory that means nothing: its rules would be missed, and
// nobody told. Names that begin with . or _, and testdata, are for whatever one likes.
func (l *loader) unread(dir string) {
	const most = 10_000 // entries that are looked at
	seen := 0
	_ = fs.WalkDir(l.fsys, dir, func(name string, e fs.DirEntry, err error) error {
		base := path.Base(name)
		seen++
		switch {
		case err != nil || seen > most:
			return fs.SkipAll
		case strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata":
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && (path.Ext(base) == ".yaml" || path.Ext(base) == ".yml"):
			hint := "rules stand in the rule directory itself, lists in lists/, changes of shipped rules in " + overlayDir + "/, pages in playbooks/"
			if near := strict.Nearest(dir, knownDirs()); near != "" {
				hint = `did you mean "` + near + `/"? ` + hint
			}
			l.problems = append(l.problems, Problem{File: name, Level: LevelWarning, Message: "is not read, nor is anything else in " + dir + "/", Hint: hint})
			return fs.SkipAll
		}
		return nil
	}) // what cannot be read is not said: it means nothing
}

// findIn lists the files of a directory that may not be there.
func (l *loader) findIn(name string) []string {
	entries, err := fs.ReadDir(l.fsys, name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.problem(name, fmt.Sprintf("read %s: %s", name, err))
		}
		return nil
	}
	var out []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			l.unread(name + "/" + e.Name())
		case strings.HasSuffix(e.Name(), ".yaml"):
			out = append(out, name+"/"+e.Name())
		case strings.HasSuffix(e.Name(), ".yml"):
			l.problem(name+"/"+e.Name(), name+" are in files that end in .yaml")
		}
	}
	return out
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

// build compiles the rules.
func (l *loader) build(in files) *Set {
	compiled := map[string]*compiledList{}
	for name, list := range in.lists {
		compiled[name] = compileList(name, list)
	}
	c := newCompiler(compiled)
	kept := files{lists: in.lists}
	if in.macros != nil {
		parseMacros(in.macros, c, l.forms)
		if !in.macros.failed() {
			kept.macros = in.macros
		}
	}
	l.overlays = map[string]*overlay{}
	for _, s := range in.overlays {
		if o := parseOverlay(s, l.forms); o != nil {
			l.overlays[o.id] = o
		}
	}
	var rules []*Rule
	ids := map[string]bool{}
	used := map[string]bool{}
	states := map[event.Hash]*Rule{}
	whole := true
	for _, s := range in.rules {
		ids[strings.TrimSuffix(s.name, ".yaml")] = true
		r := l.rule(s, c)
		if r == nil {
			whole = false // it may be the one that uses a list
			l.keep(s)
			continue
		}
		for _, name := range r.matcher.uses() {
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
		kept.rules = append(kept.rules, s)
		l.keep(s)
	}
	for _, s := range in.overlays {
		id := strings.TrimSuffix(path.Base(s.name), ".yaml")
		if o := l.overlays[id]; o != nil && !ids[id] {
			s.report(LevelError, position{1, 1}, "there is no rule "+id, strict.Suggest(id, sortedKeys(ids)))
		}
		if !s.failed() {
			kept.overlays = append(kept.overlays, s)
		}
		l.keep(s)
	}
	if whole {
		l.unused(in, c, used)
	}
	if in.macros != nil {
		l.keep(in.macros)
	}
	l.chains(rules, ids)
	set := NewSet(rules...)
	set.seal(kept, l.opts)
	return set
}

// unused warns of lists and macros that no rule uses.
func (l *loader) unused(in files, c *compiler, used map[string]bool) {
	for name, s := range in.places {
		if !used[name] {
			s.report(LevelWarning, position{1, 1}, "no rule uses lists."+name, "")
			l.keep(s)
		}
	}
	if in.macros != nil {
		c.unusedMacros(in.macros)
	}
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// chains warns of chains that wait for rules which are not there.
func (l *loader) chains(rules []*Rule, ids map[string]bool) {
	for _, r := range rules {
		for _, ref := range r.matcher.rules {
			if !ids[ref.text] {
				ref.source.report(LevelWarning, ref.at, "there is no rule "+ref.text, strict.Suggest(ref.text, sortedKeys(ids)))
				l.keep(ref.source)
			}
		}
	}
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
	r := l.compile(sp, s, c)
	if r == nil {
		return nil
	}
	if o := l.overlays[r.ID]; o != nil {
		if changed := o.apply(sp); changed != nil {
			// An overlay with an error leaves the rule as it was shipped.
			if x := compileRule(changed, s, c); x != nil {
				checkFixtures(changed, o.source, x.matcher.uses(), c.lists)
				if !o.source.failed() {
					r = x
				}
			}
		}
	}
	r.Reference = l.opts.reference(r.Playbook)
	l.lint(r, s)
	if l.opts.NoTests {
		r.forgetTests()
	}
	return r
}

// compile compiles a rule as it was shipped; nil where its file has an error.
func (l *loader) compile(sp *spec, s *source, c *compiler) *Rule {
	r := compileRule(sp, s, c)
	if r == nil {
		return nil
	}
	checkFixtures(sp, s, r.matcher.uses(), c.lists)
	if !counted(r) {
		n := sp.root.get(string(r.Kind))
		s.report(LevelError, n.at, fmt.Sprintf("kind %s is not available in this version", r.Kind), "")
	}
	if s.failed() {
		return nil
	}
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
	d := decoder{source: s}
	for _, t := range sp.tests {
		for name, n := range t.lists {
			if !slices.Contains(used, name) {
				d.errorf(n, strict.Suggest(name, used), "rule does not use lists.%s", name)
				continue
			}
			if l := lists[name].List; l.Type == ListTable {
				d.rows(n, &l, func(key string) []string { return []string{key} })
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
	if n.style != strict.Plain {
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

// Reads tells whether a rule of the set looks at a field: in a condition, to count by it or to show it.
func (s *Set) Reads(id event.ID) bool {
	return slices.ContainsFunc(s.rules, func(r *Rule) bool {
		if r.matcher != nil && slices.Contains(r.matcher.reads, id) || r.Risk.Entity == id {
			return true
		}
		return slices.ContainsFunc([][]event.ID{r.By, r.Of, r.Once, r.Show}, func(ids []event.ID) bool { return slices.Contains(ids, id) })
	})
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
