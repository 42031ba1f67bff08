package pipeline

import (
	"bytes"
	"errors"
	"io"

	"github.com/liveward/liveward/collectors/file/split"
	"github.com/liveward/liveward/internal/event"
)

// lineReader cuts a stream into lines with what the collectors cut them with: of the same bytes come the
// same lines, at the same offsets, and the same fingerprint.
type lineReader struct {
	longest  int  // bytes of a line; what is longer is cut and marked
	numbered bool // number is counted

	r      io.Reader
	err    error // of a read; what was read before it comes first
	block  []byte
	start  int // from here to end the block has what was read and is in no line yet
	end    int
	off    int64        // of block[start] in the stream
	first  event.Hash   // the fingerprint, known as soon as there is a line
	lines  []event.Line // they point into the block
	number int          // of the last line that next gave, where it gave one
}

const (
	blockBytes = 256 << 10 // grows where a line is longer
	minRead    = 64 << 10
)

// reset begins with another stream.
func (l *lineReader) reset(r io.Reader) {
	*l = lineReader{longest: l.longest, numbered: l.numbered, block: l.block, lines: l.lines, r: r}
	if l.block == nil {
		l.block = make([]byte, blockBytes)
	}
}

// next gives the next lines, at least one and not more than most. They are good until it is called again.
// At the end there is io.EOF, and no line.
func (l *lineReader) next(most int) ([]event.Line, error) {
	limits := split.Limits{Line: l.longest, Lines: most}
	for {
		if !l.first.IsZero() {
			var done int
			l.lines, done = split.Lines(l.lines[:0], l.block[l.start:l.end], 0, l.off, limits)
			l.advance(done)
			if len(l.lines) > 0 {
				return l.lines, nil
			}
		}
		switch long, err := l.fill(); {
		case err == nil && long:
			return l.long(limits)
		case err == nil:
		case errors.Is(err, io.EOF) && l.start < l.end:
			if l.lines = l.rest(limits); len(l.lines) > 0 {
				return l.lines, nil
			}
		default:
			return nil, err
		}
	}
}

// rest takes what follows the last line feed.
func (l *lineReader) rest(limits split.Limits) []event.Line {
	data, off := l.block[l.start:l.end], l.off
	if l.first.IsZero() {
		l.first = split.WholeFingerprint(data)
	}
	l.advance(len(data))
	l.number++
	return split.Rest(l.lines[:0], data, 0, off, limits)
}

// advance passes over n bytes of the block.
func (l *lineReader) advance(n int) {
	if l.numbered {
		l.number += bytes.Count(l.block[l.start:l.start+n], []byte{'\n'})
	}
	l.start += n
	l.off += int64(n)
}

// fill reads on behind what is in no line yet. long tells that this is the beginning of a line longer
// than the longest, which fills the block.
func (l *lineReader) fill() (long bool, err error) {
	if l.err != nil {
		return false, l.err
	}
	if len(l.block)-l.end < minRead {
		l.end = copy(l.block, l.block[l.start:l.end])
		l.start = 0
	}
	if len(l.block)-l.end < minRead { // one line, or not even its end
		switch zeros := split.Zeros(l.block[:l.end]); {
		case zeros > 0 && !l.first.IsZero():
			l.advance(zeros)
			return false, nil
		case l.end > l.longest+1 && !l.first.IsZero():
			return true, nil
		}
		grown := make([]byte, min(2*len(l.block), max(l.longest, len(l.block))+2*minRead))
		copy(grown, l.block[:l.end])
		l.block = grown
	}
	l.read(l.end)
	if l.first.IsZero() {
		l.first = split.Fingerprint(l.block[l.start:l.end])
	}
	return false, nil
}

// read reads into the block from an offset of it. Bytes that come with an error come first.
func (l *lineReader) read(at int) {
	n := 0
	for range 100 { // a reader may give nothing, but not for ever
		if n, l.err = l.r.Read(l.block[at:]); n > 0 || l.err != nil {
			l.end = at + n
			return
		}
	}
	l.err = io.ErrNoProgress
}

// long takes the line of which the block holds the beginning, and looks for its end.
func (l *lineReader) long(limits split.Limits) ([]event.Line, error) {
	off := l.off
	l.advance(l.end - l.start)
	for ended := false; !ended; {
		if errors.Is(l.err, io.EOF) {
			l.number++
			break
		}
		if l.err != nil {
			return nil, l.err
		}
		l.read(l.longest)
		l.start = l.longest
		n := bytes.IndexByte(l.block[l.start:l.end], '\n')
		if ended = n >= 0; !ended {
			n = l.end - l.start - 1
		}
		l.advance(n + 1)
	}
	l.lines = split.Long(l.lines[:0], l.block[:l.longest], 0, off, limits)
	return l.lines, nil
}
