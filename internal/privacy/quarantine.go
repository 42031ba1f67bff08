package privacy

import (
	"strconv"
	"unicode/utf8"

	"github.com/liveward/liveward/internal/event"
)

// Bounds of quarantine, in bytes.
const (
	maxShape  = 1024
	maxReason = 256
	maxExact  = 40 // longer words show their length alone
	maxName   = 128
	maxReport = 64 << 10 // of the line, looked at for what kinds of values it holds
)

// kept are the fields a quarantined line keeps: those the agent sets, never the parser.
func kept(id event.ID) bool {
	switch id {
	case event.AgentID, event.AgentVersion, event.ECSVersion, event.EventCreated, event.EventDataset, event.EventID,
		event.EventModule, event.EventProvider, event.LivewardLate, event.LivewardOffset, event.LivewardSkewed,
		event.LivewardSource, event.LogFilePath, event.ServiceEnvironment, event.Tags, event.Timestamp:
		return true
	}
	return false
}

// Quarantine makes ev the document of a line that could not be parsed: of kind pipeline_error, with
// the reason, and with the shape of the line as its message: names of fields that liveward knows, and
// of every value only the classes of its characters and their number. All fields that a parser may
// have set are cleared. reason is a text of the program, not of the log; it is masked all the same.
func (w *Worker) Quarantine(line []byte, ev *event.Event, reason string) {
	w.begin(ev)
	w.needles.reset()
	ev.Present(func(id event.ID) {
		if !kept(id) {
			ev.Clear(id)
		}
	})
	ev.Labels = ev.Labels[:0]
	w.fields()

	ev.SetString(event.EventKind, "pipeline_error")
	ev.SetString(event.EventDataset, "liveward.event")
	ev.SetString(event.EventModule, "liveward")
	ev.SetString(event.ECSVersion, event.ECSVersionValue)
	ev.SetString(event.ErrorMessage, w.text(reason, maxReason, nobody))
	w.sc.reset()
	s := slot(line[:min(len(line), maxReport)])
	t := survey(s)
	w.sc.text(s, &t)
	for _, sp := range w.sc.sorted() {
		w.found(sp.kind)
	}
	w.buf = appendShape(w.buf[:0], line)
	ev.SetString(event.Message, ev.Keep(w.buf))
	w.finish()
}

// appendShape appends the shape of a line. Letters become a, digits 0, characters beyond ASCII u, other bytes
// x; more than four of one class are counted: a{23}; a long word is w{80}. Punctuation that gives logs their structure stays.
// A name that liveward knows stays where it is a key: before a colon or an equals sign.
func appendShape(dst []byte, line []byte) []byte {
	limit := len(dst) + maxShape
	s := slot(line)
	for i := 0; i < len(s); {
		if j := name(s, i); j > i && isKey(s, j) && shape(s[i:j]) {
			if len(dst)+j-i > limit {
				break
			}
			dst = append(dst, s[i:j]...)
			i = j
			continue
		} else if j > i {
			// A word that does not stay is masked whole, so that no known word within it does.
			if dst = appendMasked(dst, s[i:j], limit); len(dst) > limit {
				break
			}
			i = j
			continue
		}
		n := 1
		if s[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(s[i:])
		}
		j := i + n
		for c := shapeOf(s[i]); j < len(s) && shapeOf(s[j]) == c; {
			if s[j] < utf8.RuneSelf {
				j++
				continue
			}
			_, n = utf8.DecodeRuneInString(s[j:])
			j += n
		}
		if dst = appendRun(dst, shapeOf(s[i]), utf8.RuneCountInString(s[i:j])); len(dst) > limit {
			break
		}
		i = j
	}
	if len(dst) > limit {
		dst = append(dst[:limit-3], "..."...)
	}
	return dst
}

// Name returns the name of a member or parameter as it may be shown to who maps it. Names come from the
// line, and some lines have ids, addresses and keys in the place of names: of what is not made of words
// the classes of its characters are shown, and of a name in which anything is found nothing else.
func (w *Worker) Name(s string) string {
	s = cut(s, maxName)
	w.sc.reset()
	t := survey(s)
	w.sc.text(s, &t)
	found := len(w.sc.spans) > 0 || t.has(isOdd)
	w.buf = w.buf[:0]
	for i := 0; i < len(s); {
		if j := name(s, i); j > i {
			if word := s[i:j]; !found && (shape(word) || wordy(word, 4)) {
				w.buf = append(w.buf, word...)
			} else {
				w.buf = appendMasked(w.buf, word, len(w.buf)+len(word))
			}
			i = j
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		w.buf = append(w.buf, shapeOf(s[i]))
		i += n
	}
	return string(w.buf)
}

// name returns the end of the name that begins at i: letters, digits, _ and -.
func name(s string, i int) int {
	for i < len(s) && (class[s[i]]&isAlnum != 0 || s[i] == '_' || s[i] == '-') {
		i++
	}
	return i
}

// isKey tells whether the name that ends at j is a key.
func isKey(s string, j int) bool {
	if j < len(s) && s[j] == '"' {
		j++
		for j < len(s) && s[j] == ' ' {
			j++
		}
		return j < len(s) && s[j] == ':'
	}
	return j < len(s) && s[j] == '='
}

func appendMasked(dst []byte, s string, limit int) []byte {
	if len(s) > maxExact {
		return appendRun(dst, 'w', len(s))
	}
	for i := 0; i < len(s) && len(dst) <= limit; {
		j := i + 1
		for j < len(s) && shapeOf(s[j]) == shapeOf(s[i]) {
			j++
		}
		dst = appendRun(dst, shapeOf(s[i]), j-i)
		i = j
	}
	return dst
}

func appendRun(dst []byte, c byte, n int) []byte {
	if n > 4 {
		dst = append(dst, c, '{')
		dst = strconv.AppendInt(dst, int64(n), 10)
		return append(dst, '}')
	}
	for range n {
		dst = append(dst, c)
	}
	return dst
}

// shapeOf is what stands for a byte.
func shapeOf(c byte) byte {
	switch {
	case class[c]&isAlpha != 0:
		return 'a'
	case class[c]&isDigit != 0:
		return '0'
	case c >= utf8.RuneSelf:
		return 'u'
	}
	switch c {
	case ' ', '"', '\'', '{', '}', '[', ']', '(', ')', '<', '>', ',', ':', ';', '=', '|', '/', '&', '?', '-', '_', '.', '+', '@':
		return c
	case '\t':
		return ' '
	}
	return 'x'
}
