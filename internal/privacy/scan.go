package privacy

import (
	"slices"
	"strings"
)

// scanLimit is how many bytes of a value are looked at. Only what lies scanMargin before it can be
// kept, so that nothing passes because the limit cut it in half.
const (
	scanLimit  = 2048
	scanMargin = 512
)

// maxUnescape is how many layers of escapes are resolved.
const maxUnescape = 3

// scanner finds in a string what must not be stored. It is a scratch of one goroutine.
type scanner struct {
	spans   []span
	back    []int // of the layer being scanned; nil for the string itself
	layers  [maxUnescape]unescaped
	cleaned []byte
	form    []byte // with spaces for plus signs
	run     run    // the token the last digits stood in
	before  string // what stands before the string, for the name of a number
}

func (sc *scanner) reset() { sc.spans, sc.back, sc.before = sc.spans[:0], nil, "" }

// add notes a finding of the layer being scanned.
func (sc *scanner) add(start, end int, k kind) {
	if sc.back != nil {
		start, end = sc.back[start], sc.back[end]
	}
	sc.spans = append(sc.spans, span{start, end, k})
}

// each calls f with s and with every layer of s that escapes hide. What hides deeper is a
// finding as a whole.
func (sc *scanner) each(s string, hides bool, f func(s string)) {
	sc.back = nil
	f(s)
	if !hides {
		return
	}
	var from *unescaped
	for i := range sc.layers {
		if !escaped(s) {
			break
		}
		u := &sc.layers[i]
		u.decode(s, from)
		s, from = slot(u.text), u
		sc.back = u.back
		f(s)
	}
	if escaped(s) && from != nil {
		sc.add(0, len(s), kindUnscanned)
	}
	sc.back = nil
}

// text finds everything in text of people, callers and gateways. t are the traits of s.
func (sc *scanner) text(s string, t *traits) { sc.all(s, t, true) }

// identifier finds what an identifier must not be.
func (sc *scanner) identifier(s string, t *traits) { sc.all(s, t, false) }

func (sc *scanner) all(s string, t *traits, text bool) {
	if plain(s) {
		return
	}
	sc.back = nil
	sc.spaced(s, t, text)
	if t.hides() {
		sc.each(s, true, func(layer string) {
			if sc.back != nil {
				t := survey(layer)
				sc.spaced(layer, &t, text)
			}
		})
	}
}

// spaced scans s, and once more with spaces in the place of plus signs, which is how forms and query
// strings write them.
func (sc *scanner) spaced(s string, t *traits, text bool) {
	sc.detect(s, t, text)
	if t.seen&hasPlus == 0 {
		return
	}
	sc.form = append(sc.form[:0], s...)
	for i, c := range sc.form {
		if c == '+' {
			sc.form[i] = ' '
		}
	}
	form := survey(slot(sc.form))
	sc.detect(slot(sc.form), &form, text)
}

// plain tells that a string is too short for any finding: most of a log.
func plain(s string) bool { return len(s) < 6 }

// detect runs the detectors whose findings a string of these traits can have.
func (sc *scanner) detect(s string, t *traits, text bool) {
	if t.has(isAt) {
		sc.emails(s)
		sc.userinfos(s)
	}
	if t.grouped >= minGrouped {
		sc.numbers(s, text)
	}
	if t.grouped >= 11 && t.seen&hasDot != 0 && t.seen&hasHyphen != 0 {
		sc.cpfDotted(s)
	}
	if t.digits >= 9 && t.has(isAlpha) && (t.all&inWord == 0 || ibanStart(s)) {
		sc.ibans(s)
	}
	if t.longest >= minToken {
		sc.tokens(s, t, text)
	}
	if t.has(isAssign) {
		sc.assignments(s)
	}
	if t.seen&hasForeign != 0 {
		sc.elements(s)
	}
	if t.seen&hasSpace != 0 {
		sc.schemes(s)
	}
	if t.longest >= minRun && t.seen&hasHyphen != 0 && pemLetters&^t.letters == 0 {
		sc.pems(s)
	}
}

// secrets finds what no configuration should hold either. blobs: random text counts.
func (sc *scanner) secrets(s string, t *traits, blobs bool) {
	if plain(s) {
		return
	}
	sc.back = nil
	if blobs && t.longest >= minToken {
		sc.tokens(s, t, false)
	}
	if t.has(isAssign) {
		sc.assignments(s)
	}
	sc.elements(s)
	sc.schemes(s)
	sc.pems(s)
	sc.userinfos(s)
}

// emails finds local@domain.tld and local@[192.0.2.1].
func (sc *scanner) emails(s string) {
	for at := strings.IndexByte(s, '@'); at >= 0 && at < len(s); {
		start := at
		for start > 0 && at-start < 128 && localByte(s[start-1]) {
			start--
		}
		end, dot := at+1, -1
		for end < len(s) && end-at < 256 && domainByte(s[end]) {
			if s[end] == '.' {
				dot = end
			}
			end++
		}
		for end > at+1 && (s[end-1] == '.' || s[end-1] == '-') {
			end--
		}
		if dot >= end-1 {
			dot = strings.LastIndexByte(s[at:end], '.') + at
		}
		if end == at+1 && start < at {
			if end = literalEnd(s, end); end > 0 {
				sc.add(start, end, kindEmail)
			}
		} else if start < at && dot > at+1 && end-dot > 2 && class[s[dot+1]]&isDigit == 0 {
			sc.add(start, end, kindEmail)
		}
		next := strings.IndexByte(s[at+1:], '@')
		if next < 0 {
			return
		}
		at += 1 + next
	}
}

// literalEnd returns where an address in brackets ends that stands in the place of a domain at i, or 0.
func literalEnd(s string, i int) int {
	const longest = len("[IPv6:]") + 45
	end := strings.IndexByte(s[i:min(len(s), i+longest)], ']')
	if end < 0 || s[i] != '[' || !strings.ContainsAny(s[i:i+end], ".:") {
		return 0
	}
	return i + end + 1
}

func localByte(c byte) bool {
	return class[c]&isAlnum != 0 || c >= 0x80 || strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func domainByte(c byte) bool {
	return class[c]&isAlnum != 0 || c >= 0x80 || c == '.' || c == '-'
}

// sorted orders the findings and joins those that touch or overlap.
func (sc *scanner) sorted() []span {
	if len(sc.spans) < 2 {
		return sc.spans
	}
	slices.SortFunc(sc.spans, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	out := sc.spans[:1]
	for _, s := range sc.spans[1:] {
		last := &out[len(out)-1]
		if s.start < last.end {
			last.end = max(last.end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}
