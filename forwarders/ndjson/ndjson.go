// Package ndjson appends documents to a file, one a line.
//
// It never rotates, compresses or deletes the file: that is logrotate's affair, and a file that was
// moved away is left and begun anew. It never writes half a line: what a crash tore is cut off at the
// next start.
package ndjson

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/liveward/liveward/forwarders"
	"github.com/liveward/liveward/internal/event"
)

// DefaultRemember is the default of Config.Remember.
const DefaultRemember = 64 << 20

// Config says where to write.
type Config struct {
	// Path of the file. Its directory must exist.
	Path string
	// Remember bounds, in bytes of documents, how far back a document is known to be written already:
	// within it each is written once, over restarts too. After a restart the file itself and Path.1,
	// as logrotate names it, are looked at; documents moved further are not known any more.
	// DefaultRemember where 0.
	Remember int64
}

// Forwarder appends documents to a file. It implements forwarders.Forwarder.
type Forwarder struct {
	path   string
	file   *os.File // nil until opened, and after a failure that left it in doubt
	size   int64    // of the file's whole lines
	recent *recent
	buf    []byte
}

var _ forwarders.Forwarder = (*Forwarder)(nil)

// New opens the file, creating it with mode 0600 where there is none.
func New(cfg Config) (*Forwarder, error) {
	if cfg.Path == "" {
		return nil, errors.New("ndjson: no path given")
	}
	if cfg.Remember == 0 {
		cfg.Remember = DefaultRemember
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("ndjson: %w", err)
	}
	f := &Forwarder{path: path, recent: newRecent(cfg.Remember)}
	if err := f.recent.load(path + ".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("ndjson: read %s.1: %w", path, err)
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	if err := f.recent.load(path); err != nil {
		f.file.Close() //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("ndjson: read %s: %w", path, err)
	}
	return f, nil
}

// Close closes the file.
func (f *Forwarder) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Forward implements forwarders.Forwarder: all documents that are not in the file yet are appended
// with one write and synced. Where that fails, none of them is left in the file.
func (f *Forwarder) Forward(ctx context.Context, docs []event.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.reopen(); err != nil {
		return err
	}
	var out forwarders.PartialError
	f.buf = f.buf[:0]
	fresh := make([]int, 0, len(docs))
	batch := make(map[event.Hash]struct{}, len(docs))
	for i := range docs {
		doc := &docs[i]
		if !oneLine(doc.JSON) {
			out.Reject = append(out.Reject, forwarders.Rejected{Index: i, Reason: "not a JSON object on one line"})
			continue
		}
		if _, twice := batch[doc.ID]; twice || f.recent.has(doc.ID) {
			continue
		}
		batch[doc.ID] = struct{}{}
		f.buf = append(f.buf, doc.JSON...)
		f.buf = append(f.buf, '\n')
		fresh = append(fresh, i)
	}
	if len(fresh) > 0 {
		if err := f.append(); err != nil {
			return err
		}
		for _, i := range fresh {
			f.recent.add(docs[i].ID, int64(len(docs[i].JSON)))
		}
	}
	if len(out.Reject) > 0 {
		return &out
	}
	return nil
}

// append writes the buffer and syncs. After a failure the file is cut back to what it was: a torn
// line would spoil the next one, and a whole one would be written again.
func (f *Forwarder) append() error {
	_, err := f.file.Write(f.buf)
	if err == nil {
		err = f.file.Sync()
	}
	if err == nil {
		f.size += int64(len(f.buf))
		return nil
	}
	err = fmt.Errorf("ndjson: append: %w", err)
	if cut := f.file.Truncate(f.size); cut != nil {
		err = errors.Join(err, fmt.Errorf("ndjson: cut back: %w", cut))
	}
	f.file.Close() //nolint:errcheck // the write has failed, and is reported
	f.file = nil   // opened again, and looked at again, by the next Forward
	return err
}

// reopen makes sure that the file is the one at the path: it may have been moved away, deleted or
// cut since.
func (f *Forwarder) reopen() error {
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
		// What the failed write left behind, if it could not be cut back, counts as written.
		return f.recent.load(f.path)
	}
	have, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("ndjson: %w", err)
	}
	at, err := os.Stat(f.path)
	if err == nil && os.SameFile(have, at) {
		f.size = at.Size() // copytruncate
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("ndjson: %w", err)
	}
	f.file.Close() //nolint:errcheck // all of it is synced
	f.file = nil
	return f.open()
}

// open opens the file and cuts off a torn last line.
func (f *Forwarder) open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("ndjson: %w", err)
	}
	size, err := mend(file)
	if err != nil {
		file.Close() //nolint:errcheck // nothing was written
		return fmt.Errorf("ndjson: open %s: %w", f.path, err)
	}
	if size == 0 {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		file.Close() //nolint:errcheck // nothing was written
		return fmt.Errorf("ndjson: open %s: %w", f.path, err)
	}
	f.file, f.size = file, size
	return nil
}

// mend cuts off what stands after the last line end, and returns the size then. It touches no file
// that does not begin as one of ours would.
func mend(file *os.File) (int64, error) {
	st, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !st.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	size := st.Size()
	if size == 0 {
		return 0, nil
	}
	var first [1]byte
	if _, err := file.ReadAt(first[:], 0); err != nil {
		return 0, err
	}
	if first[0] != '{' {
		return 0, errors.New("exists and is not a file of JSON lines")
	}
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(buf)))
		part := buf[:end-start]
		if _, err := file.ReadAt(part, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return cut(file, size, start+int64(i)+1)
		}
		end = start
	}
	return cut(file, size, 0)
}

func cut(file *os.File, size, whole int64) (int64, error) {
	if whole == size {
		return size, nil
	}
	if err := file.Truncate(whole); err != nil {
		return 0, err
	}
	return whole, file.Sync()
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// oneLine tells whether b looks like a JSON object and holds no line end.
func oneLine(b []byte) bool {
	return len(b) >= 2 && b[0] == '{' && b[len(b)-1] == '}' && bytes.IndexByte(b, '\n') < 0
}

var _ io.Closer = (*Forwarder)(nil)
