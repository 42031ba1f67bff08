package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// ListType is the type of a list's entries.
type ListType string

// The types of lists.
const (
	ListKeyword ListType = "keyword"
	ListIP      ListType = "ip"
	ListCIDR    ListType = "cidr"
	ListLong    ListType = "long"
	ListTable   ListType = "table" // keys with a value each
)

func listTypes() []string {
	return []string{string(ListCIDR), string(ListIP), string(ListKeyword), string(ListLong), string(ListTable)}
}

// List is the content of rules.d/lists/<name>.yaml: values that rules test fields against.
type List struct {
	Type        ListType `json:"type"`
	Field       string   `json:"field,omitempty"` // field whose values these are; identifiers are pseudonyms once loaded
	Description string   `json:"description,omitempty"`
	Entries     []string `json:"entries"` // canonical, sorted, each once; none of a table
	// Former are the entries as pseudonyms under former keys that still live: they match as well, and
	// nobody is expected by them.
	Former []string `json:"former,omitempty"`
	// Oldest are the entries, or the keys of rows, as pseudonyms under the oldest key that lives, where there
	// are several. The list is known by them: a new key changes no rule's logic, and drops no state.
	Oldest []string `json:"oldest,omitempty"`

	Values  TableValues       `json:"values,omitempty"`  // of a table: their type
	Rows    map[string]string `json:"rows,omitempty"`    // of a table: canonical values by key
	Default string            `json:"default,omitempty"` // of a table: value of keys without one; "" for none
}

// Bounds of lists.
const (
	maxListEntries = 50_000
	maxEntryBytes  = 256
)

// canonicalEntry checks one entry and gives it its one form.
func canonicalEntry(t ListType, text string) (string, error) {
	if text == "" || len(text) > maxEntryBytes {
		return "", fmt.Errorf("an entry has 1 to %d bytes", maxEntryBytes)
	}
	switch t {
	case ListIP:
		ip, ok := event.CanonicalIP(text)
		if !ok {
			return "", fmt.Errorf("%q is not an IP address", text)
		}
		return ip, nil
	case ListCIDR:
		p, err := parsePrefix(text)
		if err != nil {
			return "", err
		}
		return p.String(), nil
	case ListLong:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", fmt.Errorf("%q is not a whole number", text)
		}
		return strconv.FormatInt(n, 10), nil
	case ListKeyword, ListTable:
	}
	return text, nil
}

// parsePrefix reads a network, or an address as a network of one.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := event.ParseOwnNetwork(text)
	if err != nil {
		return p, fmt.Errorf("%q is %w", text, err)
	}
	return p, nil
}

// normalize checks type, field and entries and brings them into their canonical form.
func (l List) normalize() (List, error) {
	if l.Type == "" {
		l.Type = ListKeyword
	}
	if !slices.Contains(listTypes(), string(l.Type)) {
		return l, fmt.Errorf("type %q: want one of %s", l.Type, strings.Join(listTypes(), ", "))
	}
	if l.Type == ListTable {
		return l.normalizeTable()
	}
	if len(l.Entries) > maxListEntries {
		return l, fmt.Errorf("more than %d entries", maxListEntries)
	}
	for _, list := range []*[]string{&l.Entries, &l.Former, &l.Oldest} {
		out := make([]string, 0, len(*list))
		for _, e := range *list {
			c, err := canonicalEntry(l.Type, e)
			if err != nil {
				return l, err
			}
			out = append(out, c)
		}
		slices.Sort(out)
		*list = slices.Compact(out)
	}
	return l, nil
}

// all are the values that match.
func (l List) all() []string { return slices.Concat(l.Entries, l.Former) }

// hash identifies what a list decides: type, field and entries.
func (l List) hash() event.Hash {
	parts := []string{"list", string(l.Type), l.Field}
	switch {
	case l.Type == ListTable:
		parts = append(parts, l.tableParts()...)
	case len(l.Oldest) > 0:
		parts = append(parts, l.Oldest...)
	default:
		parts = append(parts, l.Entries...)
	}
	return event.HashStrings(parts...)
}

