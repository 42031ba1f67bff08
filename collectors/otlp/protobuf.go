package otlp

import (
	"encoding/base64"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/liveward/liveward/collectors/push"
)

// Numbers of fields in opentelemetry/proto/{collector/logs,logs,common}/v1.
const (
	requestResourceLogs = 1
	resourceScopeLogs   = 2
	scopeLogRecords     = 2

	recordTime       = 1
	recordBody       = 5
	recordAttributes = 6
	recordTrace      = 9
	recordObserved   = 11

	valueString = 1
	valueBool   = 2
	valueInt    = 3
	valueDouble = 4
	valueArray  = 5
	valueMap    = 6
	valueBytes  = 7

	arrayValues = 1
	mapValues   = 1

	pairKey   = 1
	pairValue = 2
)

// field is one field of a message. Text and messages are parts of it.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bytes  []byte
	bits   uint64
}

func (f field) is(number protowire.Number, kind protowire.Type) bool {
	return f.number == number && f.kind == kind
}

// fields calls f for each field of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		var one field
		var n int
		if one.number, one.kind, n = protowire.ConsumeTag(b); n < 0 {
			return push.ErrMalformed
		}
		b = b[n:]
		switch one.kind {
		case protowire.VarintType:
			one.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			one.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			one.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(one.number, one.kind, b)
		}
		if n < 0 {
			return push.ErrMalformed
		}
		b = b[n:]
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// within calls f for each message that is a field of that number.
func within(b []byte, number protowire.Number, f func(b []byte) error) error {
	return fields(b, func(one field) error {
		if one.is(number, protowire.BytesType) {
			return f(one.bytes)
		}
		return nil
	})
}

// protobuf takes the records of an ExportLogsServiceRequest.
func (w *writer) protobuf(body []byte) error {
	return within(body, requestResourceLogs, func(b []byte) error {
		return within(b, resourceScopeLogs, func(b []byte) error {
			return within(b, scopeLogRecords, w.record)
		})
	})
}

func (w *writer) record(b []byte) error {
	var at, observed uint64
	var body, trace []byte
	err := fields(b, func(f field) error {
		switch {
		case f.is(recordTime, protowire.Fixed64Type):
			at = f.bits
		case f.is(recordObserved, protowire.Fixed64Type):
			observed = f.bits
		case f.is(recordBody, protowire.BytesType):
			body = f.bytes
		case f.is(recordTrace, protowire.BytesType):
			trace = f.bytes
		}
		return nil
	})
	if err != nil {
		return err
	}
	value, err := lastValue(body)
	if err != nil {
		return err
	}
	if (value.is(valueString, protowire.BytesType) || value.is(valueBytes, protowire.BytesType)) && len(value.bytes) > 0 {
		return w.text(value.bytes)
	}
	if at == 0 {
		at = observed
	}
	w.begin()
	return w.end(w.object(b, value), at, trace)
}

// object writes the members of a record's object: the body's, then the attributes.
func (w *writer) object(record []byte, body field) error {
	switch {
	case body.is(valueMap, protowire.BytesType):
		if err := within(body.bytes, mapValues, w.member); err != nil {
			return err
		}
	case body.number != 0 && body.number != valueString && body.number != valueBytes:
		w.key([]byte(`"message"`))
		if err := w.value(body, 0); err != nil {
			return err
		}
	}
	return within(record, recordAttributes, w.member)
}

// member writes a pair of the record's object, unless it has the key already.
func (w *writer) member(pair []byte) error {
	key, value, err := pairOf(pair)
	if err != nil {
		return err
	}
	if !w.key(appendString(nil, key[:min(len(key), w.to.MaxLine())])) {
		return nil
	}
	return w.value(value, 0)
}

func pairOf(pair []byte) (key []byte, value field, err error) {
	var any []byte
	err = fields(pair, func(f field) error {
		switch {
		case f.is(pairKey, protowire.BytesType):
			key = f.bytes
		case f.is(pairValue, protowire.BytesType):
			any = f.bytes
		}
		return nil
	})
	if err != nil {
		return nil, field{}, err
	}
	value, err = lastValue(any)
	return key, value, err
}

// lastValue is what an AnyValue holds: of several the last, as protobuf has it; nothing where it is
// empty.
func lastValue(any []byte) (value field, err error) {
	err = fields(any, func(f field) error {
		switch f.number {
		case valueString, valueArray, valueMap, valueBytes:
			if f.kind == protowire.BytesType {
				value = f
			}
		case valueBool, valueInt:
			if f.kind == protowire.VarintType {
				value = f
			}
		case valueDouble:
			if f.kind == protowire.Fixed64Type {
				value = f
			}
		}
		return nil
	})
	return value, err
}

// value writes a value.
func (w *writer) value(v field, depth int) error {
	switch v.number {
	case valueString:
		return w.str(v.bytes)
	case valueBool:
		w.buf = strconv.AppendBool(w.buf, v.bits != 0)
	case valueInt:
		w.buf = strconv.AppendInt(w.buf, int64(v.bits), 10)
	case valueDouble:
		w.float(math.Float64frombits(v.bits))
	case valueBytes:
		w.buf = append(w.buf, '"')
		w.buf = base64.StdEncoding.AppendEncode(w.buf, v.bytes[:min(len(v.bytes), w.to.MaxLine())])
		w.buf = append(w.buf, '"')
	case valueArray, valueMap:
		return w.nested(v, depth+1)
	default:
		w.buf = append(w.buf, "null"...)
	}
	if w.full() {
		return errLong
	}
	return nil
}

func (w *writer) nested(v field, depth int) error {
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
	if v.number == valueArray {
		w.buf = append(w.buf, '[')
		err := within(v.bytes, arrayValues, func(b []byte) error {
			next()
			value, err := lastValue(b)
			if err != nil {
				return err
			}
			return w.value(value, depth)
		})
		w.buf = append(w.buf, ']')
		return err
	}
	w.buf = append(w.buf, '{')
	err := within(v.bytes, mapValues, func(b []byte) error {
		next()
		key, value, err := pairOf(b)
		if err != nil {
			return err
		}
		if err := w.str(key); err != nil {
			return err
		}
		w.buf = append(w.buf, ':')
		return w.value(value, depth)
	})
	w.buf = append(w.buf, '}')
	return err
}
