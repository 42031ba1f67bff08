package enrich

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
	"github.com/liveward/liveward/internal/strict"
)

// ListFormat is how a list of networks is written.
type ListFormat string

// The formats of lists.
const (
	ListAuto  ListFormat = "auto"  // by the content
	ListPlain ListFormat = "plain" // a network a line, with or without a label behind it
	ListCSV   ListFormat = "csv"   // columns, named in the first line
	ListJSON  ListFormat = "json"  // an object a line
	ListSTIX  ListFormat = "stix"  // a bundle of STIX 2.1
)

// ListFormats are the names of the formats.
func ListFormats() []string {
	return []string{string(ListAuto), string(ListPlain), string(ListCSV), string(ListJSON), string(ListSTIX)}
}

// Bounds of lists.
const (
	maxListBytes   = 64 << 20
	maxListEntries = 1 << 19 // of all lists together as well
	maxListLine    = 64 << 10
	maxLabel       = 128
	maxProblems    = 100 // of one list
)

// Confidences of indicators, in the order of trust.
const (
	confidenceUntold uint8 = iota
	confidenceNone
	confidenceLow
	confidenceMedium
	confidenceHigh
)

// confidenceNames are indexed by confidence.
//
//nolint:gochecknoglobals // constant
var confidenceNames = [...]string{"", "None", "Low", "Medium", "High"}

// listEntry is a network of a list with what the list says of it.
type listEntry struct {
	network netip.Prefix
	entryDetail
}

// entryDetail is what a list says of a network. Times are in nanoseconds, 0 where not told.
type entryDetail struct {
	label       string
	from, until int64 // in force from, and no longer at
	confidence  uint8
}

// list is the content of a list. Skipped counts what it has of things a gateway's log cannot match:
// domains, hashes, patterns of several conditions, what was revoked.
type list struct {
	entries []listEntry
	skipped int
}

// listReader reads one list.
type listReader struct {
	list
	name     string
	threats  bool // networks must be of a width that an indicator can have
	labels   map[string]string
	problems strict.Problems
}

// readList reads a list. All that is wrong is reported at once, each with name:line:column. Problems
// quote nothing of the list.
func readList(name string, text []byte, format ListFormat, threats bool) (list, error) {
	r := &listReader{name: name, threats: threats, labels: make(map[string]string)}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if format == ListAuto || format == "" {
		format = detectList(text)
	}
	switch {
	case len(text) > maxListBytes:
		r.bad(1, 1, fmt.Sprintf("larger than %d bytes", maxListBytes), "")
	case !utf8.Valid(text):
		r.bad(1, 1, "not UTF-8", "save the file in this encoding")
	case format == ListSTIX:
		r.stix(text)
	case format == ListJSON:
		r.jsonLines(text)
	case format == ListCSV:
		r.csv(text)
	default:
		r.plain(text)
	}
	if err := r.problems.Err(); err != nil {
		return list{}, err
	}
	return r.list, nil
}

// detectList tells the format of a list by how it begins.
func detectList(text []byte) ListFormat {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || line[0] == ';' {
			continue
		}
		switch {
		case line[0] == '{' && isBundle(text):
			return ListSTIX
		case line[0] == '{':
			return ListJSON
		case bytes.IndexByte(cutComment(line), ',') >= 0:
			return ListCSV
		}
		return ListPlain
	}
	return ListPlain
}

// isBundle tells a STIX bundle, or the envelope TAXII puts around its objects, from lines of JSON.
func isBundle(text []byte) bool {
	const head = 1024
	return bytes.Contains(text[:min(len(text), head)], []byte(`"objects"`)) || bytes.Contains(text[:min(len(text), head)], []byte(`"bundle"`))
}

func cutComment(line []byte) []byte {
	if i := bytes.IndexAny(line, "#;"); i >= 0 {
		return line[:i]
	}
	return line
}

// plain reads a network a line. What stands behind it is its label; what stands behind # or ; is a
// comment.
func (r *listReader) plain(text []byte) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if len(line) > maxListLine {
			r.bad(n, 1, "the line is too long", "")
			continue
		}
		line = cutComment(line)
		rest := bytes.TrimLeftFunc(line, unicode.IsSpace)
		column := len(line) - len(rest) + 1
		rest = bytes.TrimSpace(rest)
		if len(rest) == 0 {
			continue
		}
		value, label := rest, []byte(nil)
		if i := bytes.IndexAny(rest, " \t"); i >= 0 {
			value, label = rest[:i], bytes.TrimSpace(rest[i:])
		}
		r.add(n, column, string(value), entryDetail{label: string(label)})
	}
}

// add takes an entry whose network is text.
func (r *listReader) add(line, column int, network string, d entryDetail) {
	p, ok := indicatorNetwork(network)
	switch {
	case !ok:
		r.bad(line, column, "no address or network", "use a form like 192.0.2.0/24")
		return
	case r.threats && tooWide(p):
		r.bad(line, column, "an indicator wider than /8 (IPv6: /16) is none", "remove it, or make it a network list")
		return
	case d.until != 0 && d.until <= d.from:
		r.bad(line, column, "valid_until is not after valid_from", "")
		return
	case !isLabel(d.label):
		r.bad(line, column, fmt.Sprintf("a label has at most %d bytes and no control characters", maxLabel), "")
		return
	case len(r.entries) == maxListEntries:
		r.bad(line, column, fmt.Sprintf("more than %d entries", maxListEntries), "")
		return
	case len(r.entries) > maxListEntries:
		return
	}
	if d.label != "" { // a label in many entries is kept once
		have, ok := r.labels[d.label]
		if !ok {
			have = strings.Clone(d.label)
			r.labels[have] = have
		}
		d.label = have
	}
	r.entries = append(r.entries, listEntry{network: p, entryDetail: d})
}

func (r *listReader) bad(line, column int, message, hint string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, strict.Problem{File: r.name, Line: line, Column: column, Message: message, Hint: hint})
	}
}

// indicatorNetwork reads a network, an address, or an address with a port.
func indicatorNetwork(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if p, err := event.ParseNetwork(s); err == nil {
		return p.Masked(), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		a := ap.Addr().Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// tooWide tells that a network is no sensible indicator: it would mark a good part of all callers.
// Feeds of addresses that nobody has may name multicast and reserved space as a whole.
func tooWide(p netip.Prefix) bool {
	a := p.Addr()
	if a.Is4() {
		const reserved = 224
		return p.Bits() < 8 && (p.Bits() < 3 || a.As4()[0] < reserved)
	}
	return p.Bits() < 16
}

func isLabel(s string) bool {
	return len(s) <= maxLabel && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// listTime reads a time of a list: a date is its midnight, UTC. It gives 0 for none.
func listTime(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	for _, layout := range [...]string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return max(t.UnixNano(), 1), true
		}
	}
	return 0, false
}

// isAddressKind tells whether a list's word for the kind of an indicator means an address.
func isAddressKind(s string) bool {
	s = strings.ToLower(s)
	return s == "" || strings.HasPrefix(s, "ip") || slices.Contains([]string{"cidr", "network", "address", "subnet", "netblock"}, s)
}