// parseList reads a list's file.
func parseList(s *source, identify func(event.ID, string) []string) (List, bool) {
	root := parseYAML(s, maxListBytes, maxListLines)
	if root == nil {
		return List{}, false
	}
	d := decoder{source: s}
	var l List
	m := d.mapping(root, "list", "type", "field", "description", "entries", "values", "default")
	if m == nil {
		return List{}, false
	}
	l.Type = ListKeyword
	if n := m["type"]; n != nil {
		l.Type = ListType(d.word(n, "type", listTypes()))
	}
	l.Description = d.text(m["description"], "description", maxTextBytes)
	var field event.ID
	if n := m["field"]; n != nil {
		id, ok := d.field(n, "field")
		if !ok {
			return List{}, false
		}
		field = id
		l.Field = id.String()
		if want := listTypeOf(id); want != "" && want != l.Type && (want != ListIP || l.Type != ListCIDR) && (want != ListKeyword || l.Type != ListTable) {
			d.errorf(n, "", "field %s does not fit a list of type %s", id, l.Type)
		}
	}
	pseudonyms := func(text string) []string {
		if l.Field != "" && event.FieldOf(field).Class == event.Pseudonym && identify != nil {
			return identify(field, text)
		}
		return []string{text}
	}
	for _, key := range []string{"values", "default"} {
		if m[key] != nil && l.Type != ListTable {
			d.errorf(m[key], "", "%s goes with type: table", key)
		}
	}
	entries := m["entries"]
	if entries == nil || entries.shape == shapeNull {
		if entries == nil {
			d.errorf(root, "write entries: [] for an empty list", "list without entries")
		}
		return l, !s.failed()
	}
	if l.Type == ListTable {
		return d.table(m, l, pseudonyms)
	}
	if entries.shape != shapeList {
		d.errorf(entries, "", "entries must be a list")
		return List{}, false
	}
	for _, e := range entries.items {
		if e.shape != shapeScalar {
			d.errorf(e, "", "an entry must be a single value")
			continue
		}
		text, err := canonicalEntry(l.Type, e.text)
		if err != nil {
			d.errorf(e, "", "%s", err)
			continue
		}
		names := pseudonyms(text)
		l.Entries, l.Former = append(l.Entries, names[0]), append(l.Former, names[1:]...)
		l.grewOld(names)
	}
	out, err := l.normalize()
	if err != nil {
		d.errorf(entries, "", "%s", err)
	}
	return out, !s.failed()
}

// grewOld takes the pseudonyms of one entry, the oldest last.
func (l *List) grewOld(names []string) {
	if n := len(names); n > 1 {
		l.Oldest = append(l.Oldest, names[n-1])
	}
}

// listTypeOf is the type of list that holds a field's values; "" for fields no list can hold.
func listTypeOf(id event.ID) ListType {
	switch event.FieldOf(id).Type {
	case event.Keyword, event.Keywords, event.Text:
		return ListKeyword
	case event.IP:
		return ListIP
	case event.Long:
		return ListLong
	case event.Date, event.Double, event.Bool:
	}
	return ""
}

// networks is a set of prefixes. A look-up tries each prefix length that occurs.
type networks struct {
	lengths4, lengths6 []int
	set                map[netip.Prefix]struct{}
}

func newNetworks(entries []string) *networks {
	n := &networks{set: make(map[netip.Prefix]struct{}, len(entries))}
	for _, e := range entries {
		p, err := parsePrefix(e)
		if err != nil {
			continue // entries are canonical
		}
		n.set[p] = struct{}{}
		lengths := &n.lengths6
		if p.Addr().Is4() {
			lengths = &n.lengths4
		}
		if !slices.Contains(*lengths, p.Bits()) {
			*lengths = append(*lengths, p.Bits())
		}
	}
	return n
}

func (n *networks) contains(a netip.Addr) bool {
	lengths := n.lengths6
	if a.Is4() {
		lengths = n.lengths4
	}
	for _, bits := range lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if _, ok := n.set[p]; ok {
			return true
		}
	}
	return false
}

// wholeList returns the entries of a list of whole numbers.
func (l List) wholeList() []int64 {
	out := make([]int64, 0, len(l.Entries))
	for _, e := range l.Entries {
		n, err := strconv.ParseInt(e, 10, 64)
		if err != nil {
			continue // entries are canonical
		}
		out = append(out, n)
	}
	return out
}
