package alerting

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/liveward/liveward/internal/event"
)

// maxPage bounds a playbook page, in bytes.
const maxPage = 256 << 10

// maxStep bounds the first step, in bytes.
const maxStep = 600

// Library is the loaded playbook pages. It is immutable. A nil Library has no pages.
type Library struct {
	pages map[string]*Playbook
}

// LoadLibrary reads all pages <area>/<name>.md of a folder (rules.d/playbooks itself is the root of
// fsys). A page's URL is baseURL + "/" + name + ".md", or baseURL with {name} replaced where it
// has that; empty without a baseURL. Other files, and README.md anywhere, are left alone.
//
// An error about pages is Problems and names them all; its files are relative to fsys.
func LoadLibrary(fsys fs.FS, baseURL string) (*Library, error) {
	if baseURL != "" {
		if u, err := url.Parse(baseURL); err != nil || !isWebURL(baseURL) || u.User != nil {
			return nil, errors.New("playbook base url: want a form like https://wiki.example.com/playbooks")
		}
	}
	lib := &Library{pages: make(map[string]*Playbook)}
	var problems Problems
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read playbooks: %w", err)
		}
		if entry.IsDir() || path.Ext(file) != ".md" || path.Base(file) == "README.md" {
			return nil
		}
		name := strings.TrimSuffix(file, ".md")
		if !pageName.MatchString(name) {
			problems = append(problems, Problem{file, 1, 1, "a page is <area>/<name>.md in lower-case letters, digits and dashes"})
			return nil
		}
		page, found, err := loadPage(fsys, file)
		if err != nil {
			return fmt.Errorf("read playbook %s: %w", file, err)
		}
		problems = append(problems, found...)
		page.Name = name
		page.URL = pageURL(baseURL, name)
		lib.pages[name] = page
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
		})
		return nil, problems
	}
	return lib, nil
}

// Page returns a page by its name, such as auth/bad-credentials-burst. It must not be changed.
func (l *Library) Page(name string) (*Playbook, bool) {
	if l == nil {
		return nil, false
	}
	p, ok := l.pages[name]
	return p, ok
}

// Names lists the pages in order.
func (l *Library) Names() []string {
	if l == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(l.pages))
}

func pageURL(base, name string) string {
	switch {
	case base == "":
		return ""
	case strings.Contains(base, "{name}"):
		return strings.ReplaceAll(base, "{name}", name)
	default:
		return strings.TrimRight(base, "/") + "/" + name + ".md"
	}
}

//nolint:gochecknoglobals // compiled once, never written to
var (
	pageName   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$`)
	ruleID     = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)+$`)
	attackID   = regexp.MustCompile(`^(AML\.)?TA?[0-9]{4}(\.[0-9]{3})?$`)
	csfID      = regexp.MustCompile(`^(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}(-[0-9]{2})?$`)
	listItem   = regexp.MustCompile(`^ {0,3}([-*+]|[0-9]{1,9}[.)])[ \t]+(\S.*)$`)
	markLink   = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	emphasised = regexp.MustCompile("\\*\\*([^*]+)\\*\\*|\\*([^*\\s][^*]*)\\*|`([^`]+)`")
)

// page is a page while it is read.
type page struct {
	Playbook

	file     string
	problems Problems
}

func (p *page) problem(line, column int, format string, args ...any) {
	p.problems = append(p.problems, Problem{p.file, max(line, 1), max(column, 1), fmt.Sprintf(format, args...)})
}

func loadPage(fsys fs.FS, file string) (*Playbook, Problems, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, nil, err
	}
	p := &page{file: file}
	p.parse(string(text))
	return &p.Playbook, p.problems, nil
}

