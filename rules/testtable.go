package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// parseTable reads the table notation of a test:
//
//	t                  client.ip    gateway.auth  alert
//	0s x20 every 10s   203.0.113.7  refused       ALERT@190s
//	10m                203.0.113.7  accepted
//
// The first line names the columns: t, fields, and alert at the end. A row is an event at t, or with
// "xN every D" N events from t on, in whose values {i} counts from 1. "-" is no value; a value with
// blanks stands in double quotes. ALERT says that an alert fires at the row's last event, ALERT@D
// that one fires at that time, RECOVERED that what was absent is back; several are joined by commas.
// A row of "clock" alone moves the clock to t. Lines that begin with # are comments.
func parseTable(d decoder, n, given *node, t *testCase) {
	char := 0
	var columns []tableCell
	for line := range strings.Lines(n.text) {
		cells, err := splitCells(line, char)
		char += utf8.RuneCountInString(line)
		if err != nil {
			d.at(n, cells[len(cells)-1].char, "", "table: %s", err)
			return
		}
		if len(cells) == 0 {
			continue
		}
		if columns == nil {
			columns = cells
			if !tableHead(d, n, columns) {
				return
			}
			continue
		}
		if !tableRow(d, n, given, columns, cells, t) || len(t.moves) > maxMoves {
			return
		}
	}
	if columns == nil {
		d.errorf(n, "the first line names the columns: t, fields, alert", "table is empty")
	}
}

// tableCell is a word of a table with the place where it stands in its text.
type tableCell struct {
	text   string
	char   int
	quoted bool
}

// at reports a problem at a character of a scalar.
func (d decoder) at(n *node, char int, hint, format string, args ...any) {
	d.source.report(LevelError, d.source.within(n, char), fmt.Sprintf(format, args...), hint)
}

// splitCells splits a line at blanks; on an error the last cell is where it is.
func splitCells(line string, char int) ([]tableCell, error) {
	var cells []tableCell
	runes := []rune(line)
	for i := 0; i < len(runes); {
		if strings.ContainsRune(" \t\r\n", runes[i]) {
			i++
			continue
		}
		if runes[i] == '#' {
			break
		}
		start := i
		if runes[i] == '"' {
			for i++; i < len(runes) && runes[i] != '"'; i++ {
			}
			cells = append(cells, tableCell{string(runes[start+1 : min(i, len(runes))]), char + start, true})
			if i >= len(runes) {
				return cells, errors.New("a quote is not closed")
			}
			i++
			continue
		}
		for i < len(runes) && !strings.ContainsRune(" \t\r\n", runes[i]) {
			i++
		}
		cells = append(cells, tableCell{string(runes[start:i]), char + start, false})
	}
	return cells, nil
}

func tableHead(d decoder, n *node, columns []tableCell) bool {
	if columns[0].text != "t" {
		d.at(n, columns[0].char, "", "the first column of a table is t")
		return false
	}
	seen := map[string]bool{}
	for i, c := range columns[1:] {
		if c.text == "alert" {
			if i != len(columns)-2 {
				d.at(n, c.char, "", "the column alert is the last")
				return false
			}
			continue
		}
		_, field := event.Lookup(c.text)
		if _, ok := alertFields()[c.text]; ok && d.alerts {
			field = true
		}
		if name, label := strings.CutPrefix(c.text, "labels."); !field && (!label || name == "") {
			d.at(n, c.char, strict.Suggest(c.text, fieldNames()), "unknown field %q in a table", c.text)
			return false
		}
		if seen[c.text] {
			d.at(n, c.char, "", "column %s stands there twice", c.text)
			return false
		}
		seen[c.text] = true
	}
	return true
}

