package privacy

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// Bounds of a path.
const (
	maxPath     = 512
	maxSegment  = 48
	longSegment = 64 // after a segment as long, the rest of the path is part of it
)

// path masks the segments of a URL path that are ids or personal data, and tells how many it masked
// as personal data, secrets or copies. It returns s itself where nothing changed.
func (w *Worker) path(s string) string {
	was := s
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if len(s) > scanLimit {
		s = s[:scanLimit]
	}
	w.sc.reset()
	whole := survey(s)
	w.search(s, &whole, everyone)
	w.hits = append(w.hits[:0], w.sc.spans...) // a raw value may have a slash in it
	w.buf = w.buf[:0]
	prev := ""
	for i := 0; i < len(s) && len(w.buf) < maxPath; {
		if s[i] == '/' {
			w.buf = append(w.buf, '/')
			i++
			continue
		}
		j := strings.IndexByte(s[i:], '/')
		if j < 0 {
			j = len(s)
		} else {
			j += i
		}
		out, rest := w.segment(s[i:j], prev, strings.HasPrefix(s[i:], "9j/"), touched(w.hits, i, j))
		prev = s[i:j]
		w.buf = append(w.buf, out...)
		if rest {
			break
		}
		i = j
	}
	if len(w.buf) > maxPath {
		w.buf = w.buf[:maxPath]
	}
	if string(w.buf) == was {
		w.traits = whole
		return was
	}
	return w.ev.Keep(w.buf)
}

// inSession tells whether the event's session id stands in a path.
func (w *Worker) inSession(path string) bool {
	id := w.ev.Str(event.LivenessSessionID)
	return id != "" && strings.Contains(path, id)
}

// segment returns what stands for one segment, which comes after prev; rest tells that all that
// follows belongs to it.
func (w *Worker) segment(seg, prev string, image, hit bool) (out string, rest bool) {
	if image {
		w.found(kindImage)
		return "{image}", true
	}
	if i := strings.IndexByte(seg, ';'); i >= 0 {
		seg = seg[:i] // matrix parameters: session ids, as a rule
	}
	if seg == "" {
		return "", false
	}
	if hit || w.needles.overflow && len(seg) >= minNeedle && !known(seg) {
		w.found(kindRawValue)
		return "{value}", false
	}
	switch {
	case seg == w.ev.Str(event.LivenessSessionID):
		// An id for sure, however much it looks like a word: rules count different paths.
		return "{token}", false
	case allDigits(seg):
		w.sc.reset()
		w.sc.before = prev
		t := survey(seg)
		w.sc.identifier(seg, &t)
		if sp := w.sc.sorted(); len(sp) > 0 && sp[0].kind != kindNumber { // any id of digits is {number}
			w.found(sp[0].kind)
			return kindBraced[sp[0].kind], false
		}
		return "{number}", false
	case isUUID(seg):
		return "{uuid}", false
	}
	m := &w.words[placeOf(seg)%uint(len(w.words))]
	if m.holds(seg) {
		return seg, false
	}
	if len(seg) <= maxSegment && wordy(seg, 4) && strings.IndexByte(seg, '{') < 0 {
		if t := survey(seg); t.longest < 11 || !w.secretWord(seg, &t) {
			m.keep(seg, &t)
			return seg, false
		}
	}
	if len(seg) <= maxSegment && template(seg) {
		return seg, false
	}
	w.sc.reset()
	w.sc.before = prev
	t := survey(seg)
	w.sc.text(seg, &t)
	k := kindNone
	for _, sp := range w.sc.sorted() {
		if k = sp.kind; k != kindNumber {
			w.found(k)
		}
	}
	rest = len(seg) >= longSegment || k == kindImage || strings.ContainsAny(seg, "+=")
	switch k {
	case kindNone, kindToken, kindBase64, kindJWT, kindSecret, kindCredential:
		return "{token}", rest
	}
	return kindBraced[k], rest
}

// touched tells whether a finding lies in, or reaches into, start to end.
func touched(spans []span, start, end int) bool {
	for _, sp := range spans {
		if sp.start < end && sp.end > start {
			return true
		}
	}
	return false
}

// secretWord tells whether a wordy segment begins as an issued key does.
func (w *Worker) secretWord(seg string, t *traits) bool {
	w.sc.reset()
	w.sc.identifier(seg, t)
	return len(w.sc.spans) > 0
}

// template tells {id} and {session_id}: a pattern of the gateway, not a value.
func template(s string) bool {
	if len(s) < 3 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	inner := s[1 : len(s)-1]
	return strings.IndexByte(inner, '{') < 0 && wordy(inner, 2)
}
