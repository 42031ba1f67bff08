package formats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// split cuts a line into the parts that an explanation names: the members of a JSON object, else pairs
// and columns. One part more than maxParts is the most.
func split(text []byte) []Part {
	if t := bytes.TrimLeft(text, " \t"); len(t) > 0 && t[0] == '{' {
		if parts, ok := splitJSON(text); ok {
			return parts
		}
	}
	return splitColumns(text)
}

// splitJSON names every value of an object that is no object by its path.
func splitJSON(text []byte) (parts []Part, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var stack []frame
	for len(parts) <= maxParts {
		before := int(dec.InputOffset())
		token, err := dec.Token()
		if err != nil {
			return parts, len(stack) == 0
		}
		end := int(dec.InputOffset())
		top := len(stack) - 1
		if d, is := token.(json.Delim); is && (d == '}' || d == ']') {
			stack = stack[:top]
			continue
		}
		path := ""
		if top >= 0 {
			f := &stack[top]
			if !f.array && !f.value {
				f.key, f.value = token.(string), true
				continue
			}
			path = f.step()
			f.index, f.value = f.index+1, false
		}
		if d, is := token.(json.Delim); is {
			stack = append(stack, frame{path: path, array: d == '['})
			continue
		}
		start := before + bytes.IndexFunc(text[before:end], func(r rune) bool { return r != ' ' && r != '\t' && r != ',' && r != ':' && r != '\n' && r != '\r' })
		p := Part{Name: partName([]byte(path)), start: start, end: end, json: true}
		if text[start] == '"' {
			p.quoted, p.start, p.end = true, start+1, end-1
		}
		v := text[p.start:p.end]
		p.Empty = len(v) == 0 || string(v) == "-" || !p.quoted && string(v) == "null"
		parts = append(parts, p)
	}
	return parts, true
}

// frame is an object or array that is open.
type frame struct {
	path  string
	array bool
	index int    // of the next element
	key   string // of the next value of an object
	value bool   // the next token is that value
}

// step is the path of the next value, not much longer than a name may be: a key that stands deep in
// others has a name as long as theirs together.
func (f *frame) step() string {
	path := f.path[:min(len(f.path), maxPartName)]
	switch {
	case f.array:
		return path + "[" + strconv.Itoa(f.index) + "]"
	case path == "":
		return f.key
	}
	return path + "." + f.key
}

// splitColumns cuts a line of text at blanks and bars. What stands in quotes or brackets is one part; a
// pair goes by its key, and a word behind one that ends in a colon by that word.
func splitColumns(text []byte) []Part {
	var parts []Part
	label := ""
	for i, column := 0, 0; i < len(text) && len(parts) <= maxParts; {
		if c := text[i]; c == ' ' || c == '\t' || c == '|' {
			i++
			continue
		}
		column++
		p := Part{Name: "column " + strconv.Itoa(column), start: i}
		if n := bytes.IndexByte(text[i:], '='); n > 0 && isKey(text[i:i+n]) {
			p.Name, p.start = partName(text[i:i+n]), i+n+1
		} else if label != "" {
			p.Name = label
		}
		label = ""
		i = p.close(text)
		v := text[p.start:p.end]
		p.Empty = len(v) == 0 || string(v) == "-"
		if n := len(v); n > 1 && v[n-1] == ':' && isKey(v[:n-1]) {
			label, p.Empty = partName(v[:n-1]), true // a name, not a value
		}
		parts = append(parts, p)
	}
	return parts
}

// close finds the end of the part that begins at its start, and returns where the text goes on.
func (p *Part) close(text []byte) int {
	i := p.start
	if i < len(text) {
		if shut := map[byte]byte{'"': '"', '[': ']'}[text[i]]; shut != 0 {
			for j := i + 1; j < len(text); j++ {
				switch {
				case text[j] == '\\' && shut == '"':
					j++
				case text[j] == shut:
					p.quoted, p.start, p.end = true, i+1, j
					return j + 1
				}
			}
		}
	}
	for i < len(text) && text[i] != ' ' && text[i] != '\t' && text[i] != '|' {
		i++
	}
	p.end = i
	return i
}

// isKey tells whether b can be the key of a pair: a word, as logs have them.
func isKey(b []byte) bool {
	for _, c := range b {
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if !letter && !digit && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxPartName
}

// nameColumns gives parts the names of the columns, where there are as many.
func (f *w3c) nameColumns(parts []Part) {
	for i := range parts {
		if len(parts) == f.n {
			parts[i].Name = fmt.Sprintf("%s (column %d)", f.names[i], i+1)
		}
	}
}

// split cuts a line into its columns, by name.
func (f *accountCSV) split(text []byte) []Part {
	var parts []Part
	for i := 0; i <= len(text) && len(parts) < f.n; {
		p := Part{Name: f.names[len(parts)], start: i, end: len(text)}
		if n := bytes.IndexByte(text[i:], f.comma); n >= 0 {
			p.end = i + n
		}
		i = p.end + 1
		p.Empty = p.start == p.end
		parts = append(parts, p)
	}
	return parts
}