func (p *page) parse(text string) {
	if len(text) > maxPage {
		p.problem(1, 1, "the page is larger than %d bytes", maxPage)
		return
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(text, "\n")
	if strings.TrimRight(lines[0], " \t") != "---" {
		p.problem(1, 1, "a page begins with front matter between two lines ---")
		return
	}
	end := slices.IndexFunc(lines[1:], func(l string) bool { return strings.TrimRight(l, " \t") == "---" })
	if end < 0 {
		p.problem(1, 1, "the front matter has no closing line ---")
		return
	}
	end++
	p.frontMatter(strings.Join(lines[1:end], "\n"))
	p.body(lines[end+1:], end+2)
}

// body reads the sections; first is the line number of lines[0].
func (p *page) body(lines []string, first int) {
	p.Sections = make(map[string]string)
	names := SectionNames()
	type section struct {
		name        string
		line        int
		start, stop int
	}
	var sections []section
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " ")
		if fence != "" {
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
			continue
		}
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fence = trimmed[:3]
			continue
		}
		name, ok := strings.CutPrefix(line, "## ")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		if len(sections) > 0 {
			sections[len(sections)-1].stop = i
		}
		sections = append(sections, section{name, first + i, i + 1, len(lines)})
	}
	intro := len(lines)
	if len(sections) > 0 {
		intro = sections[0].start - 1
	}
	p.Intro = strings.TrimSpace(strings.Join(lines[:intro], "\n"))
	next := 0
	for _, s := range sections {
		at := slices.Index(names, s.name)
		_, twice := p.Sections[s.name]
		switch {
		case at < 0:
			p.problem(s.line, 4, "section %q is not one of %s", s.name, strings.Join(names, ", "))
			continue
		case twice:
			p.problem(s.line, 4, "section %q stands here a second time", s.name)
			continue
		case at < next:
			p.problem(s.line, 4, "section %q must come before %q", s.name, names[next-1])
		}
		next = max(next, at+1)
		text := strings.TrimSpace(strings.Join(lines[s.start:s.stop], "\n"))
		if text == "" {
			p.problem(s.line, 4, "section %q is empty", s.name)
		}
		p.Sections[s.name] = text
	}
	for _, name := range names {
		if _, ok := p.Sections[name]; !ok {
			p.problem(first+len(lines)-1, 1, "section %q is missing: add a line %q", name, "## "+name)
		}
	}
	p.FirstStep = firstStep(p.Sections["Detection"])
	if p.FirstStep == "" {
		p.FirstStep = firstStep(p.Sections["Containment"])
	}
	if p.FirstStep == "" && p.Sections["Detection"] != "" {
		line := 1
		for _, s := range sections {
			if s.name == "Detection" {
				line = s.line
			}
		}
		p.problem(line, 1, "neither Detection nor Containment has a list: its first item is shown as the first step")
	}
}

// firstStep is the first numbered item of a section, else its first item of any list.
func firstStep(section string) string {
	lines := strings.Split(section, "\n")
	pick := func(numbered bool) string {
		for i, line := range lines {
			m := listItem.FindStringSubmatch(line)
			if m == nil || numbered != (m[1][0] >= '0' && m[1][0] <= '9') {
				continue
			}
			text := []string{m[2]}
			for _, more := range lines[i+1:] {
				// A continuation is indented, and neither an item of its own nor a paragraph.
				if strings.TrimSpace(more) == "" || listItem.MatchString(strings.TrimSpace(more)) || !strings.HasPrefix(more, " ") {
					break
				}
				text = append(text, strings.TrimSpace(more))
			}
			return clip(plainText(strings.Join(text, " ")), maxStep)
		}
		return ""
	}
	if s := pick(true); s != "" {
		return s
	}
	return pick(false)
}

// plainText takes Markdown's marks off a line.
func plainText(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "[ ] "), "[x] ")
	s = markLink.ReplaceAllString(s, "$1")
	s = emphasised.ReplaceAllString(s, "$1$2$3")
	return strings.Join(strings.Fields(s), " ")
}

