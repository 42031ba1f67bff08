package file

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// ident is a file's identity while somebody holds it open. A number is used again after that, so it
// never decides alone across a closing.
type ident struct{ dev, ino uint64 }

// status is what a look at a file tells.
type status struct {
	id    ident
	size  int64
	mtime int64 // nanoseconds
	links uint64
}

func statusOf(fi fs.FileInfo) (status, bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return status{}, false
	}
	return status{
		id:    ident{uint64(st.Dev), st.Ino}, //nolint:unconvert // Dev is 32 bits wide on some systems.
		size:  fi.Size(),
		mtime: fi.ModTime().UnixNano(),
		links: uint64(st.Nlink), //nolint:unconvert // Nlink too.
	}, true
}

// openRegular opens a file for reading and never waits, whatever stands at the path.
func openRegular(path string) (*os.File, status, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, status{}, err
	}
	fi, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, status{}, err
	}
	st, ok := statusOf(fi)
	if !ok || !fi.Mode().IsRegular() {
		_ = f.Close()
		return nil, status{}, fmt.Errorf("open %s: %w", path, errNotRegular)
	}
	return f, st, nil
}

// probeBytes is how much of a file is compared before its next bytes are believed to follow on.
const probeBytes = 256

// probe remembers bytes of a file that were read: the last ones before the reading offset or, as
// long as nothing was read, the first ones.
type probe struct {
	off  int64
	n    int
	data [probeBytes]byte
}

func (p *probe) bytes() []byte { return p.data[:p.n] }

// set remembers the end of data, which ends at offset end of the file.
func (p *probe) set(data []byte, end int64) {
	data = data[max(0, len(data)-probeBytes):]
	p.n = copy(p.data[:], data)
	p.off = end - int64(p.n)
}

// mark is what must be known of a generation to find its file again.
type mark struct {
	fingerprint event.Hash
	check       event.Hash // of the bytes before checkAt; zero where unknown
	checkAt     int64
	end         int64 // read so far
}

// checkOf hashes the bytes that a position's check covers.
func checkOf(window []byte) event.Hash { return event.HashOf(window) }

// emptyCheck stands in the position of a file of which nothing was read: there are no bytes to
// compare yet.
func emptyCheck(id ident) event.Hash {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], id.dev)
	binary.BigEndian.PutUint64(b[8:], id.ino)
	return event.HashOf([]byte("empty"), b[:])
}

// headFingerprint is the fingerprint of the file, zero until its first line is complete.
func headFingerprint(src source) (event.Hash, []byte) {
	head := make([]byte, 4096)
	n, _ := src.ReadAt(head, 0)
	if fp := split.Fingerprint(head[:n]); n < len(head) || !fp.IsZero() {
		return fp, head[:n]
	}
	head = make([]byte, split.FingerprintBytes+2)
	n, _ = src.ReadAt(head, 0)
	return split.Fingerprint(head[:n]), head[:n]
}

// holds tells whether src has the content that was read of a generation. Of a file too short to
// hold it, it says so in short: the same first line, and not all of what was read.
func (m *mark) holds(src source) (ok, short bool) {
	if m.fingerprint.IsZero() {
		return false, false // nothing was read: there is nothing to compare
	}
	if fp, _ := headFingerprint(src); fp != m.fingerprint {
		return false, false
	}
	at := max(m.end, m.checkAt)
	if at == 0 {
		return true, false
	}
	last := make([]byte, 1)
	if n, _ := src.ReadAt(last, at-1); n != 1 {
		return false, true
	}
	if m.check.IsZero() || m.checkAt == 0 {
		return true, false
	}
	window := make([]byte, min(probeBytes, m.checkAt))
	if n, _ := src.ReadAt(window, m.checkAt-int64(len(window))); n != len(window) {
		return false, true
	}
	return checkOf(window) == m.check, false
}
