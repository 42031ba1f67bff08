package privacy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Who is searched for in a value.
type searched uint8

const (
	nobody   searched = iota // nothing is: the value does not come from the log
	strong                   // ids, credentials and personal parameters
	everyone                 // and all other parameters
)

// search finds copies of raw values of this event in s, whose traits are t.
func (w *Worker) search(s string, t *traits, who searched) {
	if who == nobody || !t.hides() && !w.needles.may(len(s), t.letters, who == strong) {
		return
	}
	w.sc.each(s, t.hides(), func(layer string) {
		w.needles.find(layer, who == strong, func(start, end int) { w.sc.add(start, end, kindRawValue) })
	})
}

// copied tells whether a copy of a raw value stands in s.
func (w *Worker) copied(s string, t *traits, who searched) bool {
	w.sc.reset()
	w.search(s, t, who)
	return len(w.sc.spans) > 0
}

// text returns s with findings masked and at most limit bytes; s itself where it was clean, and then
// the worker's traits are those of s.
func (w *Worker) text(s string, limit int, who searched) string {
	if who == everyone && w.needles.overflow {
		w.found(kindUnscanned)
		return kindMasks[kindUnscanned]
	}
	emit := len(s)
	if len(s) > scanLimit {
		s = cut(s, scanLimit)
		emit = len(s) - scanMargin
	}
	raw := s
	if w.traits = survey(s); w.traits.has(isOdd) {
		raw = w.cleaned(s)
		emit = min(emit, len(raw))
	}
	w.sc.reset()
	w.sc.text(raw, &w.traits)
	w.search(raw, &w.traits, who)
	return w.masked(s, raw, emit, limit)
}

// cleaned returns s without what could hide a value; the worker's traits become those of the result.
func (w *Worker) cleaned(s string) string {
	w.sc.cleaned = appendClean(w.sc.cleaned[:0], s)
	w.traits = survey(slot(w.sc.cleaned))
	return slot(w.sc.cleaned)
}

// chosen bounds a value that configuration or liveward chose, and masks a secret in it. A team's
// mailbox as the owner of a key is theirs to name.
func (w *Worker) chosen(id event.ID, s string) string {
	raw := cut(s, maxChosen)
	if w.traits = survey(raw); w.traits.has(isOdd) {
		raw = w.cleaned(raw)
	}
	w.sc.reset()
	w.sc.secrets(raw, &w.traits, id != event.LogFilePath)
	return w.masked(s, raw, len(raw), maxChosen)
}

// ObjectName returns the name of an object of a store, such as s3://bucket/key, with findings masked. Who
// uploads it chooses it, and some name it after a customer.
func (w *Worker) ObjectName(s string) string {
	const most = 1024 // of a key of S3; what is longer is none
	raw := cut(s, most)
	if w.traits = survey(raw); w.traits.has(isOdd) {
		raw = w.cleaned(raw)
	}
	w.buf = w.buf[:0]
	prev := ""
	for segment := range strings.SplitAfterSeq(raw, "/") {
		w.sc.reset()
		w.sc.before = prev
		t := survey(segment)
		w.sc.identifier(segment, &t)
		at := 0
		for _, sp := range w.sc.sorted() {
			w.buf = append(append(w.buf, segment[at:sp.start]...), kindMasks[sp.kind]...)
			at = sp.end
		}
		w.buf = append(w.buf, segment[at:]...)
		prev = strings.TrimSuffix(segment, "/")
	}
	return string(w.buf)
}

// hashLike tells whether s is an event.Hash as text.
func hashLike(s string) bool {
	if len(s) != event.HashTextLen {
		return false
	}
	all := isHash
	for i := range len(s) {
		all &= looks[s[i]]
	}
	return all != 0
}

// masked returns raw, which is s without what hides, up to emit, with the findings masked.
func (w *Worker) masked(s, raw string, emit, limit int) string {
	spans := w.sc.sorted()
	if len(spans) == 0 {
		if len(raw) <= limit && raw == s {
			return s
		}
		return w.ev.Keep(event.Bytes(cut(raw[:emit], limit)))
	}
	w.buf = w.buf[:0]
	at := 0
	for _, sp := range spans {
		if sp.start >= emit {
			break
		}
		w.buf = append(w.buf, raw[at:sp.start]...)
		w.buf = append(w.buf, kindMasks[sp.kind]...)
		w.found(sp.kind)
		at = sp.end
	}
	if at < emit {
		w.buf = append(w.buf, raw[at:emit]...)
	}
	return w.ev.Keep(event.Bytes(cut(slot(w.buf), limit)))
}

// identifier returns s where it is a clean identifier, else what stands for it.
func (w *Worker) identifier(id event.ID, s string) string {
	treat, who := w.f.treat[id], strong
	if treat == tenant {
		who = nobody
	}
	var m *memo
	if treat != single {
		var clean bool
		if m, clean = w.remembered(id, s, who); clean {
			return s
		}
	}
	if len(s) > scanLimit {
		// Nothing that long is an identifier.
		w.found(kindUnscanned)
		return kindMasks[kindUnscanned]
	}
	raw := s
	if w.traits = survey(s); w.traits.has(isOdd) {
		raw = w.cleaned(s)
	}
	w.sc.reset()
	w.sc.identifier(raw, &w.traits)
	w.search(raw, &w.traits, who)
	if who != nobody && w.needles.flooded && len(s) >= minNeedle && !known(s) {
		w.sc.add(0, len(raw), kindUnscanned)
	}
	if spans := w.sc.sorted(); len(spans) > 0 {
		for _, sp := range spans {
			w.found(sp.kind)
		}
		if treat != identifier && treat != identifierList {
			return w.standIn(s)
		}
		return kindMasks[spans[0].kind]
	}
	out := w.restrict(raw, s)
	if out == s && m != nil {
		m.keep(s, &w.traits)
	}
	return out
}

