package s3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/liveward/liveward/collectors/internal/handover"
	"github.com/liveward/liveward/internal/event"
)

var (
	errBroken   = errors.New("its compression is broken")
	errTooLarge = errors.New("has more unpacked bytes than max_object allows")
	errStalled  = errors.New("the answer stalled")
)

const (
	// zstdWindow is what a compression may make the reader remember; RFC 8878 asks for as much.
	zstdWindow = 8 << 20
	// maxPacked is how often bytes may be compressed: Firehose can compress what CloudWatch has
	// compressed already.
	maxPacked = 2
	// maxResumes is how often an answer may break off without a byte in between.
	maxResumes = 5
)

// object makes the lines of an object durable and returns what was read.
func (c *Collector) object(ctx context.Context, put putter, r *reader, n name) (event.Hash, error) {
	body, err := c.get(ctx, n)
	if err != nil {
		return event.Hash{}, err
	}
	defer body.close()
	id := n.id(body.tag)
	if c.recent.Contains(id) {
		c.count(func(s *Stats) { s.Redelivered++ })
		return id, nil
	}
	o, err := c.begin(ctx, n, id)
	if err != nil {
		return event.Hash{}, err
	}
	defer c.end(id)
	if o.pos.Done {
		c.count(func(s *Stats) { s.Redelivered++ })
		return id, nil
	}
	if err := c.read(ctx, put, r, o, body); err != nil {
		return event.Hash{}, err
	}
	c.count(func(s *Stats) { s.Objects++ })
	return id, nil
}

// read puts the lines of an object, from where the journal ends.
func (c *Collector) read(ctx context.Context, put putter, r *reader, o *object, body *body) error {
	content, closeAll, err := unpack(bufio.NewReaderSize(body, 64<<10))
	defer closeAll()
	if err != nil {
		return c.because(ctx, body, err)
	}
	r.reset(&limited{content, c.cfg.MaxObject})
	for {
		lines, end, err := r.next()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return c.because(ctx, body, err)
		}
		// What a run before has made durable is not put again.
		for len(lines) > 0 && lines[0].Offset < o.pos.End {
			lines = lines[1:]
		}
		if len(lines) > 0 || last && o.pos.Ordinal != 0 {
			if err := c.putLines(ctx, put, o, &event.Batch{Lines: lines}, max(end, o.pos.End), last); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// because says why reading ended: what the body met counts more than what that made of the compression.
func (c *Collector) because(ctx context.Context, body *body, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case body.err != nil:
		return body.err
	case errors.Is(err, errTooLarge):
		return err
	}
	return errBroken
}

// unpack looks at the first bytes for what the rest is packed with. closeAll may be called whatever
// happened.
func unpack(r *bufio.Reader) (content io.Reader, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, f := range closers {
			f()
		}
	}
	for range maxPacked {
		head, err := r.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, closeAll, err
		}
		var inner io.Reader
		switch {
		case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
			z, err := gzip.NewReader(r)
			if err != nil {
				return nil, closeAll, err
			}
			inner = z
		case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return nil, closeAll, err
			}
			closers = append(closers, z.Close)
			inner = z
		default:
			return r, closeAll, nil
		}
		r = bufio.NewReaderSize(inner, 64<<10)
	}
	return r, closeAll, nil
}

// limited refuses what is beyond a number of bytes.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}

// body reads an object as it is stored. Where the answer breaks off or stalls, the rest is asked for
// again, and only of the same bytes.
type body struct {
	c      *Collector
	ctx    context.Context //nolint:containedctx // of the one call that reads the object
	name   name
	tag    string // names the bytes: the entity tag, else size and time
	strong bool   // tag is an entity tag
	offset int64
	size   int64
	tries  int
	err    error // what reading ended with, if not the end

	answer io.ReadCloser
	cancel context.CancelFunc
	stall  *time.Timer
}

// get asks for an object.
func (c *Collector) get(ctx context.Context, n name) (*body, error) {
	b := &body{c: c, ctx: ctx, name: n}
	if err := b.open(); err != nil { //nolint:contextcheck // it has the context
		return nil, err
	}
	return b, nil
}

func (b *body) open() error {
	ctx, cancel := context.WithCancel(b.ctx)
	in := &awss3.GetObjectInput{Bucket: aws.String(b.name.bucket), Key: aws.String(b.name.key)}
	if b.name.version != "" {
		in.VersionId = aws.String(b.name.version)
	}
	if b.offset > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(b.offset, 10) + "-")
		if b.strong {
			in.IfMatch = aws.String(b.tag)
		}
	}
	stall := time.AfterFunc(b.c.cfg.Stall, cancel)
	out, err := b.c.store.GetObject(ctx, in, func(o *awss3.Options) {
		if b.name.region != "" && b.c.cfg.Endpoint == "" {
			o.Region = b.name.region
		}
	})
	stall.Stop()
	if err != nil {
		stalled := ctx.Err() != nil && b.ctx.Err() == nil
		cancel()
		if stalled {
			return fmt.Errorf("%w: %w", errRequest, errStalled)
		}
		return understand(err)
	}
	tag, strong := aws.ToString(out.ETag), true
	if tag == "" {
		strong = false
		tag = fmt.Sprintf("%d %d", aws.ToInt64(out.ContentLength), aws.ToTime(out.LastModified).UnixNano())
	}
	if b.offset == 0 {
		b.tag, b.strong, b.size = tag, strong, aws.ToInt64(out.ContentLength)
	} else if strong != b.strong || strong && tag != b.tag {
		cancel()
		_ = out.Body.Close()
		return errChanged
	}
	b.answer, b.cancel, b.stall = out.Body, cancel, stall
	return nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		b.stall.Reset(b.c.cfg.Stall)
		n, err := b.answer.Read(p)
		b.stall.Stop()
		b.offset += int64(n)
		if n > 0 {
			b.tries = 0
		}
		switch {
		case err == nil, n > 0:
			return n, nil
		case errors.Is(err, io.EOF) && b.offset >= b.size:
			return 0, io.EOF
		case b.ctx.Err() != nil:
			b.err = b.ctx.Err()
			return 0, b.err
		}
		if b.err = b.again(); b.err != nil {
			return 0, b.err
		}
	}
}

// again asks for the rest.
func (b *body) again() error {
	b.close()
	for {
		if b.tries++; b.tries > maxResumes {
			return fmt.Errorf("%w: %w", errRequest, errStalled)
		}
		if b.tries > 1 {
			if err := handover.Wait(b.ctx, handover.First<<b.tries); err != nil {
				return err
			}
		}
		b.c.count(func(s *Stats) { s.Resumed++ })
		err := b.open()
		if err == nil || !errors.Is(err, errRequest) {
			return err
		}
	}
}

func (b *body) close() {
	b.cancel()
	b.stall.Stop()
	_ = b.answer.Close()
}
