package formats

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/liveward/liveward/internal/event"
)

// Explanation says how a line was read.
type Explanation struct {
	Format     string      // the format that read it; "" where none did
	Why        string      // why that one
	Candidates []Candidate // auto's: the formats that something in the line speaks for, best first
	Envelope   int         // bytes that the transport has put around the line
	Parts      []Part      // members or columns of the line, in its order
	More       bool        // there are parts beyond the bound; they are not in Parts
}

// Candidate is a format that a line may be of.
type Candidate struct {
	Format string
	Points int
}

// Part is a member of a JSON object, a pair or a column. Its name comes from the line where it is a
// member or a pair: who shows it must escape it.
type Part struct {
	Name   string
	Fields []string // that would be different without it; none where nothing was taken from it
	Empty  bool     // there is no value: null, "", "-"
	start  int
	end    int
	quoted bool // a JSON string, or text between quotes
	json   bool
}

// Bounds of an explanation.
const (
	maxParts    = 256
	maxPartName = 96
)

// Explainer is a format that can tell how it read the line it was given last. What a field came from is
// found by experiment: each part of the line is changed in turn, and the line read again. So it tells
// what the format does, not what it was meant to do, and holds for maps and parsers alike; and reading
// a line costs some hundred times as much.
type Explainer struct {
	Format
	name    string
	last    Explanation
	decided bool // auto has read a line before
}

// NewExplainer makes the format of that name explain itself.
func NewExplainer(name string, f Format) *Explainer { return &Explainer{Format: f, name: name} }

// Last explains the line that was parsed last.
func (x *Explainer) Last() Explanation { return x.last }

// Parse implements Format.
func (x *Explainer) Parse(line []byte, ev *event.Event) error {
	x.last = Explanation{}
	inner, text := x.Format, line
	if f, ok := inner.(*enveloped); ok {
		var err error
		if text, err = f.peel(line); err != nil {
			return err
		}
		inner = f.inner
		x.last.Envelope = len(line) - len(text)
	}
	auto, isAuto := inner.(*autoFormat)
	if isAuto {
		x.candidates(auto, text)
	}
	err := inner.Parse(text, ev)
	if isAuto {
		inner = x.chosen(auto, ev.Str(event.EventProvider), err)
	} else {
		x.last.Format, x.last.Why = x.name, "the input, or --format, names it"
	}
	if err == nil {
		x.parts(inner, text, ev)
	}
	return err
}

// candidates judges the line by itself, as auto does.
func (x *Explainer) candidates(a *autoFormat, text []byte) {
	for i, f := range a.formats {
		if p := a.points(f, text); p > 0 {
			x.last.Candidates = append(x.last.Candidates, Candidate{a.names[i], p})
		}
	}
	slices.SortStableFunc(x.last.Candidates, func(p, q Candidate) int { return cmp.Compare(q.Points, p.Points) })
}

// chosen says which of auto's formats read the line, and why that one.
func (x *Explainer) chosen(a *autoFormat, name string, err error) Format {
	if err != nil {
		x.last.Why = "no format fits the line"
		return nil
	}
	i := slices.Index(a.names, name)
	fresh := !x.decided
	x.decided, x.last.Format = true, name
	switch {
	case fresh, i != a.current:
		x.last.Why = "the line has " + a.looks(i)
	case len(x.last.Candidates) > 0 && x.last.Candidates[0].Format == name:
		x.last.Why = "as the lines before it, it has " + a.looks(i)
	default:
		x.last.Why = "the lines before it were of this format, and it fits"
	}
	return a.formats[i]
}

// parts finds out which fields come from which part of the line, by reading it again without it.
func (x *Explainer) parts(f Format, text []byte, ev *event.Event) {
	parts := split(text)
	switch f := f.(type) {
	case *w3c:
		f.nameColumns(parts)
	case *accountCSV:
		parts = f.split(text)
	}
	x.last.More = len(parts) > maxParts
	parts = parts[:min(len(parts), maxParts)]
	whole := valuesOf(ev)
	var other event.Event
	for i := range parts {
		p := &parts[i]
		for _, changed := range p.changes(text) {
			other.Reset()
			if f.Parse(changed, &other) != nil {
				continue // the line is none without it; another change may tell more
			}
			p.note(whole, valuesOf(&other))
		}
	}
	x.last.Parts = parts
}

func valuesOf(ev *event.Event) map[string]string {
	m := make(map[string]string)
	ev.Values(func(name string, json []byte) { m[name] = string(json) })
	return m
}

// note adds the fields in which two readings differ.
func (p *Part) note(whole, other map[string]string) {
	for name, v := range whole {
		if w, ok := other[name]; (!ok || w != v) && !slices.Contains(p.Fields, name) {
			p.Fields = append(p.Fields, name)
		}
	}
	slices.Sort(p.Fields)
}

// changes are the lines in which the part has another value or none.
func (p *Part) changes(text []byte) [][]byte {
	with := func(start, end int, value []byte) []byte {
		return slices.Concat(text[:start], value, text[end:])
	}
	var out [][]byte
	if none := p.none(); none != nil {
		out = append(out, with(p.start, p.end, none))
	}
	// Words of one part are changed one by one: a request has a method, a path and a version.
	for start := p.start; start < p.end; {
		end := p.end
		if n := bytes.IndexByte(text[start:p.end], ' '); n >= 0 && p.quoted {
			end = start + n
		}
		if word := vary(text[start:end]); word != nil {
			out = append(out, with(start, end, word))
		}
		start = end + 1
	}
	return out
}

// none is what stands for no value where the part stands.
func (p *Part) none() []byte {
	switch {
	case p.json && p.quoted:
		return []byte{}
	case p.json:
		return []byte("null")
	case p.end > p.start:
		return []byte("-")
	}
	return nil
}

// vary returns a value that is like v and not the same: with another last digit, else another last
// letter. Nil where there is none that can be changed without harm.
func vary(v []byte) []byte {
	switch string(v) {
	case "true":
		return []byte("false")
	case "false":
		return []byte("true")
	case "null":
		return nil
	}
	if bytes.IndexByte(v, '\\') >= 0 {
		return nil // the last letter may belong to an escape
	}
	letter := -1
	for i := len(v) - 1; i >= 0; i-- {
		switch c := v[i]; {
		case '0' <= c && c <= '9':
			out := bytes.Clone(v)
			out[i] = '0' + (c-'0'+9)%10
			if c == '0' {
				out[i] = '1'
			}
			return out
		case letter < 0 && ('a' <= c|0x20 && c|0x20 <= 'z'):
			letter = i
		}
	}
	if letter < 0 {
		return nil
	}
	out := bytes.Clone(v)
	if out[letter]|0x20 == 'z' {
		out[letter] -= 2
	}
	out[letter]++
	return out
}

// partName bounds the name of a part.
func partName(b []byte) string { return string(b[:min(len(b), maxPartName)]) }