// frontMatter reads the YAML; it starts at line 2 of the page.
func (p *page) frontMatter(text string) {
	const offset = 1
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, column, message := yamlProblem(err)
		p.problem(line+offset, column, "front matter: %s", message)
		return
	}
	var root ast.Node
	if len(file.Docs) > 0 {
		root = file.Docs[0].Body
	}
	entries, ok := mapping(root)
	if !ok || len(file.Docs) > 1 {
		p.problem(2, 1, "front matter must be one mapping with title, version, owner and rules")
		return
	}
	seen := make(map[string]bool)
	for _, e := range entries {
		key := e.Key.GetToken()
		line, column := key.Position.Line+offset, key.Position.Column
		if seen[key.Value] {
			p.problem(line, column, "%q stands here a second time", key.Value)
			continue
		}
		seen[key.Value] = true
		switch key.Value {
		case "title":
			p.Title = p.text(e.Value, line, column, "title", 150)
		case "owner":
			p.Owner = p.text(e.Value, line, column, "owner", 100)
		case "version":
			n, err := strconv.Atoi(scalar(e.Value))
			if err != nil || n < 1 {
				p.problem(line, column, "version must be a whole number from 1")
			}
			p.Version = n
		case "rules":
			p.Rules = p.list(e.Value, line, column, "rules", ruleID, "a rule id such as lw.auth.burst-per-ip")
		case "attack":
			p.Attack = p.list(e.Value, line, column, "attack", attackID, "a technique such as T1110.003 or AML.T0015")
		case "csf":
			p.CSF = p.list(e.Value, line, column, "csf", csfID, "a CSF 2.0 id such as DE.AE or RS.MA-01")
		case "tell":
			p.tell(e.Value, line, column)
		default:
			p.problem(line, column, "unknown key %q: want title, version, owner, rules, attack, csf or tell", key.Value)
		}
	}
	for _, name := range []string{"title", "version", "owner", "rules"} {
		if !seen[name] {
			p.problem(2, 1, "front matter lacks %q", name)
		}
	}
}

func (p *page) text(n ast.Node, line, column int, name string, limit int) string {
	s := scalar(n)
	switch {
	case strings.TrimSpace(s) == "":
		p.problem(line, column, "%s must be a text", name)
	case len(s) > limit:
		p.problem(line, column, "%s is longer than %d bytes", name, limit)
	}
	return strings.Join(strings.Fields(s), " ")
}

func (p *page) list(n ast.Node, line, column int, name string, form *regexp.Regexp, want string) []string {
	seq, ok := n.(*ast.SequenceNode)
	if !ok || (len(seq.Values) == 0 && name == "rules") {
		p.problem(line, column, "%s must be a list, each %s", name, want)
		return nil
	}
	var out []string
	for _, v := range seq.Values {
		s := scalar(v)
		at := v.GetToken().Position
		switch {
		case !form.MatchString(s):
			p.problem(at.Line+1, at.Column, "%s: want %s", name, want)
		case slices.Contains(out, s):
			p.problem(at.Line+1, at.Column, "%s: %q stands here a second time", name, s)
		default:
			out = append(out, s)
		}
	}
	return out
}

func (p *page) tell(n ast.Node, line, column int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		p.problem(line, column, "tell must be a list of {who, within, why}")
		return
	}
	for _, v := range seq.Values {
		entries, ok := mapping(v)
		if !ok {
			p.problem(line, column, "tell must be a list of {who, within, why}")
			continue
		}
		var t Tell
		within := false
		at := entries[0].Key.GetToken().Position
		for _, e := range entries {
			key := e.Key.GetToken()
			kl, kc := key.Position.Line+1, key.Position.Column
			switch key.Value {
			case "who":
				t.Who = p.text(e.Value, kl, kc, "who", 150)
			case "why":
				t.Why = p.text(e.Value, kl, kc, "why", 300)
			case "within":
				d, err := event.ParseDuration(scalar(e.Value))
				if err != nil || d <= 0 || d > 10*365*24*time.Hour {
					p.problem(kl, kc, "within must be a duration such as 4h or 30d")
				}
				t.Within, within = d, true
			default:
				p.problem(kl, kc, "unknown key %q: want who, within or why", key.Value)
			}
		}
		if t.Who == "" || !within {
			p.problem(at.Line+1, at.Column, "tell needs who and within")
		}
		p.Tell = append(p.Tell, t)
	}
}

// mapping returns the entries of a mapping with at least one.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, len(n.Values) > 0
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// scalar is a plain value as text; empty for everything else.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	return ""
}

// yamlProblem takes position and message from an error of the YAML parser.
func yamlProblem(err error) (line, column int, message string) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := yamlPosition.FindStringSubmatch(first); m != nil {
		line, _ = strconv.Atoi(m[1])
		column, _ = strconv.Atoi(m[2])
		return line, column, m[3]
	}
	return 1, 1, first
}

//nolint:gochecknoglobals // compiled once, never written to
var yamlPosition = regexp.MustCompile(`^\[([0-9]+):([0-9]+)\] (.*)$`)
