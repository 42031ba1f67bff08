package formats

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// Envelope says what a source's transport puts around its lines.
type Envelope string

// The envelopes. EnvelopeAuto, also the meaning of "", peels whatever a line clearly has; a named one
// refuses lines without it. What is inside one may have another, four deep at most.
const (
	EnvelopeAuto   Envelope = "auto"
	EnvelopeNone   Envelope = "none"
	EnvelopeCRI    Envelope = "cri"    // Kubernetes: time stream P|F text
	EnvelopeDocker Envelope = "docker" // {"log":"text\n","stream":"stdout","time":"…"}
	EnvelopeSyslog Envelope = "syslog" // the header of RFC 5424 or RFC 3164
)

// Envelopes are the envelopes a configuration may name.
func Envelopes() []Envelope {
	return []Envelope{EnvelopeAuto, EnvelopeNone, EnvelopeCRI, EnvelopeDocker, EnvelopeSyslog}
}

func (e Envelope) check() error {
	for _, known := range Envelopes() {
		if e == known || e == "" {
			return nil
		}
	}
	return fmt.Errorf("unknown envelope %q; want one of auto, none, cri, docker, syslog", string(e))
}

const (
	maxEnvelopes = 4
	maxPartial   = 1 << 20 // bytes of a line that comes in parts
)

// The reasons an envelope is refused.
var (
	errNoEnvelope  = errors.New("the line lacks the envelope of its source")
	errPartialSize = errors.New("a line in parts is longer than 1 MiB")
)

// enveloped peels lines before a format reads them. A line that the container runtime has cut in
// parts is put together here, per stream: its parts are skipped, and the event takes the place of the
// last one. What is held of a line whose end has not come yet is lost when the agent ends.
type enveloped struct {
	peeler
	inner Format
}

// Parse implements Format.
func (f *enveloped) Parse(line []byte, ev *event.Event) error {
	text, err := f.peel(line)
	if err != nil {
		return err
	}
	return f.inner.Parse(text, ev)
}

// peeler takes envelopes off lines.
type peeler struct {
	kind  Envelope
	loc   *time.Location
	now   func() time.Time
	outer *outer
	parts [2]partial // of stdout, of stderr
	text  []byte     // room for text that does not stand in the line as it is
}

func newPeeler(opt Options) peeler {
	kind := opt.Envelope
	if kind == "" {
		kind = EnvelopeAuto
	}
	return peeler{kind: kind, loc: opt.Location, now: opt.Now, outer: opt.outer}
}

// peel returns the text inside. It is a part of the line, or stands in memory that is not used again.
func (p *peeler) peel(line []byte) ([]byte, error) {
	p.outer.time = instant{}
	kind := p.kind
	for range maxEnvelopes {
		text, ok, err := p.one(line, kind)
		switch {
		case err != nil:
			return nil, err
		case !ok && kind != EnvelopeAuto:
			return nil, errNoEnvelope
		case !ok:
			return line, nil
		}
		line, kind = text, EnvelopeAuto
	}
	return line, nil
}

// one takes one envelope off, if the line has it.
func (p *peeler) one(line []byte, kind Envelope) (text []byte, ok bool, err error) {
	if len(line) < 8 {
		return nil, false, nil
	}
	is := func(k Envelope) bool { return kind == EnvelopeAuto || kind == k }
	switch c := line[0]; {
	case c == '{':
		if kind == EnvelopeAuto {
			if text, ok, err = p.cloudwatch(line); ok || err != nil {
				return text, ok, err
			}
		}
		if is(EnvelopeDocker) {
			return p.docker(line)
		}
	case '0' <= c && c <= '9':
		if is(EnvelopeCRI) {
			if text, ok, err = p.cri(line); ok || err != nil {
				return text, ok, err
			}
		}
		if is(EnvelopeSyslog) {
			text, ok = p.syslog(line)
		}
	case c == '<', 'A' <= c && c <= 'S':
		if is(EnvelopeSyslog) {
			text, ok = p.syslog(line)
		}
	}
	return text, ok, err
}

