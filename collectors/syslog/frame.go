package syslog

import (
	"bytes"
	"errors"
)

// Framing is how messages follow one another in a stream.
type Framing string

// The framings of RFC 6587. FramingAuto, also the meaning of "", looks at the beginning of each
// connection: a number and a space before a priority are a count.
const (
	FramingAuto    Framing = "auto"
	FramingOctet   Framing = "octet"   // each message has its length before it
	FramingNewline Framing = "newline" // each message has a line end behind it
)

// longestCount bounds the digits of a message's length.
const longestCount = 8

var errFrame = errors.New("no length where one must stand")

// framer cuts a stream into messages. It keeps no bytes.
type framer struct {
	framing Framing // resolved once the first bytes are there
	limit   int
	skip    int  // octets of a message that is cut, still to come
	toLine  bool // the end of a line that is cut is still to come
}

// next looks at the bytes that follow what was consumed. n of them are to be consumed; zero asks for
// more. A message without bytes is nothing to hand on. cut marks a message whose end is dropped.
func (f *framer) next(b []byte) (msg []byte, n int, cut bool, err error) {
	switch {
	case f.skip > 0:
		n = min(f.skip, len(b))
		f.skip -= n
		return nil, n, false, nil
	case f.toLine:
		if n = bytes.IndexByte(b, '\n') + 1; n > 0 {
			f.toLine = false
			return nil, n, false, nil
		}
		return nil, len(b), false, nil
	case len(b) == 0:
		return nil, 0, false, nil
	}
	if f.framing == FramingAuto || f.framing == "" {
		if f.framing = detect(b); f.framing == "" {
			return nil, 0, false, nil
		}
	}
	if f.framing == FramingOctet {
		return f.octets(b)
	}
	n = bytes.IndexByte(b, '\n')
	if n < 0 && len(b) <= f.limit {
		return nil, 0, false, nil
	}
	if n < 0 {
		f.toLine = true
		return b[:f.limit], len(b), true, nil
	}
	if n > f.limit {
		return b[:f.limit], n + 1, true, nil
	}
	return b[:n], n + 1, false, nil
}

func (f *framer) octets(b []byte) (msg []byte, n int, cut bool, err error) {
	if b[0] == '\n' || b[0] == '\r' { // some senders end counted messages with a line end too
		return nil, 1, false, nil
	}
	count, head, err := length(b)
	if err != nil || head == 0 {
		return nil, 0, false, err
	}
	if count <= f.limit {
		if len(b) < head+count {
			return nil, 0, false, nil
		}
		return b[head : head+count], head + count, false, nil
	}
	if len(b) < head+f.limit {
		return nil, 0, false, nil
	}
	n = min(len(b), head+count)
	f.skip = head + count - n
	return b[head : head+f.limit], n, true, nil
}

// length reads the count and the space behind it; head is how long they are, zero while they are not
// there.
func length(b []byte) (count, head int, err error) {
	for i, c := range b[:min(len(b), longestCount+1)] {
		switch {
		case c == ' ' && i > 0:
			return count, i + 1, nil
		case c < '0' || c > '9' || i == longestCount || i == 0 && c == '0':
			return 0, 0, errFrame
		}
		count = 10*count + int(c-'0')
	}
	return 0, 0, nil
}

// detect tells the framing from the first bytes, and nothing while they do not tell.
func detect(b []byte) Framing {
	_, head, err := length(b)
	switch {
	case err != nil:
		return FramingNewline
	case head == 0 || head == len(b):
		return ""
	case b[head] == '<':
		return FramingOctet
	}
	return FramingNewline
}

// rest is the message that a stream ends in the middle of.
func (f *framer) rest(b []byte) []byte {
	if f.skip > 0 || f.toLine {
		return nil
	}
	if f.framing == FramingOctet {
		if _, head, err := length(b); err == nil && head > 0 {
			b = b[head:]
		}
	}
	return b[:min(len(b), f.limit)]
}

// clean makes one line of a message: no line end behind it, and none within. It writes to b.
func clean(b []byte) []byte {
	b = bytes.TrimRight(b, "\r\n\x00")
	for i, c := range b {
		if c == '\n' {
			b[i] = ' '
		}
	}
	return b
}
