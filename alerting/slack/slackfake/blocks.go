package slackfake

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Block is a block of a message, as far as liveward uses them.
type Block struct {
	Type     string    `json:"type"`
	BlockID  string    `json:"block_id"`
	Text     *Text     `json:"text"`
	Fields   []Text    `json:"fields"`
	Elements []Element `json:"elements"`
}

// Text is a text object.
type Text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"`
	Emoji    *bool  `json:"emoji"`
}

// Element stands in an actions or a context block.
type Element struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	URL      string `json:"url"`
	Value    string `json:"value"`
	Style    string `json:"style"`
	Button   *Text  `json:"-"`
	Context  *Text  `json:"-"`
}

// UnmarshalJSON reads the text of a button, which is an object, and that of a context's text object,
// which is a string.
func (e *Element) UnmarshalJSON(b []byte) error {
	type bare Element
	if err := json.Unmarshal(b, (*bare)(e)); err != nil {
		return err
	}
	switch e.Type {
	case "button":
		var button struct {
			Text *Text `json:"text"`
		}
		if err := json.Unmarshal(b, &button); err != nil {
			return err
		}
		e.Button = button.Text
	case "plain_text", "mrkdwn":
		e.Context = new(Text)
		return json.Unmarshal(b, e.Context)
	}
	return nil
}

// parseBlocks reads blocks and checks them against Slack's documented limits.
func parseBlocks(raw []byte) ([]Block, error) {
	var blocks []Block
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, err
	}
	if len(blocks) > 50 {
		return nil, fmt.Errorf("%d blocks", len(blocks))
	}
	ids := make(map[string]bool)
	for i, b := range blocks {
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("block %d: %w", i, err)
		}
		if b.BlockID != "" && ids[b.BlockID] {
			return nil, fmt.Errorf("block %d: block_id twice", i)
		}
		ids[b.BlockID] = true
	}
	return blocks, nil
}

func (b Block) check() error {
	if length(b.BlockID) > 255 {
		return fmt.Errorf("block_id too long")
	}
	switch b.Type {
	case "header":
		return b.Text.check(150, "plain_text")
	case "section":
		if b.Text == nil && len(b.Fields) == 0 {
			return fmt.Errorf("section without text and fields")
		}
		if b.Text != nil {
			if err := b.Text.check(3000, "plain_text", "mrkdwn"); err != nil {
				return err
			}
		}
		if len(b.Fields) > 10 {
			return fmt.Errorf("%d fields", len(b.Fields))
		}
		for _, f := range b.Fields {
			if err := f.check(2000, "plain_text", "mrkdwn"); err != nil {
				return err
			}
		}
		return nil
	case "context":
		if len(b.Elements) == 0 || len(b.Elements) > 10 {
			return fmt.Errorf("%d elements", len(b.Elements))
		}
		for _, e := range b.Elements {
			if err := e.Context.check(3000, "plain_text", "mrkdwn"); err != nil {
				return err
			}
		}
		return nil
	case "actions":
		if len(b.Elements) == 0 || len(b.Elements) > 25 {
			return fmt.Errorf("%d elements", len(b.Elements))
		}
		seen := make(map[string]bool)
		for _, e := range b.Elements {
			if err := e.check(); err != nil {
				return err
			}
			if e.ActionID != "" && seen[e.ActionID] {
				return fmt.Errorf("action_id twice")
			}
			seen[e.ActionID] = true
		}
		return nil
	case "divider":
		return nil
	}
	return fmt.Errorf("type %q", b.Type)
}

func (t *Text) check(limit int, types ...string) error {
	switch {
	case t == nil:
		return fmt.Errorf("no text")
	case !slices.Contains(types, t.Type):
		return fmt.Errorf("text of type %q", t.Type)
	case t.Text == "":
		return fmt.Errorf("empty text")
	case length(t.Text) > limit:
		return fmt.Errorf("text of %d characters", length(t.Text))
	case t.Type == "plain_text" && t.Verbatim, t.Type == "mrkdwn" && t.Emoji != nil && *t.Emoji:
		return fmt.Errorf("verbatim is for mrkdwn, emoji for plain_text")
	}
	return nil
}

func (e Element) check() error {
	switch {
	case e.Type != "button":
		return fmt.Errorf("element of type %q", e.Type)
	case length(e.ActionID) > 255, length(e.Value) > 2000, length(e.URL) > 3000:
		return fmt.Errorf("button too long")
	case e.Style != "" && e.Style != "primary" && e.Style != "danger":
		return fmt.Errorf("style %q", e.Style)
	}
	if e.URL != "" {
		if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("button with a bad url")
		}
	}
	return e.Button.check(75, "plain_text")
}

func (b Block) texts() []Text {
	var out []Text
	add := func(t *Text) {
		if t != nil {
			out = append(out, *t)
		}
	}
	add(b.Text)
	out = append(out, b.Fields...)
	for _, e := range b.Elements {
		add(e.Button)
		add(e.Context)
	}
	return out
}

// Shown is what a person reads in the message: the texts of its blocks, else its text.
func (m *Message) Shown() string {
	if len(m.Blocks) == 0 {
		return decode(m.Text)
	}
	var lines []string
	for _, b := range m.Blocks {
		for _, t := range b.texts() {
			lines = append(lines, decode(t.Text))
		}
	}
	return strings.Join(lines, "\n")
}

// Header is the text of the message's header block; empty where it has none.
func (m *Message) Header() string {
	for _, b := range m.Blocks {
		if b.Type == "header" {
			return decode(b.Text.Text)
		}
	}
	return ""
}

// Buttons are the addresses of the message's buttons, by their text.
func (m *Message) Buttons() map[string]string {
	out := make(map[string]string)
	for _, b := range m.Blocks {
		for _, e := range b.Elements {
			if e.Button != nil {
				out[decode(e.Button.Text)] = e.URL
			}
		}
	}
	return out
}

func decode(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// length counts characters as Slack's clients do.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

var entity = regexp.MustCompile(`&(amp|lt|gt);`)

// unescaped says what in a text could mention, link or mislead; empty if nothing.
func unescaped(s string) string {
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	rest := entity.ReplaceAllString(s, "")
	switch {
	case strings.ContainsAny(rest, "<>"):
		return "control sequence or link not escaped"
	case strings.Contains(rest, "&"):
		return "ampersand not escaped, or entity cut"
	case strings.Contains(strings.ToLower(rest), "http://"), strings.Contains(strings.ToLower(rest), "https://"):
		return "address that can be followed"
	}
	for _, r := range s {
		if r != '\n' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)) {
			return fmt.Sprintf("invisible character %U", r)
		}
	}
	return ""
}