// standIn is the pseudonym of an identifier that must not be stored but is joined by. Where it is a
// copy of a pseudonymised field, it is that field's pseudonym.
func (w *Worker) standIn(s string) string {
	for i, id := range w.f.pseudonyms {
		if w.raw[i] == s {
			return w.keep(w.pseudo.of(domainOf(id), s))
		}
	}
	return w.keep(w.pseudo.of(domainID, s))
}

// restrict bounds an identifier, whose traits are the worker's, and replaces characters that
// identifiers do not have.
func (w *Worker) restrict(raw, s string) string {
	raw = cut(raw, maxIdentifier)
	if w.traits.seen&hasForeign == 0 && len(raw) == len(s) {
		return s
	}
	w.buf = w.buf[:0]
	for i := range len(raw) {
		switch c := raw[i]; {
		case identByte(c):
			w.buf = append(w.buf, c)
		default:
			w.buf = append(w.buf, '_')
		}
	}
	return w.ev.Keep(w.buf)
}

// identByte tells whether an identifier may have c: letters, digits, and what routes, versions,
// media types and request ids are made of.
func identByte(c byte) bool {
	return class[c]&(isToken|isAt|isAssign) != 0 || c == ',' || c == '{' || c == '}' || c == '*' || c == '|' || c == '#' || c == '$'
}

// inspect notes what kinds of values a field held that is about to be cleared.
func (w *Worker) inspect(id event.ID) {
	if id != event.URLQuery && id != event.HTTPRequestReferrer {
		return
	}
	w.sc.reset()
	s := cut(w.ev.Str(id), maxQuery)
	t := survey(s)
	w.sc.text(s, &t)
	for _, sp := range w.sc.sorted() {
		w.found(sp.kind)
	}
}

// address keeps an address in canonical form, cuts it to its network, or clears what is none.
func (w *Worker) address(id event.ID) {
	s, ok := w.network(w.ev.Str(id))
	if !ok {
		w.ev.Clear(id)
		return
	}
	w.ev.SetString(id, s)
}

func (w *Worker) network(s string) (string, bool) {
	if !w.f.truncate {
		if slices.Contains(w.ips, s) {
			return s, true // the same address stands in several fields
		}
		ip, ok := event.CanonicalIP(s)
		if ok && ip == s && len(w.ips) < maxIPs {
			w.ips = append(w.ips, s)
		}
		return ip, ok
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", false
	}
	a = a.Unmap().WithZone("")
	size := 48
	if a.Is4() {
		size = 24
	}
	p, err := a.Prefix(size)
	if err != nil {
		return "", false
	}
	w.buf = p.Addr().AppendTo(w.buf[:0])
	return w.ev.Keep(w.buf), true
}

// maxIPs is how many addresses of an event are remembered: caller, peer, and who the caller says he is.
const maxIPs = 3

// truncated removes doubles that cutting addresses to networks made.
func (w *Worker) truncated(id event.ID) {
	w.list = append(w.list[:0], w.ev.List(id)...)
	w.ev.Clear(id)
	for _, s := range w.list {
		w.ev.Append(id, s)
	}
}

// values treats the values of a list, which stays as it is where all of them do.
func (w *Worker) values(id event.ID) {
	was := w.ev.List(id)
	w.list = w.list[:0]
	same := len(was) <= maxList
	for _, s := range was[:min(len(was), maxList)] {
		v, ok := w.value(id, s)
		if ok {
			w.list = append(w.list, v)
		}
		same = same && ok && v == s
	}
	if !same {
		w.ev.Clear(id)
		for _, s := range w.list {
			w.ev.Append(id, s)
		}
	}
	clear(w.list)
}

func (w *Worker) value(id event.ID, s string) (string, bool) {
	switch w.f.treat[id] {
	case closedList:
		return s, slices.Contains(event.FieldOf(id).Enum, s)
	case chosenList:
		m, clean := w.remembered(id, s, nobody)
		if clean {
			return s, true
		}
		out := w.chosen(id, s)
		if out == s {
			m.keep(s, &w.traits)
		}
		return out, true
	case identifierList:
		return w.identifier(id, s), true
	case addressList:
		return w.network(s)
	case kindList:
		return s, kindName(s)
	}
	return "", false
}

// kindName tells whether s can name a kind of finding: formats and enrichment note their own.
func kindName(s string) bool {
	for i := range len(s) {
		if class[s[i]]&isLower == 0 && s[i] != '_' {
			return false
		}
	}
	return len(s) <= 24
}

// shortWord tells 1.2, ID, US-CA: eight letters, digits, dots and hyphens at most.
func shortWord(s string) bool {
	if len(s) > 8 {
		return false
	}
	for i := range len(s) {
		if class[s[i]]&isAlnum == 0 && s[i] != '.' && s[i] != '-' {
			return false
		}
	}
	return true
}
