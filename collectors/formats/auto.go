package formats

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// errUnrecognised refuses a line that no format knows.
var errUnrecognised = errors.New("no format recognises the line")

// Detect finds the format that fits lines best, and says why. Blank lines do not count.
func (s *Set) Detect(lines [][]byte) (name, why string, ok bool) {
	opt := Options{outer: new(outer)}
	p := newPeeler(opt)
	var texts [][]byte
	for _, l := range lines {
		text, err := p.peel(l)
		switch {
		case err == nil:
			texts = append(texts, text)
		case !unjudged(err):
			texts = append(texts, l)
		}
	}
	return s.newDetector(opt).detect(texts)
}

// detector holds an instance of each format.
type detector struct {
	names   []string
	formats []Format
	ev      event.Event
}

func (s *Set) newDetector(opt Options) *detector {
	d := &detector{names: s.names}
	for _, n := range s.names {
		d.formats = append(d.formats, s.make(n, opt))
	}
	return d
}

// detect judges each format by the share of lines it fits and by how much in them speaks for it.
func (d *detector) detect(lines [][]byte) (name, why string, ok bool) {
	total := 0
	for _, l := range lines {
		if len(strings.TrimSpace(string(l[:min(len(l), 64)]))) > 0 {
			total++
		}
	}
	if total == 0 {
		return "", "there is no line to judge by", false
	}
	best, bestFits, bestPoints := -1, 0, 0
	for i, f := range d.formats {
		fits, points := 0, 0
		for _, l := range lines {
			if p := d.points(f, l); p > 0 {
				fits++
				points += p
			}
		}
		if fits > bestFits || fits == bestFits && points > bestPoints {
			best, bestFits, bestPoints = i, fits, points
		}
	}
	if best < 0 || bestFits*2 <= total {
		return "", fmt.Sprintf("no format fits more than half of %d lines", total), false
	}
	return d.names[best], fmt.Sprintf("%d of %d lines have %s", bestFits, total, d.looks(best)), true
}

// looks says what lines of a format look like.
func (d *detector) looks(i int) string {
	if n := nativeOf(d.names[i]); n != nil {
		return n.what
	}
	return "the form of JSON objects with the keys of " + d.names[i]
}

// points says how much speaks for a line being of a format; 0 that it is not.
func (d *detector) points(f Format, line []byte) int {
	d.ev.Reset()
	if err := f.Parse(line, &d.ev); err != nil && !unjudged(err) {
		return 0
	}
	m, isMap := f.(*mapFormat)
	if s, ok := f.(scored); ok {
		return s.score()
	}
	if !isMap {
		return 10
	}
	if len(m.prog.require)+len(m.prog.weights) == 0 || !m.fits() || !m.speaks() {
		return 0 // a map without detect: is used only by name
	}
	points := 5 * len(m.prog.require)
	for _, w := range m.prog.weights {
		if m.scan.get(w.slot).kind != kindNone {
			points += w.points
		}
	}
	return points
}

// switchAfter is how many lines in a row must fit another format before auto says that the source has
// changed. Each of them is read with the format it fits.
const switchAfter = 3

// autoFormat reads each line with the format its source has shown so far. A line that does not fit is
// judged anew by itself, so what becomes of it hardly depends on where reading began.
type autoFormat struct {
	*detector
	log     *slog.Logger
	current int // -1: not decided
	other   int // the format of the last misfits
	misfits int
}

func newAutoFormat(s *Set, opt Options) *autoFormat {
	return &autoFormat{detector: s.newDetector(opt), log: opt.Log, current: -1, other: -1}
}

// Parse implements Format.
func (a *autoFormat) Parse(line []byte, ev *event.Event) error {
	var err error
	if a.current >= 0 {
		if err = a.parseWith(a.current, line, ev); err == nil || unjudged(err) {
			a.misfits = 0
			return err
		}
		ev.Reset()
	}
	name, why, ok := a.detect([][]byte{line})
	if !ok {
		if err == nil || errors.Is(err, errMisfit) {
			err = errUnrecognised
		}
		return err
	}
	i := slices.Index(a.names, name)
	switch {
	case a.current < 0:
		a.current = i
		a.log.Info("format detected", slog.String("format", name), slog.String("why", why))
	case a.other != i:
		a.other, a.misfits = i, 1
	default:
		a.misfits++
	}
	if a.misfits >= switchAfter {
		a.log.Warn("format changed", slog.String("from", a.names[a.current]), slog.String("to", name), slog.String("why", why))
		a.current, a.misfits = i, 0
	}
	return a.parseWith(i, line, ev)
}

var errMisfit = errors.New("the line lacks keys of its format")

func (a *autoFormat) parseWith(i int, line []byte, ev *event.Event) error {
	f := a.formats[i]
	if err := f.Parse(line, ev); err != nil {
		return err
	}
	switch f := f.(type) {
	case *mapFormat:
		if !f.fits() || !f.speaks() {
			return errMisfit
		}
	case scored:
		if f.score() == 0 {
			return errMisfit
		}
	}
	return nil
}

// speaks tells whether anything beside a single required key speaks for the line being of the format:
// one key alone, as @timestamp, is no evidence.
func (f *mapFormat) speaks() bool {
	if len(f.prog.require) != 1 || len(f.prog.weights) == 0 {
		return true
	}
	for _, w := range f.prog.weights {
		if f.scan.get(w.slot).kind != kindNone {
			return true
		}
	}
	return false
}
