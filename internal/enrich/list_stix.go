package enrich

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// stixObject is what is read of an object of a bundle.
type stixObject struct {
	Type           string   `json:"type"`
	Name           string   `json:"name"`
	Pattern        string   `json:"pattern"`
	PatternType    string   `json:"pattern_type"`
	ValidFrom      string   `json:"valid_from"`
	ValidUntil     string   `json:"valid_until"`
	Revoked        bool     `json:"revoked"`
	Confidence     *int     `json:"confidence"`
	IndicatorTypes []string `json:"indicator_types"`
	Labels         []string `json:"labels"`
}

// stix reads a bundle of STIX 2.1, or what TAXII 2.1 answers with: of its indicators those whose pattern
// is met by an address alone.
func (r *listReader) stix(text []byte) {
	at := place{text: text}
	fail := func(offset int64) {
		line, column := at.of(offset)
		r.bad(line, column, "not a STIX bundle", "want one JSON object with objects in it")
	}
	if err := json.Unmarshal(text, new(passed)); err != nil {
		offset := int64(0)
		if se, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = se.Offset - 1
		}
		fail(offset)
		return
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		fail(0)
		return
	}
	for dec.More() {
		key, err := dec.Token()
		if key == "objects" {
			err = r.stixObjects(dec, &at)
		} else if err == nil {
			err = dec.Decode(new(passed))
		}
		if err != nil {
			fail(dec.InputOffset())
			return
		}
	}
}

// passed is a JSON value of which nothing is kept.
type passed struct{}

// UnmarshalJSON does nothing.
func (*passed) UnmarshalJSON([]byte) error { return nil }

var errNoObjects = errors.New("objects is no list")

func (r *listReader) stixObjects(dec *json.Decoder, at *place) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(errNoObjects, err)
	}
	for dec.More() {
		line, column := at.value(dec.InputOffset())
		var o stixObject
		err := dec.Decode(&o)
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			if o.Type == "indicator" {
				r.bad(line, column, "a property of this object has the wrong type", "see "+stixProperty(te.Field))
			}
			continue
		}
		if err != nil {
			return err
		}
		if o.Type == "indicator" {
			r.indicator(line, column, &o)
		}
	}
	_, err := dec.Token()
	return err
}

// stixProperty names a property that the reader knows: the text of a bundle is not to be quoted.
func stixProperty(field string) string {
	for _, known := range [...]string{"type", "name", "pattern", "pattern_type", "valid_from", "valid_until", "revoked", "confidence", "indicator_types", "labels"} {
		if field == known {
			return known
		}
	}
	return "the object"
}

func (r *listReader) indicator(line, column int, o *stixObject) {
	if o.Revoked || o.PatternType != "" && o.PatternType != "stix" {
		r.skipped++
		return
	}
	addresses, ok := patternAddresses(o.Pattern)
	if !ok {
		r.skipped++
		return
	}
	d := entryDetail{label: o.Name}
	for _, words := range [...][]string{o.IndicatorTypes, o.Labels} {
		if d.label == "" && len(words) > 0 {
			d.label = words[0]
		}
	}
	var fromOK, untilOK bool
	d.from, fromOK = listTime(o.ValidFrom)
	d.until, untilOK = listTime(o.ValidUntil)
	if !fromOK || !untilOK {
		r.bad(line, column, "valid_from or valid_until is no time", wantTime)
		return
	}
	if o.Confidence != nil {
		var known bool
		if d.confidence, known = confidenceScore(*o.Confidence); !known {
			r.bad(line, column, "no confidence", "want a number from 0 to 100")
			return
		}
	}
	for _, a := range addresses {
		r.add(line, column, a, d)
	}
}

// patternAddresses returns the addresses and networks each of which alone meets a pattern. Not ok is a
// pattern that no address alone meets, or that is written in a way this subset does not have: AND,
// FOLLOWEDBY, NOT, qualifiers, other comparisons.
func patternAddresses(pattern string) ([]string, bool) {
	p := patternReader{tokens: patternTokens(pattern)}
	var found []string
	for {
		p.skip("[", "(")
		path, operator := p.next(), p.next()
		values := p.values()
		if len(values) == 0 {
			return nil, false
		}
		switch path {
		case "ipv4-addr:value", "ipv6-addr:value":
			switch operator {
			case "=", "IN", "ISSUBSET":
			default:
				return nil, false
			}
			found = append(found, values...)
		default:
			if !strings.Contains(path, ":") || operator == "NOT" {
				return nil, false
			}
		}
		p.skip("]", ")")
		switch p.next() {
		case "":
			return found, len(found) > 0
		case "OR":
		default:
			return nil, false
		}
	}
}

// maxPattern bounds a pattern, in tokens.
const maxPattern = 10_000

// patternTokens cuts a pattern into words, texts (with a quote before them) and brackets. A pattern that
// is broken or too long has none.
func patternTokens(s string) []string {
	var tokens []string
	for i := 0; i < len(s); {
		if len(tokens) == maxPattern {
			return nil
		}
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.IndexByte("[](),", c) >= 0:
			tokens = append(tokens, s[i:i+1])
			i++
		case c == '\'':
			text, n := patternText(s[i:])
			if n == 0 {
				return nil
			}
			tokens = append(tokens, "'"+text)
			i += n
		case c == '=':
			tokens = append(tokens, "=")
			i++
		default:
			end := i + 1
			for end < len(s) && strings.IndexByte(" \t\r\n[](),'=", s[end]) < 0 {
				end++
			}
			tokens = append(tokens, s[i:end])
			i = end
		}
	}
	return tokens
}

// patternText reads a text in quotes and returns how many bytes it takes, 0 where it does not end.
func patternText(s string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			return b.String(), i + 1
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0
}

type patternReader struct{ tokens []string }

func (p *patternReader) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *patternReader) skip(words ...string) {
	for len(p.tokens) > 0 && (p.tokens[0] == words[0] || p.tokens[0] == words[1]) {
		p.tokens = p.tokens[1:]
	}
}

// values reads a text, or a list of them in parentheses. There are none where something else stands.
func (p *patternReader) values() []string {
	t := p.next()
	if text, ok := strings.CutPrefix(t, "'"); ok {
		return []string{text}
	}
	if t != "(" {
		if t == "" || strings.IndexByte("[]),", t[0]) >= 0 {
			return nil
		}
		return []string{t} // a number or a truth value, of another path
	}
	var out []string
	for {
		text, ok := strings.CutPrefix(p.next(), "'")
		if !ok {
			return nil
		}
		out = append(out, text)
		switch p.next() {
		case ")":
			return out
		case ",":
		default:
			return nil
		}
	}
}

// place finds line and column of offsets that ascend.
type place struct {
	text             []byte
	at, line, column int64
}

// value is the place of the value that stands behind an offset.
func (p *place) value(offset int64) (line, column int) {
	for offset < int64(len(p.text)) && strings.IndexByte(" \t\r\n,:", p.text[offset]) >= 0 {
		offset++
	}
	return p.of(offset)
}

func (p *place) of(offset int64) (line, column int) {
	if offset < p.at {
		p.at, p.line, p.column = 0, 0, 0
	}
	for ; p.at < min(offset, int64(len(p.text))); p.at++ {
		if p.text[p.at] == '\n' {
			p.line++
			p.column = 0
		} else {
			p.column++
		}
	}
	return int(p.line) + 1, int(p.column) + 1
}
