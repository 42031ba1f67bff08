package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"github.com/liveward/liveward/collectors/listen"
)

const (
	firstBuffer = 16 << 10
	wideBuffer  = 128 << 10        // of a stream that fills its buffer: what is read at once is one wait for the journal
	chunkLines  = 1024             // of one stream at a time: a line of one byte takes fifty in memory
	headRoom    = longestCount + 2 // of a count before a message of the longest length
	acceptWait  = 100 * time.Millisecond
)

// accept takes connections until the listener is closed.
func (c *Collector) accept(ctx context.Context, ln *listen.Listener, secure *tls.Config) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			// Too many open files, most likely: that passes.
			c.log.Warn("accept connection", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(acceptWait):
			}
			continue
		}
		c.stats.Add(func(s *Stats) { s.Connections++ })
		c.readers.Go(func() {
			release := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer release()
			defer func() { _ = conn.Close() }()
			if secure == nil {
				c.follow(ctx, conn)
				return
			}
			shake, cancel := context.WithTimeout(ctx, c.cfg.HandshakeTime)
			defer cancel()
			session := tls.Server(conn, secure)
			if err := session.HandshakeContext(shake); err != nil {
				c.stats.Add(func(s *Stats) { s.Handshakes++ })
				return
			}
			c.follow(ctx, session)
		})
	}
}

// follow reads a stream to its end. What was read is durable before more is read.
func (c *Collector) follow(ctx context.Context, conn net.Conn) {
	r := &reader{c: c, frames: framer{framing: c.cfg.Framing, limit: c.cfg.MaxLine}, stream: c.newStream()}
	r.chunk = chunk{stream: r.stream, outcome: make(chan error, 1)}
	r.buf = make([]byte, min(firstBuffer, c.cfg.MaxLine+headRoom))
	for {
		if err := r.read(conn); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.stats.Add(func(s *Stats) { s.Slow++ })
			}
			r.finish(ctx)
			return
		}
		switch err := r.take(ctx); {
		case errors.Is(err, errFrame):
			c.stats.Add(func(s *Stats) { s.Broken++ })
			r.finish(ctx)
			return
		case err != nil:
			return
		}
	}
}

// reader is one stream with what was read of it and is not a message yet.
type reader struct {
	c       *Collector
	stream  *stream
	frames  framer
	chunk   chunk
	buf     []byte
	used    int
	base    int64 // offset in the stream of the buffer's beginning
	partial bool  // the buffer begins with a part of a message, and its time runs
	filled  bool  // by the last read: there is more
}

func (r *reader) read(conn net.Conn) error {
	size := len(r.buf)
	if r.used == size {
		size = max(size, min(2*size, r.c.cfg.MaxLine+headRoom))
	}
	if r.filled {
		size = max(size, min(2*size, wideBuffer))
	}
	if size > len(r.buf) {
		grown := make([]byte, size)
		copy(grown, r.buf)
		r.buf = grown
	}
	// The rest of a message has its time from its beginning: a byte now and then buys no more.
	middle := r.used > 0 || r.frames.skip > 0 || r.frames.toLine
	switch {
	case !middle:
		_ = conn.SetReadDeadline(deadline(r.c.cfg.IdleTime))
	case !r.partial:
		_ = conn.SetReadDeadline(deadline(r.c.cfg.FrameTime))
	}
	r.partial = middle
	n, err := conn.Read(r.buf[r.used:])
	r.used += n
	r.filled = r.used == len(r.buf)
	if n > 0 {
		return nil
	}
	return err
}

// deadline is of the operating system's clock, which sockets go by, and not of the collector's.
func deadline(d time.Duration) time.Time { return time.Now().Add(d) } //nolint:forbidigo // see above

// take hands on the messages of the buffer.
func (r *reader) take(ctx context.Context) error {
	for {
		if more, err := r.some(ctx); !more || err != nil {
			return err
		}
	}
}

// some hands on so many messages at most as one chunk may have, and tells whether there may be more.
func (r *reader) some(ctx context.Context) (bool, error) {
	r.chunk.lines = r.chunk.lines[:0]
	done := 0
	var broken error
	for len(r.chunk.lines) < chunkLines {
		msg, n, cut, err := r.frames.next(r.buf[done:r.used])
		if err != nil {
			broken = err
			break
		}
		if n == 0 {
			break
		}
		if len(msg) > 0 {
			if l, ok := r.c.line(msg, r.base+int64(done), cut); ok {
				r.chunk.lines = append(r.chunk.lines, l)
			}
		}
		if msg != nil {
			r.partial = false // not by what is only skipped: a message without an end gets no more time
		}
		done += n
	}
	if len(r.chunk.lines) > 0 {
		r.chunk.end = r.base + int64(done)
		if err := r.c.submit(ctx, &r.chunk); err != nil {
			return false, err
		}
		r.stream.known = true
	}
	r.base += int64(done)
	r.used = copy(r.buf, r.buf[done:r.used])
	return len(r.chunk.lines) == chunkLines, broken
}

// finish hands on what the stream ends with, and says that it has ended.
func (r *reader) finish(ctx context.Context) {
	r.chunk.lines = r.chunk.lines[:0]
	if msg := r.frames.rest(r.buf[:r.used]); len(msg) > 0 {
		if l, ok := r.c.line(msg, r.base, false); ok {
			r.chunk.lines = append(r.chunk.lines, l)
		}
	}
	if len(r.chunk.lines) == 0 && !r.stream.known {
		return
	}
	r.chunk.end, r.chunk.done = r.base+int64(r.used), true
	_ = r.c.submit(ctx, &r.chunk)
}

// datagrams reads the socket, and goes on reading while the journal takes what was read before: what
// the kernel drops is not counted by anybody.
func (c *Collector) datagrams(ctx context.Context) {
	box := &mailbox{room: c.cfg.Buffer, news: make(chan struct{}, 1)}
	s := c.newStream()
	c.readers.Go(func() { c.forward(ctx, s, box) })
	buf := make([]byte, 1<<16)
	for {
		n, peer, err := c.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			c.log.Warn("read datagram", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(acceptWait):
			}
			continue
		}
		if !listen.Allowed(c.cfg.Allow, net.UDPAddrFromAddrPort(peer)) {
			c.stats.Add(func(s *Stats) { s.Forbidden++ })
			continue
		}
		msg, cut := buf[:n], n > c.cfg.MaxLine
		if cut {
			msg = msg[:c.cfg.MaxLine]
		}
		if l, ok := c.line(msg, 0, cut); ok && !box.put(l) {
			c.lose(1)
		}
	}
}

// forward hands on what is in the box.
func (c *Collector) forward(ctx context.Context, s *stream, box *mailbox) {
	k := &chunk{stream: s, outcome: make(chan error, 1)}
	for {
		select {
		case <-ctx.Done():
			k.lines, _ = box.take()
			c.lose(len(k.lines))
			return
		case <-box.news:
		}
		if k.lines, k.end = box.take(); len(k.lines) == 0 {
			continue
		}
		if c.submit(ctx, k) != nil {
			k.lines, _ = box.take()
			c.lose(len(k.lines))
			return
		}
	}
}
