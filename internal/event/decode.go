package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// DecodeJSON fills the event from a document that AppendJSON wrote. Fields the table does not have
// are passed over.
func (e *Event) DecodeJSON(doc []byte) error {
	scratch, labels := e.scratch, e.Labels
	present := e.present
	r := reader{e: e, doc: doc}
	if r.read() {
		return nil
	}
	e.scratch, e.Labels, e.present = scratch, labels, present
	return e.decodeAny(doc)
}

// decodeAny takes any JSON object.
func (e *Event) decodeAny(doc []byte) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return fmt.Errorf("decode document: %w", err)
	}
	for k, v := range root {
		if labels, ok := v.(map[string]any); ok && k == "labels" {
			for _, name := range sortedKeys(labels) {
				if s, ok := labels[name].(string); ok {
					e.SetLabel(name, s)
				}
			}
			continue
		}
		if err := e.decode(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (e *Event) decode(name string, v any) error {
	if sub, ok := v.(map[string]any); ok {
		for k, v := range sub {
			if err := e.decode(name+"."+k, v); err != nil {
				return err
			}
		}
		return nil
	}
	id, ok := Lookup(name)
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case string:
		if fields[id].Type == Date {
			ns, err := ParseTime(v)
			if err != nil {
				return fmt.Errorf("decode %s: %w", name, err)
			}
			e.SetTime(id, ns)
			return nil
		}
		e.SetString(id, v)
	case json.Number:
		if fields[id].Type == Double {
			f, err := v.Float64()
			if err != nil || math.IsInf(f, 0) {
				return fmt.Errorf("decode %s: not a number", name)
			}
			e.SetFloat(id, f)
			return nil
		}
		n, err := v.Int64()
		if err != nil {
			return fmt.Errorf("decode %s: not a whole number", name)
		}
		e.SetInt(id, n)
	case bool:
		e.SetBool(id, v)
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				e.Append(id, s)
			}
		}
	}
	return nil
}