// cri peels  2026-03-14T02:12:44.101Z stdout F text.  The tag may have more letters behind a colon.
func (p *peeler) cri(line []byte) ([]byte, bool, error) {
	if len(line) < 30 || line[4] != '-' || line[10] != 'T' {
		return nil, false, nil
	}
	n := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if n < 20 {
		return nil, false, nil
	}
	rest := line[n+1:]
	stream := 0
	switch {
	case bytes.HasPrefix(rest, []byte("stdout ")):
	case bytes.HasPrefix(rest, []byte("stderr ")):
		stream = 1
	default:
		return nil, false, nil
	}
	rest = rest[7:]
	if len(rest) == 0 || rest[0] != 'P' && rest[0] != 'F' || len(rest) > 1 && rest[1] != ' ' && rest[1] != ':' {
		return nil, false, nil
	}
	full := rest[0] == 'F'
	if _, after, ok := bytes.Cut(rest, []byte{' '}); ok {
		rest = after
	} else {
		rest = nil
	}
	p.at(line[:n])
	text, err := p.part(stream, line[:n], rest, full)
	return text, true, err
}

// at notes the time of an envelope. That of the innermost one that has any counts.
func (p *peeler) at(b []byte) {
	if at, ok := parseTime(event.Slot(b), epochAuto, p.loc); ok {
		p.outer.time = at
	}
}

// docker peels a line of docker's json-file driver. A text without a line end goes on.
func (p *peeler) docker(line []byte) ([]byte, bool, error) {
	if !bytes.HasPrefix(line, []byte(`{"log":"`)) {
		return nil, false, nil
	}
	log, rest, ok := quoted(line[len(`{"log":`):])
	if !ok {
		return nil, false, nil
	}
	i := bytes.Index(rest, []byte(`,"stream":"std`))
	j := bytes.LastIndex(rest, []byte(`,"time":"`))
	if i < 0 || j < i || rest[len(rest)-1] != '}' || i > 0 && rest[0] != ',' {
		return nil, false, nil
	}
	stamp, _, ok := quoted(rest[j+len(`,"time":`):])
	if !ok || len(stamp) > maxStamp {
		return nil, false, nil
	}
	stream := 0
	if bytes.HasPrefix(rest[i:], []byte(`,"stream":"stderr"`)) {
		stream = 1
	}
	p.at(stamp)
	text := unescape(p.room(len(log)*3), log) // what is not UTF-8 grows threefold
	p.keep(text)
	full := bytes.HasSuffix(text, []byte{'\n'})
	if full {
		text = bytes.TrimSuffix(text[:len(text)-1], []byte{'\r'})
	}
	text, err := p.part(stream, stamp, text, full)
	return text, true, err
}

const maxStamp = 40

// partial is what has come of a line.
type partial struct {
	buf   []byte
	stamp [maxStamp]byte // time of the last part
	n     int
	last  int // where the last part begins
	over  bool
}

// part takes a part of a line, and returns the whole once it is there. Parts come again when a batch
// is processed again: one that is older than what is held begins the line anew, and one that is there
// already is not taken twice.
func (p *peeler) part(stream int, stamp, text []byte, full bool) ([]byte, error) {
	s := &p.parts[stream]
	if full && s.n == 0 {
		return text, nil
	}
	if s.n > 0 {
		switch bytes.Compare(stamp, s.stamp[:s.n]) {
		case -1:
			s.forget()
		case 0:
			if !full && bytes.Equal(text, s.buf[s.last:]) {
				return nil, ErrPartial
			}
		}
	}
	if len(s.buf)+len(text) > maxPartial {
		s.over, s.buf = true, s.buf[:0]
	}
	if !full {
		s.n, s.last = copy(s.stamp[:], stamp), len(s.buf)
		if !s.over {
			s.buf = append(s.buf, text...)
		}
		return nil, ErrPartial
	}
	if s.over {
		s.forget()
		return nil, errPartialSize
	}
	whole := append(append(p.room(len(s.buf)+len(text)), s.buf...), text...)
	p.keep(whole)
	s.forget()
	return whole, nil
}

func (s *partial) forget() {
	if cap(s.buf) > 64<<10 {
		s.buf = nil
	}
	*s = partial{buf: s.buf[:0]}
}

// room returns memory for n bytes, of which keep marks those that are used. Memory that events hold
// slots into is never used again: blocks are given up to the garbage collector when they are full.
func (p *peeler) room(n int) []byte {
	if cap(p.text)-len(p.text) < n {
		p.text = make([]byte, 0, max(n, 64<<10))
	}
	return p.text[len(p.text) : len(p.text) : len(p.text)+n]
}

func (p *peeler) keep(used []byte) { p.text = p.text[:len(p.text)+len(used)] }
