package formats

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

//go:embed maps/*.yaml
var builtin embed.FS

// Auto is the name of the format that finds out by itself.
const Auto = "auto"

// Format reads the lines of one source. It holds scratch, so one goroutine uses it at a time.
type Format interface {
	// Parse fills ev, which is Reset, from one line without its line end. Strings of ev are slots into
	// line or into ev's own scratch: they are valid as long as line is not written to and ev is not
	// Reset. Parse never blocks.
	//
	// An error refuses the line: it goes to quarantine, and ev holds no more than it did by accident.
	// The error's text is constant; it never holds a value of the line. ErrSkip is the exception: such
	// a line gives no document and does not go to quarantine.
	Parse(line []byte, ev *event.Event) error
}

// Options are what a source's configuration says about its format.
type Options struct {
	Location *time.Location // zone of times that have none; nil is UTC
	Log      *slog.Logger   // where auto says what it decided; nil is nowhere
	Envelope Envelope       // what the transport puts around lines; "" is EnvelopeAuto

	// Columns are iis_w3c's before the first #Fields directive that is read, and account_csv's before its
	// first header, as in a file that is read on from its middle. Empty is what is usual.
	Columns string

	// Now gives the year to times of syslog headers that have none, where a line has no time of its own.
	// Without it such lines are refused.
	Now func() time.Time

	outer *outer
}

// Set is every format there is: built in, and of the user. It never changes.
type Set struct {
	programs map[string]*program
	tests    []*definition
	names    []string // sorted, without auto
}

// Load reads the built-in maps and those of the user (*.yaml in the root of user; nil for none) and
// compiles them. All problems of all files are joined, each with file:line:column and a hint.
func Load(user fs.FS) (*Set, error) {
	var defs []*definition
	var errs []error
	own, err := fs.Sub(builtin, "maps")
	if err != nil {
		return nil, fmt.Errorf("open built-in maps: %w", err)
	}
	for i, fsys := range []fs.FS{own, user} {
		if fsys == nil {
			continue
		}
		files, err := YAMLFiles(fsys)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := f.Name
			if i == 0 {
				name = "built-in " + name
			}
			d := readDefinition(name, f.Source)
			d.builtin = i == 0
			defs = append(defs, d)
		}
	}
	s := &Set{programs: map[string]*program{}}
	byName := map[string]*definition{}
	for _, d := range defs {
		switch {
		case d.name == "":
		case d.name == Auto || nativeOf(d.name) != nil:
			d.at.Bad("choose another name", "the format %s is built in", d.name)
		case byName[d.name] != nil && byName[d.name].builtin:
			d.at.Bad("choose another name and write extends: "+d.name, "the format %s is built in", d.name)
		case byName[d.name] != nil:
			d.at.Bad("", "another file has the format %s already", d.name)
		default:
			byName[d.name] = d
		}
	}
	for _, d := range defs {
		if d.extends == "" {
			continue
		}
		switch base := byName[d.extends]; {
		case base == nil:
			d.extendsAt.Bad(strict.Suggest(d.extends, mapNames(byName)), "no map %q to extend", d.extends)
		case base.extends != "":
			d.extendsAt.Bad("extend "+base.extends, "%s itself extends a map", d.extends)
		}
	}
	for _, d := range defs {
		if err := d.file.Err(); err != nil {
			errs = append(errs, err)
			continue
		}
		base := byName[d.extends]
		p := d.compile(base)
		if len(p.ops) > maxFields {
			d.at.Bad("", "the map has more than %d fields", maxFields)
		}
		if !slices.Contains(p.provides()[len(commonFields()):], event.Timestamp) {
			d.at.Bad(`add {to: "@timestamp", from: ...}`, "the map fills no @timestamp")
		}
		if err := d.file.Err(); err != nil {
			errs = append(errs, err)
			continue
		}
		s.programs[d.name] = p
		s.tests = append(s.tests, d)
		s.names = append(s.names, d.name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, n := range natives() {
		s.names = append(s.names, n.name)
	}
	slices.Sort(s.names)
	return s, nil
}

// maxFields bounds the entries of one map.
const maxFields = 512

func mapNames(m map[string]*definition) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// File is a map file before it is read.
type File struct {
	Name   string
	Source []byte
}

// maxMapFile bounds a map file.
const maxMapFile = 1 << 20

// YAMLFiles reads the *.yaml and *.yml files in the root of a file system, in order of name.
func YAMLFiles(fsys fs.FS) ([]File, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list map files: %w", err)
	}
	var out []File
	for _, e := range entries {
		if ext := path.Ext(e.Name()); e.IsDir() || ext != ".yaml" && ext != ".yml" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if info, err := e.Info(); err == nil && info.Size() > maxMapFile {
			return nil, fmt.Errorf("read map %s: larger than 1 MiB", e.Name())
		}
		src, err := fs.ReadFile(fsys, e.Name())
		if err != nil {
			return nil, fmt.Errorf("read map %s: %w", e.Name(), err)
		}
		out = append(out, File{e.Name(), src})
	}
	return out, nil
}

// Names returns the formats that can be asked for, sorted, auto included.
func (s *Set) Names() []string {
	names := append([]string{Auto}, s.names...)
	slices.Sort(names)
	return names
}

// New makes a format for one source. The name is one of Names.
func (s *Set) New(name string, opt Options) (Format, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if err := opt.Envelope.check(); err != nil {
		return nil, err
	}
	opt.outer = new(outer)
	var f Format
	if name == Auto {
		f = newAutoFormat(s, opt)
	} else {
		f = s.make(name, opt)
	}
	if f == nil {
		return nil, fmt.Errorf("unknown format %q; %s", name, strict.Suggest(name, s.Names()))
	}
	if opt.Envelope != EnvelopeNone {
		f = &enveloped{newPeeler(opt), f}
	}
	return f, nil
}

func (s *Set) make(name string, opt Options) Format {
	if p := s.programs[name]; p != nil {
		return newMapFormat(p, opt.Location)
	}
	if n := nativeOf(name); n != nil {
		return n.make(opt)
	}
	return nil
}

// Provides returns the fields a format can fill, sorted; for auto those of any format. A rule that
// needs others is blind on a source of this format. Nil if there is no such format.
func (s *Set) Provides(name string) []event.ID {
	var ids []event.ID
	switch {
	case name == Auto:
		for _, n := range s.names {
			ids = append(ids, s.Provides(n)...)
		}
	case s.programs[name] != nil:
		ids = s.programs[name].provides()
	case nativeOf(name) != nil:
		ids = append(commonFields(), nativeOf(name).provides()...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
