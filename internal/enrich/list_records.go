package enrich

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Columns that lists have of one thing, by the names feeds give them; the first that a record has is
// taken.
//
//nolint:gochecknoglobals // constant
var (
	networkColumns    = []string{"network", "cidr", "prefix", "subnet", "ip", "ip_address", "ipaddress", "address", "src_ip", "dst_ip", "indicator", "ioc", "ioc_value", "value"}
	kindColumns       = []string{"type", "ioc_type", "indicator_type"}
	labelColumns      = []string{"label", "name", "malware_printable", "malware", "family", "threat", "threat_type", "description", "category", "tags", "tag"}
	fromColumns       = []string{"valid_from"}
	untilColumns      = []string{"valid_until", "expires", "expires_at", "expiration", "expiry"}
	confidenceColumns = []string{"confidence", "confidence_level"}
)

// record is a row or an object: the value of the first of the columns that it has, and where it stands.
type record func(columns []string) (value string, column int)

// record takes an entry, or says what is wrong with it.
func (r *listReader) record(line int, get record) {
	network, at := get(networkColumns)
	kind, _ := get(kindColumns)
	if !isAddressKind(kind) {
		r.skipped++
		return
	}
	if network == "" {
		r.bad(line, max(at, 1), "no network", "name its column "+strings.Join(networkColumns, ", "))
		return
	}
	var d entryDetail
	d.label, _ = get(labelColumns)
	var ok bool
	text, column := get(fromColumns)
	if d.from, ok = listTime(text); !ok {
		r.bad(line, max(column, 1), "valid_from is no time", wantTime)
		return
	}
	text, column = get(untilColumns)
	if d.until, ok = listTime(text); !ok {
		r.bad(line, max(column, 1), "valid_until is no time", wantTime)
		return
	}
	text, column = get(confidenceColumns)
	if d.confidence, ok = confidenceOf(text); !ok {
		r.bad(line, max(column, 1), "no confidence", "want a number from 0 to 100, or None, Low, Medium, High")
		return
	}
	r.add(line, max(at, 1), network, d)
}

const wantTime = "want a form like 2026-03-01T00:00:00Z, 2026-03-01 00:00:00 or 2026-03-01"

// confidenceOf reads a number from 0 to 100 by the scale of STIX 2.1, or a word.
func confidenceOf(s string) (uint8, bool) {
	if s == "" {
		return confidenceUntold, true
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		for i, name := range confidenceNames {
			if name != "" && strings.EqualFold(s, name) {
				return uint8(i), true
			}
		}
		return confidenceUntold, strings.EqualFold(s, "med") || strings.EqualFold(s, "unknown") || strings.EqualFold(s, "not specified")
	}
	return confidenceScore(n)
}

// confidenceScore places a number on the scale of STIX 2.1.
func confidenceScore(n int) (uint8, bool) {
	switch {
	case n < 0 || n > 100:
		return confidenceUntold, false
	case n == 0:
		return confidenceNone, true
	case n < 30:
		return confidenceLow, true
	case n < 70:
		return confidenceMedium, true
	}
	return confidenceHigh, true
}

// csv reads a list of columns. The first row names them; where it does not, the first column has the
// network and the second the label.
func (r *listReader) csv(text []byte) {
	c := csv.NewReader(bytes.NewReader(text))
	c.Comment, c.FieldsPerRecord, c.TrimLeadingSpace, c.ReuseRecord = '#', -1, true, true
	var header []string
	for first := true; ; first = false {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			line, column := 1, 1
			if pe, ok := errors.AsType[*csv.ParseError](err); ok {
				line, column = pe.StartLine, 1 // where the quote that does not close may be
				if pe.Line == pe.StartLine {
					column = max(pe.Column, 1)
				}
			}
			r.bad(line, column, "not CSV", "quotes must close")
			return
		}
		if first {
			if header = headerOf(row); header != nil {
				continue
			}
			header = []string{"network", "label"}
		}
		line, _ := c.FieldPos(0)
		r.record(line, func(columns []string) (string, int) {
			for _, name := range columns {
				if i := slices.Index(header, name); i >= 0 && i < len(row) {
					_, column := c.FieldPos(i)
					return strings.TrimSpace(row[i]), column
				}
			}
			return "", 0
		})
		if len(r.problems) == maxProblems {
			return
		}
	}
}

// headerOf returns the names of columns, nil where the row is one of values.
func headerOf(row []string) []string {
	header := make([]string, len(row))
	known := false
	for i, name := range row {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		known = known || slices.Contains(networkColumns, header[i])
	}
	if !known {
		return nil
	}
	return header
}

// jsonLines reads a list of objects, one a line.
func (r *listReader) jsonLines(text []byte) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		if len(line) > maxListLine {
			r.bad(n, 1, "the line is too long", "")
			continue
		}
		var object map[string]any
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&object); err != nil || dec.More() {
			r.bad(n, max(jsonColumn(err, dec), 1), "not a JSON object", "one a line")
			continue
		}
		r.record(n, func(columns []string) (string, int) {
			for _, name := range columns {
				switch v := object[name].(type) {
				case string:
					return strings.TrimSpace(v), 1
				case json.Number:
					return v.String(), 1
				}
			}
			return "", 1
		})
		if len(r.problems) == maxProblems {
			return
		}
	}
}

// jsonColumn is where in a text the decoder stopped, from 1.
func jsonColumn(err error, dec *json.Decoder) int {
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		return int(se.Offset)
	}
	return int(dec.InputOffset()) + 1
}
