package terminal

import (
	"strings"

	"github.com/liveward/liveward/alerting"
)

// Colours, as ANSI sequences.
const (
	reset = "\x1b[0m"
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
)

func colour(label string) string {
	switch label {
	case "CRITICAL":
		return "\x1b[1;97;41m"
	case "HIGH":
		return "\x1b[1;31m"
	case "MEDIUM":
		return "\x1b[1;33m"
	case "LOW":
		return "\x1b[1;36m"
	case "RESOLVED":
		return "\x1b[1;32m"
	}
	return bold
}

// card builds a card line by line. It is open to the right: nothing in it must line up with a
// border, so that characters of unknown width cannot break it, and links can be longer than a line.
type card struct {
	strings.Builder
	color bool
	width int
	label string
}

func (t *Notifier) card(label string) *card {
	return &card{color: t.color, width: t.width, label: label}
}

// inner is the width of the text in a card.
func (c *card) inner() int { return c.width - len("| ") }

func (c *card) paint(sequence, s string) string {
	if !c.color || s == "" {
		return s
	}
	return sequence + s + reset
}

// edge is the card's left border, which is painted in the colour of its severity.
func (c *card) edge(s string) string {
	sequence := colour(c.label)
	if c.label == "CRITICAL" {
		sequence = "\x1b[1;31m" // without the background
	}
	return c.paint(sequence, s)
}

func (c *card) top(label, state string) {
	c.WriteString(c.edge("┏━") + " " + c.paint(colour(label), label))
	used := 3 + columns(label)
	if state != "" {
		c.WriteString(" " + state)
		used += 1 + columns(state)
	}
	c.WriteString(" " + c.edge(strings.Repeat("━", max(c.width-used-1, 1))) + "\n")
}

func (c *card) bottom() { c.WriteString(c.edge("┗"+strings.Repeat("━", c.width-1)) + "\n") }

func (c *card) blank() { c.WriteString(c.edge("┃") + "\n") }

func (c *card) line(s string) { c.WriteString(c.edge("┃") + " " + s + "\n") }

func (c *card) bold(s string) {
	for _, line := range wrap(s, c.inner()) {
		c.line(c.paint(bold, line))
	}
}

func (c *card) wrap(indent, s string) {
	for _, line := range wrap(s, c.inner()-len(indent)) {
		c.line(indent + line)
	}
}

// minValue is the least width in which values stand beside their names.
const minValue = 30

// table writes names with their values beside them, which go on below themselves; in a narrow card
// they stand below their names.
func (c *card) table(facts []alerting.Fact) {
	column := 0
	for _, f := range facts {
		column = max(column, columns(f.Name)+2)
	}
	for _, f := range facts {
		if c.inner()-column < minValue {
			c.line(c.paint(dim, cutTo(f.Name, c.inner())))
			c.wrap("  ", f.Value)
			continue
		}
		for i, line := range wrap(f.Value, c.inner()-column) {
			name := ""
			if i == 0 {
				name = f.Name
			}
			c.line(c.paint(dim, name) + strings.Repeat(" ", column-columns(name)) + line)
		}
	}
}

// link is a hyperlink where the terminal may know them, else the address on a line of its own,
// unbroken so that it can be copied.
func (c *card) link(text, address string) {
	if alerting.Clean(address) != address || strings.ContainsAny(address, " \"<>") {
		return
	}
	if c.color {
		c.line("→ \x1b]8;;" + address + "\x1b\\\x1b[4m" + clean(text) + reset + "\x1b]8;;\x1b\\")
		return
	}
	c.line("→ " + clean(text) + ":")
	c.line("  " + address)
}

// footer puts ids below each other where they do not fit on one line.
func (c *card) footer(parts []string) {
	line := ""
	for _, p := range parts {
		p = clean(p)
		if line != "" && columns(line)+3+columns(p) > c.inner() {
			c.line(c.paint(dim, line))
			line = ""
		}
		if line != "" {
			line += " · "
		}
		line += p
	}
	if line != "" {
		c.line(c.paint(dim, line))
	}
}

// wrap breaks a text between words into lines of at most n columns; a word that is longer is broken.
func wrap(s string, n int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(s) {
		w := columns(word)
		if used > 0 && used+1+w <= n {
			line += " " + word
			used += 1 + w
			continue
		}
		if used > 0 {
			lines = append(lines, line)
		}
		for w > n {
			head := cutColumns(word, n)
			lines = append(lines, head)
			word = word[len(head):]
			w = columns(word)
		}
		line, used = word, w
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}

// cutTo shortens a text to n columns.
func cutTo(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	return cutColumns(s, n-1) + "…"
}

// cutColumns is the longest beginning of s that takes no more than n columns, but one character at
// least.
func cutColumns(s string, n int) string {
	used := 0
	for i, r := range s {
		w := columnsOf(r)
		if used+w > n && i > 0 {
			return s[:i]
		}
		used += w
	}
	return s
}

// columns is how wide a text is on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// columnsOf knows the blocks of characters that take two columns.
func columnsOf(r rune) int {
	switch {
	case r < 0x1100:
		return 1
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
