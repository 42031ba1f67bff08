package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/pipeline"
)

// printExplained prints for people what became of a line. What comes from the line is escaped.
func printExplained(out *bufio.Writer, e *pipeline.Explained) error {
	format := ""
	if e.Format != "" {
		format = ", " + e.Format
	}
	p := &explained{out: out}
	p.printf("%s:%d: %s%s\n", printable(e.File), e.Line, e.Outcome, format)
	p.note("because", printable(e.Why))
	p.note("weighed", candidates(e.Candidates))
	if e.Envelope > 0 {
		p.note("envelope", fmt.Sprintf("%d bytes around the line were taken off", e.Envelope))
	}
	p.note("reason", printable(e.Reason))
	p.fields(e.Fields)
	for _, r := range e.Removed {
		p.note("removed", fmt.Sprintf("%s (%s)", r.Name, printable(r.Detail)))
	}
	p.note("found", strings.Join(e.Kinds, ", "))
	p.note("unmapped", unmapped(e))
	return p.err
}

type explained struct {
	out *bufio.Writer
	err error
}

func (p *explained) printf(format string, a ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, a...)
	}
}

// note prints a line of its own, unless there is nothing to say.
func (p *explained) note(what, text string) {
	if text != "" {
		p.printf("  %-9s %s\n", what, text)
	}
}

// valueWidth bounds a value in the table, in characters.
const valueWidth = 56

func (p *explained) fields(fields []pipeline.ExplainedField) {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		from := printable(f.Detail)
		if f.From != "format" {
			from = f.From + ": " + from
		}
		if f.Privacy != "" {
			from += "; " + f.Privacy
		}
		if p.err == nil {
			_, p.err = fmt.Fprintf(w, "    %s\t%s\t%s\n", printable(f.Name), cut(printable(string(f.Value)), valueWidth), from)
		}
	}
	if err := w.Flush(); p.err == nil {
		p.err = err
	}
}

func candidates(list []pipeline.Candidate) string {
	const most = 4
	var words []string
	for i, c := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, fmt.Sprintf("%s %d", printable(c.Format), c.Points))
	}
	return strings.Join(words, ", ")
}

func unmapped(e *pipeline.Explained) string {
	words := make([]string, 0, len(e.Unmapped)+1)
	for _, name := range e.Unmapped {
		words = append(words, printable(name))
	}
	switch {
	case e.More > 0:
		words = append(words, fmt.Sprintf("and %d more", e.More))
	case e.More < 0:
		words = append(words, "and what was not looked at: the line has too many parts")
	}
	return strings.Join(words, ", ")
}

// cut shortens text to a number of characters.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:width-3]) + "..."
}

// printable escapes what a terminal would not show but obey, or show in another order than it stands:
// control characters, those of direction, and bytes that are no text.
func printable(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && strconv.IsPrint(r) && r != utf8.RuneError
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
