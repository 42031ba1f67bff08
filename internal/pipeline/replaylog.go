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
	pos     event.Position
	proc    *Processor
	open    func(string) (io.ReadCloser, error)
	path    string   // of the file that is read
	later   []string // files that come after it
	ended   bool     // it was read to its end
	closers []io.Closer
	lines   lineReader
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
	f := &replayLog{proc: proc, open: r.Open, later: log.Files, pos: event.Position{Source: r.Source, Path: log.Path}}
	f.lines.longest, f.lines.numbered = r.MaxLine, r.Explain != nil
	if f.open == nil {
		f.open = openPath
	}
	for _, path := range log.Files[1:] {
		src, err := f.open(path)
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
	src, err := f.open(f.path)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, src)
	in := bufio.NewReaderSize(src, minRead) // what is larger is read past it
	if magic, err := in.Peek(2); !strings.HasSuffix(f.path, ".gz") && (err != nil || magic[0] != 0x1f || magic[1] != 0x8b) {
		f.lines.reset(in)
		return nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", f.path, err), f.close())
	}
	f.closers = append(f.closers, z)
	f.lines.reset(z)
	return nil
}

// openPath opens a file, or standard input, which stays open.
func openPath(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

func (f *replayLog) close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	f.closers = nil
	return errors.Join(errs...)
}