func tableRow(d decoder, n, given *node, columns, cells []tableCell, t *testCase) bool {
	from, err := parseOffset(cells[0].text)
	if err != nil {
		d.at(n, cells[0].char, "", "%s", err)
		return false
	}
	repeat, every := int64(1), time.Duration(0)
	rest := cells[1:]
	if len(rest) > 0 && rest[0].text == "clock" && !rest[0].quoted {
		t.moves = append(t.moves, testMove{at: from, clock: true})
		switch len(rest) {
		case 1:
			return true
		case 2:
			return tableMarks(d, n, rest[1], from, t)
		}
		d.at(n, rest[2].char, "", "after clock stands nothing but what fires")
		return false
	}
	if len(rest) > 0 && !rest[0].quoted {
		if number, ok := strings.CutPrefix(rest[0].text, "x"); ok {
			if v, err := strconv.ParseInt(number, 10, 64); err == nil {
				if v < 1 || v > maxRepeat {
					d.at(n, rest[0].char, "", "a row repeats 1 to %d times", maxRepeat)
					return false
				}
				repeat, rest = v, rest[1:]
				if len(rest) > 1 && rest[0].text == "every" {
					if every, err = event.ParseDuration(rest[1].text); err != nil {
						d.at(n, rest[1].char, "", "%s", err)
						return false
					}
					rest = rest[2:]
				}
			}
		}
	}
	fields := columns[1:]
	if len(fields) > 0 && fields[len(fields)-1].text == "alert" {
		if len(rest) == len(fields) {
			last := rest[len(rest)-1]
			rest = rest[:len(rest)-1]
			if !tableMarks(d, n, last, from+time.Duration(repeat-1)*every, t) {
				return false
			}
		}
		fields = fields[:len(fields)-1]
	}
	if len(rest) != len(fields) {
		d.at(n, cells[0].char, "write - for no value, and quotes around blanks", "row has %d values for %d columns", len(rest), len(fields))
		return false
	}
	for i := range repeat {
		move := testMove{at: from + time.Duration(i)*every}
		if given != nil {
			for _, p := range given.pairs {
				s, ok := d.setting(p.key, p.value, i+1)
				if !ok {
					return false
				}
				move.values = append(move.values, s)
			}
		}
		for j, c := range rest {
			s, err := d.cell(fields[j].text, c, i+1)
			if err != nil {
				d.at(n, c.char, "", "%s", err)
				return false
			}
			move.values = append(move.values, s)
		}
		t.moves = append(t.moves, move)
		if len(t.moves) > maxMoves {
			return false
		}
	}
	return true
}

// tableMarks reads what stands in the column alert.
func tableMarks(d decoder, n *node, c tableCell, last time.Duration, t *testCase) bool {
	if c.text == "-" {
		return true
	}
	for mark := range strings.SplitSeq(c.text, ",") {
		x := expectedAlert{at: last}
		word, at, has := strings.Cut(mark, "@")
		if has {
			v, err := parseOffset(at)
			if err != nil {
				d.at(n, c.char, "", "%s", err)
				return false
			}
			x.at = v
		}
		switch word {
		case "ALERT":
		case "RECOVERED":
			x.status = event.Recovered
		default:
			d.at(n, c.char, "write ALERT, ALERT@190s, RECOVERED@15m, or nothing", "%q in the column alert", mark)
			return false
		}
		t.alerts = append(t.alerts, x)
	}
	return true
}

// cell reads a value of a table.
func (d decoder) cell(name string, c tableCell, i int64) (setting, error) {
	f, ok := alertFields()[name]
	if !ok || !d.alerts {
		return cellSetting(name, c, i)
	}
	if c.text == "-" && !c.quoted {
		return setting{label: name, clear: true}, nil
	}
	return alertSetting(name, f.kind, strings.Split(numbered(c.text, i), ","))
}

func cellSetting(name string, c tableCell, i int64) (setting, error) {
	text := numbered(c.text, i)
	none := text == "-" && !c.quoted
	if label, ok := strings.CutPrefix(name, "labels."); ok {
		return setting{label: label, clear: none, text: text}, nil
	}
	id, ok := event.Lookup(name)
	if !ok {
		return setting{}, fmt.Errorf("unknown field %q", name)
	}
	s := setting{field: id, clear: none}
	if none {
		return s, nil
	}
	if event.FieldOf(id).Type == event.Keywords {
		for part := range strings.SplitSeq(text, ",") {
			if err := s.parse(part); err != nil {
				return s, err
			}
		}
		return s, nil
	}
	return s, s.parse(text)
}
