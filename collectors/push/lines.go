package push

import (
	"github.com/liveward/liveward/internal/event"
)

const (
	lineStep = 256 // lines for which memory is borrowed at a time
	lineCost = 96  // bytes of a line beside its text, while its slice grows
)

// Lines takes the lines of a request's body. What it is given belongs to it. An error of its methods
// is the request's: its protocol returns it as it is.
type Lines struct {
	lines []event.Line
	end   int64 // of the last line, as if the lines were a file with a line end behind each
	// id and its namespace name the delivery where the body itself does.
	id, idKind string
	rejected   int

	maxLine  int
	maxLines int
	room     int64 // bytes that may still be unpacked
	memory   *loan
}

// NewLines makes Lines with a budget of their own, to try a protocol without a collector: of so many
// lines at most, of so many bytes each, from a body that unpacks to room bytes at most.
func NewLines(maxLine, maxLines int, room int64) *Lines {
	b := new(budget)
	b.left.Store(room + int64(maxLines)*lineCost + lineStep*lineCost)
	return &Lines{maxLine: maxLine, maxLines: maxLines, room: room, memory: &loan{from: b}}
}

// End is the offset behind the last line.
func (l *Lines) End() int64 { return l.end }

// Taken returns the lines that were taken, and how many records were rejected.
func (l *Lines) Taken() (lines []event.Line, rejected int) { return l.lines, l.rejected }

// Text takes what is pushed or published as plain lines are: lines of text, JSON, or the envelopes that
// gateways and clouds put around them. The body is written to.
func (l *Lines) Text(body []byte) error {
	d := decoder{l}
	return d.decode(body, false, false)
}

// Add takes a line; an empty one is none. What is longer than a line may be is cut and marked.
func (l *Lines) Add(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	if len(l.lines) >= l.maxLines {
		return errLines
	}
	if len(l.lines)%lineStep == 0 {
		if err := l.memory.take(lineStep * lineCost); err != nil {
			return err
		}
	}
	add := event.Line{Offset: l.end, Data: line}
	if len(line) > l.maxLine {
		add.Data, add.Oversize = line[:l.maxLine], true
	}
	l.lines = append(l.lines, add)
	l.end += int64(len(line)) + 1
	return nil
}

// Value takes a text or a JSON value as one line: line ends in it become spaces. A line end in valid
// JSON stands between tokens only.
func (l *Lines) Value(v []byte) error {
	for i, c := range v {
		if c == '\n' || c == '\r' {
			v[i] = ' '
		}
	}
	return l.Add(v)
}

// Take borrows memory for bytes that a body is unpacked to. It is given back with the request.
func (l *Lines) Take(n int64) error {
	if n > l.room {
		return errTooLarge
	}
	if err := l.memory.take(n); err != nil {
		return err
	}
	l.room -= n
	return nil
}

// MaxLine is how long a line may be.
func (l *Lines) MaxLine() int { return l.maxLine }

// Name names the delivery, by a kind of ids and the id: one that comes again has the same name.
func (l *Lines) Name(kind, id string) { l.idKind, l.id = kind, id }

// Reject counts a record that makes no line.
func (l *Lines) Reject() { l.rejected++ }
