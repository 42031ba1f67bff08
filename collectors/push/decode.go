package push

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/liveward/liveward/internal/event"
)

var (
	errMalformed = errors.New("body is not the JSON it begins as")
	errShape     = errors.New("body is not a Firehose delivery")
	errLines     = errors.New("body has too many lines")
)

const (
	lineStep = 256 // lines for which memory is borrowed at a time
	lineCost = 96  // bytes of a line beside its text, while its slice grows
)

// decoded is what a body holds.
type decoded struct {
	lines []event.Line
	end   int64 // of the last line, as if the lines were a file with a line end behind each
	// id and its namespace name the delivery where the body itself does.
	id, idKind string

	maxLine  int
	maxLines int
	room     int64 // bytes that may still be unpacked
	memory   *loan
}

// decode finds the lines of a body. The lines point into it, and it is written to.
//
// What is JSON as a whole is taken as JSON: an array gives a line for each element, an object one
// line, and the envelopes of Firehose, Pub/Sub, event hubs and log entries the lines they hold.
// Anything else is lines of text, of which each stands for itself: a broken one is for the format to
// refuse, and takes none of its neighbours along.
func (d *decoded) decode(body []byte, isJSON, firehose bool) error {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 {
		return nil
	}
	switch body[0] {
	case '{':
		if first, rest, more := bytes.Cut(body, []byte{'\n'}); more && !firehose && len(bytes.TrimSpace(rest)) > 0 && json.Valid(first) {
			return d.text(body)
		}
		if json.Valid(body) {
			return d.object(body, firehose)
		}
	case '[':
		if json.Valid(body) && !firehose {
			return d.array(body)
		}
	}
	if firehose {
		return errShape
	}
	if isJSON && !anyObject(body) {
		return errMalformed
	}
	return d.text(body)
}

// anyObject tells whether a line is a JSON object.
func anyObject(body []byte) bool {
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) > 1 && line[0] == '{' && json.Valid(line) {
			return true
		}
	}
	return false
}

// text takes the lines of a text.
func (d *decoded) text(text []byte) error {
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		if err := d.line(bytes.TrimSuffix(line, []byte{'\r'})); err != nil {
			return err
		}
	}
	return nil
}

// value takes a JSON value as one line. A line end in valid JSON stands between tokens only.
func (d *decoded) value(v []byte) error {
	for i, c := range v {
		if c == '\n' || c == '\r' {
			v[i] = ' '
		}
	}
	return d.line(v)
}

func (d *decoded) line(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	if len(d.lines) >= d.maxLines {
		return errLines
	}
	if len(d.lines)%lineStep == 0 {
		if err := d.memory.take(lineStep * lineCost); err != nil {
			return err
		}
	}
	l := event.Line{Offset: d.end, Data: line}
	if len(line) > d.maxLine {
		l.Data, l.Oversize = line[:d.maxLine], true
	}
	d.lines = append(d.lines, l)
	d.end += int64(len(line)) + 1
	return nil
}

func (d *decoded) array(v []byte) error {
	var err error
	elements(v, func(e []byte) bool {
		if list := wrapped(e); list != nil {
			elements(list, func(e []byte) bool { err = d.value(e); return err == nil })
		} else {
			err = d.value(e)
		}
		return err == nil
	})
	return err
}

// wrapped returns the list of an object that does nothing but hold records: those an event hub
// relays, or log entries as they are written.
func wrapped(v []byte) []byte {
	var list []byte
	alone := true
	members(v, func(key, value []byte) {
		switch string(key) {
		case "records", "entries":
			if list == nil && value[0] == '[' {
				list = value
				return
			}
			alone = false
		case "logName", "resource", "labels", "partialSuccess", "dryRun":
		default:
			alone = false
		}
	})
	if !alone || list == nil {
		return nil
	}
	objects := true
	elements(list, func(e []byte) bool { objects = e[0] == '{'; return objects })
	if !objects {
		return nil
	}
	return list
}

func (d *decoded) object(v []byte, firehose bool) error {
	var records, message, request, subscription []byte
	members(v, func(key, value []byte) {
		switch string(key) {
		case "requestId":
			request = value
		case "records":
			records = value
		case "message":
			message = value
		case "subscription":
			subscription = value
		}
	})
	switch {
	case firehose || isString(request) && dataRecords(records):
		if !isString(request) || !dataRecords(records) {
			return errShape
		}
		d.id, d.idKind = unquote(request), "firehose"
		var err error
		elements(records, func(e []byte) bool { err = d.data(member(e, "data")); return err == nil })
		return err
	case len(message) > 0 && message[0] == '{' && isString(subscription) && isString(member(message, "data")) && isString(member(message, "messageId")):
		d.id, d.idKind = unquote(member(message, "messageId")), "pubsub"
		return d.data(member(message, "data"))
	}
	if list := wrapped(v); list != nil {
		var err error
		elements(list, func(e []byte) bool { err = d.value(e); return err == nil })
		return err
	}
	return d.value(v)
}

func isString(v []byte) bool { return len(v) > 1 && v[0] == '"' }

// dataRecords tells whether v is a list of objects with data, as Firehose delivers them.
func dataRecords(v []byte) bool {
	if len(v) == 0 || v[0] != '[' {
		return false
	}
	ok := true
	elements(v, func(e []byte) bool {
		ok = e[0] == '{' && isString(member(e, "data"))
		return ok
	})
	return ok
}

// data takes what a base64 string holds: lines, a JSON value, or either of them compressed, as
// CloudWatch sends it.
func (d *decoded) data(quoted []byte) error {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text = []byte(unquote(quoted))
	}
	size := int64(base64.StdEncoding.DecodedLen(len(text)))
	if err := d.take(size); err != nil {
		return err
	}
	out := make([]byte, size)
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return errMalformed
	}
	out = out[:n]
	if bytes.HasPrefix(out, []byte{0x1f, 0x8b}) {
		if out, err = gunzip(out, d.room, d.memory); err != nil {
			return err
		}
		d.room -= int64(len(out))
	}
	out = bytes.TrimSpace(out)
	if len(out) == 0 || out[0] != '{' || !json.Valid(out) {
		return d.text(out)
	}
	if kind := member(out, "messageType"); isString(kind) {
		if events := member(out, "logEvents"); len(events) > 0 && events[0] == '[' {
			if string(kind) == `"CONTROL_MESSAGE"` {
				return nil // CloudWatch looks whether anybody is there
			}
			return d.logEvents(events)
		}
	}
	return d.value(out)
}

// logEvents takes the messages of a CloudWatch subscription, each as one line.
func (d *decoded) logEvents(events []byte) error {
	var err error
	elements(events, func(e []byte) bool {
		message := []byte(nil)
		if e[0] == '{' {
			message = member(e, "message")
		}
		if !isString(message) {
			err = d.value(e)
			return err == nil
		}
		if err = d.take(int64(len(message))); err != nil {
			return false
		}
		err = d.value(bytes.TrimRight([]byte(unquote(message)), "\r\n"))
		return err == nil
	})
	return err
}

func (d *decoded) take(n int64) error {
	if n > d.room {
		return errTooLarge
	}
	if err := d.memory.take(n); err != nil {
		return err
	}
	d.room -= n
	return nil
}
