package formats

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/liveward/liveward/collectors/internal/walk"
)

// errSeveral refuses what one event cannot hold. The collectors that get such records take them apart.
var errSeveral = errors.New("a CloudWatch record with several messages: take it by push, s3 or nats")

// cloudwatch peels a record of CloudWatch's subscriptions that has one message:
//
//	{"messageType":"DATA_MESSAGE",…,"logEvents":[{"id":"…","timestamp":1773454364101,"message":"text"}]}
//
// One that only asks whether anybody is there is about no call.
func (p *peeler) cloudwatch(line []byte) ([]byte, bool, error) {
	if !bytes.HasPrefix(line, []byte(`{"messageType":"`)) || !json.Valid(line) {
		return nil, false, nil
	}
	var kind, events []byte
	walk.Members(line, func(key, value []byte) {
		switch string(key) {
		case "messageType":
			kind = value
		case "logEvents":
			events = value
		}
	})
	if len(events) == 0 || events[0] != '[' {
		return nil, false, nil
	}
	if string(kind) == `"CONTROL_MESSAGE"` {
		return nil, true, ErrSkip
	}
	var message, stamp []byte
	n := 0
	walk.Elements(events, func(e []byte) bool {
		message, stamp = walk.Member(e, "message"), walk.Member(e, "timestamp")
		n++
		return n < 2
	})
	switch {
	case n > 1:
		return nil, true, errSeveral
	case n == 0:
		return nil, true, ErrSkip
	case !walk.IsString(message):
		return nil, false, nil
	}
	p.at(stamp)
	message = message[1 : len(message)-1]
	text := unescape(p.room(len(message)*3), message) // what is not UTF-8 grows threefold
	p.keep(text)
	return bytes.TrimRight(text, "\r\n"), true, nil
}
