package privacy

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// labels treats the open part: keys become plain names, values are text.
func (w *Worker) labels() {
	ev := w.ev
	out := ev.Labels[:0]
	for _, l := range ev.Labels {
		name := l.Key
		if t := survey(name); t.has(isOdd) {
			name = w.ev.Keep(event.Bytes(w.cleaned(name)))
		}
		if !w.harmless(name) {
			w.found(kindRawValue)
			continue
		}
		key, value := w.labelKey(name), w.labelValue(name, l.Value)
		if key == "" || value == "" || hasLabel(out, key) {
			continue
		}
		out = append(out, event.Label{Key: key, Value: value})
	}
	clear(ev.Labels[len(out):])
	ev.Labels = out
}

// harmless tells whether a label's key is short, and holds nothing that must not be stored.
func (w *Worker) harmless(key string) bool {
	if len(key) > maxLabelKey {
		return false
	}
	w.sc.reset()
	t := survey(key)
	w.sc.text(key, &t)
	w.search(key, &t, everyone)
	return len(w.sc.spans) == 0
}

// labelValue returns what may be stored of the value of a label with this name: nothing, where the name is a secret's.
func (w *Worker) labelValue(name, value string) string {
	if len(value) >= 3 && (secretName(name) || shortSecret(name)) && !known(value) {
		w.found(kindSecret)
		return kindMasks[kindSecret]
	}
	return w.text(value, maxLabelValue, everyone)
}

func hasLabel(labels []event.Label, key string) bool {
	for i := range labels {
		if labels[i].Key == key {
			return true
		}
	}
	return false
}

// labelKey returns the key with nothing but letters, digits, _ and -: a dot would make an object of
// it, and two documents with a and a.b cannot be in one index.
func (w *Worker) labelKey(key string) string {
	ok := true
	for i := range len(key) {
		ok = ok && (class[key[i]]&isAlnum != 0 || key[i] == '_' || key[i] == '-')
	}
	if ok {
		return key
	}
	w.buf = w.buf[:0]
	for i := range len(key) {
		c := key[i]
		if class[c]&isAlnum == 0 && c != '_' && c != '-' {
			c = '_'
		}
		w.buf = append(w.buf, c)
	}
	return strings.Trim(w.ev.Keep(w.buf), "_")
}
