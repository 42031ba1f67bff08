package file

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"

	"github.com/klauspost/compress/gzip"
)

// source is an open file as its lines see it: uncompressed, read by offset.
type source interface {
	io.ReaderAt
	// status looks at the file. The size of a compressed file is not known: it is -1.
	status() (status, error)
	Close() error
}

// handle is an open file that several may hold; the last one to close it closes it.
type handle struct {
	*os.File
	holders int
}

func newHandle(f *os.File) *handle { return &handle{f, 1} }

func (h *handle) hold() *handle {
	h.holders++
	return h
}

// Close gives up one hold.
func (h *handle) Close() error {
	h.holders--
	if h.holders > 0 {
		return nil
	}
	return h.File.Close()
}

// plain is a file that is not compressed.
type plain struct{ *handle }

func newPlain(f *os.File) plain { return plain{newHandle(f)} }

func (p plain) status() (status, error) {
	fi, err := p.Stat()
	if err != nil {
		return status{}, err
	}
	st, ok := statusOf(fi)
	if !ok {
		return status{}, errNotRegular
	}
	return st, nil
}

// zipped reads a gzip file by offset. Reading on is cheap; reading back reads it again from the
// beginning, except for what followed the last line feed, which is kept.
type zipped struct {
	f    *handle
	in   *io.SectionReader // with a place of its own: the file may have other holders
	z    *gzip.Reader
	pos  int64  // next byte the reader yields
	tail []byte // the bytes before pos that were read last and had no line feed after them
	keep int    // bound of tail
}

func newZipped(f *handle, keep int) *zipped {
	return &zipped{f: f, in: io.NewSectionReader(f, 0, math.MaxInt64), keep: keep}
}

func (s *zipped) status() (status, error) {
	st, err := plain{s.f}.status()
	st.size = -1
	return st, err
}

func (s *zipped) Close() error { return s.f.Close() }

func (s *zipped) rewind() error {
	if _, err := s.in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.pos, s.tail = 0, s.tail[:0]
	if s.z == nil {
		z, err := gzip.NewReader(s.in)
		if err != nil {
			return err
		}
		s.z = z
		return nil
	}
	return s.z.Reset(s.in)
}

// ReadAt implements io.ReaderAt.
func (s *zipped) ReadAt(p []byte, off int64) (int, error) {
	if s.z == nil || off < s.pos-int64(len(s.tail)) {
		if err := s.rewind(); err != nil {
			s.z = nil
			return 0, unexpected(err)
		}
	}
	if off > s.pos {
		n, err := io.CopyN(io.Discard, s.z, off-s.pos)
		s.pos += n
		s.tail = s.tail[:0]
		if err != nil {
			return 0, s.failed(err)
		}
	}
	n := copy(p, s.tail[len(s.tail)-int(s.pos-off):])
	if n == len(p) {
		return n, nil // the reader stays where it is, and so does the tail
	}
	m, err := io.ReadFull(s.z, p[n:])
	s.pos += int64(m)
	s.remember(p[n : n+m])
	if errors.Is(err, io.ErrUnexpectedEOF) && m < len(p)-n && s.ended() {
		err = io.EOF
	}
	if err != nil {
		err = s.failed(err)
	}
	return n + m, err
}

// ended tells whether the stream is complete: ReadFull reports a short read and a cut stream alike.
func (s *zipped) ended() bool {
	var one [1]byte
	n, err := s.z.Read(one[:])
	return n == 0 && errors.Is(err, io.EOF)
}

// failed keeps the end of the file apart from a broken stream.
func (s *zipped) failed(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	s.z = nil // read again from the beginning next time
	return unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *zipped) remember(data []byte) {
	if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
		s.tail = s.tail[:0]
		data = data[max(0, i+1-probeBytes):] // with the bytes that the next read compares
	}
	if over := len(s.tail) + len(data) - s.keep; over > 0 {
		drop := min(over, len(s.tail))
		s.tail = append(s.tail[:0], s.tail[drop:]...)
		data = data[min(over-drop, len(data)):]
	}
	s.tail = append(s.tail, data...)
}
