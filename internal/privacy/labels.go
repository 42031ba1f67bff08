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
		w.sc.reset()
		if len(l.Key) <= maxLabelKey {
			t := survey(l.Key)
			w.sc.text(l.Key, &t)
			w.search(l.Key, &t, everyone)
		}
		if len(l.Key) > maxLabelKey || len(w.sc.spans) > 0 {
			w.found(kindRawValue)
			continue
		}
		key, value := w.labelKey(l.Key), w.text(l.Value, maxLabelValue, everyone)
		if key == "" || value == "" || hasLabel(out, key) {
			continue
		}
		out = append(out, event.Label{Key: key, Value: value})
	}
	clear(ev.Labels[len(out):])
	ev.Labels = out
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
