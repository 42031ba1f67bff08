package otlp

import (
	"encoding/hex"
	"strconv"

	"github.com/liveward/liveward/collectors/internal/walk"
)

// json takes the records of an ExportLogsServiceRequest in OTLP's JSON: keys in lower camel case, ids
// in hex, numbers of 64 bits as strings or as numbers.
func (w *writer) json(body []byte) error {
	return each(walk.Member(body, "resourceLogs"), func(resource []byte) error {
		return each(walk.Member(resource, "scopeLogs"), func(scope []byte) error {
			return each(walk.Member(scope, "logRecords"), w.jsonRecord)
		})
	})
}

// each calls f for each element of a list, until it returns an error. What is no list has none.
func each(list []byte, f func(e []byte) error) error {
	if len(list) == 0 || list[0] != '[' {
		return nil
	}
	var err error
	walk.Elements(list, func(e []byte) bool { err = f(e); return err == nil })
	return err
}

func (w *writer) jsonRecord(record []byte) error {
	kind, body := jsonValueOf(walk.Member(record, "body"))
	if kind == "stringValue" && walk.IsString(body) && len(body) > 2 {
		if err := w.to.Take(2 * int64(len(body))); err != nil {
			return err
		}
		return w.text([]byte(walk.Unquote(body)))
	}
	at := jsonNanos(walk.Member(record, "timeUnixNano"))
	if at == 0 {
		at = jsonNanos(walk.Member(record, "observedTimeUnixNano"))
	}
	var trace []byte
	if id := walk.Member(record, "traceId"); walk.IsString(id) && len(id) == 34 {
		trace = make([]byte, 16)
		if _, err := hex.Decode(trace, id[1:33]); err != nil {
			trace = nil
		}
	}
	w.begin()
	return w.end(w.jsonObject(record, kind, body), at, trace)
}

func (w *writer) jsonObject(record []byte, kind string, body []byte) error {
	switch kind {
	case "", "stringValue":
	case "kvlistValue":
		if err := each(walk.Member(body, "values"), w.jsonMember); err != nil {
			return err
		}
	default:
		w.key([]byte(`"message"`))
		if err := w.jsonValue(kind, body, 0); err != nil {
			return err
		}
	}
	return each(walk.Member(record, "attributes"), w.jsonMember)
}

func (w *writer) jsonMember(pair []byte) error {
	key := walk.Member(pair, "key")
	if !walk.IsString(key) {
		return errBad
	}
	if len(key) > w.to.MaxLine() {
		return errLong
	}
	if !w.key(key) {
		return nil
	}
	kind, value := jsonValueOf(walk.Member(pair, "value"))
	return w.jsonValue(kind, value, 0)
}

// jsonValueOf is what an AnyValue holds; nothing where it is empty.
func jsonValueOf(any []byte) (kind string, value []byte) {
	walk.Members(any, func(key, v []byte) {
		switch string(key) {
		case "stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue":
			kind, value = string(key), v
		}
	})
	return kind, value
}

func (w *writer) jsonValue(kind string, v []byte, depth int) error {
	switch kind {
	case "stringValue", "bytesValue":
		if !walk.IsString(v) {
			return errBad
		}
		return w.raw(v)
	case "boolValue":
		if s := string(v); s != "true" && s != "false" {
			return errBad
		}
		return w.raw(v)
	case "intValue":
		n, err := strconv.ParseInt(unquoted(v), 10, 64)
		if err != nil {
			return errBad
		}
		w.buf = strconv.AppendInt(w.buf, n, 10)
	case "doubleValue":
		f, err := strconv.ParseFloat(unquoted(v), 64)
		if err != nil {
			return errBad
		}
		w.float(f)
	case "arrayValue", "kvlistValue":
		return w.jsonNested(kind, v, depth+1)
	default:
		w.buf = append(w.buf, "null"...)
	}
	if w.full() {
		return errLong
	}
	return nil
}

func (w *writer) jsonNested(kind string, v []byte, depth int) error {
	if depth > deepest {
		return errDeep
	}
	first := true
	next := func() {
		if !first {
			w.buf = append(w.buf, ',')
		}
		first = false
	}
	values := walk.Member(v, "values")
	if kind == "arrayValue" {
		w.buf = append(w.buf, '[')
		err := each(values, func(e []byte) error {
			next()
			kind, value := jsonValueOf(e)
			return w.jsonValue(kind, value, depth)
		})
		w.buf = append(w.buf, ']')
		return err
	}
	w.buf = append(w.buf, '{')
	err := each(values, func(pair []byte) error {
		next()
		key := walk.Member(pair, "key")
		if !walk.IsString(key) {
			return errBad
		}
		if err := w.raw(key); err != nil {
			return err
		}
		w.buf = append(w.buf, ':')
		kind, value := jsonValueOf(walk.Member(pair, "value"))
		return w.jsonValue(kind, value, depth)
	})
	w.buf = append(w.buf, '}')
	return err
}

// unquoted is a number as it is written, with or without quotes. One that is too long is none.
func unquoted(v []byte) string {
	if walk.IsString(v) {
		v = v[1 : len(v)-1]
	}
	if len(v) > 64 {
		return ""
	}
	return string(v)
}

func jsonNanos(v []byte) uint64 {
	n, err := strconv.ParseUint(unquoted(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
