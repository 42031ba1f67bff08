package event

import "bytes"

// Values calls f for every field that holds a value, transient ones included, and for every label, in
// the order in which they are encoded, with the value as JSON. It is for the cold path: to show events
// to people and to compare what two of them hold.
func (e *Event) Values(f func(name string, json []byte)) {
	var buf []byte
	e.Present(func(id ID) {
		buf = e.appendValue(buf[:0], id)
		f(fields[id].Name, bytes.Clone(buf))
	})
	for _, l := range e.Labels {
		f("labels."+l.Key, AppendJSONString(nil, l.Value))
	}
}
