package push

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// errMemory is not the sender's: another time there is room.
var errMemory = errors.New("too much is being read")

// zstdWindow is what a sender's compression may make the reader remember; RFC 8878 asks for as much.
const zstdWindow = 8 << 20

// budget is the memory all requests share.
type budget struct{ left atomic.Int64 }

// loan is what one request has of the budget. It is for one goroutine at a time.
type loan struct {
	from *budget
	has  int64
}

func (l *loan) take(n int64) error {
	if l.from.left.Add(-n) < 0 {
		l.from.left.Add(n)
		return errMemory
	}
	l.has += n
	return nil
}

func (l *loan) giveBack(n int64) {
	l.has -= n
	l.from.left.Add(n)
}

func (l *loan) release() { l.giveBack(l.has) }

// readAll reads r to its end, limit bytes at most, in memory that is borrowed before it is used.
func readAll(r io.Reader, limit int64, l *loan) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			if int64(len(buf)) > limit {
				return nil, errTooLarge
			}
			size := min(max(2*int64(cap(buf)), 16<<10), limit+1)
			if err := l.take(size); err != nil {
				return nil, err
			}
			old := int64(cap(buf))
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
			l.giveBack(old)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// unpack undoes a content encoding.
func unpack(encoding string, body []byte, limit int64, l *loan) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		return gunzip(body, limit, l)
	case "zstd":
		return unzstd(body, limit, l)
	}
	return nil, errEncoding
}

func gunzip(body []byte, limit int64, l *loan) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, errCorrupted
	}
	return unpacked(r, limit, l)
}

func unzstd(body []byte, limit int64, l *loan) ([]byte, error) {
	if err := l.take(zstdWindow); err != nil {
		return nil, err
	}
	defer l.giveBack(zstdWindow)
	r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(uint64(max(limit, zstdWindow))))
	if err != nil {
		return nil, errCorrupted
	}
	defer r.Close()
	return unpacked(r, limit, l)
}

// unpacked reads what a decompressor gives; what the decompressor says of the sender's bytes is not
// for an answer.
func unpacked(r io.Reader, limit int64, l *loan) ([]byte, error) {
	out, err := readAll(r, limit, l)
	switch {
	case err == nil, errors.Is(err, errTooLarge), errors.Is(err, errMemory):
		return out, err
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLarge
	}
	return nil, errCorrupted
}
