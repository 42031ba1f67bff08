package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/liveward/liveward/alerting"
)

// Slack's limits, in characters after escaping.
const (
	maxHeader     = 150
	maxSection    = 3000
	maxFields     = 10
	maxField      = 2000
	maxButtonText = 75
	maxButtonURL  = 3000
	maxFallback   = 3000 // Slack takes more, but asks for no more than 4,000
	maxContext    = 2000
)

// What is shown of texts that may be long; all of it fits in the limits above together.
const (
	maxSentence = 1200
	maxValue    = 300
	maxSample   = 250
	maxStepText = 1200
)

// message is a rendered message.
type message struct {
	text   string // fallback: previews, screen readers, and where Slack refuses the blocks
	blocks []slack.Block
}

// icon marks severity, beside its word: colour alone says nothing to some.
func icon(label string) string {
	switch label {
	case "CRITICAL":
		return "🔴"
	case "HIGH":
		return "🟠"
	case "MEDIUM":
		return "🟡"
	case "LOW":
		return "🔵"
	case "RESOLVED":
		return "✅"
	}
	return "⚪"
}

// full is the message of an incident.
func full(n alerting.Notification) message {
	c := n.Card()
	m := message{text: fallback(n)}
	head := icon(c.Label) + " "
	if c.Drill {
		head += "[DRILL] "
	}
	head += c.Label + " · "
	head += escape(c.Title, plain, maxHeader-width(head))
	m.add(slack.NewHeaderBlock(plainText(head)))
	m.add(slack.NewSectionBlock(mrkdwn(nonEmpty(escape(c.Sentence, prose, maxSentence))), nil, nil))
	if fields := fields(c.Facts); len(fields) > 0 {
		m.add(slack.NewSectionBlock(nil, fields, nil))
	}
	if len(c.Samples) > 0 {
		lines := make([]string, len(c.Samples))
		for i, s := range c.Samples {
			lines[i] = escape(s, code, maxSample)
		}
		m.add(slack.NewSectionBlock(mrkdwn("*Sample events* (UTC)\n```"+strings.Join(lines, "\n")+"```"), nil, nil))
	}
	if c.FirstStep != "" {
		s := "*Do first:* " + escape(c.FirstStep, prose, maxStepText)
		if c.Tell != "" {
			s += "\n*Tell:* " + escape(c.Tell, prose, maxValue)
		}
		m.add(slack.NewSectionBlock(mrkdwn(s), nil, nil))
	}
	var buttons []slack.BlockElement
	for i, b := range c.Buttons {
		if len(b.URL) > maxButtonURL {
			continue
		}
		id := "open-" + string(rune('a'+i))
		buttons = append(buttons, slack.NewButtonBlockElement(id, "", plainText(escape(b.Text, plain, maxButtonText))).WithURL(b.URL))
	}
	if len(buttons) > 0 {
		m.add(slack.NewActionBlock("", buttons...))
	}
	m.add(footer(c))
	return m
}

// short is what is said later: in the thread, or where messages cannot be edited.
func short(n alerting.Notification) message {
	c := n.Card()
	m := message{text: fallback(n)}
	var head string
	switch n.Reason {
	case alerting.Escalated:
		head = icon(c.Label) + " *Escalated to " + c.Label + "*"
	case alerting.Resolved:
		head = icon(c.Label) + " *Resolved*"
	default:
		head = icon(c.Label) + " *Still going on*"
	}
	if c.Drill {
		head = "[DRILL] " + head
	}
	head += " · " + escape(c.Title, prose, maxValue)
	m.add(slack.NewSectionBlock(mrkdwn(head+"\n"+escape(c.Sentence, prose, maxSentence)), nil, nil))
	m.add(footer(c))
	return m
}

// digest is the message of many incidents.
func digest(d alerting.Digest) message {
	const shown = 15
	head, lines := d.Lines(shown)
	label := "MEDIUM"
	if len(d.Incidents) > 0 {
		label = strings.ToUpper(string(d.Incidents[0].Severity))
	}
	m := message{text: escape(icon(label)+" "+head, prose, maxFallback)}
	m.add(slack.NewHeaderBlock(plainText(escape(icon(label)+" "+head, plain, maxHeader))))
	for i, line := range lines {
		lines[i] = escape(line, prose, maxSection/(shown+2))
	}
	m.add(slack.NewSectionBlock(mrkdwn(nonEmpty("• "+strings.Join(lines, "\n• "))), nil, nil))
	m.add(slack.NewContextBlock("", mrkdwn("One message for all, so that none is lost to Slack's rate limit. `liveward incidents` lists them.")))
	return m
}

func (m *message) add(b slack.Block) { m.blocks = append(m.blocks, b) }

func fallback(n alerting.Notification) string {
	return nonEmpty(icon(n.Card().Label) + " " + escape(n.Line(), prose, maxFallback-4))
}

func fields(facts []alerting.Fact) []*slack.TextBlockObject {
	var out []*slack.TextBlockObject
	for _, f := range facts[:min(len(facts), maxFields)] {
		name := "*" + escape(f.Name, prose, 100) + "*\n"
		value := escape(f.Value, code, min(maxValue, maxField-len(name)-2))
		if value == "" {
			value = "-"
		}
		out = append(out, mrkdwn(name+"`"+value+"`"))
	}
	return out
}

func footer(c alerting.Card) slack.Block {
	parts := make([]string, len(c.Footer))
	for i, f := range c.Footer {
		parts[i] = escape(f, prose, maxContext/len(parts)-3)
	}
	return slack.NewContextBlock("", mrkdwn(strings.Join(parts, " · ")))
}

func plainText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, nonEmpty(s), false, false)
}

// mrkdwn is verbatim: Slack makes no links and no mentions of what merely looks like them.
func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

func nonEmpty(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
