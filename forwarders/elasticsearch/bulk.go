package elasticsearch

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/liveward/liveward/internal/event"
)

// bulk is the body of one bulk request: for each document a line that says where it goes, and its own.
type bulk struct {
	raw   []byte
	index []int // index in the docs of Forward, for each document of the body
}

func (b *bulk) reset() {
	b.raw = b.raw[:0]
	b.index = b.index[:0]
}

// add appends a document; ok is false where it cannot be one, and the body is then unchanged.
func (b *bulk) add(i int, doc *event.Document, stream, stamp string) (ok bool) {
	start := len(b.raw)
	b.raw = append(b.raw, `{"create":{"_index":"`...)
	b.raw = append(b.raw, stream...)
	b.raw = append(b.raw, `","_id":"`...)
	b.raw = doc.ID.AppendText(b.raw)
	b.raw = append(b.raw, "\"}}\n"...)
	if b.raw, ok = appendIngested(b.raw, doc.JSON, stamp); !ok {
		b.raw = b.raw[:start]
		return false
	}
	b.raw = append(b.raw, '\n')
	b.index = append(b.index, i)
	return true
}

// lineOverhead bounds what add appends to a document's own bytes.
const lineOverhead = 400

// compressor gzips bodies into a buffer of its own.
type compressor struct {
	zw  *gzip.Writer
	buf bytes.Buffer
}

func newCompressor(level int) (*compressor, error) {
	c := &compressor{}
	if level == NoCompression {
		return c, nil
	}
	zw, err := gzip.NewWriterLevel(&c.buf, level)
	c.zw = zw
	return c, err
}

// compress returns the body to send; it is valid until the next call.
func (c *compressor) compress(raw []byte) ([]byte, error) {
	if c.zw == nil {
		return raw, nil
	}
	c.buf.Reset()
	c.zw.Reset(&c.buf)
	if _, err := c.zw.Write(raw); err != nil {
		return nil, err
	}
	if err := c.zw.Close(); err != nil {
		return nil, err
	}
	return c.buf.Bytes(), nil
}

// body is a request body that tells when the transport has let go of it. The transport may go on
// reading for a while after it has returned an error or an early answer: until closed, the bytes must
// not be written to.
type body struct {
	r      bytes.Reader
	lent   bool // given to the transport, which will close it
	closed chan struct{}
	once   sync.Once
}

func newBody(b []byte) *body {
	out := &body{closed: make(chan struct{})}
	out.r.Reset(b)
	return out
}

var _ io.ReadCloser = (*body)(nil)

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) { return b.r.Read(p) }

// Close implements io.Closer.
func (b *body) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// wait blocks until the transport has let go of the bytes.
func (b *body) wait() {
	if b.lent {
		<-b.closed
	}
}
