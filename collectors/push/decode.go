package push

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/liveward/liveward/collectors/internal/walk"
)

// decoder finds the lines of what is pushed.
type decoder struct{ *Lines }

// decode finds the lines of a body. The lines point into it, and it is written to.
//
// What is JSON as a whole is taken as JSON: an array gives a line for each element, an object one
// line, and the envelopes of Firehose, Pub/Sub, event hubs and log entries the lines they hold.
// Anything else is lines of text, of which each stands for itself: a broken one is for the format to
// refuse, and takes none of its neighbours along.
func (d *decoder) decode(body []byte, isJSON, firehose bool) error {
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
		return ErrMalformed
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
func (d *decoder) text(text []byte) error {
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		if err := d.Add(bytes.TrimSuffix(line, []byte{'\r'})); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) array(v []byte) error {
	var err error
	walk.Elements(v, func(e []byte) bool {
		if list := wrapped(e); list != nil {
			walk.Elements(list, func(e []byte) bool { err = d.Value(e); return err == nil })
		} else {
			err = d.Value(e)
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
	walk.Members(v, func(key, value []byte) {
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
	walk.Elements(list, func(e []byte) bool { objects = e[0] == '{'; return objects })
	if !objects {
		return nil
	}
	return list
}

func (d *decoder) object(v []byte, firehose bool) error {
	var records, message, request, subscription []byte
	walk.Members(v, func(key, value []byte) {
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
	case firehose || walk.IsString(request) && dataRecords(records):
		if !walk.IsString(request) || !dataRecords(records) {
			return errShape
		}
		d.Name("firehose", walk.Unquote(request))
		var err error
		walk.Elements(records, func(e []byte) bool { err = d.data(walk.Member(e, "data")); return err == nil })
		return err
	case len(message) > 0 && message[0] == '{' && walk.IsString(subscription) && walk.IsString(walk.Member(message, "data")) && walk.IsString(walk.Member(message, "messageId")):
		d.Name("pubsub", walk.Unquote(walk.Member(message, "messageId")))
		return d.data(walk.Member(message, "data"))
	}
	if list := wrapped(v); list != nil {
		var err error
		walk.Elements(list, func(e []byte) bool { err = d.Value(e); return err == nil })
		return err
	}
	return d.Value(v)
}

// dataRecords tells whether v is a list of objects with data, as Firehose delivers them.
func dataRecords(v []byte) bool {
	if len(v) == 0 || v[0] != '[' {
		return false
	}
	ok := true
	walk.Elements(v, func(e []byte) bool {
		ok = e[0] == '{' && walk.IsString(walk.Member(e, "data"))
		return ok
	})
	return ok
}

// data takes what a base64 string holds: lines, a JSON value, or either of them compressed, as
// CloudWatch sends it.
func (d *decoder) data(quoted []byte) error {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text = []byte(walk.Unquote(quoted))
	}
	size := int64(base64.StdEncoding.DecodedLen(len(text)))
	if err := d.Take(size); err != nil {
		return err
	}
	out := make([]byte, size)
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return ErrMalformed
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
	if kind := walk.Member(out, "messageType"); walk.IsString(kind) {
		if events := walk.Member(out, "logEvents"); len(events) > 0 && events[0] == '[' {
			if string(kind) == `"CONTROL_MESSAGE"` {
				return nil // CloudWatch looks whether anybody is there
			}
			return d.logEvents(events)
		}
	}
	return d.Value(out)
}

// logEvents takes the messages of a CloudWatch subscription, each as one line.
func (d *decoder) logEvents(events []byte) error {
	var err error
	walk.Elements(events, func(e []byte) bool {
		message := []byte(nil)
		if e[0] == '{' {
			message = walk.Member(e, "message")
		}
		if !walk.IsString(message) {
			err = d.Value(e)
			return err == nil
		}
		if err = d.Take(int64(len(message))); err != nil {
			return false
		}
		err = d.Value(bytes.TrimRight([]byte(walk.Unquote(message)), "\r\n"))
		return err == nil
	})
	return err
}
