// Package terminal shows incidents on a terminal, with the content they have in Slack: severity,
// what happened, key facts, samples, the first playbook step and links.
//
// It never writes a control character of the log, and colours only where it is asked to.
package terminal

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/liveward/liveward/alerting"
)

// DefaultWidth is used where the width is not known.
const DefaultWidth = 80

// Widths outside these bounds do not read well.
const (
	minWidth = 40
	maxWidth = 120
)

// Notifier implements alerting.Notifier and alerting.Digester.
type Notifier struct {
	w     io.Writer
	color bool
	width int
}

var (
	_ alerting.Notifier = (*Notifier)(nil)
	_ alerting.Digester = (*Notifier)(nil)
)

// New makes a Notifier that writes each message with one Write. With color, severities are coloured
// and links are hyperlinks (OSC 8); without, links are written out. width is the terminal's, in
// columns; 0 means DefaultWidth.
func New(w io.Writer, color bool, width int) *Notifier {
	if width <= 0 {
		width = DefaultWidth
	}
	return &Notifier{w: w, color: color, width: min(max(width, minWidth), maxWidth)}
}

// Notify implements alerting.Notifier.
func (t *Notifier) Notify(ctx context.Context, n alerting.Notification) (alerting.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	shown := alerting.Receipt{"shown": "1"}
	seen := len(n.Receipt) > 0
	switch {
	case n.Reason == alerting.Updated && seen && !n.FollowUp:
		return n.Receipt, nil
	case n.Reason == alerting.Updated && seen, n.Reason == alerting.Resolved && seen:
		return shown, t.write(t.short(n))
	default:
		return shown, t.write(t.full(n))
	}
}

// Digest implements alerting.Digester.
func (t *Notifier) Digest(ctx context.Context, d alerting.Digest) (alerting.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	head, lines := d.Lines(10)
	label := "MEDIUM"
	if len(d.Incidents) > 0 {
		label = strings.ToUpper(string(d.Incidents[0].Severity))
	}
	c := t.card(label)
	c.top(label, "DIGEST")
	c.wrap("", head)
	for _, line := range lines {
		c.wrap("  ", clean(line))
	}
	c.bottom()
	return alerting.Receipt{"shown": "1"}, t.write(c.String())
}

func (t *Notifier) write(s string) error {
	if _, err := io.WriteString(t.w, s); err != nil {
		return fmt.Errorf("write to terminal: %w", err)
	}
	return nil
}

// full is the card of an incident.
func (t *Notifier) full(n alerting.Notification) string {
	d := n.Card()
	c := t.card(d.Label)
	state := strings.ToUpper(string(n.Reason))
	if state == d.Label {
		state = ""
	}
	if d.Drill {
		state = strings.TrimSpace(state + " DRILL")
	}
	c.top(d.Label, state)
	c.bold(clean(d.Title))
	c.wrap("", clean(d.Sentence))
	if len(d.Facts) > 0 {
		c.blank()
		c.table(cleaned(d.Facts))
	}
	if len(d.Samples) > 0 {
		c.blank()
		c.line(c.paint(dim, "Sample events (UTC)"))
		for _, s := range d.Samples {
			c.line("  " + cutTo(clean(s), c.inner()-2))
		}
	}
	if d.FirstStep != "" || d.Tell != "" {
		c.blank()
		c.table(cleaned([]alerting.Fact{{Name: "Do first", Value: d.FirstStep}, {Name: "Tell", Value: d.Tell}}))
	}
	if len(d.Buttons) > 0 {
		c.blank()
		for _, b := range d.Buttons {
			c.link(b.Text, b.URL)
		}
	}
	c.blank()
	c.footer(d.Footer)
	c.bottom()
	return c.String()
}

// short is what is shown of an incident that was shown before.
func (t *Notifier) short(n alerting.Notification) string {
	d := n.Card()
	c := t.card(d.Label)
	state := "STILL GOING ON"
	if n.Reason == alerting.Resolved {
		state = ""
	}
	c.top(d.Label, state)
	c.bold(clean(d.Title))
	c.wrap("", clean(d.Sentence))
	c.footer(d.Footer[max(len(d.Footer)-1, 0):])
	c.bottom()
	return c.String()
}

// clean makes a text of the log fit for a terminal.
func clean(s string) string { return strings.TrimSpace(alerting.Clean(s)) }

// cleaned leaves out facts without a value.
func cleaned(facts []alerting.Fact) []alerting.Fact {
	var out []alerting.Fact
	for _, f := range facts {
		if v := clean(f.Value); v != "" {
			out = append(out, alerting.Fact{Name: f.Name, Value: v})
		}
	}
	return out
}
