package alerting

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/strict"
)

// maxPage bounds a playbook page, in bytes.
const maxPage = 256 << 10

// maxStep bounds the first step, in bytes.
const maxStep = 600

var (
	listItem   = regexp.MustCompile(`^ {0,3}([-*+]|[0-9]{1,9}[.)])[ \t]+(\S.*)$`)
	markLink   = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	emphasised = regexp.MustCompile("\\*\\*([^*]+)\\*\\*|\\*([^*\\s][^*]*)\\*|`([^`]+)`")
)

// page is a page while it is read.
type page struct {
	Playbook

	file     string
	problems strict.Problems
}

func (p *page) problem(line, column int, format string, args ...any) {
	p.problems = append(p.problems, strict.Problem{File: p.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func loadPage(fsys fs.FS, file string) (*Playbook, strict.Problems, error) {
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
			step := plainText(strings.Join(text, " "))
			if before, ok := strings.CutSuffix(step, ":"); ok {
				step = before + "." // the query that follows is not shown
			}
			return clip(step, maxStep)
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
