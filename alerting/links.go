package alerting

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/liveward/liveward/internal/event"
)

// maxURL bounds links: Slack refuses a button with a longer one.
const maxURL = 3000

// DefaultDataView is the data view that the Kibana assets of liveward bring.
const DefaultDataView = "logs-liveward.event-*"

// LinkBuilder makes links into Kibana. Its zero value makes none.
type LinkBuilder struct {
	// Kibana is the address people open Kibana at, with a base path where it has one.
	Kibana string
	// Space is Kibana's space; empty or "default" is the default one.
	Space string
	// DataView is the id of the data view of events; empty means DefaultDataView.
	DataView string
	// Margin is shown before the first and after the last event; 0 means 5 minutes.
	Margin time.Duration
}

// Validate says what is wrong with the builder's settings.
func (b LinkBuilder) Validate() error {
	if b.Kibana == "" {
		return nil
	}
	u, err := url.Parse(b.Kibana)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("kibana url: want a form like https://kibana.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("kibana url: must have no user, query or fragment")
	}
	for _, r := range b.Space {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return fmt.Errorf("kibana space %q: want lower-case letters, digits, - and _", b.Space)
		}
	}
	return nil
}

// Discover links to the events of an alert: a query for its key, in its time range. Without a key
// the query names the evidence. It is empty where Kibana is not configured.
func (b LinkBuilder) Discover(a *event.Alert) string {
	if b.Kibana == "" || a == nil || b.Validate() != nil {
		return ""
	}
	var terms []string
	for _, v := range a.Key {
		terms = append(terms, kqlTerm(v.Field.String(), v.String()))
	}
	if len(a.Key) == 0 && len(a.Evidence) > 0 {
		ids := make([]string, len(a.Evidence))
		for i, id := range a.Evidence {
			ids[i] = kqlString(id.String())
		}
		terms = append(terms, "event.id: ("+strings.Join(ids, " or ")+")")
	}
	if a.Tenant != "" {
		terms = append(terms, kqlTerm(event.OrganizationID.String(), a.Tenant))
	}
	terms = slices.DeleteFunc(terms, func(t string) bool { return len(t) > maxURL })
	// Where the link would be too long, conditions are left out, the longest first: the query then
	// shows more than the alert, never less.
	for {
		link := b.discover(a, strings.Join(terms, " and "))
		if len(link) <= maxURL {
			return link
		}
		if len(terms) == 0 {
			return ""
		}
		longest := 0
		for i, t := range terms {
			if len(t) > len(terms[longest]) {
				longest = i
			}
		}
		terms = slices.Delete(terms, longest, longest+1)
	}
}

func (b LinkBuilder) discover(a *event.Alert, query string) string {
	margin := b.Margin
	if margin <= 0 {
		margin = 5 * time.Minute
	}
	first, last := a.First, a.Last
	if first == 0 {
		first = a.Time - int64(a.Window)
	}
	if last < first {
		last = max(a.Time, first)
	}
	view := b.DataView
	if view == "" {
		view = DefaultDataView
	}
	var sb strings.Builder
	sb.WriteString(strings.TrimRight(b.Kibana, "/"))
	if b.Space != "" && b.Space != "default" {
		sb.WriteString("/s/" + b.Space)
	}
	sb.WriteString("/app/discover#/?_g=")
	sb.WriteString(fragment("(time:(from:" + risonString(event.FormatTime(first-int64(margin))) +
		",to:" + risonString(event.FormatTime(last+int64(margin))) + "))"))
	sb.WriteString("&_a=")
	// The data view stands under "index": Kibana 8.0 to 8.14 know no other name, and later ones still
	// take it over from there.
	sb.WriteString(fragment("(index:" + risonString(view) +
		",query:(language:kuery,query:" + risonString(query) + "))"))
	return sb.String()
}

// kqlTerm is a KQL condition: the field has exactly this value.
func kqlTerm(field, value string) string { return field + ": " + kqlString(value) }

// kqlString quotes a value for KQL: within quotes only the backslash and the quote are special, and
// nothing is a wildcard.
func kqlString(s string) string {
	var sb strings.Builder
	sb.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch r {
		case '\\', '"':
			sb.WriteByte('\\')
			sb.WriteRune(r)
		case '\n':
			sb.WriteString(`\n`)
		case '\r':
			sb.WriteString(`\r`)
		case '\t':
			sb.WriteString(`\t`)
		default:
			sb.WriteRune(r)
		}
	}
	sb.WriteByte('"')
	return sb.String()
}

// risonString quotes a string for RISON: within quotes only ! and ' are special.
func risonString(s string) string {
	return "'" + strings.NewReplacer("!", "!!", "'", "!'").Replace(s) + "'"
}

// fragment escapes text for a value within a URL's fragment. All but the characters that RISON uses
// and every browser leaves alone is percent-encoded: no byte of a log's value can end the value, and
// none survives that Slack or a terminal treats as something.
func fragment(s string) string {
	const hex = "0123456789ABCDEF"
	var sb strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == ':', c == ',', c == '(', c == ')', c == '!':
			sb.WriteByte(c)
		default:
			sb.WriteByte('%')
			sb.WriteByte(hex[c>>4])
			sb.WriteByte(hex[c&15])
		}
	}
	return sb.String()
}

// isWebURL tells whether s may be shown as a link.
func isWebURL(s string) bool {
	if len(s) > maxURL {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
