package journald

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/liveward/liveward/internal/event"
)

var errExport = errors.New("journalctl does not print what its export format is")

const (
	maxName   = 256 // bytes of a field's name
	maxCursor = 512
	maxFields = 4096 // of an entry
	discard   = -1
)

// exportReader reads entries of the export format: fields, each NAME=value on a line, or NAME, the
// value's length in eight bytes and the value; an empty line behind the last.
type exportReader struct {
	r       *bufio.Reader
	maxLine int

	after string     // the entry that is known already; empty where there is none, and once it was passed
	begin event.Hash // else that of the first entry, where lines of it are known; zero once it was passed
	at    int64      // offset of the next line
	end   int64      // where lines go on if that entry is gone

	message []byte // room
	cursor  []byte
}

// chunk reads whole entries until the chunk is full or would have to be waited for. io.EOF ends it.
func (r *exportReader) chunk(k *chunk) error {
	for {
		if err := r.entry(k); err != nil {
			return err
		}
		if len(k.text) >= chunkBytes || len(k.lines) >= chunkLines || k.entries > 0 && r.r.Buffered() == 0 {
			return nil
		}
	}
}

// entry reads an entry. Of one that the output ends within nothing is taken.
func (r *exportReader) entry(k *chunk) error {
	r.cursor, r.message = r.cursor[:0], r.message[:0]
	texts, over := 0, false
	for fields := 0; ; fields++ {
		name, inline, err := r.name()
		if err != nil {
			if errors.Is(err, io.EOF) && fields > 0 {
				return io.EOF
			}
			return err
		}
		if len(name) == 0 {
			if fields == 0 {
				fields--
				continue // between entries
			}
			break
		}
		if fields > maxFields {
			return errExport
		}
		var cut bool
		switch string(name) {
		case "__CURSOR":
			r.cursor, cut, err = r.value(r.cursor[:0], maxCursor, inline)
			if cut {
				return errExport
			}
		case "MESSAGE":
			if texts > 0 {
				r.message = append(r.message, '\n')
			}
			texts++
			// One byte more than a line may have tells that there is more of it.
			r.message, cut, err = r.value(r.message, len(r.message)+r.maxLine+1, inline)
			over = over || cut
		default:
			_, _, err = r.value(nil, discard, inline)
		}
		if err != nil {
			return err
		}
	}
	if !validCursor(r.cursor) {
		return errExport
	}
	r.take(k)
	return nil
}

// take adds the lines of the entry that was read to the chunk.
func (r *exportReader) take(k *chunk) {
	if r.after != "" {
		known := r.after == string(r.cursor)
		r.after = ""
		if known {
			k.add(r)
			return
		}
		k.vacuumed, r.at = true, r.end
	} else if !r.begin.IsZero() {
		if r.begin != fingerprint(string(r.cursor)) {
			k.vacuumed, r.at = true, r.end
		}
		r.begin = event.Hash{}
	}
	if k.first == "" {
		k.first = string(r.cursor)
	}
	begin := len(k.text)
	k.text = append(k.text, r.message...)
	text := k.text[begin:]
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		size := int64(len(line)) + 1
		if line = bytes.TrimSuffix(line, []byte{'\r'}); len(line) > 0 {
			l := event.Line{Offset: r.at, Data: line}
			if len(line) > r.maxLine {
				l.Data, l.Oversize = line[:r.maxLine], true
				k.oversize++
			}
			k.lines = append(k.lines, l)
		}
		r.at += size
	}
	k.add(r)
}

// add notes that an entry was read.
func (k *chunk) add(r *exportReader) {
	k.entries++
	k.cursor, k.end = append(k.cursor[:0], r.cursor...), r.at
}

// fingerprint tells this journal from another: it is that of the first entry that was read.
func fingerprint(cursor string) event.Hash { return event.HashStrings("journald", cursor) }

// name reads a field's name; inline tells that its value follows on the line. An empty name is the end
// of an entry. The name is valid until the next read.
func (r *exportReader) name() (name []byte, inline bool, err error) {
	for seen := 0; ; {
		// What is buffered is looked at without waiting for more.
		b, err := r.r.Peek(max(min(r.r.Buffered(), maxName), seen+1))
		for i := seen; i < len(b); i++ {
			switch c := b[i]; {
			case c == '=', c == '\n':
				_, _ = r.r.Discard(i + 1)
				return b[:i], c == '=', nil
			case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
			default:
				return nil, false, errExport
			}
		}
		if seen = len(b); seen >= maxName {
			return nil, false, errExport
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// value appends a field's value to dst, up to limit bytes in all; discard keeps none. cut tells that
// there were more.
func (r *exportReader) value(dst []byte, limit int, inline bool) (_ []byte, cut bool, err error) {
	keep := func(part []byte) {
		room := max(limit-len(dst), 0)
		cut = cut || len(part) > room
		if limit != discard {
			dst = append(dst, part[:min(room, len(part))]...)
		}
	}
	if inline {
		for {
			part, err := r.r.ReadSlice('\n')
			if err == nil {
				keep(part[:len(part)-1])
				return dst, cut, nil
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return dst, cut, err
			}
			keep(part)
		}
	}
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return dst, cut, eof(err)
	}
	for left := binary.LittleEndian.Uint64(head[:]); left > 0; {
		part, err := r.r.Peek(int(min(left, uint64(r.r.Size()))))
		if len(part) == 0 {
			return dst, cut, eof(err)
		}
		keep(part)
		left -= uint64(len(part))
		_, _ = r.r.Discard(len(part))
	}
	if c, err := r.r.ReadByte(); err != nil {
		return dst, cut, eof(err)
	} else if c != '\n' {
		return dst, cut, errExport
	}
	return dst, cut, nil
}

func eof(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// validCursor tells whether text can be a cursor: it becomes an argument of journalctl.
func validCursor(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '=', c == ';', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
