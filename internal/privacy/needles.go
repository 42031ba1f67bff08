package privacy

import (
	"math"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Bounds of the raw values that are searched for in the event's other fields.
const (
	minNeedle  = 5
	maxNeedle  = 256
	maxNeedles = 64

	// searchBudget is what one event may cost, in bytes compared: a caller who repeats one letter in
	// parameters and user agent loses his text, not our time.
	searchBudget = 256 << 10
)

// needle is a raw value of this event that must not stand in another field.
type needle struct {
	text   string
	strong bool // searched for everywhere; else only in text, paths and labels
	part   bool // the beginning of a longer value: what follows it belongs to it

	letters uint64 // of its traits
}

// needles are the raw values of one event.
type needles struct {
	list     []needle
	first    [256]uint8 // 1: begins a weak needle, 2: a strong one; both cases; of those up to marked
	marked   int
	least    int    // length of the shortest
	shared   uint64 // letters that all of them have
	overflow bool   // there were more than maxNeedles
	flooded  bool   // and a strong one was among those left out
	budget   int    // bytes that may still be compared for this event
	layers   [maxUnescape]unescaped
	cleaned  []byte
}

func (ns *needles) reset() {
	for _, n := range ns.list[:ns.marked] {
		ns.first[n.text[0]] = 0
		ns.first[lower(n.text[0])] = 0
		ns.first[upper(n.text[0])] = 0
	}
	ns.marked = 0
	clear(ns.list)
	ns.list, ns.overflow, ns.flooded = ns.list[:0], false, false
	ns.least, ns.shared = math.MaxInt, ^uint64(0)
	ns.budget = searchBudget
}

func upper(c byte) byte {
	if class[c]&isLower != 0 {
		return c - 'a' + 'A'
	}
	return c
}

// needsCare is what a raw value has that is not searched for as it is.
const needsCare = hasSpace | hasEscape | uint32(isOdd)

// add takes a raw value. keep gives memory that lives as long as the event.
func (ns *needles) add(raw string, strong bool, keep func([]byte) string) {
	seen, letters := glance(raw)
	if seen&needsCare == 0 {
		ns.one(raw, letters, strong)
		return
	}
	ns.trimmed(raw, strong)
	if seen&uint32(isOdd) != 0 { // fields are cleaned before they are searched
		ns.cleaned = appendClean(ns.cleaned[:0], raw)
		ns.trimmed(keep(ns.cleaned), strong)
	}
	if escaped(raw) {
		var from *unescaped
		for i := range ns.layers {
			if !escaped(raw) {
				break
			}
			u := &ns.layers[i]
			u.decode(raw, from)
			raw, from = keep(u.text), u
			ns.trimmed(raw, strong)
		}
	}
}

// trimmed takes a raw value without the space around it.
func (ns *needles) trimmed(raw string, strong bool) {
	raw = strings.TrimSpace(raw)
	_, letters := glance(raw)
	ns.one(raw, letters, strong)
}

// one takes a raw value that has these letters.
func (ns *needles) one(raw string, letters uint64, strong bool) {
	part := len(raw) > maxNeedle
	if part {
		raw = raw[:maxNeedle]
		_, letters = glance(raw)
	}
	if len(raw) < minNeedle {
		return
	}
	if letters&digitLetters == 0 && known(raw) || (!strong && versionLike(raw)) {
		return
	}
	for i := range ns.list {
		if n := &ns.list[i]; n.text == raw && (n.strong || !strong) {
			return
		}
	}
	if len(ns.list) >= maxNeedles {
		ns.overflow = true
		ns.flooded = ns.flooded || strong
		return
	}
	ns.list = append(ns.list, needle{raw, strong, part, letters})
	ns.least, ns.shared = min(ns.least, len(raw)), ns.shared&letters
}

// mark notes with which bytes the raw values begin. Of most events nothing is looked for.
func (ns *needles) mark() {
	for ; ns.marked < len(ns.list); ns.marked++ {
		n := &ns.list[ns.marked]
		bits := uint8(1)
		if n.strong {
			bits = 3
		}
		for _, c := range [...]byte{n.text[0], lower(n.text[0]), upper(n.text[0])} {
			ns.first[c] |= bits
		}
	}
}

// versionLike tells 3.11.2 and 14: such parameters stand in other fields by right.
func versionLike(s string) bool {
	for i := range len(s) {
		if class[s[i]]&isDigit == 0 && s[i] != '.' {
			return false
		}
	}
	return len(s) <= 9 && strings.IndexByte(s, '.') > 0
}

// may tells whether a raw value can stand in a string of this length that has these letters: most
// strings are too short for it, or miss one of its characters.
func (ns *needles) may(length int, letters uint64, strongOnly bool) bool {
	if length < ns.least || ns.shared&^letters != 0 {
		return false
	}
	for i := range ns.list {
		n := &ns.list[i]
		if len(n.text) <= length && n.letters&^letters == 0 && (n.strong || !strongOnly) {
			return true
		}
	}
	return false
}

// find calls hit with each place in s where a raw value stands, in any letter case.
func (ns *needles) find(s string, strongOnly bool, hit func(start, end int)) {
	if len(s) < minNeedle {
		return
	}
	ns.mark()
	want := uint8(1)
	if strongOnly {
		want = 2
	}
	for i := 0; i+minNeedle <= len(s); i++ {
		if ns.first[s[i]]&want == 0 {
			continue
		}
		best := 0
		for k := range ns.list {
			n := &ns.list[k]
			if len(n.text) <= best || strongOnly && !n.strong {
				continue
			}
			same := equalFold(s[i:], n.text)
			ns.budget -= same + 1
			if same == len(n.text) {
				if best = same; n.part {
					best = len(s) - i
				}
			}
		}
		if ns.budget < 0 {
			ns.overflow, ns.flooded = true, true
			hit(0, len(s))
			return
		}
		if best > 0 {
			hit(i, i+best)
		}
	}
}

// equalFold counts the bytes of n with which s begins, in any letter case.
func equalFold(s, n string) int {
	if len(s) < len(n) {
		return 0
	}
	for i := range len(n) {
		if s[i] != n[i] && lower(s[i]) != lower(n[i]) {
			return i
		}
	}
	return len(n)
}

// query takes the parameters of a query string: those with a strong name, or the others.
func (ns *needles) query(q string, strong bool, keep func([]byte) string) {
	for q != "" {
		var pair string
		if i := strings.IndexAny(q, "&;"); i >= 0 {
			pair, q = q[:i], q[i+1:]
		} else {
			pair, q = q, ""
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			name, value = "", pair
		}
		if len(value) >= minNeedle && strongName(name) == strong {
			ns.add(value, strong, keep)
			if strings.IndexByte(value, '+') >= 0 {
				ns.add(strings.ReplaceAll(value, "+", " "), strong, keep)
			}
		}
	}
}

// strongName tells whether a parameter of this name is a credential or names a person or device. An
// escaped name is taken for one.
func strongName(name string) bool {
	if strings.IndexByte(name, '%') >= 0 {
		return true
	}
	for _, part := range [...]string{
		"key", "token", "secret", "pass", "pwd", "auth", "sig", "cred", "otp", "user", "mail", "phone", "mobile", "msisdn",
		"name", "nik", "ssn", "national", "passport", "device", "subject", "applicant", "customer", "account", "card",
		"birth", "dob", "face", "image", "selfie", "photo", "document",
	} {
		if containsFold(name, part) {
			return true
		}
	}
	return false
}

// gather collects the raw values of an event.
func (w *Worker) gather(ev *event.Event) {
	w.needles.reset()
	for i, id := range w.f.pseudonyms {
		raw := ev.Str(id)
		w.raw[i] = raw
		if raw == "" {
			continue
		}
		if seen, letters := glance(raw); seen&needsCare == 0 {
			w.needles.one(raw, letters, true)
			continue
		}
		w.needles.add(raw, true, w.keep)
		if i := strings.LastIndexByte(raw, ' '); i >= 0 {
			w.needles.add(raw[i+1:], true, w.keep) // without its scheme
		}
	}
	query, referrer := ev.Str(event.URLQuery), ev.Str(event.HTTPRequestReferrer)
	if query != "" || referrer != "" {
		_, referrer, _ = strings.Cut(referrer, "?")
		long := len(query) > maxQuery || len(referrer) > maxQuery
		w.needles.overflow, w.needles.flooded = long, long
		query, referrer = cut(query, maxQuery), cut(referrer, maxQuery)
		for _, strong := range [...]bool{true, false} { // what matters first, should there be too many
			w.needles.query(query, strong, w.keep)
			w.needles.query(referrer, strong, w.keep)
		}
	}
	if w.f.truncate {
		for _, id := range [...]event.ID{event.SourceIP, event.ClientIP, event.NetworkForwardedIP} {
			w.needles.add(ev.Str(id), false, w.keep)
		}
	}
}

// maxQuery bounds the query string that is taken apart.
const maxQuery = 8192
