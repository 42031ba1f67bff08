package file

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// Again reads lines a second time: those of which only the place is known. The file is found by what it
// was known by when it was read, its first line, wherever rotation has put it since: renamed, or
// compressed with gzip. It holds the files of one path open, so lines are best asked for in order of
// path and offset. It is for one goroutine.
type Again struct {
	c     *Collector
	path  string
	files []againFile
	room  []byte
}

type againFile struct {
	source
	fingerprint event.Hash
}

// Outcome says what became of a line that was read again.
type Outcome uint8

// The outcomes.
const (
	Gone    Outcome = iota // no file with that first line is left
	Changed                // a file is, and another line stands at the place
	Found
)

// NewAgain makes one for lines of at most maxLine bytes.
func NewAgain(maxLine int, log *slog.Logger) (*Again, error) {
	c, err := New(Config{Name: "again", Paths: []string{"-"}, MaxLine: maxLine}, nil, func() time.Time { return time.Time{} }, log) // nothing asks for the time
	if err != nil {
		return nil, err
	}
	return &Again{c: c}, nil
}

// Close closes the files that are open.
func (a *Again) Close() {
	for _, f := range a.files {
		_ = f.Close()
	}
	a.path, a.files = "", nil
}

// Line gives f the line that begins at an offset of each file that was at the path and has the first
// line of that fingerprint, until f takes one. line belongs to f until it returns. head is the file's
// first bytes, where directives stand; a line longer than the limit comes cut, and marked.
func (a *Again) Line(path string, fingerprint event.Hash, offset int64, f func(line, head []byte, oversize bool) bool) Outcome {
	if path != a.path {
		a.open(path)
	}
	found := Gone
	for _, src := range a.files {
		if src.fingerprint != fingerprint {
			continue
		}
		found = Changed
		line, oversize, ok := a.read(src, offset)
		if ok && f(line, a.head(src), oversize) {
			return Found
		}
	}
	return found
}

// open opens what stands at a path and what was rotated away from it, the newest first.
func (a *Again) open(path string) {
	a.Close()
	a.path = path
	add := func(src source) {
		fp, _ := headFingerprint(src)
		if fp.IsZero() {
			fp = wholeFingerprint(src)
		}
		a.files = append(a.files, againFile{src, fp})
	}
	var live ident
	if f, st, err := openRegular(path); err == nil {
		live = st.id
		add(newPlain(f))
	}
	list := a.c.siblings(&tail{path: path, target: resolved(path)}, live)
	for _, x := range slices.Backward(list) {
		if src, err := x.open(a.c.keepBytes()); err == nil {
			add(src)
		}
	}
	release(list)
}

// headBytes is how much of a file's beginning is looked at for directives.
const headBytes = 16 << 10

func (a *Again) head(src source) []byte {
	head := make([]byte, headBytes)
	n, _ := src.ReadAt(head, 0) // what cannot be read has no directives
	return head[:n]
}

// read reads the line at an offset.
func (a *Again) read(src source, offset int64) (line []byte, oversize, ok bool) {
	if offset > 0 {
		var before [1]byte
		if n, _ := src.ReadAt(before[:], offset-1); n != 1 || before[0] != '\n' && before[0] != 0 {
			return nil, false, false
		}
	}
	if a.room == nil {
		a.room = make([]byte, a.c.cfg.MaxLine+2)
	}
	n, err := io.ReadFull(io.NewSectionReader(src, offset, int64(len(a.room))), a.room)
	if n == 0 {
		return nil, false, false
	}
	data := a.room[:n]
	limits := split.Limits{Line: a.c.cfg.MaxLine, Lines: 1}
	var lines []event.Line
	switch end := bytes.IndexByte(data, '\n'); {
	case end >= 0:
		lines = split.Rest(nil, data[:end], 0, offset, limits)
	case err == nil: // the room is full
		lines = split.Long(nil, data, 0, offset, limits)
	default:
		lines = split.Rest(nil, data, 0, offset, limits)
	}
	if len(lines) != 1 || lines[0].Offset != offset {
		return nil, false, false
	}
	return lines[0].Data, lines[0].Oversize, true
}
