package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// tree builds a nested JSON document from dotted names; for documents that are made rarely, such as
// alerts. Events are encoded by AppendJSON, without it.
type tree map[string]any

func newTree() tree { return tree{} }

func (t tree) put(name string, v any) {
	m := t
	for {
		head, rest, dotted := strings.Cut(name, ".")
		if !dotted {
			m[head] = v
			return
		}
		sub, ok := m[head].(tree)
		if !ok {
			sub = tree{}
			m[head] = sub
		}
		m, name = sub, rest
	}
}

func (t tree) appendJSON(dst []byte) []byte {
	var sb strings.Builder
	enc := json.NewEncoder(&sb)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil {
		// Every value put into a tree is a string, number, boolean, list of those or JSON made here.
		panic(fmt.Sprintf("event: encode document: %v", err))
	}
	return append(dst, strings.TrimSuffix(sb.String(), "\n")...)
}

// parseValue reads a field's value from JSON.
func parseValue(id ID, raw json.RawMessage) (Value, error) {
	v := Value{Field: id}
	var err error
	switch fields[id].Type {
	case Long:
		var n int64
		err = json.Unmarshal(raw, &n)
		v.Num = uint64(n)
	case Double:
		var f float64
		err = json.Unmarshal(raw, &f)
		v.Num = math.Float64bits(f)
	case Bool:
		var b bool
		err = json.Unmarshal(raw, &b)
		if b {
			v.Num = 1
		}
	case Date:
		var s string
		if err = json.Unmarshal(raw, &s); err == nil {
			var n int64
			n, err = ParseTime(s)
			v.Num = uint64(n)
		}
	default:
		err = json.Unmarshal(raw, &v.Str)
	}
	return v, err
}
