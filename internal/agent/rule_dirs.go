package agent

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pack "github.com/liveward/liveward/rules.d"
)

// RuleDirs say where rules come from.
type RuleDirs struct {
	Dir     string // "": the pack that comes with liveward
	Overlay string // what lies on top of it, if anything
}

// Over returns d, with what it leaves out taken from below.
func (d RuleDirs) Over(below RuleDirs) RuleDirs {
	return RuleDirs{Dir: cmp.Or(d.Dir, below.Dir), Overlay: cmp.Or(d.Overlay, below.Overlay)}
}

// Dirs are the directories of the configuration.
func (c RulesConfig) Dirs() RuleDirs { return RuleDirs{Dir: c.Dir, Overlay: c.Overlay} }

// String names what the user named.
func (d RuleDirs) String() string { return cmp.Or(d.Overlay, d.Dir, "the pack") }

// own tells whether a file is the user's: not one of the pack within the program, which nobody changes.
func (d RuleDirs) own(file string) bool {
	if d.Dir != "" || d.Overlay == "" {
		return d.Dir != ""
	}
	_, err := os.Stat(filepath.Join(d.Overlay, filepath.FromSlash(file)))
	return err == nil
}

// packPlaybooks is where the playbooks of the pack are read.
const packPlaybooks = "https://github.com/liveward/liveward/blob/main/rules.d/playbooks/"

// ownPage tells whether a playbook is the user's: a copy of the pack's is not.
func (d RuleDirs) ownPage(name string) bool {
	file := playbookDir + "/" + name + ".md"
	for _, dir := range []string{d.Overlay, d.Dir} {
		if dir == "" {
			continue
		}
		if page, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file))); err == nil {
			shipped, err := fs.ReadFile(packFS(), file)
			return err != nil || !bytes.Equal(page, shipped)
		}
	}
	return false
}

// noDirectory is a directory that is not there, is none, or may not be read.
type noDirectory struct {
	key, dir string // key: of the configuration, below rules
	cause    error  // nil where it is something else
}

func (e *noDirectory) Error() string {
	if errors.Is(e.cause, fs.ErrPermission) {
		return e.dir + " may not be read: permission denied"
	}
	return e.dir + " is not a directory"
}

// problem says it of a directory that was named.
func (e *noDirectory) problem() string {
	switch {
	case errors.Is(e.cause, fs.ErrPermission):
		return "permission denied"
	case e.cause != nil:
		return "there is no such directory"
	}
	return "this is not a directory"
}

// Open returns the files of both directories, with the playbooks of the pack beside one's own: a page of a
// directory takes the place of the pack's of the same name. Its error is a *noDirectory.
func (d RuleDirs) Open() (fs.FS, error) {
	files := packFS()
	var err error
	if d.Dir != "" {
		if files, err = directory("dir", d.Dir); err != nil {
			return nil, err
		}
		files = layered{upper: files, lower: shippedPages{packFS()}}
	}
	if d.Overlay == "" {
		return files, nil
	}
	upper, err := directory("overlay", d.Overlay)
	if err != nil {
		return nil, err
	}
	return layered{upper: upper, lower: files}, nil
}

func directory(key, dir string) (fs.FS, error) {
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		return nil, &noDirectory{key, dir, nil}
	}
	if err == nil {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, &noDirectory{key, dir, err}
	}
	return os.DirFS(dir), nil
}

func packFS() fs.FS { return pack.FS }

// shippedPages are the playbooks of the pack, without its rules and lists.
type shippedPages struct{ pack fs.FS }

const playbookDir = "playbooks"

// Open implements fs.FS.
func (s shippedPages) Open(name string) (fs.File, error) {
	if name != playbookDir && !strings.HasPrefix(name, playbookDir+"/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return s.pack.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (s shippedPages) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.pack, name)
	if name == "." {
		return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() != playbookDir }), err
	}
	if name != playbookDir && !strings.HasPrefix(name, playbookDir+"/") {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return entries, err
}

// layered is a directory on top of another: a file of the upper one takes the place of the one of the
// same path below.
type layered struct{ upper, lower fs.FS }

// Open opens a file of the upper directory, or else of the lower one.
func (l layered) Open(name string) (fs.File, error) {
	f, err := l.upper.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = l.lower.Open(name)
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil || !st.IsDir() {
		return f, err
	}
	entries, err := l.ReadDir(name)
	return &layeredDir{File: f, entries: entries}, err
}

// layeredDir is an open directory of both.
type layeredDir struct {
	fs.File
	entries []fs.DirEntry // not read yet
}

// ReadDir implements fs.ReadDirFile.
func (d *layeredDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.entries) {
		if n > 0 && len(d.entries) == 0 {
			return nil, io.EOF
		}
		n = len(d.entries)
	}
	out := d.entries[:n:n]
	d.entries = d.entries[n:]
	return out, nil
}

// ReadDir lists what either directory has.
func (l layered) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(l.upper, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	below, lowerErr := fs.ReadDir(l.lower, name)
	if lowerErr != nil && (err != nil || !errors.Is(lowerErr, fs.ErrNotExist)) {
		return nil, lowerErr
	}
	for _, e := range below {
		if !slices.ContainsFunc(entries, func(have fs.DirEntry) bool { return have.Name() == e.Name() }) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}
