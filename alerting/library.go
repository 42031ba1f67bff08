package alerting

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/strict"
)

// pageName is area and name of a page.
var pageName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$`)

// Library is the loaded playbook pages. It is not changed once it is in use. A nil Library has no pages.
type Library struct {
	pages map[string]*Playbook
}

// LoadLibrary reads all pages <area>/<name>.md of a folder (rules.d/playbooks itself is the root of
// fsys). A page's URL is baseURL + "/" + name + ".md", or baseURL with {name} replaced where it
// has that; empty without a baseURL. Other files, and README.md anywhere, are left alone.
//
// An error about pages is strict.Problems and names them all; its files are relative to fsys.
func LoadLibrary(fsys fs.FS, baseURL string) (*Library, error) {
	if baseURL != "" {
		if u, err := url.Parse(baseURL); err != nil || !isWebURL(baseURL) || u.User != nil {
			return nil, errors.New("playbook base url: want a form like https://wiki.example.com/playbooks")
		}
	}
	lib := &Library{pages: make(map[string]*Playbook)}
	var problems strict.Problems
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		if file == "." && errors.Is(err, fs.ErrNotExist) {
			return fs.SkipAll // a folder that is not there has no pages, which is for the rules to say
		}
		if err != nil {
			return fmt.Errorf("read playbooks: %w", err)
		}
		if entry.IsDir() || path.Ext(file) != ".md" || path.Base(file) == "README.md" {
			return nil
		}
		name := strings.TrimSuffix(file, ".md")
		if !pageName.MatchString(name) {
			problems = append(problems, strict.Problem{
				File: file, Line: 1, Column: 1,
				Message: "a page is <area>/<name>.md", Hint: "use lower-case letters, digits and dashes",
			})
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
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return lib, nil
}

// Unpublish takes the address from the pages that nobody can read there. It is for who has loaded them.
func (l *Library) Unpublish(unpublished func(name string) bool) {
	for name, page := range l.pages {
		if unpublished(name) {
			page.URL = ""
		}
	}
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
