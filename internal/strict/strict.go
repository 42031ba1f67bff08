// Package strict reads the YAML files that people write: it decodes them into Go structs or walks
// them value by value, and reports everything that is wrong with a file at once, each problem with
// file, line, column and what to do: unknown keys with the nearest known one, wrong types, keys that
// stand twice.
//
// It never guesses, never ignores a key, and never expands anything: a value is what is written, and
// tags and merge keys are refused, because such a file is read by people who review it; so are anchors
// and aliases, but for ReadShared. It never hands a file to the YAML library before it is
// bounded.
package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Level says how bad a problem is.
type Level uint8

// The levels. What has an error is not used; a warning is advice.
const (
	LevelError Level = iota
	LevelWarning
)

// String is the level as a word.
func (l Level) String() string {
	if l == LevelWarning {
		return "warning"
	}
	return "error"
}

// MarshalText implements encoding.TextMarshaler: in JSON a level is its word.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Problem is one thing that is wrong with a file, at the place where it stands.
type Problem struct {
	File         string
	Line, Column int // from 1, columns in characters; 0 where the problem is the file itself, or none was read
	Message      string
	Hint         string // what to do; may be empty
	Level        Level
	Excerpt      string // the line, and a caret below the column; may be empty
}

// Error gives "file:line:column: message; hint", and the excerpt.
func (p Problem) Error() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	s += ": "
	if p.Level == LevelWarning {
		s += p.Level.String() + ": "
	}
	s += p.Message
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	if p.Excerpt != "" {
		s += "\n" + p.Excerpt
	}
	return s
}

// Problems is all that is wrong, in the order of file and line.
type Problems []Problem

// Error gives the problems one after the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each problem.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i := range p {
		errs[i] = p[i]
	}
	return errs
}

// Errors returns the problems that are not warnings.
func (p Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(x Problem) bool { return x.Level != LevelError })
}

// Sort brings the problems into the order of file and line.
func (p Problems) Sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Err sorts the problems and returns them; nil when there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	p.Sort()
	return p
}

// maxProblems bounds what one file can report.
const maxProblems = 100

// File is a file that was read: it knows where each value stands, so that checks of meaning can name
// the place too.
type File struct {
	name     string
	root     *value
	places   map[string]*value // by path, such as inputs[0].format; filled by Decode
	problems Problems
	unread   bool
	shared   *shared
	absent   bool // there is no file: what is checked comes from elsewhere
}

// Read reads a file of one document. An empty file has a Root that is zero. Problems are in File.Err.
func Read(name string, src []byte) *File {
	f := &File{name: name}
	f.root = f.parse(src)
	return f
}

// ReadShared is Read for a file whose values may be shared: *name stands for the value that &name
// precedes.
func ReadShared(name string, src []byte) *File {
	f := &File{name: name, shared: &shared{anchors: make(map[string]*value)}}
	f.root = f.parse(src)
	return f
}

// Root is the whole file.
func (f *File) Root() Node { return Node{f.root, f} }

// Parsed tells whether the file is YAML at all; where it is not, checks of meaning say nothing.
func (f *File) Parsed() bool { return !f.unread }

// Problem adds a problem with the value at a path such as inputs[0].format, of a file that was
// decoded. Where the file does not have that value, the place is that of the nearest value around it.
func (f *File) Problem(path, message, hint string) {
	at := f.places[path]
	for at == nil && path != "" {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		at = f.places[path]
	}
	f.report(at, message, hint)
}

// Has tells whether a file that was decoded has a value at a path.
func (f *File) Has(path string) bool { return f.places[path] != nil }

// Problems returns what is wrong so far.
func (f *File) Problems() Problems { return slices.Clone(f.problems) }

// Err returns the problems as Problems in the order of the file, nil when there are none.
func (f *File) Err() error { return f.problems.Err() }

// report adds a problem with a value; nil is the file itself.
func (f *File) report(at *value, message, hint string) {
	if len(f.problems) < maxProblems {
		f.problems = append(f.problems, f.problem(at, message, hint))
	}
}

func (f *File) problem(at *value, message, hint string) Problem {
	if f.absent {
		return Problem{File: f.name, Message: message, Hint: hint}
	}
	line, column := at.place()
	return Problem{File: f.name, Line: line, Column: column, Message: message, Hint: hint}
}
