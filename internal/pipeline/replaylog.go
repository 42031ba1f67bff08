package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/liveward/liveward/collectors/file"
	"github.com/liveward/liveward/internal/event"
)

// replayLog is a log on its way through a replay.
type replayLog struct {
	pos   event.Position
	proc  *Processor
	open  func(path string) (*input, error)
	path  string   // of the file that is read
	later []string // files that come after it
	ended bool     // it was read to its end
	in    *input   // nil before the first file
	lines lineReader
}

// newLog opens the first file of a log. That the others are there is seen now, not after a million lines.
func (r *Replay) newLog(log file.Log, joins bool) (*replayLog, error) {
	proc, err := r.New()
	if err != nil {
		return nil, err
	}
	if !joins {
		proc.Joins = 0
	}
	proc.Undocumented = r.Document == nil && r.Explain == nil
	proc.SetRules(r.Rules)
	f := &replayLog{proc: proc, later: log.Files, open: r.input, pos: event.Position{Source: r.Source, Path: log.Path}}
	f.lines.longest, f.lines.numbered = r.MaxLine, r.Explain != nil
	for _, path := range log.Files[1:] {
		src, err := r.open(path)
		if err != nil {
			return nil, err
		}
		if err := src.Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return f, f.nextFile()
}

// nextFile goes on with the next file of the log, which must have one.
func (f *replayLog) nextFile() error {
	if err := f.close(); err != nil {
		return err
	}
	f.path, f.later = f.later[0], f.later[1:]
	f.ended = false
	f.pos.Ordinal++
	in, err := f.open(f.path)
	if err != nil {
		return err
	}
	f.in = in
	f.lines.reset(in)
	return nil
}

func (f *replayLog) close() error {
	in := f.in
	f.in = nil
	if in == nil {
		return nil
	}
	return in.Close()
}

// input is an open file, unpacked.
type input struct {
	io.Reader
	io.Closer
}

func (r *Replay) input(path string) (*input, error) {
	src, err := r.open(path)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(src, minRead) // what is larger is read past it
	in := &input{buffered, src}
	if magic, err := buffered.Peek(2); !strings.HasSuffix(path, ".gz") && (err != nil || magic[0] != 0x1f || magic[1] != 0x8b) {
		return in, nil
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
	}
	in.Reader = z // closing it would say again what is wrong with it
	return in, nil
}

// open opens a file, or standard input, which stays open.
func (r *Replay) open(path string) (io.ReadCloser, error) {
	switch {
	case r.Open != nil:
		return r.Open(path)
	case path == "-":
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}
