package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/liveward/liveward/collectors/internal/walk"
	"github.com/liveward/liveward/internal/event"
)

const (
	blockBytes = 1 << 20
	blockLines = 16 << 10
	// maxRecord is the largest JSON value that is taken apart where values follow one another without a
	// line end, and the largest record of CloudWatch.
	maxRecord = 16 << 20
)

// reader cuts the unpacked bytes of an object into lines. One reader serves many objects.
//
// A line ends at a line feed. JSON objects that follow one another on a line, as Firehose writes
// records that have no line end of their own, are a line each; and a record of CloudWatch's
// subscriptions is as many lines as it holds messages, which have the offsets of the record and the
// bytes that follow it, one each.
type reader struct {
	maxLine int

	r     io.Reader
	block []byte // bytes that are read
	used  int    // of them, those that are cut
	base  int64  // offset in the object of the block's beginning
	eof   bool
	over  bool // the rest of a line that was too long is passed over

	lines []event.Line
	text  []byte // messages that do not stand in the object as they are
}

func newReader(maxLine int) *reader {
	return &reader{maxLine: maxLine, block: make([]byte, 0, blockBytes)}
}

func (r *reader) reset(from io.Reader) {
	if cap(r.block) > 2*blockBytes {
		r.block = make([]byte, 0, blockBytes)
	}
	if cap(r.text) > 2*blockBytes {
		r.text = nil
	}
	r.r, r.block, r.used, r.base, r.eof, r.over = from, r.block[:0], 0, 0, false, false
}

// next returns further lines, and the offset up to which they cover the object; io.EOF comes with the
// last of them. They are valid until next is called again.
func (r *reader) next() (lines []event.Line, end int64, err error) {
	clear(r.lines)
	r.lines, r.text = r.lines[:0], r.text[:0]
	r.base += int64(r.used)
	r.block = r.block[:copy(r.block, r.block[r.used:])]
	r.used = 0
	for {
		if err := r.fill(); err != nil {
			return nil, 0, err
		}
		r.cut()
		switch {
		case r.eof && r.used == len(r.block):
			return r.lines, r.base + int64(r.used), io.EOF
		case r.used > 0:
			return r.lines, r.base + int64(r.used), nil
		}
		// The block holds no whole line.
		if len(r.block) == cap(r.block) {
			r.block = append(make([]byte, 0, min(2*cap(r.block), maxRecord+2)), r.block...)
		}
	}
}

// fill reads until the block is full or the object ends.
func (r *reader) fill() error {
	for !r.eof && len(r.block) < cap(r.block) {
		n, err := r.r.Read(r.block[len(r.block):cap(r.block)])
		r.block = r.block[:len(r.block)+n]
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
		case err != nil:
			return err
		}
	}
	return nil
}

// cut takes whole lines off the block.
func (r *reader) cut() {
	feed := -1 // behind the line feed that ends the line at hand; -1: not looked for
	for r.used < len(r.block) && len(r.lines) < blockLines && len(r.text) < blockBytes {
		if feed <= r.used {
			feed = len(r.block) + 1 // there is none
			if n := bytes.IndexByte(r.block[r.used:], '\n'); n >= 0 {
				feed = r.used + n + 1
			}
		}
		whole := feed <= len(r.block)
		line := r.block[r.used:min(feed, len(r.block))]
		if r.over {
			r.over = !whole
			r.used += len(line)
			continue
		}
		n := r.line(line, whole || r.eof)
		if n == 0 {
			return
		}
		r.used += n
	}
}

// line takes one line, or the first JSON value of one. whole tells that the line does not go on. It
// returns how many bytes it took.
func (r *reader) line(line []byte, whole bool) int {
	if n := len(line) - len(bytes.TrimLeft(line, "\x00")); n > 0 {
		return n // what a crash of the writer's host leaves behind
	}
	if line[0] == '{' {
		if n := value(line, whole); n > 0 {
			r.json(line[:n])
			return n + spaces(line[n:], whole)
		}
	}
	limit := r.maxLine
	if line[0] == '{' {
		limit = max(limit, maxRecord)
	}
	switch {
	case whole:
		r.add(bytes.TrimRight(line, "\r\n"), 0)
		return len(line)
	case len(line) > limit:
		r.add(line, 0)
		r.over = true
		return len(line)
	}
	return 0
}

// value returns the length of the JSON object at the beginning of a line if the line holds nothing
// else, or if another object follows it. 0 means that the line is to be taken as it is, or that more of
// it must be seen.
func value(line []byte, whole bool) int {
	depth := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			n := stringEnd(line[i+1:])
			if n < 0 {
				return 0
			}
			i += n
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth > 0 {
				continue
			}
			rest := bytes.TrimLeft(line[i+1:], " \t\r\n")
			if len(rest) > 0 && rest[0] == '{' || len(rest) == 0 && whole {
				return i + 1
			}
			return 0
		}
	}
	return 0
}

// stringEnd returns the length of the rest of a string, with its quote; -1 where it does not end.
func stringEnd(rest []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(rest[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		slashes := 0
		for i := at - 2; i >= 0 && rest[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return at
		}
	}
}

// spaces is what stands between two values, or behind the last one.
func spaces(rest []byte, whole bool) int {
	trimmed := bytes.TrimLeft(rest, " \t\r\n")
	if len(trimmed) == 0 && !whole {
		return 0
	}
	return len(rest) - len(trimmed)
}

// json takes a JSON object.
func (r *reader) json(v []byte) {
	if !r.logEvents(v) {
		r.add(v, 0)
	}
}

// logEvents takes the messages of a record of CloudWatch's subscriptions.
func (r *reader) logEvents(v []byte) bool {
	if !bytes.Contains(v[:min(len(v), 64)], []byte(`"messageType"`)) || len(v) > maxRecord || !json.Valid(v) {
		return false
	}
	kind, events := walk.Member(v, "messageType"), walk.Member(v, "logEvents")
	if !walk.IsString(kind) || len(events) == 0 || events[0] != '[' {
		return false
	}
	if string(kind) == `"CONTROL_MESSAGE"` {
		return true // CloudWatch looks whether anybody is there
	}
	n := int64(0)
	walk.Elements(events, func(e []byte) bool {
		message := walk.Member(e, "message")
		if walk.IsString(message) {
			begin := len(r.text)
			r.text = append(r.text, walk.Unquote(message)...)
			text := bytes.TrimRight(r.text[begin:], "\r\n")
			for i, c := range text {
				if c == '\n' || c == '\r' {
					text[i] = ' '
				}
			}
			r.add(text, n)
		} else {
			r.add(e, n)
		}
		n++
		return true
	})
	return true
}

// add appends a line that begins at the bytes not cut yet, plus some.
func (r *reader) add(text []byte, plus int64) {
	if len(text) == 0 {
		return
	}
	l := event.Line{File: 1, Offset: r.base + int64(r.used) + plus, Data: text}
	if len(text) > r.maxLine {
		l.Data, l.Oversize = text[:r.maxLine], true
	}
	r.lines = append(r.lines, l)
}
