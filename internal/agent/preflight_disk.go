package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/liveward/liveward/collectors"
	"github.com/liveward/liveward/internal/strict"
)

// preflightDisk looks whether there is a place for what the agent writes.
func (p *Plan) preflightDisk() []Finding {
	found := []Finding{p.preflightData()}
	if p.Config.NDJSON.Path != "" {
		found = append(found, preflightNDJSON(p.Config.NDJSON.Path))
	}
	return found
}

// preflightData looks at the data directory, which the agent makes, and at the room that is left for it.
func (p *Plan) preflightData() Finding {
	dir := p.Config.Agent.Data
	f := Finding{Verdict: collectors.Wrong, What: "data directory " + dir}
	there, err := nearest(dir)
	if err == nil {
		err = mayWrite(there)
	}
	if err != nil {
		f.Said = err.Error()
		return f
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(there, &st); err != nil {
		f.Said = fmt.Sprintf("%s: %v", there, err)
		return f
	}
	free := strict.Size(st.Bavail) * strict.Size(st.Bsize) &^ (1<<20 - 1)
	reserve, most := p.Config.Journal.ReserveFree, p.Config.Journal.MaxSize
	switch held := strict.Size(bytesBelow(dir)); {
	case free < reserve:
		f.Said = fmt.Sprintf("%s of the disk are free, and journal.reserve_free keeps %s: nothing would be taken", free, reserve)
	case free+held < most+reserve:
		f.Verdict = collectors.Warning
		f.Said = fmt.Sprintf("may be written; %s of the disk are free, and the journal may grow to %s beside a reserve of %s: lower journal.max_size", free, most, reserve)
	case there != filepath.Clean(dir):
		f.Verdict, f.Said = collectors.OK, "will be made"
	default:
		f.Verdict, f.Said = collectors.OK, "may be written"
	}
	return f
}

func preflightNDJSON(path string) Finding {
	f := Finding{Verdict: collectors.Wrong, What: "ndjson, " + path}
	fi, err := os.Stat(path)
	switch {
	case err == nil && !fi.Mode().IsRegular():
		f.Said = "not a regular file"
	case err == nil && syscall.Access(path, accessWrite) != nil:
		f.Said = "may not be written: let the user that liveward runs as write it"
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		f.Said = err.Error()
	default:
		if err := mayWrite(filepath.Dir(path)); err != nil {
			f.Said = err.Error()
			return f
		}
		f.Verdict, f.Said = collectors.OK, "may be written"
	}
	return f
}

// The modes of access(2).
const (
	accessExecute = 1
	accessWrite   = 2
)

// mayWrite tells why files cannot be made in a directory.
func mayWrite(dir string) error {
	fi, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such directory: make it", dir)
	}
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := syscall.Access(dir, accessWrite|accessExecute); err != nil {
		return fmt.Errorf("%s: %w: let the user that liveward runs as write there", dir, err)
	}
	return nil
}

// nearest is a path, or the first above it that is there.
func nearest(path string) (string, error) {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return "", err
		}
	}
}

// bytesBelow sums up the files of a directory that may be read; they may be gone the next moment.
func bytesBelow(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // an estimate
		}
		if fi, err := d.Info(); err == nil {
			sum += fi.Size()
		}
		return nil
	})
	return sum
}
