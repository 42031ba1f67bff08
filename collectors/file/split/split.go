// Package split cuts blocks of a log into lines, without copying them.
//
// It never reads, never allocates for a line, and never looks at what a line says.
package split

import (
	"bytes"

	"github.com/liveward/liveward/internal/event"
)

// FingerprintBytes bounds how much of a first line its fingerprint covers.
const FingerprintBytes = 64 << 10

// Limits bound what Lines takes from one block.
type Limits struct {
	Line  int // bytes of a line; what is longer is cut and marked
	Lines int // entries of the slice that Lines appends to
}

// Lines appends the complete lines of data, which begins at offset off of its file, and returns the
// number of bytes they cover. A line ends at a line feed; a carriage return before it belongs to the
// line ending. Empty lines are covered and not appended. Zero bytes before a line are what a crash
// of the writer's host leaves behind: they are covered and belong to no line.
//
// The lines point into data.
func Lines(dst []event.Line, data []byte, file int, off int64, limits Limits) ([]event.Line, int) {
	done := 0
	for len(dst) < limits.Lines {
		n := bytes.IndexByte(data[done:], '\n')
		if n < 0 {
			break
		}
		dst = appendLine(dst, trimReturn(data[done:done+n]), file, off+int64(done), limits.Line)
		done += n + 1
	}
	return dst, done
}

// Rest appends what follows the last line feed of a file that nobody writes to any more.
func Rest(dst []event.Line, data []byte, file int, off int64, limits Limits) []event.Line {
	return appendLine(dst, trimReturn(data), file, off, limits.Line)
}

// Long appends a line that is longer than the limit; head is at least its first limits.Line bytes.
func Long(dst []event.Line, head []byte, file int, off int64, limits Limits) []event.Line {
	return append(dst, event.Line{File: file, Offset: off, Data: head[:min(len(head), limits.Line)], Oversize: true})
}

func appendLine(dst []event.Line, line []byte, file int, off int64, limit int) []event.Line {
	if zeros := Zeros(line); zeros > 0 {
		line, off = line[zeros:], off+int64(zeros)
	}
	switch {
	case len(line) == 0:
		return dst
	case len(line) > limit:
		return Long(dst, line, file, off, Limits{Line: limit})
	}
	return append(dst, event.Line{File: file, Offset: off, Data: line})
}

func trimReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// Zeros counts the zero bytes at the beginning of data.
func Zeros(data []byte) int {
	n := 0
	for n < len(data) && data[n] == 0 {
		n++
	}
	return n
}

// Fingerprint hashes the first line of a file, without its ending, from the file's first bytes. It
// is zero while the line is not complete. Of a first line longer than FingerprintBytes only that
// much is hashed.
func Fingerprint(head []byte) event.Hash {
	head = head[:min(len(head), FingerprintBytes+2)]
	n := bytes.IndexByte(head, '\n')
	switch {
	case n >= 0:
		return WholeFingerprint(head[:n])
	case len(head) == FingerprintBytes+2:
		return event.HashOf(head[:FingerprintBytes])
	}
	return event.Hash{}
}

// WholeFingerprint is the fingerprint of a first line known to be complete.
func WholeFingerprint(line []byte) event.Hash {
	line = trimReturn(line)
	return event.HashOf(line[:min(len(line), FingerprintBytes)])
}
