package agent

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
)

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
